//! Networks.

use super::kept::Kept;
use super::{State, not_found};
use crate::error::{EngineError, ObjectKind};
use crate::model::{Network, NetworkSpec};

/// Networks that every engine has, and that cannot be removed.
pub(in crate::simulated::state) const PREDEFINED: [(&str, &str); 3] =
    [("bridge", "bridge"), ("host", "host"), ("none", "null")];

impl State {
    pub(in crate::simulated) fn network(&self, name: &str) -> Option<&Network> {
        let by = |is: &dyn Fn(&Network) -> bool| self.networks.iter().find(|n| is(n));
        by(&|n| n.id == name)
            .or_else(|| by(&|n| n.name == name))
            .or_else(|| by(&|n| !name.is_empty() && n.id.starts_with(name)))
    }

    fn network_name(&self, name: &str) -> Result<String, EngineError> {
        let found = self.network(name).map(|n| n.name.clone());
        found.ok_or_else(|| not_found(ObjectKind::Network, name))
    }

    pub(in crate::simulated) fn create_network(
        &mut self,
        spec: &NetworkSpec,
    ) -> Result<Network, EngineError> {
        if self.networks.iter().any(|n| n.name == spec.name) {
            return Err(EngineError::AlreadyExists {
                kind: ObjectKind::Network,
                name: spec.name.clone(),
            });
        }
        let network = Network {
            id: self.id(),
            name: spec.name.clone(),
            driver: spec.driver.clone().unwrap_or_else(|| "bridge".into()),
            scope: "local".into(),
            internal: spec.internal,
            driver_options: spec.driver_options.clone(),
            labels: spec.labels.clone(),
        };
        self.networks.push(network.clone());
        Ok(network)
    }

    pub(in crate::simulated) fn connect(
        &mut self,
        network: &str,
        container: &str,
    ) -> Result<(), EngineError> {
        // The engine looks up the container first.
        self.kept(container)?;
        let network = self.network_name(network)?;
        let kept = self.kept(container)?;
        if !kept.networks.insert(network.clone()) && kept.running() {
            return Err(EngineError::Conflict(format!(
                "endpoint with name {} already exists in network {network}",
                kept.seen.name
            )));
        }
        Ok(())
    }

    pub(in crate::simulated) fn disconnect(
        &mut self,
        network: &str,
        container: &str,
    ) -> Result<(), EngineError> {
        let network = self.network_name(network)?;
        let kept = self.kept(container)?;
        if !kept.networks.remove(&network) {
            return Err(EngineError::Conflict(format!(
                "container {} is not connected to network {network}",
                kept.seen.id
            )));
        }
        Ok(())
    }

    pub(in crate::simulated) fn remove_network(&mut self, name: &str) -> Result<(), EngineError> {
        let name = self.network_name(name)?;
        if PREDEFINED.iter().any(|(predefined, _)| *predefined == name) {
            return Err(EngineError::Refused {
                status: 403,
                message: format!("{name} is a pre-defined network and cannot be removed"),
            });
        }
        // Only running containers use a network.
        let holds = |kept: &Kept| kept.running() && kept.networks.contains(&name);
        if self.containers.iter().any(holds) {
            let id = self
                .network(&name)
                .map(|n| n.id.clone())
                .unwrap_or_default();
            return Err(EngineError::Conflict(format!(
                "error while removing network: network {name} id {id} has active endpoints"
            )));
        }
        self.networks.retain(|n| n.name != name);
        Ok(())
    }
}
