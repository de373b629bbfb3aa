//! The jobs of a build, each of which has a line, and the choice of those that fit on the screen.
//!
//! The rules are those of `setupTerminals` and `wrapHeight` in BuildKit's display: the newest lines are
//! shown; lines of running jobs that are further up take the place of completed ones. Windows with
//! output are opened where space is left.

use std::collections::{BTreeMap, BTreeSet};

use super::window::Windows;
use crate::trace::{Shown, Status, Trace};

/// Lines of the screen that are never used for jobs: the header, and the line of the cursor.
const RESERVED: usize = 2;

/// Lines that have to be free for a window, in addition to its own.
const SPARE: usize = 3;

/// Something that has a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Job<'a> {
    pub(super) shown: &'a Shown,
    pub(super) work: Work<'a>,
    pub(super) is_completed: bool,
}

/// The kind of a job.
#[derive(Debug, Clone, Copy)]
pub(super) enum Work<'a> {
    /// The vertex itself, with its index.
    Vertex(usize),
    /// A piece of work within the vertex.
    Status(&'a Status),
    /// A warning of the vertex.
    Warning(&'a str),
}

/// Returns all jobs in the order of their lines.
pub(super) fn collect<'a>(
    trace: &'a Trace,
    warnings: &'a BTreeMap<usize, Vec<String>>,
) -> Vec<Job<'a>> {
    let mut jobs = Vec::new();
    for &index in &trace.started {
        let shown = &trace.shown[index];
        let is_completed = shown.completed().is_some();
        let mut add = |work, is_completed| {
            jobs.push(Job {
                shown,
                work,
                is_completed,
            });
        };
        add(Work::Vertex(index), is_completed);
        for status in &shown.statuses {
            add(Work::Status(status), status.newest.completed.is_some());
        }
        for warning in warnings.get(&index).into_iter().flatten() {
            add(Work::Warning(warning), is_completed);
        }
    }
    jobs
}

/// Returns the jobs to show, and the vertexes among them whose windows are open. With `all`, every job is
/// shown.
pub(super) fn arrange<'a>(
    jobs: Vec<Job<'a>>,
    windows: &Windows,
    height: usize,
    all: bool,
) -> (Vec<Job<'a>>, BTreeSet<usize>) {
    let running = jobs.iter().filter(|job| !job.is_completed).count();
    let mut candidates: Vec<usize> = jobs
        .iter()
        .filter(|job| !job.is_completed)
        .filter_map(|job| match job.work {
            Work::Vertex(index) if windows.has(index) => Some(index),
            _ => None,
        })
        .collect();
    // A window with much output comes first, and one that is open stays open.
    candidates.sort_by_key(|index| std::cmp::Reverse(windows.weight(*index)));
    let needed = windows.rows() + SPARE;
    let mut free = height.saturating_sub(RESERVED + running);
    let mut open = BTreeSet::new();
    let mut hidden = 0;
    for index in candidates {
        if free <= needed {
            break;
        }
        free -= needed;
        hidden += windows.lines(index).count();
        open.insert(index);
    }
    if all {
        return (jobs, open);
    }
    let limit = height.saturating_sub(RESERVED + hidden);
    (wrapped(jobs, limit), open)
}

/// Returns at most `limit` jobs: the last ones, of which completed ones give way to running jobs before them.
fn wrapped(mut jobs: Vec<Job<'_>>, limit: usize) -> Vec<Job<'_>> {
    if jobs.len() <= limit {
        return jobs;
    }
    let last = jobs.split_off(jobs.len() - limit);
    jobs.retain(|job| !job.is_completed);
    let mut wanted = jobs.len();
    let kept: Vec<Job<'_>> = last
        .into_iter()
        .filter(|job| {
            let stays = !job.is_completed || wanted == 0;
            wanted = wanted.saturating_sub(1);
            stays
        })
        .collect();
    let space = limit - kept.len();
    let mut shown = jobs.split_off(jobs.len().saturating_sub(space));
    shown.extend(kept);
    shown
}
