//! The progress of builds at a terminal.

use crate::context::Context;
use crate::interrupt::{sleeper, wait_until_running};
use crate::pty::AtTerminal;
use crate::support::{Invocation, Sandbox, container_of};

/// Starts a build at a terminal, without the warning that there is no output.
fn start(build: Invocation, columns: u16, rows: u16) -> AtTerminal {
    build
        .variable("BUILDX_NO_DEFAULT_LOAD", "1")
        .at_terminal(columns, rows)
}

/// Asserts that every row belongs to the display, or is one of the other rows.
#[track_caller]
fn assert_whole(screen: &[String], others: &[&str]) {
    let headers = screen
        .iter()
        .filter(|row| row.starts_with("[+] Building "))
        .count();
    assert_eq!(headers, 1, "{screen:#?}");
    for row in screen {
        let is_ours = row.starts_with("[+] Building ") || row.starts_with(" => ");
        let is_other = row.is_empty() || others.iter().any(|other| row.starts_with(other));
        assert!(is_ours || is_other, "{row:?} in {screen:#?}");
    }
}

/// Asserts that a row has a time at its right end.
#[track_caller]
fn assert_timed(row: &str, width: usize) {
    // The other characters of these tests are two columns wide.
    let wide = row.chars().filter(|character| !character.is_ascii());
    assert_eq!(row.chars().count() + wide.count(), width - 1, "{row:?}");
    let time = row.rsplit(' ').next().expect("a word");
    let digits = time.strip_suffix('s').expect("seconds");
    assert!(digits.parse::<f64>().is_ok(), "{row:?}");
}

/// Returns the lines that a failed or cancelled build adds.
const FAILURE: &[&str] = &[
    "------",
    " > ",
    "0.",
    "1.",
    "2.",
    "3.",
    "Dockerfile:",
    "----",
    "ERROR: ",
    "hint: ",
    "   ",
    "Cancelling; ",
    "^C",
];

#[test]
fn boot_and_build_are_one_screen() {
    let sandbox = Sandbox::new();
    let name = sandbox.unbooted("screen");
    let context = Context::on_base("RUN echo 日本語; echo 1; printf '10%%\\r20%%\\n'; sleep 1\n");
    let build = sandbox.buildx(&format!("build {}", context.word()));
    let mut build = start(build, 100, 40);
    let running = build.wait_until_it_shows(" => => # 20%");
    assert_whole(&running, &[]);
    let step = running
        .iter()
        .position(|row| row.contains("RUN echo"))
        .expect("a step");
    assert_timed(&running[step], 100);
    assert_eq!(
        running[step + 1..step + 4],
        [" => => # 日本語", " => => # 1", " => => # 20%"]
    );

    let left = build.finish().ended(0);
    assert_whole(&left.screen, &[]);
    let header = &left.screen[left.row("[+] Building ")];
    assert!(header.contains(") FINISHED "), "{header:?}");
    assert!(
        header.ends_with(&format!(" iechor-container:{name}")),
        "{header:?}"
    );
    assert_eq!(header.chars().count(), 99, "{header:?}");
    let boot = left.row(" => [internal] booting buildkit");
    let step = left.row(" RUN echo ");
    assert!(boot < step, "{:#?}", left.screen);
    assert!(
        left.screen[boot + 1].starts_with(" => => "),
        "{:#?}",
        left.screen
    );
    // The window is gone.
    assert!(
        !left.screen.iter().any(|row| row.contains("=> #")),
        "{:#?}",
        left.screen
    );
    assert!(left.written.contains("\x1b[34m => "), "no colour");
}

