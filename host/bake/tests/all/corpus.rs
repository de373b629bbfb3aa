//! Definitions as people write them. Each folder of `tests/corpus` has the files, the request (targets, overrides,
//! variables), and what is printed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use iechor_bake::definition::{DEFAULT_NAMES, File};
use iechor_bake::{Selection, print};
use serde_json::Value;

use crate::support::{Fixed, read_with};

/// What a user requests of a definition.
#[derive(Default)]
struct Request {
    targets: Vec<String>,
    overrides: Vec<String>,
    variables: BTreeMap<String, String>,
    environment: Fixed,
}

impl Request {
    fn read(folder: &Path) -> Self {
        let mut request = Self::default();
        let text = fs::read_to_string(folder.join("request")).unwrap_or_default();
        for line in text.lines() {
            let (word, rest) = line.split_once(' ').expect("a word and a value");
            let pair = || {
                let (name, value) = rest.split_once('=').expect("a name and a value");
                (name.to_owned(), value.to_owned())
            };
            match word {
                "target" => request.targets.push(rest.to_owned()),
                "set" => request.overrides.push(rest.to_owned()),
                "var" => request.variables.extend([pair()]),
                "env" => request.environment.variables.extend([pair()]),
                other => panic!("unknown word {other}"),
            }
        }
        if request.targets.is_empty() {
            request.targets.push("default".to_owned());
        }
        request
    }
}

/// Selects what is requested of the definition of a folder.
fn selected(folder: &Path) -> Selection {
    let request = Request::read(folder);
    let files: Vec<File> = DEFAULT_NAMES
        .iter()
        .filter_map(|name| {
            let text = fs::read_to_string(folder.join(name)).ok()?;
            let name = (*name).to_owned();
            Some(File { name, text })
        })
        .collect();
    let definition = read_with(&files, &request.variables, &request.environment);
    let definition = definition.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    assert_eq!(definition.warnings, [], "{}", folder.display());
    let variable = |name: &str| request.environment.variables.get(name).cloned();
    let selection = definition.select(&request.targets, &request.overrides, &variable);
    selection.unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
}

/// Notes the fields in which two values differ.
fn compare(path: &str, expected: &Value, found: &Value, wrong: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(a), Value::Object(b)) => {
            let names: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
            for name in names {
                let of = |map: &serde_json::Map<String, Value>| {
                    map.get(name)
                        .cloned()
                        .unwrap_or(Value::String("(missing)".into()))
                };
                compare(&format!("{path}.{name}"), &of(a), &of(b), wrong);
            }
        }
        (a, b) if a == b => {}
        (a, b) => wrong.push(format!("{path}: expected {a}, found {b}")),
    }
}

#[test]
fn definitions_print_what_docker_buildx_prints() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let mut folders: Vec<_> = fs::read_dir(root)
        .expect("the corpus")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    folders.sort();
    let mut wrong = Vec::new();
    for folder in &folders {
        let expected = fs::read_to_string(folder.join("expected.json")).expect("what is printed");
        let found = print::selection(&selected(folder));
        let parse = |text: &str| serde_json::from_str(text).expect("JSON");
        let before = wrong.len();
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        compare(&name, &parse(&expected), &parse(&found), &mut wrong);
        if wrong.len() == before && expected != found {
            wrong.push(format!("{name}: other bytes\n{expected}\n{found}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} faults:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(folders.len() >= 30, "{}", folders.len());
}

#[test]
fn what_is_printed_is_a_definition_of_the_same_targets() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    for entry in fs::read_dir(root).expect("the corpus") {
        let folder = entry.expect("an entry").path();
        let first = selected(&folder);
        let file = File {
            name: "docker-bake.json".into(),
            text: print::selection(&first),
        };
        let definition = read_with(&[file], &BTreeMap::new(), &Fixed::default());
        let definition = definition.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let names: Vec<String> = first.targets.keys().cloned().collect();
        let second = definition.select(&names, &[], &|_| None).expect("selected");
        let targets = |selection: &Selection| {
            let printed: Value = serde_json::from_str(&print::selection(selection)).expect("JSON");
            printed["target"].clone()
        };
        assert_eq!(targets(&second), targets(&first), "{}", folder.display());
    }
}
