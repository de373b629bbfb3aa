//! Between the contract's exports and [`Driver`].

use std::marker::PhantomData;

use crate::bindings::exports::iechor::driver::driver::{self, Guest, GuestNode};
use crate::transport::Connection;
use crate::{
    Config, Descriptor, Driver, Error, Feature, Info, Issue, Node, Options, RemoveOptions,
    StopOptions,
};

/// A driver as the contract exports it; `register!` names it.
pub struct Exported<D>(PhantomData<D>);

/// A node as the contract exports it.
pub struct ExportedNode<D>(D);

impl<D: Driver> Guest for Exported<D> {
    type Node = ExportedNode<D>;

    fn describe() -> Descriptor {
        descriptor::<D>()
    }

    fn priority(endpoint: String) -> Option<u32> {
        D::priority(&endpoint)
    }

    fn validate(config: Config) -> Vec<Issue> {
        // The host has looked for required options, and names those that are missing.
        open::<D>(config).1.issues()
    }
}

impl<D: Driver> GuestNode for ExportedNode<D> {
    fn open(config: Config) -> Result<driver::Node, Error> {
        let (driver, options) = open::<D>(config);
        match options.refusal() {
            Some(words) => Err(Error::InvalidArgument(words)),
            None => Ok(driver::Node::new(Self(driver))),
        }
    }

    fn info(&self) -> Result<Info, Error> {
        self.0.info()
    }

    fn boot(&self) -> Result<(), Error> {
        self.0.boot()
    }

    fn dial(&self) -> Result<Connection, Error> {
        self.0.dial()
    }

    fn version(&self) -> Result<String, Error> {
        self.0.version()
    }

    fn features(&self) -> Result<Vec<Feature>, Error> {
        self.0.features()
    }

    fn stop(&self, options: StopOptions) -> Result<(), Error> {
        self.0.stop(options)
    }

    fn remove(&self, options: RemoveOptions) -> Result<(), Error> {
        self.0.remove(options)
    }

    fn host_gateway(&self) -> Result<String, Error> {
        self.0.host_gateway()
    }
}

/// Returns what a driver says that it is, its options included.
pub(crate) fn descriptor<D: Driver>() -> Descriptor {
    let nothing = Config {
        name: String::new(),
        endpoint: String::new(),
        options: Vec::new(),
        buildkitd_flags: Vec::new(),
        files: Vec::new(),
        platforms: Vec::new(),
        extra: Vec::new(),
    };
    let (_, options) = open::<D>(nothing);
    D::describe().with_options(options.into_declared())
}

/// Opens a node, and returns what was declared and found on the way. The node is of use only where
/// no fault was found.
pub(crate) fn open<D: Driver>(config: Config) -> (D, Options) {
    let (node, given) = Node::split(config);
    let mut options = Options::new(given);
    let driver = D::open(node, &mut options);
    (driver, options)
}
