//! The state of one vertex.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, SystemTime};

use iechor_buildkit::status::{Vertex, VertexLog, VertexStatus};
use iechor_text::Sanitizer;

use crate::units;

/// Number of log lines that are shown again at the end for a vertex that failed.
const KEPT_LINES: usize = 10;

/// Length at which a line is broken, in bytes, so that output without line ends does not need
/// unlimited memory.
const LONGEST_LINE: usize = 64 * 1024;

/// Maximum number of intervals of a vertex that are kept, the newest ones. Each member of a group
/// has one or two.
const MOST_INTERVALS: usize = 2_000;

/// Size of a line without its text, in bytes.
const LINE: usize = 64;

/// A vertex, or a group of vertexes that is shown as one.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    /// Name as one line without control characters.
    pub(crate) name: String,
    /// Number in front of its lines, assigned at the first print.
    pub(crate) number: Option<usize>,
    pub(crate) cached: bool,
    /// Error; empty if there is none.
    pub(crate) error: String,
    pub(crate) statuses: Vec<Status>,
    /// Warnings that are not printed yet.
    pub(crate) warnings: Vec<String>,
    /// Lines that are not printed yet, except for a part of the first one.
    pub(crate) lines: Vec<String>,
    /// Whether the last of `lines` is not complete.
    pub(crate) last_line_is_open: bool,
    /// Length of the printed part of the first of `lines`.
    pub(crate) printed_of_first: usize,
    pub(crate) sanitizer: Sanitizer,
    /// Whether the end is printed.
    pub(crate) closed: bool,
    /// Number of events since the vertex was last left, and the time of the first of them.
    pub(crate) events: u32,
    pub(crate) waiting_since: Option<Duration>,
    /// Newest complete lines.
    pub(super) recent: VecDeque<String>,
    /// Size of `recent`, in bytes.
    pub(super) recent_bytes: usize,
    /// Size of `lines` and `warnings`, in bytes.
    pub(super) waiting_bytes: usize,
    /// Intervals from start to end. A running one has no end.
    pub(super) intervals: BTreeMap<SystemTime, Option<SystemTime>>,
    /// Last reported start and end.
    pub(super) newest: Option<(SystemTime, Option<SystemTime>)>,
    pub(super) group: Option<Group>,
}

#[derive(Debug, Default)]
pub(super) struct Group {
    /// Members in the order of arrival.
    pub(super) members: Vec<Member>,
    /// Whether to hide the vertex, because only weak members have started.
    pub(super) hidden: bool,
}

/// A vertex of a group.
#[derive(Debug, Default)]
pub(super) struct Member {
    pub(super) digest: String,
    pub(super) started: Option<SystemTime>,
    pub(super) completed: Option<SystemTime>,
    pub(super) cached: bool,
    pub(super) error: String,
    pub(super) strong: bool,
}

/// Progress within a vertex that has started.
#[derive(Debug)]
pub(crate) struct Status {
    pub(crate) id: String,
    pub(crate) shown_id: String,
    /// Last report, without its texts.
    pub(crate) newest: VertexStatus,
    /// Whether it changed since the last print.
    pub(crate) changed: bool,
}

impl Shown {
    pub(super) fn event(&mut self, now: Duration) {
        if self.events == 0 {
            self.waiting_since = Some(now);
        }
        self.events = self.events.saturating_add(1);
    }

    /// Returns the intervals without overlaps, in order. One that has not ended is the last.
    pub(crate) fn merged_intervals(&self) -> Vec<(SystemTime, Option<SystemTime>)> {
        let mut merged: Vec<(SystemTime, Option<SystemTime>)> = Vec::new();
        for (&start, &stop) in &self.intervals {
            match merged.last_mut() {
                // This interval has not ended, so it includes all that start later.
                Some((_, None)) => break,
                Some((_, last @ Some(_))) if *last >= Some(start) => {
                    if stop.is_none() || stop > *last {
                        *last = stop;
                    }
                }
                _ => merged.push((start, stop)),
            }
        }
        merged
    }

    fn newest_interval(&self) -> Option<(SystemTime, Option<SystemTime>)> {
        self.merged_intervals().pop()
    }

    pub(crate) fn is_started(&self) -> bool {
        !self.intervals.is_empty()
    }

    /// Returns the end of the newest interval, if it has ended.
    pub(crate) fn completed(&self) -> Option<SystemTime> {
        self.newest_interval().and_then(|(_, stop)| stop)
    }

    pub(crate) fn is_hidden(&self) -> bool {
        self.group.as_ref().is_some_and(|group| group.hidden)
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.error.ends_with("context canceled")
    }

    /// Returns the newest lines with their times, including the incomplete one.
    pub(crate) fn recent_lines(&self) -> Vec<&str> {
        let open = self.lines.last().filter(|_| self.last_line_is_open);
        let mut lines: Vec<&str> = self.recent.iter().map(String::as_str).collect();
        lines.extend(open.map(String::as_str));
        lines.split_off(lines.len().saturating_sub(KEPT_LINES))
    }

    /// Adds a report of a vertex that has started, and returns whether it is news. The texts are
    /// clean.
    pub(super) fn report(
        &mut self,
        vertex: &Vertex,
        start: SystemTime,
        (name, error): (String, String),
    ) -> bool {
        let unfinished = vertex.completed.is_some() && !self.closed;
        let news = unfinished
            || self.newest != Some((start, vertex.completed))
            || self.cached != vertex.cached
            || self.error != error
            || self.name != name;
        self.newest = Some((start, vertex.completed));
        if self.add_interval(start, vertex.completed) {
            self.closed = false;
        }
        self.cached = vertex.cached;
        self.name = name;
        self.error = error;
        news
    }

