//! The tty format: whole screens at chosen moments.

use super::*;

const SIZE: Size = Size {
    width: 60,
    height: 24,
};

impl Scene {
    fn tty(size: Size) -> Self {
        Self::tty_with(
            size,
            Options {
                label: Some(label("b", "docker-container")),
                ..Options::default()
            },
        )
    }

    fn tty_with(size: Size, options: Options) -> Self {
        let options = Options {
            refresh: Some(Duration::ZERO),
            ..options
        };
        Self::at(Some(size), Mode::Tty, options)
    }

    /// Draws, and returns the lines without colours.
    fn screen(&mut self) -> Vec<String> {
        self.printer.tick().unwrap();
        self.last_frame()
    }

    fn last_frame(&self) -> Vec<String> {
        let recorded = self.record.0.lock().unwrap();
        let size = recorded.size.unwrap();
        let lines = recorded.frame.lines.iter();
        lines
            .map(|line| {
                assert!(line.width <= size.width, "{line:?}");
                iechor_text::clean_line(&line.text, 1000)
            })
            .collect()
    }

    /// Returns the lines with their colours.
    fn coloured(&mut self) -> Vec<String> {
        self.printer.tick().unwrap();
        let recorded = self.record.0.lock().unwrap();
        recorded
            .frame
            .lines
            .iter()
            .map(|line| line.text.clone())
            .collect()
    }

    fn resize(&mut self, width: usize, height: usize) {
        self.record.0.lock().unwrap().size = Some(Size { width, height });
    }
}

/// Returns a line as it is expected: a text, and another one at the right.
fn row(left: &str, right: &str, width: usize) -> String {
    format!("{left:<space$} {right}", space = width - 2 - right.len())
}

/// Returns a line of a job on a screen of [`SIZE`].
fn line(left: &str, right: &str) -> String {
    row(left, right, SIZE.width)
}

fn header(left: &str) -> String {
    line(left, "docker-container:b")
}

#[test]
fn a_build_from_its_start_to_its_end() {
    let mut scene = Scene::tty(SIZE);
    assert_eq!(
        scene.screen(),
        [""; 0],
        "nothing is shown before there is a step"
    );
    scene.vertexes(&[
        vertex("[internal] load build definition", 0),
        Vertex {
            started: None,
            ..vertex("[2/2] RUN make", 0)
        },
    ]);
    assert_eq!(
        scene.screen(),
        [
            header("[+] Building 0.0s (0/2)"),
            line(" => [internal] load build definition", "0.0s"),
        ]
    );
    scene.time(1_240);
    scene.works(&[work(
        "[internal] load build definition",
        "transferring dockerfile:",
        30,
        0,
        1000,
        1240,
    )]);
    assert_eq!(
        scene.screen(),
        [
            header("[+] Building 1.2s (0/2)"),
            line(" => [internal] load build definition", "1.2s"),
            line(" => => transferring dockerfile: 30B", "0.2s"),
        ]
    );
    scene.time(2_000);
    scene.works(&[worked(
        "[internal] load build definition",
        "transferring dockerfile:",
        62,
        0,
        1000,
        1500,
    )]);
    scene.vertexes(&[
        done("[internal] load build definition", 0, 1_500),
        cached("[1/2] FROM busybox", 1_600),
        vertex("[2/2] RUN make", 1_700),
    ]);
    scene.log("[2/2] RUN make", "compiling\r\n10%\r20%");
    assert_eq!(
        scene.screen(),
        [
            header("[+] Building 2.0s (2/3)"),
            line(" => [internal] load build definition", "1.5s"),
            line(" => => transferring dockerfile: 62B", "0.5s"),
            line(" => CACHED [1/2] FROM busybox", "0.0s"),
            line(" => [2/2] RUN make", "0.3s"),
            " => => # compiling".into(),
            " => => # 20%".into(),
        ]
    );
    scene
        .time(12_300)
        .vertexes(&[done("[2/2] RUN make", 1_700, 12_300)]);
    // No window, because the step has ended; FINISHED only at the end.
    assert_eq!(scene.screen()[0], header("[+] Building 12.3s (3/3)"));
    assert_eq!(scene.finished(), "");
    assert_eq!(
        scene.last_frame(),
        [
            header("[+] Building 12.3s (3/3) FINISHED"),
            line(" => [internal] load build definition", "1.5s"),
            line(" => => transferring dockerfile: 62B", "0.5s"),
            line(" => CACHED [1/2] FROM busybox", "0.0s"),
            line(" => [2/2] RUN make", "10.6s"),
        ]
    );
    assert!(scene.record.0.lock().unwrap().was_left);
}

