//! The request of a build: its options, and the message to the daemon.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use bollard_buildkit_proto::moby::buildkit::v1 as control;
use tokio::io::AsyncWrite;

use crate::error::Error;
use crate::gateway::{CACHE_IMPORTS, FrontendRequest};
use crate::session::{Destination, Exports, new_id};

/// A build, and where its results go.
#[derive(Debug, Default)]
pub struct SolveRequest {
    /// Identifier of the build on the daemon; empty for a new one from [`new_id`].
    pub reference: String,
    /// The frontend: `dockerfile.v0` or `gateway.v0`. [`Client::solve`](crate::Client::solve) runs it.
    pub frontend: String,
    /// Attributes of the frontend, for example `filename`, `target`, `build-arg:K`.
    pub frontend_attrs: BTreeMap<String, String>,
    /// Outputs of the build. Daemons before 0.13 support only the first.
    pub exporters: Vec<Exporter>,
    /// Caches to write.
    pub cache_exports: Vec<CacheEntry>,
    /// Caches to read.
    pub cache_imports: Vec<CacheEntry>,
    /// Additional permissions of the build, for example `network.host`.
    pub entitlements: Vec<String>,
    /// Whether to leave the build out of the daemon's history.
    pub internal: bool,
}

impl SolveRequest {
    /// Returns a build with the Dockerfile frontend of the daemon.
    pub fn dockerfile() -> Self {
        Self {
            frontend: "dockerfile.v0".into(),
            ..Self::default()
        }
    }

    /// Returns the request to the frontend.
    pub fn of_frontend(&self) -> FrontendRequest {
        FrontendRequest {
            frontend: self.frontend.clone(),
            attributes: self.frontend_attrs.clone(),
            ..FrontendRequest::default()
        }
    }
}

/// One output of a build.
#[derive(Debug, Default)]
pub struct Exporter {
    /// Kind of the exporter: `image`, `local`, `tar`, `oci`, `docker`.
    pub kind: String,
    /// Attributes of the exporter, for example `name` and `push`.
    pub attrs: BTreeMap<String, String>,
    /// Destination of the result on this side.
    pub target: ExportTarget,
}

/// The destination of an exporter's result.
#[derive(Default)]
pub enum ExportTarget {
    /// No destination on this side, as for `image`.
    #[default]
    None,
    /// A directory, whose other files stay (`local`).
    Directory(PathBuf),
    /// A directory, whose other files are removed after the build has succeeded (`local`).
    Mirror(PathBuf),
    /// The store `export` of the session, as an OCI layout (`oci` and `docker` with `tar=false`).
    ContentStore,
    /// A file, a pipe or similar (`tar`, `oci`, `docker`), which is shut down at the end.
    Stream(Box<dyn AsyncWrite + Send + Unpin>),
}

impl fmt::Debug for ExportTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => formatter.write_str("None"),
            Self::Directory(path) => formatter.debug_tuple("Directory").field(path).finish(),
            Self::Mirror(path) => formatter.debug_tuple("Mirror").field(path).finish(),
            Self::ContentStore => formatter.write_str("ContentStore"),
            Self::Stream(_) => formatter.write_str("Stream(..)"),
        }
    }
}

/// A cache to read or write.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct CacheEntry {
    /// Kind of the cache: `registry`, `inline`, `local` (in the store `local:<directory>` of the session),
    /// `gha`, `s3`, `azblob`.
    pub kind: String,
    /// Attributes of the cache, for example `ref` and `mode`.
    pub attrs: BTreeMap<String, String>,
}

/// Shows the kind only: the attributes can have credentials.
impl fmt::Debug for CacheEntry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("CacheEntry")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// Creates the message, and takes the destinations out of the request.
pub(super) fn prepare(
    request: SolveRequest,
    session: &str,
) -> Result<(control::SolveRequest, Exports), Error> {
    let exports = Exports::default();
    let mut exporters = Vec::with_capacity(request.exporters.len());
    for (index, exporter) in request.exporters.into_iter().enumerate() {
        let destination = destination(&exporter.kind, exporter.target)?;
        if let Some(destination) = destination {
            exports.add(index, &exporter.kind, destination);
        }
        exporters.push(control::Exporter {
            r#type: exporter.kind,
            attrs: exporter.attrs.into_iter().collect(),
        });
    }
    // For daemons before 0.13.
    let first = exporters.first().cloned().unwrap_or_default();

    let mut frontend_attrs: HashMap<_, _> = request.frontend_attrs.into_iter().collect();
    if !request.cache_imports.is_empty() {
        // A frontend reads the imports only here.
        frontend_attrs.insert(CACHE_IMPORTS.into(), cache_attr(&request.cache_imports)?);
    }
    let entries = |entries: Vec<CacheEntry>| {
        entries
            .into_iter()
            .map(|entry| control::CacheOptionsEntry {
                r#type: entry.kind,
                attrs: entry.attrs.into_iter().collect(),
            })
            .collect()
    };
    let reference = if request.reference.is_empty() {
        new_id()
    } else {
        request.reference
    };
    let message = control::SolveRequest {
        r#ref: reference,
        session: session.to_owned(),
        // The gateway runs the frontend. The daemon only records the attributes.
        frontend: String::new(),
        frontend_attrs,
        exporters,
        exporter_deprecated: first.r#type,
        exporter_attrs_deprecated: first.attrs,
        cache: Some(control::CacheOptions {
            exports: entries(request.cache_exports),
            imports: entries(request.cache_imports),
            ..Default::default()
        }),
        entitlements: request.entitlements,
        internal: request.internal,
        ..Default::default()
    };
    Ok((message, exports))
}

