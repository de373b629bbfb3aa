//! The path of somebody who writes a driver.

use std::fs;

use crate::support::Sandbox;

#[test]
fn a_new_driver_gets_a_good_name_and_a_place_of_its_own() {
    let sandbox = Sandbox::new();
    for (name, words) in [
        ("My-Driver", "'M' is none of the characters of a name"),
        ("../up", "'.' is none of the characters of a name"),
        ("-x", "unexpected argument '-x'"),
        ("fn", "is a word of Rust"),
        ("iechor-container", "is part of iechor"),
    ] {
        sandbox
            .iechor(&format!("driver new {name} --lang python"))
            .failure(1)
            .says(words);
    }
    sandbox
        .iechor("driver new mine --lang cobol")
        .failure(1)
        .says("python");
    let full = sandbox.path("full");
    fs::create_dir(&full).expect("made");
    fs::write(full.join("file"), "kept").expect("written");
    sandbox
        .iechor("driver new mine --lang python --directory full")
        .failure(1)
        .says("full is not empty");
    assert_eq!(fs::read_dir(&full).expect("there").count(), 1);
    sandbox
        .iechor("driver new mine --lang python --directory full/file")
        .failure(1)
        .says("full/file cannot be the driver's directory");
    let entries = fs::read_dir(sandbox.path(".")).expect("there").count();
    assert_eq!(entries, 1, "nothing is written beside {}", full.display());
}
