//! Errors of drivers. An error carries data; the command line adds hints.

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
    /// The requested patterns; empty for any subject.
    pub patterns: Vec<String>,
    /// The reason that the driver gives.
    pub reason: String,
}

/// The place where grants were searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantsFrom {
    /// The request of the command, when the grants of a driver are being decided.
    Request,
    /// The lock file, which contains earlier grants.
    LockFile,
}

/// A driver that cannot be used, installed, changed or removed.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// No driver with the name is built in or installed.
    #[error("unknown driver {name:?}; built-in drivers: {}{}", built_in.join(", "), and(installed))]
    Unknown {
        /// The requested name or source.
        name: String,
        /// The built-in drivers.
        built_in: Vec<&'static str>,
        /// The installed drivers.
        installed: Vec<String>,
    },
    /// The user gave a source, but a driver is required.
    #[error("{source_text} is not installed")]
    NotInstalled {
        /// The requested name or source.
        source_text: String,
    },
    /// A text is not the source of a driver.
    #[error("{text:?} is not a source of a driver: {reason}")]
    Source {
        /// The text.
        text: String,
        /// The fault.
        reason: String,
    },
    /// A digest is invalid.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// A file or directory does not exist.
    #[error("{}: {reason}", path.display())]
    Missing {
        /// The file or directory.
        path: PathBuf,
        /// The error of the operating system.
        reason: String,
    },
    /// A file or directory cannot be read, or contains no component.
    #[error("{}: {reason}", path.display())]
    Unreadable {
        /// The file or directory.
        path: PathBuf,
        /// The fault.
        reason: String,
    },
    /// The file of a component is too large.
    #[error("{} is too large: the maximum is {}", path.display(), size::exact(*limit))]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Maximum size, in bytes.
        limit: u64,
    },
    /// A file has another digest than the requested one.
    #[error("{} has the digest {found}, but {expected} was requested; it is not used", path.display())]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// The requested digest.
        expected: Digest,
        /// The digest of the file.
        found: Digest,
    },
    /// An artifact of a registry is not a component.
    #[error("{what} is not a driver: {reason}")]
    NotAComponent {
        /// The requested name or source.
        what: String,
        /// The kind of the artifact, or its fault.
        reason: String,
    },
    /// The credentials of the Docker configuration for a registry cannot be used.
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
        /// The file of the component.
        path: PathBuf,
        /// The error of the operating system.
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
        /// The installed digest.
        expected: Digest,
        /// The digest that was found.
        found: String,
    },
    /// An installed driver reports another version than the lock file.
    #[error("driver {name} reports version {said}, but version {installed} was installed")]
    OtherVersion {
        /// The driver.
        name: String,
        /// The version that the driver reports.
        said: String,
        /// The version in the lock file.
        installed: String,
    },
    /// The lock file has a version that this program does not support.
    #[error(
        "{} was written by a newer iechor (it has version {version}, and this program reads version \
         {known})",
        path.display()
    )]
    NewerLock {
        /// The lock file.
        path: PathBuf,
        /// The version of the file.
        version: i64,
        /// The version that this program supports.
        known: i64,
    },
    /// The lock file cannot be used.
    #[error("cannot use {}: {reason}", path.display())]
    BrokenLock {
        /// The lock file.
        path: PathBuf,
        /// The fault.
        reason: String,
    },
    /// The entry of an installed driver cannot be used.
    #[error("driver {name} is broken: its entry in drivers.lock cannot be used: {reason}")]
    BrokenEntry {
        /// The driver.
        name: String,
        /// The fault of the entry.
        reason: String,
    },
    /// The entry of an installed driver cannot be used, and has no readable name.
    #[error("an entry of [[driver]] in drivers.lock cannot be used: {reason}")]
    NamelessEntry {
        /// The fault of the entry.
        reason: String,
    },
    /// An entry with grants cannot be used.
    #[error("an entry of [[trust]] in drivers.lock cannot be used and grants nothing: {reason}")]
    BrokenGrants {
        /// The fault of the entry.
        reason: String,
    },
    /// A built-in driver has the name of an installed one, since an update of this program.
    #[error("a driver named {name} is built in and used instead of this one")]
    Shadowed {
        /// The name.
        name: String,
    },
    /// A grant to revoke does not exist.
    #[error("{revoked} was not granted; the grants are: {}", or_nothing(granted))]
    NotGranted {
        /// The grant to revoke.
        revoked: String,
        /// The existing grants.
        granted: Vec<String>,
    },
    /// A grant in the lock file has an invalid pattern.
    #[error("the grant {grant:?} of driver {name} has no effect: {why}")]
    UselessGrant {
        /// The driver.
        name: String,
        /// The grant, as written in the lock file.
        grant: String,
        /// The fault.
        why: String,
    },
    /// The driver has another digest than the pinned one.
    #[error("driver {name} has the digest {found}, but {expected} was requested")]
    Pinned {
        /// The driver.
        name: String,
        /// The requested name or source.
        expected: Digest,
        /// The digest that was found.
        found: String,
    },
    /// The driver needs capabilities that were not granted.
    #[error(
        "driver {driver} requests capabilities that were not granted:{}",
        lines(missing)
    )]
    Untrusted {
        /// The driver.
        driver: String,
        /// The missing grants.
        missing: Vec<MissingGrant>,
        /// The place where grants were searched.
        from: GrantsFrom,
    },
    /// The driver does not request a capability that is to be granted.
    #[error(
        "driver {driver} does not request {}, so the grant would have no effect; {}",
        unasked.join(", "), asks_for(requested)
    )]
    NotRequested {
        /// The driver.
        driver: String,
        /// The superfluous grants.
        unasked: Vec<String>,
        /// The requests of the driver.
        requested: Vec<String>,
    },
    /// A built-in driver has the name.
    #[error("a driver named {name} is built in")]
    BuiltIn {
        /// The name.
        name: String,
    },
    /// The driver is built in, and only installed drivers can be changed.
    #[error("driver {name} is built in: it is part of this program and cannot be changed")]
    NotManaged {
        /// The name.
        name: String,
    },
    /// The driver is built in, and its grants cannot be changed.
    #[error(
        "driver {name} is built in: it has the capabilities that it requests, and they cannot be revoked"
    )]
    AlwaysTrusted {
        /// The name.
        name: String,
    },
    /// The name cannot be the name of a driver.
    #[error("{name:?} cannot be the name of a driver: {reason}")]
    Name {
        /// The name.
        name: String,
        /// The fault.
        reason: &'static str,
    },
    /// Another installed driver has the name.
    #[error("a driver named {name} is installed, from {installed_from}")]
    Exists {
        /// The name.
        name: String,
        /// Its source.
        installed_from: String,
    },
    /// Builders use the driver.
    #[error("driver {name} is used by {}", builders.join(", "))]
    InUse {
        /// The name.
        name: String,
        /// The builders.
        builders: Vec<String>,
    },
    /// Another process changed the driver at the same time.
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
    /// An error of the Docker CLI's configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An error of the driver.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// An error of a registry or a web server.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The organisation's policy cannot be read.
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

    /// Returns whether a server could not be reached, so that the state of its content is unknown.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Registry(error) if error.is_unreachable())
    }
}

fn and(installed: &[String]) -> String {
    match installed {
        [] => String::new(),
        names => format!("; installed drivers: {}", names.join(", ")),
    }
}

fn asks_for(requested: &[String]) -> String {
    match requested {
        [] => "it requests nothing".into(),
        names => format!("it requests: {}", names.join(", ")),
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
