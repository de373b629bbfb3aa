//! Parses the command line of the process.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser as _};

use super::Iechor;
use crate::failure::{Refused, WrongLine};
use crate::line::{self, Line, shown};

/// Parses the command line of this process. Returns what cannot be read beside it: a command may have
/// more to say about the rest.
///
/// # Errors
///
/// All mistakes at once, if the command is not clear without the words that cannot be read.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> anyhow::Result<(Iechor, WrongLine)> {
    let mut root = Iechor::command();
    root.build();
    let Line {
        words,
        mistakes,
        count,
    } = line::read(&root, words);
    if let Some(count) = count {
        return Err(count.into());
    }
    let mut wrong = WrongLine::default();
    for mistake in mistakes {
        wrong.add(mistake.to_string(), mistake.hint());
    }
    match Iechor::try_parse_from(&words) {
        Ok(arguments) => Ok((arguments, wrong)),
        Err(_) if wrong.is_empty() => {
            // An error repeats arguments, which may come from anywhere in a script: it is made from the
            // same command line without characters that end a line.
            let words = words.iter().map(|word| one_line(word));
            let refused = Iechor::try_parse_from(words).map(|arguments| (arguments, wrong));
            Ok(refused.map_err(Refused)?)
        }
        Err(error) => {
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
            Err(wrong.into())
        }
    }
}

/// Returns a word with spaces instead of control characters.
fn one_line(word: &OsStr) -> OsString {
    let bytes = word.as_bytes().iter();
    let bytes = bytes.map(|byte| if byte.is_ascii_control() { b' ' } else { *byte });
    OsString::from_vec(bytes.collect())
}
