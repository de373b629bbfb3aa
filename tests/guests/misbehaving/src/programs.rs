//! Chooses the programs of a container, and reads its connections.

use iechor_driver::Error;
use iechor_driver::container::{Container, ExecSpec, MountSource, Mounted, Spec};
use iechor_driver::transport::dial_local;
use iechor_driver::types::File;

use crate::multiply;
use crate::objects::{create, create_volume, found, mount, plain};

/// Boots a node with the container name `base`.
pub fn boot(behaviour: &str, value: &str, base: &str) -> Result<(), Error> {
    match behaviour {
        "command" => create(Spec {
            command: words(value),
            ..plain(base)
        })
        .map(drop),
        "environment" => {
            let (name, value) = value.split_once('=').unwrap_or((value, ""));
            create(Spec {
                env: vec![(name.into(), value.into())],
                ..plain(base)
            })
            .map(drop)
        }
        "label" => create(Spec {
            labels: vec![(value.into(), "image".into())],
            ..plain(base)
        })
        .map(drop),
        "mount at" => {
            create_volume(&format!("{base}_state"))?;
            let mounts = value.split_whitespace().enumerate();
            create(Spec {
                mounts: mounts
                    .map(|(number, target)| Mounted {
                        target: target.into(),
                        source: match number {
                            0 => MountSource::Volume(format!("{base}_state")),
                            _ => MountSource::Tmpfs(0),
                        },
                        read_only: false,
                    })
                    .collect(),
                ..plain(base)
            })
            .map(drop)
        }
        // Copies programs into a volume in one container, and mounts it over the programs of another.
        "chain volumes" => {
            create_volume(&format!("{base}_state"))?;
            for (name, target) in [
                (format!("{base}..first"), "/mnt"),
                (base.into(), "/usr/bin"),
            ] {
                let source = MountSource::Volume(format!("{base}_state"));
                create(Spec {
                    mounts: vec![Mounted {
                        target: target.into(),
                        ..mount(source)
                    }],
                    ..plain(&name)
                })?;
            }
            Ok(())
        }
        "copy program" => copy(&create(plain(base))?, "/", value, "#!/bin/sh"),
        "configure" => copy(
            &create(plain(base))?,
            "/etc",
            "buildkit/buildkitd.toml",
            value,
        ),
        "run" => started(base)?.run(&exec(value)).map(drop),
        "dial through" => started(base)?.dial(&exec(value), None).map(drop),
        "dial with" => {
            let mut spec = exec("buildctl dial-stdio");
            match value {
                "env" => spec.env = vec![("BUILDKIT_HOST".into(), "tcp://6.6.6.6:1".into())],
                "user" => spec.user = Some("0".into()),
                _ => spec.workdir = Some("/mnt".into()),
            }
            started(base)?.dial(&spec, None).map(drop)
        }
        "read a connection" => dialled(base)?.read(1).map(drop),
        "write to a connection" => dialled(base)?.write(b"PRI * HTTP/2.0"),
        "finish a connection" => dialled(base)?.finish(),
        "read a local connection" => dial_local(value)?.write(b"PRI * HTTP/2.0"),
        "stop when idle" => started(base)?.stop_when_idle(value.parse().unwrap_or(60_000_000_000)),
        "stop what is there when idle" => found(base)?.stop_when_idle(60_000_000_000),
        "run of its own in what is there" => found(base)?.run(&exec("sh -c x")).map(drop),
        "dial of its own into what is there" => found(base)?.dial(&exec("tee x"), None).map(drop),
        "copy of its own into what is there" => copy(&found(base)?, "/", "usr/bin/tee", "x"),
        "bind read-only" => bind(base, value, true),
        // The second path is below the first.
        "bind below a bind" => {
            let (outer, inner) = value.split_once(' ').unwrap_or((value, ""));
            bind(&format!("{base}..first"), outer, false)?;
            bind(base, inner, true)
        }
        other => multiply::boot(other, base),
    }
}

fn bind(name: &str, path: &str, read_only: bool) -> Result<(), Error> {
    create(Spec {
        mounts: vec![Mounted {
            read_only,
            ..mount(MountSource::Bind(path.into()))
        }],
        ..plain(name)
    })
    .map(drop)
}

fn started(base: &str) -> Result<Container, Error> {
    let container = create(plain(base))?;
    container.start()?;
    Ok(container)
}

fn dialled(base: &str) -> Result<iechor_driver::transport::Connection, Error> {
    started(base)?.dial(&exec("buildctl dial-stdio"), None)
}

fn copy(container: &Container, target: &str, path: &str, contents: &str) -> Result<(), Error> {
    container.copy_in(
        target,
        &[File {
            path: path.into(),
            mode: 0o755,
            contents: contents.as_bytes().to_vec(),
        }],
    )
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// Returns a command with the given words and no other settings.
pub fn exec(text: &str) -> ExecSpec {
    ExecSpec {
        command: words(text),
        env: Vec::new(),
        user: None,
        workdir: None,
    }
}
