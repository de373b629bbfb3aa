//! What the crate for authors says of the host is true of it.

use iechor_sandbox::grant::CATALOGUE;

#[test]
fn authors_are_told_of_every_capability() {
    let known: Vec<_> = CATALOGUE.iter().map(|capability| capability.name).collect();
    assert_eq!(iechor_driver::capability::NAMES, known);
}
