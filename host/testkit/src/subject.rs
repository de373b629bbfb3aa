//! The driver under test: what it says of itself, how it is configured, and what it was seen to do.

use std::sync::{Arc, Mutex, PoisonError};

use iechor_sandbox::contract::{
    CapabilityRequest, Config, Descriptor, File, OptionKind, OptionSpec,
};
use iechor_sandbox::{Driver, DriverError, Grant, Grants, ValidConfig};
use tokio_util::sync::CancellationToken;

use crate::bounds::{Bounds, Leash};
use crate::real::{RealEngine, RealWorld};
use crate::report::Coverage;
use crate::tls::OwnFile;
use crate::trace::Trace;

/// The simulated node.
pub(crate) const NODE: &str = "node0";
/// Endpoints that are tried in turn, where the author names none: the first that suits the driver.
const ENDPOINTS: [&str; 3] = [
    "unix:///run/simulated.sock",
    "tcp://buildkit.example:1234",
    "unix:///run/buildkit/buildkitd.sock",
];
/// What a driver exports: the operations as a trace names them.
const EXPORTS: [&str; 11] = [
    "boot",
    "describe",
    "dial",
    "features",
    "host-gateway",
    "info",
    "priority",
    "remove",
    "stop",
    "validate",
    "version",
];

/// What a driver was seen to do in a first boot, in which everything was granted.
#[derive(Debug, Default, Clone)]
pub(crate) struct Nature {
    /// Why the boot failed.
    pub(crate) boot_error: Option<String>,
    /// What it made: `container NAME`.
    pub(crate) objects: Vec<String>,
    /// The image of a container that it made.
    pub(crate) image: Option<String>,
    /// It reached the BuildKit that lives in the engine.
    pub(crate) opens_engine: bool,
}

impl Nature {
    /// Returns the names of the objects of a kind that it made.
    pub(crate) fn names<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a str> {
        let of_kind = move |object: &'a String| object.strip_prefix(kind)?.strip_prefix(' ');
        self.objects.iter().filter_map(of_kind)
    }

    /// It starts BuildKit itself.
    pub(crate) fn keeps_daemon(&self) -> bool {
        self.names("container").next().is_some()
    }

    /// It keeps BuildKit's state.
    pub(crate) fn keeps_volume(&self) -> bool {
        self.names("volume").next().is_some()
    }
}

/// The driver under test.
pub(crate) struct Subject {
    pub(crate) driver: Arc<Driver>,
    pub(crate) descriptor: Descriptor,
    /// One that it accepts, as it was given.
    pub(crate) given: Config,
    /// The same, checked.
    pub(crate) config: ValidConfig,
    /// With flags for BuildKit and files, where it accepts them.
    pub(crate) rich_config: ValidConfig,
    pub(crate) nature: Nature,
    /// The node of the first boot: names of objects derive from it.
    pub(crate) probed_node: String,
    pub(crate) real: Option<RealEngine>,
    pub(crate) cancel: CancellationToken,
    /// Takes the place of files that options name, in memory.
    pub(crate) own_file: OwnFile,
    /// Ends a check that would not end by itself.
    pub(crate) leash: Leash,
    coverage: Mutex<Coverage>,
    /// The nodes of a real engine that are not cleaned up yet.
    pub(crate) worlds: Mutex<Vec<RealWorld>>,
}

