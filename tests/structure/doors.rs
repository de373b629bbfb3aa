//! Libraries and crates that only some crates may use.

use std::fs;

use crate::source::{code, collect, root};

/// The crates below the views that the command line prints.
const BELOW_THE_VIEWS: &[&str] = &[
    "iechor_buildkit",
    "iechor_engine",
    "iechor_registry",
    "iechor_sandbox",
];

/// The files of the command line that may use them, relative to `host/cli/src`.
const BESIDE_THE_VIEWS: &[&str] = &[
    // Sets up what belongs to the process; the file says why.
    "composition.rs",
    // Matches on the errors of all crates.
    "failure.rs",
    "failure/",
];

#[test]
fn the_command_line_knows_only_views() {
    let source = root().join("host/cli/src");
    let mut files = Vec::new();
    collect(&source, &mut files);
    let mut wrong = Vec::new();
    for file in files {
        let place = file.strip_prefix(&source).expect("below").to_string_lossy();
        if BESIDE_THE_VIEWS
            .iter()
            .any(|known| place.starts_with(known))
        {
            continue;
        }
        let code = code(&fs::read_to_string(&file).expect("readable"));
        let used = BELOW_THE_VIEWS.iter().filter(|name| code.contains(*name));
        wrong.extend(used.map(|name| format!("host/cli/src/{place} uses {name}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Libraries that exactly one crate of the host depends on.
const DOORS: &[(&str, &str)] = &[
    ("bollard", "engine"),
    ("clap", "cli"),
    ("oci-client", "registry"),
    ("reqwest", "registry"),
    ("tonic", "buildkit"),
    ("wasmtime", "sandbox"),
    ("wasmtime-wasi", "sandbox"),
];

#[test]
fn every_door_is_in_one_crate() {
    let host = root().join("host");
    let mut wrong = Vec::new();
    for entry in fs::read_dir(&host).expect("a directory") {
        let directory = entry.expect("an entry").path();
        let Ok(manifest) = fs::read_to_string(directory.join("Cargo.toml")) else {
            continue;
        };
        let name = directory.file_name().expect("a name").to_string_lossy();
        for dependency in dependencies(&manifest) {
            let door = DOORS.iter().find(|(library, _)| *library == dependency);
            if let Some((library, owner)) = door
                && *owner != name
            {
                wrong.push(format!(
                    "host/{name} depends on {library}, as only host/{owner} may"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Returns the names below `[dependencies]` of a manifest.
fn dependencies(manifest: &str) -> impl Iterator<Item = &str> {
    manifest
        .lines()
        .map(str::trim)
        .skip_while(|line| *line != "[dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['=', '.', ' ']).next())
        .filter(|name| !name.is_empty())
}

#[test]
fn dependencies_are_those_of_the_program() {
    let manifest = "[package]\nname = \"a\"\n[dependencies]\n# c\nclap.workspace = true\n\
                    tokio = { features = [] }\n\n[dev-dependencies]\ntonic = \"1\"\n";
    assert_eq!(
        dependencies(manifest).collect::<Vec<_>>(),
        ["clap", "tokio"]
    );
}
