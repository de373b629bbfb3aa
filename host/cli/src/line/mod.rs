//! The syntax of command lines: that of Go's pflag and cobra, which docker buildx uses, for every
//! command and every flag.
//!
//! [`read`] rewrites a command line into an equal one that clap reads the same way, from the definition
//! of the commands alone. A new flag needs nothing for it, and cannot differ:
//! - A switch takes `=true`, `=false`, `=1`, `=T` and so on, and never the next word.
//! - All other flags take the next word, whatever it begins with.
//! - Of a flag with one value, the last one counts. An empty value means that the flag is not given.
//! - A flag counts wherever it stands, before or after a command and its arguments.
//!
//! All words that cannot be read are returned at once, with the texts of docker buildx. `count` checks
//! the number of arguments, `flag` knows the kinds of flags.

mod count;
mod flag;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

use clap::{Arg, Command};
use flag::{Kind, kind};
use iechor_build::spec::parse::boolean;

pub use count::CountError;

/// A command line that was read.
pub struct Line {
    /// The words for clap, with the name of the program.
    pub words: Vec<OsString>,
    /// What cannot be read, in the order of the command line.
    pub mistakes: Vec<LineError>,
    /// The wrong number of arguments, if all flags can be read and no help is wanted.
    pub count: Option<CountError>,
}

/// A word that cannot be read. The texts are those of docker buildx.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// There is no such flag.
    #[error("unknown flag: --{name}")]
    UnknownFlag {
        /// Its name.
        name: String,
        /// A flag of the command with a similar name.
        similar: Option<String>,
    },
    /// There is no such flag of one letter.
    #[error("unknown shorthand flag: '{letter}' in -{word}")]
    UnknownShorthand {
        /// The letter.
        letter: String,
        /// The word, without the hyphen.
        word: String,
    },
    /// A word begins with hyphens, but names no flag.
    #[error("bad flag syntax: {word}")]
    Syntax {
        /// The word.
        word: String,
    },
    /// The value is missing.
    #[error("flag needs an argument: {flag}")]
    NoValue {
        /// The flag, as it was given.
        flag: String,
    },
    /// The value of a switch is neither true nor false.
    #[error(
        "invalid argument {value:?} for {flag:?} flag: strconv.ParseBool: parsing {value:?}: invalid syntax"
    )]
    NotBoolean {
        /// All names of the flag.
        flag: String,
        /// The value.
        value: String,
    },
}

/// Reads a command line. `root` is the program, completely built; `words` begins with its name.
pub fn read(root: &Command, words: impl IntoIterator<Item = OsString>) -> Line {
    let mut reader = Reader {
        levels: Vec::new(),
        mistakes: Vec::new(),
        is_doubtful: false,
    };
    let mut words = words.into_iter();
    reader.enter(root, words.next().unwrap_or_default());
    let is_complete = reader.read(&mut words);
    let mut line = Line {
        count: None,
        mistakes: reader.mistakes,
        words: Vec::new(),
    };
    if let Some(leaf) = reader.levels.last()
        && is_complete
        && line.mistakes.is_empty()
        && !reader.levels.iter().any(Level::asks_for_help)
    {
        line.count = count::check(leaf.command, leaf.arguments.len());
    }
    for level in reader.levels {
        level.write(&mut line.words);
    }
    line.words.extend(words);
    line
}

/// Returns whether a word begins with a flag of the command itself.
pub fn begins_with_flag_of(command: &Command, word: &OsStr) -> bool {
    match word.as_bytes() {
        [b'-', b'-', rest @ ..] => {
            let (name, _) = split(rest);
            flag::all(command).any(|flag| flag::is_long(flag, name))
        }
        [b'-', rest @ ..] => first_letter(rest)
            .is_some_and(|(letter, _)| flag::all(command).any(|flag| flag::is_short(flag, letter))),
        _ => false,
    }
}

