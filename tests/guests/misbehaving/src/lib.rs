//! A driver that misbehaves, for the tests of the sandbox.
//!
//! The option `behave` selects the misbehaviour in `boot` and `validate`. `describe` and the code that
//! runs at instantiation have no configuration and read [`ORDER`], which a test overwrites in the
//! component's bytes.
#![cfg(target_arch = "wasm32")]

mod exhaust;
mod files;
mod multiply;
mod objects;
mod programs;
mod reach;

use iechor_driver::bindings::exports::iechor::driver::driver::{self, Guest, GuestNode};
use iechor_driver::transport::Connection;
use iechor_driver::types::Platform;
use iechor_driver::{
    CapabilityRequest, Config, Descriptor, Error, Feature, Info, Issue, OptionKind, OptionSpec,
    RemoveOptions, Severity, Status, StopOptions, clock, container,
};

/// A behaviour that tests overwrite with the same number of bytes.
static ORDER: [u8; 32] = *b"order to the driver: be good....";

fn order() -> String {
    // Volatile, because otherwise the compiler would use the initial value.
    let bytes = unsafe { std::ptr::read_volatile(&ORDER) };
    String::from_utf8_lossy(&bytes)
        .trim_end_matches('.')
        .to_owned()
}

/// Runs when the component is instantiated, before any export is called.
extern "C" fn at_start() {
    match order().as_str() {
        "spin at start" => exhaust::spin(),
        "allocate at start" => exhaust::allocate(),
        "recurse at start" => drop(exhaust::recurse(1).to_string()),
        "panic at start" => panic!("the start was told to panic"),
        _ => {}
    }
}

#[used]
#[unsafe(link_section = ".init_array")]
static AT_START: extern "C" fn() = at_start;

struct Misbehaving;

// Use the raw contract, without the checks of the SDK.
iechor_driver::bindings::export!(Misbehaving with_types_in iechor_driver::bindings);

impl Guest for Misbehaving {
    type Node = Node;

    fn describe() -> Descriptor {
        let mut summary = "does what no driver should".to_owned();
        match order().as_str() {
            "spin in describe" => exhaust::spin(),
            "panic in describe" => panic!("describe was told to panic"),
            "recurse in describe" => summary = exhaust::recurse(1).to_string(),
            "huge describe" => summary = "x".repeat(200 << 20),
            "colour describe" => summary = "\x1b[31mred\x1b[0m".into(),
            "reach out in describe" => {
                summary = match container::list_all(&[]) {
                    Err(Error::Denied(denial)) => format!("denied: {}", denial.detail),
                    other => format!("{:?}", other.map(|found| found.len())),
                }
            }
            _ => {}
        }
        let order = order();
        let reason = match order.as_str() {
            "colour the reasons" => "for\x1b[2J you".into(),
            "turn the reasons round" => "for \u{202e}you".into(),
            "give long reasons" => "x".repeat(141),
            "give no reasons" => String::new(),
            _ => "to do harm".to_owned(),
        };
        let scope: Vec<String> = match order.as_str() {
            "ask with 3001 patterns" => (0..3001).map(|n| format!("/srv/{n}")).collect(),
            "ask for a long pattern" => vec!["x".repeat(100_000)],
            "ask for no pattern" => vec!["a*b.example.com/x".into()],
            "ask for what is not seen" => vec!["moby/build\u{200b}kit".into()],
            _ => Vec::new(),
        };
        let request = |name: &str, required| CapabilityRequest {
            name: name.into(),
            scope: scope.clone(),
            required,
            reason: reason.clone(),
        };
        let again = match order.as_str() {
            "ask twice" => vec![request("image.pull", true)],
            "ask without end" => (0..10_000).map(|_| request("image.pull", true)).collect(),
            _ => Vec::new(),
        };
        let more_options = match order.as_str() {
            "options without end" => (0..10_000).map(|n| option(&format!("o{n}"), "x")).collect(),
            "an option with a period" => vec![option("behave.x", "x")],
            "an option twice" => vec![option("behave", "x")],
            _ => Vec::new(),
        };
        Descriptor {
            name: match order.as_str() {
                "call itself something" => "mis\u{202e}behaving".into(),
                _ => "misbehaving".into(),
            },
            version: "1".into(),
            summary,
            vendor: None,
            homepage: None,
            license: None,
            multi_node: true,
            options: vec![
                option("behave", "What to do"),
                option("value", "With what"),
                OptionSpec {
                    kind: OptionKind::File,
                    ..option("pem", "A file that it never sees")
                },
                option("add-host", "Hosts that it hands on"),
                option("registry-mirror", "Mirrors that it hands on"),
                option("mount", "Mounts that it hands on"),
                OptionSpec {
                    kind: OptionKind::Table,
                    ..option("env", "Environment that it does not set")
                },
                OptionSpec {
                    kind: OptionKind::Integer,
                    secret: true,
                    ..option("pin", "What nobody may see")
                },
            ]
            .into_iter()
            .chain(more_options)
            .collect(),
            capabilities: vec![
                request("container.create", false),
                request("container.privileged", true),
                request("image.pull", true),
                request("container.bind", false),
                request("container.network", false),
                request("container.devices", false),
                request("container.cgroup-parent", false),
                request("transport.local", false),
                request("transport.tcp", false),
                request("engine.open", false),
                request("container.command", false),
                request("transport.bytes", false),
                request("direct.connect", false),
            ]
            .into_iter()
            .chain(again)
            .collect(),
        }
    }

