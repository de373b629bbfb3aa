//! The operations of the contract on the container and its volume.

use iechor_driver::container::{self, Container, ExecSpec};
use iechor_driver::transport::Connection;
use iechor_driver::volume::Volume;
use iechor_driver::{
    BUILDKIT_FEATURES, Description, Driver, Error, Feature, Info, Node, Options, RemoveOptions,
    Status, StopOptions,
};

use crate::boot::boot;
use crate::policy::Policy;
use crate::settings::Settings;
use crate::transport::dial;

/// A driver that runs BuildKit in a container, with a policy.
#[derive(Debug)]
pub struct ContainerDriver<P> {
    node: Node,
    policy: P,
    settings: Settings,
}

impl<P> ContainerDriver<P> {
    /// Returns the settings of the container.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Returns the policy.
    pub fn policy(&self) -> &P {
        &self.policy
    }
}

impl<P: Policy> Driver for ContainerDriver<P> {
    fn describe() -> Description {
        P::describe()
    }

    fn priority(endpoint: &str) -> Option<u32> {
        P::priority(endpoint)
    }

    fn open(node: Node, options: &mut Options) -> Self {
        let (policy, settings) = P::open(&node, options);
        Self {
            node,
            policy,
            settings,
        }
    }

    fn info(&self) -> Result<Info, Error> {
        let summary = match Container::find(&self.node.container_name())? {
            None => None,
            Some(container) => match container.inspect() {
                // It was removed between the two calls.
                Err(Error::NotFound(_)) => None,
                Err(error) => return Err(error),
                Ok(summary) => Some(summary),
            },
        };
        Ok(Info {
            status: match summary.as_ref().map(|summary| summary.status) {
                None => Status::Inactive,
                Some(container::Status::Running) => Status::Running,
                Some(container::Status::Restarting) => Status::Starting,
                Some(container::Status::Removing) => Status::Stopping,
                // This includes a paused container, which no build can use.
                Some(_) => Status::Stopped,
            },
            run: summary.and_then(|summary| summary.run),
            extra: Vec::new(),
        })
    }

    fn boot(&self) -> Result<(), Error> {
        let container = boot(&self.node, &self.settings, &self.policy)?;
        self.policy.booted(&container)
    }

    fn dial(&self) -> Result<Connection, Error> {
        match Container::find(&self.node.container_name())? {
            None => Err(Error::NotRunning),
            Some(container) => dial(&container, self.settings.transport),
        }
    }

    fn version(&self) -> Result<String, Error> {
        let container = Container::find(&self.node.container_name())?.ok_or(Error::NotRunning)?;
        let output = container.run(&ExecSpec::new(["buildkitd", "--version"]))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        // "buildkitd github.com/moby/buildkit v0.31.0 <revision>"
        text.split_whitespace()
            .nth(2)
            .filter(|_| output.exit_code == 0)
            .map(str::to_owned)
            .ok_or_else(|| Error::Other(format!("unexpected version of buildkitd: {text:?}")))
    }

    fn features(&self) -> Result<Vec<Feature>, Error> {
        let mut features = BUILDKIT_FEATURES.to_vec();
        if self.settings.default_load {
            features.push(Feature::DefaultLoad);
        }
        Ok(features)
    }

    fn stop(&self, options: StopOptions) -> Result<(), Error> {
        match Container::find(&self.node.container_name())? {
            None => Ok(()),
            Some(container) => ignore_missing(container.stop(options.grace)),
        }
    }

    fn remove(&self, options: RemoveOptions) -> Result<(), Error> {
        if options.keep_daemon {
            return Ok(());
        }
        if let Some(container) = Container::find(&self.node.container_name())? {
            ignore_missing(container.remove(true))?;
        }
        // The volume is removed even if the container no longer exists: it may hold gigabytes.
        if !options.keep_state
            && let Some(volume) = Volume::find(&self.node.state_volume_name())?
        {
            ignore_missing(volume.remove(options.force))?;
        }
        Ok(())
    }
}

fn ignore_missing(result: Result<(), Error>) -> Result<(), Error> {
    match result {
        Err(Error::NotFound(_)) => Ok(()),
        other => other,
    }
}
