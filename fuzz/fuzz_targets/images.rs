#![no_main]

#[allow(dead_code, reason = "each target runs one of them")]
#[path = "../../host/values/tests/fuzz/bodies.rs"]
mod bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| bodies::images(data));
