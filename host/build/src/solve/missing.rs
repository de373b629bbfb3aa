//! Explains why a file that a Dockerfile copies is not part of the context.

use std::fs;
use std::path::{Path, PathBuf};

use iechor_buildkit::Error;
use iechor_buildkit::ignore::IgnoreFile;

use crate::error::{Absence, MissingFile};
use crate::plan::dockerfile::DockerfileSource;
use crate::plan::source::Source;

/// Maximum size of an ignore file, in bytes.
const IGNORE_BYTES: u64 = 1 << 20;

/// Name of the ignore file of a context, and the ending of that of a Dockerfile.
const IGNORE: &str = ".dockerignore";

/// Returns why a file is missing, if the error says that a file of the local context was not found.
///
/// The path comes from the daemon. It only selects a line of the user's own file.
pub(super) fn explain(error: &Error, source: &Source) -> Option<MissingFile> {
    let context = source.context.directory()?;
    let Error::Solve(solve) = error else {
        return None;
    };
    // A file of another stage or another context.
    if instruction(error)?.contains("from=") {
        return None;
    }
    let path = not_found(&solve.message)?;
    let relative = path.trim_start_matches('/');
    let reason = match excluding(context, &source.dockerfile, relative) {
        Some((file, line, pattern)) => Absence::Excluded {
            file,
            line,
            pattern,
        },
        None if fs::symlink_metadata(context.join(relative)).is_ok() => return None,
        None => Absence::NotThere {
            context: context.to_owned(),
        },
    };
    Some(MissingFile {
        path: relative.to_owned(),
        reason,
    })
}

/// Returns the lines of the Dockerfile that failed.
fn instruction(error: &Error) -> Option<String> {
    let place = error.sources().last()?;
    let range = place.ranges.first()?;
    let first = usize::try_from(range.start.line).ok()?;
    let last = usize::try_from(range.end.line).unwrap_or(first).max(first);
    let text = String::from_utf8_lossy(&place.info.data);
    let lines = text.lines().skip(first.checked_sub(1)?);
    Some(lines.take(last - first + 1).collect::<Vec<_>>().join("\n"))
}

/// Returns the path in a message that ends in `"PATH": not found`.
fn not_found(message: &str) -> Option<&str> {
    let rest = message.trim_end().strip_suffix("\": not found")?;
    let (_, path) = rest.rsplit_once('"')?;
    // A path with escapes is rare.
    let is_plain = !path.is_empty() && !path.contains('\\') && !path.contains(char::is_control);
    Some(path).filter(|_| is_plain)
}

/// Returns the ignore file, the number of the line and the line that excludes a path.
fn excluding(
    context: &Path,
    dockerfile: &DockerfileSource,
    path: &str,
) -> Option<(PathBuf, usize, String)> {
    let (file, bytes) = ignore_file(context, dockerfile)?;
    let parsed = IgnoreFile::parse(&bytes).ok()?;
    let line = parsed.excluding(path.as_bytes()).ok()??;
    Some((file, line.number, line.text.clone()))
}

/// Returns the ignore file that the frontend uses: that of the Dockerfile, or else that of the context.
fn ignore_file(context: &Path, dockerfile: &DockerfileSource) -> Option<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    if let DockerfileSource::Local {
        directory, name, ..
    } = dockerfile
    {
        files.push(directory.join(format!("{name}{IGNORE}")));
    }
    files.push(context.join(IGNORE));
    files
        .into_iter()
        .find_map(|file| Some((iechor_files::read(&file, IGNORE_BYTES).ok()?, file)))
        .map(|(bytes, file)| (file, bytes))
}

#[cfg(test)]
mod tests {
    use iechor_buildkit::{Code, SolveError, SourceError};

    use super::*;

    fn failure(message: &str, instruction: &str) -> Error {
        let mut place = SourceError::default();
        place.info.data = format!("FROM scratch\n{instruction}\n").into_bytes().into();
        let mut range = iechor_buildkit::status::Range::default();
        range.start.line = 2;
        range.end.line = 2;
        place.ranges = vec![range];
        let mut error = SolveError::new(Code::Unknown, message);
        error.sources.push(place);
        Error::Solve(Box::new(error))
    }

    const MESSAGE: &str = "failed to compute cache key: failed to calculate checksum of ref \
                           a::b: \"/logs/a.log\": not found";

    #[test]
    fn the_line_that_excludes_a_file_is_named() {
        let directory = tempfile::tempdir().expect("directory");
        let context = directory.path();
        fs::write(context.join(IGNORE), "# logs\nlogs\n").expect("written");
        let error = failure(MESSAGE, "COPY logs/a.log /");
        let found = explain(&error, &Source::of_directory(context)).expect("explained");
        assert_eq!(found.path, "logs/a.log");
        assert_eq!(
            found.reason,
            Absence::Excluded {
                file: context.join(IGNORE),
                line: 2,
                pattern: "logs".into(),
            }
        );

        // The ignore file of the Dockerfile takes precedence.
        let own = context.join("Dockerfile.dockerignore");
        fs::write(&own, "*.md\n").expect("written");
        let found = explain(&error, &Source::of_directory(context)).expect("explained");
        let not_there = Absence::NotThere {
            context: context.to_owned(),
        };
        assert_eq!(found.reason, not_there);
    }

    #[test]
    fn other_failures_are_not_explained() {
        let directory = tempfile::tempdir().expect("directory");
        let context = directory.path();
        let explained = |message: &str, line: &str| {
            explain(&failure(message, line), &Source::of_directory(context)).is_some()
        };
        assert!(explained(MESSAGE, "COPY logs/a.log /"));
        assert!(explained(
            MESSAGE,
            "RUN --mount=type=bind,source=logs,target=/x y"
        ));
        assert!(!explained(MESSAGE, "COPY --from=other logs/a.log /"));
        assert!(!explained("exit code: 1", "RUN false"));
        assert!(!explained("\"/a\\x\": not found", "COPY a /"));
        assert!(!explained("\"\": not found", "COPY a /"));
        fs::create_dir(context.join("logs")).expect("made");
        fs::write(context.join("logs/a.log"), "").expect("written");
        assert!(!explained(MESSAGE, "COPY logs/a.log /"), "it is there");
    }
}
