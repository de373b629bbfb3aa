//! Build graphs in BuildKit's low-level format (LLB), encoded.

use std::collections::BTreeMap;

use bollard_buildkit_proto::pb;
use bytes::Bytes;
use prost::Message as _;
use sha2::{Digest as _, Sha256};

/// An encoded build graph: one that BuildKit returned, or one with a single source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Definition(pub(super) Bytes);

impl Definition {
    /// Returns the graph that downloads a file over HTTP and stores it under `file_name`.
    /// `description` is the name of the step.
    pub fn http(url: &str, file_name: &str, description: &str) -> Self {
        let attrs = BTreeMap::from([("http.filename".to_owned(), file_name.to_owned())]);
        Self::source(url, attrs, description, "source.http")
    }

    /// Returns the graph with one source. `capability` is what the daemon needs for it.
    fn source(
        identifier: &str,
        attrs: BTreeMap<String, String>,
        description: &str,
        capability: &str,
    ) -> Self {
        let source = pb::Op {
            op: Some(pb::op::Op::Source(pb::SourceOp {
                identifier: identifier.to_owned(),
                attrs,
            })),
            ..pb::Op::default()
        }
        .encode_to_vec();
        let digest = digest(&source);
        // The last operation has no kind and names the result.
        let last = pb::Op {
            inputs: vec![pb::Input {
                digest: digest.clone(),
                index: 0,
            }],
            ..pb::Op::default()
        }
        .encode_to_vec();
        let name = ("llb.customname".to_owned(), description.to_owned());
        let of_source = pb::OpMetadata {
            description: BTreeMap::from([name]),
            caps: BTreeMap::from([(capability.to_owned(), true)]),
            ..pb::OpMetadata::default()
        };
        let definition = pb::Definition {
            metadata: BTreeMap::from([(digest, of_source)]),
            def: vec![source, last],
            source: None,
        };
        Self(definition.encode_to_vec().into())
    }
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
    fn digests_are_those_of_oci() {
        assert_eq!(
            digest(b"abc"),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
