//! BuildKit client: control connection, session services, solve and status.
//!
//! [`Client::connect`] takes any byte stream to a daemon. [`Client::solve`] runs one build: it
//! opens a [`Session`], on which the daemon fetches files and delivers results, and reports the
//! [`status`] of the build. [`Client::build`] runs a build whose result the caller makes with the
//! calls of a [`Gateway`], for example of several frontends. tonic, hyper and the generated messages are not part of the public
//! interface.
//!
//! ```no_run
//! # async fn example(stream: tokio::net::UnixStream) -> Result<(), iechor_buildkit::Error> {
//! use iechor_buildkit::{Client, Exporter, ExportTarget, Session, SolveRequest};
//!
//! let client = Client::connect(stream).await?;
//! let mut request = SolveRequest::dockerfile();
//! request.exporters.push(Exporter {
//!     kind: "local".into(),
//!     target: ExportTarget::Directory("out".into()),
//!     ..Exporter::default()
//! });
//! let session = Session::builder()
//!     .shared_key("app:node")
//!     .directory("context", ".")
//!     .directory("dockerfile", ".")
//!     .build();
//! let (sender, mut receiver) = tokio::sync::mpsc::channel(64);
//! let show = async { while let Some(_status) = receiver.recv().await {} };
//! let (result, ()) = tokio::join!(
//!     client.solve(request, session, sender, Default::default()),
//!     show,
//! );
//! println!("{:?}", result?.exporter_response);
//! # Ok(())
//! # }
//! ```

mod capabilities;
mod client;
mod error;
mod fields;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod gateway;
mod grpc;
mod history;
mod link;
mod liveness;
pub mod session;
mod solve;
pub mod status;
mod transfer;
mod tunnel;
mod usage;
mod wire;

pub use capabilities::Capabilities;
pub use client::{Client, Device, GcPolicy, Version, Worker};
pub use error::{Code, Error, SolveError, SourceError, source_snippet};
pub use gateway::{Definition, FrontendRequest, FrontendResult, Gateway, Reference};
pub use history::Provenance;
pub use iechor_fsutil::ignore;
pub use iechor_fsutil::{DirectorySize, Offered};
pub use session::{Credential, CredentialSource, Session, SessionBuilder, new_id};
pub use solve::{CacheEntry, ExportTarget, Exporter, SolveRequest, SolveResponse};
pub use usage::{PruneRequest, UsageRecord};
