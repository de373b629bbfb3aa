//! The memory that the progress of a build takes, counted at the allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{self, Write as _};
use std::time::Duration;

use iechor_buildkit::status::{
    ProgressGroup, SolveStatus, Vertex, VertexLog, VertexStatus, VertexWarning,
};
use iechor_progress::{Clock, Frame, Mode, Options, Output, Printer, Size};

use crate::{at, running};

/// An allocator that counts the memory of the current thread.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(change: isize) {
    // A thread that ends frees its last memory without being counted.
    let _ = HELD.try_with(|held| {
        held.set(held.get() + change);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held.get())));
    });
}

// SAFETY: all calls are passed to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: the caller meets the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: the caller meets the contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Maximum memory of the progress of any build, in bytes.
const MOST: isize = 96 << 20;

/// A writer that counts bytes, lines and notices.
#[derive(Default)]
struct Written {
    bytes: usize,
    lines: usize,
    notices: usize,
}

impl io::Write for Written {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.bytes += text.len();
        self.lines += text.iter().filter(|byte| **byte == b'\n').count();
        let text = String::from_utf8_lossy(text);
        self.notices += text
            .matches("this build reports more than can be shown")
            .count();
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A terminal that drops frames.
struct Terminal<'a>(&'a mut Written);

impl Output for Terminal<'_> {
    fn append(&mut self, text: &str) -> io::Result<()> {
        self.0.write_all(text.as_bytes())
    }

    fn size(&self) -> Option<Size> {
        Some(Size {
            width: 100,
            height: 60,
        })
    }

    fn show(&mut self, frame: Frame) -> io::Result<()> {
        self.0.lines = frame.lines.len();
        Ok(())
    }
}

/// Shows statuses in the plain format, one after the other. Returns the peak in bytes and what was written.
fn show(statuses: impl Iterator<Item = SolveStatus>) -> (isize, Written) {
    let mut written = Written::default();
    let peak = show_at(Mode::Plain, &mut written, Options::default(), statuses);
    (peak, written)
}

/// Shows statuses in the tty format.
fn show_at_terminal(statuses: impl Iterator<Item = SolveStatus>) -> (isize, Written) {
    let mut written = Written::default();
    let options = Options {
        // Fewer frames, so that the test is fast.
        refresh: Some(Duration::from_secs(2)),
        ..Options::default()
    };
    let peak = show_at(Mode::Tty, Terminal(&mut written), options, statuses);
    (peak, written)
}

fn show_at(
    mode: Mode,
    output: impl Output,
    options: Options,
    statuses: impl Iterator<Item = SolveStatus>,
) -> isize {
    let before = HELD.get();
    PEAK.set(before);
    let mut now = 0;
    // Time passes, so that text is printed now and then.
    let clock = Clock::new(move || {
        now += 100;
        Duration::from_micros(now)
    });
    let mut printer = Printer::new(mode, output, options, clock).unwrap();
    for status in statuses {
        printer.update(&status).unwrap();
    }
    printer.finish().unwrap();
    drop(printer);
    PEAK.get() - before
}

fn one(vertex: Vertex) -> SolveStatus {
    SolveStatus {
        vertexes: vec![vertex],
        ..SolveStatus::default()
    }
}

fn digest(number: usize) -> String {
    format!("sha256:{number:064x}")
}

#[test]
fn vertexes_without_end_take_bounded_memory() {
    // Each vertex runs, has a name, works, prints and fails.
    let status = |number: usize| {
        let digest = digest(number);
        let name = format!("[{number}] {}", "RUN make ".repeat(20));
        let vertex = running(&digest, &name);
        let news = SolveStatus {
            statuses: vec![VertexStatus {
                id: format!("work {number}"),
                vertex: digest.clone(),
                started: Some(at(0)),
                ..VertexStatus::default()
            }],
            logs: vec![log(&digest, "some output\n".repeat(4))],
            ..one(vertex.clone())
        };
        let end = one(Vertex {
            completed: Some(at(5)),
            error: "it failed".into(),
            ..vertex
        });
        [news, end]
    };
    for (format, (peak, written)) in [
        ("plain", show((0..400_000).flat_map(status))),
        ("tty", show_at_terminal((0..400_000).flat_map(status))),
    ] {
        println!("400,000 vertexes, {format}: {} MiB", peak >> 20);
        assert!(peak < MOST, "{format}: {} MiB", peak >> 20);
        assert_eq!(written.notices, 1, "{format}");
    }
}

fn log(digest: &str, data: String) -> VertexLog {
    VertexLog {
        vertex: digest.into(),
        stream: 1,
        data: data.into(),
        timestamp: at(3),
    }
}

#[test]
fn ten_thousand_vertexes_are_all_shown() {
    let statuses = (0..10_000).map(|number| {
        one(Vertex {
            completed: Some(at(5)),
            ..running(&digest(number), &"RUN make && make install ".repeat(20))
        })
    });
    let (peak, written) = show(statuses);
    assert_eq!(written.notices, 0);
    // Each has a blank line, a header and an end; there is no blank line before the first.
    assert_eq!(written.lines, 3 * 10_000 - 1);
    assert!(peak < MOST, "{} MiB", peak >> 20);
}

