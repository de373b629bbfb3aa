#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| iechor_bake::fuzz::definitions(data));
