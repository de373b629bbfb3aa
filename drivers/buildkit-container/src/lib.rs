//! BuildKit in a container of the engine, its cache in a volume: what drivers that keep it there
//! have in common.
//!
//! A driver is a [`Policy`]: it says what there is to choose, and fills the [`Settings`] of the
//! container. [`ContainerDriver`] does the rest. Names are the same whatever the policy, so that a
//! builder changes from one such driver to another and keeps its cache.
//!
//! ```
//! use iechor_driver::container::{MountSource, Mounted, Spec};
//! use iechor_driver::{Description, Error, Node, Options, capability};
//! use iechor_buildkit_container::{ContainerDriver, HOST_NETWORK, Policy, Settings};
//!
//! /// BuildKit with little memory, behind our proxy and with our authorities.
//! struct Ours {
//!     team: String,
//! }
//!
//! /// Where each of our machines has the certificates of our authorities.
//! const AUTHORITIES: &str = "/etc/ssl/ours";
//!
//! impl Policy for Ours {
//!     fn describe() -> Description {
//!         Description::new("ours", env!("CARGO_PKG_VERSION"), "BuildKit as we want it")
//!             .capability(capability::required("container.privileged", "BuildKit needs it"))
//!             .capability(capability::required("image.pull", "BuildKit's own image"))
//!             // A proxy sees what is built, and authorities decide whom BuildKit trusts: neither is
//!             // a driver's choice without it.
//!             .capability(capability::required("container.command", "our proxy and authorities"))
//!             .capability(
//!                 capability::required("container.bind", "our certificate authorities")
//!                     .within([AUTHORITIES]),
//!             )
//!     }
//!
//!     fn open(node: &Node, options: &mut Options) -> (Self, Settings) {
//!         // Either could allow what we do not.
//!         if node.buildkitd_flags.iter().any(|flag| flag != HOST_NETWORK) {
//!             options.refuse_node("flags of buildkitd are ours to set: leave --buildkitd-flags out");
//!         }
//!         if !node.files.is_empty() {
//!             options.refuse_node("buildkitd is configured by us: leave --buildkitd-config out");
//!         }
//!         let team = options.text("team", "Team that pays for the machine").required();
//!         let memory = options.size("memory", "Memory to use").default("512m");
//!         let settings = Settings {
//!             memory: Some(memory),
//!             ..Settings::default()
//!         };
//!         (Self { team }, settings)
//!     }
//!
//!     fn container(&self, spec: &mut Spec) -> Result<(), Error> {
//!         spec.labels.push(("com.example.team".into(), self.team.clone()));
//!         spec.env.push(("HTTPS_PROXY".into(), "http://proxy.example.com:3128".into()));
//!         spec.mounts.push(Mounted {
//!             target: "/etc/ssl/certs".into(),
//!             source: MountSource::Bind(AUTHORITIES.into()),
//!             read_only: true,
//!         });
//!         Ok(())
//!     }
//! }
//!
//! iechor_driver::register!(ContainerDriver<Ours>);
//!
//! // In the tests of the driver, which `cargo test` runs without any host:
//! use iechor_driver::{Config, testing};
//!
//! type Driver = ContainerDriver<Ours>;
//! testing::assert_sound::<Driver>();
//! let driver = testing::open::<Driver>(&[("team", "web")]).expect("it is right");
//! assert_eq!(driver.settings().memory, Some(512 << 20));
//! let mut spec = Spec::new("container", "image");
//! driver.policy().container(&mut spec).expect("it changes it");
//! assert_eq!(spec.labels, [("com.example.team".into(), "web".into())]);
//! let with_flags = Config {
//!     buildkitd_flags: vec!["--debug".into()],
//!     ..testing::config(&[("team", "web")])
//! };
//! assert!(testing::open_config::<Driver>(with_flags).is_err());
//! ```

mod boot;
mod driver;
mod image;
mod policy;
mod settings;
mod transport;

pub use driver::ContainerDriver;
pub use policy::{HOST_NETWORK, Policy};
pub use settings::{DEFAULT_IMAGE, Pull, Settings, Transport};
