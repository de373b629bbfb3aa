//! What a driver does.

use crate::buildkit_session::Client;
use crate::transport::Connection;
use crate::types::{File, Pair, Platform};
use crate::{
    Config, Description, Error, Feature, Info, Options, RemoveOptions, Status, StopOptions,
};

/// What BuildKit can do wherever it runs: exporters of OCI and Docker archives, cache export,
/// several platforms, push.
pub const BUILDKIT_FEATURES: &[Feature] = &[
    Feature::OciExporter,
    Feature::DockerExporter,
    Feature::CacheExport,
    Feature::MultiPlatform,
    Feature::DirectPush,
];

/// A node of a builder, and what each operation of the contract does to it.
///
/// The type holds what the user configured and nothing else: what is true of the node is in the
/// engine. The host opens a fresh one whenever it likes, and after any failure of the component.
///
/// A driver that keeps BuildKit in a container of the engine, all of it. (The crate
/// `iechor-buildkit-container` does this with more care, for a driver to build upon.)
///
/// ```
/// use std::time::Duration;
///
/// use iechor_driver::container::{self, Container, ExecSpec, MountSource, Mounted, Spec};
/// use iechor_driver::transport::Connection;
/// use iechor_driver::volume::{self, Volume};
/// use iechor_driver::{
///     Description, Driver, Error, Info, Node, Options, RemoveOptions, Status, StopOptions,
///     capability, image, step, wait_for_buildkit,
/// };
///
/// struct InContainer {
///     node: Node,
///     memory: Option<u64>,
/// }
///
/// impl InContainer {
///     fn container(&self) -> Result<Option<Container>, Error> {
///         Container::find(&self.node.container_name())
///     }
///
///     fn create(&self) -> Result<Container, Error> {
///         let image = step("pulling BuildKit", |task| {
///             image::resolve("moby/buildkit:v0.31.0", None, image::Pull::IfMissing, Some(task))
///         })?;
///         let state = self.node.state_volume_name();
///         // Kept from an earlier builder of this name, it has the cache.
///         if Volume::find(&state)?.is_none() {
///             Volume::create(&volume::Spec::new(&state))?;
///         }
///         Container::create(&Spec {
///             command: self.node.buildkitd_flags.clone(),
///             privileged: true,
///             init: true,
///             mounts: vec![Mounted {
///                 target: "/var/lib/buildkit".into(),
///                 source: MountSource::Volume(state),
///                 read_only: false,
///             }],
///             limits: container::Limits {
///                 memory: self.memory,
///                 ..Default::default()
///             },
///             ..Spec::new(self.node.container_name(), image.reference)
///         })
///     }
/// }
///
/// impl Driver for InContainer {
///     fn describe() -> Description {
///         Description::new("in-container", env!("CARGO_PKG_VERSION"), "BuildKit in a container")
///             .capability(capability::required("container.privileged", "BuildKit needs it"))
///             .capability(capability::required("image.pull", "the image of BuildKit"))
///     }
///
///     fn open(node: Node, options: &mut Options) -> Self {
///         let memory = options.size("memory", "Memory that it may use").optional();
///         // What is not heeded is refused: nothing that was configured is passed over in silence.
///         if !node.files.is_empty() {
///             options.refuse_node("a configuration file is not supported; leave it out");
///         }
///         Self { node, memory }
///     }
///
///     fn info(&self) -> Result<Info, Error> {
///         let Some(container) = self.container()? else {
///             return Ok(Status::Inactive.into());
///         };
///         let summary = container.inspect()?;
///         Ok(Info {
///             run: summary.run,
///             ..match summary.status {
///                 container::Status::Running => Status::Running.into(),
///                 _ => Status::Stopped.into(),
///             }
///         })
///     }
///
///     fn boot(&self) -> Result<(), Error> {
///         let container = match self.container()? {
///             Some(container) => container,
///             None => self.create()?,
///         };
///         container.start()?;
///         let is_alive = || {
///             let now = container.inspect()?;
///             if now.status == container::Status::Running {
///                 return Ok(());
///             }
///             let (code, lines) = (now.exit_code.unwrap_or(-1), container.last_logs(10)?);
///             Err(Error::Unavailable(format!("exit code {code}\n{}", lines.join("\n"))))
///         };
///         Ok(wait_for_buildkit(Duration::from_secs(90), || self.dial(), is_alive)?)
///     }
///
///     fn dial(&self) -> Result<Connection, Error> {
///         let container = self.container()?.ok_or(Error::NotRunning)?;
///         match container.dial(&ExecSpec::new(["buildctl", "dial-stdio"]), None) {
///             // It does not run.
///             Err(Error::Conflict(_)) => Err(Error::NotRunning),
///             result => result,
///         }
///     }
///
///     fn stop(&self, options: StopOptions) -> Result<(), Error> {
///         self.container()?.map_or(Ok(()), |container| container.stop(options.grace))
///     }
///
///     fn remove(&self, options: RemoveOptions) -> Result<(), Error> {
///         if options.keep_daemon {
///             return Ok(());
///         }
///         if let Some(container) = self.container()? {
///             container.remove(true)?;
///         }
///         match Volume::find(&self.node.state_volume_name())? {
///             Some(volume) if !options.keep_state => volume.remove(options.force),
///             _ => Ok(()),
///         }
///     }
/// }
///
/// iechor_driver::register!(InContainer);
/// iechor_driver::testing::assert_sound::<InContainer>();
/// ```
pub trait Driver: Sized + 'static {
    /// Says what the driver is. Pure: nothing is granted, no capability works.
    fn describe() -> Description;

    /// Returns how well the driver suits an endpoint, where the user named no driver: the lowest number
    /// wins, `None` does not take part. Pure.
    fn priority(endpoint: &str) -> Option<u32> {
        let _ = endpoint;
        None
    }

    /// Takes the configuration of a node: declares and reads every option, and
    /// [refuses](Options::refuse) what does not go together. Pure.
    ///
    /// It is run for each of three purposes, so that they cannot drift apart. To describe the
    /// driver, without any option, for what it declares; to validate a configuration, for the
    /// faults that it finds; to work on a node, which happens only where there are no faults.
    /// Declare every option in every run: one that hangs on the value of another would be missing
    /// from the description.
    fn open(node: Node, options: &mut Options) -> Self;

    /// Returns how the node is now. A node that does not exist is no error but
    /// [`Status::Inactive`]; `Status::Running.into()` makes an answer of a status.
    ///
    /// # Errors
    ///
    /// Why that cannot be found out.
    fn info(&self) -> Result<Info, Error>;

    /// Creates and starts what is missing, and returns once BuildKit answers on a connection such
    /// as [`dial`](Driver::dial) opens; [`wait_for_buildkit`](crate::wait_for_buildkit) waits for
    /// that. Idempotent: a node that runs is left as it is.
    ///
    /// # Errors
    ///
    /// Why BuildKit does not answer. The host removes what was created.
    fn boot(&self) -> Result<(), Error>;

    /// Opens a new connection to BuildKit.
    ///
    /// # Errors
    ///
    /// [`Error::NotRunning`] where [`boot`](Driver::boot) could change that, so before it and after
    /// `stop`: the host boots, and dials again. [`Error::Unavailable`], with the reason, where
    /// BuildKit is somebody else's and does not answer.
    fn dial(&self) -> Result<Connection, Error>;

    /// Returns the version of BuildKit, for example `v0.31.0`. As BuildKit says itself, by default.
    ///
    /// # Errors
    ///
    /// As [`dial`](Driver::dial), or why it cannot be found out.
    fn version(&self) -> Result<String, Error> {
        Ok(Client::open(self.dial()?)?.version()?.version)
    }

    /// Returns what a build may ask of the node. [`BUILDKIT_FEATURES`], by default.
    ///
    /// # Errors
    ///
    /// Why that cannot be found out.
    fn features(&self) -> Result<Vec<Feature>, Error> {
        Ok(BUILDKIT_FEATURES.to_vec())
    }

    /// Stops BuildKit; the cache stays. Idempotent. By default nothing happens, which is right
    /// where the daemon is not the driver's.
    ///
    /// # Errors
    ///
    /// Why BuildKit still runs.
    fn stop(&self, options: StopOptions) -> Result<(), Error> {
        let _ = options;
        Ok(())
    }

    /// Removes what `boot` created, but for what `options` says to keep. Idempotent. By default
    /// nothing happens, which is right where the driver creates nothing.
    ///
    /// # Errors
    ///
    /// Why something is left.
    fn remove(&self, options: RemoveOptions) -> Result<(), Error> {
        let _ = options;
        Ok(())
    }

    /// Returns the address by which a build reaches the machine that the user sits at. Unsupported, by
    /// default.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] where there is no such address.
    fn host_gateway(&self) -> Result<String, Error> {
        Err(Error::Unsupported(format!(
            "host-gateway is not supported by the driver {}",
            Self::describe().with_options(Vec::new()).name
        )))
    }
}

