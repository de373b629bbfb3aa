//! Sends small requests with large effects: few bytes that describe many objects.

use iechor_driver::container::{ExecSpec, MountSource, Spec};
use iechor_driver::types::File;
use iechor_driver::{Error, engine, network, transport};

use crate::objects::{create, mount, plain};

/// Boots a node with the container name `base`.
pub fn boot(behaviour: &str, base: &str) -> Result<(), Error> {
    match behaviour {
        // 15 MiB of paths with six million directories.
        "copy below many directories" => {
            let nested = "d/".repeat(200);
            copy(
                base,
                (0..30_000).map(|number| empty(format!("{number}/{nested}f"))),
            )
        }
        "copy many files" => copy(base, (0..30_000).map(|number| empty(number.to_string()))),
        "copy a deep path" => copy(base, [empty(format!("{}f", "d/".repeat(100)))]),
        "copy a long path" => copy(base, [empty("x".repeat(100_000))]),
        "copy large files" => {
            let large = |number: i32| File {
                contents: vec![0; 5 << 20],
                ..empty(number.to_string())
            };
            copy(base, (0..2).map(large))
        }
        "run with many variables" => create(plain(base))?
            .run(&exec(vec![(String::new(), String::new()); 5000]))
            .map(drop),
        "connect with many variables" => create(plain(base))?
            .dial(&exec(vec![(String::new(), String::new()); 5000]), None)
            .map(drop),
        "mount many directories" => create(Spec {
            mounts: vec![mount(MountSource::Tmpfs(0)); 5000],
            ..plain(base)
        })
        .map(drop),
        "join with many names" => {
            let network = network::Network::create(&network::Spec {
                name: format!("{base}..net"),
                driver: None,
                internal: false,
                driver_options: Vec::new(),
                labels: Vec::new(),
            })?;
            network.connect(&create(plain(base))?, &vec![String::new(); 5000])
        }
        // More than a request can contain.
        "announce many headers" => {
            let headers = (0..40_000).map(|number| (format!("x-{number}"), String::new()));
            engine::open(&engine::Hijack::Session(headers.collect())).map(drop)
        }
        "dial a long name" => transport::dial_tcp(&"x".repeat(1 << 20), 1, None).map(drop),
        other => Err(Error::Other(format!("no behaviour {other:?}"))),
    }
}

fn copy(base: &str, files: impl IntoIterator<Item = File>) -> Result<(), Error> {
    let files: Vec<_> = files.into_iter().collect();
    create(plain(base))?.copy_in("/etc", &files)
}

fn empty(path: String) -> File {
    File {
        path,
        mode: 0o644,
        contents: Vec::new(),
    }
}

fn exec(env: Vec<(String, String)>) -> ExecSpec {
    ExecSpec {
        command: vec!["true".into()],
        env,
        user: None,
        workdir: None,
    }
}
