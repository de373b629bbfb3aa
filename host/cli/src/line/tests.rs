//! The whole tree of commands: each flag has the syntax of pflag, so that a new flag has it, too.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, CommandFactory as _};

use super::flag::{Kind, kind, names};
use super::*;
use crate::command::Iechor;

fn program() -> Command {
    let mut root = Iechor::command();
    root.build();
    root
}

/// Calls `check` with each command without commands below it, and the words that lead there.
fn each_command(check: &mut impl FnMut(&Command, &[&str])) {
    fn walk(command: &Command, path: &mut Vec<String>, check: &mut impl FnMut(&Command, &[&str])) {
        path.push(command.get_name().to_owned());
        if command.has_subcommands() {
            for below in command.get_subcommands() {
                walk(below, path, check);
            }
        } else {
            let words: Vec<_> = path.iter().map(String::as_str).collect();
            check(command, &words);
        }
        path.pop();
    }
    walk(&program(), &mut Vec::new(), check);
}

/// Calls `check` with each flag of each command, except help.
fn each_flag(mut check: impl FnMut(&Arg, &[&str])) {
    let mut count = 0;
    each_command(&mut |command, path| {
        for flag in flag::all(command).filter(|flag| !flag::is_help(flag)) {
            count += 1;
            check(flag, path);
        }
    });
    assert!(count > 80, "{count} flags are not all");
}

fn line_of(path: &[&str], rest: &[&[u8]]) -> Line {
    let path = path.iter().map(|word| word.as_bytes());
    let words = path.chain(rest.iter().copied());
    read(
        &program(),
        words.map(|word| OsStr::from_bytes(word).to_owned()),
    )
}

/// Returns what clap makes of a line, as far as it got: required arguments may be missing.
fn matches_of(line: &Line) -> ArgMatches {
    let matches = Iechor::command()
        .ignore_errors(true)
        .try_get_matches_from(&line.words)
        .expect("matches");
    let mut matches = &matches;
    while let Some((_, below)) = matches.subcommand() {
        matches = below;
    }
    matches.clone()
}

/// Returns the raw values of a flag that the command line gave.
fn values(path: &[&str], rest: &[&[u8]], flag: &Arg) -> Vec<OsString> {
    let line = line_of(path, rest);
    assert_eq!(line.mistakes, [], "{path:?} {rest:?}");
    let matches = matches_of(&line);
    let id = flag.get_id().as_str();
    if matches.value_source(id) != Some(ValueSource::CommandLine) {
        return Vec::new();
    }
    let values = matches.get_raw(id).into_iter().flatten();
    values.map(ToOwned::to_owned).collect()
}

fn is_on(path: &[&str], rest: &[&[u8]], flag: &Arg) -> bool {
    match kind(flag) {
        Kind::Boolean => values(path, rest, flag) == ["true"],
        _ => matches_of(&line_of(path, rest)).get_flag(flag.get_id().as_str()),
    }
}

/// A value that the flag accepts.
fn good(flag: &Arg, number: usize) -> String {
    let listed = flag.get_possible_values();
    if !listed.is_empty() {
        return listed[number % listed.len()].get_name().to_owned();
    }
    match flag.get_long() {
        Some("timeout") => format!("{number}s"),
        Some("format") => ["json", "table"][number % 2].to_owned(),
        Some("grant" | "revoke") => ["engine.open", "engine.load"][number % 2].to_owned(),
        _ => format!("name=value{number}"),
    }
}

#[test]
fn every_flag_has_a_long_name_and_at_most_one_value() {
    each_flag(|flag, path| {
        let place = format!("{path:?} {}", names(flag));
        assert!(flag.get_long().is_some(), "{place}");
        let most = flag.get_num_args().map_or(1, |values| values.max_values());
        assert!(most <= 1, "{place}: pflag has no flags with {most} values");
        assert_eq!(flag.get_value_delimiter(), None, "{place}");
        assert!(
            !matches!(flag.get_action(), ArgAction::Count | ArgAction::SetFalse),
            "{place}: pflag has no such flags"
        );
    });
}

