//! Builders that are pinned to one component of a driver, and updates of it beside them.

use crate::components::{GRANTS, component, components, digest_of, variant};
use crate::support::{Sandbox, container_of, inspect};

#[test]
fn a_builder_that_is_pinned_keeps_its_component_through_an_update() {
    let sandbox = Sandbox::new();
    let file = sandbox.write("team.wasm", variant(1));
    sandbox
        .iechor(&format!("driver install ./team.wasm --name team {GRANTS}"))
        .success();
    let old = digest_of(&file);
    let (pinned, loose) = (sandbox.name("pinned"), sandbox.name("loose"));
    sandbox
        .buildx(&format!(
            "create --name {pinned} --driver team@{old} --bootstrap"
        ))
        .success();
    sandbox
        .buildx(&format!("create --name {loose} --driver team"))
        .success();

    sandbox.write("team.wasm", variant(2));
    sandbox
        .iechor("driver update team")
        .success()
        .says(&format!("use it from now on: {loose}\n"))
        .says(&format!("{pinned} is pinned to {old}"));
    assert_eq!(components(&sandbox).len(), 2);
    // It uses the component that it was created with, and prints nothing about a change.
    sandbox
        .buildx(&format!("stop {pinned}"))
        .success()
        .does_not_say("changed");
    sandbox
        .buildx(&format!("inspect --bootstrap {pinned}"))
        .success()
        .shows(&old);
    assert_eq!(inspect(&container_of(&pinned))["State"]["Running"], true);
    sandbox.buildx(&format!("rm {pinned} {loose}")).success();
    sandbox.assert_nothing_left();

    // No builder needs it any more.
    sandbox.write("team.wasm", variant(3));
    sandbox.iechor("driver update team").success();
    component(&sandbox);
}

#[test]
fn a_pin_that_nothing_answers_says_what_to_do() {
    let sandbox = Sandbox::new();
    sandbox.write("team.wasm", variant(1));
    sandbox
        .iechor(&format!("driver install ./team.wasm --name team {GRANTS}"))
        .success();
    let other = digest_of(&sandbox.write("other.wasm", variant(2)));
    sandbox
        .buildx(&format!(
            "create --name {} --driver team@{other}",
            sandbox.name("b")
        ))
        .failure(1)
        .says(&other)
        .says("iechor driver install");
}
