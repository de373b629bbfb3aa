//! The daemon's history of builds: the provenance of a result.

use bollard_buildkit_proto::moby::buildkit::v1 as control;
use bytes::{Bytes, BytesMut};
use http::uri::PathAndQuery;
use prost::Message as _;

use crate::client::Client;
use crate::error::{Code, Error};
use crate::fields::Undecoded;
use crate::wire::{
    HistoryDescriptor, HistoryEvent, HistoryResult, ReadContentRequest, ReadContentResponse,
};

/// Maximum size of a record of the history, in bytes. Real ones have some KiB for each platform.
const RECORD_LIMIT: usize = 2 << 20;

/// Maximum number of events that are read. A request for one build has one, or two while it ends.
const MOST_EVENTS: usize = 16;

/// Maximum number of results of a build, which has one for each platform.
const MOST_RESULTS: usize = 100;

/// Maximum size of all documents of a build together, in bytes. The provenance of a large build has some
/// MiB.
const DOCUMENT_LIMIT: usize = 64 << 20;

/// Maximum size of a message with a part of a document, in bytes.
const PART_LIMIT: usize = 16 << 20;

/// The type of documents that attest something about a result.
const ATTESTATION: &str = "application/vnd.in-toto+json";

/// The annotation with the type of a document's content, and its beginning for a provenance.
const PREDICATE: (&str, &str) = ("in-toto.io/predicate-type", "https://slsa.dev/provenance/");

/// The provenance of a result: a document about the sources and steps of the build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// The platform of the result; `None` for a build without platforms.
    pub platform: Option<String>,
    /// The document, as JSON.
    pub document: Bytes,
}

impl Client {
    /// Returns the provenance of each result of a build, from the history. Returns an empty list if the
    /// daemon has no history or no provenance of the build.
    ///
    /// # Errors
    ///
    /// The connection is lost or silent, or the daemon refuses a call, or a document is too large.
    pub async fn provenance(&self, reference: &str) -> Result<Vec<Provenance>, Error> {
        let descriptors = match self.provenance_descriptors(reference).await {
            Err(Error::Call {
                code: Code::Unimplemented,
                ..
            }) => return Ok(Vec::new()),
            other => other?,
        };
        let mut found = Vec::new();
        let mut limit = DOCUMENT_LIMIT;
        for (platform, descriptor) in descriptors.into_iter().take(MOST_RESULTS) {
            let document = self.read_content(&descriptor, limit).await?;
            limit -= document.len();
            found.push(Provenance { platform, document });
        }
        Ok(found)
    }

    async fn provenance_descriptors(
        &self,
        reference: &str,
    ) -> Result<Vec<(Option<String>, HistoryDescriptor)>, Error> {
        const CALL: &str = "Control.ListenBuildHistory";
        const PATH: &str = "/moby.buildkit.v1.Control/ListenBuildHistory";
        let request = control::BuildHistoryRequest {
            r#ref: reference.to_owned(),
            early_exit: true,
            ..control::BuildHistoryRequest::default()
        };
        let mut events = self.stream(CALL, PATH, request, RECORD_LIMIT).await?;
        let mut found = Vec::new();
        for _ in 0..MOST_EVENTS {
            let Some(event) = self.next(CALL, &mut events).await? else {
                break;
            };
            let event = HistoryEvent::decode(event).map_err(|_| malformed(CALL))?;
            let Some(record) = event.record else {
                continue;
            };
            // Of several events, the last one has the final state. A build for several platforms may have
            // a result for all of them as well, without a provenance.
            let whole = record.result.map(|result| (None, result));
            let results = record.results.into_iter();
            let results = results.map(|(platform, result)| (Some(platform), result));
            let results = whole.into_iter().chain(results);
            found = results
                .filter_map(|(platform, result)| Some((platform, provenance_of(result)?)))
                .collect();
        }
        Ok(found)
    }

    /// Reads a whole document of at most `limit` bytes.
    async fn read_content(
        &self,
        descriptor: &HistoryDescriptor,
        limit: usize,
    ) -> Result<Bytes, Error> {
        const CALL: &str = "Content.Read";
        const PATH: &str = "/containerd.services.content.v1.Content/Read";
        let size = usize::try_from(descriptor.size).unwrap_or(usize::MAX);
        let too_large = || Error::Call {
            call: CALL,
            code: Code::ResourceExhausted,
            message: format!("{} is larger than allowed", descriptor.digest),
        };
        if size > limit {
            return Err(too_large());
        }
        let request = ReadContentRequest {
            digest: descriptor.digest.clone(),
            offset: 0,
            size: 0,
        };
        let mut parts = self.stream(CALL, PATH, request, PART_LIMIT).await?;
        let mut document = BytesMut::new();
        while let Some(part) = self.next(CALL, &mut parts).await? {
            let part = ReadContentResponse::decode(part).map_err(|_| malformed(CALL))?;
            if document.len() + part.data.len() > limit {
                return Err(too_large());
            }
            document.extend_from_slice(&part.data);
        }
        Ok(document.freeze())
    }

    /// Makes a call whose response is a stream of messages.
    async fn stream<T: prost::Message + 'static>(
        &self,
        call: &'static str,
        path: &'static str,
        request: T,
        limit: usize,
    ) -> Result<tonic::Streaming<Bytes>, Error> {
        let mut grpc = self.undecoded(limit);
        let opened = async {
            grpc.ready()
                .await
                .map_err(|error| tonic::Status::from_error(error.into()))?;
            let path = PathAndQuery::from_static(path);
            grpc.server_streaming(tonic::Request::new(request), path, Undecoded::new())
                .await
        };
        self.call(call, opened).await
    }
}

/// Returns the descriptor of the provenance, if there is one.
fn provenance_of(result: HistoryResult) -> Option<HistoryDescriptor> {
    let (annotation, prefix) = PREDICATE;
    result.attestations.into_iter().find(|descriptor| {
        let predicate = descriptor.annotations.get(annotation);
        descriptor.media_type == ATTESTATION
            && predicate.is_some_and(|predicate| predicate.starts_with(prefix))
    })
}

fn malformed(call: &'static str) -> Error {
    Error::Call {
        call,
        code: Code::Internal,
        message: "BuildKit sent a message that cannot be decoded".to_owned(),
    }
}