#[test]
fn every_switch_takes_the_booleans_of_go_and_never_the_next_word() {
    each_flag(|flag, path| {
        if !kind(flag).is_boolean() {
            return;
        }
        let long = format!("--{}", flag.get_long().expect("a name"));
        let place = format!("{path:?} {long}");
        for text in ["1", "t", "T", "true", "TRUE", "True"] {
            let word = format!("{long}={text}");
            assert!(is_on(path, &[word.as_bytes()], flag), "{place}={text}");
        }
        for text in ["0", "f", "F", "false", "FALSE", "False"] {
            let word = format!("{long}={text}");
            assert!(!is_on(path, &[word.as_bytes()], flag), "{place}={text}");
            // The last one counts.
            let both = [long.as_bytes(), word.as_bytes()];
            assert!(!is_on(path, &both, flag), "{place} {word}");
            let both = [word.as_bytes(), long.as_bytes()];
            assert!(is_on(path, &both, flag), "{word} {place}");
        }
        let line = line_of(path, &[long.as_bytes(), b"false"]);
        let leaf = line.words.last().expect("words");
        assert_eq!(leaf, "false", "{place}: the next word is an argument");
        assert!(is_on(path, &[long.as_bytes(), b"false"], flag), "{place}");
        for text in ["", "yes", "tRUE", "2"] {
            let word = format!("{long}={text}");
            let line = line_of(path, &[word.as_bytes()]);
            let said = format!(
                "invalid argument {text:?} for {:?} flag: strconv.ParseBool: parsing {text:?}: \
                 invalid syntax",
                names(flag)
            );
            let found: Vec<_> = line.mistakes.iter().map(ToString::to_string).collect();
            assert_eq!(found, [said]);
        }
        if let Some(letter) = flag.get_short() {
            let off = format!("-{letter}=false");
            assert!(!is_on(path, &[off.as_bytes()], flag), "{place}");
            let on = format!("-{letter}");
            assert!(is_on(path, &[on.as_bytes()], flag), "{place}");
        }
    });
}

#[test]
fn of_every_flag_with_one_value_the_last_one_counts_and_an_empty_one_is_not_given() {
    each_flag(|flag, path| {
        if kind(flag) != Kind::One {
            return;
        }
        let long = format!("--{}", flag.get_long().expect("a name"));
        let (first, last) = (good(flag, 1), good(flag, 2));
        let words = [
            long.as_bytes(),
            first.as_bytes(),
            long.as_bytes(),
            last.as_bytes(),
        ];
        assert_eq!(
            values(path, &words, flag),
            [last.as_str()],
            "{path:?} {long}"
        );
        let equals = format!("{long}={last}");
        assert_eq!(values(path, &[equals.as_bytes()], flag), [last.as_str()]);
        let empty = format!("{long}=");
        for words in [
            &[empty.as_bytes()][..],
            &[long.as_bytes(), b""],
            &[equals.as_bytes(), empty.as_bytes()],
        ] {
            assert_eq!(values(path, words, flag), [""; 0], "{path:?} {long}");
        }
    });
}

#[test]
fn every_flag_with_a_value_takes_the_next_word_whatever_it_is() {
    each_flag(|flag, path| {
        if !kind(flag).takes_next_word() {
            return;
        }
        let long = format!("--{}", flag.get_long().expect("a name"));
        let line = line_of(path, &[long.as_bytes(), b"--pull"]);
        let expected = format!("{long}=--pull");
        assert_eq!(
            line.words.last().expect("words"),
            expected.as_str(),
            "{path:?}"
        );
        let line = line_of(path, &[long.as_bytes()]);
        let found: Vec<_> = line.mistakes.iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [format!("flag needs an argument: {long}")],
            "{path:?}"
        );
        if let Some(letter) = flag.get_short() {
            let value = good(flag, 1);
            let (alone, joined, equals) = (
                format!("-{letter}"),
                format!("-{letter}{value}"),
                format!("-{letter}={value}"),
            );
            for words in [
                &[alone.as_bytes(), value.as_bytes()][..],
                &[joined.as_bytes()],
                &[equals.as_bytes()],
            ] {
                assert_eq!(
                    values(path, words, flag),
                    [value.as_str()],
                    "{path:?} {long}"
                );
            }
            let line = line_of(path, &[alone.as_bytes()]);
            let said = format!("flag needs an argument: '{letter}' in -{letter}");
            assert_eq!(line.mistakes[0].to_string(), said);
        }
    });
}

/// The names of values that are paths.
const PATHS: [&str; 4] = ["FILE", "PATH", "DIR", "DIRECTORY"];

#[test]
fn every_path_may_have_bytes_that_are_not_text() {
    let odd = b"\xff\xfe";
    each_command(&mut |command, path| {
        for argument in command.get_arguments() {
            let names = argument.get_value_names().unwrap_or_default();
            if !names.iter().any(|name| PATHS.contains(&name.as_str())) {
                continue;
            }
            let word = match argument.get_long() {
                Some(long) => [b"--", long.as_bytes(), b"=", odd].concat(),
                None => odd.to_vec(),
            };
            let found = values(path, &[&word], argument);
            assert_eq!(
                found,
                [OsStr::from_bytes(odd)],
                "{path:?} {}",
                argument.get_id()
            );
        }
    });
}

