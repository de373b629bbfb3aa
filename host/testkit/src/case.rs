//! One driver in one world, and what is asked of both.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use iechor_engine::Engine;
use iechor_engine::simulated::Behavior;
use iechor_sandbox::contract::{Info, RemoveOptions, Status, StopOptions};
use iechor_sandbox::{Driver, DriverError, Node, NodeContext, ValidConfig};
use tokio_util::sync::CancellationToken;

use crate::buildkit::Answers;
use crate::network::DialFault;
use crate::real::RealWorld;
use crate::report::Failure;
use crate::stage::Stage;
use crate::subject::Subject;
use crate::trace::{Trace, failure_kind};

/// To remove everything, as the host does it.
pub(crate) const REMOVE: RemoveOptions = RemoveOptions {
    force: true,
    keep_state: false,
    keep_daemon: false,
};
/// The same without force, which the contract has too.
pub(crate) const REMOVE_GENTLY: RemoveOptions = RemoveOptions {
    force: false,
    ..REMOVE
};
/// To remove everything but the state.
pub(crate) const KEEP_STATE: RemoveOptions = RemoveOptions {
    keep_state: true,
    ..REMOVE
};
/// To stop, as the host does it.
pub(crate) const STOP: StopOptions = StopOptions {
    force: false,
    grace: None,
};
/// Every way to stop; the grace is a second.
pub(crate) const STOPS: [StopOptions; 3] = [
    STOP,
    StopOptions {
        force: false,
        grace: Some(1_000_000_000),
    },
    StopOptions {
        force: true,
        grace: None,
    },
];

/// What a driver acts in.
pub(crate) enum World {
    /// In memory.
    Simulated(Stage),
    /// An engine that is there.
    Real(RealWorld),
}

/// One driver in one world, observed.
pub(crate) struct Case<'a> {
    pub(crate) subject: &'a Subject,
    pub(crate) world: World,
    pub(crate) trace: Arc<Trace>,
    pub(crate) driver: Arc<Driver>,
}

impl Drop for Case<'_> {
    fn drop(&mut self) {
        self.subject.cover(&self.trace);
    }
}

impl Subject {
    /// Returns the driver in a new world, with all that it asks for.
    pub(crate) fn case(&self) -> Case<'_> {
        Case::new(self, self.world())
    }

    fn world(&self) -> World {
        let grants = self.grants(|_| true);
        match &self.real {
            Some(real) => {
                let world = RealWorld::new(real, grants, self.cancel.clone());
                let mut worlds = self.worlds.lock().unwrap_or_else(PoisonError::into_inner);
                worlds.push(world.clone());
                World::Real(world)
            }
            None => {
                let stage = Stage {
                    grants,
                    ..Stage::new(Answers::AtOnce)
                };
                stage.engine.open_registry();
                World::Simulated(stage)
            }
        }
    }
}

impl<'a> Case<'a> {
    pub(crate) fn new(subject: &'a Subject, world: World) -> Self {
        let trace = subject.trace();
        let driver = subject.driver.observed(Arc::clone(&trace) as _);
        Self {
            subject,
            world,
            trace,
            driver,
        }
    }

    /// Returns the world in memory.
    ///
    /// # Errors
    ///
    /// That it is not one: a check that needs it says so in its requirement.
    pub(crate) fn stage(&self) -> Result<&Stage, Failure> {
        match &self.world {
            World::Simulated(stage) => Ok(stage),
            World::Real(_) => Err(Failure::new("a simulated engine", "this one is real")),
        }
    }

    pub(crate) fn engine(&self) -> &dyn Engine {
        match &self.world {
            World::Simulated(stage) => &stage.engine,
            World::Real(world) => world.engine.as_ref(),
        }
    }

    pub(crate) fn context(&self) -> NodeContext {
        match &self.world {
            World::Simulated(stage) => stage.context(),
            World::Real(world) => world.context(),
        }
    }

    /// Returns the node with its plain configuration.
    pub(crate) fn node(&self) -> Node {
        self.driver.node(self.config(false), self.context())
    }

    /// Returns the node with flags and files too, where the driver takes them: it makes more calls.
    pub(crate) fn rich_node(&self) -> Node {
        self.driver.node(self.config(true), self.context())
    }

    /// Another node of the same builder, in a world in memory.
    pub(crate) fn named_node(&self, name: &str) -> Node {
        let mut config = self.config(false);
        config.config.name = name.to_owned();
        self.driver.node(config, self.context())
    }

    fn config(&self, rich: bool) -> ValidConfig {
        let mut config = if rich {
            self.subject.rich_config.clone()
        } else {
            self.subject.config.clone()
        };
        if let World::Real(world) = &self.world {
            config.config.name.clone_from(&world.node);
        }
        config
    }

    /// Returns the node's name.
    pub(crate) fn node_name(&self) -> &str {
        match &self.world {
            World::Simulated(_) => &self.subject.given.name,
            World::Real(world) => &world.node,
        }
    }

    /// Returns a name of another node's object, as it would be called here.
    pub(crate) fn renamed(&self, name: &str) -> String {
        name.replacen(&self.subject.probed_node, self.node_name(), 1)
    }

    /// Another token for the next operations, after the last one was used.
    pub(crate) fn renew_cancel(&mut self) {
        if let World::Simulated(stage) = &mut self.world {
            stage.cancel = CancellationToken::new();
        }
    }