#[test]
fn a_pull_shows_amounts() {
    let mut scene = Scene::tty(SIZE);
    scene.vertexes(&[vertex("[1/1] FROM busybox", 0)]);
    scene.works(&[
        work(
            "[1/1] FROM busybox",
            "sha256:aa",
            1_048_576,
            3_370_706,
            0,
            100,
        ),
        worked("[1/1] FROM busybox", "extracting sha256:bb", 0, 0, 0, 2_000),
    ]);
    scene.time(2_500);
    assert_eq!(
        scene.screen()[1..],
        [
            line(" => [1/1] FROM busybox", "2.5s"),
            line(" => => sha256:aa 1.05MB / 3.37MB", "2.5s"),
            line(" => => extracting sha256:bb", "2.0s"),
        ]
    );
}

#[test]
fn a_failure_shows_its_whole_output_below_the_screen() {
    let mut scene = Scene::tty(SIZE);
    scene.vertexes(&[vertex("[2/2] RUN make", 0), vertex("other", 0)]);
    scene.time(1_500).log(
        "[2/2] RUN make",
        (1..=12).map(|n| format!("line {n}\n")).collect::<String>() + "partial",
    );
    assert_eq!(scene.screen().len(), 1 + 2 + 6, "a window has six lines");
    scene.time(2_000).vertexes(&[
        failed("[2/2] RUN make", 0, 2_000, "exit code: 2"),
        failed("other", 0, 2_000, "rpc error: context canceled"),
    ]);
    let text = scene.finished();
    assert_eq!(
        scene.last_frame(),
        [
            header("[+] Building 2.0s (2/2) FINISHED"),
            line(" => ERROR [2/2] RUN make", "2.0s"),
            line(" => CANCELED other", "2.0s"),
        ]
    );
    let lines: String = (1..=12).map(|n| format!("1.500 line {n}\n")).collect();
    assert_eq!(
        text,
        format!("------\n > [2/2] RUN make:\n{lines}1.500 partial\n------\n")
    );
}

#[test]
fn completed_lines_give_way_on_a_low_screen() {
    let mut scene = Scene::tty(Size {
        width: 60,
        height: 8,
    });
    let names: Vec<String> = (0..10).map(|number| format!("step {number}")).collect();
    let steps: Vec<Vertex> = names
        .iter()
        .enumerate()
        .map(|(number, name)| {
            if number == 1 || number == 8 {
                vertex(name, 0)
            } else {
                done(name, 0, 0)
            }
        })
        .collect();
    scene.vertexes(&steps);
    let shown = scene.screen();
    let shown: Vec<&str> = shown
        .iter()
        .map(|line| line.split("  ").next().unwrap())
        .collect();
    // Eight rows: the header, six steps, and the row of the cursor. The running step 1 is further up.
    assert_eq!(
        shown,
        [
            "[+] Building 0.0s (8/10)",
            " => step 1",
            " => step 5",
            " => step 6",
            " => step 7",
            " => step 8",
            " => step 9"
        ]
    );
    // At the end, all of them are shown.
    scene.finished();
    assert_eq!(scene.last_frame().len(), 11);
}

#[test]
fn windows_open_where_there_is_space() {
    let mut scene = Scene::tty(Size {
        width: 60,
        height: 24,
    });
    scene.vertexes(&[vertex("a", 0), vertex("b", 0), vertex("c", 0)]);
    scene
        .log("a", "from a\n")
        .log("c", "more output\n".repeat(50) + "from c\n");
    // 24 - 2 - 3 rows are free; each window may need 6 + 3.
    let open = |scene: &mut Scene| {
        let screen = scene.screen();
        ["from a", "from c"].map(|text| screen.iter().any(|line| line.contains(text)))
    };
    assert_eq!(open(&mut scene), [true, true]);
    scene.resize(60, 23);
    assert_eq!(open(&mut scene), [false, true], "the one with more output");
    scene.resize(60, 14);
    assert_eq!(open(&mut scene), [false, false]);
    scene.resize(60, 24);
    assert_eq!(open(&mut scene), [true, true]);
}

#[test]
fn the_number_of_log_lines_is_set() {
    let lines = |value: &'static str, height| {
        let options = Options::from_environment(|name| {
            (name == "BUILDKIT_TTY_LOG_LINES").then(|| value.into())
        });
        let mut scene = Scene::tty_with(Size { width: 60, height }, options);
        scene.vertexes(&[vertex("a", 0)]);
        scene.log("a", (0..100).map(|n| format!("{n}\n")).collect::<String>());
        scene.screen().len() - 2
    };
    assert_eq!(lines("10", 40), 10);
    assert_eq!(lines("10", 16), 9, "as many as there is space for");
    assert_eq!(lines("10", 13), 6);
    assert_eq!(lines("10", 12), 0, "no space");
    assert_eq!(lines("2", 40), 6, "six at least");
    assert_eq!(lines("x", 40), 6);
    assert_eq!(lines("0", 40), 6);
}

