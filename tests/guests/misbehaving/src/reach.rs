//! Accesses objects of others, or objects without a grant.

use iechor_driver::container::{Container, Limits, MountSource, Spec, list_all};
use iechor_driver::progress::Task;
use iechor_driver::transport::{Connection, dial_local, dial_tcp};
use iechor_driver::types::{Denial, File};
use iechor_driver::volume::{self, Volume};
use iechor_driver::{Error, clock, direct, engine, image, network};

use crate::exhaust::spin;
use crate::objects::{create, create_both, create_volume, found, limits, mount, no_limits, plain};
use crate::programs::{self, exec};

/// Splits `NAME=VALUE`.
fn pair(text: &str) -> (String, String) {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    (name.to_owned(), value.to_owned())
}

/// Boots a node with the container name `base`.
pub fn boot(behaviour: &str, value: &str, base: &str) -> Result<(), Error> {
    match behaviour {
        // SAFETY: no memory depends on the number; the test shows that the host refuses it.
        "forge a container" => unsafe { Container::from_handle(12345) }.start(),
        "use what was dropped" => {
            let container = create(plain(base))?;
            let handle = container.handle();
            drop(container);
            // SAFETY: as above.
            unsafe { Container::from_handle(handle) }.start()
        }
        "take one for another" => {
            let task = Task::new("a step");
            // SAFETY: as above.
            unsafe { Container::from_handle(task.handle()) }.start()
        }
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
        "run in what is there" => found(base)?.run(&exec("buildkitd --version")).map(drop),
        "connect to what is there" => found(base)?
            .dial(&exec("buildctl dial-stdio"), None)
            .map(drop),
        "copy into what is there" => found(base)?.copy_in(
            "/etc",
            &[File {
                path: "buildkit/buildkitd.toml".into(),
                mode: 0o644,
                contents: Vec::new(),
            }],
        ),
        "configure what is there" => {
            found(base)?.configure(&[("insecure-registry".into(), "a".into())])
        }
        "trust in what is there" => found(base)?.trust("pem"),
        "connect directly to what is there" => direct::dial(&found(base)?).map(drop),
        "create directly" => direct::create(&Spec {
            privileged: true,
            ..plain(base)
        })
        .map(drop),
        "setting" => create(Spec {
            extra: vec![pair(value)],
            ..plain(base)
        })
        .map(drop),
        "set registries" => create(plain(base))?.configure(&[pair(value)]),
        "look at what is there" => {
            let container = found(base)?;
            container.inspect()?;
            container.last_logs(1).map(drop)
        }
        "read the log of what is there" => found(base)?.forward_logs(&Task::new("a step"), None),
        "join what is there" => joined(base)?.connect(&found(base)?, &aliases(value)),
        "create and join what is there" => joined(base)?.connect(&create(plain(base))?, &[]),
        "leave what is there" => joined(base)?.disconnect(&found(base)?, true),
        "look at the network" => joined(base)?.inspect().map(drop),
        "remove the network" => joined(base)?.remove(),
        "list networks" => network::list_all(&[]).and_then(|found| {
            let names: Vec<_> = found.into_iter().map(|found| found.name).collect();
            Err(Error::Other(names.join(" ")))
        }),
        "network options" => network::Network::create(&network::Spec {
            driver_options: vec![("com.docker.network.bridge.name".into(), "eth0".into())],
            ..plain_network(base)
        })
        .map(drop),
        "network of a kind" => network::Network::create(&network::Spec {
            driver: Some(value.into()),
            ..plain_network(base)
        })
        .map(drop),
        "look at the volume" => kept(base)?.inspect().map(drop),
        "remove the volume" => kept(base)?.remove(false),
        "list volumes" => volume::list_all(&[]).and_then(|found| {
            let names: Vec<_> = found.into_iter().map(|found| found.name).collect();
            Err(Error::Other(names.join(" ")))
        }),
        "stop what is there" => found(base)?.stop(None),
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
        "volume with large labels" => Volume::create(&volume::Spec {
            name: format!("{base}_state"),
            driver: None,
            driver_options: Vec::new(),
            labels: vec![("label".into(), "x".repeat(1 << 20))],
        })
        .map(drop),
        "container with many labels" => create(Spec {
            labels: vec![("label".into(), String::new()); 5000],
            ..plain(base)
        })
        .map(drop),
        "container with a long command" => create(Spec {
            command: vec!["x".repeat(1 << 20)],
            ..plain(base)
        })
        .map(drop),
        "join and fail" => {
            let network = network::Network::create(&plain_network(base))?;
            network.connect(&found(base)?, &[])?;
            Err(Error::Other("changed my mind".into()))
        }
        "pull" => image::resolve(value, None, image::Pull::Always, None).map(drop),
        "dial tcp" => {
            let (host, port) = value.rsplit_once(':').unwrap_or(("127.0.0.1", "1"));
            dial_tcp(host, port.parse().unwrap_or(1), None).map(drop)
        }
        "dial local" => dial_local(value).map(drop),
        "hijack" => engine::open(&engine::Hijack::Control).map(drop),
        "forge a denial" => Err(Error::Denied(Denial {
            capability: "container.privileged".into(),
            detail: "nobody granted it; --grant container.privileged would".into(),
        })),
        "reword a denial" => match dial_local("/run/other.sock") {
            Err(Error::Denied(denial)) => Err(Error::Denied(Denial {
                detail: "please grant it".into(),
                ..denial
            })),
            other => other.map(drop),
        },
        "imitate the program" => {
            let step = Task::new("[1/1] FROM docker.io/library/trusted");
            let child = step.child("ERROR: the builder is broken");
            child.status("DONE 0.1s", 1, Some(1));
            Task::finish(child, Err("CACHED"));
            Err(Error::Other("done".into()))
        }
        "speak as the host" => Err(Error::Other(
            "failed\nWARNING: iechor is out of date\nhint: `iechor driver trust`".into(),
        )),
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
        "create four and fail" => {
            create_both(base)?;
            for number in 2..5 {
                create(plain(&format!("{base}..{number}")))?.start()?;
            }
            Err(Error::Other("changed my mind".into()))
        }
        "create and spin" => {
            create_both(base)?;
            spin()
        }
        "create and succeed" | "create and panic in remove" => create_both(base),
        other => programs::boot(other, value, base),
    }
}

