//! A component that was loaded and found to be a driver.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

use crate::anatomy;
use crate::binary::digest;
use crate::bindings::ContainerDriverPre;
use crate::embedded::Embedded;
use crate::error::DriverError;
use crate::observer::Observer;
use crate::operation::{Actor, Host};
use crate::runtime::Runtime;

/// Where a driver comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Built into this program.
    Embedded,
    /// A file.
    File(PathBuf),
}

/// SHA-256 of a component, which takes longer to compute than a built-in driver takes to load.
#[derive(Clone)]
pub(crate) enum Digest {
    /// It is known.
    Known(String),
    /// It is computed when somebody asks.
    Of(&'static Embedded, OnceLock<String>),
}

impl Digest {
    fn get(&self) -> &str {
        match self {
            Self::Known(digest) => digest,
            Self::Of(embedded, computed) => computed.get_or_init(|| digest(embedded.component)),
        }
    }
}

/// A component that was loaded and found to be a driver.
#[derive(Clone)]
pub(crate) struct Loaded {
    name: String,
    source: Source,
    digest: Digest,
    imports: Vec<String>,
    exports: Vec<String>,
    contract: String,
    pub(crate) pre: ContainerDriverPre<Host>,
    pub(crate) observer: Option<Arc<dyn Observer>>,
}

impl Loaded {
    /// Checks what a component imports and exports, and links it.
    ///
    /// # Errors
    ///
    /// Why it is not a driver that this program understands.
    pub(crate) fn new(
        name: String,
        source: Source,
        digest: Digest,
        component: &Component,
    ) -> Result<Self, DriverError> {
        let runtime = Runtime::of(&name)?;
        let kind = component.component_type();
        let named = |(name, _): (&str, _)| name.to_owned();
        let imports: Vec<String> = kind.imports(&runtime.engine).map(named).collect();
        let exports: Vec<String> = kind.exports(&runtime.engine).map(named).collect();
        let contract = anatomy::check_names(&name, &imports, &exports)?;
        let pre = runtime
            .linker
            .instantiate_pre(component)
            .and_then(ContainerDriverPre::new)
            .map_err(|error| DriverError::unloadable(&name, &format!("{error:#}")))?;
        Ok(Self {
            name,
            source,
            digest,
            imports,
            exports,
            contract,
            pre,
            observer: None,
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    pub(crate) fn digest(&self) -> &str {
        self.digest.get()
    }

    pub(crate) fn imports(&self) -> &[String] {
        &self.imports
    }

    pub(crate) fn exports(&self) -> &[String] {
        &self.exports
    }

    pub(crate) fn contract(&self) -> &str {
        &self.contract
    }

    /// Returns the functions that the driver imports, as a trace names them.
    pub(crate) fn imported_functions(&self) -> Vec<String> {
        let Ok(runtime) = Runtime::of(&self.name) else {
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

    /// Returns what an operation has to know of the driver.
    pub(crate) fn actor(&self) -> Actor<'_> {
        Actor {
            name: &self.name,
            built_in: self.source == Source::Embedded,
            observer: self.observer.as_ref(),
        }
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
