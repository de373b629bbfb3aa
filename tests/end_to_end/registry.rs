//! Registries: the program `docker-registry` at a loopback port.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::authority::Authority;
use crate::support::{machine, wait_until};

/// The user name for a registry that requires one.
pub const USER: &str = "tester";
/// The password of [`USER`].
pub const PASSWORD: &str = "opensesame";
/// [`PASSWORD`], as bcrypt hashes it.
const HASH: &str = "$2b$04$4qyDeswImabkzAzuxEa8cOjK1VdCFC1ZmNIHxisQHoQvj3Mzl9N3i";

/// The accepted media types: a list of manifests for several platforms, or one manifest.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json";

/// A registry that runs as long as this value exists.
pub struct Registry {
    address: String,
    child: Child,
    directory: TempDir,
    /// The directory of the file with the passwords.
    users: Option<TempDir>,
}

impl Registry {
    /// Starts a registry without authentication.
    pub fn open() -> Self {
        Self::start(None, None)
    }

    /// Starts a registry that requires tokens of an authority.
    pub fn with_authority(authority: &Authority) -> Self {
        Self::start(Some(authority.configuration()), None)
    }

    /// Starts a registry with TLS, which accepts clients with a certificate of the authority `ca.pem`. It uses
    /// `server.pem` and `server.key` of the same directory.
    pub fn with_certificates(directory: &Path) -> Self {
        Self::start(None, Some(directory))
    }

    /// Starts a registry that requires the credentials of [`USER`].
    pub fn with_password() -> Self {
        let users = tempfile::tempdir().expect("directory");
        let path = users.path().join("htpasswd");
        fs::write(&path, format!("{USER}:{HASH}\n")).expect("written");
        let mut registry = Self::start(
            Some(serde_json::json!({"htpasswd": {"realm": "test", "path": path}})),
            None,
        );
        registry.users = Some(users);
        registry
    }

    fn start(authentication: Option<Value>, certificates: Option<&Path>) -> Self {
        // Another program may take the free port before the registry uses it.
        (0..5)
            .find_map(|_| Self::try_start(authentication.as_ref(), certificates))
            .expect("docker-registry starts")
    }

    fn try_start(authentication: Option<&Value>, certificates: Option<&Path>) -> Option<Self> {
        let directory = tempfile::Builder::new()
            .prefix("iechor-registry-")
            .tempdir()
            .expect("directory");
        let port = TcpListener::bind("127.0.0.1:0")
            .expect("a port")
            .local_addr()
            .expect("bound")
            .port();
        let address = format!("127.0.0.1:{port}");
        let mut configuration = serde_json::json!({
            "version": 0.1,
            "log": {"level": "warn", "accesslog": {"disabled": true}},
            "storage": {"filesystem": {"rootdirectory": directory.path().join("images")}},
            "http": {"addr": address},
        });
        if let Some(authentication) = authentication {
            configuration["auth"] = authentication.clone();
        }
        if let Some(place) = certificates {
            configuration["http"]["tls"] = serde_json::json!({
                "certificate": place.join("server.pem"),
                "key": place.join("server.key"),
                "clientcas": [place.join("ca.pem")],
            });
        }
        let file = directory.path().join("registry.yml");
        // JSON is valid YAML.
        fs::write(&file, configuration.to_string()).expect("written");
        let mut child = Command::new(&machine().registry)
            .arg("serve")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("docker-registry runs");
        let mut ended = false;
        wait_until("the registry answers", || {
            ended = child.try_wait().expect("a child").is_some();
            ended || TcpStream::connect(&address).is_ok()
        });
        (!ended).then_some(Self {
            address,
            child,
            directory,
            users: None,
        })
    }

    /// Returns `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Returns the manifest, or list of manifests, of an image in this registry.
    #[track_caller]
    pub fn manifest(&self, repository: &str, tag: &str) -> Value {
        self.get(&format!("/v2/{repository}/manifests/{tag}"))
            .unwrap_or_else(|answer| panic!("no manifest of {repository}:{tag}: {answer}"))
    }

    /// Returns whether there is an image.
    pub fn has(&self, repository: &str, tag: &str) -> bool {
        let path = format!("/v2/{repository}/manifests/{tag}");
        self.get(&path).is_ok()
    }

    /// Returns a JSON blob.
    #[track_caller]
    pub fn blob(&self, repository: &str, digest: &str) -> Value {
        self.get(&format!("/v2/{repository}/blobs/{digest}"))
            .unwrap_or_else(|answer| panic!("no blob {digest} of {repository}: {answer}"))
    }

    /// Changes the bytes of a blob in the storage of the registry.
    pub fn corrupt(&self, digest: &str) {
        let digits = digest.strip_prefix("sha256:").expect("a digest");
        let blob = self
            .directory
            .path()
            .join("images/docker/registry/v2/blobs/sha256")
            .join(&digits[..2])
            .join(digits)
            .join("data");
        let mut bytes = fs::read(&blob).expect("stored");
        *bytes.last_mut().expect("not empty") ^= 1;
        fs::write(&blob, bytes).expect("written");
    }

    fn get(&self, path: &str) -> Result<Value, String> {
        let mut stream = TcpStream::connect(&self.address).expect("the registry answers");
        write!(
            stream,
            "GET {path} HTTP/1.0\r\nHost: {}\r\nAccept: {MANIFESTS}\r\n\r\n",
            self.address
        )
        .expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        match serde_json::from_str(body) {
            Ok(value) if head.split(' ').nth(1) == Some("200") => Ok(value),
            _ => Err(answer),
        }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It has ended already, or ends now.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
