//! Bounds on the work and the memory of an evaluation, so that no definition takes all of either.

use std::cell::Cell;

use crate::diagnostic::Diagnostic;
use crate::value::Value;

/// Deepest nesting of expressions, through functions too.
const DEEPEST: u32 = 600;
/// Units of work of an evaluation. An expression is one, and a call what its arguments weigh.
const WORK: u64 = 1 << 26;
/// The weight of the heaviest value: about as many bytes.
pub const HEAVIEST: u64 = 1 << 24;

/// What is left of the work of an evaluation.
#[derive(Debug)]
pub struct Budget {
    work: Cell<u64>,
    depth: Cell<u32>,
    is_exhausted: Cell<bool>,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            work: Cell::new(WORK),
            depth: Cell::new(0),
            is_exhausted: Cell::new(false),
        }
    }
}

/// A level of nesting; it ends when this is dropped.
pub struct Level<'a>(&'a Budget);

impl Drop for Level<'_> {
    fn drop(&mut self) {
        self.0.depth.set(self.0.depth.get() - 1);
    }
}

impl Budget {
    /// Begins a level of nesting.
    pub fn enter(&self) -> Result<Level<'_>, Diagnostic> {
        self.spend(1)?;
        let depth = self.depth.get() + 1;
        if depth > DEEPEST {
            self.is_exhausted.set(true);
            return Err(Diagnostic::new(
                "Too deeply nested",
                format!("Expressions and calls are nested more than {DEEPEST} levels deep."),
            ));
        }
        self.depth.set(depth);
        Ok(Level(self))
    }

    /// Takes units of work.
    pub fn spend(&self, units: u64) -> Result<(), Diagnostic> {
        match self.work.get().checked_sub(units) {
            Some(left) if !self.is_exhausted.get() => {
                self.work.set(left);
                Ok(())
            }
            _ => {
                self.is_exhausted.set(true);
                Err(Diagnostic::new(
                    "Too much work",
                    "The evaluation of this definition takes too long.",
                ))
            }
        }
    }

    /// Checks that a value is not too large.
    pub fn hold(&self, value: &Value) -> Result<(), Diagnostic> {
        self.check(value.weight())
    }

    /// Checks the weight of a value before it is created.
    pub fn check(&self, weight: u64) -> Result<(), Diagnostic> {
        if weight <= HEAVIEST {
            return Ok(());
        }
        self.is_exhausted.set(true);
        Err(Diagnostic::new(
            "Value too large",
            format!("A value takes more than {} MiB.", HEAVIEST >> 20),
        ))
    }

    /// Ends the evaluation: nothing can be evaluated any more.
    pub fn stop(&self) {
        self.is_exhausted.set(true);
    }

    /// Returns whether a bound was reached. Such a fault cannot be caught.
    pub fn is_exhausted(&self) -> bool {
        self.is_exhausted.get()
    }
}
