#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| iechor_fsutil::fuzz::receiver(data));
