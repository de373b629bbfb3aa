//! Files about the result of a build, the result as JSON, and the local record of a build.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};

use rustix::fs::{CWD, FileType, Mode, makedev, mkfifoat, mknodat};
use serde_json::{Value, json};

use crate::context::{Context, files_in_tar};
use crate::support::{Finished, Sandbox, docker};

fn minimal() -> Context {
    Context::bare("FROM scratch\nCOPY Dockerfile /\n")
}

fn json_in(sandbox: &Sandbox, name: &str) -> Value {
    let text = fs::read_to_string(sandbox.path(name)).expect("written");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn metadata_file_and_iidfile() {
    let sandbox = Sandbox::new();
    let name = sandbox.booted("metadata", "");
    let context = minimal();
    let tag = sandbox.name("metadata:1");
    sandbox
        .buildx(&format!(
            "build --load -t {tag} --metadata-file about.json --iidfile id"
        ))
        .words(context.word())
        .success();
    let metadata = json_in(&sandbox, "about.json");
    let reference = metadata["buildx.build.ref"].as_str().expect("a reference");
    assert!(
        reference.starts_with(&format!("{name}/{name}0/")),
        "{reference}"
    );
    assert_eq!(metadata["image.name"], format!("docker.io/library/{tag}"));
    assert_eq!(
        metadata["containerimage.descriptor"]["digest"],
        metadata["containerimage.digest"]
    );
    assert_eq!(metadata.get("iechor.build.error"), None);
    let id = fs::read_to_string(sandbox.path("id")).expect("written");
    assert_eq!(metadata["containerimage.config.digest"], id.as_str());
    let image = docker(&format!("image inspect {tag}")).success().json();
    assert_eq!(image[0]["Id"], id.as_str());
}

#[test]
fn the_metadata_has_the_requested_provenance() {
    let sandbox = Sandbox::new();
    sandbox.booted("provenance", "");
    let context = Context::on_base("RUN echo hello > /made\n");
    let built = |variable: &str, line: &str| {
        let built = sandbox
            .buildx(&format!("build --metadata-file about.json {line}"))
            .argument(context.path())
            .variable("BUILDX_METADATA_PROVENANCE", variable)
            .success();
        (json_in(&sandbox, "about.json"), built)
    };
    let image = "-o type=oci,dest=x";
    let (small, said) = built("", image);
    said.says("resolving provenance for metadata file");
    let provenance = &small["buildx.build.provenance"];
    assert!(provenance.is_object(), "{small:#}");
    assert_eq!(provenance.get("buildConfig"), None);
    assert_eq!(provenance.get("metadata"), None);
    let (max, _) = built("max", &format!("{image} --provenance=mode=max"));
    let provenance = &max["buildx.build.provenance"];
    assert!(provenance["metadata"].is_object(), "{max:#}");
    for off in ["disabled", "false"] {
        let (none, said) = built(off, image);
        assert_eq!(none.get("buildx.build.provenance"), None, "{off}");
        said.does_not_say("resolving provenance");
    }
    let platforms = "--platform linux/amd64,linux/arm64";
    fs::write(
        context.path().join("Dockerfile"),
        "FROM scratch\nCOPY Dockerfile /\n",
    )
    .expect("written");
    let (both, _) = built("min", &format!("{image} {platforms}"));
    for platform in ["linux/amd64", "linux/arm64"] {
        let provenance = &both[format!("buildx.build.provenance/{platform}")];
        assert!(provenance.is_object(), "{both:#}");
    }
}

#[test]
fn the_metadata_has_warnings_on_request() {
    let sandbox = Sandbox::new();
    sandbox.booted("warnings", "");
    let context = Context::bare("FROM scratch as lower\nCOPY Dockerfile /\n");
    let built = |value: &str| {
        sandbox
            .buildx("build --metadata-file about.json -o type=tar,dest=x")
            .argument(context.path())
            .variable("BUILDX_METADATA_WARNINGS", value)
            .success();
        json_in(&sandbox, "about.json")
    };
    let with = built("true");
    let warnings = with["buildx.build.warnings"].as_array().expect("warnings");
    assert_eq!(warnings.len(), 1, "{with:#}");
    assert_eq!(
        warnings[0]["url"],
        "https://docs.docker.com/go/dockerfile/rule/from-as-casing/"
    );
    assert_eq!(built("0").get("buildx.build.warnings"), None);
}

/// Checks the metadata of a build whose step `RUN ... exit 3` failed.
#[track_caller]
fn assert_failure(metadata: &Value) {
    let error = &metadata["iechor.build.error"];
    let message = error["message"].as_str().expect("a message");
    assert!(
        message.starts_with("failed to build: failed to solve: "),
        "{message}"
    );
    assert!(message.contains("exit code: 3"), "{message}");
    let step = &error["step"];
    let name = step["name"].as_str().expect("a name");
    assert!(
        name.ends_with("RUN echo before && echo words >&2 && exit 3"),
        "{name}"
    );
    assert_eq!(step["log"], "before\nwords\n", "{error:#}");
    assert_eq!(
        error["sources"],
        json!([{"file": "Dockerfile", "start": 4, "end": 4}])
    );
    assert!(metadata["buildx.build.ref"].is_string());
    assert_eq!(metadata.get("containerimage.digest"), None);
}

fn failing() -> Context {
    Context::on_base("RUN echo before && echo words >&2 && exit 3\n")
}

#[test]
fn the_metadata_of_a_failed_build_has_the_step_and_its_log() {
    let sandbox = Sandbox::new();
    sandbox.booted("failure", "");
    sandbox.write(
        "about.json",
        "{\"containerimage.digest\": \"of an earlier build\"}",
    );
    sandbox
        .buildx("build --metadata-file about.json -o type=oci,dest=x")
        .argument(failing().path())
        .failure(1)
        .says("exit code: 3");
    assert_failure(&json_in(&sandbox, "about.json"));
    // The build does not begin.
    sandbox
        .buildx("build --metadata-file about.json --push .")
        .failure(1);
    let metadata = json_in(&sandbox, "about.json");
    let error = &metadata["iechor.build.error"];
    assert!(error["message"].is_string(), "{metadata:#}");
    assert_eq!(error["step"], Value::Null);
}

#[test]
fn the_result_as_json() {
    let sandbox = Sandbox::new();
    let name = sandbox.booted("json", "");
    let tag = sandbox.name("json:1");
    let context = minimal();
    let build = |line: &str, context: &Context| {
        sandbox
            .buildx(&format!("build {line}"))
            .argument(context.path())
    };
    let built = build(&format!("-q --format json --load -t {tag}"), &context).success();
    assert_eq!(built.stderr, "");
    let result = built.json();
    assert_eq!(result["Status"], "completed");
    assert_eq!(result["Builder"], name.as_str());
    assert_eq!(result["Driver"], "iechor-container");
    assert_eq!(result["Ref"], result["Metadata"]["buildx.build.ref"]);
    assert_eq!(result["Names"], json!([format!("docker.io/library/{tag}")]));
    assert_eq!(result["Error"], Value::Null);
    let image = docker(&format!("image inspect {tag}")).success().json();
    assert_eq!(result["ImageID"], image[0]["Id"]);

    build(
        &format!("--format {{{{.ImageID}}}} --load -t {tag}"),
        &context,
    )
    .success()
    .prints(&format!("{}\n", image[0]["Id"].as_str().expect("an ID")));

    let failed = build("--format json -o type=oci,dest=x", &failing()).failure(1);
    let result = failed.json();
    assert_eq!(result["Status"], "failed");
    assert_eq!(result["ImageID"], Value::Null);
    assert_failure(&result["Metadata"]);
    assert_eq!(
        result["Error"],
        result["Metadata"]["iechor.build.error"]["message"]
    );
    failed.says("ERROR: failed to build: ");

    // The build does not begin.
    let refused = build("--format json --push", &context).failure(1).json();
    assert_eq!(refused["Error"], "tag is needed when pushing to registry");
    build("--format json -o -", &context)
        .failure(1)
        .says("--format and an output to standard output cannot be used together")
        .prints("");
}

#[test]
fn an_old_id_does_not_outlive_a_build_that_fails() {
    let sandbox = Sandbox::new();
    sandbox.booted("iidfile", "");
    let context = Context::on_base("RUN exit 1\n");
    let file = sandbox.write("id", "sha256:old");
    let build = |file: &str| {
        sandbox
            .buildx(&format!("build --iidfile {file}"))
            .argument(context.path())
            .failure(1)
    };
    build("id");
    assert!(!file.exists());
    // Other names of the file do not have it either.
    let file = sandbox.write("id", "sha256:old");
    let other = sandbox.path("other");
    fs::hard_link(&file, &other).expect("linked");
    build("id");
    assert_eq!(fs::read_to_string(&other).expect("there"), "");
    assert_eq!(fs::metadata(&file).expect("there").nlink(), 2);
}

#[test]
fn files_about_a_result_are_regular_files() {
    let sandbox = Sandbox::new();
    sandbox.booted("regular", "");
    let context = minimal();
    let path = |name: &str| sandbox.path(name);
    let mode = Mode::RUSR | Mode::WUSR;
    mknodat(
        CWD,
        path("device"),
        FileType::CharacterDevice,
        mode,
        makedev(1, 3),
    )
    .expect("root");
    mkfifoat(CWD, path("pipe"), Mode::RWXU).expect("made");
    fs::create_dir(path("directory")).expect("made");
    symlink("device", path("link")).expect("linked");
    for (flag, kind) in [
        ("--metadata-file", "metadata file"),
        ("--iidfile", "image ID file"),
    ] {
        for (name, words) in [
            ("device", "a device"),
            ("link", "a device"),
            ("pipe", "a named pipe"),
            ("directory", "a directory"),
        ] {
            sandbox
                .buildx(&format!("build {flag} {name} --load"))
                .argument(context.path())
                .failure(1)
                .says(&format!(
                    "cannot write {kind} {name}: it is {words}, not a regular file"
                ))
                .does_not_say("#1");
        }
        let type_of = |name: &str| fs::symlink_metadata(path(name)).expect("there").file_type();
        assert!(type_of("device").is_char_device());
        assert!(type_of("pipe").is_fifo());
        assert!(type_of("directory").is_dir());
        assert!(type_of("link").is_symlink());
    }
    // A link to a regular file stays.
    for flag in ["--metadata-file", "--iidfile"] {
        let target = sandbox.write("target", "old");
        symlink("target", path("good")).expect("linked");
        sandbox
            .buildx(&format!("build {flag} good -o type=oci,dest=x"))
            .argument(context.path())
            .success();
        assert!(
            fs::read_to_string(&target)
                .expect("there")
                .contains("sha256:")
        );
        assert_eq!(
            fs::read_link(path("good")).expect("a link").to_str(),
            Some("target")
        );
        fs::remove_file(path("good")).expect("there");
    }
}

#[test]
fn standard_output_has_only_what_is_asked_for() {
    let sandbox = Sandbox::new();
    sandbox.booted("quiet", "");
    let context = minimal();
    let build = |line: &str| {
        sandbox
            .buildx(&format!("build {line}"))
            .argument(context.path())
    };
    let is_tar_alone = |built: Finished| {
        assert_eq!(files_in_tar(&built.bytes), ["Dockerfile"]);
        assert_eq!(
            built.bytes.len() % 512,
            0,
            "there is text after the archive"
        );
    };
    is_tar_alone(
        build("-o -")
            .variable("BUILDKIT_PROGRESS", "quiet")
            .success(),
    );
    is_tar_alone(build("-q -o -").success());
    build("-o out")
        .variable("BUILDKIT_PROGRESS", "quiet")
        .success()
        .prints("");
}

#[test]
fn a_build_leaves_a_local_record() {
    let sandbox = Sandbox::new();
    let name = sandbox.booted("record", "");
    let context = minimal();
    let other = context.file("other/Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
    let references = sandbox
        .store()
        .join("refs")
        .join(&name)
        .join(format!("{name}0"));
    let recorded = |line: &str| {
        sandbox
            .buildx(&format!("build --metadata-file about.json {line}"))
            .directory(context.path())
            .argument(".")
            .success();
        let about = fs::read(context.path().join("about.json")).expect("written");
        let about: Value = serde_json::from_slice(&about).expect("JSON");
        let reference = about["buildx.build.ref"].as_str().expect("a reference");
        let id = reference.rsplit('/').next().expect("a part");
        let record = fs::read(references.join(id)).expect("recorded");
        serde_json::from_slice::<Value>(&record).expect("JSON")
    };
    let directory = context.path().canonicalize().expect("there");
    let expected = json!({"Target": "default", "LocalPath": directory, "DockerfilePath": ""});
    assert_eq!(recorded("-o type=cacheonly"), expected);
    let expected = json!({"Target": "default", "LocalPath": directory, "DockerfilePath": other});
    assert_eq!(recorded("-o type=cacheonly -f other/Dockerfile"), expected);
    sandbox
        .buildx("build -o type=cacheonly")
        .argument(failing().path())
        .failure(1);
    assert_eq!(fs::read_dir(&references).expect("there").count(), 3);
    sandbox.buildx(&format!("rm {name}")).success();
    assert!(!references.exists());
}
