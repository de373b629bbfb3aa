//! Writes the project of a new driver: a template, and beside it what drivers stand on.

mod name;

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, bail};

pub use name::Name;

/// A language that there is a template for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Language {
    /// Rust, built by cargo for wasm32-wasip2
    Rust,
    /// Python, built by componentize-py
    Python,
}

/// A file of a project.
struct File {
    /// Relative to the project.
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

    /// How a project is built, in its directory.
    pub fn build_command(self) -> &'static str {
        match self {
            Self::Rust => "cargo build --release --target wasm32-wasip2",
            Self::Python => "./build",
        }
    }

    /// Where the build leaves the component, in the project's directory.
    pub fn component(self, name: &Name) -> String {
        match self {
            Self::Rust => format!("target/wasm32-wasip2/release/{}.wasm", name.of_crate()),
            Self::Python => format!("{}.wasm", name.as_str()),
        }
    }
}

/// Writes a project into a directory, which is made where it is missing.
pub fn write(directory: &Path, language: Language, name: &Name) -> anyhow::Result<()> {
    match fs::read_dir(directory) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                bail!(
                    "{} is not empty: remove it, or choose another place with --directory",
                    directory.display()
                );
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => bail!(
            "{} cannot be the driver's directory: {error}",
            directory.display()
        ),
    }
    for file in language.files() {
        let path = directory.join(file.place);
        write_file(&path, &file.render(name), file.executable)
            .with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(())
}

impl File {
    /// The text for a driver of that name. The example driver in Python is its own template: a
    /// driver with a name of its own, and therefore tested as it is.
    fn render(&self, name: &Name) -> String {
        if self.place.starts_with("vendor/") || self.place.starts_with("wit/") {
            return self.text.to_owned();
        }
        self.text
            .replace("{{name}}", name.as_str())
            .replace("{{crate}}", &name.of_crate())
            .replace("python-container", name.as_str())
    }
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