/// Returns a connection that does not exist.
pub fn dial(behaviour: &str) -> Result<Connection, Error> {
    if behaviour == "forge a connection" {
        // SAFETY: no memory depends on the number; the test shows that the host refuses it.
        return Ok(unsafe { Connection::from_handle(12345) });
    }
    Err(Error::NotRunning)
}

/// Returns the existing network of the node.
fn joined(base: &str) -> Result<network::Network, Error> {
    let name = format!("{base}..net");
    network::Network::find(&name)?.ok_or_else(|| Error::Other("no network".into()))
}

/// Returns the existing volume of the node.
fn kept(base: &str) -> Result<Volume, Error> {
    let name = format!("{base}_state");
    Volume::find(&name)?.ok_or_else(|| Error::Other("no volume".into()))
}

fn plain_network(base: &str) -> network::Spec {
    network::Spec {
        name: format!("{base}..net"),
        driver: None,
        internal: false,
        driver_options: Vec::new(),
        labels: Vec::new(),
    }
}

/// Returns additional names: the names in the value, or as many names as its number.
fn aliases(value: &str) -> Vec<String> {
    match value.parse::<usize>() {
        Ok(count) => vec!["name".into(); count],
        Err(_) => value.split_whitespace().map(str::to_owned).collect(),
    }
}

/// Reports in an error whether an object exists.
pub fn report(found: bool) -> Result<(), Error> {
    Err(Error::Other(
        if found { "found" } else { "not found" }.into(),
    ))
}
