#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| iechor_build::fuzz::parts(data));
