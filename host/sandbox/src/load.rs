//! Loads drivers: built-in ones, and components from files.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use wasmtime::Engine;
use wasmtime::component::Component;

use crate::binary::Binary;
use crate::compiler::{self, Abort};
use crate::driver::Driver;
use crate::embedded::Embedded;
use crate::error::DriverError;
use crate::loaded::{Digest, Loaded, Source};
use crate::runtime::Runtime;
use crate::{anatomy, cache};

/// Loads drivers.
pub struct Sandbox;

impl Sandbox {
    /// Returns the built-in driver with this name or alias, if there is one.
    ///
    /// # Errors
    ///
    /// The reason why it cannot be loaded.
    pub fn embedded(name: &str) -> Result<Option<Arc<Driver>>, DriverError> {
        let Some(embedded) = Embedded::find(name) else {
            return Ok(None);
        };
        let runtime = Runtime::of(name)?;
        // SAFETY: made by the build script of this crate, under the same settings.
        let precompiled = unsafe { Component::deserialize(&runtime.engine, embedded.machine_code) };
        let component = match precompiled {
            Ok(component) => component,
            // A processor or build that the machine code does not suit.
            Err(_) => {
                let binary = Binary::new(embedded.component.to_vec());
                match cache::find(&runtime.engine, &binary) {
                    Some(component) => component,
                    None => {
                        // It is trusted, so it is compiled here.
                        let compiled =
                            cache::compile(&runtime.engine, name, &binary, || {
                                runtime.engine.precompile_component(binary.bytes()).map_err(
                                    |error| DriverError::unloadable(name, &format!("{error:#}")),
                                )
                            })?;
                        let component = compiled.component.clone();
                        compiled.keep();
                        component
                    }
                }
            }
        };
        let digest = Digest::Of(embedded, OnceLock::new());
        let loaded = Loaded::new(name.into(), Source::Embedded, digest, &component)?;
        Ok(Some(Driver::of(loaded)))
    }

    /// Loads a component from a file. Messages name it by its path.
    ///
    /// # Errors
    ///
    /// The reason why it cannot be loaded.
    pub async fn file(path: &Path) -> Result<Arc<Driver>, DriverError> {
        let (binary, _) = Binary::read(path)?;
        let source = Source::File(path.to_owned());
        Self::component(path.display().to_string(), source, binary).await
    }

    /// Loads a component that was read already. If it is not in the cache, it is checked against
    /// [`limits`](crate::limits) and compiled in a process of its own, see [`mod@crate::compiler`].
    /// Dropping the future ends the compilation. The caller has decided by the digest whether the
    /// component may be used.
    ///
    /// # Errors
    ///
    /// The reason why it cannot be loaded.
    pub async fn component(
        name: String,
        source: Source,
        binary: Binary,
    ) -> Result<Arc<Driver>, DriverError> {
        refuse_other_formats(&name, binary.bytes())?;
        let runtime = Runtime::of(&name)?;
        // Loading reads files, and compilation takes seconds for a large component.
        let (name, source, binary) = match blocking(move || {
            let Some(component) = cache::find(&runtime.engine, &binary) else {
                return Ok(Err((name, source, binary)));
            };
            let digest = Digest::Known(binary.digest().to_owned());
            Loaded::new(name, source, digest, &component).map(Ok)
        })
        .await?
        {
            Ok(loaded) => return Ok(Driver::of(loaded)),
            Err(not_cached) => not_cached,
        };
        let (abort, _abort_on_drop) = Abort::pair().map_err(|error| DriverError::NoCompiler {
            driver: name.clone(),
            reason: error.to_string(),
        })?;
        blocking(move || {
            anatomy::check(&name, binary.bytes())?;
            let compiled = cache::compile(&runtime.engine, &name, &binary, || {
                compiler::compile(&runtime.engine, &name, binary.bytes(), &abort)
            })?;
            let digest = Digest::Known(binary.digest().to_owned());
            let loaded = Loaded::new(name, source, digest, &compiled.component)?;
            // Only now it is known to be a driver.
            compiled.keep();
            Ok(Driver::of(loaded))
        })
        .await
    }
}

/// Runs something that blocks on a thread of its own.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DriverError> + Send + 'static,
) -> Result<T, DriverError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

/// Refuses a file that is not a component, and says what it is.
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
