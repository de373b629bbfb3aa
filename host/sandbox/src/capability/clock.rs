//! Time.

use std::time::Duration;

use tokio::time::Instant;

use super::Interface;
use crate::bindings::HostError;
use crate::bindings::contract::Error;
use crate::bindings::iechor::driver::clock;
use crate::declaration::{Function, Needs};
use crate::operation::Host;
use wasmtime::component::HasSelf;

const FUNCTIONS: &[Function] = &[
    Function::new("clock.now", Needs::Nothing),
    Function::new("clock.sleep", Needs::Nothing),
    Function::new("clock.remaining", Needs::Nothing),
];

/// Time, as a capability.
pub(super) const INTERFACE: Interface = Interface {
    name: "clock",
    of_engine: false,
    grants: &[],
    functions: FUNCTIONS,
    kept: &[],
    context: |_, _| {},
    link: clock::add_to_linker::<Host, HasSelf<Host>>,
};

impl clock::Host for Host {
    async fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(nanoseconds(self.called("clock.now").started.elapsed()))
    }

    async fn sleep(&mut self, span: u64) -> Result<(), HostError> {
        let left = self
            .called_with("clock.sleep", |line, _| {
                line.word(&crate::observer::span(span));
            })
            .deadline
            .saturating_duration_since(Instant::now());
        let span = Duration::from_nanos(span);
        tokio::time::sleep(span.min(left)).await;
        if span >= left {
            Err(HostError::Answer(Error::Timeout))
        } else {
            Ok(())
        }
    }

    async fn remaining(&mut self) -> wasmtime::Result<Option<u64>> {
        let left = self
            .called("clock.remaining")
            .deadline
            .saturating_duration_since(Instant::now());
        Ok(Some(nanoseconds(left)))
    }
}

fn nanoseconds(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
