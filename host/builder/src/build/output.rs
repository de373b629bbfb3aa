//! Where results go: `--output`, `--load` and `--push`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::build::abilities::Abilities;
use crate::build::request::BuildRequest;
use crate::driver_options;
use crate::error::BuilderError;

/// Where an exporter that delivers to this side delivers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// Nowhere on this side.
    None,
    /// Standard output.
    Stdout,
    /// A file.
    File(PathBuf),
    /// A directory, whose other files stay.
    Directory(PathBuf),
    /// The engine: `docker load`.
    Engine,
}

/// One output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The exporter: `local`, `tar`, `oci`, `docker`, `image`, or the engine's own `moby`.
    pub kind: String,
    /// Its attributes.
    pub attributes: BTreeMap<String, String>,
    /// Where it delivers to.
    pub destination: Destination,
    /// Images that the engine pushes once they are there, since its exporter does not.
    pub pushed_by_engine: Vec<String>,
}

/// Works out all outputs of a build. `default_load` is the builder's wish where the user has none.
///
/// # Errors
///
/// Which value is wrong, or asks for what the builder cannot do, and why.
pub fn plan(
    request: &BuildRequest,
    abilities: &Abilities,
    default_load: bool,
) -> Result<Vec<Output>, BuilderError> {
    let mut outputs = request
        .outputs
        .iter()
        .map(|text| parse(text))
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .flatten()
        .collect::<Vec<_>>();
    let only_cache = outputs.is_empty() && !request.outputs.is_empty();
    if request.push {
        push(&mut outputs);
    }
    let asked = request.load || (default_load && outputs.is_empty() && !only_cache);
    if asked
        && !outputs
            .iter()
            .any(|output| output.destination == Destination::Engine)
    {
        outputs.push(Output {
            kind: "docker".into(),
            attributes: BTreeMap::new(),
            destination: Destination::Engine,
            pushed_by_engine: Vec::new(),
        });
    }
    name_images(&mut outputs, &request.tags)?;
    check(&outputs, request)?;
    abilities.check(&outputs, request.parsed_platforms()?.len())?;
    if abilities.moby_exporter {
        outputs = into_engine(outputs, abilities)?;
    }
    Ok(outputs)
}

/// Where the engine builds, its images are at hand: whatever makes one is its exporter `moby`, and
/// nothing is loaded from an archive.
fn into_engine(outputs: Vec<Output>, abilities: &Abilities) -> Result<Vec<Output>, BuilderError> {
    let makes_image =
        |output: &Output| output.kind == "image" || output.destination == Destination::Engine;
    let mut kept: Vec<Output> = Vec::new();
    for mut output in outputs {
        if makes_image(&output) {
            let is_true = |value: Option<&String>| value.is_some_and(|value| value == "true");
            if is_true(output.attributes.get("push-by-digest")) {
                return Err(usage(
                    "push-by-digest is not implemented for the engine's own BuildKit; create a \
                     builder with one of its own: `iechor buildx create --use`"
                        .into(),
                ));
            }
            output.kind = "moby".into();
            output.destination = Destination::None;
            if !abilities.direct_push
                && is_true(output.attributes.remove("push").as_ref())
                && let Some(names) = output.attributes.get("name")
            {
                output.pushed_by_engine = names.split(',').map(str::to_owned).collect();
            }
            // --load beside --push: what is pushed is there already.
            if let Some(twin) = kept.iter_mut().find(|twin| {
                twin.kind == "moby" && twin.attributes.get("name") == output.attributes.get("name")
            }) {
                twin.pushed_by_engine.append(&mut output.pushed_by_engine);
                twin.attributes.append(&mut output.attributes);
                continue;
            }
        }
        kept.push(output);
    }
    Ok(kept)
}

