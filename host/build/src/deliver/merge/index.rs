//! Images of several nodes as one image in a registry.
//!
//! Each node pushes its part without a tag. After all nodes succeeded, one index refers to all parts, and gets the tags.

use std::collections::BTreeMap;

use iechor_builder::Workspace;
use iechor_builder::buildkitd_config::uses_plain_http;
use iechor_builder::store::Node;
use iechor_images::{Index, artifact, merge, remote};
use iechor_platform::Platform;
use iechor_progress::vertex::{StatusSender, Stream, Vertex};
use iechor_registry::{Access, Artifact, Client, Credential, Digest, Transport};

use super::image::Merged;
use crate::credentials::DockerCredentials;
use crate::deliver::result::NodeResult;
use crate::error::{BuildError, IndexProblem};
use crate::plan::PlanError;
use crate::plan::exports::Export;
use crate::spec::parse::boolean;

/// The options of the exporter that concern names.
const NAME: &str = "name";
const PUSH: &str = "push";
const BY_DIGEST: &str = "push-by-digest";

/// An image to push.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Push {
    /// The names of the image.
    names: Vec<String>,
    /// Whether the image gets no tags.
    is_by_digest: bool,
}

/// Finds the image that a node pushes, and lets the node push its part without tags.
///
/// # Errors
///
/// Returns an error if the node pushes several images that differ in more than their names.
pub(super) fn plan(exports: &mut Vec<Export>) -> Result<Option<Push>, PlanError> {
    let mut push: Option<(Push, Export)> = None;
    let (pushed, kept) = std::mem::take(exports).into_iter().partition(is_pushed);
    *exports = kept;
    let pushed: Vec<Export> = pushed;
    for export in pushed {
        let (names, is_by_digest, options) = taken(export);
        match &mut push {
            None => {
                let first = Push {
                    names,
                    is_by_digest,
                };
                push = Some((first, options));
            }
            Some((first, same)) if *same == options && first.is_by_digest == is_by_digest => {
                first.names.extend(names);
            }
            Some(_) => return Err(PlanError::SeveralPushes),
        }
    }
    let Some((push, mut export)) = push else {
        return Ok(None);
    };
    let set = [
        (NAME, repositories(&push.names).join(",")),
        (PUSH, "true".to_owned()),
        (BY_DIGEST, "true".to_owned()),
    ];
    let set = set.map(|(key, value)| (key.to_owned(), value));
    export.attributes.extend(set);
    // The daemon reports the digest of the last image.
    exports.push(export);
    Ok(Some(push))
}

fn is_pushed(export: &Export) -> bool {
    let push = export.attributes.get(PUSH);
    export.kind == "image" && push.is_some_and(|push| boolean(push) == Some(true))
}

/// Separates the names of an export from its other options.
fn taken(mut export: Export) -> (Vec<String>, bool, Export) {
    let names = export.attributes.remove(NAME).unwrap_or_default();
    export.attributes.remove(PUSH);
    let by_digest = export.attributes.remove(BY_DIGEST);
    let names = names.split(',').filter(|name| !name.is_empty());
    let names = names.map(str::to_owned).collect();
    let is_by_digest = by_digest.is_some_and(|value| boolean(&value) == Some(true));
    (names, is_by_digest, export)
}

/// Returns the names without tags and digests, each once.
fn repositories(names: &[String]) -> Vec<String> {
    let mut repositories: Vec<String> = Vec::new();
    for name in names {
        let name = name.split('@').next().unwrap_or_default();
        let repository = match name.rsplit_once(':') {
            Some((repository, tag)) if !tag.contains('/') => repository,
            _ => name,
        };
        if !repositories.iter().any(|known| known == repository) {
            repositories.push(repository.to_owned());
        }
    }
    repositories
}

impl Push {
    /// Makes the index of the parts, pushes it under all names, and returns the values that describe it.
    ///
    /// # Errors
    ///
    /// Returns the first name that cannot be pushed. No tag is pushed before the index can be made.
    pub(super) async fn complete(
        self,
        workspace: &Workspace,
        builder: &[Node],
        results: &[NodeResult],
        platforms: &[Platform],
        status: &StatusSender,
    ) -> Result<BTreeMap<String, String>, BuildError> {
        // docker buildx names it in the same way.
        let title = format!("merging manifest list {}", self.names.join(", "));
        let (vertex, forwarder) = Vertex::begin(&title, status.clone());
        let registries = Registries {
            credentials: DockerCredentials::new(workspace, true, status),
            builder,
        };
        let pushing = self.push(&registries, results, platforms, &vertex);
        let pushed = tokio::select! {
            pushed = pushing => pushed,
            () = workspace.cancel.cancelled() => Err(super::cancelled()),
        };
        vertex.end(pushed.as_ref().map(|_| ()).map_err(ToString::to_string));
        drop(vertex);
        forwarder.finish().await;
        Ok(pushed?.values())
    }

