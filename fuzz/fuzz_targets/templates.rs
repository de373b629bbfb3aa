#![no_main]
// The program is no library, so this has a copy of its modules.
#![allow(dead_code, reason = "the target uses a part of them")]

#[path = "../../host/cli/src/fuzz.rs"]
mod fuzz;
#[path = "../../host/cli/src/table.rs"]
mod table;
#[path = "../../host/cli/src/template/mod.rs"]
mod template;
#[path = "../../host/cli/src/text.rs"]
mod text;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::templates(data));
