//! The plain format: lines of text that are never rewritten.
//!
//! It reproduces the output of BuildKit's own `plain` display
//! (`util/progress/progressui/printer.go`), because people and programs read it. One vertex is open
//! at a time. The reports of others wait until that vertex ends, has printed for long, or another
//! one has waited for ten seconds.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use iechor_text::RESET;
use iechor_values::size;

use crate::errors;
use crate::trace::{MOST_VERTEXES, Shown, Status, Trace};
use crate::units;

/// Time after which a vertex that prints all the time is left for another one; longer if the others
/// print little.
const FAIR_SHARE: Duration = Duration::from_secs(5);
/// Maximum time that a vertex waits before it is shown.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Seconds after which a status is shown again even without progress.
const STATUS_PAUSE: f64 = 5.0;
/// Part of the whole after which a status is shown again.
const STATUS_STEP: f64 = 0.05;
/// Length at which long names are cut, if they are cut.
const NAME_LIMIT: usize = 72;

/// The last printed amount and time of each status, by its identifier.
type Printed = HashMap<String, (i64, SystemTime)>;

/// Prints vertexes to a text.
#[derive(Debug, Default)]
pub(crate) struct Plain {
    /// Text that is printed once before the first vertex.
    description: Option<String>,
    cut_names: bool,
    /// Whether a vertex has been printed.
    begun: bool,
    /// Vertex that the next lines belong to.
    open: Option<usize>,
    /// Number of vertexes that have a number.
    count: usize,
    /// Whether the note that not everything is shown was printed.
    said_cut: bool,
    /// Last printed values of each status: its amount and its time. As in BuildKit, statuses with the same
    /// identifier count as one, also those of several vertexes.
    printed: Printed,
}

/// The amount of output of a vertex.
struct Demand {
    index: usize,
    waited: f64,
    speed: f64,
    starved: bool,
}

impl Plain {
    pub(crate) fn new(description: Option<String>, cut_names: bool) -> Self {
        Self {
            description,
            cut_names,
            ..Self::default()
        }
    }

    /// Prints everything that cannot wait, even if it is not due.
    pub(crate) fn print_overdue(&mut self, trace: &mut Trace, out: &mut String) {
        for index in trace.overdue() {
            self.print_vertex(trace, index, out);
            self.end_line(trace, out);
        }
    }

    /// Prints everything that is due.
    pub(crate) fn print(&mut self, trace: &mut Trace, now: Duration, out: &mut String) {
        trace.printed();
        if trace.is_cut && !self.said_cut {
            self.said_cut = true;
            self.end_line(trace, out);
            line(
                out,
                format_args!(
                    "#0 this build reports more than can be shown: more than {MOST_VERTEXES} steps, \
                     or steps with very long texts; the rest is left out"
                ),
            );
        }
        let mut completed = Vec::new();
        let mut running = Vec::new();
        for &index in &trace.updated {
            let shown = &trace.shown[index];
            if shown.is_hidden() {
                continue;
            }
            match shown.completed() {
                Some(end) => completed.push((end, index)),
                None => running.push(index),
            }
        }
        // Ended vertexes come first: the open one, then the others in the order of their ends.
        completed.sort_by_key(|(end, _)| *end);
        let open = self.open;
        let open_completed = completed.iter().any(|(_, index)| Some(*index) == open);
        if let Some(open) = open.filter(|_| open_completed) {
            self.print_vertex(trace, open, out);
        }
        for (_, index) in completed {
            if Some(index) != open {
                self.print_vertex(trace, index, out);
            }
        }

        if running.is_empty() {
            let runs = |shown: &Shown| shown.is_started() && shown.completed().is_none();
            if open.is_some_and(|open| runs(&trace.shown[open])) {
                return;
            }
            // Show a running vertex even if it prints nothing.
            let next = trace.started.iter().copied().find(|&index| {
                let shown = &trace.shown[index];
                !shown.closed && runs(shown) && !shown.is_hidden()
            });
            if let Some(next) = next {
                self.print_vertex(trace, next, out);
            }
            return;
        }

        if let Some(open) = open.filter(|open| running.contains(open)) {
            self.print_vertex(trace, open, out);
        }
        let mut demands: Vec<Demand> = running
            .iter()
            .copied()
            .chain(open.filter(|open| !open_completed && !running.contains(open)))
            .filter_map(|index| {
                let shown = &trace.shown[index];
                let waited = now.saturating_sub(shown.waiting_since?);
                Some(Demand {
                    index,
                    waited: waited.as_secs_f64(),
                    speed: f64::from(shown.events) / waited.as_secs_f64(),
                    starved: waited > LONGEST_WAIT && Some(index) != open,
                })
            })
            .collect();
        demands.sort_by_key(|demand| demand.index);
        let sum: f64 = demands.iter().map(|demand| demand.speed).sum();
        let mut fastest: Option<&Demand> = None;
        for demand in &demands {
            if demand.starved || fastest.is_none_or(|fastest| fastest.speed < demand.speed) {
                fastest = Some(demand);
            }
        }
        let Some(fastest) = fastest.map(|demand| demand.index) else {
            return;
        };
        let Some(open) = open.filter(|_| !open_completed) else {
            self.print_vertex(trace, fastest, out);
            return;
        };
        if let Some(starved) = demands.iter().find(|demand| demand.starved) {
            self.print_vertex(trace, starved.index, out);
            return;
        }
        if let Some(demand) = demands.iter().find(|demand| demand.index == open) {
            let share = demand.speed / sum;
            if FAIR_SHARE.as_secs_f64() / (1.0 - share) < demand.waited {
                self.print_vertex(trace, fastest, out);
            }
        }
    }

