//! Whole commands as processes: wall time, processor time (user and system) and peak memory.
//!
//! `tests/bench` runs this on the test machine's engine, beside docker buildx where it is there.
//! Medians are what to quote: the figures of one run say little on a shared machine.

mod process;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use iechor_sandbox::Sandbox;
use iechor_sandbox::contract::Config;
use iechor_testkit::{Answers, Stage};
use process::{Figures, measure, run};

/// Files of the context of many files, and the bytes of each.
const FILES: usize = 50_000;
const FILE_BYTES: usize = 512;
/// Bytes of the context of one large file.
const LARGE: u64 = 1 << 30;

/// The argument of a child that boots a builder in memory.
const BOOT_IN_MEMORY: &str = "--boot-in-memory";

#[expect(clippy::print_stdout, reason = "the figures are the result")]
fn main() {
    if std::env::args().nth(1).as_deref() == Some(BOOT_IN_MEMORY) {
        println!("{}", boot_in_memory().as_micros());
        return;
    }
    let directory = tempfile::tempdir().expect("a directory for contexts");
    let ours = Program {
        name: "iechor",
        path: env!("CARGO_BIN_EXE_iechor").into(),
        prefix: &["buildx"],
        config: directory.path().join("iechor"),
        driver: "iechor-container",
    };
    let peer = std::env::var_os("IECHOR_BENCH_BUILDX").map(|path| Program {
        name: "docker buildx",
        path: path.into(),
        prefix: &[],
        config: directory.path().join("peer"),
        driver: "docker-container",
    });
    println!(
        "{:<34} {:<14} {:>9} {:>9} {:>9}",
        "what", "who", "wall", "cpu", "peak"
    );

    row("version", "iechor", 20, || {
        measure(Command::new(&ours.path).arg("version"))
    });

    let programs: Vec<&Program> = std::iter::once(&ours).chain(&peer).collect();
    for program in &programs {
        let whole = row("create --bootstrap", program.name, 10, || {
            let figures = measure(&mut program.creation("bench-c"));
            run(&mut program.command(&["rm", "bench-c"]));
            figures
        });
        if program.name == ours.name {
            let sandbox = in_memory();
            println!(
                "  of which the sandbox at most         {:>6.1} ms, {:.2} percent",
                sandbox.as_secs_f64() * 1000.0,
                sandbox.as_secs_f64() / whole.as_secs_f64() * 100.0
            );
        }
    }
    for program in &programs {
        for name in ["bench-a", "bench-b"] {
            program.create(name);
        }
    }
    for program in &programs {
        row("ls, two running builders", program.name, 10, || {
            measure(&mut program.command(&["ls"]))
        });
    }

    let large = directory.path().join("large");
    fs::create_dir(&large).expect("made");
    fs::write(large.join("Dockerfile"), "FROM scratch\nCOPY data /\n").expect("written");
    for program in &programs {
        row("context of 1 GiB, changed", program.name, 3, || {
            write_large(&large.join("data"));
            program.build(&large)
        });
    }

    let many = directory.path().join("many");
    write_many(&many);
    let mut current = many;
    for program in &programs {
        let mut turn = 0;
        // Another name is another context: nothing of the last transfer is known.
        row("context of 50,000 files, first", program.name, 3, || {
            turn += 1;
            let next = directory.path().join(format!("{}-{turn}", program.driver));
            fs::rename(&current, &next).expect("renamed");
            current = next;
            program.build(&current)
        });
        row(
            "context of 50,000 files, unchanged",
            program.name,
            5,
            || program.build(&current),
        );
    }
    for program in &programs {
        for name in ["bench-a", "bench-b"] {
            run(&mut program.command(&["rm", name]));
        }
    }
}

struct Program {
    name: &'static str,
    path: PathBuf,
    prefix: &'static [&'static str],
    config: PathBuf,
    driver: &'static str,
}

