//! Hints for errors of drivers, and of the catalog of drivers.

use iechor_catalog::{AccessFault, CatalogError, GrantsFrom, MissingGrant, RegistryError};
use iechor_sandbox::{Denial, DenialReason, DriverError, Missing, Remedy};

use super::engine_kind;
use super::kind::Kind;
use crate::program;

/// Returns the kind of an error of the catalog.
pub(super) fn kind(error: &CatalogError) -> Kind {
    match error {
        CatalogError::Driver(error) => driver_kind(error),
        CatalogError::Cancelled(_) => Kind::Cancelled,
        CatalogError::Unknown { .. } | CatalogError::NotInstalled { .. } => Kind::NotFound,
        _ => Kind::General,
    }
}

/// Returns the kind of a failure of a driver.
pub(super) fn driver_kind(error: &DriverError) -> Kind {
    match error {
        DriverError::Cancelled { .. } => Kind::Cancelled,
        DriverError::TimedOut { .. } => Kind::Unreachable,
        DriverError::Failed {
            engine: Some(failure),
            ..
        } => engine_kind(*failure),
        _ => Kind::General,
    }
}

/// Returns what to do about a failure, where there is advice.
pub fn catalog_hint(error: &CatalogError) -> Option<String> {
    let hint = match error {
        CatalogError::Driver(error) => return driver_hint(error),
        CatalogError::NotInstalled { source_text } => format!(
            "run `iechor driver install {source_text}` first, then use the driver by its name"
        ),
        CatalogError::Missing { .. } => {
            "a driver in a registry is written oci://REGISTRY/REPOSITORY:TAG".to_owned()
        }
        CatalogError::IdentityToken { .. } => "log in with a user and an access token".to_owned(),
        CatalogError::Gone { name, .. } | CatalogError::Changed { name, .. } => {
            format!("run `iechor driver update {name}` to fetch the driver again")
        }
        CatalogError::NewerLock { .. } => "update iechor".to_owned(),
        CatalogError::BrokenLock { .. } => "correct the file or remove it".to_owned(),
        CatalogError::BrokenEntry { name, .. } => format!(
            "run `iechor driver rm {name}` to remove the entry; then the driver can be installed again"
        ),
        CatalogError::NamelessEntry { .. } | CatalogError::BrokenGrants { .. } => {
            "correct the entry in drivers.lock".to_owned()
        }
        CatalogError::Shadowed { name } => format!(
            "run `iechor driver rm {name}` to remove the installed driver; `iechor driver install` \
             with --name installs it under another name"
        ),
        CatalogError::UselessGrant { name, grant, .. } => format!(
            "run `iechor driver trust {name} --revoke {}` to revoke it, and grant what is meant",
            grant.split('=').next().unwrap_or_default()
        ),
        CatalogError::Pinned { name, .. } => format!(
            "run `iechor driver install SOURCE --name NAME` to install that driver under another \
             name; without the digest, {name} is the driver that is installed"
        ),
        CatalogError::Untrusted {
            driver,
            missing,
            from,
        } => match from {
            GrantsFrom::Request => format!("to grant it, add:{}", flags(missing)),
            GrantsFrom::LockFile => format!(
                "to grant it, run: iechor driver trust {driver}{}",
                flags(missing)
            ),
        },
        CatalogError::BuiltIn { .. } => "install it under another name with --name".to_owned(),
        CatalogError::Name { .. } => "give another name with --name".to_owned(),
        CatalogError::Exists { name, .. } => format!(
            "run `iechor driver update {name}` to update it, or install this driver beside it with \
             --name"
        ),
        CatalogError::InUse { .. } => "remove these builders first, or add --force".to_owned(),
        CatalogError::Raced { .. } => "try again".to_owned(),
        CatalogError::Registry(error) => return registry_hint(error),
        _ => return None,
    };
    Some(hint)
}

/// Returns what to do about a failure of a driver, where there is advice.
pub(super) fn driver_hint(error: &DriverError) -> Option<String> {
    match error {
        DriverError::Crashed { .. } => {
            Some("this is a fault of the driver; --debug shows where, for its author".to_owned())
        }
        DriverError::Denied { driver, denial } => denied(driver, denial),
        DriverError::Untrusted { requests, .. } => {
            let flags = requests.iter().map(|(name, _)| format!(" --grant {name}"));
            Some(format!("to grant it, add:{}", flags.collect::<String>()))
        }
        DriverError::Failed {
            remedy: Some(remedy),
            ..
        } => Some(remedied(remedy)),
        _ => None,
    }
}

/// Returns what to do about a denial; `None` if no grant or change of the user allows the call.
fn denied(driver: &str, denial: &Denial) -> Option<String> {
    let capability = &denial.capability;
    let grant = match &denial.reason {
        DenialReason::NotGranted { grant, .. } => grant,
        _ => return denial.remedy.as_ref().map(remedied),
    };
    let mut hint =
        format!("`iechor driver trust {driver}` shows what the driver may do, and changes that");
    match grant {
        Missing::Pattern(pattern) => hint += &format!("; --grant {capability}={pattern} would"),
        Missing::Everything => {
            hint += &format!("; only --grant {capability}, of any image, would");
        }
        Missing::Unknown => {}
    }
    if matches!(grant, Missing::Pattern(_) | Missing::Everything) {
        hint += " allow this";
    }
    if let Some(remedy) = &denial.remedy {
        hint += &format!(". Or: {}", remedied(remedy));
    }
    Some(hint)
}

fn remedied(remedy: &Remedy) -> String {
    match remedy {
        Remedy::Recreate { builder } => format!(
            "`{} {builder}` removes the container; create the builder again to have a new one",
            program::buildx("rm --keep-state")
        ),
    }
}

fn registry_hint(error: &RegistryError) -> Option<String> {
    match error {
        RegistryError::Unauthorized {
            host,
            fault: AccessFault::NoCredentials | AccessFault::WrongCredentials,
        } => Some(format!("`docker login {host}` stores credentials")),
        RegistryError::Slow { .. } => Some("try again later".to_owned()),
        _ => None,
    }
}

/// Returns the flags that grant what is missing.
fn flags(missing: &[MissingGrant]) -> String {
    missing
        .iter()
        .map(|missing| format!(" --grant {}", missing.capability))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_flags_that_suffice() {
        let untrusted = |from| CatalogError::Untrusted {
            driver: "team".into(),
            missing: ["image.pull", "engine.open"]
                .map(|capability| MissingGrant {
                    capability: capability.into(),
                    patterns: Vec::new(),
                    reason: "because".into(),
                })
                .into(),
            from,
        };
        let flags = "--grant image.pull --grant engine.open";
        for (from, hint) in [
            (GrantsFrom::Request, format!("to grant it, add: {flags}")),
            (
                GrantsFrom::LockFile,
                format!("to grant it, run: iechor driver trust team {flags}"),
            ),
        ] {
            let error = untrusted(from);
            assert_eq!(catalog_hint(&error), Some(hint));
            assert!(!error.to_string().contains("--"), "{error}");
        }
    }

    #[test]
    fn a_broken_entry_and_a_newer_file_have_a_way_out() {
        let broken = CatalogError::BrokenEntry {
            name: "a".into(),
            reason: "x".into(),
        };
        let hint = catalog_hint(&broken).expect("a hint");
        assert!(hint.contains("iechor driver rm a"), "{hint}");
        let newer = CatalogError::NewerLock {
            path: "/l".into(),
            version: 2,
            known: 1,
        };
        assert_eq!(catalog_hint(&newer).as_deref(), Some("update iechor"));
    }
}
