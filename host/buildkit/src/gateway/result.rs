//! The result of a frontend: references to file systems, and metadata.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message as _;

use super::Definition;
use crate::fields::Fields;
use crate::wire::{NamedBytes, Reference as WireReference};

/// Maximum number of references of a result, one for each platform.
const MOST_REFERENCES: usize = 1000;

/// Maximum number of entries of the metadata. Real results have some dozens for each platform.
const MOST_METADATA: usize = 10_000;

/// The result of a frontend.
///
/// Entries that cannot be decoded, and entries after the first thousands, are not visible here. They
/// are still part of the result that a build exports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrontendResult {
    /// The message as the daemon sent it. It is returned to the daemon unchanged, with fields that
    /// this client does not know.
    pub(super) encoded: Bytes,
    metadata: BTreeMap<String, Bytes>,
    single: Option<Reference>,
    of_platforms: BTreeMap<String, Reference>,
}

/// A file system that a build made or will make, on the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    pub(super) id: String,
    definition: Option<Bytes>,
}

impl Reference {
    /// Returns the graph that makes this file system, as an input of another build; `None` if the
    /// daemon does not return graphs.
    pub fn definition(&self) -> Option<Definition> {
        self.definition.clone().map(Definition)
    }

    fn decode(encoded: Bytes) -> Option<Self> {
        let WireReference { id, definition } = WireReference::decode(encoded).ok()?;
        // An empty identifier is an empty file system, which has no reference.
        (!id.is_empty()).then_some(Self { id, definition })
    }
}

impl FrontendResult {
    /// Reads the response to a `Solve` of the gateway.
    pub(super) fn decode(response: Bytes) -> Self {
        Fields::new(response)
            .map_while(Result::ok)
            .find(|(number, _)| *number == 3)
            .map(|(_, message)| Self::of_message(message))
            .unwrap_or_default()
    }

    fn of_message(encoded: Bytes) -> Self {
        let mut result = Self {
            encoded: encoded.clone(),
            ..Self::default()
        };
        for (number, field) in Fields::new(encoded).map_while(Result::ok) {
            match number {
                // Of daemons before 0.6.
                1 => result.single = Reference::decode_id(&field),
                3 => result.single = Reference::decode(field),
                4 => result.of_platforms = references(field),
                10 if result.metadata.len() < MOST_METADATA => {
                    if let Ok(entry) = NamedBytes::decode(field) {
                        result.metadata.insert(entry.key, entry.value);
                    }
                }
                _ => {}
            }
        }
        result
    }

    /// Returns the metadata, for example `containerimage.config` or `result.json`.
    pub fn metadata(&self) -> &BTreeMap<String, Bytes> {
        &self.metadata
    }

    /// Returns the file system of a result without platforms; `None` if it is empty.
    pub fn reference(&self) -> Option<&Reference> {
        self.single.as_ref()
    }

    /// Returns the file systems of a result with platforms, by the name of the platform.
    pub fn references(&self) -> &BTreeMap<String, Reference> {
        &self.of_platforms
    }
}

impl Reference {
    fn decode_id(field: &Bytes) -> Option<Self> {
        let id = std::str::from_utf8(field).ok()?.to_owned();
        (!id.is_empty()).then_some(Self {
            id,
            definition: None,
        })
    }
}

fn references(map: Bytes) -> BTreeMap<String, Reference> {
    Fields::new(map)
        .map_while(Result::ok)
        .filter(|(number, _)| *number == 1)
        .take(MOST_REFERENCES)
        .filter_map(|(_, entry)| {
            let entry = NamedBytes::decode(entry).ok()?;
            Some((entry.key, Reference::decode(entry.value)?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use bollard_buildkit_proto::moby::buildkit::v1::frontend as proto;
    use bollard_buildkit_proto::pb;

    use super::*;

    fn read(result: proto::Result) -> FrontendResult {
        let response = proto::SolveResponse {
            r#ref: String::new(),
            result: Some(result),
        };
        FrontendResult::decode(response.encode_to_vec().into())
    }

    fn reference(id: &str) -> proto::Ref {
        proto::Ref {
            id: id.into(),
            def: Some(pb::Definition {
                def: vec![b"op".to_vec()],
                ..pb::Definition::default()
            }),
        }
    }

    #[test]
    fn one_reference_and_metadata_are_read() {
        let result = read(proto::Result {
            metadata: HashMap::from([("result.json".into(), b"{}".to_vec())]),
            result: Some(proto::result::Result::Ref(reference("a"))),
            ..proto::Result::default()
        });
        assert_eq!(result.metadata()["result.json"], "{}");
        let definition = result.reference().unwrap().definition().unwrap();
        let definition = pb::Definition::decode(definition.0).unwrap();
        assert_eq!(definition.def, [b"op"]);
    }

    #[test]
    fn references_of_platforms_are_read_and_empty_ones_left_out() {
        let refs = ["linux/amd64", "linux/arm64"].map(|name| (name.to_owned(), reference(name)));
        let mut refs = HashMap::from(refs);
        refs.insert("none".into(), proto::Ref::default());
        let result = read(proto::Result {
            result: Some(proto::result::Result::Refs(proto::RefMap { refs })),
            ..proto::Result::default()
        });
        assert_eq!(result.reference(), None);
        let names: Vec<_> = result.references().keys().collect();
        assert_eq!(names, ["linux/amd64", "linux/arm64"]);
    }

    #[test]
    fn of_very_many_entries_some_are_visible() {
        let metadata = (0..50_000).map(|number| (number.to_string(), Vec::new()));
        let result = read(proto::Result {
            metadata: metadata.collect(),
            ..proto::Result::default()
        });
        assert_eq!(result.metadata().len(), MOST_METADATA);
    }

    #[test]
    fn old_daemons_return_only_an_identifier() {
        let result = read(proto::Result {
            result: Some(proto::result::Result::RefDeprecated("x".into())),
            ..proto::Result::default()
        });
        assert_eq!(result.reference().unwrap().id, "x");
        assert_eq!(result.reference().unwrap().definition(), None);
    }
}
