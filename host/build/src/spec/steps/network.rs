//! The network of the steps.

use std::str::FromStr;

/// The network of the steps of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Network {
    /// A network of its own for each step, as BuildKit is configured.
    #[default]
    Default,
    /// The network of the machine on which BuildKit runs. It requires an entitlement.
    Host,
    /// No network.
    None,
}

/// The name of a network that BuildKit does not have.
// docker buildx prints the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "network mode {name:?} not supported by buildkit - you can define a custom network for your builder \
     using the network driver-opt in buildx create"
)]
pub struct NetworkError {
    /// The name.
    pub name: String,
}

impl Network {
    /// Returns the name of a network that replaces the default one.
    pub fn forced(self) -> Option<&'static str> {
        match self {
            Self::Default => None,
            Self::Host => Some("host"),
            Self::None => Some("none"),
        }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    /// Parses the name of a network. An empty name is the default.
    fn from_str(name: &str) -> Result<Self, NetworkError> {
        Ok(match name {
            "" | "default" => Self::Default,
            "host" => Self::Host,
            "none" => Self::None,
            name => {
                return Err(NetworkError {
                    name: name.to_owned(),
                });
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_of_the_engine_are_refused() {
        assert_eq!("".parse(), Ok(Network::Default));
        assert_eq!("default".parse(), Ok(Network::Default));
        assert_eq!("host".parse(), Ok(Network::Host));
        assert_eq!("none".parse(), Ok(Network::None));
        let error = "bridge".parse::<Network>().expect_err("refused");
        let said = "network mode \"bridge\" not supported by buildkit - you can define a custom network \
                    for your builder using the network driver-opt in buildx create";
        assert_eq!(error.to_string(), said);
        assert!("Host".parse::<Network>().is_err());
    }
}
