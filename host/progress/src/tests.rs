//! The expected texts are written by hand from the rules of the format, not copied from output.

mod lines;
mod order;
mod sources;
mod tty;

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use iechor_buildkit::status::{
    ProgressGroup, SolveStatus, Vertex, VertexLog, VertexStatus, VertexWarning,
};

use super::*;
use crate::mode::MODES;
use crate::relay::prefix;

/// Returns the time so many milliseconds after the beginning.
fn at(milliseconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000) + Duration::from_millis(milliseconds)
}

fn vertex(name: &str, started: u64) -> Vertex {
    Vertex {
        digest: format!("sha256:{name}"),
        name: name.to_owned(),
        started: Some(at(started)),
        ..Vertex::default()
    }
}

fn done(name: &str, started: u64, completed: u64) -> Vertex {
    Vertex {
        completed: Some(at(completed)),
        ..vertex(name, started)
    }
}

fn cached(name: &str, time: u64) -> Vertex {
    Vertex {
        cached: true,
        ..done(name, time, time)
    }
}

fn failed(name: &str, started: u64, completed: u64, error: &str) -> Vertex {
    Vertex {
        error: error.to_owned(),
        ..done(name, started, completed)
    }
}

fn work(vertex: &str, id: &str, current: i64, total: i64, started: u64, now: u64) -> VertexStatus {
    VertexStatus {
        id: id.to_owned(),
        vertex: format!("sha256:{vertex}"),
        current,
        total,
        timestamp: at(now),
        started: Some(at(started)),
        ..VertexStatus::default()
    }
}

fn worked(
    vertex: &str,
    id: &str,
    current: i64,
    total: i64,
    started: u64,
    now: u64,
) -> VertexStatus {
    VertexStatus {
        completed: Some(at(now)),
        ..work(vertex, id, current, total, started, now)
    }
}

fn warning(vertex: &str, short: &str) -> VertexWarning {
    VertexWarning {
        vertex: format!("sha256:{vertex}"),
        level: 1,
        short: short.to_owned().into_bytes().into(),
        ..VertexWarning::default()
    }
}

/// An output that records.
#[derive(Clone, Default)]
struct Record(Arc<Mutex<Recorded>>);

#[derive(Default)]
struct Recorded {
    text: String,
    /// The size of the terminal; `None` if the output is not one.
    size: Option<Size>,
    frame: Frame,
    frames: usize,
    was_left: bool,
}

impl Output for Record {
    fn append(&mut self, text: &str) -> io::Result<()> {
        self.0.lock().unwrap().text.push_str(text);
        Ok(())
    }

    fn size(&self) -> Option<Size> {
        self.0.lock().unwrap().size
    }

    fn show(&mut self, frame: Frame) -> io::Result<()> {
        let mut recorded = self.0.lock().unwrap();
        recorded.frame = frame;
        recorded.frames += 1;
        Ok(())
    }

    fn leave(&mut self) {
        self.0.lock().unwrap().was_left = true;
    }
}

/// A printer with a clock that stands still until it is set.
struct Scene {
    printer: Printer<Record>,
    record: Record,
    clock: Arc<AtomicU64>,
}

impl Scene {
    fn new(mode: Mode, options: Options) -> Self {
        Self::at(None, mode, options)
    }

    /// Returns a scene at a terminal of a size.
    fn at(size: Option<Size>, mode: Mode, options: Options) -> Self {
        let clock = Arc::new(AtomicU64::new(0));
        let read = Arc::clone(&clock);
        let now = move || Duration::from_millis(read.load(Ordering::Relaxed));
        let record = Record::default();
        record.0.lock().unwrap().size = size;
        Self {
            printer: Printer::new(mode, record.clone(), options, Clock::new(now)).unwrap(),
            record,
            clock,
        }
    }

    /// Returns a scene that prints after every update.
    fn plain() -> Self {
        Self::new(
            Mode::Plain,
            Options {
                refresh: Some(Duration::ZERO),
                ..Options::default()
            },
        )
    }

    fn time(&mut self, milliseconds: u64) -> &mut Self {
        self.clock.store(milliseconds, Ordering::Relaxed);
        self
    }

