//! Networks of the engine.

use iechor_engine::model;
use iechor_engine::{EngineError, ObjectKind};
use wasmtime::component::{Resource, ResourceTable};

use super::Interface;
use super::container::CONTAINER;
use super::container::checks::check_network;
use super::container::named as container_named;
use super::{check_texts, has_labels, is_of_node, labels_to_pairs};
use crate::bindings::HostError;
use crate::bindings::iechor::driver::{container, network};
use crate::declaration::{Function, Needs};
use crate::handle::{Handle, Handles};
use crate::limits;
use crate::operation::Host;
use crate::ownership::Verdict;
use wasmtime::component::HasSelf;

const FUNCTIONS: &[Function] = &[
    Function::new("network.create", Needs::Creation(&["container.network"])),
    Function::new("network.find", Needs::Own),
    Function::new("network.list-all", Needs::Own),
    Function::new("network.inspect", Needs::Own),
    Function::new("network.connect", Needs::Use(CONTAINER)),
    Function::new("network.disconnect", Needs::Own),
    Function::new("network.remove", Needs::Own),
];

/// Networks of the engine, as a capability.
pub(super) const INTERFACE: Interface = Interface {
    name: "network",
    of_engine: true,
    grants: &[],
    functions: FUNCTIONS,
    kept: &[("network", |entry| entry.is::<OwnNetwork>())],
    context: |_, _| {},
    link: network::add_to_linker::<Host, HasSelf<Host>>,
};

/// One of the node's own networks.
pub struct OwnNetwork {
    name: String,
}

impl Handle for network::Network {
    type State = OwnNetwork;
}

impl network::Host for Host {
    async fn list_all(
        &mut self,
        labels: Vec<(String, String)>,
    ) -> Result<Vec<network::Summary>, HostError> {
        let operation = self.called_with("network.list-all", |line, _| {
            line.pairs("labels", &labels);
        });
        let found = operation
            .engine()?
            .list_networks(&operation.owner.filter())
            .await?;
        let found: Vec<_> = found
            .into_iter()
            .filter(|found| is_of_node(&operation, &found.name, &found.labels))
            .filter(|network| has_labels(&network.labels, &labels))
            .take(limits::LISTED)
            .map(summary)
            .collect();
        self.answered(|| found.len().to_string());
        Ok(found)
    }
}

impl network::HostNetwork for Host {
    async fn create(
        &mut self,
        spec: network::Spec,
    ) -> Result<Resource<network::Network>, HostError> {
        let operation = self.called_with("network.create", |line, _| {
            line.word(&spec.name)
                .optional("driver", spec.driver.as_ref())
                .flag("internal", spec.internal)
                .pairs("options", &spec.driver_options)
                .pairs("labels", &spec.labels);
        });
        let engine = operation.engine()?;
        operation
            .owner
            .check_new_name(ObjectKind::Network, &spec.name)
            .map_err(HostError::invalid)?;
        if spec
            .driver
            .as_deref()
            .is_some_and(|driver| driver != "bridge")
            || !spec.driver_options.is_empty()
        {
            // Other drivers and their options reach the networks of the machine itself.
            operation
                .grants
                .check("container.network", &format!("network {}", spec.name))?;
        }
        check_texts("network", &[&spec.labels, &spec.driver_options], &[])?;
        operation.check_creations()?;
        let name = spec.name.clone();
        let spec = model::NetworkSpec {
            labels: operation.owner.labels(&operation.id, spec.labels),
            name: spec.name,
            driver: spec.driver,
            internal: spec.internal,
            driver_options: spec.driver_options.into_iter().collect(),
        };
        let noted = operation.note_creation(ObjectKind::Network, &name)?;
        operation
            .journal
            .create(noted, async move { engine.create_network(&spec).await })
            .await?;
        Ok(self.table.keep(OwnNetwork { name })?)
    }

    async fn find(
        &mut self,
        name: String,
    ) -> Result<Option<Resource<network::Network>>, HostError> {
        let operation = self.called_with("network.find", |line, _| {
            line.word(&name);
        });
        operation
            .owner
            .check_name(&name)
            .map_err(HostError::invalid)?;
        match operation.engine()?.inspect_network(&name).await? {
            Some(found)
                if found.name == name
                    && operation
                        .owner
                        .judge(ObjectKind::Network, &name, &found.labels)
                        == Verdict::Own =>
            {
                Ok(Some(self.table.keep(OwnNetwork { name })?))
            }
            _ => {
                self.answered(|| "none".into());
                Ok(None)
            }
        }
    }

