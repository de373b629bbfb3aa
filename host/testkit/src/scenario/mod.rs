//! Scenarios: what a driver is asked in which world, and what it has to do there.
//!
//! A scenario is a TOML file; beside it, `NAME.trace` has what the driver did when it was right: a
//! line for each operation and, below it, for each call to the host. A run compares the two and
//! shows the difference; with `--bless` it writes the trace.
//!
//! ```toml
//! summary = "A stopped container is started again"
//! drivers = ["iechor-container"]
//!
//! [config]
//! options = { memory = "1g" }
//!
//! [world]
//! images = ["moby/buildkit:buildx-stable-1"]
//! registry = []
//!
//! [[steps]]
//! do = "boot"
//!
//! [[steps]]
//! do = "stop"
//!
//! [[steps]]
//! do = "info"
//! returns = "stopped"
//!
//! [[steps]]
//! do = "dial"
//! error = "not-running"
//!
//! [[steps]]
//! do = "boot"
//! objects = ["container buildx_buildkit_node0", "volume buildx_buildkit_node0_state"]
//! ```
//!
//! Every key is optional but `summary`, `steps` and the `do` of a step. One that there is not is an
//! error, with its line and column and the keys that there are.
//!
//! # The file
//!
//! | key | what |
//! | --- | --- |
//! | `summary` | one line: what it shows |
//! | `drivers` | names, as `describe` says them, of the drivers that it is for; others skip it. Without the key it is for all |
//!
//! # `[config]`: the node
//!
//! | key | what |
//! | --- | --- |
//! | `name` | of the node; `node0` |
//! | `endpoint` | `unix:///run/simulated.sock` |
//! | `options` | table of texts; in memory, a file that one names is not read: the kit has certificates of its own |
//! | `buildkitd-flags`, `platforms` | lists of texts; a platform as `linux/arm64/v8` |
//! | `files` | list of `{ path, mode, contents }`; `mode` is `0o644` |
//!
//! # `[world]`: what there is before the first step
//!
//! | key | what |
//! | --- | --- |
//! | `granted` | capabilities, as `--grant` takes them; all that the driver asks for |
//! | `images` | references that the engine holds |
//! | `registry` | references that can be pulled; all |
//! | `containers` | list of `{ name, image, labels, state }`; `state` is `created`, `running` or `exited` |
//! | `volumes`, `networks` | lists of `{ name, labels }` |
//! | `buildkit` * | when it answers: `at-once`, `never`, `hangs`, `without-workers`, or a number of connections that it closes first |
//! | `process` * | what the process of any container does: `{ log, exit-code, after-calls, out-of-memory, cannot-start }`; it stays up |
//! | `network` * | `open`, or `refused`: nothing answers over the network |
//! | `engine` * | what the engine says of itself: `{ name, version, cgroup-driver, rootless, user-namespaces }`; an empty `cgroup-driver` is none |
//!
//! # `[[steps]]`: what happens
//!
//! `do` is an operation of the contract: `validate`, `info`, `boot`, `dial`, `version`, `features`,
//! `stop`, `remove`, `host-gateway`; or something that happens to the world: `sleep`,
//! `kill` (the container ends) *, `stop-container`, `remove-container`.
//!
//! | key | what |
//! | --- | --- |
//! | `error` | the operation fails in this way: a case of `error` in `wit/types.wit`, `crashed`, `over-budget` or `invalid-configuration`; it succeeds |
//! | `says` | words that the error has, a text or a list |
//! | `returns` | the status of `info`, the text of `version` and `host-gateway` |
//! | `objects` | all that there is in the engine afterwards: `container NAME`, `volume NAME`, `network NAME` |
//! | `within` * | the operation takes so long at most, in virtual time: `30s` |
//! | `force`, `grace`, `keep-state`, `keep-daemon` | of `stop` and `remove` |
//! | `fault` * | `{ call, connection, kind }`: the call of that number of the engine, or the connection, of this step, fails: `kind` is `error`, `lost-answer` or `hang`. A step that does not come to it fails |
//! | `cancel-at` * | the operation is cancelled at its call of that number to the host; there has to be one |
//! | `container`, `exit-code` | of `kill`, `stop-container`, `remove-container` |
//! | `for` | of `sleep`: `10s` |
//! | `buildkit` *, `process` *, `network` * | the world changes before the step, as in `[world]` |
//!
//! What is marked with * can be had in memory only: on a real engine, a scenario with one of these
//! is skipped. There, the node gets a name of its own, and of the traces only what does not hang on
//! time and on the engine's surroundings is compared: left out are calls of `clock`, `log` and
//! `task`, tries that were repeated, the words of errors, exit codes, parent cgroups, and whether an
//! image was pulled or there already. `images` have to be there, or the scenario is skipped.

mod check;
mod file;
mod golden;
mod play;
mod world;

use std::path::{Path, PathBuf};

use crate::conformance::{Outcome, Verdict};
use crate::error::KitError;
use crate::subject::Subject;
use file::File;

/// A scenario that was read.
pub(crate) struct Scenario {
    /// `scenario:` and the file's name without its ending.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    file: File,
}

/// Largest scenario that is read, in bytes. They have about a thousand.
const SCENARIO_BYTES: u64 = 1 << 20;

impl Scenario {
    /// Returns all of a directory, by name. A file is one by itself.
    ///
    /// # Errors
    ///
    /// What cannot be read, or what is wrong with it.
    pub(crate) fn load(path: &Path) -> Result<Vec<Self>, KitError> {
        let unreadable = |error: std::io::Error| KitError::Unreadable {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let mut files = Vec::new();
        if path.is_file() {
            files.push(path.to_owned());
        } else {
            for entry in std::fs::read_dir(path).map_err(unreadable)? {
                let path = entry.map_err(unreadable)?.path();
                if path
                    .extension()
                    .is_some_and(|extension| extension == "toml")
                {
                    files.push(path);
                }
            }
        }
        files.sort();
        if files.is_empty() {
            return Err(KitError::Unreadable {
                path: path.to_owned(),
                reason: "there is no scenario (*.toml) in it".into(),
            });
        }
        files.into_iter().map(Self::read).collect()
    }

    fn read(path: PathBuf) -> Result<Self, KitError> {
        let text = iechor_files::read_to_string(&path, SCENARIO_BYTES).map_err(|error| {
            KitError::Unreadable {
                path: path.clone(),
                reason: error.to_string(),
            }
        })?;
        let file = File::parse(&text).map_err(|reason| KitError::Malformed {
            path: path.clone(),
            reason,
        })?;
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        Ok(Self {
            name: format!("scenario:{stem}"),
            path,
            file,
        })
    }

    /// Returns what it shows.
    pub(crate) fn summary(&self) -> &str {
        &self.file.summary
    }

    /// Plays it.
    pub(crate) async fn run(&self, subject: &Subject, bless: bool) -> Verdict {
        let name = &subject.descriptor.name;
        if !self.file.drivers.is_empty() && !self.file.drivers.contains(name) {
            return Ok(Outcome::Skipped(format!(
                "it is for the driver {}, and this one says that it is {name:?}",
                self.file.drivers.join(", ")
            )));
        }
        if subject.real.is_some()
            && let Some(key) = self.file.needs_simulation()
        {
            return Ok(Outcome::Skipped(format!(
                "{key} can be had on a simulated engine only"
            )));
        }
        let case = match world::build(&self.file, subject).await? {
            world::Built::Ready(case) => case,
            world::Built::Missing(reason) => return Ok(Outcome::Skipped(reason)),
        };
        play::play(&self.file, case, &self.path.with_extension("trace"), bless).await
    }
}
