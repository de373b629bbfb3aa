//! Versions of the contract: which a driver was made for, and whether this host speaks it.
//!
//! The rules stand in `wit/types.wit`: while the version is `0.y.z`, drivers of one `y` load
//! whatever their `z`.

use crate::error::DriverError;
use crate::limits;
use crate::text::clean_line;

/// The version of `wit/` that this host was built with.
const HOST: &str = "0.2.1";
/// What every driver exports, without its version.
const INTERFACE: &str = "iechor:driver/driver@";

/// Returns the version that a component with these exports was made for.
///
/// # Errors
///
/// Where it is none that this host speaks, or the component is no driver.
pub(crate) fn of(driver: &str, exports: &[String]) -> Result<String, DriverError> {
    let Some(version) = exports
        .iter()
        .find_map(|export| export.strip_prefix(INTERFACE))
    else {
        return Err(DriverError::Unloadable {
            driver: driver.into(),
            reason: format!("it does not export {INTERFACE}{HOST}, as every driver does"),
        });
    };
    let remedy = match (line(version), line(HOST)) {
        (Some(its), Some(ours)) if its == ours => return Ok(version.to_owned()),
        (Some(its), Some(ours)) if its > ours => "it needs a newer iechor",
        _ => "rebuild the driver with the SDK that comes with this program",
    };
    Err(DriverError::OtherContract {
        driver: driver.into(),
        // Nobody has checked yet that it is one.
        version: clean_line(version, limits::LINE),
        understood: understood(),
        remedy,
    })
}

/// Returns the versions that this host understands, for example `0.2.x`.
fn understood() -> String {
    match line(HOST) {
        Some((0, minor)) => format!("0.{minor}.x"),
        Some((major, _)) => format!("{major}.x"),
        None => HOST.to_owned(),
    }
}

/// Returns what has to be the same: major and minor number while the major one is 0, as for Cargo.
fn line(version: &str) -> Option<(u64, u64)> {
    let mut numbers = version.split('.').map(str::parse);
    let (major, minor) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    Some((major, if major == 0 { minor } else { 0 }))
}

#[cfg(test)]
mod tests {
    use super::{HOST, INTERFACE};

    fn version_of(version: &str) -> Result<String, String> {
        let exports = ["a:b/c@1.0.0".to_owned(), format!("{INTERFACE}{version}")];
        super::of("d", &exports).map_err(|error| error.to_string())
    }

    #[test]
    fn one_line_of_versions_is_spoken() {
        for version in ["0.2.0", "0.2.7"] {
            assert_eq!(version_of(version).as_deref(), Ok(version));
        }
        for (version, words) in [
            ("0.3.0", "newer iechor"),
            ("1.0.0", "newer iechor"),
            ("0.1.1", "rebuild"),
            ("0.0.9", "rebuild"),
            ("x", "rebuild"),
        ] {
            let error = version_of(version).expect_err(version);
            assert!(error.contains(words) && error.contains(version), "{error}");
            assert!(error.contains("understands 0.2"), "{error}");
        }
        let error = super::of("d", &[]).expect_err("no driver").to_string();
        assert!(error.contains("iechor:driver/driver@0.2.1"), "{error}");
    }

    #[test]
    fn the_host_speaks_what_wit_says() {
        let types = include_str!("../../../wit/types.wit");
        assert!(types.contains(&format!("package iechor:driver@{HOST};")));
    }
}
