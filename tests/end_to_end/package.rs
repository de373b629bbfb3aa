//! The Debian package that `packaging/deb` builds.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::Sandbox;

#[test]
fn a_package_has_the_program_the_plugin_completions_and_manual_pages() {
    let sandbox = Sandbox::new();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/deb");
    // Without compression: the binary of a debug build is large.
    let built = sandbox
        .program(script, "")
        .argument(env!("CARGO_BIN_EXE_iechor"))
        .argument(sandbox.path("packages"))
        .argument("none")
        .success();
    let package = built.stdout.trim_end();
    let control = |field: &str| {
        let shown = sandbox.program("dpkg-deb", "--field").argument(package);
        shown.argument(field).success().stdout
    };
    assert_eq!(control("Version").trim(), env!("CARGO_PKG_VERSION"));
    for field in ["Conflicts", "Provides", "Replaces"] {
        assert!(control(field).contains("docker-buildx"), "{field}");
    }
    let tree = sandbox.path("tree");
    sandbox
        .program("dpkg-deb", "--extract")
        .argument(package)
        .argument(&tree)
        .success();
    for file in [
        "usr/bin/iechor",
        "usr/share/bash-completion/completions/iechor",
        "usr/share/doc/iechor/changelog.gz",
        "usr/share/doc/iechor/copyright",
        "usr/share/fish/vendor_completions.d/iechor.fish",
        "usr/share/man/man1/iechor.1.gz",
        "usr/share/man/man1/iechor-buildx-build.1.gz",
        "usr/share/man/man1/iechor-driver-test.1.gz",
        "usr/share/zsh/vendor-completions/_iechor",
    ] {
        let found = fs::metadata(tree.join(file));
        let found = found.unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(found.len() > 100, "{file}");
    }
    // The link leads to the program, wherever the tree is.
    let plugin = tree.join("usr/libexec/docker/cli-plugins/docker-buildx");
    let metadata = Command::new(&plugin)
        .arg("docker-cli-plugin-metadata")
        .output();
    let metadata = metadata.expect("it runs").stdout;
    assert!(String::from_utf8_lossy(&metadata).contains("SchemaVersion"));
    // A page has the help of its command.
    let page = sandbox
        .program("gzip", "-dc")
        .argument(tree.join("usr/share/man/man1/iechor-buildx-build.1.gz"))
        .success();
    page.shows("Start a build").shows("platform");
}
