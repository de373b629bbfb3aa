//! Tests of parsing outputs into exporters.

use super::*;
use crate::spec::parse::output;
use crate::spec::{Attributes, BuildSpec, Context};

fn attributes(pairs: &[(&str, &str)]) -> Attributes {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

fn problems(text: &str) -> Vec<String> {
    let problems = output(text).expect_err(text).into_iter();
    problems.map(|problem| problem.to_string()).collect()
}

#[test]
fn outputs_are_read_as_the_peer_reads_them() {
    let local = |directory: &str| {
        Exporter::Local(Local {
            directory: directory.into(),
            mode: LocalMode::Copy,
            attributes: Attributes::new(),
        })
    };
    let to_file = || Destination::File("o.tar".into());
    let image = Image {
        names: vec!["a".into(), "b:1".into()],
        ..Image::default()
    };
    for (text, expected) in [
        ("out", local("out")),
        ("type=local,dest=out", local("out")),
        ("type=local,dest=out,mode=Copy", local("out")),
        // A single field is a path.
        ("a=b", local("a=b")),
        ("dest=out", local("dest=out")),
        (
            "type=local,dest=out,mode= Delete,platform-split=0",
            Exporter::Local(Local {
                directory: "out".into(),
                mode: LocalMode::Delete,
                attributes: attributes(&[("platform-split", "0")]),
            }),
        ),
        (
            "-",
            Exporter::Tar(Tar {
                destination: Destination::Stdout,
                attributes: Attributes::new(),
            }),
        ),
        (
            "type=tar,dest=o.tar",
            Exporter::Tar(Tar {
                destination: to_file(),
                attributes: Attributes::new(),
            }),
        ),
        (
            "type=oci,Name=a,compression=zstd",
            Exporter::Oci(Oci {
                destination: Destination::Stdout,
                names: vec!["a".into()],
                attributes: attributes(&[("compression", "zstd")]),
            }),
        ),
        ("type=docker", Exporter::to_load()),
        ("type=docker,dest=", Exporter::to_load()),
        (
            "type=docker,context=remote",
            Exporter::Docker(Docker {
                context: Some("remote".into()),
                ..Docker::default()
            }),
        ),
        (
            "type=docker,dest=-",
            Exporter::Docker(Docker {
                destination: Some(Destination::Stdout),
                ..Docker::default()
            }),
        ),
        (
            "type=image,\"name=a,b:1\",push=false",
            Exporter::Image(image.clone()),
        ),
        (
            "type=registry,\"name=a,b:1\"",
            Exporter::Image(Image {
                push: true,
                attributes: attributes(&[("unpack", "false")]),
                ..image.clone()
            }),
        ),
        (
            "type=registry,\"name=a,b:1\",push=F",
            Exporter::Image(image.clone()),
        ),
        (
            "type=image,\"name=a,b:1\",push=,push-by-digest=1,store=x",
            Exporter::Image(Image {
                push: true,
                push_by_digest: true,
                attributes: attributes(&[("store", "x")]),
                ..image
            }),
        ),
        ("type=cacheonly", Exporter::CacheOnly),
    ] {
        assert_eq!(output(text), Ok(expected), "{text}");
    }
}

#[test]
fn booleans_are_those_of_go() {
    for (word, expected) in [
        ("1", true),
        ("t", true),
        ("T", true),
        ("TRUE", true),
        ("true", true),
        ("True", true),
        ("0", false),
        ("f", false),
        ("F", false),
        ("FALSE", false),
        ("false", false),
        ("False", false),
    ] {
        for kind in ["image", "registry"] {
            let text = format!("type={kind},push={word},push-by-digest={word}");
            match output(&text) {
                Ok(Exporter::Image(image)) => {
                    assert_eq!((image.push, image.push_by_digest), (expected, expected));
                }
                other => panic!("{text}: {other:?}"),
            }
        }
    }
}

#[test]
fn mistakes_are_named() {
    for (text, words) in [
        ("type=banana", "unknown type \"banana\""),
        ("dest=x,a=b", "type is required for output"),
        ("\"dest=x\"", "type is required for output"),
        (
            "type=local,dest=x,mode=bogus",
            "invalid local exporter mode \"bogus\"",
        ),
        ("type=local", "dest is required for local exporter"),
        (
            "type=local,dest=-",
            "dest cannot be stdout for local exporter",
        ),
        (
            "type=tar,tar=false,dest=x",
            "tar=false is not supported for tar exporter",
        ),
        ("type=oci,tar=false", "dest is required for oci exporter"),
        (
            "type=docker,tar=0,dest=-",
            "dest cannot be stdout for docker exporter",
        ),
        (
            "type=image,dest=x",
            "dest is not supported for image exporter",
        ),
        (
            "type=registry,dest=x",
            "dest is not supported for registry exporter",
        ),
        ("type=image,push", "invalid value push, expecting KEY=VALUE"),
        (
            "type=image,push=no",
            "invalid value \"no\" of push for image exporter",
        ),
        (
            "type=tar,\"dest=x",
            "invalid output: the \" that opens a field",
        ),
    ] {
        let said = problems(text);
        assert!(said.len() == 1 && said[0].starts_with(words), "{said:?}");
    }
}

#[test]
fn all_mistakes_of_an_output_are_reported() {
    assert_eq!(
        problems("type=image,push=no,push-by-digest=maybe,dest=x,y"),
        [
            "invalid value y, expecting KEY=VALUE",
            "dest is not supported for image exporter",
            "invalid value \"no\" of push for image exporter, expecting true or false",
            "invalid value \"maybe\" of push-by-digest for image exporter, expecting true or false",
        ]
    );
    assert_eq!(problems("type=local,mode=x,dest=-").len(), 2);
    // The destination and the type may be the fields that are not read.
    for text in ["type=local,out", "local,dest=out"] {
        assert_eq!(problems(text).len(), 1, "{text}");
    }
}

#[test]
fn load_and_push_add_what_is_missing() {
    let with = |texts: &[&str]| BuildSpec {
        exporters: texts.iter().map(|text| output(text).expect(text)).collect(),
        ..BuildSpec::new(Context::Directory(".".into()))
    };
    let mut nothing = with(&[]);
    nothing.push();
    nothing.load();
    let pushed = Exporter::Image(Image::only_to_push());
    assert_eq!(nothing.exporters, [pushed.clone(), Exporter::to_load()]);

    let mut loaded = with(&["type=docker"]);
    loaded.load();
    assert_eq!(loaded.exporters, [Exporter::to_load()]);

    let mut image = with(&["type=image", "type=cacheonly"]);
    image.push();
    assert_eq!(image.exporters, [pushed.clone(), Exporter::CacheOnly]);

    let mut cache = with(&["type=cacheonly"]);
    cache.push();
    assert_eq!(cache.exporters, [Exporter::CacheOnly, pushed]);
}