    async fn push(
        &self,
        registries: &Registries<'_>,
        results: &[NodeResult],
        platforms: &[Platform],
        vertex: &Vertex,
    ) -> Result<Merged, BuildError> {
        let mut clients: Vec<(Artifact, Client)> = Vec::new();
        let mut index: Option<Index> = None;
        // Everything that can fail without a trace comes before the first tag.
        for name in repositories(&self.names) {
            let failed = |reason| failed(&name, reason);
            let place = artifact(&name).map_err(|error| failed(error.into()))?;
            let client = registries.connect(&place).await.map_err(failed)?;
            if index.is_none() {
                let fetched = fetch(&client, results, platforms).await;
                index = Some(fetched.map_err(failed)?);
            }
            clients.push((place, client));
        }
        let index = index.ok_or(PlanError::NoTag)?;
        let content = index.to_bytes();
        for name in &self.names {
            let failed = |reason| failed(name, reason);
            let place = artifact(name).map_err(|error| failed(error.into()))?;
            let is_here = |other: &&(Artifact, Client)| {
                other.0.registry == place.registry && other.0.repository == place.repository
            };
            let Some((_, client)) = clients.iter().find(is_here) else {
                continue;
            };
            let tag = Some(place.tag_or_latest()).filter(|_| !self.is_by_digest);
            let line = match tag {
                Some(_) => format!("pushing {} to {name}\n", Digest::of(&content)),
                None => format!("pushing {name}@{}\n", Digest::of(&content)),
            };
            vertex.output(Stream::Output, line.into());
            let pushed = client
                .push_version(content.clone(), &index.media_type, tag)
                .await;
            pushed.map_err(|error| failed(IndexProblem::Image(error.into())))?;
        }
        Ok(Merged::new(
            &index.media_type,
            &content,
            self.names.join(","),
        ))
    }
}

fn failed(name: &str, reason: IndexProblem) -> BuildError {
    BuildError::Index {
        name: name.to_owned(),
        reason: Box::new(reason),
    }
}

/// Fetches the parts of all nodes, and makes the index of them.
async fn fetch(
    client: &Client,
    results: &[NodeResult],
    platforms: &[Platform],
) -> Result<Index, IndexProblem> {
    let mut parts = Vec::new();
    for result in results {
        let digest = result.response.get("containerimage.digest");
        let digest = digest.and_then(|digest| digest.parse::<Digest>().ok());
        let digest = digest.ok_or_else(|| IndexProblem::NoDigest {
            node: result.node().to_owned(),
        })?;
        parts.push(remote::fetch(client, &digest).await?);
    }
    Ok(merge(parts, platforms))
}

/// Access to the registries of a build.
struct Registries<'a> {
    credentials: DockerCredentials,
    builder: &'a [Node],
}

impl Registries<'_> {
    async fn connect(&self, place: &Artifact) -> Result<Client, IndexProblem> {
        let found = self.credentials.to_push(&place.registry, &place.repository);
        let credential: Credential = found.await.map_err(IndexProblem::Credentials)?;
        let host = place.registry.as_str();
        let mut nodes = self.builder.iter();
        let is_plain = place.is_local() || nodes.any(|node| uses_plain_http(&node.files, host));
        let transport = match is_plain {
            true => Transport::PlainHttp,
            false => Transport::Tls,
        };
        let client = Client::connect_by(place, &credential, Access::Push, transport).await;
        Ok(client.map_err(iechor_images::ImageError::from)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::exports::Delivery;

    fn image(attributes: &[(&str, &str)]) -> Export {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        Export {
            kind: "image",
            attributes: attributes.iter().map(owned).collect(),
            delivery: Delivery::None,
            engine_pushes: Vec::new(),
        }
    }

    #[test]
    fn parts_are_pushed_without_tags_and_last() {
        let pushed = image(&[
            ("name", "demo:1,demo:2,ghcr.io/a"),
            ("push", "1"),
            ("x", "y"),
        ]);
        let stays = image(&[("name", "other")]);
        let mut exports = vec![pushed, stays.clone()];
        let push = plan(&mut exports).expect("one image");
        let names = ["demo:1", "demo:2", "ghcr.io/a"]
            .map(str::to_owned)
            .to_vec();
        let expected = Push {
            names,
            is_by_digest: false,
        };
        assert_eq!(push, Some(expected));
        let part = image(&[
            ("name", "demo,ghcr.io/a"),
            ("push", "true"),
            ("push-by-digest", "true"),
            ("x", "y"),
        ]);
        assert_eq!(exports, [stays.clone(), part]);
        let mut exports = vec![stays.clone()];
        assert_eq!(plan(&mut exports), Ok(None));
        assert_eq!(exports, [stays]);
    }

    #[test]
    fn several_images_are_pushed_only_if_they_are_equal() {
        let names = |pairs: &[(&str, &str)]| image(&[pairs, &[("push", "true")]].concat());
        let mut equal = vec![names(&[("name", "a:1")]), names(&[("name", "b:1")])];
        let push = plan(&mut equal).expect("equal").expect("pushed");
        assert_eq!(push.names, ["a:1", "b:1"]);
        assert_eq!(equal.len(), 1);
        for other in [("compression", "zstd"), ("push-by-digest", "true")] {
            let other = names(&[("name", "b"), other]);
            let mut exports = vec![names(&[("name", "a")]), other];
            assert_eq!(plan(&mut exports), Err(PlanError::SeveralPushes));
        }
    }

    #[test]
    fn repositories_have_no_tags() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let names = [
            "demo:1".to_owned(),
            "demo:2".to_owned(),
            "localhost:5000/demo".to_owned(),
            format!("localhost:5000/demo:1@{digest}"),
            format!("ghcr.io/demo@{digest}"),
        ];
        assert_eq!(
            repositories(&names),
            ["demo", "localhost:5000/demo", "ghcr.io/demo"]
        );
    }
}
