//! What can go wrong with drivers. A failure carries data; the command line adds what to do.

use std::error::Error;
use std::path::PathBuf;

use iechor_engine::config::ConfigError;
use iechor_files::DirectoryError;
use iechor_registry::digest::DigestError;
use iechor_registry::{Digest, RegistryError};
use iechor_sandbox::DriverError;
use iechor_sandbox::policy::Refusal;
use iechor_values::size;

use crate::policy::PolicyError;

/// A capability that a driver needs and that was not granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingGrant {
    /// The capability.
    pub capability: String,
    /// The patterns that the driver asks for; empty: any subject.
    pub patterns: Vec<String>,
    /// Why the driver needs it, in its own words.
    pub reason: String,
}

/// Where grants were looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantsFrom {
    /// In the request of the command, for a driver that is being decided about.
    Request,
    /// In the lock file, which says what was granted before.
    LockFile,
}

/// A driver that cannot be used, installed, changed or removed.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// No driver of that name is built in or installed.
    #[error("there is no driver {name:?}; built in are: {}{}", built_in.join(", "), and(installed))]
    Unknown {
        /// What was asked for.
        name: String,
        /// What is built in.
        built_in: Vec<&'static str>,
        /// What is installed.
        installed: Vec<String>,
    },
    /// A source where a driver was expected.
    #[error("{source_text} is not installed")]
    NotInstalled {
        /// What was asked for.
        source_text: String,
    },
    /// A text is not the source of a driver.
    #[error("{text:?} is not a source of a driver: {reason}")]
    Source {
        /// The text.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A digest is not one.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// There is no such file or directory.
    #[error("{}: {reason}", path.display())]
    Missing {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// A file or directory cannot be read, or has no component.
    #[error("{}: {reason}", path.display())]
    Unreadable {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file of a component is too large.
    #[error("{} is too large: it may have {}", path.display(), size::exact(*limit))]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Most bytes that it may have.
        limit: u64,
    },
    /// A file has another digest than was asked for.
    #[error("{} has the digest {found}, but {expected} was asked for; it is not used", path.display())]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// The digest that was asked for.
        expected: Digest,
        /// The digest that the file has.
        found: Digest,
    },
    /// An artifact of a registry is no component.
    #[error("{what} is no driver: {reason}")]
    NotAComponent {
        /// What was asked for.
        what: String,
        /// What it is instead.
        reason: String,
    },
    /// A registry cannot be shown the credentials of the Docker configuration.
    #[error(
        "{registry} has an identity token in the Docker configuration, which cannot be used to fetch \
         or push drivers"
    )]
    IdentityToken {
        /// The registry.
        registry: String,
    },
    /// The component of an installed driver cannot be read.
    #[error("driver {name} is broken: {}: {reason}", path.display())]
    Gone {
        /// The driver.
        name: String,
        /// Its component.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The component of an installed driver was changed in the store.
    #[error(
        "driver {name} is broken: its component was changed after it was installed (its digest is \
         {found}, not {expected})"
    )]
    Changed {
        /// The driver.
        name: String,
        /// What was installed.
        expected: Digest,
        /// What is there.
        found: String,
    },
    /// An installed driver has another version than the lock file says.
    #[error("driver {name} says that it is version {said}; version {installed} was installed")]
    OtherVersion {
        /// The driver.
        name: String,
        /// What the driver says.
        said: String,
        /// What the lock file says.
        installed: String,
    },
    /// The lock file has a form that this program does not know.
    #[error(
        "{} was written by a newer iechor (it has version {version}, and this program reads version \
         {known})",
        path.display()
    )]
    NewerLock {
        /// The lock file.
        path: PathBuf,
        /// Its version.
        version: i64,
        /// The version that this program reads.
        known: i64,
    },
    /// The lock file cannot be used.
    #[error("cannot use {}: {reason}", path.display())]
    BrokenLock {
        /// The lock file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The entry of an installed driver cannot be used.
    #[error("driver {name} is broken: its entry in drivers.lock cannot be used: {reason}")]
    BrokenEntry {
        /// The driver.
        name: String,
        /// What is wrong with the entry.
        reason: String,
    },
    /// The entry of an installed driver cannot be used, and does not say its name.
    #[error("an entry of [[driver]] in drivers.lock cannot be used: {reason}")]
    NamelessEntry {
        /// What is wrong with the entry.
        reason: String,
    },
    /// An entry of grants cannot be used.
    #[error("an entry of [[trust]] in drivers.lock cannot be used and grants nothing: {reason}")]
    BrokenGrants {
        /// What is wrong with the entry.
        reason: String,
    },
    /// A driver of that name has been built in since the driver was installed.
    #[error("a driver named {name} is built in now and used instead of this one")]
    Shadowed {
        /// The name.
        name: String,
    },
    /// What is to be revoked was not granted.
    #[error(
        "{revoked} was not granted; what was granted is: {}",
        or_nothing(granted)
    )]
    NotGranted {
        /// What was to be revoked.
        revoked: String,
        /// What was granted.
        granted: Vec<String>,
    },
    /// A grant in the lock file has an invalid pattern.
    #[error("the grant {grant:?} of driver {name} has no effect: {why}")]
    UselessGrant {
        /// The driver.
        name: String,
        /// The grant, as it is written.
        grant: String,
        /// What is wrong with it.
        why: String,
    },
    /// The driver is another one than the user pinned.
    #[error("driver {name} has the digest {found}, not {expected} as was asked for")]
    Pinned {
        /// The driver.
        name: String,
        /// What was asked for.
        expected: Digest,
        /// What is there.
        found: String,
    },
    /// The driver needs capabilities that were not granted.
    #[error(
        "driver {driver} is not trusted with what it asks for:{}",
        lines(missing)
    )]
    Untrusted {
        /// The driver.
        driver: String,
        /// What was not granted.
        missing: Vec<MissingGrant>,
        /// Where grants were looked for.
        from: GrantsFrom,
    },
    /// A grant is for nothing that the driver asks for.
    #[error(
        "driver {driver} does not ask for {}, so granting it would change nothing; {}",
        unasked.join(", "), asks_for(requested)
    )]
    NotRequested {
        /// The driver.
        driver: String,
        /// The grants.
        unasked: Vec<String>,
        /// What the driver asks for.
        requested: Vec<String>,
    },
    /// The name is one of a driver that is built in.
    #[error("a driver named {name} is built in")]
    BuiltIn {
        /// The name.
        name: String,
    },
    /// Only an installed driver can be changed.
    #[error("driver {name} is built in: it comes and changes with this program")]
    NotManaged {
        /// The name.
        name: String,
    },
    /// The grants of a built-in driver cannot be changed.
    #[error(
        "driver {name} is built in: it may do what it asks for, and nothing of that can be revoked"
    )]
    AlwaysTrusted {
        /// The name.
        name: String,
    },
    /// The name cannot be that of a driver.
    #[error("{name:?} cannot be the name of a driver: {reason}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Another driver has that name.
    #[error("a driver named {name} is installed, from {installed_from}")]
    Exists {
        /// The name.
        name: String,
        /// Its source.
        installed_from: String,
    },
    /// Builders use it.
    #[error("driver {name} is used by {}", builders.join(", "))]
    InUse {
        /// The name.
        name: String,
        /// The builders.
        builders: Vec<String>,
    },
    /// Another process changed it at the same time.
    #[error("driver {name} was changed by another process at the same time")]
    Raced {
        /// The name.
        name: String,
    },
    /// The store cannot be read or written.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// Builders cannot be listed.
    #[error(transparent)]
    Users(Box<dyn Error + Send + Sync>),
    /// The Docker CLI's configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The driver itself.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// A registry or a web server.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The organisation's policy cannot be known.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The organisation's policy does not allow a driver.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The user cancelled.
    #[error("{0} was cancelled")]
    Cancelled(&'static str),
}

impl CatalogError {
    /// Returns whether the user cancelled.
    pub fn is_cancelled(&self) -> bool {
        matches!(
            self,
            Self::Cancelled(_) | Self::Driver(DriverError::Cancelled { .. })
        )
    }

    /// Returns whether a server could not be asked: nothing is known of what is there.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Registry(error) if error.is_unreachable())
    }
}

fn and(installed: &[String]) -> String {
    match installed {
        [] => String::new(),
        names => format!("; installed are: {}", names.join(", ")),
    }
}

fn asks_for(requested: &[String]) -> String {
    match requested {
        [] => "it asks for nothing".into(),
        names => format!("it asks for: {}", names.join(", ")),
    }
}

fn or_nothing(granted: &[String]) -> String {
    match granted {
        [] => "nothing".into(),
        granted => granted.join(", "),
    }
}

fn lines(missing: &[MissingGrant]) -> String {
    missing
        .iter()
        .map(|missing| format!("\n  {}: {}", missing.capability, missing.reason))
        .collect()
}
