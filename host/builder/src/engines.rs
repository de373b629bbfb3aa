//! All engines that are named on this machine, including those of builders.

use std::collections::HashMap;
use std::sync::Arc;

use iechor_engine::endpoint;
use iechor_engine::known::KnownEngines;
use iechor_sandbox::{Driver, Embedded, Sandbox};

use crate::workspace::Workspace;

impl Workspace {
    /// Returns all engines that the environment, the Docker CLI's configuration, well-known paths
    /// and the builders name. No driver may connect to their endpoints; `driver` is loaded already.
    ///
    /// The endpoint of a builder counts unless its driver is known to use no engine. In that case,
    /// BuildKit is at the endpoint.
    pub async fn known_engines(&self, driver: Option<&Driver>) -> Arc<KnownEngines> {
        let mut known = KnownEngines::find(&self.environment, &self.config);
        // Whatever uses a store that cannot be read reports the error itself.
        let Ok(state) = self.store.read() else {
            return Arc::new(known);
        };
        let mut use_engine = HashMap::new();
        for (name, builder) in state.builders() {
            let Ok(builder) = builder else { continue };
            let group = &builder.group;
            // Docker buildx leaves the driver empty to choose it by the endpoint: `remote` for a
            // URL. Contexts are known already.
            if group.driver.is_empty() {
                continue;
            }
            let uses = match use_engine.get(&group.driver) {
                Some(uses) => *uses,
                None => {
                    let uses = self.uses_engine(&group.driver, driver).await;
                    use_engine.insert(group.driver.clone(), uses);
                    uses
                }
            };
            if !uses {
                continue;
            }
            for node in &group.nodes {
                let found = endpoint::by_name(&node.endpoint, &self.environment, &self.config);
                if let Ok(found) = found {
                    known.add(found.host, format!("builder {name:?}"));
                }
            }
        }
        Arc::new(known)
    }

    /// Returns whether a driver uses an engine, as far as can be told; `present` is loaded already.
    async fn uses_engine(&self, name: &str, present: Option<&Driver>) -> bool {
        if let Some(present) = present
            && present.name() == name
        {
            return present.uses_engine();
        }
        if Embedded::find(name).is_some() {
            return !matches!(Sandbox::embedded(name), Ok(Some(driver)) if !driver.uses_engine());
        }
        !matches!(self.catalog.load(name).await, Ok(loaded) if !loaded.driver.uses_engine())
    }
}
