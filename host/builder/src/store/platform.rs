//! Platforms that a node is declared to build for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A platform, with the field names of the OCI image specification.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Platform {
    /// For example `amd64`.
    #[serde(default)]
    pub architecture: String,
    /// For example `linux`.
    #[serde(default)]
    pub os: String,
    /// For example `10.0.17763.1234`; of Windows only.
    #[serde(
        rename = "os.version",
        default,
        skip_serializing_if = "String::is_empty"
    )]
    pub os_version: String,
    /// For example `win32k`; of Windows only.
    #[serde(
        rename = "os.features",
        default,
        deserialize_with = "super::group::null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub os_features: Vec<String>,
    /// For example `v7`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub variant: String,
    /// Fields that a newer peer wrote.
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

/// Why a text is not a platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlatformError {
    /// The text has empty or strange parts, or more than three.
    #[error(
        "invalid platform {text:?}: write os/architecture or os/architecture/variant, for example linux/arm64 or linux/arm/v7"
    )]
    Form {
        /// The text as it was given.
        text: String,
    },
    /// One word that is neither a known system nor a known architecture.
    #[error(
        "unknown operating system or architecture {text:?}: write os/architecture, for example linux/arm64"
    )]
    Unknown {
        /// The text as it was given.
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
    /// A platform of these three parts (`variant` may be empty), spelled as they are written by
    /// everybody else: `x86_64` becomes `amd64`.
    pub fn new(os: &str, architecture: &str, variant: &str) -> Self {
        let (architecture, variant) = canonical(architecture, variant);
        Self {
            architecture,
            os: canonical_system(os),
            variant,
            ..Self::default()
        }
    }

    /// Returns the platform of this process, where `local` is asked for.
    pub fn local() -> Self {
        Self::new(std::env::consts::OS, std::env::consts::ARCH, "")
    }

    /// Reads the values of `--platform`: each may hold several, separated by commas.
    pub fn parse_list<S: AsRef<str>>(values: &[S]) -> Result<Vec<Self>, PlatformError> {
        values
            .iter()
            .flat_map(|value| value.as_ref().split(','))
            .map(|text| text.trim().parse())
            .collect()
    }
}

/// Lower case, the usual name for each architecture, and no variant where it is the plain one.
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
        let plain = |part: &&str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
        };
        if !parts.iter().all(plain) {
            return Err(form());
        }
        match parts.as_slice() {
            [one] => {
                let system = canonical_system(one);
                let (architecture, variant) = canonical(one, "");
                if SYSTEMS.contains(&system.as_str()) {
                    Ok(Self::new(&system, std::env::consts::ARCH, ""))
                } else if ARCHITECTURES.contains(&architecture.as_str()) {
                    Ok(Self::new(std::env::consts::OS, &architecture, &variant))
                } else {
                    Err(PlatformError::Unknown {
                        text: text.to_owned(),
                    })
                }
            }
            [os, architecture] => Ok(Self::new(os, architecture, "")),
            [os, architecture, variant] => Ok(Self::new(os, architecture, variant)),
            _ => Err(form()),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.os, self.architecture)?;
        if !self.variant.is_empty() {
            write!(formatter, "/{}", self.variant)?;
        }
        Ok(())
    }
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
            "nonsense",
        ] {
            assert!(bad.parse::<Platform>().is_err(), "{bad}");
        }
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