impl LineError {
    /// Returns what to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownFlag { similar, .. } => {
                let similar = similar.as_ref()?;
                Some(format!("there is a similar flag: {similar}"))
            }
            Self::NotBoolean { .. } => Some("a switch takes true and false".to_owned()),
            _ => None,
        }
    }
}

/// A command, and what was given to it.
struct Level<'a> {
    command: &'a Command,
    name: OsString,
    flags: Vec<Given<'a>>,
    arguments: Vec<OsString>,
    /// Indices of arguments that may be values of unknown flags.
    doubtful: Vec<usize>,
}

/// A flag that was given.
struct Given<'a> {
    flag: &'a Arg,
    value: Option<OsString>,
}

struct Reader<'a> {
    levels: Vec<Level<'a>>,
    mistakes: Vec<LineError>,
    /// The next word may be the value of an unknown flag.
    is_doubtful: bool,
}

impl<'a> Reader<'a> {
    fn enter(&mut self, command: &'a Command, name: OsString) {
        self.levels.push(Level {
            command,
            name,
            flags: Vec::new(),
            arguments: Vec::new(),
            doubtful: Vec::new(),
        });
    }

    /// Reads words up to the end. Stops behind the name of a command that does not exist, and returns
    /// false: clap reports it.
    fn read(&mut self, words: &mut impl Iterator<Item = OsString>) -> bool {
        while let Some(word) = words.next() {
            let is_doubtful = std::mem::take(&mut self.is_doubtful);
            match word.as_bytes() {
                b"--" => {
                    let level = self.level();
                    level.arguments.extend(words);
                    return true;
                }
                [b'-', b'-', rest @ ..] => self.long(rest, words),
                [b'-', rest @ ..] if !rest.is_empty() => self.short(rest, words),
                _ => {
                    let command = self.level().command;
                    if !command.has_subcommands() {
                        let level = self.level();
                        if is_doubtful {
                            level.doubtful.push(level.arguments.len());
                        }
                        level.arguments.push(word);
                        continue;
                    }
                    match word.to_str().and_then(|name| command.find_subcommand(name)) {
                        Some(below) => self.enter(below, word),
                        None => {
                            self.level().arguments.push(word);
                            return false;
                        }
                    }
                }
            }
        }
        true
    }

