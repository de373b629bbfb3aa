//! The state of the vertexes so far.
//!
//! A build decides how many vertexes it has and how much they print, so everything that is kept
//! here is bounded. Text that waits to be printed is never dropped: if there is too much of it, it
//! is printed.

mod shown;

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use iechor_buildkit::status::{SolveStatus, Vertex, VertexStatus, VertexWarning};
use iechor_text::{clean, clean_block, clean_line};

use shown::{Group, Member};
pub(crate) use shown::{Shown, Status};

/// Maximum number of vertexes that are kept. The largest real builds have some thousands.
pub(crate) const MOST_VERTEXES: usize = 20_000;

/// Maximum number of statuses of a vertex that are kept. An image has two for each of its layers,
/// of which there are at most 127.
const MOST_STATUSES: usize = 1_000;

/// Maximum number of vertexes of a group that are kept.
const MOST_MEMBERS: usize = 1_000;

/// Maximum size of all names, errors and similar texts of a build that are kept, in bytes.
const MOST_KEPT: usize = 48 << 20;

/// Approximate size of a vertex without its texts, in bytes.
const VERTEX: usize = 1_000;

/// Approximate size of a status or of a member of a group without its texts, in bytes.
const PART: usize = 300;

/// Maximum size of the text that waits to be printed, in bytes. It belongs to vertexes that run in
/// parallel with the one that is shown.
const MOST_WAITING: usize = 8 << 20;

/// Maximum size of the last lines of vertexes, in bytes. They are shown again for vertexes that
/// fail.
const MOST_RECENT: usize = 8 << 20;

/// Maximum length of a name, in characters. It includes a command in a heredoc.
const NAME: usize = 16 << 10;

/// Maximum length of an error, in characters.
const ERROR: usize = 64 << 10;

/// Maximum length of the shown text of a status or a warning, in characters.
const LINE: usize = 4 << 10;

/// Maximum length of a text for which there is no space any more, in characters.
const STUB: usize = 200;

/// All vertexes, found by digest.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    /// Vertexes in the order of arrival.
    pub(crate) shown: Vec<Shown>,
    /// Vertexes in the order of their start.
    pub(crate) started: Vec<usize>,
    /// Vertexes that changed since they were last printed.
    pub(crate) updated: BTreeSet<usize>,
    /// Whether a part of the build was not recorded.
    pub(crate) is_cut: bool,
    by_digest: HashMap<String, usize>,
    groups: HashMap<String, usize>,
    /// Size of the recorded texts, in bytes. Replaced ones count as well.
    kept: usize,
    /// Size of the names and errors that arrived since the last print, in bytes.
    fresh: usize,
    /// Size of the lines that wait to be printed, in bytes, and the vertexes that have them.
    waiting: usize,
    waiting_in: BTreeSet<usize>,
    /// Size of the recent lines, in bytes, and the vertexes that have them.
    recent: usize,
    recent_in: BTreeSet<usize>,
}

impl Trace {
    pub(crate) fn update(&mut self, status: &SolveStatus, now: Duration) {
        let mut touched_groups = BTreeSet::new();
        for vertex in &status.vertexes {
            match &vertex.progress_group {
                Some(_) => touched_groups.extend(self.member(vertex)),
                None => self.vertex(vertex, now),
            }
        }
        for index in touched_groups {
            let was_shown = self.shown[index].is_started() && !self.shown[index].is_hidden();
            let show = self.shown[index].refresh_group();
            let group = &mut self.shown[index];
            if !was_shown && group.is_started() && !group.is_hidden() {
                self.started.push(index);
            }
            if show {
                self.fresh += group.error.len();
                group.closed = false;
                group.event(now);
                self.updated.insert(index);
            }
        }
        for status in &status.statuses {
            self.status(status, now);
        }
        for warning in &status.warnings {
            self.warning(warning, now);
        }
        for log in &status.logs {
            let Some(&index) = self.by_digest.get(&log.vertex) else {
                continue;
            };
            self.change(index, |shown| {
                shown.log(log);
                shown.event(now);
            });
            self.updated.insert(index);
        }
    }

