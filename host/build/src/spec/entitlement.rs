//! Additional permissions of a build.

use std::fmt;

use super::error::SpecError;

/// The name of the entitlement to use devices, which may have options.
const DEVICE: &str = "device";

/// An additional permission of a build.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Entitlement {
    /// Steps may use the network of BuildKit's host.
    NetworkHost,
    /// Steps may run without isolation.
    SecurityInsecure,
    /// Steps may use devices: all of them, or the one of this name and options.
    Device(Option<String>),
    /// An output may delete files outside the working directory. Not an entitlement of BuildKit.
    LocalDelete,
}

impl Entitlement {
    /// Parses an entitlement.
    ///
    /// # Errors
    ///
    /// Returns an error if the name is unknown.
    pub fn parse(text: &str) -> Result<Self, SpecError> {
        match text.split_once('=').unwrap_or((text, "")) {
            ("network.host", "") => Ok(Self::NetworkHost),
            ("security.insecure", "") => Ok(Self::SecurityInsecure),
            ("buildx.local.delete", "") => Ok(Self::LocalDelete),
            (DEVICE, "") => Ok(Self::Device(None)),
            (DEVICE, device) => Ok(Self::Device(Some(device.to_owned()))),
            _ => Err(SpecError::Entitlement {
                text: text.to_owned(),
            }),
        }
    }

    /// Returns whether BuildKit has to allow it.
    pub fn is_of_buildkit(&self) -> bool {
        !matches!(self, Self::LocalDelete)
    }

    /// Returns the name without options, as the configuration of BuildKit has it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::NetworkHost => "network.host",
            Self::SecurityInsecure => "security.insecure",
            Self::Device(_) => DEVICE,
            Self::LocalDelete => "buildx.local.delete",
        }
    }
}

impl fmt::Display for Entitlement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())?;
        match self {
            Self::Device(Some(device)) => write!(formatter, "={device}"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_and_written() {
        for text in [
            "network.host",
            "security.insecure",
            "buildx.local.delete",
            "device",
            "device=vendor.com/gpu=all",
        ] {
            let entitlement = Entitlement::parse(text).expect(text);
            assert_eq!(entitlement.to_string(), text);
        }
        let device = Entitlement::Device(Some("a=b".into()));
        assert_eq!(Entitlement::parse("device=a=b"), Ok(device));
        assert!(!Entitlement::LocalDelete.is_of_buildkit());
        for text in ["", "network", "network.host=1", "Device"] {
            let error = Entitlement::parse(text).expect_err(text).to_string();
            assert_eq!(error, format!("unknown entitlement {text}"));
        }
    }
}
