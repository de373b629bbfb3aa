//! Dockerfiles at a URL, which BuildKit fetches at the beginning of a build.

use iechor_buildkit::{Definition, Error, FrontendRequest, Gateway};

use crate::plan::dockerfile::{DockerfileSource, NAME};

/// Maximum size of a Dockerfile at a URL, in bytes, as in docker buildx.
const LIMIT: usize = 2 << 20;

/// Lets BuildKit fetch the Dockerfile of a build, and writes it where BuildKit requests it from later.
/// Does nothing if the Dockerfile is at another place.
///
/// # Errors
///
/// Returns the error of BuildKit, or an error if the Dockerfile is too large or cannot be written.
pub(super) async fn fetch(gateway: &Gateway, dockerfile: &DockerfileSource) -> Result<(), Error> {
    let DockerfileSource::Remote { url, directory } = dockerfile else {
        return Ok(());
    };
    let title = format!("[internal] load {url}");
    let request = FrontendRequest {
        definition: Some(Definition::http(url, NAME, &title)),
        ..FrontendRequest::default()
    };
    let result = gateway.solve(request).await?;
    let reference = result
        .reference()
        .ok_or_else(|| Error::Request(format!("BuildKit has no result for {url}")))?;
    let content = match gateway.read_file(reference, NAME, LIMIT).await {
        Err(Error::FileTooLarge { .. }) => return Err(too_large(url)),
        content => content?,
    };
    let path = directory.path().join(NAME);
    std::fs::write(&path, content)
        .map_err(|error| Error::Request(format!("{}: {error}", path.display())))
}

fn too_large(url: &str) -> Error {
    // docker buildx prints the same.
    Error::Request(format!(
        "Dockerfile {url} bigger than allowed max size (2.097MB)"
    ))
}
