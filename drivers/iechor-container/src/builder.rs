//! One node: what each operation of the contract does to its container and its volume.

use iechor_driver::container::{self, Container, ExecSpec};
use iechor_driver::transport::Connection;
use iechor_driver::volume::Volume;
use iechor_driver::{
    Description, Driver, Error, Feature, Info, Node, Options, RemoveOptions, Status, StopOptions,
    capability,
};

use crate::boot;
use crate::options::Settings;

/// A node as it is configured. What is true of it now is in the engine.
pub struct ContainerBuilder {
    pub node: Node,
    pub options: Settings,
}

impl Driver for ContainerBuilder {
    fn describe() -> Description {
        Description::new(
            "iechor-container",
            env!("CARGO_PKG_VERSION"),
            "BuildKit in a container of the engine, its cache in a volume",
        )
        .vendor("iechor")
        .license(env!("CARGO_PKG_LICENSE"))
        .capability(capability::required(
            "container.privileged",
            "BuildKit mounts file systems and starts containers of its own",
        ))
        .capability(capability::required(
            "image.pull",
            "the image that BuildKit runs from",
        ))
        .capability(capability::optional(
            "container.network",
            "the option network may name any network, the host's own too",
        ))
        .capability(capability::optional(
            "container.cgroup-parent",
            "the option cgroup-parent, and the parent /iechor/buildx of builders",
        ))
    }

    fn priority(endpoint: &str) -> Option<u32> {
        // Any endpoint of an engine will do; a driver for one kind of endpoint comes first.
        (!endpoint.is_empty()).then_some(30)
    }

    fn open(node: Node, options: &mut Options) -> Self {
        Self {
            node,
            options: Settings::read(options),
        }
    }

    fn info(&self) -> Result<Info, Error> {
        let summary = match Container::find(&self.node.container_name())? {
            None => None,
            Some(container) => match container.inspect() {
                // Gone between the two questions.
                Err(Error::NotFound(_)) => None,
                Err(error) => return Err(error),
                Ok(summary) => Some(summary),
            },
        };
        Ok(Info {
            status: match summary.as_ref().map(|summary| summary.status) {
                None => Status::Inactive,
                Some(container::Status::Running | container::Status::Paused) => Status::Running,
                Some(container::Status::Restarting) => Status::Starting,
                Some(container::Status::Removing) => Status::Stopping,
                Some(_) => Status::Stopped,
            },
            nodes: Vec::new(),
            run: summary.and_then(|summary| summary.run),
        })
    }

    fn boot(&self) -> Result<(), Error> {
        boot::boot(self)
    }

    fn dial(&self) -> Result<Connection, Error> {
        match Container::find(&self.node.container_name())? {
            None => Err(Error::NotRunning),
            Some(container) => dial(&container),
        }
    }

    fn version(&self) -> Result<String, Error> {
        let container = Container::find(&self.node.container_name())?.ok_or(Error::NotRunning)?;
        let output = container.run(&command(&["buildkitd", "--version"]))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        // "buildkitd github.com/moby/buildkit v0.31.0 <revision>"
        text.split_whitespace()
            .nth(2)
            .filter(|_| output.exit_code == 0)
            .map(str::to_owned)
            .ok_or_else(|| Error::Other(format!("unexpected version of buildkitd: {text:?}")))
    }

    fn features(&self) -> Result<Vec<Feature>, Error> {
        let mut features = iechor_driver::BUILDKIT_FEATURES.to_vec();
        if self.options.default_load {
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
        // The volume goes even where the container is gone already: it may hold gigabytes.
        if !options.keep_state
            && let Some(volume) = Volume::find(&self.node.state_volume_name())?
        {
            ignore_missing(volume.remove(options.force))?;
        }
        Ok(())
    }
}

/// Connects to the BuildKit that runs in `container`.
pub fn dial(container: &Container) -> Result<Connection, Error> {
    match container.dial(&command(&["buildctl", "dial-stdio"]), None) {
        Err(Error::Conflict(_) | Error::NotFound(_)) => Err(Error::NotRunning),
        other => other,
    }
}

fn command(words: &[&str]) -> ExecSpec {
    ExecSpec {
        command: words.iter().map(|word| (*word).to_owned()).collect(),
        env: Vec::new(),
        user: None,
        workdir: None,
    }
}

fn ignore_missing(result: Result<(), Error>) -> Result<(), Error> {
    match result {
        Err(Error::NotFound(_)) => Ok(()),
        other => other,
    }
}
