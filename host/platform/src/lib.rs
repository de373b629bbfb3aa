//! Platforms: an operating system and a processor, as OCI and containerd write them.
//!
//! [`Platform`] is parsed from text such as `linux/arm/v7` or `windows(10.0.17763)/amd64`, normalised,
//! and formatted by `Display`. All other crates use this type.

#[cfg(any(test, fuzzing))]
pub mod fuzz;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// A platform. Serialised with the field names of the OCI image specification.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Platform {
    /// Architecture, for example `amd64`.
    #[serde(default)]
    pub architecture: String,
    /// Operating system, for example `linux`.
    #[serde(default)]
    pub os: String,
    /// Version of the operating system, for example `10.0.17763.1234`; Windows only.
    #[serde(
        rename = "os.version",
        default,
        skip_serializing_if = "String::is_empty"
    )]
    pub os_version: String,
    /// Features of the operating system, for example `win32k`; Windows only.
    #[serde(
        rename = "os.features",
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub os_features: Vec<String>,
    /// Variant of the architecture, for example `v7`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub variant: String,
    /// Unknown fields. They are preserved.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// The reason why a text is not a platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlatformError {
    /// The text has empty parts, parts with other characters, or more than three parts.
    #[error(
        "invalid platform {text:?}: write os/architecture or os/architecture/variant, for example \
         linux/arm64 or linux/arm/v7"
    )]
    Form {
        /// The text.
        text: String,
    },
    /// The text is one word that is neither a known system nor a known architecture.
    #[error(
        "unknown operating system or architecture {text:?}: write os/architecture, for example \
         linux/arm64"
    )]
    Unknown {
        /// The text.
        text: String,
    },
}

const SYSTEMS: [&str; 14] = [
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "illumos",
    "ios",
    "js",
    "linux",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "windows",
];

const ARCHITECTURES: [&str; 17] = [
    "386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc",
    "ppc64", "ppc64le", "riscv", "riscv64", "s390x", "sparc64", "wasm",
];

impl Platform {
    /// Creates a normalised platform from its parts. `variant` may be empty.
    pub fn new(os: &str, architecture: &str, variant: &str) -> Self {
        Self {
            architecture: architecture.to_owned(),
            os: os.to_owned(),
            variant: variant.to_owned(),
            ..Self::default()
        }
        .normalised()
    }

    /// Returns the platform of this process. The text `local` stands for it.
    pub fn local() -> Self {
        Self::new(std::env::consts::OS, std::env::consts::ARCH, "")
    }

    /// Returns the platform in the canonical spelling: `x86_64` becomes `amd64`, and the default variant
    /// of an architecture is omitted.
    #[must_use]
    pub fn normalised(self) -> Self {
        let (architecture, variant) = canonical(&self.architecture, &self.variant);
        Self {
            architecture,
            os: canonical_system(&self.os),
            variant,
            ..self
        }
    }

    /// Parses texts that each contain one or several platforms, separated by commas.
    ///
    /// # Errors
    ///
    /// Returns the error of the first text that is not a platform.
    pub fn parse_list<S: AsRef<str>>(values: &[S]) -> Result<Vec<Self>, PlatformError> {
        values
            .iter()
            .flat_map(|value| value.as_ref().split(','))
            .map(|text| text.trim().parse())
            .collect()
    }
}

/// Returns an architecture and its variant in lower case and in the canonical spelling, as
/// containerd's `platforms` package does.
fn canonical(architecture: &str, variant: &str) -> (String, String) {
    let architecture = architecture.to_ascii_lowercase();
    let variant = variant.to_ascii_lowercase();
    let (architecture, variant) = match (architecture.as_str(), variant.as_str()) {
        ("i386" | "x86", _) => ("386", ""),
        ("x86_64" | "x86-64" | "amd64", "v1") => ("amd64", ""),
        ("x86_64" | "x86-64", other) => ("amd64", other),
        ("aarch64" | "arm64", "8" | "v8" | "v8.0") => ("arm64", ""),
        ("aarch64", other) => ("arm64", other),
        ("arm64", "9" | "9.0" | "v9.0") => ("arm64", "v9"),
        ("armhf", _) => ("arm", "v7"),
        ("armel", _) => ("arm", "v6"),
        ("arm", "" | "7") => ("arm", "v7"),
        ("arm", "5") => ("arm", "v5"),
        ("arm", "6") => ("arm", "v6"),
        ("arm", "8") => ("arm", "v8"),
        ("loongarch64", other) => ("loong64", other),
        (architecture, variant) => (architecture, variant),
    };
    (architecture.to_owned(), variant.to_owned())
}