#[test]
fn a_flag_counts_wherever_it_stands() {
    let line = |words: &str| {
        let words = words.split(' ').map(OsString::from);
        let line = read(&program(), words);
        let words: Vec<_> = line
            .words
            .iter()
            .map(|word| word.to_string_lossy())
            .collect();
        words.join(" ")
    };
    for (given, read) in [
        (
            "iechor buildx --builder a build . --builder b",
            "iechor buildx build --builder=b .",
        ),
        (
            "iechor buildx -D build --debug=false .",
            "iechor buildx build .",
        ),
        (
            "iechor buildx b . -qt x",
            "iechor buildx b --quiet --tag=x .",
        ),
        (
            "iechor buildx build -q=0 -- -x",
            "iechor buildx build -- -x",
        ),
        (
            "iechor buildx build - -f -",
            "iechor buildx build --file=- -",
        ),
        (
            "iechor buildx build . --help",
            "iechor buildx build --help .",
        ),
        (
            "iechor buildx build . --help=false",
            "iechor buildx build .",
        ),
        // The rest of the line of an unknown command is clap's.
        (
            "iechor buildx biuld --platfrom x",
            "iechor buildx biuld --platfrom x",
        ),
    ] {
        assert_eq!(line(given), read);
    }
}

#[test]
fn all_words_that_cannot_be_read_are_found() {
    let line = line_of(
        &["iechor", "buildx", "build"],
        &[
            b"--platfrom=x",
            b"--no-cache=maybe",
            b"-qxy",
            b"--=v",
            b"---x",
            b"--b\xff\nad",
            b".",
            b"-f",
        ],
    );
    let found: Vec<_> = line.mistakes.iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "unknown flag: --platfrom",
            "invalid argument \"maybe\" for \"--no-cache\" flag: strconv.ParseBool: parsing \
             \"maybe\": invalid syntax",
            "unknown shorthand flag: 'x' in -xy",
            "bad flag syntax: --=v",
            "bad flag syntax: ---x",
            "unknown flag: --b\u{fffd} ad",
            "flag needs an argument: 'f' in -f",
        ]
    );
    // The value of an unknown flag is not an argument, if that would be too many.
    for (rest, expected) in [
        (&[b"--banana" as &[u8], b"x", b"."][..], "."),
        (&[b"--banana", b"."], "."),
        (&[b".", b"--banana", b"x"], "."),
    ] {
        let line = line_of(&["iechor", "buildx", "build"], rest);
        assert_eq!(line.words[3..], [expected], "{rest:?}");
    }
    let hint = line.mistakes[0].hint().expect("a hint");
    assert_eq!(hint, "there is a similar flag: --platform");
    let words: Vec<_> = line.words.iter().collect();
    assert_eq!(words, ["iechor", "buildx", "build", "--quiet", "."]);
}

#[test]
fn the_number_of_arguments_is_checked_as_the_peer_does() {
    let count = |path: &[&str], rest: &[&[u8]]| {
        let error = line_of(path, rest).count;
        error.map(|error| format!("{error}\n{}", error.usage()))
    };
    let build = ["iechor", "buildx", "build"];
    let said = "iechor: 'iechor buildx build' requires 1 argument\n\nUsage:  iechor buildx build \
                [OPTIONS] PATH | URL | -\n\nRun 'iechor buildx build --help' for more information\n";
    assert_eq!(count(&build, &[]).as_deref(), Some(said));
    assert_eq!(count(&build, &[b".", b"x"]).as_deref(), Some(said));
    assert_eq!(count(&build, &[b"."]), None);
    assert_eq!(count(&build, &[b"--help"]), None, "help is wanted");
    assert_eq!(
        count(&build, &[b"--banana"]),
        None,
        "it may have had a value"
    );
    for (path, rest, words) in [
        (
            &["iechor", "buildx", "ls"][..],
            &[b"x" as &[u8]][..],
            "accepts no arguments",
        ),
        (
            &["iechor", "buildx", "create"],
            &[b"x", b"y"],
            "requires at most 1 argument",
        ),
        (
            &["iechor", "driver", "rm"],
            &[],
            "requires at least 1 argument",
        ),
    ] {
        let said = count(path, rest).expect(words);
        assert!(said.contains(words), "{said}");
    }
}