    /// Ends the line that a vertex has left open, so that nothing is appended to it.
    pub(crate) fn end_line(&mut self, trace: &mut Trace, out: &mut String) {
        if let Some(open) = self.open {
            trace.change(open, |shown| {
                if shown.printed_of_first > 0 {
                    end_line(shown, out);
                    shown.end_open_line();
                }
            });
        }
    }

    /// Prints all news of a vertex.
    fn print_vertex(&mut self, trace: &mut Trace, index: usize, out: &mut String) {
        trace.updated.remove(&index);
        let number = *trace.shown[index].number.get_or_insert_with(|| {
            self.count += 1;
            self.count
        });
        if self.open != Some(index) {
            if let Some(open) = self.open {
                leave(&mut trace.shown[open], out);
            }
            if self.begun {
                out.push('\n');
            } else if let Some(description) = &self.description {
                line(out, format_args!("#0 {description}\n"));
            }
            self.begun = true;
            let name = &trace.shown[index].name;
            if self.cut_names {
                line(out, format_args!("#{number} {}", cut(name)));
            } else {
                line(out, format_args!("#{number} {name}"));
            }
        }
        self.open = Some(index);

        let ended = trace.change(index, |shown| {
            print_news(shown, number, &mut self.printed, out)
        });
        if ended {
            self.open = None;
            trace.change(index, |shown| close(shown, number, out));
        }
    }
}

/// Prints all news of a vertex and returns whether it has ended.
fn print_news(shown: &mut Shown, number: usize, printed: &mut Printed, out: &mut String) -> bool {
    let mut works = false;
    let changed = |status: &Status| status.changed && status_is_due(status, printed);
    if shown.printed_of_first > 0
        && (!shown.warnings.is_empty() || shown.statuses.iter().any(changed))
    {
        // The next text is a separate line, and so is the rest of the open one.
        end_line(shown, out);
        shown.printed_of_first = 0;
    }
    for status in &mut shown.statuses {
        if std::mem::take(&mut status.changed) && status_is_due(status, printed) {
            works |= status.newest.completed.is_none();
            let newest = (status.newest.current, status.newest.timestamp);
            match printed.get_mut(&status.id) {
                Some(printed) => *printed = newest,
                None => drop(printed.insert(status.id.clone(), newest)),
            }
            print_status(status, number, out);
        }
    }
    for warning in shown.warnings.drain(..) {
        line(out, format_args!("#{number} WARN: {warning}"));
    }
    print_lines(shown, number, out);
    // The loading of a remote cache reports work within vertexes that have ended.
    shown.completed().is_some() && !works
}