fn canonical_system(os: &str) -> String {
    let os = os.to_ascii_lowercase();
    if os == "macos" {
        "darwin".to_owned()
    } else {
        os
    }
}

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let form = || PlatformError::Form {
            text: text.to_owned(),
        };
        if text == "local" {
            return Ok(Self::local());
        }
        let parts: Vec<&str> = text.split('/').collect();
        let (os, os_version) = split_version(parts[0]).ok_or_else(form)?;
        let is_plain = |part: &&str| !part.is_empty() && part.bytes().all(is_usual);
        if !is_plain(&os) || !parts[1..].iter().all(is_plain) {
            return Err(form());
        }
        let platform = match parts[1..] {
            [] => {
                let system = canonical_system(os);
                let (architecture, variant) = canonical(os, "");
                if SYSTEMS.contains(&system.as_str()) {
                    Self::new(&system, std::env::consts::ARCH, "")
                } else if ARCHITECTURES.contains(&architecture.as_str()) && os_version.is_empty() {
                    Self::new(std::env::consts::OS, &architecture, &variant)
                } else {
                    return Err(PlatformError::Unknown {
                        text: text.to_owned(),
                    });
                }
            }
            [architecture] => Self::new(os, architecture, ""),
            [architecture, variant] => Self::new(os, architecture, variant),
            _ => return Err(form()),
        };
        Ok(Self {
            os_version: os_version.to_owned(),
            ..platform
        })
    }
}

/// Splits `windows(10.0.17763)` into the system and its version. The version is empty if there are no
/// parentheses. Returns `None` if the parentheses are unbalanced.
fn split_version(text: &str) -> Option<(&str, &str)> {
    let Some((os, rest)) = text.split_once('(') else {
        return Some((text, ""));
    };
    let version = rest.strip_suffix(')')?;
    version.bytes().all(is_usual).then_some((os, version))
}

fn is_usual(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

impl fmt::Display for Platform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.os)?;
        if !self.os_version.is_empty() {
            write!(formatter, "({})", self.os_version)?;
        }
        write!(formatter, "/{}", self.architecture)?;
        if !self.variant.is_empty() {
            write!(formatter, "/{}", self.variant)?;
        }
        Ok(())
    }
}

/// Deserialises `null` as an empty list, because Go writes an empty slice in both ways.
fn null_is_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_are_read_and_written() {
        for (text, expected) in [
            ("linux/amd64", "linux/amd64"),
            ("Linux/X86_64", "linux/amd64"),
            ("linux/amd64/v1", "linux/amd64"),
            ("linux/amd64/v3", "linux/amd64/v3"),
            ("linux/aarch64", "linux/arm64"),
            ("linux/arm64/v8", "linux/arm64"),
            ("linux/arm", "linux/arm/v7"),
            ("linux/arm/v6", "linux/arm/v6"),
            ("linux/armhf", "linux/arm/v7"),
            ("linux/i386", "linux/386"),
            ("macos/arm64", "darwin/arm64"),
            ("linux/made-up", "linux/made-up"),
            ("windows(10.0.17763)/amd64", "windows(10.0.17763)/amd64"),
            ("Windows(10.0.17763)/arm/7", "windows(10.0.17763)/arm/v7"),
            ("windows()/amd64", "windows/amd64"),
        ] {
            assert_eq!(
                text.parse::<Platform>().unwrap().to_string(),
                expected,
                "{text}"
            );
        }
        assert_eq!("local".parse::<Platform>().unwrap(), Platform::local());
        assert_eq!(
            "riscv64".parse::<Platform>().unwrap().architecture,
            "riscv64"
        );
        assert_eq!("linux".parse::<Platform>().unwrap().os, "linux");
        for bad in [
            "",
            "/",
            "linux/",
            "/amd64",
            "a/b/c/d",
            "linux/am d64",
            "windows(10/amd64",
            "windows(10)x/amd64",
            "windows(1 0)/amd64",
            "(10)/amd64",
            "amd64(10)",
            "windows/amd64(10)",
            "nonsense",
        ] {
            assert!(bad.parse::<Platform>().is_err(), "{bad}");
        }
    }

    #[test]
    fn json_is_that_of_oci_and_keeps_what_is_not_known() {
        let text = r#"{"architecture":"amd64","os":"windows","os.version":"10.0.17763","os.features":["win32k"],"new":1}"#;
        let platform: Platform = serde_json::from_str(text).unwrap();
        assert_eq!(platform.to_string(), "windows(10.0.17763)/amd64");
        assert_eq!(serde_json::to_string(&platform).unwrap(), text);
        let null = r#"{"architecture":"amd64","os":"linux","os.features":null}"#;
        let platform: Platform = serde_json::from_str(null).unwrap();
        assert_eq!(platform, Platform::new("linux", "amd64", ""));
    }

    #[test]
    fn lists_split_at_commas() {
        let list = Platform::parse_list(&["linux/amd64, linux/arm64", "linux/s390x"]).unwrap();
        let texts: Vec<String> = list.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["linux/amd64", "linux/arm64", "linux/s390x"]);
        assert_eq!(
            Platform::parse_list(&["linux/amd64,"])
                .unwrap_err()
                .to_string(),
            "invalid platform \"\": write os/architecture or os/architecture/variant, for example linux/arm64 or linux/arm/v7"
        );
    }
}
