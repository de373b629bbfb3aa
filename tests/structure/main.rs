//! Checks the structure of the crates. `cycles` finds import cycles, `doors` checks which crates may use a library
//! or another crate, `texts` checks the words in the texts of libraries. `source` reads source files.

mod cycles;
mod doors;
mod source;
mod texts;
