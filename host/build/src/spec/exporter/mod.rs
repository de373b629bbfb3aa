//! Exporters of the result of a build. Each exporter has one file, and one line in [`TYPES`].

mod docker;
mod fields;
mod image;
mod local;
mod oci;
mod tar;

use std::path::{Path, PathBuf};

pub use docker::Docker;
pub use fields::Fields;
pub use image::Image;
pub use local::{Local, LocalMode};
pub use oci::Oci;
pub use tar::Tar;

/// An exporter of the result of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exporter {
    /// An exporter that writes the files of the result into a directory.
    Local(Local),
    /// An exporter that writes the files of the result into a tar archive.
    Tar(Tar),
    /// An exporter that writes the image into an archive with an OCI layout.
    Oci(Oci),
    /// An exporter that writes the image into an archive for `docker load`, or loads it.
    Docker(Docker),
    /// An exporter that creates an image in BuildKit's store, or pushes it.
    Image(Image),
    /// No export: the result stays in the build cache only.
    CacheOnly,
}

/// The destination of an archive, or of its content without the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// Standard output.
    Stdout,
    /// A file.
    File(PathBuf),
    /// A directory for the content of the archive (`tar=false`), as an OCI layout.
    Directory(PathBuf),
}

/// A function that parses the options of a type.
pub type Read = fn(&mut Fields) -> Exporter;

/// The types of exporters by name, with the functions that parse their options.
pub const TYPES: &[(&str, Read)] = &[
    ("local", |fields| Exporter::Local(Local::read(fields))),
    ("tar", |fields| Exporter::Tar(Tar::read(fields))),
    ("oci", |fields| Exporter::Oci(Oci::read(fields))),
    ("docker", |fields| Exporter::Docker(Docker::read(fields))),
    ("image", |fields| Exporter::Image(Image::read(fields))),
    ("registry", |fields| {
        Exporter::Image(Image::read_registry(fields))
    }),
    ("cacheonly", |_| Exporter::CacheOnly),
];

impl Exporter {
    /// Returns the exporter that loads the image into the engine.
    pub fn to_load() -> Self {
        Self::Docker(Docker::default())
    }

    /// Returns whether the exporter loads the image into the engine.
    pub fn is_loaded(&self) -> bool {
        matches!(
            self,
            Self::Docker(Docker {
                destination: None,
                ..
            })
        )
    }

    /// Returns whether the exporter creates an image.
    pub fn is_image(&self) -> bool {
        match self {
            Self::Oci(_) | Self::Docker(_) | Self::Image(_) => true,
            Self::Local(_) | Self::Tar(_) | Self::CacheOnly => false,
        }
    }

    /// Returns the names of the image that the exporter creates, or `None` if it creates no image.
    pub fn names_mut(&mut self) -> Option<&mut Vec<String>> {
        match self {
            Self::Oci(oci) => Some(&mut oci.names),
            Self::Docker(docker) => Some(&mut docker.names),
            Self::Image(image) => Some(&mut image.names),
            Self::Local(_) | Self::Tar(_) | Self::CacheOnly => None,
        }
    }

    /// Returns the name of the type, for errors. An image that is pushed is an `image` as well.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Local(_) => "local",
            Self::Tar(_) => "tar",
            Self::Oci(_) => "oci",
            Self::Docker(_) => "docker",
            Self::Image(_) => "image",
            Self::CacheOnly => "cacheonly",
        }
    }

    /// Returns the file or the directory that the exporter writes to, if there is one.
    pub fn path(&self) -> Option<&Path> {
        match (self, self.archive()) {
            (Self::Local(local), _) => Some(&local.directory),
            (_, Some(Destination::File(path) | Destination::Directory(path))) => Some(path),
            (_, Some(Destination::Stdout) | None) => None,
        }
    }

    /// Returns whether the exporter writes to standard output.
    pub fn is_stdout(&self) -> bool {
        self.archive() == Some(&Destination::Stdout)
    }

    /// Returns the destination of the archive or its content, if the exporter writes one.
    pub fn archive(&self) -> Option<&Destination> {
        match self {
            Self::Tar(tar) => Some(&tar.destination),
            Self::Oci(oci) => Some(&oci.destination),
            Self::Docker(docker) => docker.destination.as_ref(),
            Self::Local(_) | Self::Image(_) | Self::CacheOnly => None,
        }
    }
}

#[cfg(test)]
mod tests;
