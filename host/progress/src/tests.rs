//! The expected texts are written by hand from the rules of the format, not copied from output.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use iechor_buildkit::status::{ProgressGroup, Vertex, VertexLog, VertexStatus, VertexWarning};

use super::*;

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

/// A printer with a clock that stands still until it is set.
struct Scene {
    printer: Printer<Vec<u8>>,
    clock: Arc<AtomicU64>,
}

impl Scene {
    fn new(mode: Mode, options: Options) -> Self {
        let clock = Arc::new(AtomicU64::new(0));
        let read = Arc::clone(&clock);
        let now = move || Duration::from_millis(read.load(Ordering::Relaxed));
        Self {
            printer: Printer::new(mode, Vec::new(), options, Clock::new(now)).unwrap(),
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
        let writer = self.printer.writer.as_mut().unwrap();
        String::from_utf8(std::mem::take(writer)).unwrap()
    }

    fn finished(&mut self) -> String {
        self.printer.finish().unwrap();
        self.text()
    }
}

#[test]
fn booting_a_builder() {
    let boot = "[internal] booting buildkit";
    let pull = "pulling image moby/buildkit:buildx-stable-1";
    let create = "creating container buildx_buildkit_x0";
    let mut scene = Scene::new(
        Mode::Auto,
        Options {
            description: Some(description("x", "docker-container")),
            refresh: Some(Duration::ZERO),
            ..Options::default()
        },
    );
    scene.vertexes(&[vertex(boot, 0)]);
    scene.works(&[work(boot, pull, 0, 0, 50, 50)]);
    scene.works(&[worked(boot, pull, 0, 0, 50, 1450)]);
    scene.works(&[work(boot, create, 0, 0, 1450, 1450)]);
    scene.works(&[worked(boot, create, 0, 0, 1450, 2050)]);
    scene.vertexes(&[done(boot, 0, 2100)]);
    scene.vertexes(&[cached("[1/2] FROM alpine", 2200)]);
    assert_eq!(
        scene.finished(),
        "\
#0 building with \"x\" instance using docker-container driver

#1 [internal] booting buildkit
#1 pulling image moby/buildkit:buildx-stable-1
#1 pulling image moby/buildkit:buildx-stable-1 1.4s done
#1 creating container buildx_buildkit_x0
#1 creating container buildx_buildkit_x0 0.6s done
#1 DONE 2.1s

#2 [1/2] FROM alpine
#2 CACHED
"
    );
    assert_eq!(scene.finished(), "");
}

#[test]
fn numbers_follow_the_first_print_not_the_arrival() {
    let mut scene = Scene::plain();
    // Announced, but not started: nothing is shown, and there is no number.
    scene.vertexes(&[
        Vertex {
            started: None,
            ..vertex("a", 0)
        },
        Vertex {
            started: None,
            ..vertex("b", 0)
        },
    ]);
    assert_eq!(scene.text(), "");
    scene.vertexes(&[done("b", 0, 1000)]);
    scene.vertexes(&[done("a", 1000, 1040)]);
    assert_eq!(
        scene.finished(),
        "#1 b\n#1 DONE 1.0s\n\n#2 a\n#2 DONE 0.0s\n"
    );
}

#[test]
fn several_that_end_together_come_in_the_order_of_their_end() {
    let mut scene = Scene::plain();
    scene.vertexes(&[
        done("late", 0, 300),
        done("early", 0, 100),
        cached("middle", 200),
    ]);
    assert_eq!(
        scene.finished(),
        "#1 early\n#1 DONE 0.1s\n\n#2 middle\n#2 CACHED\n\n#3 late\n#3 DONE 0.3s\n"
    );
}

#[test]
fn interleaved_vertexes() {
    let mut scene = Scene::plain();
    scene.vertexes(&[vertex("a", 0)]);
    assert_eq!(scene.text(), "#1 a\n");
    scene.time(100).vertexes(&[vertex("b", 100)]);
    scene.time(200).log("b", "from b\n");
    scene.time(250).log("a", "from a\n");
    assert_eq!(scene.text(), "#1 0.250 from a\n", "b waits");
    scene.time(300).vertexes(&[done("b", 100, 300)]);
    assert_eq!(
        scene.text(),
        "#1 ...\n\n#2 b\n#2 0.100 from b\n#2 DONE 0.2s\n"
    );
    scene.time(400).log("a", "more\n");
    assert_eq!(scene.text(), "\n#1 a\n#1 0.400 more\n");
    scene.time(500).vertexes(&[done("a", 0, 500)]);
    assert_eq!(scene.finished(), "#1 DONE 0.5s\n");
}

#[test]
fn a_vertex_that_waited_long_is_shown() {
    let mut scene = Scene::plain();
    scene.vertexes(&[vertex("a", 0)]);
    scene.time(100).vertexes(&[vertex("b", 100)]);
    for second in 1..=10 {
        scene.time(second * 1000).log("a", format!("{second}\n"));
    }
    assert!(!scene.text().contains('b'));
    scene.time(10_200).log("a", "last\n");
    assert_eq!(scene.text(), "#1 10.20 last\n#1 ...\n\n#2 b\n");
    // b has had its share: it is left as soon as another vertex prints.
    scene.time(10_300).log("a", "again\n");
    assert_eq!(scene.text(), "#2 ...\n\n#1 a\n#1 10.30 again\n");
    // a has its share again.
    scene.time(11_000).log("b", "late\n");
    assert_eq!(scene.text(), "");
    scene.time(12_000).vertexes(&[done("a", 0, 12_000)]);
    assert_eq!(scene.text(), "#1 DONE 12.0s\n\n#2 b\n#2 10.90 late\n");
}

#[test]
fn the_one_that_says_more_is_shown_after_its_share_of_time() {
    let mut scene = Scene::plain();
    scene.vertexes(&[vertex("a", 0)]);
    scene.time(1000).vertexes(&[vertex("b", 1000)]);
    for line in 2..=8 {
        scene.log("b", format!("{line}\n"));
    }
    // a: 2 events in 6 s, b: 8 in 5 s. The share of a is 5 s / (1 - 0.17) = 6.04 s.
    scene.time(6000).log("a", "x\n");
    assert_eq!(scene.text(), "#1 a\n#1 6.000 x\n");
    // a: 3 in 8 s, b: 8 in 7 s: 5 s / (1 - 0.25) = 6.6 s.
    scene.time(8000).log("a", "y\n");
    let text = scene.text();
    assert!(
        text.starts_with("#1 8.000 y\n#1 ...\n\n#2 b\n#2 0.000 2\n"),
        "{text}"
    );
}

#[test]
fn a_vertex_that_is_silent_but_runs_is_shown_when_all_else_has_ended() {
    let mut scene = Scene::plain();
    scene.vertexes(&[vertex("a", 0)]);
    scene.time(10).vertexes(&[vertex("b", 10)]);
    scene.time(20).vertexes(&[done("a", 0, 20)]);
    assert_eq!(scene.text(), "#1 a\n#1 DONE 0.0s\n\n#2 b\n");
    scene.time(30).vertexes(&[done("b", 10, 30)]);
    assert_eq!(scene.finished(), "#2 DONE 0.0s\n");
}

#[test]
fn lines_that_arrive_in_pieces() {
    let mut scene = Scene::plain();
    scene.vertexes(&[vertex("a", 0)]);
    scene.time(100).log("a", "ab");
    assert_eq!(scene.text(), "#1 a\n#1 0.100 ab");
    scene.time(200).log("a", "c\nd");
    assert_eq!(scene.text(), "c\n#1 0.200 d");
    scene.log("a", "");
    assert_eq!(scene.text(), "");
    scene.time(300).vertexes(&[cached("b", 300)]);
    assert_eq!(scene.text(), "\n#1 ...\n\n#2 b\n#2 CACHED\n");
    // The line is repeated completely, with the time of its beginning.
    scene.time(400).log("a", " e\n");
    assert_eq!(scene.text(), "\n#1 a\n#1 0.200 d e\n");
    scene.time(500).log("a", "\n\ntail");
    assert_eq!(scene.text(), "#1 0.500 \n#1 0.500 \n#1 0.500 tail");
    scene.time(600).vertexes(&[done("a", 0, 600)]);
    assert_eq!(scene.finished(), "\n#1 DONE 0.6s\n");
}

#[test]
fn an_open_line_ends_when_the_printer_does() {
    let mut scene = Scene::plain();
    scene.vertexes(&[vertex("a", 0)]);
    scene.time(100).log("a", "\x1b[31mhalf");
    assert_eq!(scene.finished(), "#1 a\n#1 0.100 \x1b[31mhalf\x1b[0m\n");
}

#[test]
fn a_line_without_end_is_broken() {
    let mut scene = Scene::plain();
    scene.vertexes(&[vertex("a", 0)]);
    for _ in 0..3 {
        scene.log("a", vec![b'x'; 40_000]);
    }
    let text = scene.finished();
    let lengths: Vec<usize> = text.lines().map(str::len).collect();
    assert_eq!(
        lengths,
        [4, 80_000 + "#1 0.000 ".len(), 40_000 + "#1 0.000 ".len()]
    );
}

#[test]
fn log_times_count_from_the_newest_start_and_done_adds_the_intervals_up() {
    let mut scene = Scene::plain();
    scene.vertexes(&[done("a", 0, 1000)]);
    assert_eq!(scene.text(), "#1 a\n#1 DONE 1.0s\n");
    scene.time(5000).vertexes(&[vertex("a", 5000)]);
    assert_eq!(scene.text(), "\n#1 a\n");
    scene.time(5250).log("a", "x\n");
    assert_eq!(scene.text(), "#1 0.250 x\n");
    scene.time(6500).vertexes(&[done("a", 5000, 6500)]);
    assert_eq!(scene.text(), "#1 DONE 2.5s\n");
    // 0.5 to 3.0 covers the end of the first interval and nothing of the second.
    scene.vertexes(&[done("a", 500, 3000)]);
    assert_eq!(scene.text(), "\n#1 a\n#1 DONE 4.5s\n");
    // The same report again is not news.
    scene.vertexes(&[done("a", 500, 3000)]);
    // An announcement does not reset anything.
    scene.vertexes(&[Vertex {
        started: None,
        name: "other".into(),
        ..vertex("a", 0)
    }]);
    assert_eq!(scene.finished(), "");
}

#[test]
fn statuses_show_bytes_and_time() {
    let mut scene = Scene::plain();
    scene.vertexes(&[vertex("a", 0)]);
    scene.text();
    for (status, expected) in [
        (work("a", "s1", 0, 0, 0, 0), "#1 s1\n"),
        (work("a", "s2", 0, 3_370_706, 0, 5), "#1 s2 0B / 3.37MB\n"),
        (
            work("a", "s3", 1_048_576, 3_370_706, 0, 200),
            "#1 s3 1.05MB / 3.37MB 0.2s\n",
        ),
        (work("a", "s4", 999, 0, 0, 11), "#1 s4 999B 0.0s\n"),
        (worked("a", "s5", 32, 32, 0, 10), "#1 s5 32B / 32B done\n"),
        (worked("a", "s6", 0, 0, 0, 12_340), "#1 s6 12.3s done\n"),
        (
            worked("a", "sha256:\x1b]0;t\x07x\n#9 DONE", 1, 0, 0, 0),
            "#1 sha256:x #9 DONE 1B done\n",
        ),
    ] {
        scene.works(&[status]);
        assert_eq!(scene.text(), expected);
    }
    // A status that has not started is not shown.
    scene.works(&[VertexStatus {
        started: None,
        ..work("a", "s7", 1, 2, 0, 0)
    }]);
    scene.works(&[work("missing", "s8", 1, 2, 0, 0)]);
    assert_eq!(scene.text(), "");
}

#[test]
fn statuses_are_repeated_at_five_percent_or_five_seconds() {
    let mut scene = Scene::plain();
    scene.vertexes(&[vertex("a", 0)]);
    scene.text();
    for (status, expected) in [
        (work("a", "s", 0, 1000, 0, 0), "#1 s 0B / 1.00kB\n"),
        (work("a", "s", 49, 1000, 0, 1000), ""),
        (
            work("a", "s", 50, 1000, 0, 2000),
            "#1 s 50B / 1.00kB 2.0s\n",
        ),
        (work("a", "s", 50, 1000, 0, 6999), ""),
        (
            work("a", "s", 50, 1000, 0, 7000),
            "#1 s 50B / 1.00kB 7.0s\n",
        ),
        (work("a", "s", 60, 0, 0, 7100), ""),
        (
            worked("a", "s", 60, 1000, 0, 7200),
            "#1 s 60B / 1.00kB 7.2s done\n",
        ),
    ] {
        scene.works(&[status]);
        assert_eq!(scene.text(), expected);
    }
}

#[test]
fn a_vertex_ends_when_its_work_ends() {
    let mut scene = Scene::plain();
    scene.status(&SolveStatus {
        vertexes: vec![done("importing cache", 0, 100)],
        statuses: vec![work("importing cache", "reading", 0, 0, 0, 50)],
        ..SolveStatus::default()
    });
    assert_eq!(scene.text(), "#1 importing cache\n#1 reading 0.1s\n");
    scene.works(&[worked("importing cache", "reading", 0, 0, 0, 900)]);
    assert_eq!(scene.text(), "#1 reading 0.9s done\n#1 DONE 0.1s\n");
}

#[test]
fn warnings_come_before_logs_and_wait_for_a_print() {
    let mut scene = Scene::plain();
    scene.vertexes(&[vertex("a", 0)]);
    scene.text();
    scene.status(&SolveStatus {
        warnings: vec![
            warning("a", "Rule: do not\x1b[2J (line 3)"),
            warning("missing", "x"),
        ],
        ..SolveStatus::default()
    });
    assert_eq!(scene.text(), "");
    scene.time(100).log("a", "x\n");
    scene.status(&SolveStatus {
        vertexes: vec![done("a", 0, 200)],
        statuses: vec![worked("a", "s", 2, 0, 0, 150)],
        warnings: vec![warning("a", "two")],
        ..SolveStatus::default()
    });
    assert_eq!(
        scene.finished(),
        "#1 WARN: Rule: do not (line 3)\n#1 0.100 x\n#1 s 2B 0.1s done\n#1 WARN: two\n#1 DONE 0.2s\n"
    );
    assert_eq!(scene.printer.warnings(), 3);
}

#[test]
fn errors_end_with_the_last_ten_lines() {
    let mut scene = Scene::plain();
    scene.vertexes(&[vertex("[2/2] RUN make", 0)]);
    scene.vertexes(&[vertex("other", 0)]);
    let lines: String = (1..=12).map(|line| format!("line {line}\n")).collect();
    scene.time(1500).log("[2/2] RUN make", lines + "partial");
    scene.vertexes(&[
        failed(
            "[2/2] RUN make",
            0,
            2000,
            "process \"/bin/sh -c make\" did not complete successfully: exit code: 2",
        ),
        failed("other", 0, 2001, "rpc error: context canceled"),
    ]);
    let text = scene.finished();
    let (before, block) = text.split_once("------\n").unwrap();
    assert!(
        before.ends_with(
            "#1 1.500 line 12\n#1 1.500 partial\n#1 ERROR: process \"/bin/sh -c make\" did not complete successfully: exit code: 2\n\n#2 other\n#2 CANCELED\n"
        ),
        "{before}"
    );
    assert_eq!(
        format!("------\n{block}"),
        "\
------
 > [2/2] RUN make:
1.500 line 4
1.500 line 5
1.500 line 6
1.500 line 7
1.500 line 8
1.500 line 9
1.500 line 10
1.500 line 11
1.500 line 12
1.500 partial
------
"
    );
}

#[test]
fn failed_vertexes_come_in_the_order_of_their_start() {
    let mut scene = Scene::plain();
    scene.vertexes(&[vertex("first", 0), vertex("second", 1)]);
    scene.vertexes(&[
        failed("second", 1, 5, "no"),
        failed("first", 0, 9, "two\nlines\x1b[31m"),
    ]);
    let text = scene.finished();
    assert!(text.contains("ERROR: two\n  lines\n"), "{text}");
    assert!(
        text.ends_with("------\n > first:\n------\n------\n > second:\n------\n"),
        "{text}"
    );
}

#[test]
fn colours_pass_and_nothing_else() {
    let mut scene = Scene::plain();
    scene.vertexes(&[vertex("a\x1b[31m\x1b]0;title\x07\nb", 0)]);
    let digest = "a\x1b[31m\x1b]0;title\x07\nb";
    scene.log(
        digest,
        "\x1b[32mok\x1b[0m \x1b[1A\x1b[2K\x1b]0;owned\x07gone?\r\n",
    );
    scene.log(digest, "10%\r20%\r");
    scene.log(digest, "\x1b[8mhidden");
    assert_eq!(
        scene.text(),
        "#1 a b\n#1 0.000 \x1b[32mok\x1b[0m gone?\n#1 0.000 10%\n#1 0.000 20%\n#1 0.000 \x1b[8mhidden"
    );
    // Formatting that hides text ends with its line.
    scene.vertexes(&[cached("c", 0)]);
    assert_eq!(scene.text(), "\x1b[0m\n#1 ...\n\n#2 c\n#2 CACHED\n");
    scene.log(digest, " more\nnext\n");
    assert_eq!(
        scene.finished(),
        "\n#1 a b\n#1 0.000 \x1b[8mhidden more\x1b[0m\n#1 0.000 \x1b[8mnext\x1b[0m\n"
    );
}

#[test]
fn groups_are_one_vertex() {
    let member = |digest: &str, weak: bool, started: Option<u64>, completed: Option<u64>| Vertex {
        digest: digest.into(),
        name: "hidden name".into(),
        started: started.map(at),
        completed: completed.map(at),
        progress_group: Some(ProgressGroup {
            id: "g".into(),
            name: "copy of files".into(),
            weak,
        }),
        ..Vertex::default()
    };
    let mut scene = Scene::plain();
    scene.vertexes(&[
        member("1", true, Some(0), Some(100)),
        member("2", false, None, None),
    ]);
    assert_eq!(scene.text(), "", "only a weak member has started");
    scene.vertexes(&[member("2", false, Some(200), None)]);
    assert_eq!(scene.text(), "#1 copy of files\n");
    scene.time(300).status(&SolveStatus {
        logs: vec![VertexLog {
            vertex: "1".into(),
            stream: 1,
            data: "x\n".into(),
            timestamp: at(300),
        }],
        ..SolveStatus::default()
    });
    scene.vertexes(&[member("2", false, Some(200), Some(400))]);
    assert_eq!(scene.finished(), "#1 0.100 x\n#1 DONE 0.3s\n");
}

#[test]
fn prints_are_held_back_for_a_moment() {
    let mut scene = Scene::new(Mode::Plain, Options::default());
    scene.vertexes(&[vertex("a", 0)]);
    assert_eq!(scene.text(), "#1 a\n");
    scene.time(50).log("a", "x\n");
    scene.time(99).log("a", "y\n");
    assert_eq!(scene.text(), "");
    scene.time(100).log("a", "z\n");
    assert_eq!(scene.text(), "#1 0.050 x\n#1 0.099 y\n#1 0.100 z\n");
    scene.time(150).log("a", "w\n");
    scene.time(300).printer.tick().unwrap();
    assert_eq!(scene.text(), "#1 0.150 w\n");
    scene.printer.tick().unwrap();
    assert_eq!(scene.text(), "");
}

#[test]
fn long_names_are_cut_if_asked_for() {
    let name = format!("{}ä and more", "x".repeat(71));
    let mut scene = Scene::new(
        Mode::Plain,
        Options::from_environment(|name| (name == "PROGRESS_NO_TRUNC").then(|| "0".into())),
    );
    scene.vertexes(&[cached(&name, 0)]);
    assert_eq!(
        scene.finished(),
        format!("#1 {}...\n#1 CACHED\n", "x".repeat(71))
    );
    let mut scene = Scene::plain();
    scene.vertexes(&[cached(&name, 0)]);
    assert_eq!(scene.finished(), format!("#1 {name}\n#1 CACHED\n"));
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
        assert_eq!(scene.printer.warnings(), 1);
    }
}

#[test]
fn rawjson_is_a_line_for_each_status() {
    let mut scene = Scene::new(Mode::RawJson, Options::default());
    scene.vertexes(&[done("a", 0, 1)]);
    scene.log("a", "\x1b[2J\n");
    assert_eq!(
        scene.finished(),
        concat!(
            r#"{"vertexes":[{"digest":"sha256:a","name":"a","started":"1970-01-12T13:46:40Z","completed":"1970-01-12T13:46:40.001Z"}]}"#,
            "\n",
            r#"{"logs":[{"vertex":"sha256:a","stream":1,"data":"G1sySgo=","timestamp":"1970-01-12T13:46:40Z"}]}"#,
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
        "progress mode tty is not available yet: choose plain or auto"
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
