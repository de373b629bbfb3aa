//! Embeds the files that `iechor driver new` writes: the templates, and the contract and the crates of
//! this repository that a new driver depends on.

use std::fmt::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// A language and the files of its projects. Each entry has a directory or file of the repository and
/// its place in the project. The first directory is the template.
type Project = (&'static str, &'static [(&'static str, &'static str)]);

/// A scenario. Its trace is part of the template, because traces differ between languages.
const SCENARIO: &str = "drivers/templates/first-boot.toml";

const PROJECTS: &[Project] = &[
    (
        "RUST",
        &[
            ("drivers/templates/rust", ""),
            (SCENARIO, "scenarios/first-boot.toml"),
            ("drivers/sdk", "vendor/iechor-driver"),
            (
                "drivers/buildkit-container",
                "vendor/iechor-buildkit-container",
            ),
            ("host/values", "vendor/iechor-values"),
            ("wit", "wit"),
        ],
    ),
    (
        "PYTHON",
        &[
            ("drivers/templates/python", ""),
            (SCENARIO, "scenarios/first-boot.toml"),
            ("drivers/examples/python", "src"),
            ("drivers/sdk-python", "vendor"),
            ("wit", "wit"),
        ],
    ),
];

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
        for (origin, place) in *folders {
            let origin = root.join(origin);
            println!("cargo::rerun-if-changed={}", origin.display());
            embed(&origin, Path::new(place), &mut source)?;
        }
        source += "];\n";
    }
    fs::write(variable("OUT_DIR")?.join("projects.rs"), source)
}

/// Adds a file, or the files of a directory sorted by name, to the list.
fn embed(origin: &Path, place: &Path, source: &mut String) -> io::Result<()> {
    if origin.is_dir() {
        let mut entries: Vec<_> = fs::read_dir(origin)?.collect::<Result<_, _>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name();
            // Omit build outputs and the tests of the embedded crates.
            let is_left_out = name == "target"
                || name == "__pycache__"
                || (name == "tests" && place.starts_with("vendor"));
            if !is_left_out {
                embed(&entry.path(), &place.join(name), source)?;
            }
        }
        return Ok(());
    }
    let executable = fs::metadata(origin)?.permissions().mode() & 0o111 != 0;
    let _ = writeln!(
        source,
        "    File {{ place: {place:?}, text: include_str!({origin:?}), executable: {executable} }},",
    );
    Ok(())
}
