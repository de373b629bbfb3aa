//! Channels without a bound, in which memory can grow with the size of a transfer.

use std::fs;

use crate::source::{code, collect, root};

/// The files that may have one, and why it is bounded all the same.
const KNOWN: &[&str] = &[
    // The end of a thread.
    "cli/src/terminal/messages.rs",
    // One request for each entry of a transfer, whose number is bounded.
    "fsutil/src/receive.rs",
    // The reports of a step, whose size is bounded where they are sent.
    "progress/src/vertex.rs",
    // The events of one scenario, which is a file of the tests.
    "testkit/src/run.rs",
];

#[test]
fn channels_have_a_bound() {
    let host = root().join("host");
    let mut files = Vec::new();
    for entry in fs::read_dir(&host).expect("a directory") {
        let source = entry.expect("an entry").path().join("src");
        if source.is_dir() {
            collect(&source, &mut files);
        }
    }
    let mut found = Vec::new();
    for file in files {
        let code = code(&fs::read_to_string(&file).expect("readable"));
        // tokio's have a name; those of the standard library and of crossbeam have no size either.
        let names = ["unbounded", "mpsc::channel()"];
        if names.iter().any(|name| code.contains(name)) {
            let place = file.strip_prefix(&host).expect("below");
            found.push(place.to_string_lossy().into_owned());
        }
    }
    found.sort();
    assert_eq!(found, KNOWN);
}
