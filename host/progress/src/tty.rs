//! The tty format: lines that are rewritten in place.
//!
//! It looks like BuildKit's own display (`util/progress/progressui/display.go`), which people know: a
//! line for each step and for each piece of work within it, and below a running step the last lines of
//! its output.
//!
//! - `jobs` chooses the lines that fit on the screen;
//! - `line` formats one;
//! - `window` has the output of running steps, and `logs` that of steps that may fail.

mod jobs;
mod line;
mod logs;
mod window;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use iechor_buildkit::status::SolveStatus;
use iechor_text::clean_line;
use iechor_values::size;

use crate::colours::{Colour, Palette};
use crate::errors;
use crate::options::{DESCRIPTION, Options};
use crate::output::{Frame, Line, Size};
use crate::trace::{MOST_VERTEXES, Shown, Trace};
use crate::units;
use jobs::{Job, Work};
use logs::Logs;
use window::Windows;

/// The phase that is named if the options name none.
const BUILDING: &str = "Building";

/// Maximum number of warnings that are shown.
const MOST_WARNINGS: usize = 1_000;

/// The sequence of faint text, which output of steps has.
const FAINT: &str = "\x1b[2m";

/// Shows vertexes as frames.
#[derive(Debug)]
pub(crate) struct Tty {
    trace: Trace,
    windows: Windows,
    logs: Logs,
    /// Warnings of each vertex.
    warnings: BTreeMap<usize, Vec<String>>,
    warning_count: usize,
    began: Option<Beginning>,
    palette: Palette,
    phase: String,
    label: Option<String>,
}

/// The first start of a vertex, by the clock of the statuses and by that of the printer.
#[derive(Debug, Clone, Copy)]
struct Beginning {
    started: SystemTime,
    seen: Duration,
}

impl Beginning {
    /// Converts a time of the printer to one of the statuses.
    fn time(self, now: Duration) -> SystemTime {
        let passed = now.saturating_sub(self.seen);
        self.started.checked_add(passed).unwrap_or(self.started)
    }
}

impl Tty {
    pub(crate) fn new(options: Options) -> Self {
        let one_line = |text: &String| clean_line(text, DESCRIPTION);
        Self {
            trace: Trace::default(),
            windows: Windows::new(options.log_lines),
            logs: Logs::default(),
            warnings: BTreeMap::new(),
            warning_count: 0,
            began: None,
            palette: options.palette,
            phase: options.phase.as_ref().map_or(BUILDING.into(), one_line),
            label: options.label.as_ref().map(one_line),
        }
    }

    /// Adds a status.
    pub(crate) fn update(&mut self, status: &SolveStatus, size: Size, now: Duration) {
        self.trace.update(status, now);
        self.trace.printed();
        if self.began.is_none() {
            let started = status.vertexes.iter().find_map(|vertex| vertex.started);
            self.began = started.map(|started| Beginning { started, seen: now });
        }
        for log in &status.logs {
            if let Some(index) = self.trace.index(&log.vertex)
                && self.trace.shown[index].completed().is_none()
            {
                self.windows.feed(index, &log.data, size);
            }
        }
        // A vertex with nothing but warnings does not count as updated.
        let mut updated = std::mem::take(&mut self.trace.updated);
        let warned = status.warnings.iter();
        updated.extend(warned.filter_map(|warning| self.trace.index(&warning.vertex)));
        for index in updated {
            let (lines, warnings) = self.trace.take_waiting(index);
            self.logs.add(index, lines);
            let space = MOST_WARNINGS - self.warning_count;
            let warnings: Vec<_> = warnings.into_iter().take(space).collect();
            if !warnings.is_empty() {
                self.warning_count += warnings.len();
                self.warnings.entry(index).or_default().extend(warnings);
            }
            let shown = &self.trace.shown[index];
            if shown.completed().is_some() {
                self.windows.close(index);
                if shown.error.is_empty() {
                    self.logs.forget(index);
                }
            }
        }
        // Lines that do not end: they are too long to wait for their ends.
        for index in self.trace.overdue() {
            let open = self.trace.shown[index].open_line().map(str::to_owned);
            self.trace.change(index, Shown::end_open_line);
            self.logs.add(index, open.into_iter().collect());
        }
    }

