//! Every text of a status imitates the program and controls the terminal.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use iechor_buildkit::status::{
    ProgressGroup, SolveStatus, Vertex, VertexLog, VertexStatus, VertexWarning,
};
use iechor_progress::{Clock, Frame, Mode, Options, Output, Printer, Size, description, label};

use crate::{at, running};

const EVIL: &str = "v1\nERROR: x\r\nhint: run this\r#1 DONE 0.1s\u{2028}WARNING: y\x1b[2J\x1b]0;t\x07\
                    \u{9b}31m\u{202e}\u{200b}\0\u{85}ERROR: z\tend";

/// Renders a status with `EVIL` in every field.
fn shown(mode: Mode) -> String {
    let mut text = Vec::new();
    show(mode, &mut text);
    String::from_utf8(text).unwrap()
}

/// Shows a status with `EVIL` in every field.
fn show(mode: Mode, output: impl Output) {
    let vertex = |digest: &str| Vertex {
        inputs: vec![EVIL.into()],
        completed: Some(at(20)),
        error: EVIL.into(),
        ..running(digest, EVIL)
    };
    let options = Options {
        description: Some(description(EVIL, EVIL)),
        label: Some(label(EVIL, EVIL)),
        refresh: Some(Duration::ZERO),
        ..Options::default()
    };
    let mut printer = Printer::new(mode, output, options, Clock::system()).unwrap();
    for completed in [false, true] {
        let mut vertexes = vec![
            vertex(EVIL),
            Vertex {
                progress_group: Some(ProgressGroup {
                    id: EVIL.into(),
                    name: EVIL.into(),
                    weak: false,
                }),
                ..vertex("member")
            },
        ];
        if !completed {
            for vertex in &mut vertexes {
                vertex.completed = None;
            }
        }
        let of_both = |make: &dyn Fn(&str) -> SolveStatus| {
            let mut both = make(EVIL);
            let other = make("member");
            both.statuses.extend(other.statuses);
            both.logs.extend(other.logs);
            both.warnings.extend(other.warnings);
            both
        };
        let mut status = of_both(&|digest| SolveStatus {
            statuses: vec![VertexStatus {
                id: EVIL.into(),
                name: EVIL.into(),
                vertex: digest.into(),
                started: Some(at(0)),
                completed: Some(at(10)),
                timestamp: at(10),
                ..VertexStatus::default()
            }],
            logs: vec![VertexLog {
                vertex: digest.into(),
                stream: 1,
                data: EVIL.into(),
                timestamp: at(5),
            }],
            warnings: vec![VertexWarning {
                vertex: digest.into(),
                short: EVIL.into(),
                detail: vec![EVIL.into()],
                url: EVIL.into(),
                ..VertexWarning::default()
            }],
            ..SolveStatus::default()
        });
        status.vertexes = vertexes;
        printer.update(&status).unwrap();
    }
    printer.finish().unwrap();
}

#[test]
fn no_text_of_a_build_leaves_its_line() {
    let text = shown(Mode::Plain);
    assert_eq!(iechor_text::displayable(&text, true), text);
    // Every line that is not indented belongs to a step, is a rule, has the time of a log line, or
    // is empty.
    for line in text.lines() {
        let ours = line.is_empty()
            || line.starts_with(' ')
            || line == "------"
            || line.starts_with("0.005 ")
            || ["#0 building with ", "#1 v1", "#2 v1"]
                .iter()
                .any(|own| line.starts_with(own))
            || ["#1 ", "#2 "].iter().any(|number| {
                line.strip_prefix(number).is_some_and(|rest| {
                    ["0.005 ", "WARN: v1", "ERROR: v1", "..."]
                        .iter()
                        .any(|own| rest.starts_with(own))
                })
            });
        assert!(ours, "{line:?} in {text}");
    }
    // Colours, and formatting that hides text, end with their line.
    let coloured = text.lines().filter(|line| line.contains('\x1b'));
    for line in coloured {
        assert!(line.ends_with("\x1b[0m"), "{line:?}");
    }
    assert!(text.contains("\n  ERROR: x\n  hint: run this\n"), "{text}");
}

