//! The number of arguments of a command.

use std::fmt;

use clap::{Arg, Command};

use super::flag;

/// A wrong number of arguments. The text is that of the Docker CLI.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{program}: '{command}' {expected}")]
pub struct CountError {
    program: String,
    command: String,
    expected: Expected,
    usage: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Expected {
    None,
    Exactly(usize),
    AtLeast(usize),
    AtMost(usize),
    Between(usize, usize),
}

impl CountError {
    /// Returns the lines that follow the error: how the command is used.
    pub fn usage(&self) -> String {
        let Self { command, usage, .. } = self;
        format!("\nUsage:  {usage}\n\nRun '{command} --help' for more information\n")
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arguments = |count: usize| if count == 1 { "argument" } else { "arguments" };
        match *self {
            Self::None => write!(formatter, "accepts no arguments"),
            Self::Exactly(count) => write!(formatter, "requires {count} {}", arguments(count)),
            Self::AtLeast(count) => {
                write!(formatter, "requires at least {count} {}", arguments(count))
            }
            Self::AtMost(count) => {
                write!(formatter, "requires at most {count} {}", arguments(count))
            }
            Self::Between(least, most) => write!(
                formatter,
                "requires at least {least} and at most {most} {}",
                arguments(most)
            ),
        }
    }
}

/// Returns the error of a command that was given `count` arguments, if the number is wrong. A command
/// that needs another command below it is left to clap.
pub fn check(command: &Command, count: usize) -> Option<CountError> {
    if command.has_subcommands() {
        return None;
    }
    let required = |argument: &&Arg| argument.is_required_set();
    let least = command.get_positionals().filter(required).count();
    let most = most(command);
    if count >= least && most.is_none_or(|most| count <= most) {
        return None;
    }
    let path = command.get_bin_name().unwrap_or(command.get_name());
    Some(CountError {
        program: path.split(' ').next().unwrap_or_default().to_owned(),
        command: path.to_owned(),
        expected: match (least, most) {
            (_, Some(0)) => Expected::None,
            (0, Some(most)) => Expected::AtMost(most),
            (least, Some(most)) if least == most => Expected::Exactly(least),
            (least, Some(most)) => Expected::Between(least, most),
            (least, None) => Expected::AtLeast(least),
        },
        usage: usage(command, path),
    })
}

/// Returns the maximum number of arguments of a command, if there is one.
pub fn most(command: &Command) -> Option<usize> {
    let mut arguments = command.get_positionals();
    match arguments.any(is_open) {
        true => None,
        false => Some(command.get_positionals().count()),
    }
}

fn is_open(argument: &Arg) -> bool {
    let values = argument.get_num_args();
    values.is_some_and(|values| values.max_values() > 1)
}

/// Returns how a command is used, as cobra shows it.
fn usage(command: &Command, path: &str) -> String {
    let mut usage = path.to_owned();
    if flag::all(command).any(|flag| !flag.is_hide_set()) {
        usage += " [OPTIONS]";
    }
    for argument in command.get_positionals() {
        let names = argument.get_value_names().unwrap_or_default();
        let name = names
            .first()
            .map_or(argument.get_id().as_str(), |name| name.as_str());
        usage += &match (argument.is_required_set(), is_open(argument)) {
            (true, false) => format!(" {name}"),
            (true, true) => format!(" {name} [{name}...]"),
            (false, false) => format!(" [{name}]"),
            (false, true) => format!(" [{name}...]"),
        };
    }
    usage
}