/// Prints the end of a vertex.
fn close(shown: &mut Shown, number: usize, out: &mut String) {
    shown.closed = true;
    shown.events = 0;
    if shown.last_line_is_open {
        end_line(shown, out);
        shown.end_open_line();
    }
    if shown.is_cancelled() {
        line(out, format_args!("#{number} CANCELED"));
    } else if !shown.error.is_empty() {
        line(out, format_args!("#{number} ERROR: {}", shown.error));
    } else if shown.cached {
        line(out, format_args!("#{number} CACHED"));
    } else {
        let seconds: f64 = shown
            .merged_intervals()
            .into_iter()
            .filter_map(|(start, stop)| Some(units::seconds_between(start, stop?)))
            .sum();
        line(out, format_args!("#{number} DONE {seconds:.1}s"));
    }
}

fn end_line(shown: &Shown, out: &mut String) {
    if shown.sanitizer.colour_is_open() {
        out.push_str(RESET);
    }
    out.push('\n');
}

/// Leaves a vertex that has not ended for another one.
fn leave(shown: &mut Shown, out: &mut String) {
    if shown.last_line_is_open {
        end_line(shown, out);
    }
    // A line that was printed in part is printed completely after the return to the vertex.
    shown.printed_of_first = 0;
    shown.events = 0;
    line(out, format_args!("#{} ...", shown.number.unwrap_or(0)));
}

fn status_is_due(status: &Status, printed: &Printed) -> bool {
    let Some(&(current, timestamp)) = printed.get(&status.id) else {
        return true;
    };
    let newest = &status.newest;
    let step = if newest.total > 0 {
        (newest.current as f64 - current as f64) / newest.total as f64
    } else {
        0.0
    };
    newest.completed.is_some()
        || step >= STATUS_STEP
        || units::seconds_between(timestamp, newest.timestamp) >= STATUS_PAUSE
}

fn print_status(status: &Status, number: usize, out: &mut String) {
    let newest = &status.newest;
    let mut text = format!("#{number} {}", status.shown_id);
    if newest.total != 0 {
        let (current, total) = (size::decimal(newest.current), size::decimal(newest.total));
        text.push_str(&format!(" {current} / {total}"));
    } else if newest.current != 0 {
        text.push_str(&format!(" {}", size::decimal(newest.current)));
    }
    if let Some(started) = newest.started {
        let end = newest.completed.unwrap_or(newest.timestamp);
        let seconds = units::seconds_between(started, end);
        if seconds > 0.01 {
            text.push_str(&format!(" {seconds:.1}s"));
        }
    }
    if newest.completed.is_some() {
        text.push_str(" done");
    }
    line(out, format_args!("{text}"));
}

fn print_lines(shown: &mut Shown, number: usize, out: &mut String) {
    let count = shown.lines.len();
    for (position, text) in shown.lines.iter().enumerate() {
        match text.get(shown.printed_of_first..) {
            Some(rest) if position == 0 && shown.printed_of_first > 0 => out.push_str(rest),
            _ => {
                let _ = write!(out, "#{number} {text}");
            }
        }
        if position + 1 < count || !shown.last_line_is_open {
            out.push('\n');
        }
    }
    shown.lines_are_printed();
}

/// Prints the end of the output: the last lines of the vertexes that failed.
pub(crate) fn print_errors(trace: &Trace, out: &mut String) {
    for &index in &trace.started {
        let shown = &trace.shown[index];
        if shown.error.is_empty() || shown.is_cancelled() {
            continue;
        }
        let mut recent: Vec<String> = shown
            .recent_lines()
            .iter()
            .map(|line| (*line).into())
            .collect();
        if let Some(last) = recent.last_mut()
            && shown.last_line_is_open
            && shown.sanitizer.colour_is_open()
        {
            last.push_str(RESET);
        }
        errors::print(out, &shown.name, recent.iter().map(String::as_str));
    }
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = out.write_fmt(text);
    out.push('\n');
}

fn cut(name: &str) -> String {
    if name.len() <= NAME_LIMIT {
        return name.to_owned();
    }
    let end = name.floor_char_boundary(NAME_LIMIT);
    format!("{}...", &name[..end])
}
