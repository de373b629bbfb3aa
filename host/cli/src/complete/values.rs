//! Candidates for values: builders, contexts, drivers and their options, platforms, and modes of progress.

use std::ffi::{OsStr, OsString};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Arg, Command, ValueHint};
use clap_complete::CompletionCandidate;
use clap_complete::engine::{ArgValueCompleter, ValueCompleter};
use iechor_builder::BuilderError;
use iechor_catalog::view::DriverDetails;
use iechor_progress::Mode;

use crate::session::{self, Common};

/// Platforms that BuildKit can usually build for.
const PLATFORMS: &[&str] = &[
    "linux/386",
    "linux/amd64",
    "linux/amd64/v2",
    "linux/amd64/v3",
    "linux/arm/v6",
    "linux/arm/v7",
    "linux/arm64",
    "linux/loong64",
    "linux/mips64",
    "linux/mips64le",
    "linux/ppc64le",
    "linux/riscv64",
    "linux/s390x",
    "local",
    "windows/amd64",
];

/// The kind of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Builder,
    Context,
    Driver,
    DriverOption,
    Platform,
    Progress,
    File,
    Directory,
}

/// The kinds of values of flags, by name.
const FLAGS: &[(&str, Kind)] = &[
    ("builder", Kind::Builder),
    ("buildkitd-config", Kind::File),
    ("cacert", Kind::File),
    ("context", Kind::Context),
    ("driver", Kind::Driver),
    ("driver-opt", Kind::DriverOption),
    ("file", Kind::File),
    ("iidfile", Kind::File),
    ("metadata-file", Kind::File),
    ("output", Kind::File),
    ("platform", Kind::Platform),
    ("progress", Kind::Progress),
];

/// The kinds of arguments, by the last words of the command.
const ARGUMENTS: &[(&str, Kind)] = &[
    ("buildx build", Kind::Directory),
    ("buildx create", Kind::Context),
    ("buildx inspect", Kind::Builder),
    ("buildx rm", Kind::Builder),
    ("buildx stop", Kind::Builder),
    ("buildx use", Kind::Builder),
    ("driver inspect", Kind::Driver),
    ("driver install", Kind::File),
    ("driver rm", Kind::Driver),
    ("driver test", Kind::File),
    ("driver trust", Kind::Driver),
    ("driver update", Kind::Driver),
    ("driver verify", Kind::Driver),
];

/// What is done about names of files.
#[derive(Debug, Clone)]
pub enum Files {
    /// They are candidates.
    Here,
    /// The shell completes them: the word is noted as such.
    Later(Arc<AtomicBool>),
}

impl Files {
    /// Returns files that the shell completes.
    pub fn later() -> Self {
        Self::Later(Arc::default())
    }

    /// Returns whether the shell completes the word with names of files.
    pub fn are_wanted(&self) -> bool {
        matches!(self, Self::Later(wanted) if wanted.load(Ordering::Relaxed))
    }
}

/// Adds the candidates for values to a tree of commands. `line` is the command line that is completed.
pub fn attach(root: Command, line: &[OsString], files: &Files) -> Command {
    let driver = driver_of(line);
    let name = root.get_name().to_owned();
    attach_below(root, &name, &driver, files)
}

fn attach_below(command: Command, path: &str, driver: &str, files: &Files) -> Command {
    let argument = ARGUMENTS.iter().find(|(words, _)| path.ends_with(words));
    let command = command.mut_args(|arg| {
        let kind = match arg.get_long() {
            Some(flag) => FLAGS.iter().find(|(name, _)| *name == flag),
            None if arg.is_positional() => argument,
            None => None,
        };
        match kind {
            Some((_, kind)) => completed(arg, *kind, driver, files),
            None => arg,
        }
    });
    command.mut_subcommands(|below| {
        let path = format!("{path} {}", below.get_name());
        attach_below(below, &path, driver, files)
    })
}

fn completed(arg: Arg, kind: Kind, driver: &str, files: &Files) -> Arg {
    match (kind, files) {
        (Kind::File, Files::Here) => arg.value_hint(ValueHint::AnyPath),
        (Kind::Directory, Files::Here) => arg.value_hint(ValueHint::DirPath),
        (Kind::File | Kind::Directory, Files::Later(wanted)) => {
            let wanted = Arc::clone(wanted);
            let note = move |current: &OsStr| {
                // A flag stands where an argument can stand, too.
                if !current.as_encoded_bytes().starts_with(b"-") {
                    wanted.store(true, Ordering::Relaxed);
                }
                Vec::new()
            };
            arg.add(ArgValueCompleter::new(note))
        }
        _ => arg.add(ArgValueCompleter::new(Values {
            kind,
            driver: driver.to_owned(),
        })),
    }
}

