//! Parses the command line of the process.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

use clap::error::ErrorKind;

use super::Command;
use super::root::{Root, RootError};
use crate::failure::{Refused, WrongLine};
use crate::line::{self, Line, shown};
use crate::plugin;
use crate::program::{self, Name};
use crate::terminal;

/// Parses the command line of this process, and sets the settings that every command has. Returns what cannot be read
/// beside it: a command may have more to say about the rest.
///
/// # Errors
///
/// All mistakes at once, if the command is not clear without the words that cannot be read.
pub fn parse(words: Vec<OsString>) -> anyhow::Result<(Command, WrongLine)> {
    let root = match program::name() {
        Name::Iechor => Root::Iechor,
        Name::DockerBuildx if plugin::is_line_of_docker(&words) => Root::Docker,
        name => Root::Buildx(name),
    };
    let commands = root.built();
    let Line {
        words,
        mistakes,
        count,
    } = line::read(&commands, without_help_command(&commands, words));
    if let Some(count) = count {
        return Err(count.into());
    }
    let mut wrong = WrongLine::default();
    for mistake in mistakes {
        wrong.add(mistake.to_string(), mistake.hint());
    }
    let (command, settings) = match root.read(&words) {
        Ok(read) => read,
        Err(RootError::Clap(_)) if wrong.is_empty() => {
            // An error repeats arguments, which may come from anywhere in a script: it is made from the
            // same command line without characters that end a line.
            let words: Vec<_> = words.iter().map(|word| one_line(word)).collect();
            match root.read(&words) {
                Ok(read) => read,
                Err(RootError::Clap(error)) => return Err(refused(root, &words, error).into()),
                Err(error) => return Err(error.into()),
            }
        }
        Err(RootError::Clap(error)) => {
            // What is missing, or help, is beside the point.
            if matches!(
                error.kind(),
                ErrorKind::InvalidValue | ErrorKind::ValueValidation | ErrorKind::InvalidSubcommand
            ) {
                let text = error.render().to_string();
                let text = text.split("\n\n").next().unwrap_or_default();
                let text = text.strip_prefix("error: ").unwrap_or(text);
                wrong.add(shown(text.as_bytes()), None);
            }
            return Err(wrong.into());
        }
        Err(error) => return Err(error.into()),
    };
    program::set_settings(settings);
    Ok((command, wrong))
}

/// Returns what clap refuses. As for cobra, a group of commands by itself asks for its help.
fn refused(root: Root, words: &[OsString], error: clap::Error) -> Refused {
    let is_help =
        !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if !is_help {
        return Refused::Wrong(error);
    }
    let width = terminal::help_width();
    let help = root.help(words, width, terminal::is_coloured());
    Refused::Help(help.unwrap_or_else(|| error.render().to_string()))
}

/// Returns the command line with `--help` at its end instead of the command `help`, which cobra has beside the
/// commands of every group.
fn without_help_command(root: &clap::Command, mut words: Vec<OsString>) -> Vec<OsString> {
    let mut group = root;
    for at in 1..words.len() {
        if words[at] == "help" {
            words.remove(at);
            words.push("--help".into());
            break;
        }
        match group.find_subcommand(&words[at]) {
            Some(below) if below.has_subcommands() => group = below,
            _ => break,
        }
    }
    words
}

/// Returns a word with spaces instead of control characters.
fn one_line(word: &OsStr) -> OsString {
    let bytes = word.as_bytes().iter();
    let bytes = bytes.map(|byte| if byte.is_ascii_control() { b' ' } else { *byte });
    OsString::from_vec(bytes.collect())
}
