//! The misdeeds.

use std::io::Write;

use iechor_driver::container::{
    Container, ExecSpec, Limits, MountSource, Mounted, RestartPolicy, Spec, list_all,
};
use iechor_driver::progress::{Output, Task};
use iechor_driver::transport::{Connection, dial_local, dial_tcp};
use iechor_driver::types::{Denial, File};
use iechor_driver::volume::{self, Volume};
use iechor_driver::{Error, clock, engine, image, log, network};

/// Never returns and calls nothing.
pub fn spin() -> ! {
    loop {
        std::hint::spin_loop();
    }
}

/// Deeper than any stack.
#[expect(unconditional_recursion, reason = "the misdeed")]
pub fn recurse(depth: u64) -> u64 {
    // The black boxes keep the call from becoming a loop.
    std::hint::black_box(recurse(std::hint::black_box(depth + 1))) + 1
}

/// Boots a node whose container is called `base`.
pub fn boot(behaviour: &str, value: &str, base: &str) -> Result<(), Error> {
    match behaviour {
        "" | "nothing" => Ok(()),
        // What a call to the host costs.
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
        "allocate" => {
            let mut kept = Vec::new();
            loop {
                kept.push(vec![1u8; 1 << 20]);
                std::hint::black_box(&kept);
            }
        }
        "huge string" => {
            log::write(log::Level::Info, &"x".repeat(200 << 20), &[]);
            Ok(())
        }
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
                create_volume(&format!("{base}_{number}"))?;
            }
            Ok(())
        }
        "sleep" => clock::sleep(u64::MAX),
        "sleep on and on" => loop {
            // Whatever the host answers.
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
            Task::finish(Task::new("\x1b[2Jstep"), Err("\x1b[31mred"));
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
        "find" => report(Container::find(value)?.is_some()),
        "find volume" => report(Volume::find(value)?.is_some()),
        "find network" => report(network::Network::find(value)?.is_some()),
        "list" => {
            let names: Vec<_> = list_all(&[])?.into_iter().map(|found| found.name).collect();
            Err(Error::Other(names.join(" ")))
        }
        "create" => create(Spec {
            name: value.into(),
            ..plain(base)
        })
        .map(drop),
        "create volume" => create_volume(value).map(drop),
        "mount volume" => create(Spec {
            mounts: vec![mount(MountSource::Volume(value.into()))],
            ..plain(base)
        })
        .map(drop),
        "bind" => create(Spec {
            mounts: vec![mount(MountSource::Bind(value.into()))],
            ..plain(base)
        })
        .map(drop),
        "privileged" => create(Spec {
            privileged: true,
            ..plain(base)
        })
        .map(drop),
        "host user namespace" => create(Spec {
            host_user_namespace: true,
            ..plain(base)
        })
        .map(drop),
        "image" => create(Spec {
            image: value.into(),
            ..plain(base)
        })
        .map(drop),
        "limits" => create(Spec {
            limits: limits(value),
            ..plain(base)
        })
        .map(drop),
        "start what is there" => found(base)?.start(),
        "run in what is there" => found(base)?
            .run(&ExecSpec {
                command: vec!["true".into()],
                env: Vec::new(),
                user: None,
                workdir: None,
            })
            .map(drop),
        "remove what is there" => found(base)?.remove(true),
        "network" => create(Spec {
            network: Some(value.into()),
            ..plain(base)
        })
        .map(drop),
        "devices" => create(Spec {
            gpus: Some("all".into()),
            ..plain(base)
        })
        .map(drop),
        "cgroup-parent" => {
            let limits = Limits {
                cgroup_parent: Some(value.into()),
                ..no_limits()
            };
            create(Spec {
                limits,
                ..plain(base)
            })
            .map(drop)
        }
        "extra" => create(Spec {
            extra: vec![("a".into(), "b".into())],
            ..plain(base)
        })
        .map(drop),
        "copy" => create(plain(base))?.copy_in(
            "/etc",
            &[File {
                path: value.into(),
                mode: 0o644,
                contents: vec![1],
            }],
        ),
        "copy to" => create(plain(base))?.copy_in(
            value,
            &[File {
                path: "a".into(),
                mode: 0o644,
                contents: vec![1],
            }],
        ),
        "volume options" => Volume::create(&volume::Spec {
            name: format!("{base}_state"),
            driver: None,
            driver_options: vec![("device".into(), "/".into()), ("o".into(), "bind".into())],
            labels: Vec::new(),
        })
        .map(drop),
        "pull" => image::resolve(value, None, image::Pull::Always, None).map(drop),
        "dial tcp" => dial_tcp("127.0.0.1", 1, None).map(drop),
        "dial local" => dial_local(value).map(drop),
        "hijack" => engine::open(&engine::Hijack::Control).map(drop),
        "create and fail" => {
            create_both(base)?;
            Err(Error::Other("changed my mind".into()))
        }
        "create and panic" => {
            create_both(base)?;
            panic!("after the creation");
        }
        "create and sleep" => {
            create_both(base)?;
            clock::sleep(u64::MAX)
        }
        "create and spin" => {
            create_both(base)?;
            spin()
        }
        "create and succeed" => create_both(base),
        other => Err(Error::Other(format!("no behaviour {other:?}"))),
    }
}

