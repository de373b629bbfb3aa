//! Command lines of `build`: their syntax, flags without effect, and all mistakes at once.

use crate::context::Context;
use crate::support::Sandbox;

#[test]
fn flags_without_effect_are_accepted_with_the_warnings_of_the_peer() {
    let sandbox = Sandbox::new();
    sandbox.booted("ignored", "");
    let context = Context::bare("FROM scratch\nCOPY Dockerfile /\n");
    let build = format!("build -o out {}", context.word());
    sandbox
        .buildx(&build)
        .words("--compress --rm --rm=false --force-rm --force-rm=0")
        .success()
        .does_not_say("WARNING");
    sandbox
        .buildx(&build)
        .words("--isolation hyperv --security-opt seccomp=unconfined --squash=false")
        .success()
        .says_line("WARNING: isolation flag is deprecated with BuildKit.")
        .says_line(
            "WARNING: security-opt flag is deprecated. \"RUN --security=insecure\" should be used with \
             BuildKit.",
        )
        .says_line(
            "WARNING: experimental flag squash is removed with BuildKit. You should squash inside build \
             using a multi-stage Dockerfile for efficiency.",
        );
}

#[test]
fn all_mistakes_of_a_command_line_are_reported_at_once() {
    let sandbox = Sandbox::new();
    sandbox
        .buildx("build --platfrom linux/amd64 --no-cache=maybe --progress banana --tag Bad:Tag:1")
        .words("--label =v --platform banana,cherry --network bridge --shm-size x --ulimit y --builder nobody")
        .words("--file ./none -o type=tar,dest=. -o out --iidfile id .")
        .failure(1)
        .says_line("ERROR: 14 mistakes in the command line:")
        .says_line("  unknown flag: --platfrom")
        .says_line(
            "  invalid argument \"maybe\" for \"--no-cache\" flag: strconv.ParseBool: parsing \"maybe\": \
             invalid syntax",
        )
        .says("\n  --progress: invalid progress mode banana")
        .says_line("  --tag: invalid tag \"Bad:Tag:1\": invalid reference format")
        .says_line("  --label: invalid key-value pair \"=v\": empty key")
        .says("\n  --platform: unknown operating system or architecture \"banana\"")
        .says("\n  --platform: unknown operating system or architecture \"cherry\"")
        .says("\n  --network: network mode \"bridge\" not supported by buildkit")
        .says_line(
            "  --shm-size: invalid argument \"x\" for \"--shm-size\" flag: invalid size: 'x'",
        )
        .says_line(
            "  --ulimit: invalid argument \"y\" for \"--ulimit\" flag: invalid ulimit argument: y",
        )
        .says("\n  --file: cannot read Dockerfile ./none: there is no such file")
        .says("\n  --builder: no builder \"nobody\" found")
        .says("\n  --output: destination file . is a directory")
        .says_line("  --iidfile: local and tar exporters are incompatible with image ID file")
        .says("\nhint: ")
        .says("there is a similar flag: --platform");
    assert!(sandbox.left_in_engine().is_empty());
    // A single one has the text of the peer.
    for (flags, said) in [
        ("--label =v .", "invalid key-value pair \"=v\": empty key"),
        (
            "--network bridge .",
            "network mode \"bridge\" not supported by buildkit - you can define a custom network for your \
             builder using the network driver-opt in buildx create",
        ),
        (
            "--shm-size x .",
            "invalid argument \"x\" for \"--shm-size\" flag: invalid size: 'x'",
        ),
        (
            "--ulimit y .",
            "invalid argument \"y\" for \"--ulimit\" flag: invalid ulimit argument: y",
        ),
        ("--resource y=1 .", "unknown resource \"y\""),
        ("--add-host y .", "invalid host y"),
        (
            "-q --progress tty .",
            "progress=tty and quiet cannot be used together",
        ),
        ("--banana .", "unknown flag: --banana"),
        ("-x .", "unknown shorthand flag: 'x' in -x"),
        (". --tag", "flag needs an argument: --tag"),
    ] {
        let context = Context::bare("FROM scratch\n");
        sandbox
            .buildx("build")
            .words(flags)
            .directory(context.path())
            .failure(1)
            .says_line(&format!("ERROR: {said}"));
    }
}

