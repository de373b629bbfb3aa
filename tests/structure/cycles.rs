//! Import cycles.
//!
//! A file may use items of its parent modules (`super::...`), because it is a part of them. Following all
//! other uses must not lead from a file back to itself. Test code is ignored.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::source::{code, collect, root};

/// The crates that are checked. Add a crate when it has no cycles.
const CRATES: &[&str] = &[
    "drivers/buildkit-container",
    "drivers/iechor",
    "drivers/iechor-container",
    "drivers/remote",
    "drivers/sdk",
    "host/bake",
    "host/build",
    "host/builder",
    "host/buildkit",
    "host/catalog",
    "host/cli",
    "host/engine",
    "host/files",
    "host/fsutil",
    "host/images",
    "host/platform",
    "host/progress",
    "host/registry",
    "host/sandbox",
    "host/testkit",
    "host/text",
    "host/values",
    "host/waiting",
];

/// The path of a module from the root of the crate. The root is the empty path.
type Module = Vec<String>;

#[test]
fn no_file_is_part_of_an_import_cycle() {
    let root = root();
    let mut cycles = Vec::new();
    for name in CRATES {
        let uses = uses_of_crate(&root.join(name).join("src"));
        if let Some(cycle) = cycle(&uses) {
            let words: Vec<_> = cycle.iter().map(|module| path(module)).collect();
            cycles.push(format!("{name}: {}", words.join(" -> ")));
        }
    }
    assert!(cycles.is_empty(), "import cycles:\n{}", cycles.join("\n"));
}

#[test]
fn a_cycle_is_found_and_a_module_with_its_children_is_none() {
    let uses = |texts: &[(&str, &str)]| {
        let modules: Vec<_> = texts
            .iter()
            .map(|(name, text)| (module(name), (*text).to_owned()))
            .collect();
        uses(&modules)
    };
    for (texts, expected) in [
        (&[("a", "use crate::b::X;"), ("b", "")][..], false),
        (
            &[("a", "use crate::b::X;"), ("b", "use crate::a::Y;")],
            true,
        ),
        (
            &[("a", "fn f() { crate::b::f() }"), ("b", "use super::a;")],
            true,
        ),
        (
            &[
                ("a", "use crate::{b::{self, X}, c};"),
                ("b", ""),
                ("c", "use crate::a::{Y,\n Z};"),
            ],
            true,
        ),
        // A module and its child.
        (
            &[("a", "use self::b::X;"), ("a::b", "use super::Y;")],
            false,
        ),
        // Two children, and a cycle to a child through its parent.
        (
            &[
                ("a", "mod b; mod c;"),
                ("a::b", "use super::c::X;"),
                ("a::c", "use super::b::X;"),
            ],
            true,
        ),
        (
            &[
                ("a", "use self::b::X;"),
                ("a::b", "use crate::c::X;"),
                ("c", "use crate::a::X;"),
            ],
            true,
        ),
        // Comments, texts and tests.
        (
            &[
                ("a", "// use crate::b::X;\nconst T: &str = \"crate::b\";"),
                ("b", "use crate::a::X;"),
            ],
            false,
        ),
        (
            &[
                ("a", "#[cfg(test)]\nmod tests { use crate::b::X; }"),
                ("b", "use crate::a::X;"),
            ],
            false,
        ),
    ] {
        assert_eq!(cycle(&uses(texts)).is_some(), expected, "{texts:?}");
    }
}

fn module(path: &str) -> Module {
    path.split("::").map(str::to_owned).collect()
}

fn path(module: &Module) -> String {
    match module.is_empty() {
        true => "lib".to_owned(),
        false => module.join("::"),
    }
}

fn uses_of_crate(source: &Path) -> BTreeMap<Module, BTreeSet<Module>> {
    let mut files = Vec::new();
    collect(source, &mut files);
    assert!(!files.is_empty(), "{} has no sources", source.display());
    let modules: Vec<_> = files
        .into_iter()
        .map(|file| {
            let text = fs::read_to_string(&file).expect("readable");
            let file = file.strip_prefix(source).expect("below").with_extension("");
            let mut parts: Module = file
                .iter()
                .map(|part| part.to_string_lossy().into_owned())
                .collect();
            if matches!(
                parts.last().map(String::as_str),
                Some("mod" | "lib" | "main")
            ) {
                parts.pop();
            }
            (parts, text)
        })
        .collect();
    uses(&modules)
}

