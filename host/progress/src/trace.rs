//! What is known of the vertexes so far.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::time::{Duration, SystemTime};

use iechor_buildkit::status::{SolveStatus, Vertex, VertexLog, VertexStatus};

use crate::sanitize::{self, Sanitizer};
use crate::units;

/// Log lines that are shown again at the end for a vertex that failed.
const KEPT_LINES: usize = 10;

/// A line is broken here, so that output without line ends takes no unlimited memory.
const LONGEST_LINE: usize = 64 * 1024;

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
    /// Statuses that changed since the last print.
    pub(crate) changed_statuses: HashSet<String>,
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
    recent: VecDeque<String>,
    /// From start to end; the end of a running one is open.
    intervals: BTreeMap<SystemTime, Option<SystemTime>>,
    newest: Option<Vertex>,
    group: Option<Group>,
}

#[derive(Debug, Default)]
struct Group {
    /// In the order of arrival.
    members: Vec<Vertex>,
    /// Nothing but weak members has started: it is not shown.
    hidden: bool,
}

/// Progress within a vertex that has started.
#[derive(Debug)]
pub(crate) struct Status {
    pub(crate) id: String,
    pub(crate) shown_id: String,
    pub(crate) newest: VertexStatus,
    /// What was printed last.
    pub(crate) printed: Option<(i64, SystemTime)>,
}

impl Shown {
    fn event(&mut self, now: Duration) {
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

    fn log(&mut self, log: &VertexLog) {
        let text = self.sanitizer.feed(&log.data);
        let seconds = self.newest_interval().map_or(0.0, |(start, _)| {
            units::seconds_between(start, log.timestamp)
        });
        let prefix = units::log_time(seconds);
        for piece in text.split_inclusive('\n') {
            let ends = piece.ends_with('\n');
            let piece = piece.trim_end_matches('\n');
            match self.lines.last_mut() {
                Some(last) if self.last_line_is_open => last.push_str(piece),
                _ => self.lines.push(format!("{prefix} {piece}")),
            }
            let length = self.lines.last().map_or(0, String::len);
            self.last_line_is_open = !ends && length < LONGEST_LINE;
            if !self.last_line_is_open {
                self.keep_last();
            }
        }
    }

    fn keep_last(&mut self) {
        if self.recent.len() == KEPT_LINES {
            self.recent.pop_front();
        }
        self.recent.extend(self.lines.last().cloned());
    }

    /// What is printed is printed: the open line stays, since more of it will come.
    pub(crate) fn lines_are_printed(&mut self) {
        if self.last_line_is_open {
            self.lines.drain(..self.lines.len().saturating_sub(1));
            self.printed_of_first = self.lines.first().map_or(0, String::len);
        } else {
            self.lines.clear();
            self.printed_of_first = 0;
        }
    }

    /// Ends a line that was left open, because the vertex has ended.
    pub(crate) fn end_open_line(&mut self) {
        self.keep_last();
        self.lines.clear();
        self.last_line_is_open = false;
        self.printed_of_first = 0;
    }

    /// Takes the members of a group together. Returns whether there is anything to show.
    fn refresh_group(&mut self) -> bool {
        let Some(group) = &mut self.group else {
            return false;
        };
        let mut changed = false;
        let mut cached = true;
        let mut error = String::new();
        let was_hidden = group.hidden;
        for member in &group.members {
            let strong = member
                .progress_group
                .as_ref()
                .is_some_and(|group| !group.weak);
            if let Some(start) = member.started {
                changed |= self.intervals.insert(start, member.completed) != Some(member.completed);
                group.hidden &= !strong;
            }
            cached &= member.cached;
            if !member.error.is_empty() {
                group.hidden = false;
                if error.is_empty() {
                    error = sanitize::plain(&member.error);
                }
            }
        }
        changed |= self.cached != cached || self.error != error;
        self.cached = cached;
        self.error = error;
        changed |= was_hidden && !group.hidden;
        changed && !group.hidden
    }
}

/// All vertexes, found by digest.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    /// In the order of arrival.
    pub(crate) shown: Vec<Shown>,
    /// In the order of start.
    pub(crate) started: Vec<usize>,
    /// What changed since it was last printed.
    pub(crate) updated: BTreeSet<usize>,
    by_digest: HashMap<String, usize>,
    groups: HashMap<String, usize>,
}