#[test]
fn all_mistakes_of_one_value_are_reported() {
    let sandbox = Sandbox::new();
    let context = Context::bare("FROM scratch\n");
    for (flags, mistakes) in [
        (
            "--output type=image,push=no,dest=x",
            &[
                "--output: dest is not supported for image exporter",
                "--output: invalid value \"no\" of push for image exporter, expecting true or false",
            ][..],
        ),
        (
            "--iidfile id --output type=local,mode=delete,dest=/etc/passwd",
            &[
                "--output: local output mode=delete for destination \"/etc/passwd\" requires \
                 --allow=buildx.local.delete",
                "--output: destination directory /etc/passwd is a file",
                "--iidfile: local and tar exporters are incompatible with image ID file",
            ],
        ),
        (
            "--cache-from type=local,tag=",
            &[
                "--cache-from: local cache importer requires src",
                "--cache-from: local cache importer requires either explicit digest, \"latest\" tag or \
                 custom tag on index.json",
            ],
        ),
        (
            "--cache-to type=local,reset=maybe",
            &[
                "--cache-to: local cache exporter requires dest",
                "--cache-to: failed to parse reset attribute: \"maybe\" is not a boolean",
            ],
        ),
        (
            "--secret type=vault,path=x",
            &[
                "--secret: unsupported secret type \"vault\"",
                "--secret: unexpected key 'path' in 'path=...'",
                "--secret: secret missing ID",
            ],
        ),
        (
            "--ssh default --ssh a=x --ssh a=y",
            &[
                "--ssh: invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set",
                "--ssh: duplicate agent ID \"a\"",
            ],
        ),
        (
            "--attest disabled=no,x",
            &[
                "--attest: invalid value disabled=no",
                "--attest: invalid value x",
            ],
        ),
        (
            "--annotation layer,Image:a=b",
            &[
                "--annotation: parse annotations: unknown annotation type \"layer\"",
                "--annotation: parse annotations: invalid annotation type \"Image\", expected type and \
                 optional platform in square brackets",
            ],
        ),
        (
            "--call check,a=b,ignorestatus=x",
            &[
                "--call: invalid print field: a=b",
                "--call: invalid ignorestatus print value: x",
            ],
        ),
        (
            "--build-context Bad=oci-layout://",
            &[
                "--build-context: invalid context name Bad: invalid reference format",
                "--build-context: invalid context value: Bad=oci-layout://, expected \
                 NAME=oci-layout://DIRECTORY: the directory is missing",
            ],
        ),
    ] {
        let build = sandbox.buildx(&format!("build {flags} {}", context.word()));
        let mut failed = build.failure(1);
        let count = mistakes.len();
        failed = failed.says(&format!("ERROR: {count} mistakes in the command line:\n"));
        for mistake in mistakes {
            failed = failed.says_line(&format!("  {mistake}"));
        }
    }
}

#[test]
fn switches_have_the_syntax_of_go() {
    let sandbox = Sandbox::new();
    sandbox.booted("switches", "");
    let context = Context::on_base("RUN echo hello > /made\n");
    let build = format!("build {}", context.word());
    sandbox.buildx(&build).success();
    for off in [
        "--no-cache=false",
        "--no-cache=0",
        "--no-cache=F",
        "--no-cache --no-cache=f",
    ] {
        sandbox.buildx(&build).words(off).success().says(" CACHED");
    }
    for on in [
        "--no-cache=true",
        "--no-cache=1",
        "--no-cache=T",
        "--no-cache=0 --no-cache",
    ] {
        let built = sandbox.buildx(&build).words(on).success();
        built.does_not_say("CACHED");
    }
    // The last value counts, and an empty one is not given.
    sandbox
        .buildx(&build)
        .words("--target nowhere --target base --file nowhere --file= --progress=plain --progress=")
        .success();
}

#[test]
fn the_number_of_arguments_is_that_of_the_peer() {
    let sandbox = Sandbox::new();
    for line in ["build", "b . ."] {
        sandbox
            .buildx(line)
            .failure(1)
            .prints("")
            .says("ERROR: iechor: 'iechor buildx build' requires 1 argument\n\nUsage:  iechor buildx build \
                   [OPTIONS] PATH | URL | -\n\nRun 'iechor buildx build --help' for more information\n");
    }
}
