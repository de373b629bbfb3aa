//! Exports of drivers with all abilities, and of drivers that build into an engine.

use iechor_platform::Platform;
use iechor_sandbox::contract::Feature::{
    DefaultLoad, DirectPush, DockerExporter, MultiPlatform, OciExporter, Other,
};

use super::*;
use crate::plan::error::Ability;
use crate::spec::{Context, parse};

fn spec(outputs: &[&str]) -> BuildSpec {
    let exporters = outputs.iter().map(|text| parse::output(text).expect(text));
    BuildSpec {
        exporters: exporters.collect(),
        ..BuildSpec::new(Context::Directory(".".into()))
    }
}

fn tagged(outputs: &[&str], tags: &[&str]) -> BuildSpec {
    BuildSpec {
        tags: tags.iter().map(|tag| Tag::new(tag).expect(tag)).collect(),
        ..spec(outputs)
    }
}

/// Returns a BuildKit with all abilities.
fn container() -> Abilities {
    let features = [OciExporter, DockerExporter, MultiPlatform, DirectPush];
    Abilities::new("iechor-container", &features)
}

/// Returns the BuildKit of an engine with its own image store.
fn engine() -> Abilities {
    Abilities::new("iechor", &[DefaultLoad, Other("moby-exporter".into())])
}

fn planned(spec: &BuildSpec, loads: bool) -> Vec<(&'static str, String, Delivery)> {
    let exports = exports(spec, 0, &container(), loads).expect("well-formed");
    let words = |export: Export| {
        let pairs = export.attributes.iter();
        let pairs: Vec<_> = pairs.map(|(key, value)| format!("{key}={value}")).collect();
        (export.kind, pairs.join(";"), export.delivery)
    };
    exports.into_iter().map(words).collect()
}

#[test]
fn each_exporter_is_asked_for_as_the_peer_asks() {
    for (text, kind, attributes, delivery) in [
        ("out", "local", "", Delivery::Directory("out".into())),
        ("-", "tar", "", Delivery::Stdout),
        (
            "type=tar,dest=o.tar",
            "tar",
            "",
            Delivery::File("o.tar".into()),
        ),
        ("type=oci", "oci", "", Delivery::Stdout),
        (
            "type=docker,context=other",
            "docker",
            "",
            Delivery::Load {
                names: vec![],
                context: Some("other".into()),
            },
        ),
        (
            "type=local,dest=target,mode=DELETE",
            "local",
            "mode=delete",
            Delivery::Mirror("target".into()),
        ),
        (
            "type=oci,tar=false,dest=o",
            "oci",
            "tar=false",
            Delivery::Layout("o".into()),
        ),
        (
            "type=docker,tar=0,dest=o",
            "docker",
            "tar=0",
            Delivery::Layout("o".into()),
        ),
        ("type=docker,dest=-", "docker", "", Delivery::Stdout),
        ("type=image,name=a", "image", "name=a", Delivery::None),
        (
            "type=registry,name=a",
            "image",
            "name=a;push=true;unpack=false",
            Delivery::None,
        ),
        (
            "type=registry,name=a,push=0,unpack=1",
            "image",
            "name=a;unpack=1",
            Delivery::None,
        ),
        (
            "type=image,\"compression=zstd\",name=a,push-by-digest=true",
            "image",
            "compression=zstd;name=a;push-by-digest=true",
            Delivery::None,
        ),
    ] {
        let expected = [(kind, attributes.to_owned(), delivery)];
        assert_eq!(planned(&spec(&[text]), false), expected, "{text}");
    }
    assert!(planned(&spec(&["type=cacheonly"]), true).is_empty());
}

#[test]
fn images_get_the_names_of_the_build() {
    let mut both = tagged(&[], &["demo", "host:5000/x/demo:1"]);
    both.push();
    both.load();
    let names = "name=demo,host:5000/x/demo:1";
    assert_eq!(
        planned(&both, false),
        [
            (
                "image",
                format!("{names};push=true;unpack=false"),
                Delivery::None
            ),
            (
                "docker",
                names.to_owned(),
                Delivery::Load {
                    names: vec!["demo".into(), "host:5000/x/demo:1".into()],
                    context: None,
                }
            ),
        ]
    );
    let other = planned(&tagged(&["type=oci,name=other,dest=x"], &["demo"]), false);
    assert_eq!(other[0].1, "name=demo");
}