    /// Grants everything that the driver asks for but this.
    pub(crate) fn deny(&mut self, denied: &str) {
        self.grant_only(|name| name != denied);
    }

    /// Grants nothing that the driver asks for.
    pub(crate) fn deny_all(&mut self) {
        self.grant_only(|_| false);
    }

    fn grant_only(&mut self, wanted: impl Fn(&str) -> bool) {
        let grants = self.subject.grants(wanted);
        match &mut self.world {
            World::Simulated(stage) => stage.grants = grants,
            World::Real(world) => world.grants = grants,
        }
    }

    /// Makes it a world where nothing answers over the network.
    pub(crate) fn without_daemons(&self) -> Result<(), Failure> {
        self.stage()?.network.set_fault(0, DialFault::Refused);
        Ok(())
    }

    /// Sets what the process of any container does.
    pub(crate) fn processes(&self, behavior: Behavior) -> Result<(), Failure> {
        self.stage()?
            .engine
            .on_start(move |_| Some(behavior.clone()));
        Ok(())
    }

    pub(crate) fn answers(&self, answers: Answers) -> Result<(), Failure> {
        self.stage()?.buildkit.set_answers(answers);
        Ok(())
    }

    /// Returns what the node has in the engine.
    pub(crate) async fn objects(&self) -> Result<Vec<String>, Failure> {
        let found = match &self.world {
            World::Simulated(stage) => return Ok(stage.objects().await),
            World::Real(world) => world.objects().await,
        };
        found.map_err(|error| Failure::new("the engine answers", error.to_string()))
    }

    /// Returns a failure with the end of the trace.
    pub(crate) fn failure(
        &self,
        expected: impl Into<String>,
        happened: impl Into<String>,
    ) -> Failure {
        Failure {
            trace: self.trace.last_lines(),
            ..Failure::new(expected, happened)
        }
    }

    /// Requires that an operation succeeds.
    pub(crate) fn ok<T>(&self, what: &str, result: Result<T, DriverError>) -> Result<T, Failure> {
        result.map_err(|error| {
            self.failure(
                format!("{what} succeeds"),
                format!("{}: {error}", failure_kind(&error)),
            )
        })
    }

    /// Requires that an operation fails in one of these ways; returns the error.
    pub(crate) fn refused<T>(
        &self,
        what: &str,
        result: Result<T, DriverError>,
        kinds: &[&str],
    ) -> Result<DriverError, Failure> {
        let expected = || format!("{what} fails with {}", kinds.join(" or "));
        match result {
            Ok(_) => Err(self.failure(expected(), "it succeeded")),
            Err(error) if kinds.contains(&failure_kind(&error)) => Ok(error),
            Err(error) => {
                Err(self.failure(expected(), format!("{}: {error}", failure_kind(&error))))
            }
        }
    }

    /// Requires that an operation, where it fails, does so with an error and not by being ended.
    pub(crate) fn typed(
        &self,
        what: &str,
        result: &Result<(), DriverError>,
    ) -> Result<(), Failure> {
        match result {
            Err(error @ (DriverError::Crashed { .. } | DriverError::OverBudget { .. })) => {
                Err(self.failure(
                    format!("{what} succeeds or returns an error"),
                    format!("{}: {error}", failure_kind(error)),
                ))
            }
            _ => Ok(()),
        }
    }

    /// Requires that these are the node's objects.
    pub(crate) async fn has(&self, when: &str, expected: &[String]) -> Result<(), Failure> {
        let found = self.objects().await?;
        if found == expected {
            return Ok(());
        }
        let list = |objects: &[String]| match objects {
            [] => "nothing".to_owned(),
            objects => objects.join(", "),
        };
        Err(self.failure(
            format!("{when}, there is in the engine: {}", list(expected)),
            format!("there is: {}", list(&found)),
        ))
    }

    /// Requires a status.
    pub(crate) async fn status(
        &self,
        when: &str,
        node: &Node,
        wanted: &[Status],
    ) -> Result<Info, Failure> {
        let info = self.ok(&format!("info {when}"), node.info().await)?;
        if wanted.contains(&info.status) {
            return Ok(info);
        }
        let names: Vec<_> = wanted.iter().map(|status| status_name(*status)).collect();
        Err(self.failure(
            format!("info {when} says {}", names.join(" or ")),
            format!("it says {}", status_name(info.status)),
        ))
    }

    /// Requires that `dial` leads to a BuildKit.
    pub(crate) async fn reaches_buildkit(&self, when: &str, node: &Node) -> Result<(), Failure> {
        let stream = self.ok(&format!("dial {when}"), node.dial().await)?;
        let context = self.context();
        let connect = async {
            let client = context.buildkit.connect(stream).await?;
            client.version().await.map(drop)
        };
        let connected = tokio::time::timeout(Duration::from_secs(20), connect).await;
        let problem = match connected {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(reason)) => reason,
            Err(_) => "nothing answers on the connection".into(),
        };
        Err(self.failure(
            format!("BuildKit answers on the connection of dial {when}"),
            problem,
        ))
    }
}

/// As `wit/driver.wit` spells it.
pub(crate) fn status_name(status: Status) -> &'static str {
    match status {
        Status::Inactive => "inactive",
        Status::Starting => "starting",
        Status::Running => "running",
        Status::Stopping => "stopping",
        Status::Stopped => "stopped",
    }
}
