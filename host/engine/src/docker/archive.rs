//! The tar archive with which files are copied into a container, and its limits.

use std::collections::BTreeSet;
use std::io;

use bytes::Bytes;
use iechor_values::size;

use crate::error::EngineError;
use crate::model::File;

/// Maximum number of files and directories of one copy. A daemon's configuration has tens of files.
/// Every directory above a file is an entry of its own, so that short paths could create millions.
pub const ENTRIES: usize = 1000;
/// Maximum number of names in a path below the target.
pub const DEPTH: usize = 32;
/// Maximum size of a path, in bytes. Linux accepts 4096 for a whole path with the target.
pub const PATH_BYTES: usize = 1024;
/// Maximum size of all files together, in bytes. Configuration and certificates take less than 1 MiB.
pub const BYTES: usize = 8 << 20;

/// Size of a block of a tar archive, in bytes.
const BLOCK: usize = 512;

/// Returns the parts of an archive of `files`, to be sent one after the other: first their
/// directories, each once, sorted, with mode 0755, then the files in the given order; all owned by
/// root. The engine sets the times when it unpacks them. The contents are moved, not copied.
///
/// # Errors
///
/// Those of [`check`], before anything is built.
pub(super) fn parts(
    files: Vec<File>,
) -> Result<impl Iterator<Item = io::Result<Bytes>> + Send + 'static, EngineError> {
    check(&files)?;
    let directories: BTreeSet<String> = files
        .iter()
        .flat_map(|file| parents(&file.path).map(str::to_owned))
        .collect();
    let directories = directories.into_iter().map(|directory| {
        let header = header(tar::EntryType::Directory, 0o755, 0);
        head(header, &format!("{directory}/"))
    });
    let files = files.into_iter().flat_map(|file| {
        let size = file.contents.len();
        let header = header(tar::EntryType::Regular, file.mode & 0o7777, size as u64);
        let padding = size.next_multiple_of(BLOCK) - size;
        [
            head(header, &file.path),
            Ok(Bytes::from(file.contents)),
            Ok(Bytes::from_static(&[0; BLOCK]).slice(..padding)),
        ]
    });
    let end = Ok(Bytes::from_static(&[0; 2 * BLOCK]));
    Ok(directories
        .chain(files)
        .chain([end])
        .filter(|part| !part.as_ref().is_ok_and(Bytes::is_empty)))
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

/// Returns the header of an entry, with the additional entry that a long path needs.
fn head(mut header: tar::Header, path: &str) -> io::Result<Bytes> {
    let mut archive = tar::Builder::new(Vec::with_capacity(BLOCK));
    archive.append_data(&mut header, path, io::empty())?;
    Ok(std::mem::take(archive.get_mut()).into())
}

/// Returns the directories above a path, outermost first.
fn parents(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(i, _)| &path[..i])
}

