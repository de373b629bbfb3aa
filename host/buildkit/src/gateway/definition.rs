//! Build graphs in BuildKit's low-level format (LLB), encoded.

use std::collections::BTreeMap;

use bollard_buildkit_proto::pb;
use bytes::Bytes;
use prost::Message as _;
use sha2::{Digest as _, Sha256};

/// An encoded build graph: one that BuildKit returned, or one with the content of a URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Definition(pub(super) Bytes);

impl Definition {
    /// Returns the graph that downloads a file over HTTP and stores it under `file_name`.
    /// `description` is the name of the step.
    pub fn http(url: &str, file_name: &str, description: &str) -> Self {
        Self::of_operations(&[download(url, file_name, description)])
    }

    /// Returns the graph that downloads an archive over HTTP and unpacks it. The result for another file is
    /// that file, under `file_name`. `description` is the name of the download.
    pub fn unpacked(url: &str, file_name: &str, description: &str) -> Self {
        let download = download(url, file_name, description);
        let unpack = unpack(&download, file_name, &format!("{description}: unpack"));
        Self::of_operations(&[download, unpack])
    }

    /// Returns the graph of operations whose last one makes the result.
    fn of_operations(operations: &[Operation]) -> Self {
        let digests = operations.iter().map(Operation::digest);
        let metadata = operations.iter().map(|operation| &operation.metadata);
        let metadata = digests.zip(metadata.cloned()).collect();
        // The last operation of a definition has no kind and names the result.
        let result = pb::Op {
            inputs: operations
                .last()
                .map(Operation::output)
                .into_iter()
                .collect(),
            ..pb::Op::default()
        };
        let mut def: Vec<_> = operations
            .iter()
            .map(|operation| operation.encoded.clone())
            .collect();
        def.push(result.encode_to_vec());
        let definition = pb::Definition {
            metadata,
            def,
            source: None,
        };
        Self(definition.encode_to_vec().into())
    }
}

/// An operation of a graph.
struct Operation {
    encoded: Vec<u8>,
    metadata: pb::OpMetadata,
}

impl Operation {
    /// `capability` is what the daemon needs for the operation.
    fn new(operation: &pb::Op, description: &str, capability: &str) -> Self {
        let name = ("llb.customname".to_owned(), description.to_owned());
        Self {
            encoded: operation.encode_to_vec(),
            metadata: pb::OpMetadata {
                description: BTreeMap::from([name]),
                caps: BTreeMap::from([(capability.to_owned(), true)]),
                ..pb::OpMetadata::default()
            },
        }
    }

    fn digest(&self) -> String {
        digest(&self.encoded)
    }

    /// Returns the input of an operation that uses the result of this one.
    fn output(&self) -> pb::Input {
        pb::Input {
            digest: self.digest(),
            index: 0,
        }
    }
}

fn download(url: &str, file_name: &str, description: &str) -> Operation {
    let source = pb::SourceOp {
        identifier: url.to_owned(),
        attrs: BTreeMap::from([("http.filename".to_owned(), file_name.to_owned())]),
    };
    let operation = pb::Op {
        op: Some(pb::op::Op::Source(source)),
        ..pb::Op::default()
    };
    Operation::new(&operation, description, "source.http")
}

/// Returns the operation that copies a file into an empty file system. It unpacks an archive.
fn unpack(source: &Operation, file_name: &str, description: &str) -> Operation {
    let copy = pb::FileActionCopy {
        src: format!("/{file_name}"),
        dest: "/".to_owned(),
        attempt_unpack_docker_compatibility: true,
        // The mode and the time of the file.
        mode: -1,
        timestamp: -1,
        ..pb::FileActionCopy::default()
    };
    let action = pb::FileAction {
        // An empty file system.
        input: -1,
        secondary_input: 0,
        output: 0,
        action: Some(pb::file_action::Action::Copy(copy)),
    };
    let operation = pb::Op {
        inputs: vec![source.output()],
        op: Some(pb::op::Op::File(pb::FileOp {
            actions: vec![action],
        })),
        ..pb::Op::default()
    };
    Operation::new(&operation, description, "file.base")
}

fn digest(operation: &[u8]) -> String {
    let hash = Sha256::digest(operation);
    let digits: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digits}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_download_is_one_source_and_the_result() {
        let definition = Definition::http("https://example.com/a", "Dockerfile", "load");
        let decoded = pb::Definition::decode(definition.0).unwrap();
        let [source, last] = decoded.def.as_slice() else {
            panic!("{decoded:?}");
        };
        let last = pb::Op::decode(last.as_slice()).unwrap();
        assert_eq!(last.op, None);
        assert_eq!(last.inputs[0].digest, digest(source));
        assert!(decoded.metadata.contains_key(&digest(source)));
        let Some(pb::op::Op::Source(source)) = pb::Op::decode(source.as_slice()).unwrap().op else {
            panic!("no source");
        };
        assert_eq!(source.identifier, "https://example.com/a");
        assert_eq!(source.attrs["http.filename"], "Dockerfile");
    }

    #[test]
    fn an_archive_is_unpacked_into_an_empty_file_system() {
        let definition = Definition::unpacked("https://example.com/a.tar", "context", "load");
        let decoded = pb::Definition::decode(definition.0).unwrap();
        let [source, copy, last] = decoded.def.as_slice() else {
            panic!("{decoded:?}");
        };
        let last = pb::Op::decode(last.as_slice()).unwrap();
        assert_eq!(last.inputs[0].digest, digest(copy));
        let copy = pb::Op::decode(copy.as_slice()).unwrap();
        assert_eq!(copy.inputs[0].digest, digest(source));
        let Some(pb::op::Op::File(files)) = copy.op else {
            panic!("no files");
        };
        assert_eq!(files.actions[0].input, -1);
        assert_eq!(decoded.metadata.len(), 2);
    }

    #[test]
    fn digests_are_those_of_oci() {
        assert_eq!(
            digest(b"abc"),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
