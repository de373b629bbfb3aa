//! Checks the structure of the crates. `cycles` finds import cycles, `doors` checks which crates may use a library
//! or another crate, `texts` checks the words in the texts of libraries, and `memory` finds channels without a bound.
//! `source` reads source files.

mod cycles;
mod doors;
mod memory;
mod source;
mod texts;
