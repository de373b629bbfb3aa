//! One node: what each operation of the contract does to its container and its volume.

use iechor_driver::container::{self, Container, ExecSpec};
use iechor_driver::transport::Connection;
use iechor_driver::volume::Volume;
use iechor_driver::{
    Config, Error, Feature, GuestBuilder, Info, RemoveOptions, Severity, Status, StopOptions,
};

use crate::boot;
use crate::options::Options;

/// A node as it is configured. What is true of it now is in the engine.
pub struct ContainerBuilder {
    pub config: Config,
    pub options: Options,
}

impl ContainerBuilder {
    pub fn container_name(&self) -> String {
        format!("buildx_buildkit_{}", self.config.name)
    }

    pub fn state_volume_name(&self) -> String {
        format!("{}_state", self.container_name())
    }
}

impl GuestBuilder for ContainerBuilder {
    fn open(config: Config) -> Result<iechor_driver::Builder, Error> {
        let (options, issues) = Options::read(&config);
        if let Some(issue) = issues
            .into_iter()
            .find(|issue| issue.severity == Severity::Error)
        {
            let subject = issue.subject.unwrap_or_default();
            return Err(Error::InvalidArgument(format!(
                "option {subject}: {}",
                issue.message
            )));
        }
        Ok(iechor_driver::Builder::new(Self { config, options }))
    }

    fn info(&self) -> Result<Info, Error> {
        let summary = match Container::find(&self.container_name())? {
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
        match Container::find(&self.container_name())? {
            None => Err(Error::NotRunning),
            Some(container) => dial(&container),
        }
    }

    fn version(&self) -> Result<String, Error> {
        let container = Container::find(&self.container_name())?.ok_or(Error::NotRunning)?;
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
        let mut features = vec![
            Feature::OciExporter,
            Feature::DockerExporter,
            Feature::CacheExport,
            Feature::MultiPlatform,
            Feature::DirectPush,
        ];
        if self.options.default_load {
            features.push(Feature::DefaultLoad);
        }
        Ok(features)
    }

    fn stop(&self, options: StopOptions) -> Result<(), Error> {
        match Container::find(&self.container_name())? {
            None => Ok(()),
            Some(container) => ignore_missing(container.stop(options.grace)),
        }
    }

    fn remove(&self, options: RemoveOptions) -> Result<(), Error> {
        if options.keep_daemon {
            return Ok(());
        }
        if let Some(container) = Container::find(&self.container_name())? {
            ignore_missing(container.remove(true))?;
        }
        // The volume goes even where the container is gone already: it may hold gigabytes.
        if !options.keep_state
            && let Some(volume) = Volume::find(&self.state_volume_name())?
        {
            ignore_missing(volume.remove(options.force))?;
        }
        Ok(())
    }

    fn host_gateway(&self) -> Result<String, Error> {
        Err(Error::Unsupported(
            "host-gateway is not supported by the container driver".into(),
        ))
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