#[test]
fn colours_say_how_it_ended() {
    let mut scene = Scene::tty_with(SIZE, Options::default());
    scene.vertexes(&[
        done("good", 0, 1),
        failed("bad", 0, 1, "no"),
        failed("stopped", 0, 1, "context canceled"),
        vertex("running", 0),
    ]);
    scene.status(&SolveStatus {
        warnings: vec![warning("good", "Rule: do not")],
        ..SolveStatus::default()
    });
    scene.log("running", "\x1b[31mred\n");
    let colours: Vec<String> = scene
        .coloured()
        .iter()
        .map(|line| {
            let start = line
                .split_once('m')
                .filter(|(start, _)| start.starts_with('\x1b'));
            let word = line
                .trim_end_matches("\x1b[0m")
                .split("=> ")
                .last()
                .unwrap();
            let word = word.split("  ").next().unwrap();
            format!("{} {word}", start.map_or("", |(start, _)| &start[2..]))
        })
        .collect();
    assert_eq!(
        colours[1..],
        [
            "34 good",
            "33 WARN: Rule: do not",
            "31 ERROR bad",
            "33 CANCELED stopped",
            " running",
            // Output of steps has no colours of its own.
            "2 # red",
        ]
    );
    let plain = Options {
        palette: Palette::plain(),
        ..Options::default()
    };
    let mut scene = Scene::tty_with(SIZE, plain);
    scene.vertexes(&[done("good", 0, 1), failed("bad", 0, 1, "no")]);
    assert!(scene.coloured().iter().all(|line| !line.contains('\x1b')));
}

#[test]
fn a_screen_follows_its_size() {
    let mut scene = Scene::tty(SIZE);
    scene.vertexes(&[vertex("[1/1] RUN 日本語日本語日本語日本語", 0)]);
    for width in [60, 200] {
        scene.resize(width, 24);
        let expected = row("[+] Building 0.0s (0/1)", "docker-container:b", width);
        assert_eq!(scene.screen()[0], expected);
    }
    scene.resize(30, 24);
    assert_eq!(
        scene.screen(),
        [
            "[+] Building 0.0s (0/1)  docke",
            " => [1/1] RUN 日本語日   0.0s"
        ]
    );
    // Too narrow for names: the header only.
    scene.resize(20, 24);
    assert_eq!(scene.screen(), ["[+] Building 0.0s (0"]);
    scene.resize(1, 1);
    assert_eq!(scene.screen(), ["["]);
}

#[test]
fn time_is_that_of_the_first_step() {
    // The display sees the first step when it has been running for a while: times are shown as if it had
    // started now, as BuildKit's display does.
    let mut scene = Scene::tty(SIZE);
    scene.time(500).vertexes(&[vertex("a", 100_000)]);
    scene.time(2_500);
    assert_eq!(
        scene.screen(),
        [header("[+] Building 2.0s (0/1)"), line(" => a", "2.0s")]
    );
}

#[test]
fn groups_are_counted_once() {
    let member = |digest: &str, started: Option<u64>| Vertex {
        digest: digest.into(),
        name: "hidden".into(),
        started: started.map(at),
        completed: started.map(at),
        progress_group: Some(ProgressGroup {
            id: "g".into(),
            name: "COPY --link . .".into(),
            weak: false,
        }),
        ..Vertex::default()
    };
    let mut scene = Scene::tty(SIZE);
    scene.vertexes(&[member("1", Some(0)), member("2", None), done("a", 0, 0)]);
    assert_eq!(
        scene.screen(),
        [
            header("[+] Building 0.0s (2/2)"),
            line(" => a", "0.0s"),
            line(" => COPY --link . .", "0.0s"),
        ]
    );
}

#[test]
fn draws_are_held_back_for_a_moment() {
    let mut scene = Scene::at(Some(SIZE), Mode::Tty, Options::default());
    let frames = |scene: &Scene| scene.record.0.lock().unwrap().frames;
    scene.vertexes(&[vertex("a", 0)]);
    assert_eq!(frames(&scene), 1);
    scene.time(99).log("a", "x\n");
    assert_eq!(frames(&scene), 1);
    scene.time(100).log("a", "y\n");
    assert_eq!(frames(&scene), 2);
}
