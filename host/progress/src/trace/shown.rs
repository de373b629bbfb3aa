//! What is known of one vertex.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, SystemTime};

use iechor_buildkit::status::{Vertex, VertexLog, VertexStatus};
use iechor_text::Sanitizer;

use crate::units;

/// Log lines that are shown again at the end for a vertex that failed.
const KEPT_LINES: usize = 10;

/// Bytes at which a line is broken, so that output without line ends takes no unlimited memory.
const LONGEST_LINE: usize = 64 * 1024;

/// Intervals of a vertex that are kept, the newest ones: each member of a group has one or two.
const MOST_INTERVALS: usize = 2_000;

/// Bytes that a line takes beside its text.
const LINE: usize = 64;

/// A vertex, or a group of vertexes that is shown as one.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    /// One line, nothing that steers the terminal.
    pub(crate) name: String,
    /// The number before its lines; given at the first print.
    pub(crate) number: Option<usize>,
    pub(crate) cached: bool,
    /// Empty if there is none.
    pub(crate) error: String,
    pub(crate) statuses: Vec<Status>,
    /// Not printed yet.
    pub(crate) warnings: Vec<String>,
    /// Not printed yet; the first one perhaps in part.
    pub(crate) lines: Vec<String>,
    /// The last of `lines` goes on.
    pub(crate) last_line_is_open: bool,
    /// How much of the first of `lines` is printed.
    pub(crate) printed_of_first: usize,
    pub(crate) sanitizer: Sanitizer,
    /// Its end is printed.
    pub(crate) closed: bool,
    /// Events since it was last left, and when the first of them came.
    pub(crate) events: u32,
    pub(crate) waiting_since: Option<Duration>,
    /// The newest whole lines.
    pub(super) recent: VecDeque<String>,
    /// What `recent` takes, in bytes.
    pub(super) recent_bytes: usize,
    /// What `lines` and `warnings` take, in bytes.
    pub(super) waiting_bytes: usize,
    /// From start to end; the end of a running one is open.
    pub(super) intervals: BTreeMap<SystemTime, Option<SystemTime>>,
    /// Start and end as they were reported last.
    pub(super) newest: Option<(SystemTime, Option<SystemTime>)>,
    pub(super) group: Option<Group>,
}

#[derive(Debug, Default)]
pub(super) struct Group {
    /// In the order of arrival.
    pub(super) members: Vec<Member>,
    /// Nothing but weak members has started: it is not shown.
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
    /// Without its texts.
    pub(crate) newest: VertexStatus,
    /// It changed since the last print.
    pub(crate) changed: bool,
    /// What was printed last.
    pub(crate) printed: Option<(i64, SystemTime)>,
}

impl Shown {
    pub(super) fn event(&mut self, now: Duration) {
        if self.events == 0 {
            self.waiting_since = Some(now);
        }
        self.events = self.events.saturating_add(1);
    }

    /// Intervals without overlaps, in order. One that has not ended is the last.
    pub(crate) fn merged_intervals(&self) -> Vec<(SystemTime, Option<SystemTime>)> {
        let mut merged: Vec<(SystemTime, Option<SystemTime>)> = Vec::new();
        for (&start, &stop) in &self.intervals {
            match merged.last_mut() {
                // It goes on: whatever starts later is part of it.
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

    /// The end of the newest interval, if it has ended.
    pub(crate) fn completed(&self) -> Option<SystemTime> {
        self.newest_interval().and_then(|(_, stop)| stop)
    }

    pub(crate) fn is_hidden(&self) -> bool {
        self.group.as_ref().is_some_and(|group| group.hidden)
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.error.ends_with("context canceled")
    }

    /// The newest lines with their times, the one that goes on included.
    pub(crate) fn recent_lines(&self) -> Vec<&str> {
        let open = self.lines.last().filter(|_| self.last_line_is_open);
        let mut lines: Vec<&str> = self.recent.iter().map(String::as_str).collect();
        lines.extend(open.map(String::as_str));
        lines.split_off(lines.len().saturating_sub(KEPT_LINES))
    }

    /// Takes in what is reported of a vertex that has started; returns whether it is news. The
    /// texts are clean.
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

    /// Returns whether the interval is new, or has another end.
    fn add_interval(&mut self, start: SystemTime, end: Option<SystemTime>) -> bool {
        let changed = self.intervals.insert(start, end) != Some(end);
        if self.intervals.len() > MOST_INTERVALS {
            self.intervals.pop_first();
        }
        changed
    }

    /// Takes in a warning, which is clean.
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
                // A line feed ends the colours itself; only the last piece has none.
                if !ends {
                    self.end_colours();
                }
                self.keep_last();
            }
        }
    }

    /// Ends the colours of the last line, which the stream has not ended itself.
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

    /// Forgets the newest lines.
    pub(super) fn forget_recent(&mut self) {
        self.recent = VecDeque::new();
        self.recent_bytes = 0;
    }

    /// What is printed is printed: the open line stays, since more of it will come.
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

    /// Forgets what was not printed.
    pub(super) fn forget_waiting(&mut self) {
        self.lines = Vec::new();
        self.warnings = Vec::new();
        self.last_line_is_open = false;
        self.printed_of_first = 0;
        self.waiting_bytes = 0;
    }

    fn count_waiting(&mut self) {
        let waiting = self.lines.iter().chain(&self.warnings);
        self.waiting_bytes = waiting.map(|line| LINE + line.len()).sum();
    }

    /// Ends a line that was left open, because the vertex has ended.
    pub(crate) fn end_open_line(&mut self) {
        self.end_colours();
        self.keep_last();
        self.lines = Vec::new();
        self.last_line_is_open = false;
        self.printed_of_first = 0;
        self.count_waiting();
    }

    /// Takes the members of a group together. Returns whether there is anything to show.
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