    async fn inspect(
        &mut self,
        network: Resource<network::Network>,
    ) -> Result<network::Summary, HostError> {
        let operation = self.called_with("network.inspect", |line, table| {
            line.word(named(table, &network));
        });
        let name = self.network_name(&network)?;
        match operation.engine()?.inspect_network(&name).await? {
            // Meanwhile it may be another one, of somebody else.
            Some(found)
                if operation
                    .owner
                    .judge(ObjectKind::Network, &name, &found.labels)
                    == Verdict::Own =>
            {
                Ok(summary(found))
            }
            _ => Err(EngineError::NotFound {
                kind: ObjectKind::Network,
                name,
            }
            .into()),
        }
    }

    async fn connect(
        &mut self,
        network: Resource<network::Network>,
        container: Resource<container::Container>,
        aliases: Vec<String>,
    ) -> Result<(), HostError> {
        let operation = self.called_with("network.connect", |line, table| {
            line.word(named(table, &network))
                .word(container_named(table, &container))
                .list("aliases", &aliases);
        });
        check_texts("connection to a network", &[], &aliases)?;
        let network = self.network_name(&network)?;
        check_aliases(&aliases)?;
        // To be in a network takes what it takes to be created in it, and to be put there is use.
        let container = self.usable(&operation, &container).await?;
        check_network(&operation, &network).await?;
        operation.journal.attach(&network, &container);
        Ok(operation
            .engine()?
            .connect_network(&network, &container, &aliases)
            .await?)
    }

    async fn disconnect(
        &mut self,
        network: Resource<network::Network>,
        container: Resource<container::Container>,
        force: bool,
    ) -> Result<(), HostError> {
        let operation = self.called_with("network.disconnect", |line, table| {
            line.word(named(table, &network))
                .word(container_named(table, &container))
                .flag("force", force);
        });
        let network = self.network_name(&network)?;
        let container = self.container_name(&container)?;
        Ok(operation
            .engine()?
            .disconnect_network(&network, &container, force)
            .await?)
    }

    async fn remove(&mut self, network: Resource<network::Network>) -> Result<(), HostError> {
        let operation = self.called_with("network.remove", |line, table| {
            line.word(named(table, &network));
        });
        let name = self.network_name(&network)?;
        Ok(operation.engine()?.remove_network(&name).await?)
    }

    async fn drop(&mut self, network: Resource<network::Network>) -> wasmtime::Result<()> {
        self.table.release(network)?;
        Ok(())
    }
}

/// Checks the further names of a container in a network. One with a period would be answered in the
/// place of a host elsewhere: of a registry that a build pulls from.
fn check_aliases(aliases: &[String]) -> Result<(), HostError> {
    if aliases.len() > limits::ALIASES {
        return Err(HostError::limit(format!(
            "{} further names in a network; there may be {}",
            aliases.len(),
            limits::ALIASES
        )));
    }
    let is_label = |name: &String| {
        let usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        (1..=limits::ALIAS_CHARS).contains(&name.len()) && name.chars().all(usual)
    };
    match aliases.iter().find(|alias| !is_label(alias)) {
        None => Ok(()),
        Some(alias) => Err(HostError::invalid(format!(
            "{alias:?} is not a further name in a network: letters, digits, '-' and '_', at most {}",
            limits::ALIAS_CHARS
        ))),
    }
}

impl Host {
    fn network_name(&self, network: &Resource<network::Network>) -> Result<String, HostError> {
        Ok(self.table.state(network)?.name.clone())
    }
}

fn named<'a>(table: &'a ResourceTable, network: &Resource<network::Network>) -> &'a str {
    table.state(network).map_or("?", |handle| &handle.name)
}

fn summary(found: model::Network) -> network::Summary {
    network::Summary {
        id: found.id,
        name: found.name,
        driver: found.driver,
        internal: found.internal,
        labels: labels_to_pairs(found.labels),
    }
}
