//! Loads drivers and asks them what they are.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::OnceCell;
use wasmtime::Engine;
use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

use crate::binary::{Binary, digest};
use crate::bindings::ContainerDriverPre;
use crate::bindings::contract::{
    CapabilityRequest, Config, Descriptor, Issue, OptionKind, OptionSpec, Severity,
};
use crate::call::{self, Call};
use crate::compiler::{self, Abort};
use crate::embedded::Embedded;
use crate::error::DriverError;
use crate::files::Files;
use crate::grant::{self, Grant, Grants};
use crate::node::{Node, NodeContext};
use crate::node_files::NodeFiles;
use crate::observer::Observer;
use crate::operation::Host;
use crate::options::Checked;
use crate::runtime::Runtime;
use crate::text::{clean, clean_line};
use crate::{anatomy, cache, description, limits, options};

/// Most faults of a description that a message names.
const SHOWN_FAULTS: usize = 5;

/// Where a driver comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Built into this program.
    Embedded,
    /// A file.
    File(PathBuf),
}

/// A component that was loaded and found to be a driver.
pub struct Driver {
    name: String,
    source: Source,
    digest: String,
    imports: Vec<String>,
    exports: Vec<String>,
    contract: String,
    pub(crate) pre: ContainerDriverPre<Host>,
    descriptor: OnceCell<Descriptor>,
    observer: Option<Arc<dyn Observer>>,
}

/// A configuration that [`Driver::validate`] found no error in.
#[derive(Debug, Clone)]
pub struct ValidConfig {
    /// What the driver gets: each option once, where the value of one that names a file is the
    /// option's own name; files without their contents.
    pub config: Config,
    pub(crate) files: Files,
}

/// Loads drivers.
pub struct Sandbox;

impl Sandbox {
    /// The built-in driver of that name or alias; `None` where there is none.
    ///
    /// # Errors
    ///
    /// What keeps it from being loaded.
    pub fn embedded(name: &str) -> Result<Option<Arc<Driver>>, DriverError> {
        let Some(embedded) = Embedded::find(name) else {
            return Ok(None);
        };
        let runtime = runtime(name)?;
        // SAFETY: made by the build script of this crate, under the same settings.
        let precompiled = unsafe { Component::deserialize(&runtime.engine, embedded.machine_code) };
        let digest = digest(embedded.component);
        let component = match precompiled {
            Ok(component) => component,
            // A processor or build that the machine code does not suit.
            Err(_) => {
                let binary = Binary::new(embedded.component.to_vec());
                match cache::find(&runtime.engine, &binary) {
                    Some(component) => component,
                    None => {
                        // It is trusted, so it is compiled here.
                        let compiled = cache::compile(&runtime.engine, name, &binary, || {
                            runtime
                                .engine
                                .precompile_component(binary.bytes())
                                .map_err(|error| unloadable(name, &error))
                        })?;
                        let component = compiled.component.clone();
                        compiled.keep();
                        component
                    }
                }
            }
        };
        let driver = Driver::new(name.into(), Source::Embedded, digest, component)?;
        Ok(Some(Arc::new(driver)))
    }

    /// Loads a component from a file; messages name it by its path.
    ///
    /// # Errors
    ///
    /// What keeps it from being loaded.
    pub async fn file(path: &Path) -> Result<Arc<Driver>, DriverError> {
        let (binary, _) = Binary::read(path)?;
        let source = Source::File(path.to_owned());
        Self::component(path.display().to_string(), source, binary).await
    }

    /// Loads a component that was read already. It is compiled only where it is a driver, of a size
    /// that [`limits`] allows, and in a process of its own that [`mod@crate::compiler`] bounds; who
    /// decides by its digest whether it may be used does so before. Who stops to wait ends the
    /// compilation.
    ///
    /// # Errors
    ///
    /// What keeps it from being loaded.
    pub async fn component(
        name: String,
        source: Source,
        binary: Binary,
    ) -> Result<Arc<Driver>, DriverError> {
        refuse_other_formats(&name, binary.bytes())?;
        let runtime = runtime(&name)?;
        let (abort, _abort_on_drop) = Abort::pair().map_err(|error| DriverError::NoCompiler {
            driver: name.clone(),
            reason: error.to_string(),
        })?;
        // Compilation takes seconds for a large component.
        let loaded = tokio::task::spawn_blocking(move || {
            let digest = binary.digest().to_owned();
            if let Some(component) = cache::find(&runtime.engine, &binary) {
                return Driver::new(name, source, digest, component).map(Arc::new);
            }
            anatomy::check(&name, binary.bytes())?;
            let compiled = cache::compile(&runtime.engine, &name, &binary, || {
                compiler::compile(&runtime.engine, &name, binary.bytes(), &abort)
            })?;
            let driver = Driver::new(name, source, digest, compiled.component.clone())?;
            // Only now it is known to be one.
            compiled.keep();
            Ok(Arc::new(driver))
        })
        .await;
        loaded.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }
}

