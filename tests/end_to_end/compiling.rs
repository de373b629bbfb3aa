//! Limits of compiling a component, and ways to end it.

use std::path::Path;

use crate::components::{GRANTS, installed, variant};
use crate::generated::{function, kind, locals, long_to_compile};
use crate::support::{Running, Sandbox, wait_until};

/// Six thousand loops and six thousand local variables, which need gigabytes if the compiler is not stopped.
#[test]
fn a_component_that_asks_for_gigabytes_is_refused_before_it_is_compiled() {
    let sandbox = Sandbox::new();
    let loops = b"\x03\x40\x20\0\x21\0\x0c\0\x0b".repeat(6000);
    let body = [locals(6000), loops, vec![0x0b]].concat();
    let module = function(&[kind(0, 0)], &body);
    assert!(module.len() < 100_000);
    sandbox.write("costly.wasm", [variant(1), module].concat());
    for line in [
        "driver inspect ./costly.wasm".to_owned(),
        format!("driver install ./costly.wasm --name costly {GRANTS}"),
        "buildx create --driver ./costly.wasm".into(),
    ] {
        sandbox
            .iechor(&line)
            .failure(1)
            .says("costly")
            .says("cannot be loaded")
            .says("pairs of a block and a local variable in one function");
    }
}

/// Waits until the compiler of a command runs. Returns its process ID.
fn compiler_of(running: &Running) -> u32 {
    let mut compiler = None;
    wait_until("the compiler runs", || {
        compiler = running.children().first().copied();
        compiler.is_some()
    });
    compiler.expect("it runs")
}

#[test]
fn ctrl_c_ends_the_compiler_too() {
    let sandbox = Sandbox::new();
    sandbox.write("long.wasm", [variant(1), long_to_compile()].concat());
    for line in [
        "driver inspect ./long.wasm".to_owned(),
        format!("driver install ./long.wasm --name long {GRANTS}"),
        "buildx create --driver ./long.wasm".into(),
        "driver test ./long.wasm".into(),
    ] {
        let running = sandbox.iechor(&line).start();
        let compiler = compiler_of(&running);
        running.interrupt();
        running.finish().failure(130).prints("");
        wait_until("the compiler is gone", || {
            !Path::new(&format!("/proc/{compiler}")).exists()
        });
    }
    assert!(sandbox.builders().is_empty());
}

/// If the compiler is killed, the program reports an error and continues.
#[test]
fn a_compiler_that_is_killed_is_an_error_that_names_the_driver() {
    let sandbox = Sandbox::new();
    sandbox.write("long.wasm", [variant(1), long_to_compile()].concat());
    let running = sandbox.iechor("driver inspect ./long.wasm").start();
    let compiler = compiler_of(&running).to_string();
    let killed = std::process::Command::new("kill")
        .args(["-KILL", &compiler])
        .status();
    assert!(killed.expect("runs").success());
    running
        .finish()
        .failure(1)
        .says("driver ./long.wasm is not compiled")
        .says("its compiler was killed");
}

/// The file of an installed component may have been replaced by anything.
#[test]
fn a_component_that_something_endless_took_the_place_of_is_not_waited_for() {
    let sandbox = Sandbox::new();
    installed(&sandbox);
    let components = sandbox.store().join("drivers/components");
    let component = std::fs::read_dir(components)
        .expect("there")
        .flatten()
        .next()
        .expect("installed")
        .path();
    for (make, words) in [
        (vec!["mkfifo"], "it is a named pipe, not a regular file"),
        (
            vec!["ln", "-s", "/dev/zero"],
            "it is a device, not a regular file",
        ),
        (vec!["truncate", "-s", "1G"], "it has more than 64 MiB"),
    ] {
        std::fs::remove_file(&component).expect("there");
        let made = std::process::Command::new(make[0])
            .args(&make[1..])
            .arg(&component)
            .status();
        assert!(made.expect("runs").success());
        sandbox
            .iechor("driver inspect team")
            .failure(1)
            .says("team")
            .says(words);
    }
}

/// The same applies to the lock file.
#[test]
fn a_lock_file_that_something_endless_took_the_place_of_is_not_waited_for() {
    let sandbox = Sandbox::new();
    installed(&sandbox);
    let lock = sandbox.store().join("drivers/drivers.lock");
    std::fs::remove_file(&lock).expect("there");
    let made = std::process::Command::new("mkfifo").arg(&lock).status();
    assert!(made.expect("runs").success());
    sandbox
        .iechor("driver inspect team")
        .failure(1)
        .says("drivers.lock")
        .says("it is a named pipe, not a regular file");
}
