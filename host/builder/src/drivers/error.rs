//! What can be wrong with drivers, before any of their code runs.

use std::path::PathBuf;

use iechor_registry::Digest;
use iechor_registry::digest::DigestError;

/// A driver that cannot be used, installed or removed.
#[derive(Debug, thiserror::Error)]
pub enum DriversError {
    /// No driver of that name is built in or installed.
    #[error(
        "there is no driver {name:?}; built in are: {}{}", built_in.join(", "), and(installed)
    )]
    Unknown {
        /// What was asked for.
        name: String,
        /// What is built in.
        built_in: Vec<&'static str>,
        /// What is installed.
        installed: Vec<String>,
    },
    /// A source where a driver was expected.
    #[error(
        "{source_text} is not installed; run `iechor driver install {source_text}` first, then use \
         the driver by its name"
    )]
    NotInstalled {
        /// What was asked for.
        source_text: String,
    },
    /// A digest is not one.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// The component of an installed driver cannot be read.
    #[error(
        "driver {name} is broken: {}: {reason}; `iechor driver update {name}` fetches it again", 
        path.display()
    )]
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
         {found}, not {expected}); `iechor driver update {name}` fetches it again"
    )]
    Changed {
        /// The driver.
        name: String,
        /// What was installed.
        expected: Digest,
        /// What is there.
        found: String,
    },
    /// The lock file is of a form that this program does not know.
    #[error(
        "{} was written by a newer iechor (it has version {version}, and this one reads version \
         {known}); update iechor",
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
    /// The entry of an installed driver cannot be used.
    #[error(
        "driver {name} is broken: its entry in drivers.lock cannot be used: {reason}; `iechor \
         driver rm {name}` removes it, and it can be installed again then"
    )]
    BrokenEntry {
        /// The driver.
        name: String,
        /// What is wrong with the entry.
        reason: String,
    },
    /// The entry of an installed driver cannot be used, and does not say its name.
    #[error("an entry of [[driver]] in drivers.lock cannot be used: {reason}; mend it there")]
    NamelessEntry {
        /// What is wrong with the entry.
        reason: String,
    },
    /// An entry of grants cannot be used.
    #[error(
        "an entry of [[trust]] in drivers.lock grants nothing, since it cannot be used: {reason}; \
         mend it there"
    )]
    BrokenGrants {
        /// What is wrong with the entry.
        reason: String,
    },
    /// A driver of that name has been built in since the driver was installed.
    #[error(
        "a driver named {name} is built in by now and used in the place of this one; `iechor driver \
         rm {name}` removes it, and `iechor driver install` with --name installs it under another \
         name"
    )]
    Shadowed {
        /// The name.
        name: String,
    },
    /// What is to be taken back was not granted.
    #[error(
        "{revoked} was not granted; what was granted is: {}",
        or_nothing(granted)
    )]
    NotGranted {
        /// What was to be taken back.
        revoked: String,
        /// What was granted.
        granted: Vec<String>,
    },
    /// A grant in the lock file has a pattern that is none.
    #[error(
        "the grant {grant:?} of driver {name} counts for nothing: {why}; take it back with `iechor \
         driver trust {name} --revoke {}`, and grant what is meant",
        .grant.split('=').next().unwrap_or_default()
    )]
    UselessGrant {
        /// The driver.
        name: String,
        /// The grant, as it is written.
        grant: String,
        /// What is wrong with it.
        why: String,
    },
    /// The driver is another one than the user pinned.
    #[error(
        "driver {name} has the digest {found}, not {expected} as was asked for; `iechor driver install \
         SOURCE --name NAME` installs that one under a name of its own, and without the digest \
         {name} is what is there"
    )]
    Pinned {
        /// The driver.
        name: String,
        /// What was asked for.
        expected: Digest,
        /// What is there.
        found: String,
    },
    /// It asks for what was not granted.
    #[error(
        "driver {driver} is not trusted with what it asks for:{}\nto grant it, run: \
         iechor driver trust {driver}{}",
        lines(requests),
        flags(requests)
    )]
    Untrusted {
        /// The driver.
        driver: String,
        /// Name and reason of each request that was not granted.
        requests: Vec<(String, String)>,
    },
    /// A grant is for nothing that the driver asks for.
    #[error(
        "driver {driver} does not ask for {}, so that granting it would change nothing; {}",
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
    #[error("a driver named {name} is built in; install it under another name with --name")]
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
    /// The name cannot be that of a driver.
    #[error("{name:?} cannot be the name of a driver: {reason}; give another one with --name")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Another driver has that name.
    #[error(
        "a driver named {name} is installed, from {installed_from}; `iechor driver update {name}` \
         brings it up to date, and --name installs this one beside it"
    )]
    Exists {
        /// The name.
        name: String,
        /// Its source.
        installed_from: String,
    },
    /// It is used.
    #[error(
        "driver {name} is used by {}; remove them first, or add --force", builders.join(", ")
    )]
    InUse {
        /// The driver.
        name: String,
        /// The builders.
        builders: Vec<String>,
    },
    /// It was changed by somebody else meanwhile.
    #[error("driver {name} was changed by another process meanwhile; try again")]
    Raced {
        /// The driver.
        name: String,
    },
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

fn lines(requests: &[(String, String)]) -> String {
    requests
        .iter()
        .map(|(name, reason)| format!("\n  {name}: {reason}"))
        .collect()
}

fn flags(requests: &[(String, String)]) -> String {
    requests
        .iter()
        .map(|(name, _)| format!(" --grant {name}"))
        .collect()
}