impl Driver {
    fn new(
        name: String,
        source: Source,
        digest: String,
        component: Component,
    ) -> Result<Self, DriverError> {
        let runtime = runtime(&name)?;
        let kind = component.component_type();
        let named = |(name, _): (&str, _)| name.to_owned();
        let imports: Vec<String> = kind.imports(&runtime.engine).map(named).collect();
        let exports: Vec<String> = kind.exports(&runtime.engine).map(named).collect();
        let contract = anatomy::check_names(&name, &imports, &exports)?;
        let pre = runtime
            .linker
            .instantiate_pre(&component)
            .and_then(ContainerDriverPre::new)
            .map_err(|error| unloadable(&name, &error))?;
        Ok(Self {
            name,
            source,
            digest,
            imports,
            exports,
            contract,
            pre,
            descriptor: OnceCell::new(),
            observer: None,
        })
    }

    /// The name that the user gave: messages use it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it comes from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// SHA-256 of the component, as `sha256:` and hexadecimal digits.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The interfaces that it imports: what it can reach at most.
    pub fn imports(&self) -> &[String] {
        &self.imports
    }

    /// The functions that it imports, as [`Observer::call`] names them.
    pub fn imported_functions(&self) -> Vec<String> {
        let Ok(runtime) = runtime(&self.name) else {
            return Vec::new();
        };
        let component = self.pre.instance_pre().component().component_type();
        let mut functions = Vec::new();
        for (interface, item) in component.imports(&runtime.engine) {
            let ComponentItem::ComponentInstance(instance) = item.ty else {
                continue;
            };
            let Some(interface) = interface.strip_prefix("iechor:driver/") else {
                continue;
            };
            let interface = interface.split('@').next().unwrap_or(interface);
            for (function, item) in instance.exports(&runtime.engine) {
                if matches!(item.ty, ComponentItem::ComponentFunc(_)) {
                    functions.push(function_name(interface, function));
                }
            }
        }
        functions.sort();
        functions
    }

    /// The same driver, seen by `observer` in all that it does; it is asked anew what it is.
    #[must_use]
    pub fn observed(&self, observer: Arc<dyn Observer>) -> Arc<Self> {
        Arc::new(Self {
            name: self.name.clone(),
            source: self.source.clone(),
            digest: self.digest.clone(),
            imports: self.imports.clone(),
            exports: self.exports.clone(),
            contract: self.contract.clone(),
            pre: self.pre.clone(),
            descriptor: OnceCell::new(),
            observer: Some(observer),
        })
    }

    pub(crate) fn observer(&self) -> Option<&Arc<dyn Observer>> {
        self.observer.as_ref()
    }

    /// The interfaces that it exports.
    pub fn exports(&self) -> &[String] {
        &self.exports
    }

    /// The version of the contract that it was made for, for example `0.1.0`.
    pub fn contract(&self) -> &str {
        &self.contract
    }

    /// What it says that it is. Asked once.
    ///
    /// # Errors
    ///
    /// [`DriverError::Description`] for a description that nobody could decide by, or what went
    /// wrong in the driver.
    pub async fn descriptor(&self) -> Result<&Descriptor, DriverError> {
        self.descriptor
            .get_or_try_init(async || {
                let said = call::pure(self, "describe", async |Call { driver, store, .. }| {
                    driver.iechor_driver_driver().call_describe(store).await
                });
                let said = said.await?;
                // As it was said: what cleaning takes away may be what is wrong with it.
                let mut faults = description::refusals(&said);
                if faults.is_empty() {
                    return Ok(cleaned(said));
                }
                let more = faults.len().saturating_sub(SHOWN_FAULTS);
                faults.truncate(SHOWN_FAULTS);
                Err(DriverError::Description {
                    driver: self.name.clone(),
                    faults: faults
                        .into_iter()
                        .map(|fault| clean_line(&fault, limits::LINE))
                        .collect(),
                    more,
                })
            })
            .await
    }

    /// How well it suits an endpoint; the lowest number wins, `None` does not take part.
    ///
    /// # Errors
    ///
    /// What went wrong in the driver.
    pub async fn priority(&self, endpoint: &str) -> Result<Option<u32>, DriverError> {
        call::pure(self, "priority", async |Call { driver, store, .. }| {
            driver
                .iechor_driver_driver()
                .call_priority(store, endpoint)
                .await
        })
        .await
    }

    /// Whether it has to do with a container engine at all. For one that has not, the endpoint of a
    /// node is where BuildKit is.
    pub fn uses_engine(&self) -> bool {
        self.imports
            .iter()
            .any(|import| Runtime::is_of_the_engine(import))
    }