#[test]
fn a_failure_is_explained_below_the_screen() {
    let sandbox = Sandbox::new();
    sandbox.booted("fails", "");
    let context =
        Context::on_base("RUN for i in 1 2 3 4 5 6 7 8 9; do echo line $i; done; exit 3\n");
    let build = sandbox.buildx(&format!("build {}", context.word()));
    let left = start(build, 200, 60).finish().ended(1);
    assert_whole(&left.screen, FAILURE);
    let step = left.row(" => ERROR [2/2] RUN ");
    let block = left.row(" > [2/2] RUN ");
    let error = left.row("ERROR: failed to build: failed to solve: process");
    assert!(step < block && block < error, "{:#?}", left.screen);
    for number in 1..=9 {
        assert!(
            left.screen[block + number].ends_with(&format!(" line {number}")),
            "{:#?}",
            left.screen
        );
    }
    assert!(left.written.contains("\x1b[31m => ERROR "), "no colour");
}

#[test]
fn ctrl_c_cancels_and_leaves_the_terminal_as_it_was() {
    let sandbox = Sandbox::new();
    sandbox.booted("cancels", "");
    let context = Context::on_base("RUN echo underway; sleep 600\n");
    let build = sandbox.buildx(&format!("build {}", context.word()));
    let mut build = start(build, 200, 40);
    build.wait_until_it_shows(" => => # underway");
    build.type_in("\x03");
    let left = build.finish().ended(130);
    assert_whole(&left.screen, FAILURE);
    let message = left.row("Cancelling; press Ctrl-C again to exit immediately");
    let step = left.row(" => CANCELED [2/2] RUN echo underway");
    let error = left.row("ERROR: ");
    assert!(message < step && step < error, "{:#?}", left.screen);
}

#[test]
fn ctrl_c_twice_exits_at_once() {
    let sandbox = Sandbox::new();
    let image = sleeper(&sandbox);
    let name = sandbox.name("twice");
    let mut create = sandbox
        .buildx(&format!(
            "create --name {name} --bootstrap --driver-opt image={image}"
        ))
        .at_terminal(100, 40);
    wait_until_running(&container_of(&name));
    create.wait_until_it_shows(" => [internal] booting buildkit");
    create.type_in("\x03");
    create.wait_until_it_shows("Cancelling; press Ctrl-C again to exit immediately");
    create.type_in("\x03");
    let left = create.finish().ended(130);
    let error = left.row("ERROR: interrupted again, exiting immediately");
    assert!(
        left.row(" => [internal] booting buildkit") < error,
        "{:#?}",
        left.screen
    );
}

#[test]
fn a_terminal_that_is_resized_has_no_torn_lines() {
    let sandbox = Sandbox::new();
    sandbox.booted("resized", "");
    let context = Context::on_base("RUN for i in $(seq 600); do echo count $i; sleep 0.1; done\n");
    let build = sandbox.buildx(&format!("build {}", context.word()));
    let mut build = start(build, 120, 40);
    let mut seen = 0;
    let mut last = || {
        seen += 2;
        format!("# count {seen}")
    };
    for (columns, rows) in [(60, 40), (45, 16), (140, 50), (80, 24)] {
        let text = last();
        build.wait_until(&text, |screen| {
            let counts = screen.iter().filter_map(|row| row.split("# count ").nth(1));
            let newest = counts.filter_map(|count| count.parse::<u32>().ok()).max();
            newest.is_some_and(|newest| newest >= text[8..].parse().expect("a number"))
        });
        build.resize(columns, rows);
        let width = usize::from(columns);
        let screen = build.wait_until("the display has the new size", |screen| {
            let step = screen.iter().find(|row| row.contains(" RUN for"));
            step.is_some_and(|row| row.chars().count() == width - 1 && row.ends_with('s'))
                && screen.iter().any(|row| row.contains(" => => # count "))
        });
        assert_whole(&screen, &[]);
    }
    build.type_in("\x03");
    build.finish().ended(130);
}