/// Returns the destination of an exporter. Refuses a combination that the daemon would refuse only
/// at the end of the build.
fn destination(kind: &str, target: ExportTarget) -> Result<Option<Destination>, Error> {
    let refuse = |text: String| Err(Error::Request(text));
    match (kind, target) {
        ("local", ExportTarget::Directory(path)) => Ok(Some(Destination::Directory(path, None))),
        ("local", ExportTarget::Mirror(path)) => {
            Ok(Some(Destination::Directory(path, Some(Arc::default()))))
        }
        ("local", _) => refuse("output directory is required for local exporter".into()),
        ("tar" | "oci" | "docker", ExportTarget::Stream(stream)) => {
            Ok(Some(Destination::Stream(stream)))
        }
        ("oci" | "docker", ExportTarget::ContentStore) => Ok(None),
        ("oci" | "docker", ExportTarget::Directory(_)) => refuse(format!(
            "a directory of {kind} exporter (tar=false) has to be a content store"
        )),
        ("tar" | "oci" | "docker", _) => refuse(format!(
            "output file writer is required for {kind} exporter"
        )),
        (_, ExportTarget::None) => Ok(None),
        (_, ExportTarget::Directory(_) | ExportTarget::Mirror(_)) => refuse(format!(
            "output directory is not supported by {kind} exporter"
        )),
        (_, ExportTarget::ContentStore) => {
            refuse(format!("output store is not supported by {kind} exporter"))
        }
        (_, ExportTarget::Stream(_)) => refuse(format!(
            "output file writer is not supported by {kind} exporter"
        )),
    }
}

fn cache_attr(imports: &[CacheEntry]) -> Result<String, Error> {
    #[derive(serde::Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Entry<'entry> {
        r#type: &'entry str,
        attrs: &'entry BTreeMap<String, String>,
    }
    let entries: Vec<_> = imports
        .iter()
        .map(|entry| Entry {
            r#type: &entry.kind,
            attrs: &entry.attrs,
        })
        .collect();
    serde_json::to_string(&entries).map_err(|error| Error::Request(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[tokio::test]
    async fn old_and_new_daemons_find_their_fields() {
        let mut request = SolveRequest::dockerfile();
        request.exporters = vec![
            Exporter {
                kind: "image".into(),
                attrs: text(&[("name", "a")]),
                target: ExportTarget::None,
            },
            Exporter {
                kind: "tar".into(),
                target: ExportTarget::Stream(Box::new(tokio::io::sink())),
                ..Exporter::default()
            },
        ];
        request.cache_imports = vec![CacheEntry {
            kind: "registry".into(),
            attrs: text(&[("ref", "r:1")]),
        }];
        let (message, exports) = prepare(request, "s1").unwrap();
        assert_eq!(message.session, "s1");
        assert_eq!(message.r#ref.len(), 25);
        assert_eq!(message.exporters.len(), 2);
        assert_eq!(message.exporter_deprecated, "image");
        assert_eq!(message.exporter_attrs_deprecated["name"], "a");
        assert_eq!(
            message.frontend_attrs["cache-imports"],
            r#"[{"Type":"registry","Attrs":{"ref":"r:1"}}]"#
        );
        assert_eq!(message.cache.unwrap().imports[0].r#type, "registry");
        assert!(matches!(
            exports.missing().await,
            Some(Error::Export { index: 1, .. })
        ));
    }

    #[test]
    fn targets_that_do_not_fit_are_refused_before_the_build() {
        let stream = || ExportTarget::Stream(Box::new(tokio::io::sink()));
        let directory = || ExportTarget::Directory("out".into());
        for (kind, attrs, target, words) in [
            ("local", text(&[]), stream(), "output directory is required"),
            ("tar", text(&[]), directory(), "writer is required"),
            ("oci", text(&[]), directory(), "tar=false"),
            (
                "docker",
                text(&[]),
                ExportTarget::None,
                "writer is required",
            ),
            (
                "image",
                text(&[]),
                ExportTarget::ContentStore,
                "not supported by image",
            ),
            ("image", text(&[]), stream(), "not supported by image"),
            ("image", text(&[]), directory(), "not supported by image"),
        ] {
            let mut request = SolveRequest::dockerfile();
            request.exporters.push(Exporter {
                kind: kind.into(),
                attrs,
                target,
            });
            let error = prepare(request, "s").err().unwrap().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