/// A node as the user configured it, but for the options: [`Options`] reads those.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Unique on this engine; names of containers and volumes derive from it. Empty while the
    /// driver is being described.
    pub name: String,
    /// The engine's endpoint, for a message: the host is connected already. For a driver that
    /// calls nothing of the engine, what the user gave instead: where BuildKit is.
    pub endpoint: String,
    /// `--buildkitd-flags`, split into words.
    pub buildkitd_flags: Vec<String>,
    /// `buildkitd.toml`, and the certificates and keys that it names, by their paths below
    /// `/etc/buildkit`. They have no contents here: copy them there as they are, and the host puts
    /// in what the user gave.
    pub files: Vec<File>,
    /// `--platform`; empty means that the node says for itself.
    pub platforms: Vec<Platform>,
    /// Settings of hosts that are newer than this crate.
    pub extra: Vec<Pair>,
}

impl Node {
    /// `buildx_buildkit_<node>`: the name of the node's container. Further objects have names of
    /// [`Self::object_name`].
    pub fn container_name(&self) -> String {
        format!("buildx_buildkit_{}", self.name)
    }

    /// `buildx_buildkit_<node>_state`: the name of the volume of BuildKit's state. A volume of
    /// this name that was kept from an earlier builder is this node's.
    pub fn state_volume_name(&self) -> String {
        format!("{}_state", self.container_name())
    }

    /// `buildx_buildkit_<node>..<name>`: what a further container or volume, or a network, of the node
    /// is called. The host refuses other names: they could be those of another node's objects.
    pub fn object_name(&self, name: &str) -> String {
        format!("{}..{name}", self.container_name())
    }

    pub(crate) fn split(config: Config) -> (Self, Vec<Pair>) {
        let node = Self {
            name: config.name,
            endpoint: config.endpoint,
            buildkitd_flags: config.buildkitd_flags,
            files: config.files,
            platforms: config.platforms,
            extra: config.extra,
        };
        (node, config.options)
    }
}

impl From<Status> for Info {
    fn from(status: Status) -> Self {
        Self {
            status,
            run: None,
            extra: Vec::new(),
        }
    }
}
