//! Exhausts time, memory, handles and output.

use std::io::Write;

use iechor_driver::container::{Container, list_all};
use iechor_driver::progress::{Output, Task};
use iechor_driver::types::{Denial, File};
use iechor_driver::{Error, clock, log};

use crate::objects::{create, create_volume, plain};
use crate::reach::{self, report};

/// Computes forever without a call.
pub fn spin() -> ! {
    loop {
        std::hint::spin_loop();
    }
}

/// Allocates more than any memory.
pub fn allocate() -> ! {
    let mut kept = Vec::new();
    loop {
        kept.push(vec![1u8; 1 << 20]);
        std::hint::black_box(&kept);
    }
}

/// Recurses deeper than any stack.
#[expect(unconditional_recursion, reason = "the misdeed")]
pub fn recurse(depth: u64) -> u64 {
    // The black boxes prevent the compiler from turning the recursion into a loop.
    std::hint::black_box(recurse(std::hint::black_box(depth + 1))) + 1
}

/// Boots a node with the container name `base`.
pub fn boot(behaviour: &str, value: &str, base: &str) -> Result<(), Error> {
    match behaviour {
        "" | "nothing" => Ok(()),
        // Measures the cost of a call to the host.
        "ask the time" => {
            for _ in 0..value.parse::<u64>().unwrap_or(1) {
                clock::now();
            }
            Ok(())
        }
        "spin" => spin(),
        "recurse" => Err(Error::Other(recurse(1).to_string())),
        "panic" => panic!("boot was told to panic"),
        "log and trap" => {
            log::write(log::Level::Debug, "the last record", &[]);
            core::arch::wasm32::unreachable()
        }
        "exit" => std::process::exit(3),
        "allocate" => allocate(),
        "huge string" => {
            log::write(log::Level::Info, &"x".repeat(200 << 20), &[]);
            Ok(())
        }
        // Small for the driver, but large for a host that allocates a string for each.
        "many strings" => {
            let fields = vec![(String::new(), String::new()); 2 << 20];
            log::write(log::Level::Info, "", &fields);
            Ok(())
        }
        "huge step" => {
            Task::new(&"x".repeat(200 << 20));
            Ok(())
        }
        "huge name" => report(Container::find(&"x".repeat(200 << 20))?.is_some()),
        "huge file" => create(plain(base))?.copy_in(
            "/etc",
            &[File {
                path: "large".into(),
                mode: 0o644,
                contents: vec![0; 200 << 20],
            }],
        ),
        "huge error" => Err(Error::Other("x".repeat(200 << 20))),
        "flood log" => loop {
            log::write(
                log::Level::Error,
                "",
                &[("key".into(), "value".repeat(1000))],
            );
        },
        "flood log for a while" => {
            for _ in 0..50_000 {
                log::write(
                    log::Level::Error,
                    "",
                    &[("key".into(), "value".repeat(200))],
                );
            }
            Ok(())
        }
        "flood empty records" => {
            let task = Task::new("flood");
            for _ in 0..300_000 {
                log::write(log::Level::Error, "", &[]);
                task.write(Output::Stdout, &[]);
            }
            Ok(())
        }
        "flood output" => {
            let task = Task::new("flood");
            for _ in 0..1000 {
                task.write(Output::Stdout, &[b'x'; 64 << 10]);
            }
            Ok(())
        }
        "keep a step" => {
            std::mem::forget(Task::new("kept"));
            Ok(())
        }
        "flood steps" => {
            for number in 0..20_000 {
                Task::finish(Task::new(&format!("step {number}")), Ok(()));
            }
            Ok(())
        }
        "flood counters" => {
            let task = Task::new("flood");
            for number in 0..20_000 {
                task.status("same", 1, Some(1));
                task.status(&format!("counter {number}"), 0, None);
            }
            Ok(())
        }
        "flood counters with long names" => {
            let task = Task::new("flood");
            let long = "x".repeat(8 << 20);
            for number in 0..300 {
                task.status(&format!("{number} {long}"), 0, None);
            }
            Ok(())
        }
        "flood large output" => {
            let task = Task::new("flood");
            let large = vec![b'x'; 15 << 20];
            for _ in 0..40 {
                task.write(Output::Stdout, &large);
            }
            Ok(())
        }
        "flood stderr" => {
            for _ in 0..2_000 {
                let _ = std::io::stderr().write_all(&[b'x'; 100]);
            }
            panic!("the last words");
        }
        "flood engine" => loop {
            list_all(&[])?;
        },
        "open handles" => {
            let mut kept = Vec::new();
            for number in 0..1_000_000 {
                kept.push(Task::new(&number.to_string()));
            }
            Ok(())
        }
        "open containers" => {
            let mut kept = vec![create(plain(base))?];
            for _ in 0..1_000_000 {
                kept.extend(Container::find(base)?);
            }
            Ok(())
        }
        "create for ever" => {
            for number in 0.. {
                create_volume(&format!("{base}..{number}"))?;
            }
            Ok(())
        }
        "sleep" => clock::sleep(u64::MAX),
        "sleep on and on" => loop {
            // Ignore the answer of the host.
            let _ = clock::sleep(1_000_000_000);
        },
        "sleep in the standard library" => {
            std::thread::sleep(std::time::Duration::from_secs(1 << 32));
            Ok(())
        }
        "see the environment" => {
            let found = [
                std::env::vars().count().to_string(),
                std::env::args().count().to_string(),
            ];
            Err(Error::Other(found.join(" ")))
        }
        "colour" => {
            let step = Task::new("\x1b[2Jstep");
            step.status("\x1b[2Jcounter", 1, Some(1));
            Task::finish(step.child("\x1b[2Jchild"), Ok(()));
            Task::finish(step, Err("\x1b[31mred"));
            log::write(
                log::Level::Warn,
                "\x1b[2Jlog",
                &[("\x07k".into(), "\x1bv".into())],
            );
            Err(Error::Other("\x1b[31mred\x07 error".into()))
        }
        "colour denial" => Err(Error::Denied(Denial {
            capability: "\x1b[2Jcapability".into(),
            detail: "\x1b]0;title\x07detail".into(),
        })),
        other => reach::boot(other, value, base),
    }
}
