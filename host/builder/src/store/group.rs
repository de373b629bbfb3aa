//! Builders and nodes in the JSON of docker buildx.

use std::collections::BTreeMap;
use std::fmt;

use iechor_platform::Platform;
use iechor_sandbox::Embedded;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::{buildkitd_config, buildkitd_flags};

/// A builder: a name, a driver and nodes. Contains what the user asked for, and no state.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct NodeGroup {
    /// Name, in the case that the user typed.
    pub name: String,
    /// The driver, such as `docker-container`. Empty: the driver that suits the node's endpoint.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub driver: String,
    /// Nodes, in the order in which they were added.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        serialize_with = "empty_is_null"
    )]
    pub nodes: Vec<Node>,
    /// The driver chooses the nodes; they cannot be changed.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub dynamic: bool,
    /// Digest of the driver's component when the builder was created or last changed, for a driver
    /// that is not built in. Docker buildx ignores it, and drops it when it writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver_digest: Option<String>,
    /// The name of the driver that the user chose, in a file that has the name in docker buildx as the
    /// driver. `None` in memory, and if docker buildx wrote the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) driver_name: Option<String>,
    /// Unknown fields, which are written back unchanged.
    #[serde(flatten)]
    pub(crate) unknown: Map<String, Value>,
}

impl NodeGroup {
    /// Returns the builder as its file has it: with a driver that docker buildx knows, if there is one
    /// that means the same.
    pub(super) fn for_file(&self) -> Self {
        let mut group = self.clone();
        if let Some(embedded) = Embedded::find(&self.driver)
            && !embedded.aliases.contains(&self.driver.as_str())
            && let Some(alias) = embedded.aliases.first()
        {
            group.driver_name = Some(std::mem::replace(&mut group.driver, (*alias).to_owned()));
        }
        group
    }

    /// Reverses [`Self::for_file`].
    pub(super) fn from_file(mut self) -> Self {
        if let Some(name) = self.driver_name.take()
            && Embedded::find(&name).is_some_and(|found| found.is_called(&self.driver))
        {
            self.driver = name;
        }
        self
    }
}

/// A node of a builder: a daemon.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Node {
    /// Name, unique within the builder.
    pub name: String,
    /// Endpoint: a URL such as `unix:///var/run/docker.sock`, or the name of a context.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub endpoint: String,
    /// Platforms that the user declared; empty: those that the daemon reports.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        serialize_with = "empty_is_null"
    )]
    pub platforms: Vec<Platform>,
    /// Options for the driver, by name.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        serialize_with = "empty_map_is_null"
    )]
    pub driver_opts: BTreeMap<String, String>,
    /// Arguments for the daemon.
    #[serde(
        rename = "Flags",
        default,
        deserialize_with = "null_is_empty",
        serialize_with = "empty_is_null"
    )]
    pub flags: Vec<String>,
    /// Files for the daemon's configuration directory, by path. May contain private keys.
    #[serde(default, with = "files")]
    pub files: BTreeMap<String, Vec<u8>>,
    /// Unknown fields, which are written back unchanged.
    #[serde(flatten)]
    pub(crate) unknown: Map<String, Value>,
}

impl Node {
    /// Returns the entitlements that the daemon of the node allows when it is started as the node states.
    /// Returns `None` if the node does not state it, for example because its daemon runs elsewhere.
    pub fn declared_entitlements(&self) -> Option<Vec<String>> {
        let of_flags = buildkitd_flags::entitlements(&self.flags).into_iter();
        let of_config = buildkitd_config::entitlements_of(&self.files);
        let is_stated = of_flags.len() > 0 || of_config.is_some();
        // BuildKit allows both.
        let all = of_flags
            .map(str::to_owned)
            .chain(of_config.unwrap_or_default());
        is_stated.then(|| all.collect())
    }
}

/// Omits the contents of files and of environment variables, which may be secret.
impl fmt::Debug for Node {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options: BTreeMap<&str, &str> = self
            .driver_opts
            .iter()
            .map(|(name, value)| {
                let hidden = name.starts_with("env.");
                (name.as_str(), if hidden { "..." } else { value.as_str() })
            })
            .collect();
        let files: BTreeMap<&str, usize> = self
            .files
            .iter()
            .map(|(path, data)| (path.as_str(), data.len()))
            .collect();
        formatter
            .debug_struct("Node")
            .field("name", &self.name)
            .field("endpoint", &self.endpoint)
            .field("platforms", &self.platforms)
            .field("driver_opts", &options)
            .field("flags", &self.flags)
            .field("file_sizes", &files)
            .finish_non_exhaustive()
    }
}

/// Reads `null` as empty: docker buildx often writes an empty slice or map as `null`.
pub(super) fn null_is_empty<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

