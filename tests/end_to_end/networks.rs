//! `network`, and builders in networks.

use serde_json::Value;

use crate::support::{Sandbox, cells, container_of, docker, inspect, machine};

#[test]
fn a_builder_in_a_network() {
    let sandbox = Sandbox::new();
    let network = sandbox.name("foonet");
    let created = sandbox
        .iechor(&format!("network create {network}"))
        .success();
    assert_eq!(
        created.stdout.trim_end().len(),
        64,
        "an id: {}",
        created.stdout
    );

    let name = sandbox.name("builder");
    sandbox
        .buildx(&format!("create --name {name} --driver iechor-container"))
        .words(&format!("--driver-opt network={network}"))
        .success();
    sandbox
        .buildx(&format!("inspect --bootstrap {name}"))
        .success();
    let networks = sandbox
        .iechor(&format!(
            "inspect {} --format={{{{.NetworkSettings.Networks}}}}",
            container_of(&name)
        ))
        .success()
        .stdout;
    assert!(
        networks.starts_with(&format!("map[{network}:")),
        "{networks}"
    );
    // Podman has `bridge` there for every network.
    let mode = match machine().is_podman {
        true => "bridge",
        false => network.as_str(),
    };
    assert_eq!(
        inspect(&container_of(&name))["HostConfig"]["NetworkMode"],
        mode
    );

    // A network that is in use stays, and the error has the engine's reason.
    sandbox
        .iechor(&format!("network rm {network}"))
        .failure(1)
        .says(&network);
    sandbox.buildx(&format!("rm {name}")).success();
    sandbox
        .iechor(&format!("network rm {network}"))
        .success()
        .prints(&format!("{network}\n"));
    docker(&format!("network inspect {network}")).failure(1);
}

#[test]
fn network_ls() {
    let sandbox = Sandbox::new();
    let network = sandbox.name("listed");
    let id = sandbox
        .iechor(&format!("network create {network} --internal"))
        .success()
        .stdout;
    let listed = sandbox.iechor("network ls").success().stdout;
    assert_eq!(
        cells(listed.lines().next().expect("a header")),
        ["NETWORK ID", "NAME", "DRIVER", "SCOPE"]
    );
    let row = listed
        .lines()
        .find(|row| row.contains(&network))
        .expect("listed");
    assert_eq!(cells(row), [&id[..12], &network, "bridge", "local"]);

    let listed = sandbox.iechor("network ls --format json").success().stdout;
    let line = listed
        .lines()
        .find(|line| line.contains(&network))
        .expect("listed");
    let object: Value = serde_json::from_str(line).expect("JSON");
    assert_eq!(object["ID"], id.trim_end());
    assert_eq!(object["Internal"], true);
}

#[test]
fn network_create_refuses_a_name_that_is_taken() {
    let sandbox = Sandbox::new();
    let network = sandbox.name("taken");
    sandbox
        .iechor(&format!("network create {network}"))
        .success();
    sandbox
        .iechor(&format!("network create {network}"))
        .failure(1)
        .says(&network);
}

#[test]
fn network_rm_of_an_unknown_network_names_it() {
    let sandbox = Sandbox::new();
    let network = sandbox.name("unknown");
    sandbox
        .iechor(&format!("network rm {network}"))
        .failure(1)
        .says_line(&format!("ERROR: no such network: {network}"));
}

#[test]
fn the_network_of_the_host() {
    let sandbox = Sandbox::new();
    let name = sandbox.booted("host", "--driver-opt network=host");
    assert_eq!(
        inspect(&container_of(&name))["HostConfig"]["NetworkMode"],
        "host"
    );
}

#[test]
fn an_unknown_network_is_named_and_nothing_is_left() {
    let sandbox = Sandbox::new();
    let (name, network) = (sandbox.name("lost"), sandbox.name("no-such-network"));
    sandbox
        .buildx(&format!(
            "create --name {name} --bootstrap --driver-opt network={network}"
        ))
        .failure(1)
        .says(&network);
    sandbox.assert_nothing_left();
}

#[test]
fn inspect_of_nothing_says_so() {
    let sandbox = Sandbox::new();
    let name = sandbox.name("nothing");
    sandbox
        .iechor(&format!("inspect {name}"))
        .failure(1)
        .says(&format!("ERROR: no such object: {name}"));
}

#[test]
fn inspect_names_what_a_template_misses() {
    let sandbox = Sandbox::new();
    let network = sandbox.name("template");
    sandbox
        .iechor(&format!("network create {network}"))
        .success();
    sandbox
        .iechor(&format!("inspect {network} --format {{{{.Nam}}}}"))
        .failure(1)
        .says(r#"has no field "Nam""#);
    let inspected = sandbox
        .iechor(&format!("inspect {network}"))
        .success()
        .json();
    assert_eq!(inspected[0]["Name"], network.as_str());
}
