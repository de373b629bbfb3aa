//! The peak memory of builds that transfer 4 GiB: a context, results, and a context on standard input.
//!
//! Fails if a build needs more than 64 MiB. The files are sparse, except for the result in a directory,
//! which needs 4 GiB for a moment. `tests/bench --bench memory` runs this on the test machine's engine.

mod process;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use process::{Figures, measure, measure_with, run};

/// Size of what is transferred, in bytes.
const LARGE: u64 = 4 << 30;

/// Maximum memory of the program, in KiB.
const LIMIT: i64 = 64 << 10;

const BUILDER: &str = "bench-memory";

/// The context is mounted, because a copy of it would only take time.
const READ: &str = "FROM scratch\nADD busybox.tar /\nRUN --mount=type=bind,target=/context \
                    test -s /context/data\n";
const WRITE: &str = "FROM scratch\nADD busybox.tar /\nRUN truncate -s 4G /data\n";

#[expect(clippy::print_stdout, reason = "the figures are the result")]
fn main() -> ExitCode {
    let directory = tempfile::tempdir().expect("a directory for contexts");
    let build = |context: &Path, output: &[&str]| {
        let mut command = iechor(directory.path());
        command.args(["build", "--builder", BUILDER, "--progress", "quiet"]);
        command.args(output).arg(context);
        command
    };
    run(iechor(directory.path()).args(["create", "--name", BUILDER, "--bootstrap"]));
    let mut rows = Vec::new();

    let context = context(directory.path(), "read", READ);
    large_file(&context.join("data"));
    rows.push(("context", measure(&mut build(&context, &[]))));

    let archive = directory.path().join("context.tar");
    let input = archive_of(&context, &archive);
    let figures = measure_with(&mut build(Path::new("-"), &[]), input);
    rows.push(("context on standard input", figures));

    let context = self::context(directory.path(), "write", WRITE);
    rows.push((
        "tar",
        measure(&mut build(&context, &["--output", "type=tar,dest=-"])),
    ));
    let out = directory.path().join("out");
    let local = format!("type=local,dest={}", out.display());
    rows.push((
        "directory",
        measure(&mut build(&context, &["--output", &local])),
    ));
    run(iechor(directory.path()).args(["rm", BUILDER]));

    let mut is_within = true;
    for (
        what,
        Figures {
            wall,
            cpu,
            peak_kib,
        },
    ) in rows
    {
        let (wall, cpu) = (wall.as_secs_f64(), cpu.as_secs_f64());
        let peak = peak_kib as f64 / 1024.0;
        println!("{what:<26} of 4 GiB {wall:>7.1} s {cpu:>7.1} s {peak:>6.1} MiB");
        is_within &= peak_kib <= LIMIT;
    }
    if is_within {
        ExitCode::SUCCESS
    } else {
        println!("a build needs more than {} MiB", LIMIT >> 10);
        ExitCode::FAILURE
    }
}

fn iechor(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_iechor"));
    command
        .arg("buildx")
        .env("BUILDX_CONFIG", directory.join("builders"));
    command
}

/// Creates a context with busybox.
fn context(directory: &Path, name: &str, dockerfile: &str) -> PathBuf {
    let context = directory.join(name);
    fs::create_dir(&context).expect("made");
    fs::write(context.join("Dockerfile"), dockerfile).expect("written");
    let base = std::env::var_os("IECHOR_TEST_BASE").expect("run `tests/bench`");
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let busybox = Path::new(&base).join(architecture).join("busybox.tar");
    fs::copy(busybox, context.join("busybox.tar")).expect("copied");
    context
}

fn large_file(path: &Path) {
    let file = fs::File::create(path).expect("created");
    file.set_len(LARGE).expect("sparse");
}

/// Writes the files of a context into an archive, with the contents of the large file as a hole.
fn archive_of(context: &Path, archive: &Path) -> Stdio {
    let file = fs::File::create(archive).expect("created");
    let mut builder = tar::Builder::new(file);
    for name in ["Dockerfile", "busybox.tar"] {
        builder
            .append_path_with_name(context.join(name), name)
            .expect("written");
    }
    let mut header = tar::Header::new_gnu();
    header.set_size(LARGE);
    header.set_mode(0o644);
    header.set_path("data").expect("short");
    header.set_cksum();
    builder.append(&header, std::io::empty()).expect("written");
    let file = builder.into_inner().expect("written");
    let end = file.metadata().expect("it is there").len();
    // `into_inner` wrote the end of the archive after the header: it is the beginning of the contents.
    file.set_len(end + LARGE).expect("sparse");
    Stdio::from(fs::File::open(archive).expect("it is there"))
}
