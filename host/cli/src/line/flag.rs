//! What clap says about a flag, in the terms of pflag.

use std::any::TypeId;
use std::ffi::OsString;

use clap::{Arg, ArgAction, Command};

/// A kind of flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// On or off. Clap knows only whether it is given.
    Switch,
    /// True, false or not given. Clap reads the value.
    Boolean,
    /// One value, which may be left out.
    Optional,
    /// One value.
    One,
    /// Any number of values.
    List,
}

impl Kind {
    /// Returns whether the flag takes the next word as its value.
    pub fn takes_next_word(self) -> bool {
        matches!(self, Self::One | Self::List)
    }

    /// Returns whether the value is true or false.
    pub fn is_boolean(self) -> bool {
        matches!(self, Self::Switch | Self::Boolean)
    }
}

/// Returns all flags of a command.
pub fn all(command: &Command) -> impl Iterator<Item = &Arg> {
    let arguments = command.get_arguments();
    arguments.filter(|argument| !argument.is_positional())
}

/// Returns the kind of a flag.
pub fn kind(flag: &Arg) -> Kind {
    let is_boolean = flag.get_value_parser().type_id() == TypeId::of::<bool>();
    match flag.get_action() {
        ArgAction::Append => Kind::List,
        ArgAction::Set if is_boolean => Kind::Boolean,
        ArgAction::Set
            if flag
                .get_num_args()
                .is_some_and(|range| range.min_values() == 0) =>
        {
            Kind::Optional
        }
        ArgAction::Set => Kind::One,
        _ => Kind::Switch,
    }
}

/// Returns whether the flag asks for help.
pub fn is_help(flag: &Arg) -> bool {
    matches!(
        flag.get_action(),
        ArgAction::Help | ArgAction::HelpLong | ArgAction::HelpShort
    )
}

/// Returns whether the flag has this name.
pub fn is_long(flag: &Arg, name: &[u8]) -> bool {
    let aliases = flag.get_all_aliases().unwrap_or_default();
    let mut names = flag.get_long().into_iter().chain(aliases);
    names.any(|own| own.as_bytes() == name)
}

/// Returns whether the flag has this letter.
pub fn is_short(flag: &Arg, letter: char) -> bool {
    let aliases = flag.get_all_short_aliases().unwrap_or_default();
    flag.get_short() == Some(letter) || aliases.contains(&letter)
}

/// Returns the names of a flag, as errors of pflag have them.
pub fn names(flag: &Arg) -> String {
    let long = flag.get_long().unwrap_or_default();
    match flag.get_short() {
        Some(letter) => format!("-{letter}, --{long}"),
        None => format!("--{long}"),
    }
}

/// Returns the flag as a word.
pub fn written(flag: &Arg) -> OsString {
    match (flag.get_long(), flag.get_short()) {
        (Some(name), _) => format!("--{name}").into(),
        (None, letter) => format!("-{}", letter.unwrap_or_default()).into(),
    }
}

/// Returns a flag of the command whose name is similar.
pub fn similar(command: &Command, name: &str) -> Option<String> {
    let flags = all(command).filter(|flag| !flag.is_hide_set());
    let similar = iechor_text::nearest(name, flags.filter_map(Arg::get_long));
    similar.map(|name| format!("--{name}"))
}
