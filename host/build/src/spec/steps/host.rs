//! Additional names of hosts.

use std::net::IpAddr;
use std::str::FromStr;

/// A name of a host that the steps resolve to an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// The name.
    pub name: String,
    /// The address.
    pub address: Address,
}

/// The address of a [`Host`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// An address, as it was given. BuildKit gets it unchanged, as from docker buildx.
    Ip(String),
    /// The address of the host machine, which the driver knows.
    HostGateway,
}

/// The text that stands for the address of the host machine.
const HOST_GATEWAY: &str = "host-gateway";

/// A text is not `NAME=ADDRESS` or `NAME:ADDRESS`.
// docker buildx prints the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid host {text}")]
pub struct HostError {
    /// The text.
    pub text: String,
}

impl FromStr for Host {
    type Err = HostError;

    /// Parses `NAME=ADDRESS` or `NAME:ADDRESS`. The address may be in square brackets, or `host-gateway`.
    fn from_str(text: &str) -> Result<Self, HostError> {
        let wrong = || HostError {
            text: text.to_owned(),
        };
        let pair = text.split_once('=').or_else(|| text.split_once(':'));
        let (name, address) = pair.ok_or_else(wrong)?;
        // The name is part of a list for BuildKit.
        if name.is_empty() || name.contains([',', '"', '\n', '\r']) {
            return Err(wrong());
        }
        let address = match address {
            HOST_GATEWAY => Address::HostGateway,
            address => {
                let inner = address
                    .strip_prefix('[')
                    .and_then(|rest| rest.strip_suffix(']'));
                let address = inner.unwrap_or(address);
                // Go parses a zone in other places only.
                address.parse::<IpAddr>().map_err(|_| wrong())?;
                Address::Ip(address.to_owned())
            }
        };
        Ok(Self {
            name: name.to_owned(),
            address,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_have_a_name_and_an_address() {
        for (text, name, address) in [
            ("a:1.2.3.4", "a", "1.2.3.4"),
            ("a=1.2.3.4", "a", "1.2.3.4"),
            ("a=[1.2.3.4]", "a", "1.2.3.4"),
            ("a:::1", "a", "::1"),
            ("a=::1", "a", "::1"),
            ("a:[2001:DB8::1]", "a", "2001:DB8::1"),
            ("my.host=10.0.0.1", "my.host", "10.0.0.1"),
        ] {
            let host = Host {
                name: name.into(),
                address: Address::Ip(address.into()),
            };
            assert_eq!(text.parse(), Ok(host), "{text}");
        }
        for text in ["h=host-gateway", "h:host-gateway"] {
            let host: Host = text.parse().expect(text);
            assert_eq!(host.address, Address::HostGateway);
        }
        for text in [
            "",
            "a",
            "a=",
            "=1.2.3.4",
            ":1.2.3.4",
            "a:b",
            "a=1.2.3",
            "a=[]",
            "a=[1.2.3.4",
            "a=1.2.3.4:80",
            "a=gateway",
            "a,b=1.2.3.4",
            "a=1.2.3.4,b=1.2.3.4",
            "a=fe80::1%eth0",
        ] {
            let error = text.parse::<Host>().expect_err(text).to_string();
            assert_eq!(error, format!("invalid host {text}"));
        }
    }
}
