//! The order in which vertexes are shown.

use super::*;

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