/// Refuses files that would be unpacked to another place than their path, or not at all, and files
/// beyond the limits of this module. Takes no more memory than the limits.
pub(crate) fn check(files: &[File]) -> Result<(), EngineError> {
    check_amount(files)?;
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

/// Checks the limits, the cheapest first.
fn check_amount(files: &[File]) -> Result<(), EngineError> {
    let exceeded = |what: String| Err(EngineError::LimitExceeded(what));
    let entries = |count: String| {
        exceeded(format!(
            "cannot copy {count} files and directories at once: at most {ENTRIES} are copied"
        ))
    };
    if files.len() > ENTRIES {
        return entries(files.len().to_string());
    }
    let bytes = files.iter().map(|file| file.contents.len()).sum::<usize>();
    if bytes > BYTES {
        return exceeded(format!(
            "cannot copy files with {bytes} bytes at once: at most {} are copied",
            size::exact(BYTES as u64)
        ));
    }
    for File { path, .. } in files {
        let beginning = || path.chars().take(60).collect::<String>();
        if path.len() > PATH_BYTES {
            return exceeded(format!(
                "cannot copy a file to \"{}...\": its path has {} bytes, and may have {PATH_BYTES}",
                beginning().escape_debug(),
                path.len()
            ));
        }
        let depth = path.split('/').count();
        if depth > DEPTH {
            return exceeded(format!(
                "cannot copy a file to \"{}...\": its path has {depth} names, and may have {DEPTH}",
                beginning().escape_debug()
            ));
        }
    }
    let mut directories = BTreeSet::new();
    for file in files {
        directories.extend(parents(&file.path));
        if files.len() + directories.len() > ENTRIES {
            return entries(format!("more than {ENTRIES}"));
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

    fn packed(files: Vec<File>) -> Result<Vec<u8>, EngineError> {
        let parts = parts(files)?.collect::<io::Result<Vec<_>>>();
        Ok(parts.expect("short paths").concat())
    }

    fn refusal(files: &[File]) -> String {
        match check(files) {
            Err(EngineError::LimitExceeded(words)) => words,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn directories_come_first_and_once() {
        let long = format!("b/{}/x", "long".repeat(60));
        let packed = packed(vec![
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
        assert_eq!(packed(Vec::new()).expect("nothing wrong").len(), 1024);
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
            let error = check(&files).expect_err("a bad path");
            assert!(
                error.to_string().contains("cannot copy a file to"),
                "{error}"
            );
        }
    }

    #[test]
    fn few_bytes_of_path_are_not_many_directories() {
        // Each below directories of its own: together more than there may be.
        let nested = |number: usize| {
            let path = format!("{number}/{}", ["d"; DEPTH - 1].join("/"));
            file(&path, 0o644, "")
        };
        let fits = ENTRIES / DEPTH;
        let files: Vec<_> = (0..fits).map(nested).collect();
        assert!(check(&files).is_ok());
        let files: Vec<_> = (0..=fits).map(nested).collect();
        let words = refusal(&files);
        assert!(
            words.contains("more than 1000 files and directories"),
            "{words}"
        );
    }

    #[test]
    fn what_is_shared_counts_once() {
        let files: Vec<_> = (0..ENTRIES - 2)
            .map(|number| file(&format!("a/b/{number}"), 0o644, ""))
            .collect();
        assert!(check(&files).is_ok());
        assert_eq!(
            packed(files).expect("good").len(),
            ENTRIES * BLOCK + 2 * BLOCK
        );
    }

    #[test]
    fn each_bound_is_kept() {
        let many: Vec<_> = (0..=ENTRIES)
            .map(|number| file(&number.to_string(), 0o644, ""))
            .collect();
        assert!(check(&many[1..]).is_ok());
        assert!(refusal(&many).contains("1001 files and directories"));

        let deep = ["d"; DEPTH + 1].join("/");
        assert!(check(&[file(&deep[2..], 0o644, "")]).is_ok());
        assert!(refusal(&[file(&deep, 0o644, "")]).contains("33 names, and may have 32"));

        let long = "x".repeat(PATH_BYTES + 1);
        assert!(check(&[file(&long[1..], 0o644, "")]).is_ok());
        let words = refusal(&[file(&long, 0o644, "")]);
        assert!(words.contains("1025 bytes, and may have 1024"), "{words}");
        assert!(words.len() < 200, "the path is repeated whole: {words}");

        let half = "x".repeat(BYTES / 2);
        let two = [file("a", 0o644, &half), file("b", 0o644, &half)];
        assert!(check(&two).is_ok());
        let three = [two[0].clone(), two[1].clone(), file("c", 0o644, "x")];
        assert!(refusal(&three).contains("at most 8 MiB"));
    }

    #[test]
    fn contents_are_handed_on_and_not_copied() {
        let file = file("a", 0o644, &"x".repeat(3 * BLOCK));
        let place = file.contents.as_ptr();
        let mut parts = parts(vec![file]).expect("good");
        assert!(parts.any(|part| part.expect("packed").as_ptr() == place));
    }
}
