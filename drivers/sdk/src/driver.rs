//! The operations of a driver.

use crate::buildkit_session::Client;
use crate::transport::Connection;
use crate::types::{File, Pair, Platform};
use crate::{
    Config, Description, Error, Feature, Info, Options, RemoveOptions, Status, StopOptions,
};

/// The features of every BuildKit: exporters of OCI and Docker archives, cache export, several
/// platforms, push.
pub const BUILDKIT_FEATURES: &[Feature] = &[
    Feature::OciExporter,
    Feature::DockerExporter,
    Feature::CacheExport,
    Feature::MultiPlatform,
    Feature::DirectPush,
];

/// A node of a builder, with the operations of the contract.
///
/// The type holds the user's configuration and nothing else: the state of the node is in the
/// engine. The host opens a new node for each operation.
///
/// A complete driver that runs BuildKit in a container of the engine. (The library
/// `iechor-buildkit-container` handles more cases; drivers can build on it.)
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
///         // Unsupported settings are refused, not ignored.
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
    /// Returns the description of the driver. Pure: nothing is granted, no capability works.
    fn describe() -> Description;

    /// Returns how well the driver suits an endpoint, if the user named no driver: the lowest number
    /// wins, `None` means not at all. Pure.
    fn priority(endpoint: &str) -> Option<u32> {
        let _ = endpoint;
        None
    }

    /// Opens a node: declares and reads every option, and [refuses](Options::refuse) invalid
    /// combinations. Pure.
    ///
    /// It runs for three purposes: to describe the driver (without options), to validate a
    /// configuration, and to work on a node, if there are no faults. Declare every option in every
    /// run: an option that depends on the value of another would be missing from the description.
    fn open(node: Node, options: &mut Options) -> Self;

    /// Returns the state of the node. A node that does not exist is [`Status::Inactive`], not an
    /// error. `Status::Running.into()` converts a status into an answer.
    ///
    /// # Errors
    ///
    /// The state cannot be found out.
    fn info(&self) -> Result<Info, Error>;

    /// Creates and starts what is missing, and returns once BuildKit answers on a connection such
    /// as [`dial`](Driver::dial) opens; [`wait_for_buildkit`](crate::wait_for_buildkit) waits for
    /// that. Idempotent: a node that runs is left as it is.
    ///
    /// # Errors
    ///
    /// BuildKit does not answer. The host removes what was created.
    fn boot(&self) -> Result<(), Error>;

    /// Opens a new connection to BuildKit.
    ///
    /// # Errors
    ///
    /// [`Error::NotRunning`] if [`boot`](Driver::boot) could change that, so before it and after
    /// `stop`: the host boots, and dials again. [`Error::Unavailable`], with the reason, if BuildKit
    /// belongs to somebody else and does not answer.
    fn dial(&self) -> Result<Connection, Error>;

    /// Returns the version of BuildKit, for example `v0.31.0` (default: asks BuildKit).
    ///
    /// # Errors
    ///
    /// The errors of [`dial`](Driver::dial), or the version cannot be found out.
    fn version(&self) -> Result<String, Error> {
        Ok(Client::open(self.dial()?)?.version()?.version)
    }

    /// Returns what a build may ask of the node (default: [`BUILDKIT_FEATURES`]).
    ///
    /// # Errors
    ///
    /// The features cannot be found out.
    fn features(&self) -> Result<Vec<Feature>, Error> {
        Ok(BUILDKIT_FEATURES.to_vec())
    }

    /// Stops BuildKit and keeps the cache. Idempotent. The default does nothing, for a daemon that
    /// does not belong to the driver.
    ///
    /// # Errors
    ///
    /// BuildKit still runs.
    fn stop(&self, options: StopOptions) -> Result<(), Error> {
        let _ = options;
        Ok(())
    }

    /// Removes what `boot` created, except for what `options` keeps. Idempotent. The default does
    /// nothing, for a driver that creates nothing.
    ///
    /// # Errors
    ///
    /// Something is left.
    fn remove(&self, options: RemoveOptions) -> Result<(), Error> {
        let _ = options;
        Ok(())
    }

    /// Returns the address by which a build reaches the host machine (default: unsupported).
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] if there is no such address.
    fn host_gateway(&self) -> Result<String, Error> {
        Err(Error::Unsupported(format!(
            "host-gateway is not supported by the driver {}",
            Self::describe().with_options(Vec::new()).name
        )))
    }
}

/// The configuration of a node, without the options, which [`Options`] reads.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Unique on this engine; names of containers and volumes derive from it. Empty while the
    /// driver is being described.
    pub name: String,
    /// Endpoint of the engine, for messages: the host is connected already. For a driver that does
    /// not use the engine, the address of BuildKit that the user gave.
    pub endpoint: String,
    /// `--buildkitd-flags`, split into words.
    pub buildkitd_flags: Vec<String>,
    /// `buildkitd.toml` and the certificates and keys that it names, by their paths below
    /// `/etc/buildkit`. They have no contents here: copy them there as they are, and the host fills
    /// in the contents.
    pub files: Vec<File>,
    /// `--platform`; if empty, the platforms of BuildKit.
    pub platforms: Vec<Platform>,
    /// Settings of hosts that are newer than this crate.
    pub extra: Vec<Pair>,
}

impl Node {
    /// Returns the name of the node's container, `buildx_buildkit_<node>`. For further objects, see
    /// [`Self::object_name`].
    pub fn container_name(&self) -> String {
        format!("buildx_buildkit_{}", self.name)
    }

    /// Returns the name of the volume with BuildKit's state, `buildx_buildkit_<node>_state`. A
    /// volume of this name that was kept from an earlier builder belongs to this node.
    pub fn state_volume_name(&self) -> String {
        format!("{}_state", self.container_name())
    }

    /// Returns the name of a further container, volume or network of the node,
    /// `buildx_buildkit_<node>..<name>`. The host refuses other names, which could belong to another
    /// node.
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
