//! Files of several nodes in one tar archive.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

/// Size of a block of a tar archive, in bytes. An archive ends with two blocks of zeros.
const BLOCK: usize = 512;

/// Merges archives. Each node writes the files of its platforms into directories of their own, so that the entries of
/// all archives are those of the result. They are passed on unchanged.
///
/// # Errors
///
/// Returns an error if an archive is malformed, or the output cannot be written.
pub(super) fn merge(parts: &[PathBuf], output: &mut dyn Write) -> io::Result<()> {
    for part in parts {
        let mut archive = tar::Archive::new(io::BufReader::new(File::open(part)?));
        // Extended headers are entries of their own.
        for entry in archive.entries()?.raw(true) {
            let mut entry = entry?;
            output.write_all(entry.header().as_bytes())?;
            let size = io::copy(&mut entry, output)?;
            let over = usize::try_from(size % BLOCK as u64).unwrap_or_default();
            if over > 0 {
                output.write_all(&[0; BLOCK][over..])?;
            }
        }
    }
    output.write_all(&[0; 2 * BLOCK])
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn archive(directory: &std::path::Path, name: &str, files: &[(&str, &[u8])]) -> PathBuf {
        let path = directory.join(name);
        let mut builder = tar::Builder::new(File::create(&path).expect("created"));
        for (name, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            builder
                .append_data(&mut header, name, *content)
                .expect("added");
        }
        builder.finish().expect("finished");
        path
    }

    #[test]
    fn the_entries_of_all_archives_are_kept() {
        let directory = tempfile::tempdir().expect("a directory");
        // Longer than the name of a header can be.
        let long = format!("linux_arm64/{}", "x".repeat(300));
        let large = vec![b'x'; 1500];
        let parts = [
            archive(
                directory.path(),
                "a",
                &[("linux_amd64/a", b"1"), ("linux_amd64/empty", b"")],
            ),
            archive(directory.path(), "b", &[]),
            archive(
                directory.path(),
                "c",
                &[(&long, &large), ("linux_arm64/b", &large[..512])],
            ),
        ];
        let mut merged = Vec::new();
        merge(&parts, &mut merged).expect("merged");
        assert_eq!(merged.len() % BLOCK, 0);
        let mut archive = tar::Archive::new(merged.as_slice());
        let entries = archive.entries().expect("a tar").map(|entry| {
            let mut entry = entry.expect("whole");
            let mut content = Vec::new();
            entry.read_to_end(&mut content).expect("content");
            (entry.path().expect("a name").display().to_string(), content)
        });
        let expected = [
            ("linux_amd64/a".to_owned(), b"1".to_vec()),
            ("linux_amd64/empty".to_owned(), Vec::new()),
            (long, large.clone()),
            ("linux_arm64/b".to_owned(), large[..512].to_vec()),
        ];
        assert_eq!(entries.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_cut_archive_is_an_error() {
        let directory = tempfile::tempdir().expect("a directory");
        let part = archive(directory.path(), "a", &[("a", &[1; 2000])]);
        let file = File::options().write(true).open(&part).expect("opened");
        file.set_len(1000).expect("cut");
        assert!(merge(&[part], &mut Vec::new()).is_err());
    }
}