#[test]
fn images_are_loaded_without_the_digest_beside_a_tag() {
    let digest = format!("sha256:{}", "0".repeat(64));
    let given = [
        format!("demo:1@{digest}"),
        format!("host:5000/demo@{digest}"),
        "demo".to_owned(),
    ];
    let given: Vec<_> = given.iter().map(String::as_str).collect();
    let mut spec = tagged(&[], &given);
    spec.push();
    spec.load();
    let planned = planned(&spec, false);
    let names = format!("name={}", given.join(","));
    assert!(planned[0].1.starts_with(&names), "{}", planned[0].1);
    assert_eq!(planned[1].1, format!("name=demo:1,{},demo", given[1]));
}

#[test]
fn nothing_is_loaded_by_default_beside_an_exporter() {
    let is_loaded = |spec: &BuildSpec, loads| {
        let planned = planned(spec, loads);
        planned
            .iter()
            .any(|(.., delivery)| matches!(delivery, Delivery::Load { .. }))
    };
    assert!(is_loaded(&spec(&[]), true));
    assert!(!is_loaded(&spec(&[]), false));
    assert!(!is_loaded(&spec(&["type=cacheonly"]), true));
    assert!(!is_loaded(&spec(&["out"]), true));
}

#[test]
fn mistakes_are_found_before_the_build() {
    for (outputs, expected) in [
        (&["type=tar", "type=oci"][..], PlanError::SeveralToStdout),
        (
            &["type=oci,tar=false,dest=a", "type=oci,tar=false,dest=b"],
            PlanError::SeveralLayouts,
        ),
        (
            &["type=oci,tar=false,dest=/dev/null"],
            PlanError::DirectoryIsFile {
                path: "/dev/null".into(),
            },
        ),
        (&["type=registry"], PlanError::NoTag),
        (
            &["type=tar,dest=/"],
            PlanError::FileIsDirectory { path: "/".into() },
        ),
        (
            &["/etc/hostname"],
            PlanError::DirectoryIsFile {
                path: "/etc/hostname".into(),
            },
        ),
        (
            &["/dev/null"],
            PlanError::DirectoryIsFile {
                path: "/dev/null".into(),
            },
        ),
    ] {
        assert_eq!(
            exports(&spec(outputs), 0, &container(), false),
            Err(expected)
        );
    }
    for output in ["out", "type=tar,dest=o.tar"] {
        let with_id = BuildSpec {
            iid_file: Some("id".into()),
            ..spec(&[output])
        };
        assert_eq!(
            exports(&with_id, 0, &container(), false),
            Err(PlanError::NoImageId)
        );
    }
}

#[test]
fn only_directories_below_the_working_directory_are_cleaned_without_permission() {
    let outer = tempfile::tempdir().expect("a directory");
    let working = std::env::current_dir().expect("somewhere");
    let link = outer.path().join("link");
    std::os::unix::fs::symlink(&working, &link).expect("linked");
    let planned = |path: &str, is_allowed| {
        let mut spec = spec(&[&format!("type=local,mode=delete,dest={path}")]);
        if is_allowed {
            spec.entitlements
                .insert(crate::spec::Entitlement::LocalDelete);
        }
        exports(&spec, 0, &container(), false).map(drop)
    };
    let through_link = format!("{}/new", link.display());
    for path in ["new", "./src/new/deep", &through_link] {
        assert_eq!(planned(path, false), Ok(()), "{path}");
    }
    let upwards = format!("{}/..", link.display());
    for path in [
        ".",
        "..",
        "/",
        "new/../..",
        "src/../..",
        &upwards,
        outer.path().to_str().expect("Unicode"),
    ] {
        let expected = PlanError::DeleteOutside { path: path.into() };
        assert_eq!(planned(path, false), Err(expected), "{path}");
        assert_eq!(planned(path, true), Ok(()), "{path}");
    }
    let said = PlanError::DeleteOutside { path: "/x".into() }.to_string();
    let expected =
        "local output mode=delete for destination \"/x\" requires --allow=buildx.local.delete";
    assert_eq!(said, expected);
}