    /// Returns what to show. `is_last` says that nothing follows: then all lines are shown, also if they
    /// do not fit on the screen.
    pub(crate) fn frame(&mut self, size: Size, now: Duration, is_last: bool) -> Frame {
        if self.trace.shown.is_empty() {
            return Frame::default();
        }
        let now = self
            .began
            .map_or(SystemTime::UNIX_EPOCH, |began| began.time(now));
        self.windows.resize(size);
        let jobs = jobs::collect(&self.trace, &self.warnings);
        let (jobs, windows) = jobs::arrange(jobs, &self.windows, size.height, is_last);
        let mut lines = vec![self.header(size.width, now, is_last)];
        for job in jobs {
            let Some(line) = self.line(job, size.width, now) else {
                continue;
            };
            lines.push(line);
            if let Work::Vertex(index) = job.work
                && windows.contains(&index)
            {
                let window = self.windows.lines(index);
                lines.extend(window.map(|text| line::painted(&format!(" => => # {text}"), FAINT)));
            }
        }
        for index in windows {
            self.windows.was_shown(index);
        }
        Frame { lines }
    }

    fn header(&self, width: usize, now: SystemTime, is_last: bool) -> Line {
        let is_counted = |shown: &&Shown| !shown.is_hidden();
        let total = self.trace.shown.iter().filter(is_counted).count();
        let completed = self.trace.shown.iter().filter(is_counted);
        let completed = completed
            .filter(|shown| shown.completed().is_some())
            .count();
        let finished = if is_last && completed > 0 && completed == total {
            "FINISHED"
        } else {
            ""
        };
        let started = self.began.map_or(now, |began| began.started);
        let seconds = units::seconds_between(started, now);
        let text = format!(
            "[+] {} {seconds:.1}s ({completed}/{total}) {finished}",
            self.phase
        );
        match &self.label {
            Some(label) => line::cut(&line::aligned(&text, label, width.saturating_sub(1)), width),
            None => line::cut(text.trim_end(), width),
        }
    }

    /// Returns the line of a job, or `None` if the screen is too narrow for it.
    fn line(&self, job: Job<'_>, width: usize, now: SystemTime) -> Option<Line> {
        let shown = job.shown;
        let (name, amount, seconds, colour) = match job.work {
            Work::Vertex(_) => {
                let (mark, colour) = self.outcome(shown);
                let cached = if shown.cached { "CACHED " } else { "" };
                let name = format!("{cached}{mark}{}", shown.name);
                (name, String::new(), seconds(shown, now), colour)
            }
            Work::Status(status) => {
                let newest = &status.newest;
                let amount = match (newest.current, newest.total) {
                    (0, 0) => String::new(),
                    (current, 0) => size::decimal(current),
                    (current, total) => {
                        format!("{} / {}", size::decimal(current), size::decimal(total))
                    }
                };
                let seconds = newest.started.map_or(0.0, |started| {
                    units::seconds_between(started, newest.completed.unwrap_or(now))
                });
                let name = format!("=> {}", status.shown_id);
                (name, amount, seconds, self.palette.run)
            }
            Work::Warning(text) => {
                let seconds = seconds(shown, now);
                (
                    format!("WARN: {text}"),
                    String::new(),
                    seconds,
                    self.palette.warning,
                )
            }
        };
        let text = line::job(&name, &amount, seconds, width)?;
        Some(match colour.filter(|_| job.is_completed) {
            Some(colour) => line::painted(&text, &colour.sequence()),
            None => line::of(text),
        })
    }

    /// Returns the mark before the name of a vertex, and its colour.
    fn outcome(&self, shown: &Shown) -> (&'static str, Option<Colour>) {
        if shown.is_cancelled() {
            ("CANCELED ", self.palette.cancel)
        } else if !shown.error.is_empty() {
            ("ERROR ", self.palette.error)
        } else {
            ("", self.palette.run)
        }
    }

    /// Prints the end of the output: the output of the vertexes that failed.
    pub(crate) fn print_errors(&self, out: &mut String) {
        for &index in &self.trace.started {
            let shown = &self.trace.shown[index];
            if shown.error.is_empty() || shown.is_cancelled() {
                continue;
            }
            let open = shown
                .open_line()
                .map(|line| match shown.sanitizer.colour_is_open() {
                    true => format!("{line}{}", iechor_text::RESET),
                    false => line.to_owned(),
                });
            let lines = self.logs.lines(index);
            errors::print(out, &shown.name, lines.chain(open.as_deref()));
        }
        if self.trace.is_cut {
            out.push_str(&format!(
                "this build reports more than can be shown: more than {MOST_VERTEXES} steps, or steps with \
                 very long texts; the rest is left out\n"
            ));
        }
    }
}

/// Returns the time that a vertex has been running.
fn seconds(shown: &Shown, now: SystemTime) -> f64 {
    let intervals = shown.merged_intervals().into_iter();
    intervals
        .map(|(start, stop)| units::seconds_between(start, stop.unwrap_or(now)))
        .sum()
}
