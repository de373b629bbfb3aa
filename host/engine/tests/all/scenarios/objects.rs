//! Volumes, networks, images, and lists of objects.

use std::time::Duration;

use iechor_engine::model::{Mount, MountSource, NetworkSpec, VolumeSpec};
use iechor_engine::{Engine, EngineError};

use super::{STAYS, Seen, shown};
use crate::support::{self, IMAGE};

pub async fn volumes(engine: &dyn Engine, seen: &mut Seen<'_>) {
    let name = seen.names.of("v");
    let spec = VolumeSpec {
        name: name.clone(),
        labels: [seen.names.label(), ("a".into(), "b".into())].into(),
        ..VolumeSpec::default()
    };
    seen.result("inspect none", engine.inspect_volume(&name).await);
    seen.result("create", engine.create_volume(&spec).await);
    seen.result("create again", engine.create_volume(&spec).await);
    seen.result("inspect", engine.inspect_volume(&name).await);
    let mut container = seen.names.container("c", &STAYS);
    container.mounts = vec![Mount {
        target: "/v".into(),
        source: MountSource::Volume(name.clone()),
        read_only: false,
    }];
    engine.create_container(&container).await.expect("made");
    seen.done("remove in use", engine.remove_volume(&name, false).await);
    seen.done(
        "remove in use by force",
        engine.remove_volume(&name, true).await,
    );
    engine
        .remove_container(&container.name, false)
        .await
        .expect("removed");
    seen.result("still there", engine.inspect_volume(&name).await);
    seen.done("remove", engine.remove_volume(&name, false).await);
    seen.done("remove again", engine.remove_volume(&name, false).await);
    seen.done(
        "remove again by force",
        engine.remove_volume(&name, true).await,
    );
}

pub async fn networks(engine: &dyn Engine, seen: &mut Seen<'_>) {
    let name = seen.names.of("n");
    let spec = NetworkSpec {
        name: name.clone(),
        internal: true,
        labels: [("a".into(), "b".into())].into(),
        ..NetworkSpec::default()
    };
    let look = |result: Result<iechor_engine::model::Network, EngineError>| {
        result.map(|n| (n.name, n.driver, n.scope, n.internal, n.labels))
    };
    let inspected = engine.inspect_network(&name).await;
    seen.result("inspect none", inspected.map(|n| n.is_some()));
    let created = engine.create_network(&spec).await;
    let id = created.as_ref().map(|n| n.id.clone()).unwrap_or_default();
    seen.result("create", look(created));
    seen.result("create again", look(engine.create_network(&spec).await));
    let by_id = engine.inspect_network(&id).await;
    seen.result("by id", by_id.map(|n| n.map(|n| n.name)));
    let mut container = seen.names.container("c", &STAYS);
    container.network = Some(name.clone());
    engine.create_container(&container).await.expect("made");
    engine
        .start_container(&container.name)
        .await
        .expect("started");
    let c = container.name.as_str();
    let nobody = seen.names.of("nobody");
    let nobody = nobody.as_str();
    let aliases = ["alias".to_owned()];
    seen.done(
        "connect twice",
        engine.connect_network(&name, c, &aliases).await,
    );
    seen.done(
        "connect nobody",
        engine.connect_network(&name, nobody, &[]).await,
    );
    seen.done(
        "connect to nothing",
        engine.connect_network(nobody, c, &[]).await,
    );
    seen.done("neither", engine.connect_network(nobody, nobody, &[]).await);
    seen.done("remove in use", engine.remove_network(&name).await);
    seen.done(
        "disconnect",
        engine.disconnect_network(&name, c, false).await,
    );
    seen.done(
        "disconnect again",
        engine.disconnect_network(&name, c, false).await,
    );
    seen.done(
        "from nothing",
        engine.disconnect_network(nobody, c, false).await,
    );
    seen.done(
        "nobody",
        engine.disconnect_network(&name, nobody, false).await,
    );
    seen.done("connect", engine.connect_network(&name, c, &aliases).await);
    engine
        .stop_container(c, Some(Duration::ZERO))
        .await
        .expect("stopped");
    seen.done("remove", engine.remove_network(&name).await);
    seen.done("remove again", engine.remove_network(&name).await);
    seen.done("predefined", engine.remove_network("bridge").await);
}

