//! Images in registries.

use iechor_registry::manifest::{DOCKER_MANIFEST, INDEXES, MANIFEST};
use iechor_registry::{Client, Digest};

use crate::content::{Content, Part};
use crate::error::ImageError;

/// Maximum size of a configuration, in bytes.
const CONFIG_BYTES: u64 = 16 << 20;

/// Fetches an image or an index by its digest.
///
/// # Errors
///
/// Returns an error if the registry does not have it, sends something else, or it is not an image.
pub async fn fetch(client: &Client, digest: &Digest) -> Result<Part, ImageError> {
    let accepted = [INDEXES[0], INDEXES[1], MANIFEST, DOCKER_MANIFEST];
    let received = client.manifest(Some(digest), &accepted).await?;
    let unusable = |fault| ImageError::Content {
        what: digest.to_string(),
        fault,
    };
    match Content::read(&received.bytes).map_err(unusable)? {
        Content::Index(part) => Ok(part),
        Content::Manifest(manifest) => {
            let what = format!("the configuration of {digest}");
            let config = &manifest.config;
            let config = client.blob(config, &what, CONFIG_BYTES, &|_, _| {}).await?;
            manifest.with_config(&config).map_err(unusable)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use iechor_registry::{Access, Artifact, Credential, RegistryError};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    const CONFIG: &str = r#"{"architecture":"arm64","os":"linux"}"#;

    fn manifest() -> String {
        let config = Digest::of(CONFIG.as_bytes());
        format!(r#"{{"config":{{"mediaType":"c","digest":"{config}","size":1}},"layers":[]}}"#)
    }

    /// Returns a client of a registry that answers with contents by the ends of their addresses.
    async fn client(contents: BTreeMap<String, String>) -> Client {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let contents = contents.clone();
                tokio::spawn(async move {
                    let mut request = vec![0; 8 << 10];
                    let length = stream.read(&mut request).await.unwrap_or_default();
                    let request = String::from_utf8_lossy(&request[..length]).into_owned();
                    let path = request.split(' ').nth(1).unwrap_or_default();
                    let found = contents
                        .iter()
                        .find(|(end, _)| path.ends_with(end.as_str()));
                    let body = found.map_or("", |(_, body)| body);
                    let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length:";
                    let answer = format!("{head} {}\r\n\r\n{body}", body.len());
                    let _ = stream.write_all(answer.as_bytes()).await;
                });
            }
        });
        let artifact: Artifact = format!("{address}/demo").parse().expect("a name");
        let connected = Client::connect(&artifact, &Credential::Anonymous, Access::Pull).await;
        connected.expect("connected")
    }

    #[tokio::test]
    async fn an_image_is_fetched_with_its_platform() {
        let digest = Digest::of(manifest().as_bytes());
        let contents = [
            (digest.to_string(), manifest()),
            (Digest::of(CONFIG.as_bytes()).to_string(), CONFIG.to_owned()),
        ];
        let client = client(contents.into()).await;
        let part = fetch(&client, &digest).await.expect("fetched");
        let [entry] = part.manifests.as_slice() else {
            panic!("{part:?}");
        };
        assert_eq!(entry.digest, digest);
        let platform = entry.platform.as_ref().expect("a platform");
        assert_eq!(platform.to_string(), "linux/arm64");
    }

    #[tokio::test]
    async fn content_with_another_digest_is_not_used() {
        let (of_manifest, of_config) = (
            Digest::of(manifest().as_bytes()),
            Digest::of(CONFIG.as_bytes()),
        );
        let forged = r#"{"schemaVersion":2,"manifests":[]}"#.to_owned();
        for contents in [
            BTreeMap::from([(of_manifest.to_string(), forged)]),
            BTreeMap::from([
                (of_manifest.to_string(), manifest()),
                (of_config.to_string(), CONFIG.replace("arm64", "amd64")),
            ]),
        ] {
            let client = client(contents).await;
            let error = fetch(&client, &of_manifest).await.expect_err("forged");
            assert!(
                matches!(error, ImageError::Registry(RegistryError::Mismatch { .. })),
                "{error}"
            );
        }
    }
}