    fn priority(_: String) -> Option<u32> {
        if order() == "panic in priority" {
            panic!("priority was told to panic");
        }
        None
    }

    fn validate(config: Config) -> Vec<Issue> {
        match behaviour(&config) {
            "panic in validate" => panic!("validate was told to panic"),
            "search memory in validate" => {
                let found = files::is_in_memory(option_value(&config, "value"));
                vec![Issue {
                    severity: Severity::Error,
                    subject: None,
                    message: if found { "found" } else { "not found" }.into(),
                }]
            }
            "colour in validate" => vec![Issue {
                severity: Severity::Error,
                subject: Some("be\x1b[2Jhave".into()),
                message: "\x1b[31mred\x07".into(),
            }],
            _ => Vec::new(),
        }
    }
}

fn option(name: &str, help: &str) -> OptionSpec {
    OptionSpec {
        name: name.into(),
        kind: OptionKind::Text,
        help: help.into(),
        default: None,
        required: false,
        secret: false,
        deprecated: None,
    }
}

fn behaviour(config: &Config) -> &str {
    option_value(config, "behave")
}

fn option_value<'a>(config: &'a Config, name: &str) -> &'a str {
    config
        .options
        .iter()
        .find(|(key, _)| key == name)
        .map_or("", |(_, value)| value)
}

/// A node. It misbehaves in `boot`; the other functions work unless a behaviour is selected for them.
pub struct Node {
    config: Config,
}

impl Node {
    fn container(&self) -> String {
        format!("buildx_buildkit_{}", self.config.name)
    }

    /// Applies the selected behaviour at the beginning of every export except `boot`.
    fn begin(&self, export: &str) -> Result<(), Error> {
        match behaviour(&self.config) {
            "create in queries" => {
                objects::create_volume(&format!("{}_state", self.container())).map(drop)
            }
            "create and panic in remove" if export == "remove" => {
                panic!("remove was told to panic")
            }
            other if other.strip_prefix("panic in ") == Some(export) => {
                panic!("{export} was told to panic")
            }
            _ => Ok(()),
        }
    }
}

impl GuestNode for Node {
    fn open(config: Config) -> Result<driver::Node, Error> {
        if behaviour(&config) == "panic in open" {
            panic!("open was told to panic");
        }
        Ok(driver::Node::new(Self { config }))
    }

    fn info(&self) -> Result<Info, Error> {
        self.begin("info")?;
        let colour = |text: &str| format!("\x1b[2J{text}\x07");
        Ok(Info {
            status: Status::Inactive,
            run: Some(colour("run")),
            extra: match behaviour(&self.config) {
                "much beside the state" => vec![(String::new(), String::new()); 2 << 20],
                _ => vec![(colour("name"), colour("value"))],
            },
        })
    }

    fn boot(&self) -> Result<(), Error> {
        let (behaviour, value) = (behaviour(&self.config), option_value(&self.config, "value"));
        let base = self.container();
        files::boot(behaviour, value, &base)
            .unwrap_or_else(|| exhaust::boot(behaviour, value, &base))
    }

    fn dial(&self) -> Result<Connection, Error> {
        self.begin("dial")?;
        reach::dial(behaviour(&self.config))
    }

    fn version(&self) -> Result<String, Error> {
        self.begin("version")?;
        if behaviour(&self.config) == "huge version" {
            return Ok("x".repeat(200 << 20));
        }
        Ok("v1\x1b[2J".into())
    }

    fn features(&self) -> Result<Vec<Feature>, Error> {
        self.begin("features")?;
        Ok(vec![Feature::Other("\x1b[2Jfeature".into())])
    }

    fn stop(&self, _: StopOptions) -> Result<(), Error> {
        self.begin("stop")?;
        clock::sleep(u64::MAX)
    }

    fn remove(&self, _: RemoveOptions) -> Result<(), Error> {
        self.begin("remove")?;
        Ok(())
    }

    fn host_gateway(&self) -> Result<String, Error> {
        self.begin("host-gateway")?;
        Ok("\x1b[2Jgateway".into())
    }
}