#[test]
fn annotations_go_to_exporters_of_images() {
    let mut spec = tagged(&["type=image", "type=oci,dest=x", "out", "-"], &["a"]);
    spec.annotations = parse::annotation("index,manifest:k=v").expect("well-formed");
    spec.default_oci_artifact = false;
    let attributes: Vec<_> = planned(&spec, false).into_iter().map(|it| it.1).collect();
    let image = "annotation-index.k=v;annotation-manifest.k=v;name=a;oci-artifact=false";
    assert_eq!(attributes, [image, image, "", ""]);

    spec.exporters = vec![Exporter::to_load()];
    let refused = exports(&spec, 0, &engine(), true);
    assert_eq!(refused, Err(PlanError::IndexAnnotation));
    spec.annotations.remove(0);
    let planned = exports(&spec, 0, &engine(), true).expect("supported");
    assert_eq!(planned[0].attributes["annotation-manifest.k"], "v");
}

#[test]
fn an_archive_for_docker_has_one_manifest() {
    let archive = || spec(&["type=docker,dest=x"]);
    assert!(exports(&archive(), 1, &container(), false).is_ok());
    let several = exports(&archive(), 2, &container(), false);
    assert_eq!(several, Err(PlanError::ManifestListToFile));
    let mut attested = archive();
    attested.attestations.add("type=sbom").expect("well-formed");
    let refused = exports(&attested, 1, &container(), false);
    assert_eq!(refused, Err(PlanError::ManifestListToFile));
}

#[test]
fn the_engine_builds_into_its_own_images() {
    let tags = ["r/a:1", "r/b"];
    let in_engine = |spec: &BuildSpec| exports(spec, 0, &engine(), true);
    let image = Export {
        kind: "moby",
        attributes: Attributes::from([("name".to_owned(), "r/a:1,r/b".to_owned())]),
        delivery: Delivery::None,
        engine_pushes: Vec::new(),
    };
    let mut loaded = tagged(&[], &tags);
    loaded.load();
    for same in [
        tagged(&[], &tags),
        tagged(&["type=image"], &tags),
        tagged(&["type=docker"], &tags),
        loaded,
    ] {
        assert_eq!(in_engine(&same), Ok(vec![image.clone()]), "{same:?}");
    }
    assert_eq!(in_engine(&tagged(&["type=cacheonly"], &tags)), Ok(vec![]));
    let local = in_engine(&tagged(&["out"], &tags)).expect("it can");
    assert_eq!(local[0].kind, "local");

    let mut pushed = tagged(&[], &tags);
    pushed.push();
    pushed.load();
    let outputs = in_engine(&pushed).expect("it can");
    assert_eq!(outputs.len(), 1, "{outputs:?}");
    assert_eq!(outputs[0].kind, "moby");
    assert_eq!(outputs[0].engine_pushes, ["r/a:1", "r/b"]);
    assert!(!outputs[0].attributes.contains_key("push"));
    // An engine with the containerd image store pushes with the exporter.
    let able = Abilities {
        direct_push: true,
        ..engine()
    };
    let outputs = exports(&pushed, 0, &able, true).expect("it can");
    assert_eq!(outputs[0].attributes["push"], "true");
    assert!(outputs[0].engine_pushes.is_empty());
}

#[test]
fn what_a_driver_cannot_do_is_named() {
    let several = BuildSpec {
        platforms: Platform::parse_list(&["linux/amd64,linux/arm64"]).expect("platforms"),
        ..spec(&[])
    };
    let digest = tagged(&["type=image,push-by-digest=true"], &["a"]);
    let mut attested = tagged(&["type=image"], &["a"]);
    attested.attestations.add("type=sbom").expect("well-formed");
    for (spec, ability, words) in [
        (spec(&["type=oci,dest=x"]), Ability::Oci, "OCI exporter"),
        (
            spec(&["type=docker,dest=x"]),
            Ability::Docker,
            "Docker exporter",
        ),
        (several, Ability::MultiPlatform, "Multi-platform build"),
        (digest, Ability::PushByDigest, "push-by-digest"),
        (attested, Ability::Attestation, "Attestation"),
    ] {
        let platforms = spec.platforms.len();
        let error = exports(&spec, platforms, &engine(), true).expect_err(words);
        let said = format!("{words} is not supported for the iechor driver");
        assert_eq!(error.to_string(), said);
        let expected = PlanError::Unsupported {
            ability,
            driver: "iechor".into(),
            builds_into_engine: true,
        };
        assert_eq!(error, expected);
        assert!(
            exports(&spec, platforms, &container(), true).is_ok(),
            "{words}"
        );
    }
}