/// Reads one `--output`; `None` for `type=cacheonly`.
fn parse(text: &str) -> Result<Option<Output>, BuilderError> {
    let fields = driver_options::fields(text).map_err(|error| BuilderError::Output {
        value: text.into(),
        error,
    })?;
    let mut attributes = BTreeMap::new();
    let mut kind = None;
    let mut destination = None;
    match fields.as_slice() {
        [single] if !single.contains('=') => {
            // A bare value is a place: "-" for a tar stream, else a directory.
            kind = Some(if single == "-" { "tar" } else { "local" }.to_owned());
            destination = Some(single.clone());
        }
        fields => {
            for field in fields {
                let (key, value) = field.split_once('=').ok_or_else(|| {
                    usage(format!(
                        "--output: invalid value {field:?} in {text:?}, expecting KEY=VALUE"
                    ))
                })?;
                match key.trim().to_ascii_lowercase().as_str() {
                    "type" => kind = Some(value.to_owned()),
                    "dest" => destination = Some(value.to_owned()),
                    key => {
                        attributes.insert(key.to_owned(), value.to_owned());
                    }
                }
            }
        }
    }
    let kind =
        kind.ok_or_else(|| usage(format!("--output: type is required for output {text:?}")))?;
    let path_or_stdout = |destination: Option<String>| match destination.as_deref() {
        None | Some("-" | "") => Destination::Stdout,
        Some(path) => Destination::File(path.into()),
    };
    let (kind, destination) = match kind.as_str() {
        "cacheonly" => return Ok(None),
        "local" => match destination.filter(|path| !path.is_empty()) {
            None => {
                return Err(usage(
                    "--output: dest is required for local exporter".into(),
                ));
            }
            Some(path) if path == "-" => {
                return Err(usage(
                    "--output: dest cannot be stdout for local exporter".into(),
                ));
            }
            Some(path) => (kind, Destination::Directory(path.into())),
        },
        "tar" | "oci" => {
            if attributes.get("tar").is_some_and(|tar| tar == "false") {
                return Err(usage(format!(
                    "--output: type={kind},tar=false (a directory) is not supported; leave tar out"
                )));
            }
            (kind, path_or_stdout(destination))
        }
        "docker" => {
            let destination = match destination {
                None => Destination::Engine,
                some => path_or_stdout(some),
            };
            (kind, destination)
        }
        "image" | "registry" => {
            if destination.is_some() {
                return Err(usage(format!("--output: type={kind} takes no dest")));
            }
            if kind == "registry" {
                attributes
                    .entry("push".into())
                    .or_insert_with(|| "true".into());
            }
            ("image".to_owned(), Destination::None)
        }
        other => {
            return Err(usage(format!(
                "--output: unknown type {other:?}; there are local, tar, oci, docker, image, \
                 registry and cacheonly"
            )));
        }
    };
    Ok(Some(Output {
        kind,
        attributes,
        destination,
        pushed_by_engine: Vec::new(),
    }))
}

/// `--push`: every image is pushed; where there is none, one is made for it.
fn push(outputs: &mut Vec<Output>) {
    let mut any = false;
    for output in outputs.iter_mut().filter(|output| output.kind == "image") {
        output.attributes.insert("push".into(), "true".into());
        any = true;
    }
    if !any {
        outputs.push(Output {
            kind: "image".into(),
            attributes: BTreeMap::from([
                ("push".to_owned(), "true".to_owned()),
                ("unpack".to_owned(), "false".to_owned()),
            ]),
            destination: Destination::None,
            pushed_by_engine: Vec::new(),
        });
    }
}

fn name_images(outputs: &mut [Output], tags: &[String]) -> Result<(), BuilderError> {
    for tag in tags {
        check_tag(tag)?;
    }
    if tags.is_empty() {
        return Ok(());
    }
    for output in outputs {
        if matches!(output.kind.as_str(), "image" | "oci" | "docker") {
            output.attributes.insert("name".into(), tags.join(","));
        }
    }
    Ok(())
}

fn check(outputs: &[Output], request: &BuildRequest) -> Result<(), BuilderError> {
    let stdout = outputs
        .iter()
        .filter(|output| output.destination == Destination::Stdout);
    if stdout.count() > 1 {
        return Err(usage(
            "multiple outputs configured to write to stdout".into(),
        ));
    }
    for output in outputs {
        let pushes = output
            .attributes
            .get("push")
            .is_some_and(|push| push == "true");
        if pushes && !output.attributes.contains_key("name") {
            return Err(usage(
                "tag is needed when pushing to registry; name it with --tag".into(),
            ));
        }
        match &output.destination {
            Destination::Directory(path) if path.is_file() => {
                return Err(usage(format!(
                    "destination directory {} is a file",
                    path.display()
                )));
            }
            Destination::File(path) if path.is_dir() => {
                return Err(usage(format!(
                    "destination file {} is a directory",
                    path.display()
                )));
            }
            _ => {}
        }
        if request.iid_file.is_some() && matches!(output.kind.as_str(), "local" | "tar") {
            return Err(usage(
                "local and tar exporters are incompatible with image ID file".into(),
            ));
        }
    }
    Ok(())
}

