//! A Git server at a loopback port that requires authentication: `git http-backend` behind a web server.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use tempfile::TempDir;

/// A server with the repository `repo.git`, which runs as long as the test.
pub struct GitServer {
    address: String,
    _directory: TempDir,
    shown: Arc<Mutex<Vec<String>>>,
}

struct Settings {
    root: PathBuf,
    /// The header `Authorization` that gives access.
    authorization: String,
    shown: Arc<Mutex<Vec<String>>>,
}

impl GitServer {
    /// Serves a repository with one commit of these files. Access needs this header `Authorization`.
    pub fn start(files: &[(&str, &str)], authorization: &str) -> Self {
        let directory = tempfile::Builder::new()
            .prefix("iechor-git-")
            .tempdir()
            .expect("directory");
        let work = directory.path().join("work");
        git(directory.path(), "init --quiet --initial-branch main work");
        for (name, contents) in files {
            std::fs::write(work.join(name), contents).expect("written");
        }
        git(&work, "add .");
        git(
            &work,
            "-c user.name=t -c user.email=t@example.com commit --quiet --message one",
        );
        git(directory.path(), "clone --quiet --bare work repo.git");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let shown = Arc::<Mutex<Vec<String>>>::default();
        let settings = Arc::new(Settings {
            root: directory.path().to_owned(),
            authorization: authorization.to_owned(),
            shown: Arc::clone(&shown),
        });
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let settings = Arc::clone(&settings);
                // Ignore clients that disconnect.
                thread::spawn(move || serve(&stream, &settings).ok());
            }
        });
        Self {
            address,
            _directory: directory,
            shown,
        }
    }

    /// Returns `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Returns the URL of the repository.
    pub fn url(&self) -> String {
        format!("http://{}/repo.git", self.address)
    }

    /// Returns the headers `Authorization` since the last call.
    pub fn shown(&self) -> Vec<String> {
        std::mem::take(&mut *self.shown.lock().expect("not poisoned"))
    }
}

fn git(directory: &Path, arguments: &str) {
    let output = Command::new("git")
        .args(arguments.split(' '))
        .current_dir(directory)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .output()
        .expect("git is installed");
    assert!(output.status.success(), "git {arguments}: {output:?}");
}

fn serve(mut stream: &TcpStream, settings: &Settings) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut headers = Vec::new();
    let mut header = String::new();
    while reader.read_line(&mut header)? > 2 {
        let (name, value) = header.split_once(':').unwrap_or_default();
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        header.clear();
    }
    let value = |name: &str| {
        let mut values = headers.iter().filter(|(key, _)| key == name);
        values
            .next()
            .map(|(_, value)| value.clone())
            .unwrap_or_default()
    };
    let mut body = vec![0; value("content-length").parse().unwrap_or_default()];
    reader.read_exact(&mut body)?;
    let shown = value("authorization");
    if !shown.is_empty() {
        settings
            .shown
            .lock()
            .expect("not poisoned")
            .push(shown.clone());
    }
    if shown != settings.authorization {
        return stream.write_all(
            b"HTTP/1.0 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"git\"\r\n\r\n",
        );
    }
    let mut words = line.split(' ');
    let (method, target) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut backend = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", &settings.root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", method)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("CONTENT_TYPE", value("content-type"))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", value("content-encoding"))
        .env("GIT_PROTOCOL", value("git-protocol"))
        .env("REMOTE_ADDR", "127.0.0.1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    backend.stdin.take().expect("piped").write_all(&body)?;
    let answer = backend.wait_with_output()?.stdout;
    // A status other than 200 comes as a header.
    let text = String::from_utf8_lossy(&answer[..answer.len().min(200)]).into_owned();
    let status = text
        .strip_prefix("Status: ")
        .and_then(|text| text.lines().next());
    write!(stream, "HTTP/1.0 {}\r\n", status.unwrap_or("200 OK"))?;
    stream.write_all(&answer)
}
