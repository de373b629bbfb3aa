//! The capabilities of a daemon, as it reports them to a frontend.

use std::collections::BTreeSet;

use bollard_buildkit_proto::moby::buildkit::v1::apicaps::ApiCap;
use bytes::Bytes;
use prost::Message as _;

use crate::fields::Fields;

/// Maximum number of capabilities of each kind. Real daemons have about a hundred. Further ones are
/// left out.
const MOST: usize = 2000;

/// The capabilities of a daemon that are enabled. A daemon that reports none, or reports them not at
/// all, has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    frontend: BTreeSet<String>,
    llb: BTreeSet<String>,
}

impl Capabilities {
    /// Reads a `PongResponse`. Leaves out what cannot be decoded.
    pub(crate) fn decode(pong: Bytes) -> Self {
        let mut capabilities = Self::default();
        for (number, capability) in Fields::new(pong).map_while(Result::ok) {
            let set = match number {
                1 => &mut capabilities.frontend,
                2 => &mut capabilities.llb,
                _ => continue,
            };
            if set.len() < MOST
                && let Ok(capability) = ApiCap::decode(capability)
                && capability.enabled
            {
                set.insert(capability.id);
            }
        }
        capabilities
    }

    /// Returns whether calls of a frontend support something, for example `gateway.solve.evaluate`
    /// or `frontend.inputs`.
    pub fn frontend(&self, id: &str) -> bool {
        self.frontend.contains(id)
    }

    /// Returns whether builds support something: an operation, an exporter or a cache, for example
    /// `exporter.image.attestations` or `cache.gha`.
    pub fn llb(&self, id: &str) -> bool {
        self.llb.contains(id)
    }
}

#[cfg(test)]
mod tests {
    use bollard_buildkit_proto::moby::buildkit::v1::frontend::PongResponse;

    use super::*;

    fn capability(id: &str, enabled: bool) -> ApiCap {
        ApiCap {
            id: id.into(),
            enabled,
            ..ApiCap::default()
        }
    }

    #[test]
    fn the_enabled_ones_are_kept_by_kind() {
        let pong = PongResponse {
            frontend_api_caps: vec![capability("readfile", true), capability("off", false)],
            llb_caps: vec![capability("cache.gha", true)],
            workers: Vec::new(),
        };
        let capabilities = Capabilities::decode(pong.encode_to_vec().into());
        assert!(capabilities.frontend("readfile") && !capabilities.llb("readfile"));
        assert!(!capabilities.frontend("off"));
        assert!(capabilities.llb("cache.gha"));
        assert_eq!(
            Capabilities::decode(Bytes::from_static(b"\xff\xff")),
            Capabilities::default()
        );
    }

    #[test]
    fn of_very_many_some_are_kept() {
        let caps = (0..100_000).map(|id| capability(&id.to_string(), true));
        let pong = PongResponse {
            llb_caps: caps.collect(),
            ..PongResponse::default()
        };
        let capabilities = Capabilities::decode(pong.encode_to_vec().into());
        assert_eq!(capabilities.llb.len(), MOST);
    }
}
