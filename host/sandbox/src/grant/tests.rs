//! Tests of grants and what they cover.

use std::sync::Arc;

use super::*;
use crate::denial::{DenialReason, Missing};
use crate::policy::{Forbidden, Policy, Rules};

fn request(name: &str, scope: &[&str]) -> CapabilityRequest {
    CapabilityRequest {
        name: name.into(),
        scope: scope.iter().map(|s| (*s).into()).collect(),
        required: true,
        reason: "because".into(),
    }
}

#[test]
fn both_the_author_and_the_user_must_have_said_so() {
    let requests = [request("image.pull", &["moby/*"])];
    let grants = Grants::new(&requests, vec![]);
    let denial = grants
        .check("image.pull", "moby/buildkit")
        .expect_err("not granted");
    assert_eq!(denial.capability, "image.pull");
    assert_eq!(
        denial.reason,
        DenialReason::NotGranted {
            subject: "moby/buildkit".into(),
            grant: Missing::Pattern("moby/buildkit".into()),
        }
    );

    let any = vec![Grant {
        name: "image.pull".into(),
        scope: vec![],
    }];
    let grants = Grants::new(&requests, any.clone());
    assert_eq!(
        grants
            .check("image.pull", "moby/buildkit")
            .map_err(|d| d.detail()),
        Ok(())
    );
    let denial = grants
        .check("image.pull", "evil/image")
        .expect_err("not requested");
    assert!(
        matches!(denial.reason, DenialReason::NotRequested { .. }),
        "{denial:?}"
    );
    assert!(
        grants
            .check("container.privileged", "moby/buildkit")
            .is_err()
    );

    assert!(Grants::missing(&requests, &any).is_empty());
    assert_eq!(
        Grants::missing(&requests, &[]),
        [("image.pull".to_owned(), "because".to_owned())]
    );
}

#[test]
fn who_may_create_privileged_containers_may_create_others() {
    let requests = [
        request("container.create", &[]),
        request("container.privileged", &[]),
    ];
    let privileged = vec![Grant::parse("container.privileged=x").expect("a grant")];
    assert!(Grants::missing(&requests, &privileged).is_empty());
    let grants = Grants::new(&requests, privileged);
    assert!(grants.check("container.create", "x").is_ok());
    assert!(grants.check("container.create", "y").is_err());
    let create = vec![Grant::parse("container.create").expect("a grant")];
    let missing = Grants::missing(&requests, &create);
    assert_eq!(missing[0].0, "container.privileged");
    let grants = Grants::new(&requests, create);
    assert!(grants.check("container.privileged", "x").is_err());
}

#[test]
fn what_forbids_a_part_forbids_the_whole() {
    let requests = [
        request("container.create", &[]),
        request("container.privileged", &[]),
    ];
    let under = |rule: &str| {
        let rules = Rules {
            forbidden: vec![Forbidden::parse(rule).expect("a rule")],
            ..Rules::default()
        };
        let policy = Arc::new(Policy { files: vec![rules] });
        Grants::trusted(&requests).under(policy)
    };
    for (rule, create, privileged) in [
        ("container.create", false, false),
        ("container.create=moby/a:*", false, false),
        ("container.create=moby/b:*", true, true),
        ("container.privileged", true, false),
    ] {
        let grants = under(rule);
        assert_eq!(
            grants.check("container.create", "moby/a:1").is_ok(),
            create,
            "{rule}"
        );
        let found = grants.check("container.privileged", "moby/a:1").is_ok();
        assert_eq!(found, privileged, "{rule}");
    }
}

#[test]
fn the_nodes_own_endpoint_can_be_granted_by_that_word() {
    let requests = [
        request("transport.tcp", &[ENDPOINT]),
        request("transport.local", &[ENDPOINT]),
    ];
    let grants = Grants::trusted(&requests);
    let at = |endpoint: &str, capability: &str, subject: &str| {
        grants.clone().at(endpoint).check(capability, subject)
    };
    assert!(at("tcp://b:1234", "transport.tcp", "b:1234").is_ok());
    assert!(at("tcp://[::1]:1", "transport.tcp", "[::1]:1").is_ok());
    assert!(at("unix:///run/b.sock", "transport.local", "/run/b.sock").is_ok());
    for (endpoint, capability, subject) in [
        ("tcp://b:1234", "transport.tcp", "b:1235"),
        ("tcp://b:1234", "transport.tcp", "c:1234"),
        ("tcp://b:1234", "transport.local", "b:1234"),
        ("unix:///run/b.sock", "transport.local", "/run/docker.sock"),
        ("unix://b:1234", "transport.tcp", "b:1234"),
        ("default", "transport.tcp", "default"),
        ("", "transport.local", ""),
        // Elsewhere it is a word like any other.
        ("tcp://b:1234", "image.pull", "b:1234"),
    ] {
        let denial = at(endpoint, capability, subject).expect_err(subject);
        assert_eq!(denial.capability, capability);
    }
}