    /// Changes a vertex, and updates the sizes of its lines.
    pub(crate) fn change<T>(&mut self, index: usize, change: impl FnOnce(&mut Shown) -> T) -> T {
        let shown = &mut self.shown[index];
        self.waiting -= shown.waiting_bytes;
        self.recent -= shown.recent_bytes;
        let result = change(shown);
        self.waiting += shown.waiting_bytes;
        self.recent += shown.recent_bytes;
        set(&mut self.waiting_in, index, shown.waiting_bytes > 0);
        set(&mut self.recent_in, index, shown.recent_bytes > 0);
        while self.recent > MOST_RECENT {
            let Some(oldest) = self.recent_in.pop_first() else {
                break;
            };
            let oldest = &mut self.shown[oldest];
            self.recent -= oldest.recent_bytes;
            oldest.forget_recent();
        }
        result
    }

    /// Returns whether there are more news than should be printed at once.
    pub(crate) fn is_full(&self) -> bool {
        self.fresh > MOST_WAITING
    }

    /// Records that the news are printed.
    pub(crate) fn printed(&mut self) {
        self.fresh = 0;
    }

    /// Returns the vertexes whose text has to be printed now because too much is waiting. Drops the
    /// waiting text of vertexes that are not shown.
    pub(crate) fn overdue(&mut self) -> Vec<usize> {
        if self.waiting <= MOST_WAITING {
            return Vec::new();
        }
        let mut overdue = Vec::new();
        for index in std::mem::take(&mut self.waiting_in) {
            if self.shown[index].is_hidden() {
                self.change(index, Shown::forget_waiting);
            } else {
                self.waiting_in.insert(index);
                overdue.push(index);
            }
        }
        overdue
    }

    /// Records that more bytes are kept, and returns whether there is space for them.
    fn admit(&mut self, bytes: usize) -> bool {
        let fits = self.kept + bytes <= MOST_KEPT;
        if fits {
            self.kept += bytes;
        } else {
            self.is_cut = true;
        }
        fits
    }

    /// Returns the part of a text to keep when it replaces another one.
    fn text(&mut self, old: &str, new: String) -> String {
        if new == old || new.len() <= STUB || self.admit(new.len()) {
            new
        } else {
            clean_line(&new, STUB)
        }
    }

    /// Reserves space for one more vertex.
    fn new_vertex(&mut self, digest: &str, name: &str) -> bool {
        let fits = self.by_digest.len() < MOST_VERTEXES;
        self.is_cut |= !fits;
        fits && self.admit(VERTEX + digest.len() + name.len())
    }

    fn vertex(&mut self, vertex: &Vertex, now: Duration) {
        let name = name(&vertex.name);
        let index = match self.by_digest.get(&vertex.digest).copied() {
            Some(index) => index,
            None if self.new_vertex(&vertex.digest, &name) => {
                let index = self.shown.len();
                self.shown.push(Shown {
                    name: name.clone(),
                    ..Shown::default()
                });
                self.by_digest.insert(vertex.digest.clone(), index);
                index
            }
            None => return,
        };
        let old = std::mem::take(&mut self.shown[index].name);
        let name = self.text(&old, name);
        self.shown[index].name = old;
        let Some(start) = vertex.started else {
            // The announcement of a vertex may be repeated. It does not reset anything.
            let shown = &mut self.shown[index];
            if !shown.is_started() {
                shown.name = name;
            }
            return;
        };
        let old = std::mem::take(&mut self.shown[index].error);
        let error = self.text(&old, error(&vertex.error));
        let shown = &mut self.shown[index];
        shown.error = old;
        if !shown.is_started() {
            self.started.push(index);
        }
        let bytes = name.len() + error.len();
        if shown.report(vertex, start, (name, error)) {
            self.fresh += bytes;
            shown.event(now);
            self.updated.insert(index);
        }
    }

