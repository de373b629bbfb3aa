//! Checks the structure of the crates: import cycles, the crates that may use a library, and the words in the
//! texts of libraries.
//!
//! A file may use items of its parent modules (`super::...`), because it is a part of them. Following all
//! other uses must not lead from a file back to itself. Test code is ignored.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The crates that are checked. Add a crate when it has no cycles.
const CRATES: &[&str] = &[
    "drivers/buildkit-container",
    "drivers/iechor",
    "drivers/iechor-container",
    "drivers/remote",
    "drivers/sdk",
    "host/builder",
    "host/buildkit",
    "host/engine",
    "host/files",
    "host/fsutil",
    "host/progress",
    "host/registry",
    "host/sandbox",
    "host/testkit",
    "host/text",
    "host/values",
];

/// The crates whose texts name no flag and no command: only the command line has words for these.
const LIBRARIES: &[&str] = &[
    "host/build",
    "host/builder",
    "host/buildkit",
    "host/catalog",
    "host/engine",
    "host/files",
    "host/fsutil",
    "host/platform",
    "host/progress",
    "host/registry",
    "host/sandbox",
    "host/testkit",
    "host/text",
];

/// Texts of docker buildx, which scripts match.
const TEXTS_OF_DOCKER: &[&str] =
    &["use `docker --context={name} buildx` to switch to context {name:?}"];

/// The file that writes the command which repeats a test: it is a command line, not the text of an error.
const COMMAND_LINES: &[&str] = &["host/testkit/src/rerun.rs"];

/// The path of a module from the root of the crate. The root is the empty path.
type Module = Vec<String>;

#[test]
fn no_file_is_part_of_an_import_cycle() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
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
fn no_text_of_a_library_names_a_flag_or_a_command() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = Vec::new();
    for name in LIBRARIES {
        let mut files = Vec::new();
        collect(&root.join(name).join("src"), &mut files);
        for file in files {
            let text = fs::read_to_string(&file).expect("readable");
            let file = file.strip_prefix(&root).expect("below").display();
            if COMMAND_LINES.contains(&file.to_string().as_str()) {
                continue;
            }
            let texts = texts(without_tests(&text)).into_iter();
            let texts = texts.filter(|text| names_command_line(text));
            found.extend(texts.map(|text| format!("{file}: {text:?}")));
        }
    }
    assert!(
        found.is_empty(),
        "texts with flags or commands:\n{}",
        found.join("\n")
    );
}

#[test]
fn texts_with_flags_and_commands_are_found() {
    let source = concat!(
        "// \"--comment\"\n",
        "const A: char = '\"'; const B: &'static str = \"add \\\"x\\\" \\\n    --grant\";\n",
        "#[error(\"run `iechor driver rm`\")] struct C;\n",
        "const D: &str = r#\"say \"x\" --force\"#;\n",
        "const E: &[&str] = &[\"--version\", \"a--b\", \"iechor\", \"--x=1\"];\n",
        "fn f() { f(\"iechor driver ls\") }\n",
        "#[cfg(test)]\nmod tests { const F: &str = \" --test\"; }\n",
    );
    let texts = texts(without_tests(source)).into_iter();
    let found: Vec<_> = texts.filter(|text| names_command_line(text)).collect();
    assert_eq!(
        found,
        [
            "add \\\"x\\\" --grant",
            "run `iechor driver rm`",
            "say \"x\" --force",
            "iechor driver ls"
        ]
    );
}

/// Returns whether a text names a flag or a command. A text that is a flag and nothing else is an
/// argument for another program.
fn names_command_line(text: &str) -> bool {
    if TEXTS_OF_DOCKER.contains(&text) {
        return false;
    }
    let follows = |at: usize, wanted: fn(char) -> bool| text[at..].starts_with(wanted);
    let precedes = |at: usize| text[..at].chars().next_back();
    let is_argument = text.starts_with("--") && !text.contains(char::is_whitespace);
    let has_flag = text.match_indices("--").any(|(at, _)| {
        let is_start = precedes(at).is_none_or(|before| !before.is_alphanumeric() && before != '-');
        is_start && follows(at + 2, |c| c.is_ascii_lowercase())
    });
    let has_command = text.match_indices("iechor ").any(|(at, program)| {
        let is_start = precedes(at).is_none_or(|before| before == '`');
        is_start && follows(at + program.len(), |c| c.is_ascii_lowercase())
    });
    has_flag && !is_argument || has_command
}

/// Returns the string literals of a file, without escaped line breaks.
fn texts(source: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let before = source[..source.len() - rest.len()].chars().next_back();
        let is_word_start = before.is_none_or(|c| !c.is_alphanumeric() && c != '_');
        let raw = rest.strip_prefix('r').filter(|_| is_word_start);
        let raw = raw.and_then(|raw| {
            let hashes = raw.len() - raw.trim_start_matches('#').len();
            Some((hashes, raw[hashes..].strip_prefix('"')?))
        });
        if rest.starts_with("//") {
            rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
        } else if let Some((hashes, text)) = raw {
            let end = format!("\"{}", "#".repeat(hashes));
            let (text, after) = text.split_once(&end).unwrap_or((text, ""));
            texts.push(text.to_owned());
            rest = after;
        } else if first == '"' {
            let (text, after) = quoted(&rest[1..]);
            texts.push(text);
            rest = after;
        } else if let Some(after) = rest.strip_prefix("'\\") {
            // The character that is escaped may be a quotation mark.
            let skipped = after.chars().next().map_or(0, char::len_utf8);
            rest = &after[skipped..];
        } else if let Some(after) = rest.strip_prefix("'\"'") {
            rest = after;
        } else {
            rest = &rest[first.len_utf8()..];
        }
    }
    texts
}

/// Reads a literal behind its opening quotation mark, and returns what follows it.
fn quoted(source: &str) -> (String, &str) {
    let mut text = String::new();
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '"' => break,
            '\\' if rest.starts_with('\n') => rest = rest.trim_start(),
            '\\' => {
                let escaped = rest.chars().next();
                text.push(c);
                text.extend(escaped);
                rest = &rest[escaped.map_or(0, char::len_utf8)..];
            }
            c => text.push(c),
        }
    }
    (text, rest)
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

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            if path.file_name().is_none_or(|name| name != "tests") {
                collect(&path, files);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && path.file_stem().is_none_or(|name| name != "tests")
        {
            files.push(path);
        }
    }
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

/// Returns a file without its tests, which are at its end.
fn without_tests(text: &str) -> &str {
    match text.find("#[cfg(test)]\nmod ") {
        Some(at)
            if text[at..]
                .lines()
                .nth(1)
                .is_some_and(|line| line.contains('{')) =>
        {
            &text[..at]
        }
        _ => text,
    }
}

/// Returns the code of a file without comments, texts and tests.
fn code(text: &str) -> String {
    let text = without_tests(text);
    let mut code = String::new();
    for line in text.lines() {
        let line = line.split("//").next().unwrap_or_default();
        // Every second part is within quotes.
        code.extend(line.split('"').step_by(2));
        code.push('\n');
    }
    code
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
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cli/src");
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
    let host = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
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