#[test]
fn the_format_depends_on_the_terminal() {
    let sandbox = Sandbox::new();
    sandbox.booted("formats", "");
    let context = Context::on_base("RUN echo hello\n");
    let build =
        |flags: &str| sandbox.buildx(&format!("build --no-cache {flags} {}", context.word()));
    build("--progress tty")
        .failure(1)
        .says_line("ERROR: failed to get console: provided file is not a console");
    build("")
        .variable("BUILDKIT_PROGRESS", "tty")
        .failure(1)
        .says("failed to get console");
    build("")
        .success()
        .says("#1 [internal] load build definition from Dockerfile\n");

    for (flags, variables) in [
        ("--progress plain", None),
        ("", Some(("BUILDKIT_PROGRESS", "plain"))),
    ] {
        let invocation = build(flags);
        let invocation = match variables {
            Some((name, value)) => invocation.variable(name, value),
            None => invocation,
        };
        let left = start(invocation, 100, 60).finish().ended(0);
        left.row("#1 [internal] load build definition from Dockerfile");
        assert!(!left.written.contains("[+]"), "{:#?}", left.screen);
    }
    let left = start(build("--progress tty"), 100, 60).finish().ended(0);
    left.row("[+] Building ");
    for mode in ["quiet", "none"] {
        let left = start(build(&format!("--progress {mode}")), 100, 60)
            .finish()
            .ended(0);
        assert!(
            !left.written.contains("RUN echo"),
            "{mode}: {:#?}",
            left.screen
        );
    }
}

#[test]
fn colours_are_set_by_variables() {
    let sandbox = Sandbox::new();
    sandbox.booted("colours", "");
    let context = Context::on_base("RUN echo hello\n");
    let build = || sandbox.buildx(&format!("build {}", context.word()));
    let coloured = build().variable("BUILDKIT_COLORS", "run=light-cyan:error=1,2:x");
    let left = start(coloured, 120, 40).finish().ended(0);
    assert!(left.written.contains("\x1b[96m => "), "{:?}", left.written);
    left.row("WARNING: Could not parse value 1,2 as valid RGB color. Ignoring.");
    left.row("WARNING: Could not parse BUILDKIT_COLORS component: x");
    let left = start(build().variable("NO_COLOR", "1"), 120, 40)
        .finish()
        .ended(0);
    assert!(!left.written.contains("\x1b[3"), "{:?}", left.written);
    // Without a terminal, the colours do not matter.
    build()
        .variable("BUILDKIT_COLORS", "x")
        .success()
        .does_not_say("BUILDKIT_COLORS");
}

#[test]
fn warnings_are_listed_at_the_end() {
    let sandbox = Sandbox::new();
    sandbox.booted("warns", "");
    let context = Context::on_base("MAINTAINER me\n");
    let short = " - MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label (line 4)";
    let line = format!("build {}", context.word());
    let finished = sandbox
        .buildx(&line)
        .success()
        .says("\n\n 1 warning found (use docker --debug to expand):\n")
        .says_line(short);
    assert!(
        !finished.stderr.contains("More info: "),
        "{}",
        finished.transcript()
    );
    sandbox
        .buildx("--debug")
        .words(&line)
        .success()
        .says("\n\n 1 warning found:\n")
        .says_line(short)
        .says("More info: https://docs.docker.com/go/dockerfile/rule/maintainer-deprecated/\nDockerfile:4\n");
    // They are below the screen.
    let left = start(sandbox.buildx(&line), 120, 40).finish().ended(0);
    assert!(
        left.row(short)
            > left
                .row(" => WARN: Maintainer")
                .max(left.row("[+] Building "))
    );
    for mode in ["quiet", "rawjson"] {
        sandbox
            .buildx(&format!("{line} --progress {mode}"))
            .success()
            .does_not_say("warning found");
    }
}

#[test]
fn an_amount_of_work_that_does_not_fit_scrolls_at_the_end_only() {
    let sandbox = Sandbox::new();
    sandbox.booted("many", "");
    let steps: String = (1..=14)
        .map(|number| format!("RUN echo {number}\n"))
        .collect();
    let context = Context::on_base(&steps);
    let build = sandbox.buildx(&format!("build {}", context.word()));
    let left = start(build, 100, 10).finish().ended(0);
    // The last rows of all steps; the ones before have scrolled away.
    assert!(
        left.screen.iter().all(|row| row.starts_with(" => ")),
        "{:#?}",
        left.screen
    );
    left.row("[15/15] RUN echo 14");
    assert!(left.written.contains("FINISHED"), "{:#?}", left.screen);
}
