//! Checks the sources of secrets before anything starts.

use std::fs;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use iechor_buildkit::session::secrets::{MAX_SECRET_SIZE, Secrets};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;

use super::error::PlanError;
use crate::spec::{Secret, SecretSource};

/// Returns what the daemon may request. A file must be readable now. A pipe, as shells create one for `<(command)`,
/// is read now, because it can be read only once.
///
/// # Errors
///
/// Returns the first secret that cannot be used.
pub(super) async fn find(secrets: &[Secret]) -> Result<Secrets, PlanError> {
    let mut found = Secrets::default();
    for secret in secrets {
        let id = secret.id.clone();
        found = match &secret.source {
            SecretSource::Value(value) if value.len() > MAX_SECRET_SIZE => {
                return Err(PlanError::LargeSecret { id });
            }
            SecretSource::Value(value) => found.value(id, value.clone()),
            SecretSource::File(path) if is_pipe(path) => {
                let value = read_pipe(path)
                    .await
                    .map_err(|error| unusable(path, error))?;
                if value.len() > MAX_SECRET_SIZE {
                    return Err(PlanError::LargeSecret { id });
                }
                found.value(id, value)
            }
            SecretSource::File(path) => {
                let file = iechor_files::open(path).map_err(|error| unusable(path, error))?;
                if file.metadata().len() > MAX_SECRET_SIZE as u64 {
                    return Err(PlanError::LargeSecret { id });
                }
                found.file(id, path)
            }
        };
    }
    Ok(found)
}

fn is_pipe(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo())
}

/// Reads a pipe to its end, but not much more than the maximum size of a secret.
async fn read_pipe(path: &Path) -> std::io::Result<Vec<u8>> {
    let pipe = pipe::OpenOptions::new().open_receiver(path)?;
    let mut value = Vec::new();
    pipe.take(MAX_SECRET_SIZE as u64 + 1)
        .read_to_end(&mut value)
        .await?;
    Ok(value)
}

fn unusable(path: &Path, reason: impl ToString) -> PlanError {
    PlanError::SecretFile {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn file(id: &str, path: &Path) -> Secret {
        Secret {
            id: id.into(),
            source: SecretSource::File(path.to_owned()),
        }
    }

    #[tokio::test]
    async fn files_are_checked() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("secret");
        let missing = directory.path().join("missing");
        fs::write(&path, "x").expect("written");
        let large = directory.path().join("large");
        fs::write(&large, vec![b'x'; MAX_SECRET_SIZE + 1]).expect("written");
        find(&[file("a", &path)]).await.expect("a file");
        for (place, message) in [
            (
                &missing,
                format!("failed to stat {}: No such file", missing.display()),
            ),
            (&large, "secret b too big. max size 500KB".to_owned()),
            (
                &directory.path().to_owned(),
                format!(
                    "failed to stat {}: it is a directory",
                    directory.path().display()
                ),
            ),
        ] {
            let error = find(&[file("a", &path), file("b", place)]).await;
            let error = error.expect_err("unusable").to_string();
            assert!(error.starts_with(&message), "{error}");
        }
    }

    #[tokio::test]
    async fn values_have_the_maximum_size_of_files() {
        let secret = |length| Secret {
            id: "a".into(),
            source: SecretSource::Value(vec![b'x'; length]),
        };
        find(&[secret(MAX_SECRET_SIZE)])
            .await
            .expect("small enough");
        let error = find(&[secret(MAX_SECRET_SIZE + 1)])
            .await
            .expect_err("large");
        assert_eq!(error.to_string(), "secret a too big. max size 500KB");
    }

    #[tokio::test]
    async fn a_pipe_is_read_once() {
        let (reader, mut writer) = std::io::pipe().expect("a pipe");
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader));
        let path = Path::new(&path);
        writer.write_all(b"piped").expect("written");
        drop(writer);
        assert!(is_pipe(path));
        assert_eq!(read_pipe(path).await.expect("read"), b"piped");
        find(&[file("a", path)]).await.expect("a pipe");
    }

    #[tokio::test]
    async fn an_endless_pipe_is_refused() {
        let (reader, mut writer) = std::io::pipe().expect("a pipe");
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader));
        let writing = std::thread::spawn(move || while writer.write_all(&[0; 4096]).is_ok() {});
        let error = find(&[file("a", Path::new(&path))])
            .await
            .expect_err("endless");
        assert_eq!(error.to_string(), "secret a too big. max size 500KB");
        drop(reader);
        writing.join().expect("ended");
    }
}
