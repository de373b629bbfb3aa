//! Trace of a driver: one line for each call, in the terms of the contract.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};

use iechor_sandbox::contract::{Error, ObjectKind};
use iechor_sandbox::{DriverError, Observer};
use iechor_values::size;
use tokio_util::sync::CancellationToken;

use crate::bounds::{Bounds, Leash};

/// Number of lines at the end of a trace that a failure shows.
pub(crate) const SHOWN_LINES: usize = 40;
/// Maximum size of a line, in bytes; the rest is left out.
const LINE_BYTES: usize = 4 << 10;
/// Maximum size of all lines, in bytes.
const BYTES: usize = 32 << 20;

/// Records the operations of a driver and its calls to the host.
///
/// The text is the same for every run: IDs of the engine are replaced, and there are no times.
///
/// The trace is bounded: if a driver makes too many calls, the check in progress fails with this reason.
#[derive(Default)]
pub struct Trace {
    record: Mutex<Record>,
    bounds: Bounds,
}

#[derive(Default)]
struct Record {
    lines: Vec<Line>,
    bytes: usize,
    /// Index in `lines` of the call that has no answer yet.
    open: Option<usize>,
    calls: u64,
    functions: BTreeMap<&'static str, u64>,
    operations: BTreeSet<&'static str>,
    kept: BTreeMap<&'static str, usize>,
    cancel: Option<(u64, CancellationToken)>,
}

struct Line {
    text: String,
    answer: Option<String>,
    /// The line is of an operation, not of a call.
    outer: bool,
}

impl Trace {
    /// Returns the lines so far: operations, and the calls of each below it. A call without an answer in the line
    /// succeeded.
    pub fn lines(&self) -> Vec<String> {
        self.record().lines.iter().map(Line::render).collect()
    }

    /// Returns the last lines, as many as a failure shows.
    pub(crate) fn last_lines(&self) -> Vec<String> {
        let record = self.record();
        let first = record.lines.len().saturating_sub(SHOWN_LINES);
        record.lines[first..].iter().map(Line::render).collect()
    }

    /// Returns the number of calls to the host.
    pub fn calls(&self) -> u64 {
        self.record().calls
    }

    /// Returns how often each function of the host was called.
    pub fn functions(&self) -> BTreeMap<&'static str, u64> {
        self.record().functions.clone()
    }

    /// Returns the operations of the contract that were run.
    pub fn operations(&self) -> BTreeSet<&'static str> {
        self.record().operations.clone()
    }

    /// Things of the host that the driver still held when an operation returned, by their kind:
    /// the most of all operations.
    pub fn kept(&self) -> BTreeMap<&'static str, usize> {
        self.record().kept.clone()
    }

    /// Cancels when the call of that number begins, counted from 1.
    pub(crate) fn cancel_at(&self, call: u64, token: CancellationToken) {
        self.record().cancel = Some((call, token));
    }

    /// Returns a trace that ends the check on this leash if the driver makes too many calls.
    pub(crate) fn bounded(leash: Leash, is_time_virtual: bool) -> Self {
        Self {
            record: Mutex::default(),
            bounds: Bounds::new(leash, is_time_virtual),
        }
    }

    /// Adds a line if there is room for it.
    fn push(&self, mut record: MutexGuard<'_, Record>, line: Line) {
        if record.bytes < BYTES {
            record.bytes += line.text.len() + size_of::<Line>();
            record.lines.push(line);
            return;
        }
        drop(record);
        let reason = format!("the trace has more than {}", size::exact(BYTES as u64));
        self.bounds.exceed(reason, || self.last_lines());
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
    fn close(&mut self, answer: &str) {
        let answer = shortened(answer);
        if let Some(line) = self.open.take().and_then(|place| self.lines.get_mut(place))
            && line.answer.is_none()
        {
            self.bytes += answer.len();
            line.answer = Some(answer);
        }
    }
}

impl Line {
    fn render(&self) -> String {
        let indent = if self.outer { "" } else { "  " };
        match &self.answer {
            Some(answer) => format!("{indent}{} -> {answer}", self.text),
            None => format!("{indent}{}", self.text),
        }
    }
}

/// Returns a text without IDs, shortened to a readable length.
fn shortened(text: &str) -> String {
    let end = text.floor_char_boundary(LINE_BYTES);
    let mut short = without_ids(&text[..end]);
    if end < text.len() {
        // Writing to a string does not fail.
        let _ = write!(short, " ({} bytes more)", text.len() - end);
    }
    short
}

impl Observer for Trace {
    fn begin(&self, operation: &'static str) {
        self.bounds.begin(operation);
        let mut record = self.record();
        record.operations.insert(operation);
        let text = operation.to_owned();
        self.push(
            record,
            Line {
                text,
                answer: None,
                outer: true,
            },
        );
    }

    fn call(&self, function: &'static str, arguments: &str) {
        self.bounds.call(function, || self.last_lines());
        let mut record = self.record();
        record.calls += 1;
        *record.functions.entry(function).or_default() += 1;
        let text = match arguments {
            "" => function.to_owned(),
            arguments => format!("{function} {}", shortened(arguments)),
        };
        record.open = Some(record.lines.len());
        if let Some((call, token)) = &record.cancel
            && *call == record.calls
        {
            token.cancel();
        }
        self.push(
            record,
            Line {
                text,
                answer: None,
                outer: false,
            },
        );
    }

    fn answer(&self, answer: &str) {
        self.record().close(answer);
    }

    fn error(&self, error: &Error) {
        self.record().close(&error_words(error));
    }

    fn kept(&self, kind: &'static str, number: usize) {
        let mut record = self.record();
        let most = record.kept.entry(kind).or_default();
        *most = number.max(*most);
    }