    fn status(&mut self, status: &SolveStatus) -> &mut Self {
        self.printer.update(status).unwrap();
        self
    }

    fn vertexes(&mut self, vertexes: &[Vertex]) -> &mut Self {
        self.status(&SolveStatus {
            vertexes: vertexes.to_vec(),
            ..SolveStatus::default()
        })
    }

    fn works(&mut self, statuses: &[VertexStatus]) -> &mut Self {
        self.status(&SolveStatus {
            statuses: statuses.to_vec(),
            ..SolveStatus::default()
        })
    }

    /// Adds a log at the clock's time.
    fn log(&mut self, vertex: &str, data: impl AsRef<[u8]>) -> &mut Self {
        let now = self.clock.load(Ordering::Relaxed);
        self.status(&SolveStatus {
            logs: vec![VertexLog {
                vertex: format!("sha256:{vertex}"),
                stream: 1,
                data: data.as_ref().to_vec().into(),
                timestamp: at(now),
            }],
            ..SolveStatus::default()
        })
    }

    /// Returns the text that was written since the last call.
    fn text(&mut self) -> String {
        std::mem::take(&mut self.record.0.lock().unwrap().text)
    }

    fn finished(&mut self) -> String {
        self.printer.finish().unwrap();
        self.text()
    }
}

#[test]
fn quiet_and_none_print_nothing_but_keep_warnings() {
    for mode in [Mode::Quiet, Mode::None] {
        let mut scene = Scene::new(mode, Options::default());
        scene.vertexes(&[failed("a", 0, 1, "no")]);
        scene.status(&SolveStatus {
            warnings: vec![warning("a", "w")],
            ..SolveStatus::default()
        });
        assert_eq!(scene.finished(), "");
        assert_eq!(scene.printer.warnings().count(), 1);
    }
}

#[test]
fn rawjson_is_a_line_for_each_status() {
    let mut scene = Scene::new(Mode::RawJson, Options::default());
    scene.vertexes(&[done("a", 0, 1)]);
    scene.log("a", "\x1b[2J\n");
    scene.works(&[work("a", "<a> & \u{2028}", 1, 0, 0, 1)]);
    assert_eq!(
        scene.finished(),
        concat!(
            r#"{"vertexes":[{"digest":"sha256:a","name":"a","started":"1970-01-12T13:46:40Z","completed":"1970-01-12T13:46:40.001Z"}]}"#,
            "\n",
            r#"{"logs":[{"vertex":"sha256:a","stream":1,"data":"G1sySgo=","timestamp":"1970-01-12T13:46:40Z"}]}"#,
            "\n",
            r#"{"statuses":[{"id":"\u003ca\u003e \u0026 \u2028","vertex":"sha256:a","current":1,"#,
            r#""timestamp":"1970-01-12T13:46:40.001Z","started":"1970-01-12T13:46:40Z"}]}"#,
            "\n",
        )
    );
}

