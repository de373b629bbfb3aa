//! The lines of a vertex.

use super::*;

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
fn work_of_several_vertexes_with_the_same_name_counts_as_one() {
    let mut scene = Scene::plain();
    scene.vertexes(&[vertex("a", 0)]);
    scene.works(&[work("a", "transferring context:", 100, 0, 0, 0)]);
    assert_eq!(scene.text(), "#1 a\n#1 transferring context: 100B\n");
    scene.vertexes(&[done("a", 0, 100)]);
    assert_eq!(scene.text(), "#1 DONE 0.1s\n");
    scene.vertexes(&[vertex("b", 100)]);
    scene.works(&[work("b", "transferring context:", 50, 0, 100, 200)]);
    assert_eq!(scene.text(), "\n#2 b\n", "less than five seconds later");
    scene.works(&[worked("b", "transferring context:", 200, 0, 100, 300)]);
    assert_eq!(scene.text(), "#2 transferring context: 200B 0.2s done\n");
}

#[test]
fn tabs_of_an_instruction_stay() {
    let mut scene = Scene::plain();
    scene.vertexes(&[cached("[1/1] RUN a && \tb\nc ", 0)]);
    assert_eq!(scene.finished(), "#1 [1/1] RUN a && \tb c \n#1 CACHED\n");
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
    assert_eq!(scene.printer.warnings().count(), 3);
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
