//! Whole screens of a terminal emulator.

use std::cell::Cell;
use std::io::{self, Write};
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use iechor_buildkit::status::{SolveStatus, Vertex, VertexLog};
use iechor_progress::{Clock, Frame, Line, Mode, Options, Output, Printer, Size, label};
use vt100::Parser;

use super::super::owner::{Owner, Stream};
use super::{Narrowing, Screen};

thread_local! {
    static SIZE: Cell<Size> = const { Cell::new(Size { width: 40, height: 12 }) };
}

/// A terminal. As the line discipline of a real one does, it begins a line at the left.
struct Emulator(Parser);

impl Write for Emulator {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.0.process(piece.strip_suffix(b"\n").unwrap_or(piece));
            if piece.ends_with(b"\n") {
                self.0.process(b"\r\n");
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

type AtEmulator = Owner<Vec<u8>, Emulator>;

fn owner() -> AtEmulator {
    let size = SIZE.get();
    let emulator = Emulator(Parser::new(rows(size), columns(size), 100));
    let mut owner = Owner::new(Vec::new(), emulator, true);
    owner.set_terminal(|| SIZE.get(), Narrowing::Cuts);
    owner
}

/// Changes the size of the terminal.
fn resize(owner: &mut AtEmulator, width: usize, height: usize) {
    let size = Size { width, height };
    SIZE.set(size);
    owner
        .error_mut()
        .0
        .screen_mut()
        .set_size(rows(size), columns(size));
}

fn rows(size: Size) -> u16 {
    u16::try_from(size.height).expect("small")
}

fn columns(size: Size) -> u16 {
    u16::try_from(size.width).expect("small")
}

/// Returns the rows of the terminal, without the empty ones at the bottom.
fn shown(owner: &AtEmulator) -> Vec<String> {
    let screen = owner.error().0.screen();
    assert!(!screen.hide_cursor(), "the cursor is hidden");
    let rows = screen.rows(0, screen.size().1);
    let mut rows: Vec<String> = rows.map(|row| row.trim_end().to_owned()).collect();
    let used = rows.iter().rposition(|row| !row.is_empty());
    rows.truncate(used.map_or(0, |last| last + 1));
    rows
}

fn frame(lines: &[&str]) -> Frame {
    let line = |text: &&str| Line {
        text: (*text).to_owned(),
        width: text.chars().count(),
    };
    Frame {
        lines: lines.iter().map(line).collect(),
    }
}

fn show(owner: &mut AtEmulator, lines: &[&str]) {
    owner.frame(frame(lines)).expect("written");
}

fn say(owner: &mut AtEmulator, text: &str) {
    owner.lines(Stream::Error, text).expect("written");
}

#[test]
fn a_frame_replaces_the_one_before() {
    let mut owner = owner();
    show(&mut owner, &["head 1", "a long line", "b", "c"]);
    assert_eq!(shown(&owner), ["head 1", "a long line", "b", "c"]);
    show(&mut owner, &["head 2", "a"]);
    assert_eq!(shown(&owner), ["head 2", "a"]);
    show(&mut owner, &["head 3", "a", "b"]);
    owner.leave_frame();
    show(&mut owner, &["another"]);
    assert_eq!(shown(&owner), ["head 3", "a", "b", "another"]);
}

#[test]
fn messages_stand_above_the_frame() {
    let mut owner = owner();
    show(&mut owner, &["head", "step"]);
    say(&mut owner, "WARNING: x");
    show(&mut owner, &["head 2", "step", "step 2"]);
    say(&mut owner, "Cancelling");
    assert_eq!(
        shown(&owner),
        ["WARNING: x", "Cancelling", "head 2", "step", "step 2"]
    );
    // The last message of the program stands below it.
    owner.permit_frames(false);
    say(&mut owner, "ERROR: y");
    show(&mut owner, &["late"]);
    assert_eq!(
        shown(&owner),
        [
            "WARNING: x",
            "Cancelling",
            "head 2",
            "step",
            "step 2",
            "ERROR: y"
        ]
    );
}

#[test]
fn a_question_covers_the_frame() {
    let mut owner = owner();
    show(&mut owner, &["head", "step"]);
    owner.ask("Continue? [y/N] ".into());
    show(&mut owner, &["head 2", "step"]);
    assert_eq!(shown(&owner), ["Continue? [y/N]"]);
    owner.answered(true);
    assert_eq!(shown(&owner), ["Continue? [y/N]", "head 2", "step"]);
    owner.transient("10 %".into());
    assert_eq!(shown(&owner), ["Continue? [y/N]", "10 %"]);
    owner.end_transient();
    assert_eq!(shown(&owner), ["Continue? [y/N]", "head 2", "step"]);
    // The last frame does not wait for an answer.
    owner.ask("Continue? ".into());
    show(&mut owner, &["head 3"]);
    owner.leave_frame();
    assert_eq!(
        shown(&owner),
        ["Continue? [y/N]", "Continue?", "head 3", "Continue?"]
    );
}

#[test]
fn a_frame_scrolls_at_the_bottom() {
    let mut owner = owner();
    for number in 0..20 {
        say(&mut owner, &number.to_string());
    }
    show(&mut owner, &["head", "a", "b"]);
    show(&mut owner, &["head", "a", "b", "c"]);
    let screen = shown(&owner);
    assert_eq!(
        screen[screen.len() - 6..],
        ["18", "19", "head", "a", "b", "c"]
    );
    show(&mut owner, &["head"]);
    let screen = shown(&owner);
    assert_eq!(screen[screen.len() - 3..], ["18", "19", "head"]);
}

#[test]
fn a_terminal_that_gets_narrower_shows_whole_lines() {
    let mut owner = owner();
    say(&mut owner, "before");
    let long = "x".repeat(39);
    show(&mut owner, &[&long, &long, "c"]);
    resize(&mut owner, 20, 12);
    // A message at this moment comes before the next frame does.
    say(&mut owner, "message");
    let short = "y".repeat(19);
    show(&mut owner, &[&short, "b"]);
    assert_eq!(shown(&owner), ["before", "message", &short, "b"]);
    resize(&mut owner, 60, 12);
    show(&mut owner, &[&long, "b"]);
    assert_eq!(shown(&owner), ["before", "message", &long, "b"]);
}

#[test]
fn terminals_that_wrap_need_more_rows() {
    let screen = Screen::new(frame(&[&"x".repeat(79), "", "abc", &"x".repeat(40)]), 80);
    for (narrowing, width, rows) in [
        (Narrowing::Wraps, 80, 4),
        (Narrowing::Wraps, 100, 4),
        (Narrowing::Wraps, 40, 5),
        (Narrowing::Wraps, 20, 8),
        (Narrowing::Cuts, 20, 4),
    ] {
        assert_eq!(
            screen.rewind(width, narrowing),
            format!("\r\x1b[{rows}A"),
            "{narrowing:?} {width}"
        );
    }
    for (variables, narrowing) in [
        (&[("TERM", "xterm-256color")][..], Narrowing::Wraps),
        (
            &[("TERM", "xterm-256color"), ("XTERM_VERSION", "XTerm(390)")],
            Narrowing::Cuts,
        ),
        (
            &[("TERM", "screen-256color"), ("TMUX", "/x")],
            Narrowing::Wraps,
        ),
        (&[("TERM", "screen")], Narrowing::Cuts),
        (&[("TERM", "linux")], Narrowing::Cuts),
        (&[], Narrowing::Wraps),
    ] {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        assert_eq!(
            Narrowing::from_environment(variable),
            narrowing,
            "{variables:?}"
        );
    }
}

#[test]
fn lines_of_a_frame_steer_nothing() {
    let mut owner = owner();
    say(&mut owner, "before");
    show(
        &mut owner,
        &[
            "\x1b[31mred\x1b[0m\x1b[2J\x1b]0;title\x07\x1b[H",
            "two\nlines\r\x08",
        ],
    );
    let screen = shown(&owner);
    assert_eq!(screen, ["before", "red[2J]0;title[H", "twolines"]);
}

/// The output of a printer on the emulator.
#[derive(Clone)]
struct ToEmulator(Arc<Mutex<AtEmulator>>);

impl Output for ToEmulator {
    fn append(&mut self, text: &str) -> io::Result<()> {
        self.0.lock().expect("not poisoned").progress(text)
    }

    fn size(&self) -> Option<Size> {
        Some(SIZE.get())
    }

    fn show(&mut self, frame: Frame) -> io::Result<()> {
        self.0.lock().expect("not poisoned").frame(frame)
    }

    fn leave(&mut self) {
        self.0.lock().expect("not poisoned").leave_frame();
    }
}

fn at(milliseconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(milliseconds)
}

/// Returns a row with a text at its left and one at its right, on a terminal of 50 columns.
fn row(left: &str, right: &str) -> String {
    let wide = left
        .chars()
        .filter(|character| !character.is_ascii())
        .count();
    let space = 49 - left.chars().count() - wide - right.len();
    format!("{left}{:space$}{right}", "")
}

#[test]
fn a_build_on_a_terminal() {
    SIZE.set(Size {
        width: 50,
        height: 12,
    });
    let owner = ToEmulator(Arc::new(Mutex::new(owner())));
    let clock = Arc::new(AtomicU64::new(0));
    let read = Arc::clone(&clock);
    let now = move || Duration::from_millis(read.load(Ordering::Relaxed));
    let options = Options {
        label: Some(label("b", "remote")),
        refresh: Some(Duration::ZERO),
        ..Options::default()
    };
    let mut printer =
        Printer::new(Mode::Auto, owner.clone(), options, Clock::new(now)).expect("a terminal");
    let mut status = SolveStatus::default();
    let step = |name: &str, started: u64, completed: Option<u64>| Vertex {
        digest: name.into(),
        name: name.into(),
        started: Some(at(started)),
        completed: completed.map(at),
        ..Vertex::default()
    };
    let log = |data: &str| VertexLog {
        vertex: "[2/2] RUN make".into(),
        stream: 1,
        data: data.to_owned().into(),
        timestamp: at(1_000),
    };
    say(&mut owner.0.lock().expect("not poisoned"), "$ build");
    status.vertexes = vec![step("[1/2] FROM 日本語", 0, None)];
    printer.update(&mem::take(&mut status)).expect("written");
    clock.store(1_000, Ordering::Relaxed);
    status.vertexes = vec![
        step("[1/2] FROM 日本語", 0, Some(800)),
        step("[2/2] RUN make", 800, None),
    ];
    status.logs = vec![log("10%\r20%")];
    printer.update(&mem::take(&mut status)).expect("written");
    let screen = || shown(&owner.0.lock().expect("not poisoned"));
    assert_eq!(
        screen(),
        [
            "$ build",
            &row("[+] Building 1.0s (1/2)", "remote:b"),
            &row(" => [1/2] FROM 日本語", "0.8s"),
            &row(" => [2/2] RUN make", "0.2s"),
        ]
    );
    say(&mut owner.0.lock().expect("not poisoned"), "WARNING: x");
    // A window needs nine rows.
    resize(&mut owner.0.lock().expect("not poisoned"), 50, 16);
    clock.store(2_000, Ordering::Relaxed);
    status.logs = vec![log("\r30%\nmore\n")];
    printer.update(&mem::take(&mut status)).expect("written");
    assert_eq!(
        screen(),
        [
            "$ build",
            "WARNING: x",
            &row("[+] Building 2.0s (1/2)", "remote:b"),
            &row(" => [1/2] FROM 日本語", "0.8s"),
            &row(" => [2/2] RUN make", "1.2s"),
            " => => # 30%",
            " => => # more",
        ]
    );
    clock.store(3_000, Ordering::Relaxed);
    status.vertexes = vec![Vertex {
        error: "no".into(),
        ..step("[2/2] RUN make", 800, Some(2_500))
    }];
    printer.update(&mem::take(&mut status)).expect("written");
    printer.finish().expect("written");
    assert_eq!(
        screen(),
        [
            "$ build",
            "WARNING: x",
            &row("[+] Building 3.0s (2/2) FINISHED", "remote:b"),
            &row(" => [1/2] FROM 日本語", "0.8s"),
            &row(" => ERROR [2/2] RUN make", "1.7s"),
            "------",
            " > [2/2] RUN make:",
            "0.200 10%",
            "0.200 20%",
            "0.200 30%",
            "0.200 more",
            "------",
        ]
    );
}