/// The grammar of references, as far as a mistake would otherwise be found late: `[host/]name[:tag]`
/// in lower case.
fn check_tag(tag: &str) -> Result<(), BuilderError> {
    let invalid = || usage(format!("invalid tag {tag:?}: invalid reference format"));
    let (name, label) = match tag.rsplit_once(':') {
        // A colon before a slash belongs to the host's port.
        Some((name, label)) if !label.contains('/') => (name, Some(label)),
        _ => (tag, None),
    };
    if let Some(label) = label {
        let first = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let rest = |c: char| first(c) || matches!(c, '.' | '-');
        if label.len() > 128 || !label.starts_with(first) || !label.chars().all(rest) {
            return Err(invalid());
        }
    }
    let mut parts: Vec<&str> = name.split('/').collect();
    let has_host = parts.len() > 1
        && (parts[0].contains(['.', ':'])
            || parts[0] == "localhost"
            || parts[0].contains(char::is_uppercase));
    if has_host {
        let host = parts.remove(0);
        let host_character =
            |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
        if host.is_empty() || !host.chars().all(host_character) {
            return Err(invalid());
        }
    }
    let component = |part: &&str| {
        let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        part.starts_with(edge)
            && part.ends_with(edge)
            && part
                .chars()
                .all(|c| edge(c) || matches!(c, '.' | '_' | '-'))
    };
    if parts.is_empty() || !parts.iter().all(component) {
        return Err(invalid());
    }
    Ok(())
}

