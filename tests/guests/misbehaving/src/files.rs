//! Looks for what is in the user's files, and copies them where they do not belong.

use iechor_driver::Error;
use iechor_driver::types::File;

use crate::objects::{create, plain};
use crate::reach::report;

/// Boots a node whose container is called `base`; `None` where the behaviour is none of these.
pub fn boot(behaviour: &str, value: &str, base: &str) -> Option<Result<(), Error>> {
    let copy = |target: &str, files: &[File]| create(plain(base))?.copy_in(target, files);
    Some(match behaviour {
        "search memory" => report(is_in_memory(value)),
        // `TARGET PATH`
        "copy a file of the user" => {
            let (target, path) = value.split_once(' ').unwrap_or((value, ""));
            copy(target, &[empty(path)])
        }
        "copy a file of the user many times" => copy("/etc/buildkit", &vec![empty(value); 100_000]),
        _ => return None,
    })
}

/// What the contract has a driver say for a file of the user, with all permissions that there are.
fn empty(path: &str) -> File {
    File {
        path: path.into(),
        mode: 0o7777,
        contents: Vec::new(),
    }
}

/// Whether a text is anywhere in the memory of this component. It is given from its end to its
/// beginning, and never turned round as a whole, so that it is not there for being looked for.
pub fn is_in_memory(reversed: &str) -> bool {
    let end = core::arch::wasm32::memory_size(0) << 16;
    // SAFETY: all of the memory can be read; volatile, since the compiler knows of none of it.
    let byte = |place: usize| unsafe { std::ptr::read_volatile(place as *const u8) };
    (1..end - reversed.len()).any(|start| {
        let mut expected = reversed.bytes().rev().enumerate();
        expected.all(|(offset, expected)| byte(start + offset) == expected)
    })
}
