//! Build arguments that are not on the command line: proxies of the configuration, and variables of the
//! environment.

use std::fs;

use crate::context::Context;
use crate::support::{Sandbox, docker};

#[test]
fn proxies_of_the_configuration() {
    let sandbox = Sandbox::new();
    sandbox.booted("proxies", "");
    sandbox.configure_docker(&serde_json::json!({
        "proxies": {"default": {"httpProxy": "http://proxy.example:1", "noProxy": "internal"}},
    }));
    let context = Context::on_base(
        "RUN echo \"$HTTP_PROXY $http_proxy $NO_PROXY $HTTPS_PROXY\" > /seen\n\
         FROM scratch\nCOPY --from=base /seen /\n",
    );
    let seen = |line: &str| {
        let target = sandbox.path("out");
        sandbox
            .buildx(&format!("build -o {}", target.display()))
            .words(line)
            .words(context.word())
            .success();
        fs::read_to_string(target.join("seen")).expect("written")
    };
    let configured = "http://proxy.example:1 http://proxy.example:1 internal \n";
    assert_eq!(seen(""), configured);
    // An argument of the user replaces the configured one. BuildKit sets both spellings.
    let own = seen("--build-arg http_proxy=http://own.example:2 --no-cache");
    let expected = "http://own.example:2 http://own.example:2 internal \n";
    assert_eq!(own, expected);
}

#[test]
fn the_time_of_the_environment() {
    let sandbox = Sandbox::new();
    sandbox.booted("epoch", "");
    let context = Context::bare("FROM scratch\nCOPY Dockerfile /\n");
    let tag = sandbox.name("epoch:1");
    let created = |line: &str, variable: &str| {
        sandbox
            .buildx(&format!("build --load -t {tag}"))
            .words(line)
            .words(context.word())
            .variable("SOURCE_DATE_EPOCH", variable)
            .success();
        let image = docker(&format!("image inspect {tag}")).success().json();
        image[0]["Created"].as_str().expect("a time").to_owned()
    };
    assert_eq!(created("", "1000000000"), "2001-09-09T01:46:40Z");
    let own = created("--build-arg SOURCE_DATE_EPOCH=0", "1000000000");
    assert_eq!(own, "1970-01-01T00:00:00Z");
    // An empty variable does not count.
    assert!(created("", "").starts_with("20"), "not now");
}