#[test]
fn whatever_there_is_too_much_of_takes_bounded_memory() {
    let long = |number: usize| format!("{number} {}", "x".repeat(1 << 20));
    let wide = |number: usize| format!("{number} {}", "x".repeat(60_000));
    type Make<'a> = Box<dyn Fn(usize) -> SolveStatus + 'a>;
    let cases: Vec<(&str, usize, Make<'_>)> = vec![
        (
            "names",
            500,
            Box::new(|n| one(running(&digest(n), &long(n)))),
        ),
        ("digests", 1_000, Box::new(|n| one(running(&long(n), "a")))),
        ("one name", 1_000, Box::new(|n| one(running("a", &long(n))))),
        (
            "errors",
            1_000,
            Box::new(|n| {
                one(Vertex {
                    error: wide(n),
                    completed: Some(at(1)),
                    ..running(&digest(n), "a")
                })
            }),
        ),
        (
            "starts",
            20_000,
            Box::new(|n| {
                one(Vertex {
                    started: Some(at(n as u64)),
                    ..running("a", "a")
                })
            }),
        ),
        (
            "statuses",
            30_000,
            Box::new(|n| SolveStatus {
                statuses: vec![VertexStatus {
                    id: format!("status {n}"),
                    vertex: digest(n % 10),
                    started: Some(at(0)),
                    ..VertexStatus::default()
                }],
                ..one(running(&digest(n % 10), "a"))
            }),
        ),
        (
            "statuses that have not started",
            200_000,
            Box::new(|n| SolveStatus {
                statuses: vec![VertexStatus {
                    id: format!("status {n} {}", "x".repeat(500)),
                    vertex: "a".into(),
                    ..VertexStatus::default()
                }],
                ..one(running("a", "a"))
            }),
        ),
        (
            "members of a group",
            5_000,
            Box::new(|n| {
                one(Vertex {
                    progress_group: Some(ProgressGroup {
                        id: "g".into(),
                        name: "group".into(),
                        weak: false,
                    }),
                    error: "x".repeat(200),
                    ..running(&digest(n), &"x".repeat(500))
                })
            }),
        ),
        (
            "groups",
            100_000,
            Box::new(|n| {
                one(Vertex {
                    progress_group: Some(ProgressGroup {
                        id: format!("{n}"),
                        name: "group".into(),
                        weak: true,
                    }),
                    ..running(&digest(n), "a")
                })
            }),
        ),
        (
            "warnings",
            50_000,
            Box::new(|n| SolveStatus {
                warnings: vec![VertexWarning {
                    vertex: digest(n % 100),
                    short: "x".repeat(5_000).into(),
                    detail: vec!["x".repeat(5_000).into()],
                    ..VertexWarning::default()
                }],
                ..one(running(&digest(n % 100), "a"))
            }),
        ),
        (
            "logs of vertexes that wait",
            3_000,
            Box::new(|n| SolveStatus {
                logs: vec![log(&digest(n % 2_000), "x".repeat(50_000) + "\n")],
                ..one(running(&digest(n % 2_000), "a"))
            }),
        ),
        (
            "lines without an end",
            3_000,
            Box::new(|n| SolveStatus {
                logs: vec![log(&digest(n), "x".repeat(50_000))],
                ..one(running(&digest(n), "a"))
            }),
        ),
        (
            "logs of a group that is not shown",
            3_000,
            Box::new(|n| SolveStatus {
                logs: vec![log("a", "x".repeat(50_000) + "\n")],
                ..one(Vertex {
                    progress_group: Some(ProgressGroup {
                        id: "g".into(),
                        name: "group".into(),
                        weak: true,
                    }),
                    started: (n > 0).then(|| at(0)),
                    ..running("a", "a")
                })
            }),
        ),
    ];
    for (what, count, make) in cases {
        for (format, (peak, _)) in [
            ("plain", show((0..count).map(&make))),
            ("tty", show_at_terminal((0..count).map(&make))),
        ] {
            println!("{what}, {format}: {} MiB", peak >> 20);
            assert!(peak < MOST, "{what}, {format}: {} MiB", peak >> 20);
        }
    }
}

#[test]
fn no_line_is_lost_where_many_wait() {
    let count = 2_000;
    let statuses = (0..count).map(|number| {
        let digest = digest(number % 500);
        SolveStatus {
            logs: vec![log(&digest, format!("{}\n", "x".repeat(20_000)))],
            ..one(running(&digest, "a"))
        }
    });
    let ends = (0..500).map(|number| {
        one(Vertex {
            completed: Some(at(5)),
            ..running(&digest(number), "a")
        })
    });
    let (_, written) = show(statuses.chain(ends));
    assert!(written.bytes > count * 20_000, "{}", written.bytes);
}
