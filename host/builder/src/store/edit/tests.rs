use super::*;

fn builder() -> NodeGroup {
    let mut group = NodeGroup::new(&Name::parse("MyB").unwrap(), "docker-container");
    group
        .change(NodeChange {
            endpoint: Some("unix:///a".into()),
            platforms: Some(Platform::parse_list(&["linux/amd64,linux/arm64"]).unwrap()),
            flags: Some(vec!["--debug".into()]),
            driver_opts: Some([("network".to_owned(), "host".to_owned())].into()),
            ..NodeChange::default()
        })
        .unwrap();
    group
}

fn platforms(node: &Node) -> Vec<String> {
    node.platforms.iter().map(ToString::to_string).collect()
}

#[test]
fn the_first_node_takes_the_builders_name() {
    let group = builder();
    assert_eq!(group.nodes[0].name, "myb0");
    assert_eq!(group.next_node_name(), "myb1");
}

#[test]
fn appended_nodes_get_the_first_free_number_and_take_platforms_over() {
    let mut group = builder();
    let changed = group
        .change(NodeChange {
            append: true,
            endpoint: Some("ssh://b".into()),
            platforms: Some(Platform::parse_list(&["linux/arm64/v8"]).unwrap()),
            ..NodeChange::default()
        })
        .unwrap();
    assert_eq!(
        changed,
        Changed {
            node: "myb1".into(),
            index: 1,
            added: true,
            restart_needed: false,
            taken_over: vec![("myb0".into(), "linux/arm64".parse().unwrap())],
        }
    );
    assert_eq!(platforms(&group.nodes[0]), ["linux/amd64"]);
    assert_eq!(platforms(&group.nodes[1]), ["linux/arm64"]);
    group.nodes.remove(0);
    assert_eq!(group.next_node_name(), "myb0");
}

#[test]
fn a_change_of_platforms_leaves_everything_else() {
    // Docker buildx resets the flags here.
    let mut group = builder();
    let changed = group
        .change(NodeChange {
            node: Some("MYB0".into()),
            platforms: Some(Platform::parse_list(&["linux/s390x"]).unwrap()),
            ..NodeChange::default()
        })
        .unwrap();
    assert!(!changed.restart_needed && !changed.added);
    let node = &group.nodes[0];
    assert_eq!(node.flags, ["--debug"]);
    assert_eq!(node.driver_opts["network"], "host");
    assert_eq!(node.endpoint, "unix:///a");
    assert_eq!(platforms(node), ["linux/s390x"]);
}

#[test]
fn a_config_for_a_node_without_files_is_no_panic_and_a_new_one_replaces_the_old() {
    let mut group = builder();
    let mut change = NodeChange {
        node: Some("myb0".into()),
        files: Some(
            [
                ("buildkitd.toml".to_owned(), b"old".to_vec()),
                ("certs/r/key.pem".to_owned(), b"old key".to_vec()),
            ]
            .into(),
        ),
        ..NodeChange::default()
    };
    assert!(group.change(change.clone()).unwrap().restart_needed);
    group.nodes[0]
        .files
        .insert("provenance.d/x".into(), b"kept".to_vec());
    change.files = Some([("buildkitd.toml".to_owned(), b"new".to_vec())].into());
    group.change(change).unwrap();
    let paths: Vec<&String> = group.nodes[0].files.keys().collect();
    assert_eq!(paths, ["buildkitd.toml", "provenance.d/x"]);
    assert_eq!(group.nodes[0].files["buildkitd.toml"], b"new");
}

#[test]
fn refused_changes_change_nothing() {
    let mut group = builder();
    group
        .change(NodeChange {
            append: true,
            node: Some("other".into()),
            endpoint: Some("ssh://b".into()),
            ..NodeChange::default()
        })
        .unwrap();
    let before = group.clone();
    let all = Some(Platform::parse_list(&["linux/amd64"]).unwrap());
    let cases = [
        (
            NodeChange {
                node: Some("missing".into()),
                endpoint: Some("tcp://c".into()),
                ..NodeChange::default()
            },
            "node missing not found, did you mean to append? (MyB has myb0, other)",
        ),
        (
            NodeChange {
                node: Some("other".into()),
                endpoint: Some("unix:///a".into()),
                platforms: all.clone(),
                ..NodeChange::default()
            },
            "invalid duplicate endpoint unix:///a: node myb0 uses it already",
        ),
        (
            NodeChange {
                append: true,
                endpoint: Some("ssh://b".into()),
                platforms: all.clone(),
                ..NodeChange::default()
            },
            "invalid duplicate endpoint ssh://b: node other uses it already",
        ),
        (
            NodeChange {
                append: true,
                node: Some("0bad".into()),
                endpoint: Some("tcp://c".into()),
                ..NodeChange::default()
            },
            "invalid name 0bad, name needs to start with a letter and may not contain symbols, except ._-",
        ),
        (
            NodeChange {
                append: true,
                platforms: all,
                ..NodeChange::default()
            },
            "node myb1 has no endpoint",
        ),
    ];
    for (change, message) in cases {
        assert_eq!(group.change(change).unwrap_err().to_string(), message);
        assert_eq!(group, before, "{message}");
    }
}

#[test]
fn the_same_endpoint_may_be_given_again() {
    let mut group = builder();
    let changed = group.change(NodeChange {
        node: Some("myb0".into()),
        endpoint: Some("unix:///a".into()),
        ..NodeChange::default()
    });
    assert!(changed.is_ok());
}

#[test]
fn nodes_that_a_driver_chooses_are_not_changed() {
    let mut group = builder();
    group.dynamic = true;
    assert!(matches!(
        group.change(NodeChange::default()),
        Err(EditError::Dynamic { .. })
    ));
}
