//! The texts of libraries: only the command line has words for flags and commands.

use std::fs;

use crate::source::{collect, root, without_tests};

/// The crates whose texts name no flag and no command: only the command line has words for these.
const LIBRARIES: &[&str] = &[
    "host/bake",
    "host/build",
    "host/builder",
    "host/buildkit",
    "host/catalog",
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
];

/// Texts of docker buildx, which scripts match.
const TEXTS_OF_DOCKER: &[&str] = &[
    "use `docker --context={name} buildx` to switch to context {name:?}",
    "empty BUILDKIT_SYNTAX build-arg is invalid, use --build-arg BUILDKIT_SYNTAX without '=' for optional behavior",
    "local output mode=delete for destination {:?} requires --allow=buildx.local.delete",
];

/// The file that writes the command which repeats a test: it is a command line, not the text of an error.
const COMMAND_LINES: &[&str] = &["host/testkit/src/rerun.rs"];

#[test]
fn no_text_of_a_library_names_a_flag_or_a_command() {
    let root = root();
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