impl Trace {
    pub(crate) fn update(&mut self, status: &SolveStatus, now: Duration) {
        let mut touched_groups = Vec::new();
        for vertex in &status.vertexes {
            match &vertex.progress_group {
                Some(_) => {
                    let index = self.member(vertex);
                    if !touched_groups.contains(&index) {
                        touched_groups.push(index);
                    }
                }
                None => self.vertex(vertex, now),
            }
        }
        for index in touched_groups {
            let show = self.shown[index].refresh_group();
            let group = &mut self.shown[index];
            if !group.is_hidden() && group.is_started() && !self.started.contains(&index) {
                self.started.push(index);
            }
            if show {
                group.closed = false;
                group.event(now);
                self.updated.insert(index);
            }
        }
        for status in &status.statuses {
            let Some(&index) = self.by_digest.get(&status.vertex) else {
                continue;
            };
            let shown = &mut self.shown[index];
            let known = shown
                .statuses
                .iter_mut()
                .find(|known| known.id == status.id);
            match known {
                Some(known) => known.newest = status.clone(),
                // One that has not started is not shown.
                None if status.started.is_none() => {}
                None => shown.statuses.push(Status {
                    id: status.id.clone(),
                    shown_id: sanitize::line(&status.id),
                    newest: status.clone(),
                    printed: None,
                }),
            }
            shown.changed_statuses.insert(status.id.clone());
            shown.event(now);
            self.updated.insert(index);
        }
        for warning in &status.warnings {
            let Some(&index) = self.by_digest.get(&warning.vertex) else {
                continue;
            };
            let short = String::from_utf8_lossy(&warning.short);
            let shown = &mut self.shown[index];
            shown.warnings.push(sanitize::line(&short));
            // As in the peer a warning alone shows no vertex: it waits for the next print.
            shown.event(now);
        }
        for log in &status.logs {
            let Some(&index) = self.by_digest.get(&log.vertex) else {
                continue;
            };
            let shown = &mut self.shown[index];
            shown.log(log);
            shown.event(now);
            self.updated.insert(index);
        }
    }

    fn vertex(&mut self, vertex: &Vertex, now: Duration) {
        let index = match self.by_digest.get(&vertex.digest) {
            Some(&index) => index,
            None => {
                self.shown.push(Shown::default());
                self.by_digest
                    .insert(vertex.digest.clone(), self.shown.len() - 1);
                self.shown.len() - 1
            }
        };
        let shown = &mut self.shown[index];
        let Some(start) = vertex.started else {
            // The announcement of a vertex may be repeated; it takes back nothing.
            if !shown.is_started() {
                shown.name = sanitize::line(&vertex.name);
            }
            return;
        };
        let unfinished = vertex.completed.is_some() && !shown.closed;
        let news = |old: &Vertex| {
            old.started != vertex.started
                || old.completed != vertex.completed
                || old.cached != vertex.cached
                || old.error != vertex.error
                || old.name != vertex.name
        };
        if unfinished || shown.newest.as_ref().is_none_or(news) {
            shown.event(now);
            self.updated.insert(index);
        }
        if !shown.is_started() {
            self.started.push(index);
        }
        if shown.intervals.insert(start, vertex.completed) != Some(vertex.completed) {
            shown.closed = false;
        }
        shown.name = sanitize::line(&vertex.name);
        shown.cached = vertex.cached;
        shown.error = sanitize::plain(&vertex.error);
        shown.newest = Some(vertex.clone());
    }

    /// Puts a vertex into its group and returns the group.
    fn member(&mut self, vertex: &Vertex) -> usize {
        let (id, name) = vertex
            .progress_group
            .as_ref()
            .map_or(("", ""), |group| (group.id.as_str(), group.name.as_str()));
        let index = match self.groups.get(id) {
            Some(&index) => index,
            None => {
                self.shown.push(Shown {
                    name: sanitize::line(name),
                    group: Some(Group {
                        members: Vec::new(),
                        hidden: true,
                    }),
                    ..Shown::default()
                });
                self.groups.insert(id.to_owned(), self.shown.len() - 1);
                self.shown.len() - 1
            }
        };
        self.by_digest.insert(vertex.digest.clone(), index);
        let group = self.shown[index].group.get_or_insert_default();
        let known = group
            .members
            .iter_mut()
            .find(|member| member.digest == vertex.digest);
        match known {
            Some(member) => *member = vertex.clone(),
            None => group.members.push(vertex.clone()),
        }
        index
    }
}
