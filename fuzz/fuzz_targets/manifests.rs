#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| iechor_images::fuzz::manifests(data));