    fn level(&mut self) -> &mut Level<'a> {
        #[expect(clippy::expect_used, reason = "the program itself is entered first")]
        self.levels.last_mut().expect("a command")
    }

    /// Reads `--NAME`, `--NAME=VALUE` or `--NAME VALUE`. `rest` follows the hyphens.
    fn long(&mut self, rest: &[u8], words: &mut impl Iterator<Item = OsString>) {
        let (name, value) = split(rest);
        if matches!(name, [] | [b'-', ..]) {
            let word = format!("--{}", shown(rest));
            return self.mistakes.push(LineError::Syntax { word });
        }
        let command = self.level().command;
        let mut flags = flag::all(command);
        let Some(flag) = flags.find(|flag| flag::is_long(flag, name)) else {
            let name = shown(name);
            let similar = flag::similar(command, &name);
            self.is_doubtful = value.is_none();
            return self.mistakes.push(LineError::UnknownFlag { name, similar });
        };
        let value = match value {
            Some(value) => Some(OsString::from_vec(value.to_vec())),
            None if kind(flag).takes_next_word() => match words.next() {
                Some(word) => Some(word),
                None => {
                    let flag = format!("--{}", shown(name));
                    return self.mistakes.push(LineError::NoValue { flag });
                }
            },
            None => None,
        };
        self.give(flag, value);
    }

    /// Reads a word of flags of one letter. Only the last one may have a value. `word` follows the hyphen.
    fn short(&mut self, word: &[u8], words: &mut impl Iterator<Item = OsString>) {
        let text = String::from_utf8_lossy(word);
        let mut rest = word;
        while let Some((letter, after)) = first_letter(rest) {
            let command = self.level().command;
            let mut flags = flag::all(command);
            let Some(flag) = flags.find(|flag| flag::is_short(flag, letter)) else {
                return self.mistakes.push(LineError::UnknownShorthand {
                    letter: shown(&rest[..rest.len() - after.len()]),
                    word: shown(rest),
                });
            };
            let value = match after {
                [b'=', value @ ..] => Some(value.to_vec()),
                _ if !kind(flag).takes_next_word() => {
                    self.give(flag, None);
                    rest = after;
                    continue;
                }
                [] => match words.next() {
                    Some(word) => Some(word.into_vec()),
                    None => {
                        let flag = format!("'{letter}' in -{}", shown(text.as_bytes()));
                        return self.mistakes.push(LineError::NoValue { flag });
                    }
                },
                value => Some(value.to_vec()),
            };
            return self.give(flag, value.map(OsString::from_vec));
        }
    }

    /// Notes a flag with its value.
    fn give(&mut self, flag: &'a Arg, mut value: Option<OsString>) {
        let kind = kind(flag);
        if kind.is_boolean() {
            let given = value.as_deref().unwrap_or(OsStr::new("true"));
            let Some(is_on) = given.to_str().and_then(boolean) else {
                let value = shown(given.as_bytes());
                let flag = flag::names(flag);
                return self.mistakes.push(LineError::NotBoolean { flag, value });
            };
            value = (kind == Kind::Boolean).then(|| is_on.to_string().into());
            if kind == Kind::Switch && !is_on {
                return self.forget(flag);
            }
        }
        if kind != Kind::List {
            self.forget(flag);
            if value.as_ref().is_some_and(|value| value.is_empty()) {
                return;
            }
        }
        self.level().flags.push(Given { flag, value });
    }

    /// Forgets what was given for a flag, also before the name of the command.
    fn forget(&mut self, flag: &Arg) {
        for level in &mut self.levels {
            level
                .flags
                .retain(|given| given.flag.get_id() != flag.get_id());
        }
    }
}

impl Level<'_> {
    fn asks_for_help(&self) -> bool {
        self.flags.iter().any(|given| flag::is_help(given.flag))
    }

    /// Removes values of unknown flags from the arguments, if there are too many: the rest of the line
    /// can be checked then.
    fn remove_doubtful(&mut self) {
        let Some(most) = count::most(self.command) else {
            return;
        };
        while self.arguments.len() > most
            && let Some(doubtful) = self.doubtful.pop()
        {
            self.arguments.remove(doubtful);
        }
    }

    /// Writes the words for clap: flags with their values in one word, then the arguments.
    fn write(mut self, words: &mut Vec<OsString>) {
        self.remove_doubtful();
        words.push(self.name);
        for Given { flag, value } in self.flags {
            let mut word = flag::written(flag);
            if let Some(value) = value {
                word.push("=");
                word.push(value);
            }
            words.push(word);
        }
        let is_like_flag = |word: &OsString| word.len() > 1 && word.as_bytes()[0] == b'-';
        if self.arguments.iter().any(is_like_flag) {
            words.push("--".into());
        }
        words.extend(self.arguments);
    }
}

fn split(word: &[u8]) -> (&[u8], Option<&[u8]>) {
    match word.iter().position(|byte| *byte == b'=') {
        Some(at) => (&word[..at], Some(&word[at + 1..])),
        None => (word, None),
    }
}

/// Returns the first letter, and what follows it. A byte that is not UTF-8 counts as a letter.
fn first_letter(word: &[u8]) -> Option<(char, &[u8])> {
    let chunk = word.utf8_chunks().next()?;
    match chunk.valid().chars().next() {
        Some(letter) => Some((letter, &word[letter.len_utf8()..])),
        None => Some((char::REPLACEMENT_CHARACTER, &word[chunk.invalid().len()..])),
    }
}

/// Returns text of the command line for a message. It stays on its line.
pub fn shown(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.replace(|c: char| c.is_control(), " ")
}

#[cfg(test)]
mod tests;
