//! Components that no tool generates, written byte by byte.
#![allow(dead_code, reason = "not every test program needs all of them")]

use iechor_sandbox::limits;

/// Returns a section of a component or module.
pub fn section(id: u8, contents: &[u8]) -> Vec<u8> {
    [&[id], leb128(contents.len()).as_slice(), contents].concat()
}

pub fn leb128(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let byte = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(byte);
            return bytes;
        }
        bytes.push(byte | 0x80);
    }
}

/// Returns a section of a component that contains a module.
pub fn module(sections: &[Vec<u8>]) -> Vec<u8> {
    section(
        1,
        &[b"\0asm\x01\0\0\0", sections.concat().as_slice()].concat(),
    )
}

/// Returns a module with the given number of functions, each with `body`.
pub fn functions(count: usize, body: &[u8]) -> Vec<u8> {
    let kind = section(1, b"\x01\x60\0\0");
    let kinds = section(3, &[leb128(count), vec![0; count]].concat());
    let bodies = [leb128(body.len()), body.to_vec()].concat().repeat(count);
    module(&[kind, kinds, section(10, &[leb128(count), bodies].concat())])
}

/// Returns a module with the given types and one function with `body`, which has the last type.
pub fn function(kinds: &[Vec<u8>], body: &[u8]) -> Vec<u8> {
    let kind = leb128(kinds.len() - 1);
    let kinds = section(1, &[leb128(kinds.len()), kinds.concat()].concat());
    let functions = section(3, &[leb128(1), kind].concat());
    let body = [leb128(body.len()), body.to_vec()].concat();
    module(&[kinds, functions, section(10, &[leb128(1), body].concat())])
}

/// Returns the type of functions with the given numbers of parameters and results, all `i32`.
pub fn kind(parameters: usize, results: usize) -> Vec<u8> {
    let list = |count: usize| [leb128(count), vec![0x7f; count]].concat();
    [vec![0x60], list(parameters), list(results)].concat()
}

/// Returns the declaration of the given number of local variables, all `i32`.
pub fn locals(count: usize) -> Vec<u8> {
    [vec![1], leb128(count), vec![0x7f]].concat()
}

/// Returns a module whose compilation takes many seconds. Each of its functions has the maximum
/// allowed length.
pub fn long_to_compile() -> Vec<u8> {
    let additions = b"\x20\0\x41\x01\x6a\x21\0".repeat(limits::FUNCTION_BYTES / 8);
    let body = [locals(1), additions, vec![0x0b]].concat();
    functions(limits::CODE_BYTES / limits::FUNCTION_BYTES, &body)
}
