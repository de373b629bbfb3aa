#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| iechor_sandbox::fuzz::grants(data));
