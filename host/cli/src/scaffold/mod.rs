//! Writes the project of a new driver: a template, and the contract and crates that it depends on.

mod name;

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, bail};

pub use name::Name;

/// A language of the templates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Language {
    /// Rust, built by cargo for wasm32-wasip2
    Rust,
    /// Python, built by componentize-py
    Python,
}

/// A file of a project.
struct File {
    /// The path within the project.
    place: &'static str,
    text: &'static str,
    executable: bool,
}

mod projects {
    use super::File;
    include!(concat!(env!("OUT_DIR"), "/projects.rs"));
}

impl Language {
    fn files(self) -> &'static [File] {
        match self {
            Self::Rust => projects::RUST,
            Self::Python => projects::PYTHON,
        }
    }

    /// Returns the command that tests the project after it was built, in its directory.
    pub fn test_command(self, name: &Name) -> String {
        format!(
            "iechor driver test {} --scenario scenarios",
            self.component(name)
        )
    }

    /// Returns the command that builds the project, in its directory.
    pub fn build_command(self) -> &'static str {
        match self {
            Self::Rust => "cargo build --release --target wasm32-wasip2",
            Self::Python => "./build",
        }
    }

    /// Returns the path of the component that the build writes, in the project's directory.
    pub fn component(self, name: &Name) -> String {
        match self {
            Self::Rust => format!("target/wasm32-wasip2/release/{}.wasm", name.of_crate()),
            Self::Python => format!("{}.wasm", name.as_str()),
        }
    }
}

/// The lock file of a project in Rust.
const LOCK: &str = "Cargo.lock";

/// Returns the lock file of the template.
fn lock() -> impl Iterator<Item = &'static File> {
    let files = Language::Rust.files().iter();
    files.filter(|file| file.place == LOCK)
}

/// Returns the names of the crates that a driver in Rust depends on, including those in `vendor`. A
/// driver cannot have one of these names, because its package is in the same lock file.
fn crates() -> impl Iterator<Item = &'static str> {
    lock()
        .flat_map(|file| file.text.lines())
        .filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))
}

/// Writes a project into a directory, which is created if it does not exist.
pub fn write(directory: &Path, language: Language, name: &Name) -> anyhow::Result<()> {
    match fs::read_dir(directory) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                bail!(
                    "{} is not empty: remove it, or choose another directory with --directory",
                    directory.display()
                );
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => bail!(
            "cannot use {} as the directory of the driver: {error}",
            directory.display()
        ),
    }
    for file in language.files() {
        let path = directory.join(file.place);
        write_file(&path, &file.render(name), file.executable)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

impl File {
    /// Returns the text for a driver of that name. The example driver in Python is its own template: it
    /// is a complete driver with a name, and is tested as it is.
    fn render(&self, name: &Name) -> String {
        if self.place.starts_with("vendor/") || self.place.starts_with("wit/") {
            return self.text.to_owned();
        }
        let text = self
            .text
            .replace("{{name}}", name.as_str())
            .replace("{{crate}}", &name.of_crate())
            .replace("python-container", name.as_str());
        match self.place {
            LOCK => in_order(&text),
            _ => text,
        }
    }
}

/// Sorts the packages of a lock file by name, as cargo does. Only the place of the driver's own package
/// depends on its name.
fn in_order(lock: &str) -> String {
    let (head, packages) = lock.split_once("\n\n").unwrap_or((lock, ""));
    let mut packages: Vec<_> = packages.trim_end().split("\n\n").collect();
    packages.sort_by_key(|package| package.lines().find(|line| line.starts_with("name = ")));
    format!("{head}\n\n{}\n", packages.join("\n\n"))
}

fn write_file(path: &Path, text: &str, executable: bool) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, text)?;
    if executable {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_has_the_versions_that_everything_was_tested_with() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.lock");
        let tested = fs::read_to_string(path).expect("there is one");
        let packages: Vec<_> = lock()
            .flat_map(|file| file.text.split("\n\n").skip(1))
            .collect();
        assert!(packages.len() > 2, "{packages:?}");
        for package in packages {
            // Name, version, and for what is not in this repository source and checksum.
            let (what, _) = package.split_once("dependencies").unwrap_or((package, ""));
            assert!(
                what.contains("{{name}}") || tested.contains(what.trim_end()),
                "drivers/templates/rust/Cargo.lock is not up to date; in a new project with the \
                 workspace's, `cargo metadata` leaves what belongs there: {what}"
            );
        }
    }

    #[test]
    fn authors_in_python_are_told_of_every_capability() {
        let files = Language::Python.files().iter();
        let readme: Vec<_> = files.filter(|file| file.place == "README.md").collect();
        for capability in iechor_catalog::view::capability_names() {
            let name = format!("`{capability}`");
            assert!(readme.iter().any(|it| it.text.contains(&name)), "{name}");
        }
    }

    #[test]
    fn the_lock_is_in_cargos_order_whatever_the_driver_is_called() {
        for name in ["a", "my-driver", "wit-bindgen-x", "zz"] {
            let name: Name = name.parse().expect("a name");
            let lock: String = lock().map(|file| file.render(&name)).collect();
            let names = lock.lines().filter_map(|line| line.strip_prefix("name = "));
            let names: Vec<_> = names.map(|name| name.trim_matches('"')).collect();
            assert!(
                names.is_sorted() && names.contains(&name.as_str()),
                "{names:?}"
            );
        }
    }
}
