//! Direct connections to BuildKit in a container, past the engine.

use iechor_engine::ObjectKind;
use wasmtime::component::{HasSelf, Resource};

use super::Interface;
use super::container::named;
use super::container::words::describe;
use super::transport::Connection;
use crate::bindings::HostError;
use crate::bindings::contract::Error;
use crate::bindings::iechor::driver::{container, direct, transport};
use crate::declaration::{Capability, Function, Needs, Subject};
use crate::direct::Directory;
use crate::handle::Handles;
use crate::limits;
use crate::operation::{Host, Operation, Setup};

/// The capability to connect directly.
const CAPABILITY: &str = "direct.connect";

const GRANTS: &[Capability] = &[Capability {
    name: CAPABILITY,
    subject: "the container's image",
    kind: Subject::Image,
    endpoint: None,
    includes: None,
    high_risk: false,
    means: "containers of these images share a private directory with this program, in which BuildKit listens",
}];

const FUNCTIONS: &[Function] = &[
    Function::new("direct.obstacle", Needs::Nothing),
    Function::new("direct.create", Needs::Grant(CAPABILITY)),
    Function::new("direct.dial", Needs::Grant(CAPABILITY)),
];

/// Direct connections, as a capability.
pub(super) const INTERFACE: Interface = Interface {
    name: "direct",
    of_engine: true,
    grants: GRANTS,
    functions: FUNCTIONS,
    kept: &[],
    context: |setup, contexts| contexts.add(Context::of(setup)),
    link: direct::add_to_linker::<Host, HasSelf<Host>>,
};

/// What direct connections need of an operation.
struct Context {
    /// The directory of all directories that are shared with containers; `None` if there is none.
    root: Option<std::path::PathBuf>,
}

impl Context {
    fn of(setup: &Setup<'_>) -> Self {
        Self {
            root: setup.context.direct.clone(),
        }
    }
}

impl Operation {
    /// Returns the directory that is shared with the container of that name, if any is.
    pub(super) fn shared_directory(&self, container: &str) -> Option<Directory> {
        let Context { root } = self.context();
        let owner = &self.owner;
        Some(Directory::of(root.as_deref()?, &owner.builder, container))
    }

    async fn obstacle(&self) -> Result<Option<String>, HostError> {
        let Context { root } = self.context();
        if root.is_none() {
            return Ok(Some(
                "this program shares no directory with containers".into(),
            ));
        }
        // Only an engine that is seen to be here has this.
        Ok(match self.engine()?.info().await?.run {
            Some(_) => None,
            None => Some("the engine is not known to be on this machine".into()),
        })
    }
}

impl direct::Host for Host {
    async fn obstacle(&mut self) -> Result<Option<String>, HostError> {
        let operation = self.called("direct.obstacle");
        let obstacle = operation.obstacle().await?;
        self.answered(|| obstacle.clone().unwrap_or_else(|| "none".into()));
        Ok(obstacle)
    }

    async fn create(
        &mut self,
        spec: container::Spec,
    ) -> Result<Resource<container::Container>, HostError> {
        let operation = self.called_with("direct.create", |line, _| describe(line, &spec));
        operation.grants.check(CAPABILITY, &spec.image)?;
        operation
            .owner
            .check_new_name(ObjectKind::Container, &spec.name)
            .map_err(HostError::invalid)?;
        let unsupported = |why: String| HostError::Answer(Error::Unsupported(why));
        if !spec.privileged {
            return Err(unsupported(
                "BuildKit without privileges cannot listen in a directory of this user".into(),
            ));
        }
        if let Some(obstacle) = operation.obstacle().await? {
            return Err(unsupported(obstacle));
        }
        let directory = operation.shared_directory(&spec.name);
        self.create_container(&operation, spec, directory).await
    }

    async fn dial(
        &mut self,
        container: Resource<container::Container>,
    ) -> Result<Resource<transport::Connection>, HostError> {
        let operation = self.called_with("direct.dial", |line, table| {
            line.word(named(table, &container));
        });
        let handle = self.table.state(&container)?;
        operation.grants.check(CAPABILITY, &handle.image)?;
        let directory = handle.direct.clone();
        let name = self.usable(&operation, &container).await?;
        let Some(directory) = directory else {
            return Err(HostError::Answer(Error::Unsupported(format!(
                "container {name} has no socket for direct connections"
            ))));
        };
        let unavailable = |why: &dyn std::fmt::Display| {
            HostError::Answer(Error::Unavailable(format!(
                "cannot connect directly to BuildKit in container {name}: {why}"
            )))
        };
        let stream = tokio::time::timeout(limits::CONNECT, directory.connect())
            .await
            .map_err(|_| unavailable(&"no answer"))?
            .map_err(|error| unavailable(&error))?;
        let leads_to = format!("container:{name}");
        Ok(self
            .table
            .keep(Connection::new(Box::new(stream), leads_to))?)
    }
}