fn usage(text: String) -> BuilderError {
    BuilderError::Usage(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(outputs: &[&str]) -> BuildRequest {
        BuildRequest {
            outputs: outputs.iter().map(|text| (*text).into()).collect(),
            ..BuildRequest::default()
        }
    }

    /// A BuildKit that can do everything.
    fn container() -> Abilities {
        use iechor_sandbox::contract::Feature::{
            DirectPush, DockerExporter, MultiPlatform, OciExporter,
        };
        let features = [OciExporter, DockerExporter, MultiPlatform, DirectPush];
        Abilities::new("iechor-container", &features)
    }

    /// That of an engine which keeps images in a store of its own.
    fn engine() -> Abilities {
        use iechor_sandbox::contract::Feature::{DefaultLoad, Other};
        Abilities::new("iechor", &[DefaultLoad, Other("moby-exporter".into())])
    }

    fn in_engine(request: &BuildRequest) -> Result<Vec<Output>, String> {
        plan(request, &engine(), true).map_err(|error| error.to_string())
    }

    #[test]
    fn the_engine_builds_into_its_own_images() {
        let tagged = |outputs: &[&str]| BuildRequest {
            tags: vec!["r/a:1".into(), "r/b".into()],
            ..request(outputs)
        };
        let name = BTreeMap::from([("name".to_owned(), "r/a:1,r/b".to_owned())]);
        let image = Output {
            kind: "moby".into(),
            attributes: name.clone(),
            destination: Destination::None,
            pushed_by_engine: Vec::new(),
        };
        let loaded = BuildRequest {
            load: true,
            ..tagged(&[])
        };
        for same in [
            tagged(&[]),
            tagged(&["type=image"]),
            tagged(&["type=docker"]),
            loaded,
        ] {
            assert_eq!(in_engine(&same), Ok(vec![image.clone()]), "{same:?}");
        }
        assert_eq!(in_engine(&tagged(&["type=cacheonly"])), Ok(vec![]));
        let local = in_engine(&tagged(&["out"])).expect("it can");
        assert_eq!(local[0].kind, "local");

        let pushed = BuildRequest {
            push: true,
            load: true,
            ..tagged(&[])
        };
        let outputs = in_engine(&pushed).expect("it can");
        assert_eq!(outputs.len(), 1, "{outputs:?}");
        assert_eq!(outputs[0].kind, "moby");
        assert_eq!(outputs[0].pushed_by_engine, ["r/a:1", "r/b"]);
        assert!(!outputs[0].attributes.contains_key("push"));
        // Where images are kept in containerd, its exporter pushes.
        let able = Abilities {
            direct_push: true,
            ..engine()
        };
        let outputs = plan(&pushed, &able, true).expect("it can");
        assert_eq!(outputs[0].attributes["push"], "true");
        assert!(outputs[0].pushed_by_engine.is_empty());
    }

    #[test]
    fn what_the_engine_cannot_do_is_refused_with_what_can() {
        let several = BuildRequest {
            platforms: vec!["linux/amd64,linux/arm64".into()],
            ..request(&[])
        };
        for (request, words) in [
            (request(&["type=oci,dest=x"]), "OCI exporter"),
            (request(&["type=docker,dest=x"]), "Docker exporter"),
            (several, "Multi-platform build"),
        ] {
            let error = in_engine(&request).expect_err(words);
            assert!(
                error.starts_with(&format!("{words} is not supported for the iechor driver")),
                "{error}"
            );
            assert!(error.contains("iechor buildx create --use"), "{error}");
        }
        let error = in_engine(&BuildRequest {
            tags: vec!["a".into()],
            ..request(&["type=image,push-by-digest=true"])
        });
        assert!(error.expect_err("refused").contains("push-by-digest"));
    }

    fn planned(request: &BuildRequest) -> Vec<(String, String, Destination)> {
        plan(request, &container(), false)
            .expect("well-formed")
            .into_iter()
            .map(|output| {
                let attributes: Vec<_> = output
                    .attributes
                    .iter()
                    .map(|(key, value)| format!("{key}={value}"))
                    .collect();
                (output.kind, attributes.join(";"), output.destination)
            })
            .collect()
    }

    #[test]
    fn outputs_are_read_as_the_peer_reads_them() {
        let case = |text: &str, kind: &str, attributes: &str, destination| {
            assert_eq!(
                planned(&request(&[text])),
                [(kind.to_owned(), attributes.to_owned(), destination)],
                "{text}"
            );
        };
        case("out", "local", "", Destination::Directory("out".into()));
        case("-", "tar", "", Destination::Stdout);
        case(
            "type=local,dest=out",
            "local",
            "",
            Destination::Directory("out".into()),
        );
        case(
            "type=tar,dest=o.tar",
            "tar",
            "",
            Destination::File("o.tar".into()),
        );
        case("type=oci", "oci", "", Destination::Stdout);
        case("type=docker", "docker", "", Destination::Engine);
        case("type=docker,dest=-", "docker", "", Destination::Stdout);
        case("type=image,name=a", "image", "name=a", Destination::None);
        case(
            "type=registry,name=a",
            "image",
            "name=a;push=true",
            Destination::None,
        );
        case(
            "type=image,\"compression=zstd\",name=a",
            "image",
            "compression=zstd;name=a",
            Destination::None,
        );
        assert!(planned(&request(&["type=cacheonly"])).is_empty());
    }

    #[test]
    fn load_and_push_add_what_is_missing() {
        let tagged = |outputs: &[&str], load, push| BuildRequest {
            tags: vec!["demo".into(), "host:5000/x/demo:1".into()],
            load,
            push,
            ..request(outputs)
        };
        assert_eq!(
            planned(&tagged(&[], true, true)),
            [
                (
                    "image".into(),
                    "name=demo,host:5000/x/demo:1;push=true;unpack=false".into(),
                    Destination::None
                ),
                (
                    "docker".into(),
                    "name=demo,host:5000/x/demo:1".into(),
                    Destination::Engine
                ),
            ]
        );
        assert_eq!(planned(&tagged(&["type=docker"], true, false)).len(), 1);
        let only_cache = tagged(&["type=cacheonly"], false, false);
        assert!(
            plan(&only_cache, &container(), true)
                .expect("well-formed")
                .is_empty()
        );
        let nothing = tagged(&[], false, false);
        assert_eq!(
            plan(&nothing, &container(), true).expect("well-formed")[0].destination,
            Destination::Engine
        );
        assert!(
            plan(&nothing, &container(), false)
                .expect("well-formed")
                .is_empty()
        );
    }

    #[test]
    fn mistakes_are_named() {
        for (outputs, words) in [
            (&["type=banana"][..], "unknown type"),
            (&["dest=x"], "type is required"),
            (&["type=local"], "dest is required"),
            (&["type=local,dest=-"], "cannot be stdout"),
            (&["type=tar", "type=oci"], "multiple outputs"),
            (&["type=oci,tar=false,dest=x"], "not supported"),
            (&["type=registry"], "tag is needed"),
            (&["type=image,push"], "expecting KEY=VALUE"),
            (&["type=tar,dest=/"], "is a directory"),
            (&["/etc/hostname"], "is a file"),
        ] {
            let error = plan(&request(outputs), &container(), false)
                .expect_err(words)
                .to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn tags() {
        for tag in [
            "demo",
            "demo:1.0",
            "a/b_c/d-e",
            "localhost:5000/x",
            "ghcr.io/o/n:v1",
            "a:A_b",
        ] {
            assert!(check_tag(tag).is_ok(), "{tag}");
        }
        for tag in [
            "", "Demo", "demo:", "a//b", ":tag", "a b", "demo:-x", "-a", "a/", "x:y z",
        ] {
            assert!(check_tag(tag).is_err(), "{tag}");
        }
    }
}
