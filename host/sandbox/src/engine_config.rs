//! How components are compiled and run. The build script reads this file too: machine code loads
//! only under the settings that it was made with.

use wasmtime::Config;

/// Returns the settings of the one `wasmtime::Engine` of a process.
pub fn config() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        // Lets a driver that spins be interrupted, at a cost of about a tenth of its speed.
        .epoch_interruption(true)
        // Deep enough for parsers, shallow enough that recursion ends soon.
        .max_wasm_stack(512 * 1024);
    config
}
