//! The exports of a node, and the destinations of the results on the client.

use std::path::PathBuf;

use super::abilities::Abilities;
use super::check::{check_console, faults};
use super::destinations;
use super::error::PlanError;
use crate::spec::exporter::{Destination, Docker, Exporter, Image, Local, LocalMode};
use crate::spec::{Annotation, Attributes, BuildSpec, Tag};

/// An exporter in a request to the BuildKit of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// Name, for example `image`, or `moby` for the engine's image store.
    pub kind: &'static str,
    /// Attributes.
    pub attributes: Attributes,
    /// The destination of the result on the client.
    pub delivery: Delivery,
    /// Names of images that the engine pushes after the build, because its exporter cannot push.
    pub engine_pushes: Vec<String>,
}

/// The destination of a result on the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// No destination: the result stays in BuildKit or is pushed to a registry.
    None,
    /// A directory; existing files stay.
    Directory(PathBuf),
    /// A directory; files that are not in the result are removed.
    Mirror(PathBuf),
    /// Standard output.
    Stdout,
    /// A file.
    File(PathBuf),
    /// A directory with an OCI layout, to which the image is added.
    Layout(PathBuf),
    /// An engine.
    Load {
        /// The names of the image.
        names: Vec<String>,
        /// The Docker context of the engine; `None` for the current one.
        context: Option<String>,
    },
}

/// Plans the exports of a node. `platforms` is the number of platforms that it builds for. `loads` states
/// whether the result is loaded into the engine if there is no exporter.
///
/// # Errors
///
/// Returns the first fault, or the first ability that the node lacks.
pub(super) fn exports(
    spec: &BuildSpec,
    platforms: usize,
    abilities: &Abilities,
    loads: bool,
) -> Result<Vec<Export>, PlanError> {
    let mut exporters = named_exporters(spec);
    if exporters.is_empty() && loads {
        exporters.push(Exporter::to_load());
        name(&mut exporters, spec);
    }
    // The result of several nodes has all platforms.
    let total = platforms.max(spec.platforms.len());
    if let Some(fault) = faults(spec, &exporters, total).into_iter().next() {
        return Err(fault);
    }
    abilities.check(&exporters, platforms, spec)?;
    check_console(&exporters)?;
    let mut exports: Vec<Export> = Vec::new();
    for exporter in exporters {
        let options = image_options(spec, &exporter);
        let Some(mut export) = export(exporter, abilities) else {
            continue;
        };
        for (key, value) in options {
            export.attributes.entry(key).or_insert(value);
        }
        // An image that is pushed and loaded is in the engine already.
        let twin = exports.iter_mut().find(|twin| {
            let name = |export: &Export| export.attributes.get("name").cloned();
            export.kind == MOBY && twin.kind == MOBY && name(twin) == name(&export)
        });
        match twin {
            Some(twin) => {
                twin.attributes.extend(export.attributes);
                twin.engine_pushes.extend(export.engine_pushes);
            }
            None => exports.push(export),
        }
    }
    Ok(exports)
}

/// Returns all faults of the outputs of a build that do not depend on the node, each once.
pub(super) fn mistakes(spec: &BuildSpec) -> Vec<PlanError> {
    let exporters = named_exporters(spec);
    let mut found = faults(spec, &exporters, spec.platforms.len());
    found.extend(check_console(&exporters).err());
    found.extend(destinations::mistakes(spec));
    found
}

/// Returns the exporters of a build with the names of its image.
fn named_exporters(spec: &BuildSpec) -> Vec<Exporter> {
    let mut exporters = spec.exporters.clone();
    name(&mut exporters, spec);
    exporters
}

fn name(exporters: &mut [Exporter], spec: &BuildSpec) {
    if spec.tags.is_empty() {
        return;
    }
    for names in exporters.iter_mut().filter_map(Exporter::names_mut) {
        *names = spec.tags.iter().map(Tag::to_string).collect();
    }
}

