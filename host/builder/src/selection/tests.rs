use super::*;

fn builder(name: &'static str) -> (&'static str, Result<StoredBuilder, BrokenFile>) {
    let group = NodeGroup {
        name: name.to_owned(),
        driver: "docker-container".into(),
        ..NodeGroup::default()
    };
    (
        name,
        Ok(StoredBuilder {
            group,
            last_activity: None,
        }),
    )
}

fn broken() -> BrokenFile {
    BrokenFile {
        path: "/store/instances/bad".into(),
        reason: "nonsense".into(),
    }
}

fn choice(key: &str, name: &str, global: bool) -> Option<Result<Current, BrokenFile>> {
    Some(Ok(Current {
        key: key.into(),
        name: name.into(),
        global,
    }))
}

const HERE: &str = "unix:///var/run/docker.sock";

#[test]
fn the_order_of_choices() {
    let contexts = ["default".to_owned(), "remote".to_owned()];
    struct Case {
        what: &'static str,
        flag: Option<&'static str>,
        environment: Option<&'static str>,
        current: Option<Result<Current, BrokenFile>>,
        defaults: &'static [(&'static str, &'static str)],
        expected: &'static str,
    }
    let plain = || Case {
        what: "nothing chosen",
        flag: None,
        environment: None,
        current: None,
        defaults: &[],
        expected: "default",
    };
    let cases = [
        plain(),
        Case {
            what: "flag before everything",
            flag: Some("a"),
            environment: Some("b"),
            current: choice(HERE, "b", true),
            expected: "a",
            ..plain()
        },
        Case {
            what: "an empty flag is none",
            flag: Some(""),
            environment: Some("b"),
            expected: "b",
            ..plain()
        },
        Case {
            what: "the flag may name a context",
            flag: Some("remote"),
            expected: "remote",
            ..plain()
        },
        Case {
            what: "case does not matter",
            flag: Some("A"),
            expected: "a",
            ..plain()
        },
        Case {
            what: "global from elsewhere",
            current: choice("elsewhere", "a", true),
            defaults: &[(HERE, "b")],
            expected: "a",
            ..plain()
        },
        Case {
            what: "global that is gone falls back to the default",
            current: choice("elsewhere", "gone", true),
            defaults: &[(HERE, "b")],
            expected: "b",
            ..plain()
        },
        Case {
            what: "current here",
            current: choice(HERE, "a", false),
            defaults: &[(HERE, "b")],
            expected: "a",
            ..plain()
        },
        Case {
            what: "current here that is gone does not revive an older default",
            current: choice(HERE, "gone", false),
            defaults: &[(HERE, "b")],
            expected: "default",
            ..plain()
        },
        Case {
            what: "current elsewhere does not count",
            current: choice("elsewhere", "a", false),
            expected: "default",
            ..plain()
        },
        Case {
            what: "the default of this endpoint",
            current: choice("elsewhere", "a", false),
            defaults: &[(HERE, "b"), ("elsewhere", "a")],
            expected: "b",
            ..plain()
        },
        Case {
            what: "an emptied choice lets the default through",
            current: choice(HERE, "", false),
            defaults: &[(HERE, "b")],
            expected: "b",
            ..plain()
        },
        Case {
            what: "a default that is gone is none, and stays none",
            defaults: &[(HERE, "gone")],
            expected: "default",
            ..plain()
        },
    ];
    for case in cases {
        let state =
            StoreState::for_tests([builder("a"), builder("b")], case.current, case.defaults);
        let surroundings = Surroundings {
            flag: case.flag,
            environment: case.environment,
            endpoint_key: HERE,
            context: "default",
            contexts: &contexts,
        };
        let chosen = select(&state, &surroundings).unwrap();
        assert_eq!(chosen.name(), case.expected, "{}", case.what);
    }
}

#[test]
fn names_that_are_nothing() {
    let state = StoreState::default();
    let with = |flag, environment| Surroundings {
        flag,
        environment,
        context: "default",
        endpoint_key: HERE,
        contexts: &[],
    };
    for (surroundings, message) in [
        (with(Some("x"), None), "no builder \"x\" found"),
        (with(Some("../x"), None), "no builder \"../x\" found"),
        (
            with(None, Some("x")),
            "no builder \"x\" found (BUILDX_BUILDER names it)",
        ),
    ] {
        let error = select(&state, &surroundings).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    let default = select(&state, &with(Some("default"), None)).unwrap();
    assert_eq!(default, Chosen::Context("default".into()));
}

#[test]
fn broken_files_are_named_and_only_where_they_matter() {
    let surroundings = Surroundings {
        context: "default",
        endpoint_key: HERE,
        ..Surroundings::default()
    };
    let state = StoreState::for_tests(
        [builder("a"), ("bad", Err(broken()))],
        choice(HERE, "bad", false),
        &[],
    );
    let error = select(&state, &surroundings).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot use /store/instances/bad: nonsense; correct the file or remove it"
    );
    let flag = Surroundings {
        flag: Some("a"),
        ..surroundings
    };
    assert_eq!(select(&state, &flag).unwrap().name(), "a");

    let state = StoreState::for_tests([builder("a")], Some(Err(broken())), &[]);
    assert!(matches!(
        select(&state, &surroundings),
        Err(SelectionError::Broken(_))
    ));
    assert_eq!(select(&state, &flag).unwrap().name(), "a");
}

#[test]
fn the_builder_of_a_context() {
    let chosen = Chosen::Context("remote".into());
    let group = chosen.group();
    assert_eq!(
        (group.name.as_str(), group.driver.as_str()),
        ("remote", CONTEXT_DRIVER)
    );
    assert_eq!(group.nodes[0].endpoint, "remote");
    let surroundings = Surroundings {
        context: "default",
        ..Surroundings::default()
    };
    assert_eq!(
        chosen.check_context(&surroundings).unwrap_err().to_string(),
        "use `docker --context=remote buildx` to switch to context \"remote\""
    );
    assert!(
        Chosen::Context("default".into())
            .check_context(&surroundings)
            .is_ok()
    );
}

#[test]
fn use_writes_a_choice() {
    let contexts = ["remote".to_owned()];
    let surroundings = Surroundings {
        endpoint_key: HERE,
        context: "default",
        contexts: &contexts,
        ..Surroundings::default()
    };
    let state = StoreState::for_tests([builder("a")], None, &[]);
    let ask = |name, global, default| {
        choose(
            &state,
            &surroundings,
            &UseRequest {
                name,
                global,
                default,
            },
        )
        .map(|change| (change.current.name, change.current.global, change.default))
        .map_err(|error| error.to_string())
    };
    assert_eq!(ask("a", false, false), Ok(("a".into(), false, false)));
    assert_eq!(ask("A", true, true), Ok(("a".into(), true, true)));
    assert_eq!(
        ask("default", true, true),
        Ok((String::new(), false, false))
    );
    assert_eq!(
        ask("remote", false, false).unwrap_err(),
        "run `docker context use remote` to switch to context remote"
    );
    assert_eq!(
        ask("x", false, false).unwrap_err(),
        "failed to find instance \"x\": no builder has that name"
    );
    let elsewhere = Surroundings {
        context: "remote",
        ..surroundings
    };
    let request = UseRequest {
        name: "default",
        ..UseRequest::default()
    };
    assert_eq!(
        choose(&state, &elsewhere, &request),
        Err(SelectionError::UseDefaultContext)
    );
}
