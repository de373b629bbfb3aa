//! Searches for contents of the user's files, and copies the files to wrong places.

use iechor_driver::Error;
use iechor_driver::types::File;

use crate::objects::{create, plain};
use crate::reach::report;

/// Boots a node with the container name `base`. Returns `None` if the behaviour is none of these.
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

/// Returns a file of the user as the contract specifies it, with all permissions.
fn empty(path: &str) -> File {
    File {
        path: path.into(),
        mode: 0o7777,
        contents: Vec::new(),
    }
}

/// Returns whether a text is in the memory of this component. The text is given in reverse and is
/// never reversed as a whole, so that the search itself does not put it into memory.
pub fn is_in_memory(reversed: &str) -> bool {
    let end = core::arch::wasm32::memory_size(0) << 16;
    // SAFETY: all of the memory is readable. The reads are volatile, because the compiler does not
    // know these objects.
    let byte = |place: usize| unsafe { std::ptr::read_volatile(place as *const u8) };
    (1..end - reversed.len()).any(|start| {
        let mut expected = reversed.bytes().rev().enumerate();
        expected.all(|(offset, expected)| byte(start + offset) == expected)
    })
}