impl Program {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.path);
        command
            .args(self.prefix)
            .args(arguments)
            .env("BUILDX_CONFIG", &self.config);
        // What the peer sends beside the context is not what is compared.
        command.env("BUILDX_NO_DEFAULT_ATTESTATIONS", "1");
        command
    }

    fn creation(&self, name: &str) -> Command {
        let flags = ["--name", name, "--driver", self.driver, "--bootstrap"];
        let mut command = self.command(&["create"]);
        command
            .args(flags)
            .arg("--node")
            .arg(format!("{name}-{}", self.driver));
        command
    }

    fn create(&self, name: &str) {
        run(&mut self.creation(name));
    }

    fn build(&self, context: &Path) -> Figures {
        let mut command = self.command(&["build", "--builder", "bench-a", "--progress", "quiet"]);
        measure(command.arg(context))
    }
}

/// What `create --bootstrap` does with a driver, on an engine and a BuildKit in memory that answer
/// at once: it is more than the sandbox, since the simulation counts too.
fn boot_in_memory() -> Duration {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let config = Config {
            name: "bench0".into(),
            endpoint: "simulated".into(),
            options: Vec::new(),
            buildkitd_flags: Vec::new(),
            files: Vec::new(),
            platforms: Vec::new(),
            extra: Vec::new(),
        };
        let mut stage = Stage::new(Answers::AtOnce);
        stage.engine.add_image("moby/buildkit:buildx-stable-1");
        let start = Instant::now();
        // The command loads it once to check the request and once for the node.
        for turn in 0..2 {
            let driver = Sandbox::embedded("iechor-container").expect("loads");
            let driver = driver.expect("built in");
            stage.grants = driver.grants(&[]).await.expect("trusted");
            let node = stage.node(&Arc::clone(&driver), &config).await;
            let node = node.expect("in order");
            if turn == 1 {
                node.boot().await.expect("it boots");
            }
        }
        start.elapsed()
    })
}

/// The median of [`boot_in_memory`], each in a process of its own as a command is.
fn in_memory() -> Duration {
    let this = std::env::current_exe().expect("a path");
    let mut spans: Vec<u64> = (0..11)
        .map(|_| {
            let output = Command::new(&this).arg(BOOT_IN_MEMORY).output();
            let text = String::from_utf8(output.expect("it starts").stdout).expect("digits");
            text.trim().parse().expect("digits")
        })
        .collect();
    spans.sort_unstable();
    Duration::from_micros(spans[spans.len() / 2])
}

/// Prints the medians and returns that of the wall time.
#[expect(clippy::print_stdout, reason = "the figures are the result")]
fn row(what: &str, who: &str, runs: usize, mut run: impl FnMut() -> Figures) -> Duration {
    // The first one fills caches.
    run();
    let figures: Vec<Figures> = (0..runs).map(|_| run()).collect();
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let wall = median(
        figures
            .iter()
            .map(|f| f.wall.as_secs_f64() * 1000.0)
            .collect(),
    );
    let cpu = median(
        figures
            .iter()
            .map(|f| f.cpu.as_secs_f64() * 1000.0)
            .collect(),
    );
    let peak = median(figures.iter().map(|f| f.peak_kib as f64 / 1024.0).collect());
    println!("{what:<34} {who:<14} {wall:>6.1} ms {cpu:>6.1} ms {peak:>5.1} MiB");
    Duration::from_secs_f64(wall / 1000.0)
}

/// A file that no earlier one is equal to.
fn write_large(path: &Path) {
    use std::io::Write;
    let mut seed = Instant::now().elapsed().as_nanos() as u64 | 1;
    seed ^= std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(1, |now| now.as_nanos() as u64);
    let mut file = fs::File::create(path).expect("created");
    let mut block = vec![0u8; 1 << 20];
    for _ in 0..LARGE / block.len() as u64 {
        for word in block.chunks_exact_mut(8) {
            // Xorshift: not to be compressed, and quick.
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            word.copy_from_slice(&seed.to_le_bytes());
        }
        file.write_all(&block).expect("written");
    }
}

fn write_many(directory: &Path) {
    let contents = vec![b'x'; FILE_BYTES];
    for number in 0..FILES {
        let folder = directory.join(format!("d{:03}", number / 100));
        fs::create_dir_all(&folder).expect("made");
        fs::write(folder.join(format!("file-{number}")), &contents).expect("written");
    }
    fs::write(directory.join("Dockerfile"), "FROM scratch\nCOPY . /\n").expect("written");
}
