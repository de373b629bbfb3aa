//! What the user sees while the driver works.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use iechor_engine::model::LogStream;
use wasmtime::component::Resource;

use crate::bindings::iechor::driver::progress;
use crate::limits;
use crate::operation::{Host, Operation};
use crate::report::StepId;
use crate::text::clean_line;

/// How often a counter of a step is shown.
const COUNTER_INTERVAL: Duration = Duration::from_millis(100);

/// A step that has begun.
pub struct Task {
    pub(crate) step: StepId,
    counters: HashMap<String, Shown>,
    /// The budget of steps was spent when it began: nothing of it is shown.
    silent: bool,
}

/// When a counter was last shown, and whether it was at its end.
struct Shown {
    at: Instant,
    finished: bool,
}

impl Task {
    fn begin(operation: &Operation, parent: Option<StepId>, name: &str) -> Self {
        let number = operation.steps.fetch_add(1, Ordering::Relaxed);
        let step = StepId(number);
        let silent = number >= limits::STEPS;
        if !silent {
            operation
                .progress
                .begin(step, parent, &clean_line(name, limits::LINE));
        }
        Self {
            step,
            counters: HashMap::new(),
            silent,
        }
    }

    pub(crate) fn output(&self, operation: &Operation, stream: LogStream, data: Bytes) {
        if !self.silent && operation.spend_output(data.len()) {
            operation.progress.output(self.step, stream, data);
        }
    }

    pub(crate) fn count(
        &mut self,
        operation: &Operation,
        counter: &str,
        current: u64,
        total: Option<u64>,
    ) {
        let now = Instant::now();
        let finished = total.is_some_and(|total| current >= total);
        // An end is shown at once, and once.
        let due = self.counters.get(counter).is_none_or(|shown| {
            finished && !shown.finished || now.duration_since(shown.at) >= COUNTER_INTERVAL
        });
        // As many counters as steps are plenty: an image has a hundred layers at most.
        if self.silent || !due || self.counters.len() as u64 >= limits::STEPS {
            return;
        }
        self.counters
            .insert(counter.to_owned(), Shown { at: now, finished });
        operation
            .progress
            .count(self.step, &clean_line(counter, 100), current, total);
    }
}

impl progress::Host for Host {}

impl progress::HostTask for Host {
    async fn new(&mut self, name: String) -> wasmtime::Result<Resource<Task>> {
        let operation = self.called_with("task.new", |line, _| {
            line.word(&name);
        });
        Ok(self.table.push(Task::begin(&operation, None, &name))?)
    }

    async fn child(
        &mut self,
        parent: Resource<Task>,
        name: String,
    ) -> wasmtime::Result<Resource<Task>> {
        let operation = self.called_with("task.child", |line, _| {
            line.word(&name);
        });
        let parent = self.table.get(&parent)?.step;
        Ok(self
            .table
            .push(Task::begin(&operation, Some(parent), &name))?)
    }

    async fn write(
        &mut self,
        task: Resource<Task>,
        output: progress::Output,
        mut data: Vec<u8>,
    ) -> wasmtime::Result<()> {
        let operation = self.called_with("task.write", |line, _| {
            let output = match output {
                progress::Output::Stdout => "stdout",
                progress::Output::Stderr => "stderr",
            };
            line.word(output).field("bytes", data.len());
        });
        data.truncate(limits::READ_BYTES);
        let stream = match output {
            progress::Output::Stdout => LogStream::Stdout,
            progress::Output::Stderr => LogStream::Stderr,
        };
        self.table
            .get(&task)?
            .output(&operation, stream, data.into());
        Ok(())
    }

    async fn status(
        &mut self,
        task: Resource<Task>,
        id: String,
        current: u64,
        total: Option<u64>,
    ) -> wasmtime::Result<()> {
        let operation = self.called_with("task.status", |line, _| {
            line.word(&id)
                .field("current", current)
                .optional("total", total);
        });
        self.table
            .get_mut(&task)?
            .count(&operation, &id, current, total);
        Ok(())
    }

    async fn finish(
        &mut self,
        task: Resource<Task>,
        outcome: Result<(), String>,
    ) -> wasmtime::Result<()> {
        let operation = self.called_with("task.finish", |line, _| {
            match &outcome {
                Ok(()) => line.word("ok"),
                Err(message) => line.field("error", message),
            };
        });
        let task = self.table.delete(task)?;
        if !task.silent {
            let outcome = outcome.map_err(|message| clean_line(&message, limits::LINE));
            operation.progress.finish(task.step, outcome);
        }
        Ok(())
    }

    async fn drop(&mut self, task: Resource<Task>) -> wasmtime::Result<()> {
        // Nothing visible hangs on it: the step ends with the operation.
        self.table.delete(task)?;
        Ok(())
    }
}

/// Feeds what arrives on a channel into a step.
pub(crate) fn forward(
    operation: Arc<Operation>,
    step: StepId,
    mut output: tokio::sync::mpsc::Receiver<Bytes>,
) {
    tokio::spawn(async move {
        while let Some(data) = output.recv().await {
            if operation.spend_output(data.len()) {
                operation.progress.output(step, LogStream::Stderr, data);
            }
        }
    });
}
