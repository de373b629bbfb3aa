//! What the user sees while the driver works.

mod counters;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use iechor_engine::model::LogStream;
use wasmtime::component::Resource;

use self::counters::Counters;
use super::Interface;
use crate::bindings::iechor::driver::progress;
use crate::declaration::{Function, Needs};
use crate::handle::{Handle, Handles};
use crate::limits;
use crate::operation::{Host, Operation, Output, Setup};
use crate::report::{Progress, StepId};
use crate::text::clean_line;
use wasmtime::component::HasSelf;

const FUNCTIONS: &[Function] = &[
    Function::new("task.new", Needs::Nothing),
    Function::new("task.child", Needs::Nothing),
    Function::new("task.write", Needs::Nothing),
    Function::new("task.status", Needs::Nothing),
    Function::new("task.finish", Needs::Nothing),
];

/// Progress, as a capability.
pub(super) const INTERFACE: Interface = Interface {
    name: "progress",
    of_engine: false,
    grants: &[],
    functions: FUNCTIONS,
    kept: &[("task", |entry| entry.is::<Task>())],
    context: |setup, contexts| contexts.add(Context::of(setup)),
    link: progress::add_to_linker::<Host, HasSelf<Host>>,
};

/// What progress needs of an operation.
struct Context {
    progress: Arc<dyn Progress>,
    steps: AtomicU64,
    counters: Mutex<Counters>,
}

impl Context {
    fn of(setup: &Setup<'_>) -> Self {
        Self {
            progress: Arc::clone(&setup.context.progress),
            steps: AtomicU64::new(0),
            counters: Mutex::default(),
        }
    }
}

/// A step that has begun.
pub struct Task {
    pub(crate) step: StepId,
    /// The budget of steps was spent when it began: nothing of it is shown.
    silent: bool,
}

impl Handle for progress::Task {
    type State = Task;
}

impl Task {
    fn begin(operation: &Operation, parent: Option<StepId>, name: &str) -> Self {
        let Context {
            progress, steps, ..
        } = operation.context();
        let number = steps.fetch_add(1, Ordering::Relaxed);
        let step = StepId(number);
        let silent = number >= limits::STEPS;
        if !silent {
            let name = clean_line(name, limits::LINE);
            progress.begin(step, parent, &operation.signed(&name));
        }
        Self { step, silent }
    }

    pub(crate) fn output(&self, operation: &Operation, stream: LogStream, data: Bytes) {
        if !self.silent {
            output(operation, self.step, stream, data);
        }
    }

    pub(crate) fn count(
        &self,
        operation: &Operation,
        counter: &str,
        current: u64,
        total: Option<u64>,
    ) {
        // Whatever is kept of it is kept by the name that is shown, which is short.
        let counter = operation.signed(&clean_line(counter, limits::COUNTER_NAME));
        let finished = total.is_some_and(|total| current >= total);
        let Context {
            progress, counters, ..
        } = operation.context();
        let due = {
            let mut counters = counters.lock().unwrap_or_else(PoisonError::into_inner);
            counters.is_due(self.step, &counter, finished, Instant::now())
        };
        if due && !self.silent {
            progress.count(self.step, &counter, current, total);
        }
    }
}

/// Shows output of a step in pieces, within the budget; where that is spent, it says so once.
fn output(operation: &Operation, step: StepId, stream: LogStream, mut data: Bytes) {
    let Context { progress, .. } = operation.context();
    loop {
        let piece = data.split_to(data.len().min(limits::READ_BYTES));
        match operation.output_left(piece.len()) {
            Output::Within => progress.output(step, stream, piece),
            Output::Spent => {
                let words = format!(
                    "\n[what is written beyond {} MiB is not shown]\n",
                    limits::OUTPUT_BYTES >> 20
                );
                progress.output(step, LogStream::Stderr, words.into());
                return;
            }
            Output::Beyond => return,
        }
        if data.is_empty() {
            return;
        }
    }
}

impl progress::Host for Host {}

impl progress::HostTask for Host {
    async fn new(&mut self, name: String) -> wasmtime::Result<Resource<progress::Task>> {
        let operation = self.called_with("task.new", |line, _| {
            line.word(&name);
        });
        Ok(self.table.keep(Task::begin(&operation, None, &name))?)
    }

    async fn child(
        &mut self,
        parent: Resource<progress::Task>,
        name: String,
    ) -> wasmtime::Result<Resource<progress::Task>> {
        let operation = self.called_with("task.child", |line, _| {
            line.word(&name);
        });
        let parent = self.table.state(&parent)?.step;
        Ok(self
            .table
            .keep(Task::begin(&operation, Some(parent), &name))?)
    }

    async fn write(
        &mut self,
        task: Resource<progress::Task>,
        output: progress::Output,
        data: Vec<u8>,
    ) -> wasmtime::Result<()> {
        let operation = self.called_with("task.write", |line, _| {
            let output = match output {
                progress::Output::Stdout => "stdout",
                progress::Output::Stderr => "stderr",
            };
            line.word(output).field("bytes", data.len());
        });
        let stream = match output {
            progress::Output::Stdout => LogStream::Stdout,
            progress::Output::Stderr => LogStream::Stderr,
        };
        self.table
            .state(&task)?
            .output(&operation, stream, data.into());
        Ok(())
    }

    async fn status(
        &mut self,
        task: Resource<progress::Task>,
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
            .state(&task)?
            .count(&operation, &id, current, total);
        Ok(())
    }

    async fn finish(
        &mut self,
        task: Resource<progress::Task>,
        outcome: Result<(), String>,
    ) -> wasmtime::Result<()> {
        let operation = self.called_with("task.finish", |line, _| {
            match &outcome {
                Ok(()) => line.word("ok"),
                Err(message) => line.field("error", message),
            };
        });
        let task = self.table.release(task)?;
        if !task.silent {
            let outcome = outcome.map_err(|message| clean_line(&message, limits::LINE));
            let Context { progress, .. } = operation.context();
            progress.finish(task.step, outcome);
        }
        Ok(())
    }

    async fn drop(&mut self, task: Resource<progress::Task>) -> wasmtime::Result<()> {
        // Nothing visible hangs on it: the step ends with the operation.
        self.table.release(task)?;
        Ok(())
    }
}

/// Feeds what arrives on a channel into a step.
pub(crate) fn forward(
    operation: Arc<Operation>,
    step: StepId,
    mut pieces: tokio::sync::mpsc::Receiver<Bytes>,
) {
    tokio::spawn(async move {
        while let Some(data) = pieces.recv().await {
            output(&operation, step, LogStream::Stderr, data);
        }
    });
}