#[test]
fn a_broken_pipe_is_the_end_and_no_error() {
    struct Fails(io::ErrorKind, usize);
    impl Write for Fails {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            self.1 += 1;
            assert_eq!(self.1, 1, "written to a pipe that is broken");
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let status = SolveStatus {
        vertexes: vec![cached("a", 0)],
        ..SolveStatus::default()
    };
    let print = |kind| {
        let options = Options::default();
        let mut printer =
            Printer::new(Mode::Plain, Fails(kind, 0), options, Clock::system()).unwrap();
        printer.update(&status)?;
        printer.finish()
    };
    print(io::ErrorKind::BrokenPipe).unwrap();
    let error = print(io::ErrorKind::StorageFull).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
}

#[test]
fn auto_depends_on_the_terminal() {
    let terminal = Some(Size::default());
    let dumb = Options::from_environment(|name| (name == "TERM").then(|| "dumb".into()));
    for (size, mode, options, is_tty) in [
        (terminal, Mode::Auto, Options::default(), true),
        (None, Mode::Auto, Options::default(), false),
        (terminal, Mode::Auto, dumb.clone(), false),
        (terminal, Mode::Tty, dumb, true),
        (terminal, Mode::Plain, Options::default(), false),
        (terminal, Mode::RawJson, Options::default(), false),
        (terminal, Mode::None, Options::default(), false),
    ] {
        let mut scene = Scene::at(size, mode, options);
        assert_eq!(scene.printer.is_tty(), is_tty, "{mode}");
        scene.vertexes(&[done("a", 0, 1)]);
        scene.finished();
        assert_eq!(scene.record.0.lock().unwrap().frames > 0, is_tty, "{mode}");
    }
}

#[test]
fn the_rate_is_set_in_milliseconds() {
    let scene = |text: &'static str| {
        let options =
            Options::from_environment(|name| (name == "TTY_DISPLAY_RATE").then(|| text.into()));
        Scene::new(Mode::Plain, options)
    };
    for (text, tick, wait) in [
        ("20", 20, 20),
        ("x", 150, 100),
        ("-1", 150, 100),
        ("0", 150, 0),
    ] {
        let mut scene = scene(text);
        let interval = scene.printer.tick_interval();
        assert_eq!(interval, Duration::from_millis(tick), "{text}");
        scene.vertexes(&[vertex("a", 0)]);
        scene.text();
        if let Some(before) = u64::checked_sub(wait, 1) {
            scene.time(before).log("a", "x\n");
            assert_eq!(scene.text(), "", "{text}");
        }
        scene.time(wait).log("a", "y\n");
        assert!(scene.text().ends_with(" y\n"), "{text}");
    }
}

#[test]
fn the_same_warning_counts_once() {
    let mut scene = Scene::new(Mode::Quiet, Options::default());
    let mut other = warning("b", "one");
    other.url = "https://x".into();
    scene.status(&SolveStatus {
        warnings: vec![
            warning("a", "one"),
            warning("b", "one"),
            warning("a", "two"),
            other,
        ],
        ..SolveStatus::default()
    });
    let shorts = |scene: &Scene| {
        let list = scene.printer.warnings().list().iter();
        list.map(|warning| warning.short.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(shorts(&scene), ["one", "two", "one"]);
    assert_eq!(scene.printer.warnings().count(), 3);
    for number in 0..2_000 {
        scene.status(&SolveStatus {
            warnings: vec![warning("a", &format!("{number} {}", "x".repeat(10_000)))],
            ..SolveStatus::default()
        });
    }
    // Those that are not kept count.
    assert_eq!(scene.printer.warnings().count(), 2_003);
    let bytes: usize = shorts(&scene).iter().map(|short| short.len()).sum();
    assert!(bytes < 5 << 20, "{bytes}");
}

#[test]
fn modes_are_parsed() {
    for (name, mode) in MODES {
        assert_eq!(name.parse::<Mode>().unwrap(), mode);
        assert_eq!(mode.to_string(), name);
    }
    assert_eq!("".parse::<Mode>().unwrap(), Mode::Auto);
    assert_eq!(
        "Plain".parse::<Mode>().unwrap_err().to_string(),
        "invalid progress mode Plain: choose one of auto, none, plain, quiet, rawjson and tty"
    );
    assert_eq!(
        Printer::new(Mode::Tty, Vec::new(), Options::default(), Clock::system())
            .unwrap_err()
            .to_string(),
        "failed to get console: provided file is not a console"
    );
    assert_eq!(
        Mode::resolve(Mode::Auto, Some("rawjson")),
        Ok(Mode::RawJson)
    );
    assert_eq!(Mode::resolve(Mode::Plain, Some("rawjson")), Ok(Mode::Plain));
    assert_eq!(Mode::resolve(Mode::Auto, Some("")), Ok(Mode::Auto));
    assert!(Mode::resolve(Mode::Auto, Some("x")).is_err());
}

#[test]
fn targets_are_named_in_the_names_of_vertexes() {
    let mut status = SolveStatus {
        vertexes: vec![vertex("[internal] load", 0), vertex("exporting", 0)],
        ..SolveStatus::default()
    };
    prefix(&mut status, "app");
    assert_eq!(status.vertexes[0].name, "[app internal] load");
    assert_eq!(status.vertexes[1].name, "[app] exporting");
}
