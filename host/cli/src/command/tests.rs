//! Snapshots of the help of every command, in `tests/snapshots`.

use std::collections::BTreeSet;
use std::path::Path;

use clap::CommandFactory as _;

use super::Iechor;

/// Adds the long help of a command and of all commands below it.
fn collect(command: &mut clap::Command, path: &str, found: &mut Vec<(String, String)>) {
    found.push((path.to_owned(), command.render_long_help().to_string()));
    for below in command.get_subcommands_mut() {
        let path = format!("{path}-{}", below.get_name());
        collect(below, &path, found);
    }
}

fn helps() -> Vec<(String, String)> {
    let mut command = Iechor::command();
    // Passes global flags and whole names on to the commands below.
    command.build();
    let mut found = Vec::new();
    collect(&mut command, "help", &mut found);
    found
}

#[test]
fn the_help_of_every_command_is_as_recorded() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../tests/snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let mut names = BTreeSet::new();
    for (name, help) in helps() {
        settings.bind(|| insta::assert_snapshot!(name.as_str(), help));
        names.insert(format!("{name}.snap"));
    }
    // No help of a command that is gone.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots");
    let recorded: BTreeSet<_> = std::fs::read_dir(folder)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").file_name().display().to_string())
        .filter(|name| name.starts_with("help") && name.ends_with(".snap"))
        .collect();
    assert_eq!(recorded, names);
}

/// A help begins with a capital letter and does not end with a full stop, unless it has several
/// sentences.
#[test]
fn helps_are_sentences() {
    fn check(command: &clap::Command, wrong: &mut Vec<String>) {
        let about = command.get_about().map(ToString::to_string);
        let helps = command.get_arguments().map(|argument| {
            let help = argument.get_help().map(ToString::to_string);
            (argument.get_id().to_string(), help.unwrap_or_default())
        });
        let own = (command.get_name().to_owned(), about.unwrap_or_default());
        for (name, help) in helps.chain([own]) {
            let capital = help.starts_with(|c: char| c.is_uppercase());
            if !capital || help.trim_end_matches("...").ends_with('.') {
                wrong.push(format!("{} {name}: {help:?}", command.get_name()));
            }
        }
        for below in command.get_subcommands() {
            check(below, wrong);
        }
    }
    let mut wrong = Vec::new();
    check(&Iechor::command(), &mut wrong);
    assert!(wrong.is_empty(), "{wrong:#?}");
}
