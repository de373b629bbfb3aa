//! Completes command lines, for shells and for the Docker CLI.
//!
//! Both use the same definition of the commands. `values` has the candidates that depend on the user's builders,
//! contexts and drivers; they are looked up only if they are wanted.
//!
//! - A shell runs the script that `iechor completion` prints. It calls the program with [`VARIABLE`] set.
//! - The Docker CLI passes the request of its own script on, in the form of cobra: `docker-buildx __complete buildx
//!   build --pl` prints a candidate on each line, with its description behind a tab, and a number at the end that tells
//!   the shell what else to do.

mod values;

use std::ffi::{OsStr, OsString};

use clap_complete::CompletionCandidate;
use clap_complete::engine::complete;
use clap_complete::env::{CompleteEnv, Shells};

use crate::command::Root;
use crate::program::{self, Name};
use crate::terminal;
use crate::text::Text;
use values::Files;

/// Variable with the name of the shell that wants candidates.
const VARIABLE: &str = "IECHOR_COMPLETE";

/// The names of the shells that can complete command lines.
pub const SHELLS: [&str; 3] = ["bash", "fish", "zsh"];

/// The description of a candidate has at most this many characters.
const DESCRIPTION: usize = 100;

/// A candidate has at most this many characters.
const VALUE: usize = 4 << 10;

/// What a shell does after the candidates (cobra's `ShellCompDirective`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Directive {
    /// It adds the names of files.
    Files = 0,
    /// There are no other candidates.
    NoFiles = 4,
}

/// Prints candidates if the command line is a request for them, and returns whether it is. `words` begins with the name
/// of the program.
pub fn answer(words: &[OsString]) -> Option<anyhow::Result<()>> {
    if let [_, request, line @ ..] = words
        && let Some(described) = request_of_cobra(request)
    {
        return Some(print(line, described));
    }
    let root = Root::of_candidates(words.get(2..).unwrap_or_default());
    let shells = CompleteEnv::with_factory(|| {
        // The words follow the program's name and `--`.
        values::attach(
            root.command(),
            words.get(2..).unwrap_or_default(),
            &Files::Here,
        )
    });
    let directory = std::env::current_dir().ok();
    let answered = shells
        .var(VARIABLE)
        .try_complete(words.iter().cloned(), directory.as_deref());
    match answered {
        Ok(false) => None,
        Ok(true) => Some(Ok(())),
        // A shell has no use for a message.
        Err(_) => Some(Err(crate::failure::ExitStatus(1).into())),
    }
}

/// Returns the script that makes a shell complete command lines.
pub fn script(shell: &str) -> anyhow::Result<Text> {
    let shells = Shells::builtins();
    let shell = shells.completer(shell).unwrap_or(&clap_complete::env::Bash);
    let mut script = Vec::new();
    let name = "iechor";
    shell.write_registration(VARIABLE, name, name, name, &mut script)?;
    Ok(Text::prepared(String::from_utf8(script)?))
}

/// Returns whether descriptions are wanted, if the word is a request of cobra.
fn request_of_cobra(word: &OsStr) -> Option<bool> {
    match word.to_str() {
        Some("__complete") => Some(true),
        Some("__completeNoDesc") => Some(false),
        _ => None,
    }
}

/// Prints the candidates for the last word of a line, in the form of cobra.
fn print(line: &[OsString], described: bool) -> anyhow::Result<()> {
    let root = Root::of_candidates(line);
    let files = Files::later();
    let mut command = values::attach(root.command(), line, &files);
    let mut words = vec![OsString::from(command.get_name())];
    words.extend(line.iter().cloned());
    if line.is_empty() {
        words.push(OsString::new());
    }
    let at = words.len() - 1;
    let last = words[at].to_string_lossy().into_owned();
    let found = complete(&mut command, words, at, None).unwrap_or_default();
    let found = found.iter();
    let mut lines: String = found
        .filter_map(|candidate| line_of(candidate, &last, described))
        .collect();
    let directive = match files.are_wanted() {
        true => Directive::Files,
        false => Directive::NoFiles,
    };
    lines += &format!(":{}\n", directive as u8);
    terminal::result(&Text::prepared(lines))
}

/// Returns the line of a candidate for the word `last`. Cobra offers flags only after a hyphen, and values without
/// their flag.
fn line_of(candidate: &CompletionCandidate, last: &str, described: bool) -> Option<String> {
    let value = candidate.get_value().to_str()?;
    let value = &iechor_text::clean_line(value, VALUE);
    if value.starts_with('-') && !last.starts_with('-') {
        return None;
    }
    let flag = last.split_once('=').filter(|_| last.starts_with("--"));
    let value = match flag {
        Some((flag, _)) => value.strip_prefix(flag)?.strip_prefix('=')?,
        None => value,
    };
    let help = candidate.get_help().filter(|_| described);
    let help = help.map(ToString::to_string).unwrap_or_default();
    Some(match help.lines().next() {
        Some(help) => format!("{value}\t{}\n", iechor_text::clean_line(help, DESCRIPTION)),
        None => format!("{value}\n"),
    })
}

impl Root {
    /// Returns the root of a line that is completed.
    fn of_candidates(line: &[OsString]) -> Self {
        match program::name() {
            Name::Iechor => Self::Iechor,
            Name::DockerBuildx if line.first().is_some_and(|word| word == "buildx") => Self::Docker,
            name => Self::Buildx(name),
        }
    }
}