impl Subject {
    /// Asks the driver what it is, finds a configuration that it accepts and sees what a boot of it
    /// does.
    pub(crate) async fn meet(
        driver: Arc<Driver>,
        options: Vec<(String, String)>,
        endpoint: Option<String>,
        real: Option<RealEngine>,
        cancel: CancellationToken,
        leash: Leash,
    ) -> Result<Self, DriverError> {
        // Where nobody looks at what it does, it is held to the bounds all the same.
        let bounds = Bounds::new(leash.clone(), real.is_none());
        let driver = driver.observed(Arc::new(bounds));
        let descriptor = driver.descriptor().await?.clone();
        let named = real.as_ref().map(|real| real.engine.endpoint().to_owned());
        let endpoints = match endpoint {
            Some(endpoint) => vec![endpoint],
            None => named
                .into_iter()
                .chain(ENDPOINTS.map(str::to_owned))
                .collect(),
        };
        let own_file = OwnFile::write().map_err(|error| DriverError::Unreadable {
            path: std::env::temp_dir(),
            reason: error.to_string(),
        })?;
        let (mut given, mut config) =
            acceptable(&driver, &descriptor, options, endpoints, &own_file.path()).await?;
        if real.is_none() {
            own_file.replace(&descriptor, &mut given.options);
            (config, _) = driver.validate(&given).await?;
        }
        let rich = Config {
            buildkitd_flags: vec!["--debug".into()],
            files: vec![
                file("buildkitd.toml", 0o644, b"debug = true\n"),
                file("certs/registry/key.pem", 0o600, b"x"),
            ],
            ..given.clone()
        };
        let rich_config = match driver.validate(&rich).await {
            Ok((rich, _)) => rich,
            Err(_) => config.clone(),
        };
        let mut subject = Self {
            probed_node: given.name.clone(),
            driver,
            descriptor,
            given,
            config,
            rich_config,
            nature: Nature::default(),
            real,
            cancel,
            own_file,
            leash,
            coverage: Mutex::default(),
            worlds: Mutex::default(),
        };
        let (nature, node) = subject.probe().await;
        subject.nature = nature;
        subject.probed_node = node;
        Ok(subject)
    }

    /// Other configurations that it accepts: with another endpoint, or one more option.
    pub(crate) async fn other_configs(&self) -> Vec<ValidConfig> {
        let endpoints = ENDPOINTS.into_iter().map(|endpoint| Config {
            endpoint: endpoint.into(),
            ..self.given.clone()
        });
        let given = |name: &str| self.given.options.iter().any(|(known, _)| known == name);
        let options = self.descriptor.options.iter();
        let with_one_more = options.filter(|option| !given(&option.name)).map(|option| {
            let mut config = self.given.clone();
            config.options.push(example(option, &self.own_file.path()));
            config
        });
        let mut accepted = Vec::new();
        for config in endpoints.chain(with_one_more) {
            if let Ok((valid, _)) = self.driver.validate(&config).await {
                accepted.push(valid);
            }
        }
        accepted
    }

    /// Returns an empty trace, held to the bounds.
    pub(crate) fn trace(&self) -> Arc<Trace> {
        let is_time_virtual = self.real.is_none();
        Arc::new(Trace::bounded(self.leash.clone(), is_time_virtual))
    }

    /// Returns what it may do: everything that it asks for in memory, what the user granted on a real
    /// engine, and of that the capabilities that are wanted.
    pub(crate) fn grants(&self, wanted: impl Fn(&str) -> bool) -> Grants {
        let requests = &self.descriptor.capabilities;
        let granted: Vec<Grant> = match &self.real {
            Some(real) => real.granted.clone(),
            None => as_grants(requests),
        };
        let granted = granted.into_iter().filter(|grant| wanted(&grant.name));
        let grants = Grants::new(requests, granted.collect());
        match &self.real {
            Some(real) => grants.under(Arc::clone(&real.policy)),
            None => grants,
        }
    }

    /// Returns what it may do, for a report.
    pub(crate) fn granted(&self) -> Vec<String> {
        let name = |name: &str, scope: &[String]| match scope {
            [] => name.to_owned(),
            scope => format!("{name}={}", scope.join(",")),
        };
        match &self.real {
            Some(real) => real
                .granted
                .iter()
                .map(|grant| name(&grant.name, &grant.scope))
                .collect(),
            None => self
                .descriptor
                .capabilities
                .iter()
                .map(|request| name(&request.name, &request.scope))
                .collect(),
        }
    }

    /// Removes what the nodes so far left in a real engine; returns what could not be.
    pub(crate) async fn clean(&self) -> Vec<String> {
        let worlds =
            std::mem::take(&mut *self.worlds.lock().unwrap_or_else(PoisonError::into_inner));
        let mut failures = Vec::new();
        for world in worlds {
            failures.extend(world.clean().await);
        }
        failures
    }

