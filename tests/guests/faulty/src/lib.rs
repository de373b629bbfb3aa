//! A small driver that runs BuildKit in a container, correct except for one fault.
//!
//! The option `fault` selects the fault. In functions without a configuration, [`ORDER`] selects it; a
//! test overwrites it in the component's bytes.
#![cfg(target_arch = "wasm32")]

mod node;

use std::time::SystemTime;

use iechor_driver::bindings::exports::iechor::driver::driver::{self, Guest, GuestNode};
use iechor_driver::transport::Connection;
use iechor_driver::{
    CapabilityRequest, Config, Descriptor, Error, Feature, Info, Issue, OptionKind, OptionSpec,
    RemoveOptions, Severity, StopOptions, clock, container, values,
};

/// A behaviour that tests overwrite with the same number of bytes.
static ORDER: [u8; 32] = *b"order to the driver: be good....";

fn order() -> String {
    // SAFETY: it is a static of bytes. The read is volatile, because otherwise the compiler would use the
    // initial value.
    let bytes = unsafe { std::ptr::read_volatile(&ORDER) };
    String::from_utf8_lossy(&bytes)
        .trim_end_matches('.')
        .to_owned()
}

struct Faulty;

iechor_driver::bindings::export!(Faulty with_types_in iechor_driver::bindings);

impl Guest for Faulty {
    type Node = node::Node;

    fn describe() -> Descriptor {
        let order = order();
        if order == "reach out" {
            let _ = container::list_all(&[]);
        }
        if order == "look at the clock for ever" {
            loop {
                clock::now();
            }
        }
        assert_ne!(order, "trap in describe", "describe was told to trap");
        let summary = match order.as_str() {
            "no summary" => String::new(),
            "never the same" => format!("{:?}", SystemTime::now()),
            _ => "BuildKit in a container".into(),
        };
        let default = if order == "wrong default" {
            "lots"
        } else {
            "1g"
        };
        let option = |name: &str, kind, default: Option<&str>| OptionSpec {
            name: name.into(),
            kind,
            help: format!("The {name}"),
            default: default.map(str::to_owned),
            required: false,
            secret: false,
            deprecated: None,
        };
        let request = |name: &str| CapabilityRequest {
            name: name.into(),
            scope: Vec::new(),
            required: true,
            reason: "BuildKit needs it".into(),
        };
        Descriptor {
            name: "faulty".into(),
            version: "1".into(),
            summary,
            vendor: None,
            homepage: None,
            license: None,
            multi_node: true,
            options: [
                Some(option("fault", OptionKind::Text, None)),
                Some(option("memory", OptionKind::Size, Some(default))),
                (order == "give a table a default")
                    .then(|| option("env", OptionKind::Table, Some("A=b"))),
                (order == "require a file").then(|| OptionSpec {
                    required: true,
                    ..option("cacert", OptionKind::File, None)
                }),
            ]
            .into_iter()
            .flatten()
            .collect(),
            capabilities: vec![
                request("container.privileged"),
                request(if order == "ask for a pul" {
                    "image.pul"
                } else {
                    "image.pull"
                }),
            ],
        }
    }

    fn priority(_: String) -> Option<u32> {
        None
    }

    fn validate(config: Config) -> Vec<Issue> {
        let memory = config.options.iter().find(|(name, _)| name == "memory");
        let wrong = memory.and_then(|(_, value)| values::bytes(value).err());
        wrong
            .filter(|_| order() != "accept everything")
            .map(|message| Issue {
                severity: Severity::Error,
                subject: Some("memory".into()),
                message,
            })
            .into_iter()
            .collect()
    }
}

impl GuestNode for node::Node {
    fn open(config: Config) -> Result<driver::Node, Error> {
        Ok(driver::Node::new(Self::new(config)))
    }

    fn info(&self) -> Result<Info, Error> {
        self.checked(self.state())
    }

    fn boot(&self) -> Result<(), Error> {
        self.checked(self.start())
    }

    fn dial(&self) -> Result<Connection, Error> {
        self.checked(self.connect())
    }

    fn version(&self) -> Result<String, Error> {
        if self.fault("random version") {
            return Ok(format!("{:?}", SystemTime::now()));
        }
        self.checked(self.ask_version())
    }

    fn features(&self) -> Result<Vec<Feature>, Error> {
        Ok(iechor_driver::BUILDKIT_FEATURES.to_vec())
    }

    fn stop(&self, options: StopOptions) -> Result<(), Error> {
        self.checked(self.end(options))
    }

    fn remove(&self, options: RemoveOptions) -> Result<(), Error> {
        self.checked(self.clear(options))
    }

    fn host_gateway(&self) -> Result<String, Error> {
        if self.fault("odd host gateway") {
            return Err(Error::Other("who knows".into()));
        }
        Err(Error::Unsupported("host-gateway".into()))
    }
}
