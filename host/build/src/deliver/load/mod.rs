//! Loads an image from BuildKit into the engine, under the requested names and no others.
//!
//! BuildKit sends an archive. A manipulated BuildKit could put any names into it, and the engine would
//! remove these names from the images that have them. The names are in `manifest.json`, `index.json`
//! and `repositories`, which an engine reads after the whole archive has arrived. So the archive is
//! passed on as it arrives, and fails at a name that was not requested, before the engine reads it.
//!
//! Every header and every file with names is rewritten, because engines may interpret unusual archives
//! differently.
//!
//! [`entries`] reads and writes the entries of the archive, and [`names`] the files with names. [`error`]
//! defines the errors. [`task`] connects the archive with the engine.

mod entries;
pub mod error;
mod filter;
mod names;
pub(crate) mod task;

#[cfg(any(test, fuzzing))]
pub(crate) use filter::filter;

#[cfg(test)]
mod tests;
