//! What an inspected container can reach on the engine's machine.

use serde::Deserialize;

use crate::model::{Reach, weakens_isolation};

/// The part of `HostConfig` that weakens a container's isolation. Every field may be missing or null:
/// Podman and older engines omit what they do not support.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct InspectedReach {
    privileged: Option<bool>,
    cap_add: Option<Vec<String>>,
    security_opt: Option<Vec<String>>,
    masked_paths: Option<Vec<String>>,
    userns_mode: Option<String>,
    pid_mode: Option<String>,
    ipc_mode: Option<String>,
    #[serde(rename = "UTSMode")]
    uts_mode: Option<String>,
    network_mode: Option<String>,
    cgroup_parent: Option<String>,
    devices: Option<Vec<Device>>,
    device_requests: Option<Vec<DeviceRequest>>,
    device_cgroup_rules: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Device {
    #[serde(default)]
    path_on_host: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeviceRequest {
    #[serde(default)]
    count: i64,
    #[serde(default, rename = "DeviceIDs")]
    device_ids: Option<Vec<String>>,
}

impl InspectedReach {
    /// Returns what the container can reach; `networks` are the networks that it is in.
    pub(super) fn read(self, networks: Vec<String>) -> Reach {
        let mut privileges = Vec::new();
        if self.privileged == Some(true) {
            privileges.push("privileged".to_owned());
        }
        let added = self.cap_add.into_iter().flatten();
        privileges.extend(added.map(|name| format!("capability {name}")));
        let options = self.security_opt.into_iter().flatten();
        privileges.extend(
            options
                .filter(|option| weakens_isolation(option))
                .map(|option| format!("security option {option}")),
        );
        // A privileged container, and an engine that does not say, have no list at all.
        if self.masked_paths.is_some_and(|paths| paths.is_empty()) {
            privileges.push("all of /proc and /sys".to_owned());
        }
        for (namespace, mode) in [
            ("user", self.userns_mode),
            ("process", self.pid_mode),
            ("IPC", self.ipc_mode),
            ("UTS", self.uts_mode),
        ] {
            let mode = mode.unwrap_or_default();
            if mode == "host" || mode.starts_with("container:") {
                privileges.push(format!("{namespace} namespace of {mode}"));
            }
        }
        let mut devices: Vec<_> = self
            .devices
            .into_iter()
            .flatten()
            .map(|device| device.path_on_host)
            .collect();
        devices.extend(self.device_requests.into_iter().flatten().map(request));
        devices.extend(self.device_cgroup_rules.into_iter().flatten());
        Reach {
            privileges,
            network: self.network_mode.filter(|mode| !mode.is_empty()),
            networks,
            cgroup_parent: self.cgroup_parent.filter(|parent| !parent.is_empty()),
            devices,
        }
    }
}

/// Returns a request as `--gpus` of the Docker CLI writes it.
fn request(request: DeviceRequest) -> String {
    match request.device_ids {
        Some(ids) if !ids.is_empty() => format!("device={}", ids.join(",")),
        _ if request.count < 0 => "all".to_owned(),
        _ => request.count.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Reach {
        let read: InspectedReach = serde_json::from_str(json).expect("readable");
        read.read(Vec::new())
    }

    #[test]
    fn an_ordinary_container_reaches_nothing() {
        assert_eq!(read("{}"), Reach::default());
        let reach = read(
            r#"{"Privileged":false,"CapAdd":null,"SecurityOpt":["no-new-privileges:true"],
                "UsernsMode":"","PidMode":"","IpcMode":"private","UTSMode":"","NetworkMode":"default",
                "Devices":[],"DeviceRequests":null,"DeviceCgroupRules":null,
                "MaskedPaths":["/proc/acpi"]}"#,
        );
        assert_eq!(
            reach,
            Reach {
                network: Some("default".into()),
                ..Reach::default()
            }
        );
    }

    #[test]
    fn each_way_out_is_named() {
        let reach = read(
            r#"{"Privileged":true,"CapAdd":["SYS_ADMIN"],"SecurityOpt":["seccomp=unconfined"],
                "UsernsMode":"host","PidMode":"host","IpcMode":"container:a","UTSMode":"host",
                "NetworkMode":"container:b","CgroupParent":"/a","Devices":[{"PathOnHost":"/dev/fuse"}],
                "DeviceRequests":[{"Count":-1},{"Count":0,"DeviceIDs":["0","2"]},{"Count":1}],
                "DeviceCgroupRules":["c 1:3 rwm"],"MaskedPaths":[]}"#,
        );
        assert_eq!(
            reach.privileges,
            [
                "privileged",
                "capability SYS_ADMIN",
                "security option seccomp=unconfined",
                "all of /proc and /sys",
                "user namespace of host",
                "process namespace of host",
                "IPC namespace of container:a",
                "UTS namespace of host",
            ]
        );
        assert_eq!(reach.network.as_deref(), Some("container:b"));
        assert_eq!(reach.cgroup_parent.as_deref(), Some("/a"));
        assert_eq!(
            reach.devices,
            ["/dev/fuse", "all", "device=0,2", "1", "c 1:3 rwm"]
        );
    }
}