    async fn probe(&self) -> (Nature, String) {
        let case = self.case();
        let booted = case.node().boot().await;
        let objects = case.objects().await.unwrap_or_default();
        let mut nature = Nature {
            boot_error: booted.err().map(|error| error.to_string()),
            objects,
            image: None,
            opens_engine: case.trace.functions().contains_key("engine.open"),
        };
        let container = nature.names("container").next().map(str::to_owned);
        if let Some(container) = container
            && let Ok(Some(found)) = case.engine().inspect_container(&container).await
        {
            nature.image = Some(found.image);
        }
        let node = case.node_name().to_owned();
        drop(case);
        self.clean().await;
        (nature, node)
    }

    /// Adds what a trace saw to what is covered.
    pub(crate) fn cover(&self, trace: &Trace) {
        let mut coverage = self.coverage.lock().unwrap_or_else(PoisonError::into_inner);
        for (function, times) in trace.functions() {
            *coverage.called.entry(function.to_owned()).or_default() += times;
        }
        for operation in trace.operations() {
            coverage.exports_called.insert(operation.to_owned());
        }
    }

    /// Returns what was covered in the end.
    pub(crate) fn coverage(&self) -> Coverage {
        let mut coverage = self
            .coverage
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for function in self.driver.imported_functions() {
            if !coverage.called.contains_key(&function) {
                coverage.never_called.insert(function);
            }
        }
        for export in EXPORTS {
            if !coverage.exports_called.contains(export) {
                coverage.exports_never_called.insert(export.to_owned());
            }
        }
        coverage
    }
}

/// Returns the grants that give a driver exactly what it asks for.
pub fn as_grants(requests: &[CapabilityRequest]) -> Vec<Grant> {
    let grant = |request: &CapabilityRequest| Grant {
        name: request.name.clone(),
        scope: request.scope.clone(),
    };
    requests.iter().map(grant).collect()
}

fn file(path: &str, mode: u32, contents: &[u8]) -> File {
    File {
        path: path.into(),
        mode,
        contents: contents.to_vec(),
    }
}

/// Returns a configuration with these options and with a value for each that must be given. Where no
/// endpoint is named, it is the first that the driver has no fault to find in.
async fn acceptable(
    driver: &Driver,
    descriptor: &Descriptor,
    mut options: Vec<(String, String)>,
    endpoints: Vec<String>,
    own_file: &str,
) -> Result<(Config, ValidConfig), DriverError> {
    for option in &descriptor.options {
        let given = options.iter().any(|(name, _)| *name == option.name);
        if option.required && !given {
            options.push(example(option, own_file));
        }
    }
    let mut first_error = None;
    for endpoint in endpoints {
        let config = Config {
            name: NODE.into(),
            endpoint,
            options: options.clone(),
            buildkitd_flags: Vec::new(),
            files: Vec::new(),
            platforms: Vec::new(),
            extra: Vec::new(),
        };
        match driver.validate(&config).await {
            Ok((valid, _)) => return Ok((config, valid)),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    Err(first_error.unwrap_or(DriverError::InvalidConfiguration {
        driver: driver.name().to_owned(),
        issues: Vec::new(),
    }))
}

/// Returns an option with a value of its kind. That of a table is one of its parts.
fn example(option: &OptionSpec, own_file: &str) -> (String, String) {
    let value = match &option.kind {
        OptionKind::Boolean => "true".into(),
        OptionKind::Integer => "1".into(),
        OptionKind::Size => "64m".into(),
        OptionKind::Duration => "1m".into(),
        OptionKind::Choice(choices) => choices.first().cloned().unwrap_or_default(),
        OptionKind::File => own_file.to_owned(),
        _ => "example".into(),
    };
    let name = match &option.kind {
        OptionKind::Table => format!("{}.EXAMPLE", option.name),
        _ => option.name.clone(),
    };
    (name, value)
}
