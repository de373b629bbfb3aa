//! Names of nodes: two nodes never have the same name.

use crate::support::{Sandbox, container_of};

#[test]
fn a_node_of_a_name_that_is_taken_cannot_be_created() {
    let sandbox = Sandbox::new();
    let first = sandbox.booted("first", "");
    let second = sandbox.name("second");
    sandbox
        .buildx(&format!("create --name {second} --node {first}0"))
        .failure(1)
        .says(&format!("builder {first} has a node of that name"));
    // Another store, for example of another user: the engine reports the conflict.
    sandbox
        .buildx(&format!("create --name {second} --node {first}0"))
        .variable("BUILDX_CONFIG", sandbox.path("other"))
        .failure(1)
        .says(&format!(
            "container {} is there already",
            container_of(&first)
        ))
        .says(&format!("builder {first}"));
    assert_eq!(sandbox.builders(), std::slice::from_ref(&first));
    sandbox.buildx(&format!("rm {first}")).success();
    sandbox
        .buildx(&format!("create --name {second} --node {first}0"))
        .success();
}

#[test]
fn a_node_that_moves_says_what_it_leaves() {
    let sandbox = Sandbox::new();
    let engine = crate::proxy::SlowEngine::start(&sandbox.home(), std::time::Duration::ZERO);
    let name = sandbox.booted("moves", "");
    let there = engine.endpoint();
    sandbox
        .buildx(&format!("create --name {name} --node {name}0 {there}"))
        .success()
        .says("stay there without a builder")
        .says(&format!("container {}", container_of(&name)));
}

#[test]
fn the_separator_is_in_no_name_of_a_new_node() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("x");
    for line in [
        format!("create --name {name} --node {name}..y0"),
        format!("create --name {name}..y"),
    ] {
        sandbox
            .buildx(&line)
            .failure(1)
            .says("give another name with --node");
    }
    sandbox.assert_nothing_left();
}
