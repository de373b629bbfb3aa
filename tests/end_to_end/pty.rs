//! A terminal for a command: a real pseudo-terminal, and an emulator that shows what is on its screen.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};
use vt100::Parser;

use crate::support::{Invocation, wait_until};

/// A command at a terminal of its own.
pub struct AtTerminal {
    child: Child,
    /// The end that a terminal emulator has.
    ours: File,
    /// The end that the command has. While it is open, the terminal keeps its settings.
    theirs: OwnedFd,
    before: Termios,
    emulator: Arc<Mutex<Emulator>>,
    reader: Option<JoinHandle<()>>,
}

struct Emulator {
    parser: Parser,
    /// Everything that was written.
    bytes: Vec<u8>,
}

/// A command that ended, and what it left on its terminal.
pub struct Left {
    pub status: ExitStatus,
    /// The rows of the screen, without the empty ones at its end.
    pub screen: Vec<String>,
    /// The bytes that were written, as text.
    pub written: String,
    pub is_cursor_visible: bool,
    /// Whether the settings of the terminal are those from before the command.
    pub is_mode_unchanged: bool,
}

impl Invocation {
    /// Starts the command at a terminal of so many columns and rows. All three standard streams are there.
    pub fn at_terminal(self, columns: u16, rows: u16) -> AtTerminal {
        let (ours, theirs) = open(columns, rows);
        let before = tcgetattr(&theirs).expect("a terminal");
        let stream = || Stdio::from(theirs.try_clone().expect("copied"));
        let mut command = self.variable("TERM", "vt100").into_command();
        command.stdin(stream()).stdout(stream()).stderr(stream());
        // SAFETY: these functions may be called between fork and exec.
        unsafe {
            command.pre_exec(|| {
                libc::setsid();
                // Ctrl-C and changes of the size reach the command.
                match libc::ioctl(0, libc::TIOCSCTTY, 0) {
                    0 => Ok(()),
                    _ => Err(std::io::Error::last_os_error()),
                }
            });
        }
        let child = command.spawn().expect("it runs");
        drop(command);
        let emulator = Arc::new(Mutex::new(Emulator {
            parser: Parser::new(rows, columns, 1000),
            bytes: Vec::new(),
        }));
        let mut input = ours.try_clone().expect("copied");
        let sink = Arc::clone(&emulator);
        let reader = std::thread::spawn(move || {
            let mut buffer = vec![0; 64 << 10];
            // The end is an error when the other side is closed.
            while let Ok(length @ 1..) = input.read(&mut buffer) {
                let mut emulator = sink.lock().expect("not poisoned");
                emulator.parser.process(&buffer[..length]);
                emulator.bytes.extend_from_slice(&buffer[..length]);
            }
        });
        AtTerminal {
            child,
            ours,
            theirs,
            before,
            emulator,
            reader: Some(reader),
        }
    }
}

/// Opens a pseudo-terminal.
fn open(columns: u16, rows: u16) -> (File, OwnedFd) {
    let (mut ours, mut theirs) = (-1, -1);
    let size = libc::winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: both places are valid, and the name and the settings may be null.
    let result = unsafe {
        libc::openpty(
            &raw mut ours,
            &raw mut theirs,
            std::ptr::null_mut(),
            std::ptr::null(),
            &raw const size,
        )
    };
    assert_eq!(
        result,
        0,
        "no terminal: {}",
        std::io::Error::last_os_error()
    );
    for end in [ours, theirs] {
        // SAFETY: the descriptor is open.
        unsafe { libc::fcntl(end, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
    // SAFETY: both descriptors were just opened, and nothing else owns them.
    unsafe { (File::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs)) }
}

impl AtTerminal {
    /// Returns the rows of the screen, without the empty ones at its end.
    pub fn screen(&self) -> Vec<String> {
        rows(&self.emulator.lock().expect("not poisoned").parser)
    }

    /// Waits until the screen fulfils a condition, and returns it.
    #[track_caller]
    pub fn wait_until(&mut self, what: &str, condition: impl Fn(&[String]) -> bool) -> Vec<String> {
        let mut screen = Vec::new();
        wait_until(what, || {
            screen = self.screen();
            let found = condition(&screen);
            if !found && let Ok(Some(status)) = self.child.try_wait() {
                panic!("ended with {status} before {what}: {screen:#?}");
            }
            found
        });
        screen
    }

    /// Waits until a row of the screen contains a text, and returns the screen.
    #[track_caller]
    pub fn wait_until_it_shows(&mut self, text: &str) -> Vec<String> {
        self.wait_until(text, |screen| screen.iter().any(|row| row.contains(text)))
    }

    /// Types a text.
    pub fn type_in(&mut self, text: &str) {
        self.ours.write_all(text.as_bytes()).expect("it listens");
    }

    /// Changes the size. The emulator cuts lines that are too long.
    pub fn resize(&mut self, columns: u16, rows: u16) {
        let mut emulator = self.emulator.lock().expect("not poisoned");
        emulator.parser.screen_mut().set_size(rows, columns);
        let size = Winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&self.ours, size).expect("a terminal");
    }

    /// Waits until the command has ended.
    #[track_caller]
    pub fn finish(mut self) -> Left {
        let mut status = None;
        wait_until("the command has ended", || {
            status = self.child.try_wait().expect("a child");
            status.is_some()
        });
        let after = tcgetattr(&self.theirs).expect("a terminal");
        let is_mode_unchanged = after.input_modes == self.before.input_modes
            && after.output_modes == self.before.output_modes
            && after.local_modes == self.before.local_modes
            && after.control_modes == self.before.control_modes;
        // With the other end closed, the reader gets to the end.
        let Self {
            ours,
            theirs,
            emulator,
            reader,
            ..
        } = &mut self;
        let closed = std::mem::replace(theirs, ours.try_clone().expect("copied").into());
        drop(closed);
        reader.take().expect("runs").join().expect("no panic");
        let emulator = emulator.lock().expect("not poisoned");
        Left {
            status: status.expect("ended"),
            screen: rows(&emulator.parser),
            written: String::from_utf8_lossy(&emulator.bytes).into_owned(),
            is_cursor_visible: !emulator.parser.screen().hide_cursor(),
            is_mode_unchanged,
        }
    }
}

impl Drop for AtTerminal {
    fn drop(&mut self) {
        // It has ended already, or ends now.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Left {
    /// Asserts that the command ended with an exit status, and that the terminal is as it was.
    #[track_caller]
    pub fn ended(self, code: i32) -> Self {
        let screen = &self.screen;
        assert_eq!(
            self.status.code(),
            Some(code),
            "{:?}: {screen:#?}",
            self.status.signal()
        );
        assert!(self.is_cursor_visible, "{screen:#?}");
        assert!(self.is_mode_unchanged, "{screen:#?}");
        self
    }

    /// Returns the position of the only row that contains a text.
    #[track_caller]
    pub fn row(&self, text: &str) -> usize {
        let found = self.screen.iter().enumerate();
        let found: Vec<_> = found.filter(|(_, row)| row.contains(text)).collect();
        assert_eq!(found.len(), 1, "{text:?}: {:#?}", self.screen);
        found[0].0
    }
}

fn rows(parser: &Parser) -> Vec<String> {
    let screen = parser.screen();
    let rows = screen.rows(0, screen.size().1);
    let mut rows: Vec<String> = rows.map(|row| row.trim_end().to_owned()).collect();
    let used = rows.iter().rposition(|row| !row.is_empty());
    rows.truncate(used.map_or(0, |last| last + 1));
    rows
}
