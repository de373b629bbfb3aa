//! The tar archive that brings files into a container.

use std::collections::BTreeSet;

use crate::EngineError;
use crate::model::File;

/// An archive of `files`: their directories first, sorted, mode 0755, then the files as given; all
/// of root. Times are those of the engine's unpacking where 0 is given, so none are.
pub(super) fn of(files: &[File]) -> Result<Vec<u8>, EngineError> {
    check(files)?;
    let directories: BTreeSet<&str> = files.iter().flat_map(|f| parents(&f.path)).collect();
    let size = files.iter().map(|f| f.contents.len() + 1024).sum::<usize>();
    let mut archive = tar::Builder::new(Vec::with_capacity(size + directories.len() * 512 + 1024));
    archive.mode(tar::HeaderMode::Deterministic);
    for directory in directories {
        let mut header = header(tar::EntryType::Directory, 0o755, 0);
        append(&mut archive, &mut header, &format!("{directory}/"), &[])?;
    }
    for file in files {
        let size = file.contents.len() as u64;
        let mut header = header(tar::EntryType::Regular, file.mode & 0o7777, size);
        append(&mut archive, &mut header, &file.path, &file.contents)?;
    }
    archive
        .into_inner()
        .map_err(|e| EngineError::Invalid(format!("cannot pack the files to copy: {e}")))
}

fn header(kind: tar::EntryType, mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header
}

fn append(
    archive: &mut tar::Builder<Vec<u8>>,
    header: &mut tar::Header,
    path: &str,
    contents: &[u8],
) -> Result<(), EngineError> {
    archive
        .append_data(header, path, contents)
        .map_err(|e| EngineError::Invalid(format!("cannot pack the file {path:?}: {e}")))
}

/// The directories above a path, outermost first.
fn parents(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(i, _)| &path[..i])
}

/// Refuses what would land elsewhere than it says, or not at all.
pub(crate) fn check(files: &[File]) -> Result<(), EngineError> {
    let refuse = |path: &str, why: &str| {
        Err(EngineError::Invalid(format!(
            "cannot copy a file to {path:?}: {why}"
        )))
    };
    let mut paths = BTreeSet::new();
    for File { path, .. } in files {
        if path.is_empty() {
            return refuse(path, "the path is empty");
        }
        if path.starts_with('/') {
            return refuse(path, "the path is not relative to the target");
        }
        if path.contains(['\\', '\0']) {
            return refuse(
                path,
                "the path has a character that no path in a container has",
            );
        }
        if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return refuse(
                path,
                "the path is not clean: no `.`, `..`, `//` or `/` at its end",
            );
        }
        if !paths.insert(path.as_str()) {
            return refuse(path, "two files have this path");
        }
    }
    for path in &paths {
        if let Some(file) = parents(path).find(|parent| paths.contains(parent)) {
            return refuse(path, &format!("{file:?} is a file, not a directory"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn file(path: &str, mode: u32, contents: &str) -> File {
        File {
            path: path.into(),
            mode,
            contents: contents.into(),
        }
    }

    #[test]
    fn directories_come_first() {
        let long = format!("b/{}/x", "long".repeat(60));
        let packed = of(&[
            file("b/c/key.pem", 0o600, "key"),
            file("a.toml", 0o644, "toml"),
            file("b/z", 0o4755, ""),
            file(&long, 0o644, "deep"),
        ])
        .expect("good paths");
        let mut seen = Vec::new();
        let mut archive = tar::Archive::new(packed.as_slice());
        for entry in archive.entries().expect("a tar") {
            let mut entry = entry.expect("an entry");
            let mut contents = String::new();
            entry.read_to_string(&mut contents).expect("text");
            let header = entry.header();
            assert_eq!(header.uid().expect("uid"), 0);
            assert_eq!(header.gid().expect("gid"), 0);
            seen.push(format!(
                "{} {:o} {contents}",
                entry.path().expect("utf-8").display(),
                header.mode().expect("mode"),
            ));
        }
        assert_eq!(
            seen,
            [
                "b/ 755 ".to_owned(),
                "b/c/ 755 ".to_owned(),
                format!("{}/ 755 ", &long[..long.len() - 2]),
                "b/c/key.pem 600 key".to_owned(),
                "a.toml 644 toml".to_owned(),
                "b/z 4755 ".to_owned(),
                format!("{long} 644 deep"),
            ]
        );
    }

    #[test]
    fn no_files_are_an_archive_too() {
        assert_eq!(of(&[]).expect("nothing wrong").len(), 1024);
    }

    #[test]
    fn bad_paths_are_refused() {
        for paths in [
            &["/etc/passwd"][..],
            &["../x"],
            &["a/../../x"],
            &["a//b"],
            &["a/"],
            &["./a"],
            &["."],
            &[""],
            &["a\\b"],
            &["a\0b"],
            &["a", "a"],
            &["a", "a/b"],
        ] {
            let files: Vec<_> = paths.iter().map(|p| file(p, 0o644, "")).collect();
            let error = of(&files).expect_err("a bad path");
            assert!(
                error.to_string().contains("cannot copy a file to"),
                "{error}"
            );
        }
    }
}