/// Returns the modules that each module uses, without its parent modules.
fn uses(modules: &[(Module, String)]) -> BTreeMap<Module, BTreeSet<Module>> {
    let known: BTreeSet<_> = modules.iter().map(|(module, _)| module).collect();
    modules
        .iter()
        .map(|(module, text)| {
            let used = paths(&code(text))
                .into_iter()
                .filter_map(|path| resolve(module, &path, &known))
                .filter(|used| !module.starts_with(used))
                .collect();
            (module.clone(), used)
        })
        .collect()
}

/// Returns the paths that begin with `crate`, `super` or `self`, with groups resolved.
fn paths(code: &str) -> Vec<Module> {
    let mut found = Vec::new();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    for start in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| is_word(c) || c == ':') {
                continue;
            }
            expand(&code[at..], &mut Vec::new(), &mut found);
        }
    }
    found
}

/// Reads a path or a group of paths, and returns what follows.
fn expand<'a>(text: &'a str, prefix: &mut Module, found: &mut Vec<Module>) -> &'a str {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut text = text.trim_start();
    let depth = prefix.len();
    loop {
        if let Some(mut rest) = text.strip_prefix('{') {
            loop {
                rest = rest.trim_start();
                if let Some(rest) = rest.strip_prefix('}') {
                    text = rest;
                    break;
                }
                let after = expand(rest, prefix, found);
                rest = match after.find([',', '}']) {
                    Some(at) if after[at..].starts_with(',') => &after[at + 1..],
                    Some(at) => &after[at..],
                    None => "",
                };
                if rest.is_empty() {
                    text = rest;
                    break;
                }
            }
            break;
        }
        let end = text.find(|c| !is_word(c)).unwrap_or(text.len());
        if end == 0 {
            found.push(prefix.clone());
            break;
        }
        prefix.push(text[..end].to_owned());
        text = &text[end..];
        match text.strip_prefix("::") {
            Some(rest) => text = rest.trim_start(),
            None => {
                found.push(prefix.clone());
                break;
            }
        }
    }
    prefix.truncate(depth);
    text
}

/// Returns the module that contains the target of a path.
fn resolve(module: &Module, path: &Module, known: &BTreeSet<&Module>) -> Option<Module> {
    let mut absolute = match path.first()?.as_str() {
        "crate" => Vec::new(),
        _ => module.clone(),
    };
    for part in path {
        match part.as_str() {
            "crate" | "self" => {}
            "super" => {
                absolute.pop();
            }
            part => absolute.push(part.to_owned()),
        }
    }
    while !known.contains(&absolute) {
        absolute.pop()?;
    }
    Some(absolute)
}

/// Returns a cycle: each module uses the next, and the last module is the first.
fn cycle(uses: &BTreeMap<Module, BTreeSet<Module>>) -> Option<Vec<Module>> {
    fn visit(
        module: &Module,
        uses: &BTreeMap<Module, BTreeSet<Module>>,
        way: &mut Vec<Module>,
        done: &mut BTreeSet<Module>,
    ) -> Option<Vec<Module>> {
        if let Some(at) = way.iter().position(|earlier| earlier == module) {
            let mut cycle = way.split_off(at);
            cycle.push(module.clone());
            return Some(cycle);
        }
        if !done.insert(module.clone()) {
            return None;
        }
        way.push(module.clone());
        for used in uses.get(module).into_iter().flatten() {
            if let Some(cycle) = visit(used, uses, way, done) {
                return Some(cycle);
            }
        }
        way.pop();
        None
    }
    let mut done = BTreeSet::new();
    uses.keys()
        .find_map(|module| visit(module, uses, &mut Vec::new(), &mut done))
}
