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
        ("type=docker", "docker", "", Delivery::Load(vec![])),
        ("type=docker,dest=-", "docker", "", Delivery::Stdout),
        ("type=image,name=a", "image", "name=a", Delivery::None),
        (
            "type=registry,name=a",
            "image",
            "name=a;push=true",
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
                Delivery::Load(vec!["demo".into(), "host:5000/x/demo:1".into()])
            ),
        ]
    );
    let other = planned(&tagged(&["type=oci,name=other,dest=x"], &["demo"]), false);
    assert_eq!(other[0].1, "name=demo");
}

#[test]
fn nothing_is_loaded_by_default_beside_an_exporter() {
    let is_loaded = |spec: &BuildSpec, loads| {
        let planned = planned(spec, loads);
        planned
            .iter()
            .any(|(.., delivery)| matches!(delivery, Delivery::Load(_)))
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
    for (spec, ability, words) in [
        (spec(&["type=oci,dest=x"]), Ability::Oci, "OCI exporter"),
        (
            spec(&["type=docker,dest=x"]),
            Ability::Docker,
            "Docker exporter",
        ),
        (several, Ability::MultiPlatform, "Multi-platform build"),
        (digest, Ability::PushByDigest, "push-by-digest"),
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