    /// Adds an interval. Returns whether it is new, or has another end.
    fn add_interval(&mut self, start: SystemTime, end: Option<SystemTime>) -> bool {
        let changed = self.intervals.insert(start, end) != Some(end);
        if self.intervals.len() > MOST_INTERVALS {
            self.intervals.pop_first();
        }
        changed
    }

    /// Adds a warning, which is clean.
    pub(super) fn warn(&mut self, warning: String) {
        self.waiting_bytes += LINE + warning.len();
        self.warnings.push(warning);
    }

    pub(super) fn log(&mut self, log: &VertexLog) {
        let text = self.sanitizer.feed(&log.data);
        let seconds = self.newest_interval().map_or(0.0, |(start, _)| {
            units::seconds_between(start, log.timestamp)
        });
        let prefix = units::log_time(seconds);
        for piece in text.split_inclusive('\n') {
            let ends = piece.ends_with('\n');
            let piece = piece.trim_end_matches('\n');
            match self.lines.last_mut() {
                Some(last) if self.last_line_is_open => {
                    self.waiting_bytes += piece.len();
                    last.push_str(piece);
                }
                _ => {
                    let line = format!("{prefix} {piece}");
                    self.waiting_bytes += LINE + line.len();
                    self.lines.push(line);
                }
            }
            let length = self.lines.last().map_or(0, String::len);
            self.last_line_is_open = !ends && length < LONGEST_LINE;
            if !self.last_line_is_open {
                // A line feed ends the colours by itself. Only the last piece has none.
                if !ends {
                    self.end_colours();
                }
                self.keep_last();
            }
        }
    }

    /// Ends the colours of the last line, if the stream has not done so.
    fn end_colours(&mut self) {
        let reset = self.sanitizer.interrupt();
        if let Some(last) = self.lines.last_mut() {
            last.push_str(reset);
            self.waiting_bytes += reset.len();
        }
    }

    fn keep_last(&mut self) {
        let oldest = match self.recent.len() {
            KEPT_LINES => self.recent.pop_front(),
            _ => None,
        };
        let newest = self.lines.last().cloned();
        let bytes = |line: &Option<String>| line.as_ref().map_or(0, |line| LINE + line.len());
        self.recent_bytes += bytes(&newest);
        self.recent_bytes -= bytes(&oldest);
        self.recent.extend(newest);
    }

    /// Drops the newest lines.
    pub(super) fn forget_recent(&mut self) {
        self.recent = VecDeque::new();
        self.recent_bytes = 0;
    }

    /// Records that the lines are printed. An incomplete line stays, because more of it will
    /// arrive.
    pub(crate) fn lines_are_printed(&mut self) {
        if self.last_line_is_open {
            self.lines.drain(..self.lines.len().saturating_sub(1));
            self.printed_of_first = self.lines.first().map_or(0, String::len);
        } else {
            self.lines = Vec::new();
            self.printed_of_first = 0;
        }
        self.count_waiting();
    }

    /// Drops everything that was not printed.
    pub(super) fn forget_waiting(&mut self) {
        self.lines = Vec::new();
        self.warnings = Vec::new();
        self.last_line_is_open = false;
        self.printed_of_first = 0;
        self.waiting_bytes = 0;
    }

    /// Takes the complete lines and the warnings that wait to be printed.
    pub(super) fn take_waiting(&mut self) -> (Vec<String>, Vec<String>) {
        let mut lines = std::mem::take(&mut self.lines);
        if self.last_line_is_open {
            self.lines.extend(lines.pop());
        }
        let warnings = std::mem::take(&mut self.warnings);
        self.count_waiting();
        (lines, warnings)
    }

    /// Returns the line that has not ended.
    pub(crate) fn open_line(&self) -> Option<&str> {
        let open = self.lines.last().filter(|_| self.last_line_is_open);
        open.map(String::as_str)
    }

    fn count_waiting(&mut self) {
        let waiting = self.lines.iter().chain(&self.warnings);
        self.waiting_bytes = waiting.map(|line| LINE + line.len()).sum();
    }

    /// Ends an incomplete line, because the vertex has ended.
    pub(crate) fn end_open_line(&mut self) {
        self.end_colours();
        self.keep_last();
        self.lines = Vec::new();
        self.last_line_is_open = false;
        self.printed_of_first = 0;
        self.count_waiting();
    }

    /// Combines the members of a group. Returns whether there is anything to show.
    pub(super) fn refresh_group(&mut self) -> bool {
        let Some(mut group) = self.group.take() else {
            return false;
        };
        let mut changed = false;
        let mut cached = true;
        let mut error = "";
        let was_hidden = group.hidden;
        for member in &group.members {
            if let Some(start) = member.started {
                changed |= self.add_interval(start, member.completed);
                group.hidden &= !member.strong;
            }
            cached &= member.cached;
            if !member.error.is_empty() {
                group.hidden = false;
                if error.is_empty() {
                    error = &member.error;
                }
            }
        }
        changed |= self.cached != cached || self.error != error;
        self.cached = cached;
        if self.error != error {
            self.error = error.to_owned();
        }
        let show = (changed || was_hidden) && !group.hidden;
        self.group = Some(group);
        show
    }
}