/// Returns a connection that is not there.
pub fn dial(behaviour: &str) -> Result<Connection, Error> {
    if behaviour == "forge a connection" {
        // SAFETY: no memory hangs on the number; that the host does not take it is the test.
        return Ok(unsafe { Connection::from_handle(12345) });
    }
    Err(Error::NotRunning)
}

fn report(found: bool) -> Result<(), Error> {
    Err(Error::Other(
        if found { "found" } else { "not found" }.into(),
    ))
}

fn create_both(base: &str) -> Result<(), Error> {
    create_volume(&format!("{base}_state"))?;
    let source = MountSource::Volume(format!("{base}_state"));
    create(Spec {
        mounts: vec![mount(source)],
        ..plain(base)
    })?
    .start()
}

fn create(spec: Spec) -> Result<Container, Error> {
    Container::create(&spec)
}

fn create_volume(name: &str) -> Result<Volume, Error> {
    Volume::create(&volume::Spec {
        name: name.into(),
        driver: None,
        driver_options: Vec::new(),
        labels: Vec::new(),
    })
}

fn mount(source: MountSource) -> Mounted {
    Mounted {
        target: "/data".into(),
        source,
        read_only: false,
    }
}

fn found(name: &str) -> Result<Container, Error> {
    Container::find(name)?.ok_or_else(|| Error::Other("not found".into()))
}

/// `memory=1 memory-swap=-1 cpu-quota=2 cpu-period=3`, in any number.
fn limits(text: &str) -> Limits {
    let number = |name: &str| {
        text.split(' ')
            .filter_map(|word| word.split_once('='))
            .find(|(key, _)| *key == name)
            .and_then(|(_, value)| value.parse::<i128>().ok())
    };
    Limits {
        memory: number("memory").map(|n| n as u64),
        memory_swap: number("memory-swap").map(|n| n as i64),
        cpu_quota: number("cpu-quota").map(|n| n as i64),
        cpu_period: number("cpu-period").map(|n| n as i64),
        ..no_limits()
    }
}

fn no_limits() -> Limits {
    Limits {
        memory: None,
        memory_swap: None,
        cpu_shares: None,
        cpu_period: None,
        cpu_quota: None,
        cpuset_cpus: None,
        cpuset_mems: None,
        cgroup_parent: None,
    }
}

fn plain(base: &str) -> Spec {
    Spec {
        name: base.into(),
        image: "image".into(),
        command: Vec::new(),
        env: Vec::new(),
        labels: Vec::new(),
        mounts: Vec::new(),
        network: None,
        privileged: false,
        init: false,
        host_user_namespace: false,
        gpus: None,
        restart: RestartPolicy::No,
        limits: no_limits(),
        extra: Vec::new(),
    }
}