    /// Adds a vertex to its group and returns the group.
    fn member(&mut self, vertex: &Vertex) -> Option<usize> {
        let group = vertex.progress_group.as_ref()?;
        let index = match self.groups.get(&group.id).copied() {
            Some(index) => index,
            None => {
                let name = name(&group.name);
                if !self.new_vertex(&group.id, &name) {
                    return None;
                }
                self.shown.push(Shown {
                    name,
                    group: Some(Group {
                        members: Vec::new(),
                        hidden: true,
                    }),
                    ..Shown::default()
                });
                self.groups.insert(group.id.clone(), self.shown.len() - 1);
                self.shown.len() - 1
            }
        };
        let mut members =
            std::mem::take(&mut self.shown[index].group.get_or_insert_default().members);
        let known = members
            .iter()
            .position(|member| member.digest == vertex.digest);
        let position = match known {
            Some(position) => Some(position),
            None if members.len() < MOST_MEMBERS
                && self.by_digest.len() < MOST_VERTEXES
                && self.admit(PART + 2 * vertex.digest.len()) =>
            {
                self.by_digest.insert(vertex.digest.clone(), index);
                members.push(Member {
                    digest: vertex.digest.clone(),
                    ..Member::default()
                });
                Some(members.len() - 1)
            }
            None => {
                self.is_cut = true;
                None
            }
        };
        if let Some(member) = position.and_then(|position| members.get_mut(position)) {
            member.started = vertex.started;
            member.completed = vertex.completed;
            member.cached = vertex.cached;
            member.strong = !group.weak;
            member.error = self.text(&member.error, error(&vertex.error));
        }
        self.shown[index].group.get_or_insert_default().members = members;
        position.map(|_| index)
    }

    fn status(&mut self, status: &VertexStatus, now: Duration) {
        let Some(&index) = self.by_digest.get(&status.vertex) else {
            return;
        };
        let known = self.shown[index]
            .statuses
            .iter()
            .position(|known| known.id == status.id);
        let newest = VertexStatus {
            id: String::new(),
            vertex: String::new(),
            name: String::new(),
            ..status.clone()
        };
        match known {
            Some(position) => {
                let known = &mut self.shown[index].statuses[position];
                known.newest = newest;
                known.changed = true;
            }
            // A status that has not started is not shown.
            None if status.started.is_none() => {}
            None if self.shown[index].statuses.len() < MOST_STATUSES
                // The third copy is the one of the plain format.
                && self.admit(PART + 3 * status.id.len()) =>
            {
                self.shown[index].statuses.push(Status {
                    id: status.id.clone(),
                    shown_id: one_line(&status.id, LINE),
                    newest,
                    changed: true,
                });
            }
            None => {
                self.is_cut = true;
                return;
            }
        }
        self.shown[index].event(now);
        self.updated.insert(index);
    }

    /// Returns the vertex with a digest.
    pub(crate) fn index(&self, digest: &str) -> Option<usize> {
        self.by_digest.get(digest).copied()
    }

    /// Takes the complete lines and the warnings of a vertex that wait to be printed.
    pub(crate) fn take_waiting(&mut self, index: usize) -> (Vec<String>, Vec<String>) {
        self.change(index, Shown::take_waiting)
    }

    fn warning(&mut self, warning: &VertexWarning, now: Duration) {
        let Some(&index) = self.by_digest.get(&warning.vertex) else {
            return;
        };
        let short = String::from_utf8_lossy(&warning.short);
        let short = clean_line(&short, LINE).trim_end().to_owned();
        self.change(index, |shown| {
            shown.warn(short);
            // As in buildx, a warning alone does not show a vertex. It waits for the next print.
            shown.event(now);
        });
    }
}

/// Adds an index to a set, or removes it.
fn set(indexes: &mut BTreeSet<usize>, index: usize, is_in: bool) {
    if is_in {
        indexes.insert(index);
    } else {
        indexes.remove(&index);
    }
}

/// Returns a name as one line.
fn name(text: &str) -> String {
    one_line(text, NAME)
}

/// Returns a text as one line. Tabs stay: the lines of an instruction are often indented with them.
fn one_line(text: &str, most: usize) -> String {
    clean(text, most).replace('\n', " ")
}

/// Returns an error, none of whose further lines looks like a line of the printer.
fn error(text: &str) -> String {
    clean_block(text, ERROR)
}
