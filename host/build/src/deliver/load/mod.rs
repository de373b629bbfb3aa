//! Loads an image from BuildKit into the engine, under the requested names and no others.
//!
//! BuildKit sends an archive, and a BuildKit that was tampered with could put any names into it: the
//! engine would take them from the images that have them. The names are in `manifest.json`,
//! `index.json` and `repositories`, which an engine reads once it has the whole archive. So the
//! archive is passed on as it arrives, and ends with an error at a name that was not requested,
//! before the engine has read it.
//!
//! Nothing is assumed about what an engine makes of an archive that is written in an unusual way:
//! every header is written anew, and so are the files with names.
//!
//! [`entries`] reads and writes the entries of the archive, [`names`] the files with names, [`error`]
//! is why an archive is refused, [`task`] connects them with the engine.

mod entries;
pub mod error;
mod filter;
mod names;
pub(crate) mod task;

#[cfg(test)]
mod tests;