#[test]
fn no_text_of_a_build_leaves_its_line_of_a_frame() {
    /// A terminal that keeps every frame.
    #[derive(Clone, Default)]
    struct Terminal(Arc<Mutex<(Vec<Frame>, String)>>);
    impl Output for Terminal {
        fn append(&mut self, text: &str) -> io::Result<()> {
            self.0.lock().unwrap().1.push_str(text);
            Ok(())
        }
        fn size(&self) -> Option<Size> {
            Some(Size {
                width: 300,
                height: 50,
            })
        }
        fn show(&mut self, frame: Frame) -> io::Result<()> {
            self.0.lock().unwrap().0.push(frame);
            Ok(())
        }
    }
    let terminal = Terminal::default();
    show(Mode::Tty, terminal.clone());
    let shown = terminal.0.lock().unwrap();
    let lines = || shown.0.iter().flat_map(|frame| &frame.lines);
    assert!(lines().any(|line| line.text.contains(" => => # ")));
    for line in lines() {
        let text = iechor_text::displayable(&line.text, true);
        assert_eq!(text, line.text);
        assert!(!line.text.contains(['\n', '\t']), "{line:?}");
        // Every line begins with a mark of the format, and what a line begins with ends with it.
        let plain = iechor_text::clean_line(&line.text, 1000);
        assert!(
            plain.starts_with(" => ") || plain.starts_with("[+] Building "),
            "{line:?}"
        );
        assert!(
            !line.text.contains('\x1b') || line.text.ends_with("\x1b[0m"),
            "{line:?}"
        );
    }
    for line in shown.1.lines() {
        let ours = ["------", " > v1", "0.005 "]
            .iter()
            .any(|own| line.starts_with(own));
        assert!(ours, "{line:?}");
    }
}

#[test]
fn raw_json_means_the_same_and_steers_nothing() {
    let text = shown(Mode::RawJson);
    let bad = |c: char| c != '\n' && !iechor_text::is_displayable(c);
    assert!(!text.contains(bad), "{text:?}");
    assert_eq!(text.lines().count(), 2);
    for line in text.lines() {
        let status: SolveStatus = serde_json::from_str(line).unwrap();
        assert_eq!(status.vertexes[0].name, EVIL);
        assert_eq!(status.statuses[0].id, EVIL);
        assert_eq!(status.warnings[0].url, EVIL);
    }
}

#[test]
fn a_line_that_is_cut_by_another_report_goes_on_behind_its_number() {
    let options = Options {
        refresh: Some(Duration::ZERO),
        ..Options::default()
    };
    let log = |data: &'static str| SolveStatus {
        logs: vec![VertexLog {
            vertex: "a".into(),
            stream: 1,
            data: data.into(),
            timestamp: at(5),
        }],
        ..SolveStatus::default()
    };
    let work = SolveStatus {
        statuses: vec![VertexStatus {
            id: "work".into(),
            vertex: "a".into(),
            started: Some(at(0)),
            timestamp: at(5),
            ..VertexStatus::default()
        }],
        ..SolveStatus::default()
    };
    let mut text = Vec::new();
    let mut printer = Printer::new(Mode::Plain, &mut text, options, Clock::system()).unwrap();
    let start = SolveStatus {
        vertexes: vec![running("a", "a")],
        ..SolveStatus::default()
    };
    for status in [start, log("half"), work, log("ERROR: forged\n")] {
        printer.update(&status).unwrap();
    }
    printer.finish().unwrap();
    drop(printer);
    assert_eq!(
        String::from_utf8(text).unwrap(),
        "#1 a\n#1 0.005 half\n#1 work\n#1 0.005 halfERROR: forged\n"
    );
}

#[test]
fn a_line_that_is_too_long_hides_nothing_behind_it() {
    let options = Options {
        refresh: Some(Duration::ZERO),
        ..Options::default()
    };
    let mut text = Vec::new();
    let mut printer = Printer::new(Mode::Plain, &mut text, options, Clock::system()).unwrap();
    let status = SolveStatus {
        vertexes: vec![running("a", "a")],
        logs: vec![VertexLog {
            vertex: "a".into(),
            stream: 1,
            data: format!("\x1b[8m{}", "x".repeat(100_000)).into(),
            timestamp: at(5),
        }],
        ..SolveStatus::default()
    };
    printer.update(&status).unwrap();
    printer.finish().unwrap();
    drop(printer);
    let text = String::from_utf8(text).unwrap();
    for line in text.lines().filter(|line| line.contains('\x1b')) {
        assert!(line.ends_with("\x1b[0m"), "{}", &line[..20]);
    }
}
