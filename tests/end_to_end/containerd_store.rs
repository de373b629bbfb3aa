//! Loading into an engine that keeps its images in containerd's store.
//!
//! The engine of the test machine has the classic store. `StoreEngine` describes itself as one with
//! containerd's store, and keeps the archive that it is to load.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use serde_json::{Value, json};

use crate::context::{Context, files_in_tar};
use crate::support::{Sandbox, machine};

/// The parts of the API that loading an image needs.
struct StoreEngine {
    path: PathBuf,
    loaded: Receiver<Vec<u8>>,
}

impl StoreEngine {
    fn start(directory: &Path) -> Self {
        let path = directory.join("store.sock");
        let listener = UnixListener::bind(&path).expect("a socket");
        let (sender, loaded) = channel();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let sender = sender.clone();
                thread::spawn(move || {
                    // Ignore clients that disconnect.
                    let _ = serve(client, |archive| drop(sender.send(archive)));
                });
            }
        });
        Self { path, loaded }
    }

    fn endpoint(&self) -> String {
        format!("unix://{}", self.path.display())
    }
}

/// Answers the requests of a connection.
fn serve(client: UnixStream, load: impl Fn(Vec<u8>)) -> std::io::Result<()> {
    let mut writer = client.try_clone()?;
    let mut reader = BufReader::new(client);
    loop {
        let mut request = String::new();
        if reader.read_line(&mut request)? == 0 {
            return Ok(());
        }
        let mut is_chunked = false;
        let mut length = 0;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            let header = header.trim().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            is_chunked |= header == "transfer-encoding: chunked";
            if let Some(value) = header.strip_prefix("content-length: ") {
                length = value.parse().expect("a length");
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        while is_chunked {
            let mut size = String::new();
            reader.read_line(&mut size)?;
            let size = usize::from_str_radix(size.trim(), 16).expect("a size");
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk)?;
            body.extend_from_slice(&chunk[..size]);
            is_chunked = size > 0;
        }
        let answer = if request.contains("/images/load") {
            load(body);
            json!({"stream": "Loaded image\n"})
        } else if request.contains("/info") {
            json!({
                "ID": "test",
                "OSType": "linux",
                "Driver": "overlayfs",
                "DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]],
            })
        } else {
            json!({"ApiVersion": "1.41", "MinAPIVersion": "1.12", "Version": "28.0.0", "Os": "linux", "Arch": "amd64"})
        };
        let answer = answer.to_string();
        write!(
            writer,
            "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{answer}",
            answer.len()
        )?;
    }
}

fn in_tar(bytes: &[u8], name: &str) -> Value {
    let mut archive = tar::Archive::new(bytes);
    for entry in archive.entries().expect("a tar") {
        let entry = entry.expect("whole");
        if entry.path().expect("a name").to_str() == Some(name) {
            return serde_json::from_reader(entry).expect("JSON");
        }
    }
    panic!("there is no {name}: {:?}", files_in_tar(bytes));
}

#[test]
fn several_platforms_with_attestations_are_loaded() {
    let sandbox = Sandbox::new();
    let name = sandbox.booted("store", "");
    two_platforms_are_loaded(&sandbox, &name);
}

#[test]
fn an_image_of_two_nodes_is_loaded() {
    let sandbox = Sandbox::new();
    let name = sandbox.booted("stores", "--platform linux/amd64");
    sandbox.docker_context("second", &machine().docker_host);
    let second = sandbox.name("second");
    sandbox
        .buildx(&format!("create --append --name {name} --node {second}"))
        .words("--platform linux/arm64 second")
        .success();
    two_platforms_are_loaded(&sandbox, &name);
}

fn two_platforms_are_loaded(sandbox: &Sandbox, name: &str) {
    let engine = StoreEngine::start(&sandbox.path(""));
    let context = Context::bare("FROM scratch\nCOPY Dockerfile /\n");
    let tag = sandbox.name("store:1");
    sandbox
        .buildx(&format!(
            "build --builder {name} -t {tag} --load --iidfile id"
        ))
        .words("--platform linux/amd64,linux/arm64 --provenance=mode=max")
        .argument(context.path())
        .variable("DOCKER_HOST", engine.endpoint())
        .success()
        .says("importing to docker");
    let archive = engine.loaded.recv().expect("an archive");
    let top = in_tar(&archive, "index.json");
    let descriptor = &top["manifests"][0];
    assert_eq!(
        descriptor["annotations"]["io.containerd.image.name"],
        format!("docker.io/library/{tag}")
    );
    let digest = descriptor["digest"].as_str().expect("a digest");
    let index = in_tar(&archive, &format!("blobs/{}", digest.replace(':', "/")));
    let manifests = index["manifests"].as_array().expect("manifests");
    // Each platform has a manifest, and one of its attestations.
    assert_eq!(manifests.len(), 4, "{index:#}");
    let id = std::fs::read_to_string(sandbox.path("id")).expect("written");
    assert_eq!(id, digest, "the ID is the digest of the index");
}

/// The ID of an image of one platform is the digest of its manifest in such a store, and not of its
/// configuration.
#[test]
fn the_id_is_that_of_the_store() {
    let sandbox = Sandbox::new();
    let name = sandbox.booted("id", "");
    let engine = StoreEngine::start(&sandbox.path(""));
    let context = Context::bare("FROM scratch\nCOPY Dockerfile /\n");
    let built = sandbox
        .buildx(&format!(
            "build -q --builder {name} -t x --load --provenance=false"
        ))
        .argument(context.path())
        .variable("DOCKER_HOST", engine.endpoint())
        .success();
    let archive = engine.loaded.recv().expect("an archive");
    let top = in_tar(&archive, "index.json");
    let digest = top["manifests"][0]["digest"].as_str().expect("a digest");
    assert_eq!(built.stdout, format!("{digest}\n"));
}