fn empty_is_null<S: Serializer, T: Serialize>(
    list: &[T],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    if list.is_empty() {
        serializer.serialize_none()
    } else {
        list.serialize(serializer)
    }
}

fn empty_map_is_null<S: Serializer>(
    map: &BTreeMap<String, String>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    if map.is_empty() {
        serializer.serialize_none()
    } else {
        map.serialize(serializer)
    }
}

mod files {
    use std::collections::BTreeMap;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::ser::SerializeMap as _;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        files: &BTreeMap<String, Vec<u8>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        if files.is_empty() {
            return serializer.serialize_none();
        }
        let mut map = serializer.serialize_map(Some(files.len()))?;
        for (path, data) in files {
            map.serialize_entry(path, &STANDARD.encode(data))?;
        }
        map.end()
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<String, Vec<u8>>, D::Error> {
        let texts = Option::<BTreeMap<String, Option<String>>>::deserialize(deserializer)?
            .unwrap_or_default();
        texts
            .into_iter()
            .map(|(path, text)| {
                let data = STANDARD.decode(text.unwrap_or_default()).map_err(|error| {
                    serde::de::Error::custom(format!("file {path:?} is not base64: {error}"))
                })?;
                Ok((path, data))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fields in the form in which docker buildx writes them.
    const PEER: &str = r#"{"Name":"MyB","Driver":"docker-container","Nodes":[{"Name":"myb0","Endpoint":"unix:///var/run/docker.sock","Platforms":[{"architecture":"arm","os":"linux","variant":"v7"}],"DriverOpts":{"env.TOKEN":"hunter2","network":"host"},"Flags":["--allow-insecure-entitlement=network.host"],"Files":{"buildkitd.toml":"ZGVidWcgPSB0cnVlCg=="}},{"Name":"myb1","Endpoint":"ctx","Platforms":null,"DriverOpts":null,"Flags":null,"Files":null}],"Dynamic":false}"#;

    #[test]
    fn the_peers_json_comes_back_byte_by_byte() {
        let group: NodeGroup = serde_json::from_str(PEER).unwrap();
        assert_eq!(group.name, "MyB");
        assert_eq!(group.nodes[0].platforms[0].to_string(), "linux/arm/v7");
        assert_eq!(group.nodes[0].files["buildkitd.toml"], b"debug = true\n");
        assert_eq!(group.nodes[1].flags, Vec::<String>::new());
        assert_eq!(serde_json::to_string(&group).unwrap(), PEER);
    }

    #[test]
    fn the_file_has_a_driver_that_docker_buildx_knows() {
        for (driver, written) in [
            ("iechor-container", "docker-container"),
            ("docker-container", "docker-container"),
            ("remote", "remote"),
            ("team", "team"),
            ("/a/driver.wasm", "/a/driver.wasm"),
        ] {
            let group = NodeGroup {
                name: "b".into(),
                driver: driver.into(),
                ..NodeGroup::default()
            };
            let file = serde_json::to_string(&group.for_file()).unwrap();
            let read: NodeGroup = serde_json::from_str(&file).unwrap();
            assert_eq!(read.driver, written);
            assert_eq!(read.from_file(), group);
        }
        // Another program changed the driver, and kept the field.
        let text = r#"{"Name":"b","Driver":"remote","DriverName":"iechor-container"}"#;
        let group: NodeGroup = serde_json::from_str(text).unwrap();
        assert_eq!(group.from_file().driver, "remote");
    }

    #[test]
    fn unknown_fields_survive() {
        let text = r#"{"Name":"b","Driver":"d","Nodes":[{"Name":"b0","Endpoint":"e","Platforms":[{"architecture":"amd64","os":"linux","future":1}],"DriverOpts":null,"Flags":null,"Files":null,"Weight":{"a":[1,null]}}],"Dynamic":false,"Tags":["x"]}"#;
        let group: NodeGroup = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&group).unwrap(), text);
    }

    #[test]
    fn missing_and_null_fields_are_empty() {
        for text in [
            r#"{"Name":"b"}"#,
            r#"{"Name":"b","Driver":null,"Nodes":null,"Dynamic":null}"#,
            r#"{"Name":"b","Nodes":[]}"#,
        ] {
            let group: NodeGroup = serde_json::from_str(text).unwrap();
            assert_eq!(
                group,
                NodeGroup {
                    name: "b".into(),
                    ..NodeGroup::default()
                }
            );
        }
        assert!(serde_json::from_str::<NodeGroup>(r#"{"Driver":"d"}"#).is_err());
    }

    #[test]
    fn debug_output_holds_no_secret() {
        let group: NodeGroup = serde_json::from_str(PEER).unwrap();
        let text = format!("{group:?}");
        assert!(
            !text.contains("hunter2") && !text.contains("100, 101"),
            "{text}"
        );
        assert!(
            text.contains("buildkitd.toml") && text.contains("env.TOKEN"),
            "{text}"
        );
    }
}