    /// Checks a configuration and returns it with each option once, and the warnings. Files that
    /// options name are read. The driver sees no contents of any file.
    ///
    /// # Errors
    ///
    /// [`DriverError::InvalidConfiguration`] with every fault, or what went wrong in the driver.
    pub async fn validate(
        &self,
        config: &Config,
    ) -> Result<(ValidConfig, Vec<Issue>), DriverError> {
        let Checked {
            right,
            files: of_options,
            mut issues,
        } = options::check(self.descriptor().await?, &config.options);
        let mut config = Config {
            options: right,
            ..config.clone()
        };
        let of_node = NodeFiles::take(&mut config.files).map_err(|message| {
            let issue = Issue {
                severity: Severity::Error,
                subject: None,
                message,
            };
            DriverError::InvalidConfiguration {
                driver: self.name.clone(),
                issues: vec![issue],
            }
        })?;
        let found = call::pure(self, "validate", async |Call { driver, store, .. }| {
            driver
                .iechor_driver_driver()
                .call_validate(store, &config)
                .await
        })
        .await?;
        issues.extend(found.into_iter().map(|issue| {
            Issue {
                subject: issue
                    .subject
                    .map(|subject| clean_line(&subject, limits::LINE)),
                message: clean(&issue.message, limits::LINE),
                ..issue
            }
        }));
        if issues.iter().any(|issue| issue.severity == Severity::Error) {
            return Err(DriverError::InvalidConfiguration {
                driver: self.name.clone(),
                issues,
            });
        }
        let files = Files {
            of_options,
            of_node,
        };
        Ok((ValidConfig { config, files }, issues))
    }

    /// What it asks for.
    ///
    /// # Errors
    ///
    /// [`DriverError::UnknownCapabilities`] where it cannot do without one that there is not.
    pub async fn requests(&self) -> Result<&[CapabilityRequest], DriverError> {
        let requests = &self.descriptor().await?.capabilities;
        let unknown = grant::unknown(requests);
        if unknown.is_empty() {
            return Ok(requests);
        }
        Err(DriverError::UnknownCapabilities {
            driver: self.name.clone(),
            unknown,
        })
    }

    /// What it may do, where the user granted `granted`: everything that it asks for, for the
    /// built-in driver.
    ///
    /// # Errors
    ///
    /// [`DriverError::Untrusted`] where a request that it needs is not granted, and what
    /// [`Self::requests`] reports.
    pub async fn grants(&self, granted: &[Grant]) -> Result<Grants, DriverError> {
        let requests = self.requests().await?;
        if self.source == Source::Embedded {
            return Ok(Grants::trusted(requests));
        }
        let missing = Grants::missing(requests, granted);
        if !missing.is_empty() {
            return Err(DriverError::Untrusted {
                driver: self.name.clone(),
                requests: missing,
            });
        }
        Ok(Grants::new(requests, granted.to_vec()))
    }

    /// Binds it to a node. The configuration is one that [`Driver::validate`] returned.
    pub fn node(self: &Arc<Self>, config: ValidConfig, context: NodeContext) -> Node {
        Node::new(Arc::clone(self), config, context)
    }
}

/// A descriptor with its words cleaned: they are shown where the user decides about the driver.
fn cleaned(descriptor: Descriptor) -> Descriptor {
    let line = |text: String| clean_line(&text, limits::LINE);
    Descriptor {
        name: line(descriptor.name),
        version: line(descriptor.version),
        summary: line(descriptor.summary),
        vendor: descriptor.vendor.map(line),
        homepage: descriptor.homepage.map(line),
        license: descriptor.license.map(line),
        multi_node: descriptor.multi_node,
        options: descriptor
            .options
            .into_iter()
            .map(|option| OptionSpec {
                name: line(option.name),
                kind: match option.kind {
                    OptionKind::Choice(choices) => {
                        OptionKind::Choice(choices.into_iter().map(line).collect())
                    }
                    other => other,
                },
                help: line(option.help),
                default: option.default.map(line),
                deprecated: option.deprecated.map(line),
                ..option
            })
            .collect(),
        capabilities: descriptor
            .capabilities
            .into_iter()
            .map(|request| CapabilityRequest {
                name: line(request.name),
                scope: request.scope.into_iter().map(line).collect(),
                reason: line(request.reason),
                required: request.required,
            })
            .collect(),
    }
}

/// `find` of the interface `container`, or `[static]container.find`, in the words of a trace.
fn function_name(interface: &str, function: &str) -> String {
    match function
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        Some(("constructor", resource)) => format!("{resource}.new"),
        Some((_, method)) => method.to_owned(),
        None => format!("{interface}.{function}"),
    }
}

fn runtime(driver: &str) -> Result<&'static Runtime, DriverError> {
    Runtime::get().map_err(|error| unloadable(driver, &error))
}

fn unloadable(driver: &str, error: &wasmtime::Error) -> DriverError {
    DriverError::unloadable(driver, &format!("{error:#}"))
}

/// Says what a file is that is not a component, in words that help.
fn refuse_other_formats(name: &str, bytes: &[u8]) -> Result<(), DriverError> {
    let reason = if Engine::detect_precompiled(bytes).is_some() {
        "it is machine code, which cannot be checked; give the component that it was made from"
    } else if bytes.starts_with(b"\0asm\x01\0\0\0") {
        "it is a WebAssembly module, not a component; build it for wasm32-wasip2, or make a \
         component of it with wasm-tools"
    } else if !bytes.starts_with(b"\0asm") {
        "it is not WebAssembly"
    } else {
        return Ok(());
    };
    Err(DriverError::Unloadable {
        driver: name.into(),
        reason: reason.into(),
    })
}