#[test]
fn what_is_dangerous_is_decided_first() {
    let optional = CapabilityRequest {
        required: false,
        ..request("engine.open", &[])
    };
    let requests = [
        request("image.pull", &[]),
        optional,
        request("container.privileged", &[]),
        request("of.the.future", &[]),
    ];
    let order: Vec<_> = review_order(&requests)
        .iter()
        .map(|request| request.name.as_str())
        .collect();
    let expected = [
        "container.privileged",
        "of.the.future",
        "engine.open",
        "image.pull",
    ];
    assert_eq!(order, expected);
}

#[test]
fn grants_are_written_as_they_are_given() {
    for text in ["image.pull", "image.pull=moby/*"] {
        assert_eq!(Grant::parse(text).map(|g| g.to_string()), Ok(text.into()));
    }
    let several = Grant::of(&request("image.pull", &["a", "b"]));
    assert_eq!(several.to_string(), "image.pull=a image.pull=b");
}

#[test]
fn grants_are_parsed_and_unknown_ones_named() {
    assert_eq!(
        Grant::parse("container.network=host"),
        Ok(Grant {
            name: "container.network".into(),
            scope: vec!["host".into()]
        })
    );
    let error = Grant::parse("root").expect_err("unknown");
    assert!(error.contains("container.privileged"), "{error}");
}

#[test]
fn a_grant_covers_what_its_pattern_means() {
    let requests = [request("image.pull", &[]), request("transport.tcp", &[])];
    let granted = |texts: &[&str]| {
        let parsed = texts
            .iter()
            .map(|text| Grant::parse(text).expect("a grant"));
        Grants::new(&requests, parsed.collect())
    };
    let grants = granted(&["image.pull=buildkit:*", "transport.tcp=10.0.0.1:80"]);
    for (capability, subject, allowed) in [
        ("image.pull", "docker.io/library/buildkit:v1", true),
        ("image.pull", "buildkit:5000/other/image", false),
        ("image.pull", "sha256:0123", false),
        ("transport.tcp", "[::ffff:10.0.0.1]:80", true),
        ("transport.tcp", "10.0.0.1:8080", false),
    ] {
        let said = grants.check(capability, subject);
        assert_eq!(said.is_ok(), allowed, "{subject}: {said:?}");
    }
    let said = granted(&["image.pull=a"]).check("image.pull", "cafe");
    let DenialReason::NotGranted { grant, .. } = said.expect_err("an id").reason else {
        panic!("it was requested")
    };
    assert_eq!(grant, Missing::Everything);
}

#[test]
fn what_is_no_pattern_covers_nothing() {
    let requests = [request("image.pull", &[])];
    let unsound = Grant {
        name: "image.pull".into(),
        scope: vec!["moby*/x".into()],
    };
    let grants = Grants::new(&requests, vec![unsound]);
    for subject in ["moby/x", "moby*/x", "anything"] {
        assert!(grants.check("image.pull", subject).is_err(), "{subject}");
    }
    for text in [
        "image.pull=",
        "image.pull=moby*/x",
        "container.bind=srv",
        "transport.tcp=a",
    ] {
        let (_, pattern) = text.split_once('=').expect("a pattern");
        let said = Grant::parse(text).expect_err(text);
        assert!(
            said.contains(&format!("{pattern:?} is no pattern")),
            "{said}"
        );
        assert!(Grant::parse_any(text).is_ok(), "{text}");
    }
}

#[test]
fn what_amounts_to_everything_is_shown_as_any_and_first() {
    let requests = [
        request("container.network", &["host"]),
        request("container.bind", &["/srv/a", "/*", "/srv/b"]),
        request("image.pull", &["a", "docker.io/*"]),
    ];
    let shown: Vec<_> = review_order(&requests)
        .iter()
        .map(|request| format!("{}={}", request.name, scope(&request.name, &request.scope)))
        .collect();
    assert_eq!(
        shown,
        [
            "container.bind=any",
            "container.network=host",
            "image.pull=any"
        ]
    );
}