/// Returns the options of an exporter that the build sets for all exporters of images.
fn image_options(spec: &BuildSpec, exporter: &Exporter) -> Attributes {
    let mut options = Attributes::new();
    if !exporter.is_image() {
        return options;
    }
    let annotations = spec.annotations.iter();
    options.extend(annotations.map(|annotation: &Annotation| {
        let value = annotation.value.clone();
        (annotation.option(), value)
    }));
    // Archives for `docker load` have no such option.
    if !spec.default_oci_artifact && !matches!(exporter, Exporter::Docker(_)) {
        options.insert("oci-artifact".to_owned(), "false".to_owned());
    }
    options
}

/// The exporter of an engine that builds into its own image store.
const MOBY: &str = "moby";

/// Returns the export for an exporter, or `None` if BuildKit gets no request for it.
fn export(exporter: Exporter, abilities: &Abilities) -> Option<Export> {
    let to_engine = abilities.moby_exporter;
    Some(match exporter {
        Exporter::Local(local) => local_export(local),
        Exporter::Tar(tar) => archive("tar", tar.attributes, &[], tar.destination),
        Exporter::Oci(oci) => archive("oci", oci.attributes, &oci.names, oci.destination),
        Exporter::Docker(docker) => docker_export(docker, to_engine),
        Exporter::Image(image) if to_engine => moby(image, abilities.direct_push),
        Exporter::Image(image) => Export {
            kind: "image",
            attributes: image_attributes(&image),
            delivery: Delivery::None,
            engine_pushes: Vec::new(),
        },
        Exporter::CacheOnly => return None,
    })
}

fn local_export(local: Local) -> Export {
    let Local {
        directory,
        mode,
        mut attributes,
    } = local;
    let delivery = match mode {
        LocalMode::Copy => Delivery::Directory(directory),
        LocalMode::Delete => {
            attributes.insert("mode".to_owned(), "delete".to_owned());
            Delivery::Mirror(directory)
        }
    };
    Export {
        kind: "local",
        attributes,
        delivery,
        engine_pushes: Vec::new(),
    }
}

fn docker_export(docker: Docker, to_engine: bool) -> Export {
    let Docker {
        destination,
        context,
        names,
        attributes,
    } = docker;
    let names: Vec<_> = names.iter().map(|name| loadable(name)).collect();
    match destination {
        Some(destination) => archive("docker", attributes, &names, destination),
        None => Export {
            kind: if to_engine { MOBY } else { "docker" },
            attributes: named(attributes, &names),
            delivery: match to_engine {
                true => Delivery::None,
                false => Delivery::Load { names, context },
            },
            engine_pushes: Vec::new(),
        },
    }
}

/// Returns the name under which an engine can load an image. Engines refuse a digest beside a tag, which is
/// only for readers.
fn loadable(name: &str) -> String {
    match name.split_once('@') {
        Some((tagged, _))
            if tagged
                .rsplit('/')
                .next()
                .is_some_and(|last| last.contains(':')) =>
        {
            tagged.to_owned()
        }
        _ => name.to_owned(),
    }
}

fn archive(
    kind: &'static str,
    attributes: Attributes,
    names: &[String],
    destination: Destination,
) -> Export {
    Export {
        kind,
        attributes: named(attributes, names),
        delivery: match destination {
            Destination::Stdout => Delivery::Stdout,
            Destination::File(path) => Delivery::File(path),
            Destination::Directory(path) => Delivery::Layout(path),
        },
        engine_pushes: Vec::new(),
    }
}

/// Returns the export into the engine's image store. The engine pushes if the exporter cannot.
fn moby(mut image: Image, direct_push: bool) -> Export {
    let engine_pushes = match image.push && !direct_push {
        true => {
            image.push = false;
            image.names.clone()
        }
        false => Vec::new(),
    };
    Export {
        kind: MOBY,
        attributes: image_attributes(&image),
        delivery: Delivery::None,
        engine_pushes,
    }
}

fn image_attributes(image: &Image) -> Attributes {
    let mut attributes = named(image.attributes.clone(), &image.names);
    for (key, is_set) in [
        ("push", image.push),
        ("push-by-digest", image.push_by_digest),
    ] {
        if is_set {
            attributes.insert(key.to_owned(), "true".to_owned());
        }
    }
    attributes
}

fn named(mut attributes: Attributes, names: &[String]) -> Attributes {
    if !names.is_empty() {
        attributes.insert("name".to_owned(), names.join(","));
    }
    attributes
}

#[cfg(test)]
mod tests;
