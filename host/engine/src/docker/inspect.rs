//! The engine's description, and objects of any kind.

use std::collections::BTreeMap;

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use super::address::segment;
use super::answer::Bounds;
use super::client::DockerEngine;
use super::errors::is_forbidden;
use super::{image, run};
use crate::model::{EngineInfo, Platform};
use crate::{EngineError, ObjectKind};

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Version {
    version: String,
    api_version: String,
    #[serde(default)]
    os: String,
    #[serde(default)]
    arch: String,
    #[serde(default)]
    components: Option<Vec<Component>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Component {
    #[serde(default)]
    name: String,
}

/// The part of `/info` that is read, with strings instead of bollard's closed enums.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Info {
    #[serde(default, rename = "ID")]
    id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    kernel_version: String,
    #[serde(default)]
    cgroup_driver: Option<String>,
    #[serde(default)]
    security_options: Option<Vec<String>>,
    #[serde(default)]
    driver_status: Option<Vec<Vec<String>>>,
    #[serde(default)]
    runtimes: Option<BTreeMap<String, Value>>,
}

pub(super) async fn info(engine: &DockerEngine) -> Result<EngineInfo, EngineError> {
    let version = engine.json(Method::GET, "/version", &[], None, &[], Bounds::OBJECT);
    let info = engine.json(Method::GET, "/info", &[], None, &[], Bounds::OBJECT);
    let (version, info) = futures_util::join!(version, info);
    Ok(read(permitted(version)?, permitted(info)?))
}

/// Returns an empty answer if this client may not ask: a proxy in front of the engine forbids it, and what is known
/// from these answers only improves the settings of containers.
fn permitted<T: Default>(answer: Result<T, EngineError>) -> Result<T, EngineError> {
    match answer {
        Err(EngineError::Refused { status, .. })
            if StatusCode::from_u16(status).is_ok_and(is_forbidden) =>
        {
            Ok(T::default())
        }
        answer => answer,
    }
}

fn read(version: Version, info: Info) -> EngineInfo {
    let components = version.components.unwrap_or_default();
    let named = |word: &str| {
        components
            .iter()
            .any(|c| c.name.to_lowercase().starts_with(word))
    };
    let name = if named("podman") {
        "podman".to_owned()
    } else if components.is_empty() || named("engine") {
        "docker".to_owned()
    } else {
        components
            .first()
            .map(|c| c.name.to_lowercase())
            .unwrap_or_default()
    };
    let security = info.security_options.unwrap_or_default();
    // `name=seccomp,profile=default`; Podman may omit `name=`.
    let secured = |word: &str| {
        security.iter().any(|option| {
            option
                .split(',')
                .any(|part| part.strip_prefix("name=").unwrap_or(part) == word)
        })
    };
    let status = info.driver_status.unwrap_or_default();
    let containerd_image_store = status.iter().any(|pair| {
        matches!(pair.as_slice(), [key, value]
            if key == "driver-type" && value == "io.containerd.snapshotter.v1")
    });
    let runtimes = info.runtimes.unwrap_or_default().into_keys();
    EngineInfo {
        run: run::engine(
            &info.id,
            &version.version,
            &run::Machine {
                name: &info.name,
                kernel: &info.kernel_version,
            },
        ),
        name,
        version: version.version,
        api_version: version.api_version,
        platform: Platform {
            os: version.os,
            architecture: version.arch,
            ..Platform::default()
        },
        cgroup_driver: info.cgroup_driver.filter(|d| !d.is_empty() && d != "none"),
        rootless: secured("rootless"),
        user_namespaces: secured("userns"),
        containerd_image_store,
        gpu_runtimes: runtimes
            .filter(|r| r.contains("nvidia") || r.starts_with("amd"))
            .collect(),
    }
}

pub(super) async fn any(engine: &DockerEngine, name: &str) -> Result<Option<Value>, EngineError> {
    let name_segment = segment(name);
    let places = [
        (
            ObjectKind::Container,
            format!("/containers/{name_segment}/json"),
        ),
        (ObjectKind::Image, image::path(name)),
        (ObjectKind::Network, format!("/networks/{name_segment}")),
        (ObjectKind::Volume, format!("/volumes/{name_segment}")),
    ];
    for (kind, path) in places {
        match engine.find(&path, &[(kind, name)]).await {
            Ok(None) => {}
            // Some names of containers and volumes are not valid names of images.
            Err(EngineError::Refused { status: 400, .. }) if kind == ObjectKind::Image => {}
            found => return found,
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_json(version: &str, info: &str) -> EngineInfo {
        let version = serde_json::from_str(version).expect("version");
        let info = serde_json::from_str(info).expect("info");
        read(version, info)
    }

    #[test]
    fn docker_with_everything_on() {
        let info = read_json(
            r#"{"Version":"28.5","ApiVersion":"1.51","Os":"linux","Arch":"arm64",
                "Components":[{"Name":"Engine"},{"Name":"containerd"}]}"#,
            r#"{"CgroupDriver":"systemd","Runtimes":{"runc":{},"nvidia":{}},
                "SecurityOptions":["name=seccomp,profile=default","name=userns","name=rootless"],
                "DriverStatus":[["driver-type","io.containerd.snapshotter.v1"]]}"#,
        );
        assert_eq!(
            info,
            EngineInfo {
                name: "docker".into(),
                version: "28.5".into(),
                api_version: "1.51".into(),
                platform: Platform::new("linux", "arm64", ""),
                cgroup_driver: Some("systemd".into()),
                rootless: true,
                user_namespaces: true,
                containerd_image_store: true,
                gpu_runtimes: vec!["nvidia".into()],
                run: None,
            }
        );
    }

    #[test]
    fn podman_and_nulls() {
        let info = read_json(
            r#"{"Version":"5.4","ApiVersion":"1.41","Components":[{"Name":"Podman Engine"}]}"#,
            r#"{"CgroupDriver":"","SecurityOptions":null,"DriverStatus":null,"Runtimes":null}"#,
        );
        assert_eq!(info.name, "podman");
        assert_eq!(info.cgroup_driver, None);
        assert!(!info.rootless && !info.containerd_image_store);
    }
}