pub async fn images(engine: &dyn Engine, seen: &mut Seen<'_>) {
    for reference in [
        IMAGE,
        "iechor-test/engine",
        "docker.io/iechor-test/engine:latest",
        "iechor-test/engine:other",
        "iechor-test/none",
    ] {
        let image = engine.inspect_image(reference).await;
        seen.result(
            reference,
            image.map(|i| i.map(|i| (i.id, i.platform, i.labels))),
        );
    }
    let image = engine
        .inspect_image(IMAGE)
        .await
        .expect("an answer")
        .expect("loaded");
    let by_id = engine.inspect_image(&image.id).await;
    seen.result("by id", by_id.map(|i| i == Some(image)));
    let odd = engine.inspect_image("a/../b").await;
    seen.result("odd", odd.map(|i| i.is_some()).or(Ok(false)));
    let broken = support::try_load(engine, b"this is no archive".to_vec()).await;
    seen.note("no archive", broken.is_err());
}

pub async fn lists(engine: &dyn Engine, seen: &mut Seen<'_>) {
    let label = seen.names.label();
    for (suffix, value) in [("a", "1"), ("b", "2")] {
        let mut labels = std::collections::BTreeMap::from([label.clone()]);
        labels.insert("part".into(), value.into());
        let mut spec = seen.names.container(suffix, &STAYS);
        spec.labels.clone_from(&labels);
        spec.mounts = vec![Mount {
            target: "/v".into(),
            source: MountSource::Volume(seen.names.of(suffix)),
            read_only: false,
        }];
        engine
            .create_volume(&VolumeSpec {
                name: seen.names.of(suffix),
                labels: labels.clone(),
                ..VolumeSpec::default()
            })
            .await
            .expect("made");
        engine
            .create_network(&NetworkSpec {
                name: seen.names.of(suffix),
                labels,
                ..NetworkSpec::default()
            })
            .await
            .expect("made");
        engine.create_container(&spec).await.expect("made");
    }
    engine
        .start_container(&seen.names.of("b"))
        .await
        .expect("started");
    let part = |value: &str| vec![label.clone(), ("part".to_owned(), value.to_owned())];
    for labels in [vec![label.clone()], part("1"), part("3")] {
        let containers = engine.list_containers(&labels).await.expect("an answer");
        seen.note(
            "containers",
            containers.iter().map(shown).collect::<Vec<_>>(),
        );
        let mut volumes = engine.list_volumes(&labels).await.expect("an answer");
        volumes.sort_by(|a, b| a.name.cmp(&b.name));
        seen.note("volumes", volumes);
        let mut networks: Vec<_> = engine
            .list_networks(&labels)
            .await
            .expect("an answer")
            .into_iter()
            .map(|n| (n.name, n.driver, n.scope, n.internal, n.labels))
            .collect();
        networks.sort();
        seen.note("networks", networks);
    }
}

pub async fn anything(engine: &dyn Engine, seen: &mut Seen<'_>) {
    let spec = seen.names.container("c", &STAYS);
    engine.create_container(&spec).await.expect("made");
    let volume = VolumeSpec {
        name: seen.names.of("V"),
        ..VolumeSpec::default()
    };
    engine.create_volume(&volume).await.expect("made");
    for name in [
        &spec.name,
        IMAGE,
        "bridge",
        &volume.name,
        "iechor-test/none",
        "..",
    ] {
        let value = engine.inspect_any(name).await;
        seen.result(
            name,
            value.map(|v| v.map(|v| (v["Name"].clone(), v["RestartCount"].clone()))),
        );
    }
}
