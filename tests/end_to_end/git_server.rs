//! Git repositories, and the HTTP server of git (`git http-backend`) at a loopback port, for everyone or
//! behind a login.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use tempfile::TempDir;

/// A git repository with a work tree.
pub struct Repository {
    directory: TempDir,
}

impl Repository {
    /// Creates an empty repository with the branch `main`.
    pub fn new() -> Self {
        let directory = tempfile::Builder::new()
            .prefix("iechor-git-")
            .tempdir()
            .expect("directory");
        let repository = Self { directory };
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository
    }

    /// Returns the path of the work tree.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a file, and creates its parent directories.
    pub fn file(&self, name: &str, contents: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("inside")).expect("made");
        fs::write(&path, contents).expect("written");
        path
    }

    /// Commits all files. Returns the ID of the commit.
    pub fn commit(&self) -> String {
        self.git(&["add", "."]);
        self.git(&["commit", "--quiet", "--message=changes"]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Runs git. Returns what it prints.
    #[track_caller]
    pub fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .arg("-C")
            .arg(self.path())
            .args([
                "-c",
                "user.name=Tester",
                "-c",
                "user.email=tester@example.com",
            ])
            .args(arguments)
            .output()
            .expect("git is installed");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        let text = String::from_utf8(output.stdout).expect("text");
        text.trim().to_owned()
    }
}

/// A server that runs as long as the test.
pub struct GitServer {
    address: String,
    shown: Arc<Mutex<Vec<String>>>,
}

struct Settings {
    root: PathBuf,
    /// The header `Authorization` that gives access, if one is required.
    authorization: Option<String>,
    shown: Arc<Mutex<Vec<String>>>,
}

impl GitServer {
    /// Serves a repository to everyone.
    pub fn start(repository: &Repository) -> Self {
        Self::serve(repository, None)
    }

    /// Serves a repository. Access needs this header `Authorization`.
    pub fn guarded(repository: &Repository, authorization: &str) -> Self {
        Self::serve(repository, Some(authorization.to_owned()))
    }

    fn serve(repository: &Repository, authorization: Option<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let shown = Arc::<Mutex<Vec<String>>>::default();
        let settings = Arc::new(Settings {
            root: repository.path().join(".git"),
            authorization,
            shown: Arc::clone(&shown),
        });
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let settings = Arc::clone(&settings);
                // Ignore clients that disconnect.
                thread::spawn(move || serve(&stream, &settings).ok());
            }
        });
        Self { address, shown }
    }

    /// Returns `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Returns the URL of the repository, with what follows its name.
    pub fn url(&self, suffix: &str) -> String {
        format!("http://{}/repository.git{suffix}", self.address)
    }

    /// Returns the headers `Authorization` since the last call.
    pub fn shown(&self) -> Vec<String> {
        std::mem::take(&mut *self.shown.lock().expect("not poisoned"))
    }
}

/// Passes one request to the program of git, as the Common Gateway Interface defines it.
fn serve(mut stream: &TcpStream, settings: &Settings) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut words = request.split(' ');
    let method = words.next().unwrap_or_default();
    let target = words.next().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let path = path.strip_prefix("/repository.git").unwrap_or_default();
    let mut backend = Command::new("git");
    backend
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", &settings.root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", method)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query);
    let mut length = 0;
    let mut authorization = None;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        if let Some((name, value)) = line.split_once(':') {
            let (name, value) = (name.to_ascii_uppercase(), value.trim());
            match name.as_str() {
                "AUTHORIZATION" => authorization = Some(value.to_owned()),
                "CONTENT-LENGTH" => {
                    length = value.parse().unwrap_or_default();
                    backend.env("CONTENT_LENGTH", value);
                }
                "CONTENT-TYPE" => drop(backend.env("CONTENT_TYPE", value)),
                name => drop(backend.env(format!("HTTP_{}", name.replace('-', "_")), value)),
            }
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut shown = settings.shown.lock().expect("not poisoned");
    shown.extend(authorization.clone());
    drop(shown);
    if settings.authorization.is_some() && authorization != settings.authorization {
        return stream.write_all(
            b"HTTP/1.0 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"git\"\r\n\r\n",
        );
    }
    let mut child = backend
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    child.stdin.take().expect("piped").write_all(&body)?;
    let answer = child.wait_with_output()?.stdout;
    // A status other than 200 comes as a header.
    let headers = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let headers = String::from_utf8_lossy(&answer[..headers.unwrap_or_default()]);
    let status = headers
        .lines()
        .find_map(|line| line.strip_prefix("Status: "))
        .unwrap_or("200 OK");
    write!(stream, "HTTP/1.0 {status}\r\n")?;
    stream.write_all(&answer)
}
