//! Embeds what `iechor driver new` writes: the templates, and the contract and crates that a new
//! driver stands on, as they are in this repository.

use std::fmt::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// A language, and where the files of its projects come from: folder or file of the repository,
/// place in the project.
type Project = (&'static str, &'static [(&'static str, &'static str)]);

const PROJECTS: &[Project] = &[(
    "PYTHON",
    &[
        ("drivers/templates/python", ""),
        ("drivers/examples/python", "src"),
        ("drivers/sdk-python", "vendor"),
        ("wit", "wit"),
    ],
)];

fn main() -> io::Result<()> {
    let variable = |name| {
        env::var_os(name)
            .map(PathBuf::from)
            .ok_or(io::ErrorKind::NotFound)
    };
    let root = variable("CARGO_MANIFEST_DIR")?
        .join("../..")
        .canonicalize()?;
    let mut source = String::new();
    for (language, folders) in PROJECTS {
        let _ = writeln!(source, "pub static {language}: &[File] = &[");
        for (folder, place) in *folders {
            let folder = root.join(folder);
            println!("cargo::rerun-if-changed={}", folder.display());
            embed(&folder, Path::new(place), &mut source)?;
        }
        source += "];\n";
    }
    fs::write(variable("OUT_DIR")?.join("projects.rs"), source)
}

/// Adds what is in `folder` to the list, in the order of names.
fn embed(folder: &Path, place: &Path, source: &mut String) -> io::Result<()> {
    let mut entries: Vec<_> = fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (name, path) = (entry.file_name(), entry.path());
        let place = place.join(&name);
        if name == "target" || name == "__pycache__" {
            // What is built there is not part of it.
        } else if path.is_dir() {
            embed(&path, &place, source)?;
        } else {
            let executable = entry.metadata()?.permissions().mode() & 0o111 != 0;
            let _ = writeln!(
                source,
                "    File {{ place: {place:?}, text: include_str!({path:?}), executable: {executable} }},",
            );
        }
    }
    Ok(())
}