    fn end(&self, operation: &'static str, outcome: Result<(), &DriverError>) {
        let mut record = self.record();
        match outcome {
            Err(DriverError::Cancelled { .. } | DriverError::TimedOut { .. }) => {
                record.close("no answer");
            }
            _ => record.open = None,
        }
        let answer = match outcome {
            Ok(()) => "ok".to_owned(),
            Err(error) => shortened(&failure_words(error)),
        };
        let text = operation.to_owned();
        self.push(
            record,
            Line {
                text,
                answer: Some(answer),
                outer: true,
            },
        );
    }
}

/// Returns the case of an error, as `wit/types.wit` spells it.
pub fn error_kind(error: &Error) -> &'static str {
    match error {
        Error::NotFound(_) => "not-found",
        Error::AlreadyExists(_) => "already-exists",
        Error::Conflict(_) => "conflict",
        Error::Denied(_) => "denied",
        Error::InvalidArgument(_) => "invalid-argument",
        Error::NotRunning => "not-running",
        Error::Unavailable(_) => "unavailable",
        Error::Timeout => "timeout",
        Error::Cancelled => "cancelled",
        Error::LimitExceeded(_) => "limit-exceeded",
        Error::Unsupported(_) => "unsupported",
        Error::Engine(_) => "engine",
        Error::Other(_) => "other",
    }
}

/// Returns how an operation failed, in one word: the case of the contract's error, or the host's own error.
pub fn failure_kind(error: &DriverError) -> &'static str {
    match error {
        DriverError::Failed { error, .. } => error_kind(error),
        DriverError::Denied { .. } => "denied",
        DriverError::TimedOut { .. } => "timeout",
        DriverError::Cancelled { .. } => "cancelled",
        DriverError::Crashed { .. } => "crashed",
        DriverError::OverBudget { .. } => "over-budget",
        DriverError::InvalidConfiguration { .. } => "invalid-configuration",
        _ => "not-loaded",
    }
}

fn error_words(error: &Error) -> String {
    let kind = error_kind(error);
    match error {
        Error::NotFound(object) | Error::AlreadyExists(object) => {
            format!("{kind} {} {}", object_kind(object.kind), object.name)
        }
        Error::Denied(denial) => format!("{kind} {}", denial.capability),
        Error::Engine(failure) => {
            format!(
                "{kind} {}: {}",
                failure.status,
                first_line(&failure.message)
            )
        }
        Error::Conflict(words)
        | Error::InvalidArgument(words)
        | Error::Unavailable(words)
        | Error::LimitExceeded(words)
        | Error::Unsupported(words)
        | Error::Other(words) => format!("{kind}: {}", first_line(words)),
        Error::NotRunning | Error::Timeout | Error::Cancelled => kind.to_owned(),
    }
}

fn failure_words(error: &DriverError) -> String {
    match error {
        DriverError::Failed { error, .. } => error_words(error),
        DriverError::Denied { denial, .. } => format!("denied {}", denial.capability),
        error @ (DriverError::TimedOut { .. } | DriverError::Cancelled { .. }) => {
            failure_kind(error).to_owned()
        }
        other => format!(
            "{}: {}",
            failure_kind(other),
            first_line(&other.to_string())
        ),
    }
}

fn object_kind(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Container => "container",
        ObjectKind::Volume => "volume",
        ObjectKind::Network => "network",
        ObjectKind::Image => "image",
        ObjectKind::Connection => "connection",
        ObjectKind::Other => "object",
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// Returns the text with every run of 12 or more hexadecimal digits replaced: such IDs come from the engine.
fn without_ids(text: &str) -> String {
    const SHORTEST: usize = 12;
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let run = rest
            .find(|c: char| !c.is_ascii_hexdigit() || c.is_ascii_uppercase())
            .unwrap_or(rest.len());
        if run >= SHORTEST {
            // Writing to a string does not fail.
            let _ = write!(clean, "<id>");
        } else {
            clean.push_str(&rest[..run]);
        }
        let mut after = rest[run..].chars();
        if let Some(c) = after.next() {
            clean.push(c);
        }
        rest = after.as_str();
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_has_a_line_for_each_call_and_its_answer() {
        let trace = Trace::default();
        trace.begin("boot");
        trace.call("container.find", "buildx_buildkit_a");
        trace.answer("none");
        trace.call("clock.now", "");
        trace.call("container.create", "buildx_buildkit_a image=b");
        trace.error(&Error::NotRunning);
        trace.end("boot", Ok(()));
        assert_eq!(
            trace.lines(),
            [
                "boot",
                "  container.find buildx_buildkit_a -> none",
                "  clock.now",
                "  container.create buildx_buildkit_a image=b -> not-running",
                "boot -> ok",
            ]
        );
        assert_eq!(trace.calls(), 3);
    }

    #[test]
    fn ids_of_the_engine_are_no_part_of_a_trace() {
        for (text, clean) in [
            ("image=sha256:0123456789abcdef0123", "image=sha256:<id>"),
            (
                "container 0123456789ab is not running",
                "container <id> is not running",
            ),
            ("buildx_buildkit_face", "buildx_buildkit_face"),
            ("ünïcödé", "ünïcödé"),
        ] {
            assert_eq!(without_ids(text), clean);
        }
    }

    #[test]
    fn a_call_that_is_cancelled_has_no_answer() {
        let trace = Trace::default();
        let token = CancellationToken::new();
        trace.cancel_at(2, token.clone());
        trace.begin("stop");
        trace.call("a.b", "");
        assert!(!token.is_cancelled());
        trace.call("c.d", "");
        assert!(token.is_cancelled());
        trace.end("stop", Err(&DriverError::Cancelled { operation: "stop" }));
        assert_eq!(
            trace.lines()[2..],
            ["  c.d -> no answer", "stop -> cancelled"]
        );
    }
}
