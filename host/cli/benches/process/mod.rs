//! Processes, and what the kernel says that they used.
#![allow(dead_code, reason = "each benchmark uses a part of it")]

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What one run took.
#[derive(Clone, Copy)]
pub struct Figures {
    pub wall: Duration,
    pub cpu: Duration,
    pub peak_kib: i64,
}

/// Runs a command to its end, under the kernel's own accounting.
pub fn measure(command: &mut Command) -> Figures {
    measure_with(command, Stdio::null())
}

/// Runs a command like [`measure`], with an input.
#[expect(
    clippy::zombie_processes,
    reason = "wait4 waits for it, and says what it used"
)]
pub fn measure_with(command: &mut Command, input: Stdio) -> Figures {
    let start = Instant::now();
    let child = command
        .stdin(input)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("the program starts");
    let mut status = 0;
    // SAFETY: both pointers are to values of this function; the child is ours and not waited for
    // elsewhere.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        let waited = libc::wait4(child.id() as libc::pid_t, &mut status, 0, &mut usage);
        assert_eq!(
            waited,
            child.id() as libc::pid_t,
            "the child can be waited for"
        );
        usage
    };
    let wall = start.elapsed();
    assert!(
        libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0,
        "{command:?} failed"
    );
    let span = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64)
    };
    Figures {
        wall,
        cpu: span(usage.ru_utime) + span(usage.ru_stime),
        peak_kib: usage.ru_maxrss,
    }
}

/// Runs a command, which must succeed.
pub fn run(command: &mut Command) {
    let output = command.output().expect("the program starts");
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
