//! Finds and reads the files of a definition.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use iechor_bake::definition::{DEFAULT_NAMES, File};
use iechor_files::FileError;

use crate::terminal;

/// The variables with a list of files, and with what separates them.
const FILES: &str = "BUILDX_BAKE_FILE";
const SEPARATOR: &str = "BUILDX_BAKE_PATH_SEPARATOR";

/// Maximum size of a file, in bytes.
const LARGEST: u64 = 16 << 20;

/// The beginning of a path in the working directory.
const WORKING_DIRECTORY: &str = "cwd://";

/// Reads the named files, else those of the environment, else those with the usual names.
pub(super) fn read(
    names: &[PathBuf],
    environment: impl Fn(&str) -> Option<String>,
) -> anyhow::Result<Vec<File>> {
    let mut names = names.to_vec();
    if names.is_empty()
        && let Some(list) = environment(FILES)
    {
        let separator = environment(SEPARATOR).filter(|separator| !separator.is_empty());
        let separator = separator.as_deref().unwrap_or(":");
        let listed = list.split(separator).map(str::trim);
        names = listed
            .filter(|name| !name.is_empty())
            .map(PathBuf::from)
            .collect();
    }
    if names.is_empty() {
        return usual();
    }
    names.iter().map(|name| named(name)).collect()
}

fn usual() -> anyhow::Result<Vec<File>> {
    let mut files = Vec::new();
    for name in DEFAULT_NAMES {
        if !Path::new(name).exists() {
            continue;
        }
        let file = named(Path::new(name))?;
        match file.is_compose() {
            true => terminal::warn(&format!(
                "{name} is not read: compose files are not supported yet"
            )),
            false => files.push(file),
        }
    }
    Ok(files)
}

fn named(path: &Path) -> anyhow::Result<File> {
    let text = match path.to_str() {
        Some("-") => {
            let mut text = String::new();
            let mut input = std::io::stdin().lock().take(LARGEST + 1);
            input
                .read_to_string(&mut text)
                .context("cannot read standard input")?;
            if text.len() as u64 > LARGEST {
                bail!("standard input is larger than {} MiB", LARGEST >> 20);
            }
            text
        }
        name => {
            let in_directory = name.and_then(|name| name.strip_prefix(WORKING_DIRECTORY));
            let path = in_directory.map_or(path, Path::new);
            match iechor_files::read_to_string(path, LARGEST) {
                Ok(text) => text,
                // docker buildx prints the same.
                Err(error) if error.is_not_found() => {
                    bail!("open {}: no such file or directory", path.display())
                }
                Err(error) => return Err(failed(path, error)),
            }
        }
    };
    Ok(File {
        name: path.to_string_lossy().into_owned(),
        text,
    })
}

fn failed(path: &Path, error: FileError) -> anyhow::Error {
    anyhow::Error::new(error).context(format!("cannot read {}", path.display()))
}
