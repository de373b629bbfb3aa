//! Every engine that is named on this machine, builders included.

use std::collections::HashMap;
use std::sync::Arc;

use iechor_engine::endpoint;
use iechor_engine::known::KnownEngines;
use iechor_sandbox::{Driver, Embedded, Sandbox};

use crate::workspace::Workspace;

impl Workspace {
    /// Every engine that the environment, the Docker CLI's configuration, the habits of engines and
    /// the builders name: `driver`, and any other, is connected to none of them.
    ///
    /// An endpoint of a builder counts unless its driver is known to use no engine: it is where
    /// BuildKit is then.
    pub async fn known_engines(&self, driver: Option<&Driver>) -> Arc<KnownEngines> {
        let mut known = KnownEngines::find(&self.environment, &self.config);
        // A store that cannot be read stops whatever is done with it, with its own words.
        let Ok(state) = self.store.read() else {
            return Arc::new(known);
        };
        let mut use_engine = HashMap::new();
        for (name, builder) in state.builders() {
            let Ok(builder) = builder else { continue };
            let group = &builder.group;
            // One that a peer left to suit the endpoint: of a URL it is the driver `remote`, and
            // contexts are known.
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