/// Returns the driver that a command line names, or the default one.
fn driver_of(line: &[OsString]) -> String {
    let mut words = line.iter().filter_map(|word| word.to_str());
    while let Some(word) = words.next() {
        match word.strip_prefix("--driver") {
            Some("") => return words.next().unwrap_or_default().to_owned(),
            Some(rest) if rest.starts_with('=') => return rest[1..].to_owned(),
            _ => {}
        }
    }
    "docker-container".to_owned()
}

/// Candidates of a kind.
struct Values {
    kind: Kind,
    driver: String,
}

impl ValueCompleter for Values {
    fn complete(&self, current: &OsStr) -> Vec<CompletionCandidate> {
        let Some(current) = current.to_str() else {
            return Vec::new();
        };
        // Only the last value of a list is completed.
        let is_list = matches!(self.kind, Kind::DriverOption | Kind::Platform);
        let at = current.rfind(',').filter(|_| is_list);
        let (before, last) = current.split_at(at.map_or(0, |at| at + 1));
        let found = self.candidates().into_iter();
        let found = found.filter(|(value, _)| value.starts_with(last));
        found
            .map(|(value, help)| {
                let help = help.map(|help| iechor_text::clean_line(&help, 4 << 10).into());
                CompletionCandidate::new(format!("{before}{value}")).help(help)
            })
            .collect()
    }
}

impl Values {
    /// Returns all values, with descriptions.
    fn candidates(&self) -> Vec<(String, Option<String>)> {
        let bare = |names: Vec<String>| names.into_iter().map(|name| (name, None)).collect();
        match self.kind {
            Kind::Builder => bare(builders()),
            Kind::Context => bare(contexts()),
            Kind::Driver => drivers(),
            Kind::DriverOption => options(&self.driver),
            Kind::Platform => bare(PLATFORMS.iter().map(ToString::to_string).collect()),
            Kind::Progress => bare(Mode::names().map(str::to_owned).collect()),
            Kind::File | Kind::Directory => Vec::new(),
        }
    }
}

/// Looks something up. Nothing is found if the configuration or the store cannot be used: a shell has no use for a
/// message.
fn look_up<T: Default>(
    look: impl AsyncFnOnce(iechor_builder::Workspace) -> anyhow::Result<T>,
) -> T {
    let mut found = T::default();
    let looked = session::query(&Common::default(), |workspace| async {
        found = look(workspace).await?;
        Ok(())
    });
    drop(looked);
    found
}

fn builders() -> Vec<String> {
    look_up(async |workspace| {
        let state = workspace.store.read()?;
        let mut names: Vec<_> = state.builders().map(|(name, _)| name.to_owned()).collect();
        let contexts = workspace.context_builders(&state)?;
        names.extend(contexts.into_iter().map(|builder| builder.name));
        Ok(names)
    })
}

fn contexts() -> Vec<String> {
    look_up(async |workspace| {
        let mut names = vec!["default".to_owned()];
        workspace.with_surroundings(|surroundings| {
            names.extend(surroundings.contexts.iter().cloned());
            Ok::<_, BuilderError>(())
        })?;
        Ok(names)
    })
}

fn drivers() -> Vec<(String, Option<String>)> {
    look_up(async |workspace| {
        let listed = workspace.catalog.list().await.drivers.into_iter();
        let names = listed.flat_map(|driver| std::iter::once(driver.name).chain(driver.aliases));
        Ok(names.map(|name| (name, None)).collect())
    })
}

fn options(driver: &str) -> Vec<(String, Option<String>)> {
    look_up(async |workspace| {
        let loaded = workspace.catalog.load(driver).await?;
        let details = DriverDetails::of(&loaded).await?;
        let options = details.options.into_iter();
        Ok(options
            .map(|option| (format!("{}=", option.name), Some(option.help)))
            .collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_driver_of_a_line() {
        let of = |line: &str| {
            let words: Vec<_> = line.split(' ').map(OsString::from).collect();
            driver_of(&words)
        };
        assert_eq!(of("buildx create --driver remote --driver-opt "), "remote");
        assert_eq!(of("buildx create --driver=team --driver-opt k="), "team");
        assert_eq!(of("buildx create --driver-opt k="), "docker-container");
    }
}
