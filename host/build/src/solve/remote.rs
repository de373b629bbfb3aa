//! Dockerfiles and named contexts at a URL, which BuildKit fetches.

use iechor_buildkit::{Definition, Error, FrontendRequest, Gateway};

use crate::plan::dockerfile::{DockerfileSource, NAME};
use crate::spec::{NamedContext, NamedSource, url};

/// Maximum size of a Dockerfile at a URL, in bytes, as in docker buildx.
const LIMIT: usize = 2 << 20;

/// The name of a file in a context that is not an archive, as in BuildKit.
const FILE: &str = "context";

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

/// Adds the named contexts at HTTP URLs to the request. BuildKit v0.25 and others cannot fetch them by
/// themselves, and none unpacks archives. The history of the daemon keeps the URL.
pub(super) fn add_contexts(request: &mut FrontendRequest, contexts: &[NamedContext]) {
    for NamedContext { name, source } in contexts {
        let NamedSource::Remote(url) = source else {
            continue;
        };
        if url::is_git(url) {
            continue;
        }
        let title = format!("[context {name}] {url}");
        let content = Definition::unpacked(url, FILE, &title);
        request.inputs.insert(name.clone(), content);
        let attribute = format!("context:{name}");
        request
            .attributes
            .insert(attribute, format!("input:{name}"));
    }
}

fn too_large(url: &str) -> Error {
    // docker buildx prints the same.
    Error::Request(format!(
        "Dockerfile {url} bigger than allowed max size (2.097MB)"
    ))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn contexts_at_http_urls_are_inputs() {
        let contexts = ["http://h/a.tar.gz", "https://h/repository.git", "directory"]
            .iter()
            .enumerate()
            .map(|(number, source)| format!("c{number}={source}"))
            .map(|text| NamedContext::parse(OsStr::new(&text)).expect("a context"));
        let mut request = FrontendRequest::default();
        add_contexts(&mut request, &contexts.collect::<Vec<_>>());
        assert_eq!(request.attributes.len(), 1);
        assert_eq!(request.attributes["context:c0"], "input:c0");
        assert!(request.inputs.contains_key("c0"));
    }
}
