//! The entitlements of a build, and the check that a BuildKit which does not run yet will allow them.

use iechor_builder::node::LiveNode;
use iechor_builder::store::Node;
use iechor_buildkit::{Code, SolveError};
use iechor_sandbox::contract::Status;

use crate::error::BuildError;
use crate::spec::steps::Network;
use crate::spec::{BuildSpec, Entitlement};

/// Returns the entitlements of a build that BuildKit has to allow: those that it is given, and those that its
/// settings imply.
pub(crate) fn of_build(spec: &BuildSpec) -> Vec<Entitlement> {
    let mut entitlements = spec.entitlements.clone();
    if spec.steps.network == Network::Host {
        entitlements.insert(Entitlement::NetworkHost);
    }
    entitlements
        .into_iter()
        .filter(Entitlement::is_of_buildkit)
        .collect()
}

/// Checks the entitlements of a build against the settings with which a node starts its BuildKit. Checks nothing
/// if BuildKit runs: it is asked before the build.
///
/// # Errors
///
/// Returns the first entitlement that BuildKit will not allow, or an error if the status of the node cannot be
/// read.
pub(super) async fn check(
    spec: &BuildSpec,
    stored: &Node,
    node: &LiveNode,
) -> Result<(), BuildError> {
    let Some(entitlement) = not_declared(&of_build(spec), stored) else {
        return Ok(());
    };
    if node.info().await?.status == Status::Running {
        return Ok(());
    }
    // BuildKit answers the same.
    let text =
        format!("granting entitlement {entitlement} is not allowed by build daemon configuration");
    Err(BuildError::Entitlement {
        entitlement,
        node: stored.name.clone(),
        error: Box::new(SolveError::new(Code::Unknown, text)),
    })
}

/// Returns the first entitlement that the settings of a node do not allow. Access to devices is left out, because
/// a device may allow it by itself.
fn not_declared(entitlements: &[Entitlement], node: &Node) -> Option<Entitlement> {
    let declared = node.declared_entitlements()?;
    let mut entitlements = entitlements.iter();
    let refused = entitlements.find(|entitlement| {
        !matches!(entitlement, Entitlement::Device(_))
            && !declared.iter().any(|name| name == entitlement.name())
    });
    refused.cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Context;

    #[test]
    fn the_network_of_the_host_is_an_entitlement() {
        let mut spec = BuildSpec::new(Context::Directory(".".into()));
        spec.entitlements
            .extend([Entitlement::SecurityInsecure, Entitlement::LocalDelete]);
        assert_eq!(of_build(&spec), [Entitlement::SecurityInsecure]);
        spec.steps.network = Network::Host;
        assert_eq!(
            of_build(&spec),
            [Entitlement::NetworkHost, Entitlement::SecurityInsecure]
        );
    }

    #[test]
    fn flags_and_the_configuration_declare_what_is_allowed() {
        let node = |flags: &[&str], config: Option<&str>| {
            let config = config.map(|text| ("buildkitd.toml".to_owned(), text.as_bytes().to_vec()));
            let mut node = Node::default();
            node.flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
            node.files = config.into_iter().collect();
            node
        };
        let both = [Entitlement::NetworkHost, Entitlement::SecurityInsecure];
        let network = "--allow-insecure-entitlement=network.host";
        let insecure = "insecure-entitlements = [\"security.insecure\"]";
        for (flags, config, expected) in [
            (&[][..], None, None),
            (&["--debug"], Some("debug = true"), None),
            (&[network], None, Some(Entitlement::SecurityInsecure)),
            (&[], Some(insecure), Some(Entitlement::NetworkHost)),
            // BuildKit adds the list of the configuration to that of its flags.
            (&[network], Some(insecure), None),
            (
                &["--allow-insecure-entitlement", "security.insecure"],
                None,
                Some(Entitlement::NetworkHost),
            ),
        ] {
            let found = not_declared(&both, &node(flags, config));
            assert_eq!(found, expected, "{flags:?} {config:?}");
        }
        let device = [Entitlement::Device(None)];
        assert_eq!(not_declared(&device, &node(&[network], None)), None);
    }
}
