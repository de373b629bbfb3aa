//! Starts the compiler, passes it the component, monitors it, and reports what ended it.

use std::io::{self, Read, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;

use super::{Bounds, MARKER, child};
use crate::error::{CompilationLimit, DriverError};
use crate::limits;

/// Maximum number of bytes of one read or write.
const CHUNK: usize = 64 << 10;
/// Time in which the compiler must exit after it has closed its output.
const LAST_BREATH: Duration = Duration::from_secs(5);

/// The signal that nobody waits for a compilation any more.
pub(crate) struct Abort(UnixStream);

/// Aborts the compilation when it is dropped.
pub(crate) struct AbortOnDrop {
    _other_end: UnixStream,
}

impl Abort {
    /// Returns both ends: one for the compilation, one for the caller that waits.
    ///
    /// # Errors
    ///
    /// The system cannot create another pair of sockets.
    pub(crate) fn pair() -> io::Result<(Self, AbortOnDrop)> {
        let (here, there) = UnixStream::pair()?;
        Ok((Self(here), AbortOnDrop { _other_end: there }))
    }
}

/// A reason why the compiler was ended early.
enum End {
    /// Nobody waits for it any more.
    Aborted,
    /// Its time is over.
    TimeUp,
    /// It wrote more than is allowed.
    TooMuch,
}

/// Compiles the component in a child process.
///
/// # Errors
///
/// The fault of the component, the limit that its compilation exceeds, or that the compiler cannot be started.
pub(super) fn compile(
    driver: &str,
    component: &[u8],
    bounds: Bounds,
    abort: &Abort,
) -> Result<Vec<u8>, DriverError> {
    let unable = |reason: String| DriverError::NoCompiler {
        driver: driver.into(),
        reason,
    };
    let mut compiler = Compiler::start(bounds).map_err(|error| unable(error.to_string()))?;
    let too_costly = |limit| DriverError::TooCostly {
        driver: driver.into(),
        limit,
    };
    match compiler.converse(component, abort) {
        Ok(Ok(())) => {}
        Ok(Err(End::Aborted)) => {
            return Err(DriverError::Cancelled {
                operation: "compiling",
            });
        }
        Ok(Err(End::TimeUp)) => return Err(too_costly(bounds.wall_exceeded())),
        Ok(Err(End::TooMuch)) => return Err(too_costly(bounds.code_exceeded())),
        Err(error) => return Err(unable(error.to_string())),
    }
    let status = compiler.end().map_err(|error| unable(error.to_string()))?;
    if status.success() {
        return Ok(std::mem::take(&mut compiler.code));
    }
    let words = String::from_utf8_lossy(&compiler.words);
    Err(explain(driver, bounds, status, &words))
}

/// Returns why the compiler ended without machine code.
fn explain(driver: &str, bounds: Bounds, status: ExitStatus, words: &str) -> DriverError {
    let too_costly = |limit| DriverError::TooCostly {
        driver: driver.into(),
        limit,
    };
    match (
        status.code(),
        status.signal().and_then(Signal::from_named_raw),
    ) {
        (Some(child::AT_FAULT), _) => DriverError::unloadable(driver, words),
        (Some(child::UNABLE), _) => DriverError::NoCompiler {
            driver: driver.into(),
            reason: crate::text::clean_line(words, limits::LINE),
        },
        // At the limit the standard library aborts with the first text; other code that requests memory from the
        // kernel fails with the kernel's text.
        (_, Some(Signal::ABORT)) if words.contains("memory allocation of") => {
            too_costly(bounds.memory_exceeded())
        }
        (Some(child::FAILED), _)
            if [
                "Cannot allocate memory",
                "Out of memory",
                "Resource temporarily unavailable",
            ]
            .iter()
            .any(|of_memory| words.contains(of_memory)) =>
        {
            too_costly(bounds.memory_exceeded())
        }
        (_, Some(Signal::XCPU)) => too_costly(bounds.processor_exceeded()),
        // The kernel sends it when memory runs out, but others can send it too.
        (_, Some(Signal::KILL)) => too_costly(CompilationLimit::Killed),
        (Some(child::FAILED), _) => {
            DriverError::unloadable(driver, &format!("the compiler failed: {words}"))
        }
        _ => DriverError::unloadable(driver, &format!("the compiler crashed ({status}) {words}")),
    }
}

/// The process that compiles. It does not outlive this value.
struct Compiler {
    process: Child,
    bounds: Bounds,
    begun: Instant,
    /// The machine code that was received so far.
    code: Vec<u8>,
    /// Its messages, up to a limit.
    words: Vec<u8>,
}

impl Compiler {
    fn start(bounds: Bounds) -> io::Result<Self> {
        // The running program, even if its file was replaced meanwhile: the machine code must fit this version.
        let process = Command::new("/proc/self/exe")
            .arg0("iechor")
            .arg(MARKER)
            .args(child::arguments(bounds))
            .env_clear()
            .env("RAYON_NUM_THREADS", limits::COMPILER_THREADS.to_string())
            // Every arena of the allocator reserves address space.
            .env("MALLOC_ARENA_MAX", "2")
            .current_dir("/")
            // Only the program receives Ctrl-C, and ends the compiler.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        Ok(Self {
            process,
            bounds,
            begun: Instant::now(),
            code: Vec::new(),
            words: Vec::new(),
        })
    }

    /// Writes the component and reads the output until the compiler closes it.
    fn converse(&mut self, component: &[u8], abort: &Abort) -> io::Result<Result<(), End>> {
        let pipes = (
            self.process.stdin.take(),
            self.process.stdout.take(),
            self.process.stderr.take(),
        );
        let (Some(input), Some(output), Some(errors)) = pipes else {
            return Err(io::Error::other("it has no pipes"));
        };
        let (mut input, mut output, mut errors) = (Some(input), Some(output), Some(errors));
        for pipe in [
            input.as_ref().map(AsFd::as_fd),
            output.as_ref().map(AsFd::as_fd),
            errors.as_ref().map(AsFd::as_fd),
        ] {
            if let Some(pipe) = pipe {
                rustix::io::ioctl_fionbio(pipe, true)?;
            }
        }
        let length = (component.len() as u64).to_le_bytes();
        let mut rest = [length.as_slice(), component];
        while output.is_some() || errors.is_some() {
            let Some(left) = self.bounds.wall.checked_sub(self.begun.elapsed()) else {
                return Ok(Err(End::TimeUp));
            };
            let ready = wait(
                [
                    (Some(abort.0.as_fd()), PollFlags::IN),
                    (input.as_ref().map(AsFd::as_fd), PollFlags::OUT),
                    (output.as_ref().map(AsFd::as_fd), PollFlags::IN),
                    (errors.as_ref().map(AsFd::as_fd), PollFlags::IN),
                ],
                left,
            )?;
            if ready[0] {
                return Ok(Err(End::Aborted));
            }
            if ready[1]
                && let Some(pipe) = &mut input
            {
                let piece = rest.iter_mut().find(|piece| !piece.is_empty());
                let done = match piece {
                    None => true,
                    Some(piece) => match pipe.write(&piece[..piece.len().min(CHUNK)]) {
                        Ok(written) => {
                            *piece = &piece[written..];
                            false
                        }
                        Err(error) if is_transient(&error) => false,
                        // It exited before it had read everything; its message says why.
                        Err(_) => true,
                    },
                };
                if done {
                    input = None;
                }
            }
            if ready[2]
                && let Some(pipe) = &mut output
                && read(pipe, &mut self.code)?
            {
                output = None;
            }
            if self.code.len() > self.bounds.code {
                return Ok(Err(End::TooMuch));
            }
            if ready[3]
                && let Some(pipe) = &mut errors
                && read(pipe, &mut self.words)?
            {
                errors = None;
            }
            self.words.truncate(limits::COMPILER_WORDS);
        }
        Ok(Ok(()))
    }

    /// Waits until a compiler that has closed its output exits.
    fn end(&mut self) -> io::Result<ExitStatus> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait()? {
                return Ok(status);
            }
            if begun.elapsed() > LAST_BREATH {
                self.process.kill()?;
                return self.process.wait();
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Compiler {
    fn drop(&mut self) {
        // Both fail if it has exited and was reaped.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Waits until a pipe is ready or the time is over. Returns which pipes are ready.
fn wait(pipes: [(Option<BorrowedFd<'_>>, PollFlags); 4], most: Duration) -> io::Result<[bool; 4]> {
    let mut asked: Vec<_> = pipes
        .iter()
        .filter_map(|(pipe, what)| Some(PollFd::from_borrowed_fd((*pipe)?, *what)))
        .collect();
    let most = Timespec::try_from(most).map_err(io::Error::other)?;
    match poll(&mut asked, Some(&most)) {
        Ok(_) => {}
        Err(rustix::io::Errno::INTR) => return Ok([false; 4]),
        Err(error) => return Err(error.into()),
    }
    let mut answers = asked.iter().map(|pipe| !pipe.revents().is_empty());
    Ok(pipes.map(|(pipe, _)| pipe.is_some() && answers.next().unwrap_or(false)))
}

/// Reads the available bytes. Returns whether the pipe was closed.
fn read(pipe: &mut impl Read, into: &mut Vec<u8>) -> io::Result<bool> {
    let mut chunk = [0; CHUNK];
    match pipe.read(&mut chunk) {
        Ok(count) => {
            into.extend_from_slice(&chunk[..count]);
            Ok(count == 0)
        }
        Err(error) if is_transient(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

fn is_transient(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::EMBEDDED;

    /// Compiles within bounds.
    fn within(bounds: Bounds, component: &[u8]) -> Result<Vec<u8>, DriverError> {
        let (abort, _abort_on_drop) = Abort::pair().expect("a pair");
        compile("team", component, bounds, &abort)
    }

    fn driver() -> &'static [u8] {
        EMBEDDED[0].component
    }

    /// Returns the limit that the compilation of a driver exceeds within these bounds.
    fn limit(bounds: Bounds) -> CompilationLimit {
        let error = within(bounds, driver()).expect_err("it was compiled");
        let DriverError::TooCostly { driver, limit } = &error else {
            panic!("{error:?}")
        };
        assert_eq!(driver, "team");
        assert!(error.to_string().contains(&limit.to_string()), "{error}");
        *limit
    }

    #[test]
    fn a_driver_is_compiled_as_in_this_process() {
        let compiled = within(Bounds::ALL, driver()).expect("within bounds");
        let runtime = crate::runtime::Runtime::get().expect("a runtime");
        let here = runtime.engine.precompile_component(driver());
        assert!(compiled == here.expect("compiled"));
    }

    #[test]
    fn memory_is_bounded() {
        let bounds = Bounds {
            memory: 8 << 20,
            ..Bounds::ALL
        };
        assert_eq!(limit(bounds), CompilationLimit::Memory { bytes: 8 << 20 });
    }

    #[test]
    fn processor_time_is_bounded() {
        let bounds = Bounds {
            processor: Duration::ZERO,
            ..Bounds::ALL
        };
        let time = Duration::ZERO;
        assert_eq!(limit(bounds), CompilationLimit::Processor { time });
    }

    #[test]
    fn wall_time_is_bounded() {
        let bounds = Bounds {
            wall: Duration::from_millis(1),
            ..Bounds::ALL
        };
        let time = Duration::from_millis(1);
        assert_eq!(limit(bounds), CompilationLimit::Wall { time });
    }

    #[test]
    fn machine_code_is_bounded() {
        let bounds = Bounds {
            code: 1 << 10,
            ..Bounds::ALL
        };
        let bytes = 1 << 10;
        assert_eq!(limit(bounds), CompilationLimit::MachineCode { bytes });
    }

    #[test]
    fn what_is_wrong_with_a_component_is_told() {
        let error = within(Bounds::ALL, b"\0asm\x0d\0\x01\0\x1b[2J").expect_err("no component");
        let DriverError::Unloadable { reason, .. } = &error else {
            panic!("{error:?}")
        };
        assert!(!reason.is_empty() && !reason.contains('\x1b'), "{reason:?}");
    }

    #[test]
    fn a_compiler_that_nobody_waits_for_ends() {
        let (abort, abort_on_drop) = Abort::pair().expect("a pair");
        drop(abort_on_drop);
        let error = compile("team", driver(), Bounds::ALL, &abort).expect_err("it went on");
        assert!(matches!(error, DriverError::Cancelled { .. }), "{error:?}");
    }

    /// The compiler has three pipes and nothing else of its parent: no variables, no files.
    #[test]
    fn a_compiler_inherits_nothing() {
        let leaked = std::fs::File::open("/dev/null").expect("open");
        rustix::io::fcntl_setfd(&leaked, rustix::io::FdFlags::empty()).expect("set");
        let mut compiler = Compiler::start(Bounds::ALL).expect("started");
        // Once it reads, it has confined itself: it waits for the rest of the component.
        let mut input = compiler.process.stdin.take().expect("a pipe");
        let long = (64_u64 << 20).to_le_bytes();
        input.write_all(&long).expect("written");
        input.write_all(&vec![0; 1 << 20]).expect("taken");
        let about = |what: &str| format!("/proc/{}/{what}", compiler.process.id());
        let open = std::fs::read_dir(about("fd")).expect("there").count();
        assert_eq!(open, 3);
        let variables = std::fs::read_to_string(about("environ")).expect("there");
        let names: Vec<_> = variables
            .split_terminator('\0')
            .filter_map(|variable| Some(variable.split_once('=')?.0))
            .collect();
        assert_eq!(names, ["MALLOC_ARENA_MAX", "RAYON_NUM_THREADS"]);
        let limits = std::fs::read_to_string(about("limits")).expect("there");
        let limit = |name: &str| {
            let line = limits.lines().find_map(|line| line.strip_prefix(name));
            let words = line.expect(name).split_whitespace();
            words.take(2).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(limit("Max cpu time"), "120 125");
        assert_eq!(limit("Max core file size"), "0 0");
        assert_eq!(limit("Max open files"), "3 3");
        assert_eq!(limit("Max file size"), "0 0");
        assert_ne!(limit("Max address space"), "unlimited unlimited");
    }
}
