//! Handles of drivers, and what the host keeps behind them.
//!
//! The contract's handles have types that are generated. A capability says what it keeps behind a
//! type of handle ([`Handle`]), and reaches it through the table of the store ([`Handles`]).

use wasmtime::component::{Resource, ResourceTable, ResourceTableError};

/// A type of handle of the contract.
pub(crate) trait Handle: Sized + 'static {
    /// What the host keeps behind a handle.
    type State: Send + 'static;
}

/// A table that keeps what is behind handles.
pub(crate) trait Handles {
    /// Keeps something, and returns the handle to it.
    fn keep<H: Handle>(&mut self, state: H::State) -> Result<Resource<H>, ResourceTableError>;

    /// Returns what is behind a handle.
    fn state<H: Handle>(&self, handle: &Resource<H>) -> Result<&H::State, ResourceTableError>;

    /// Returns what is behind a handle, to change it.
    fn state_mut<H: Handle>(
        &mut self,
        handle: &Resource<H>,
    ) -> Result<&mut H::State, ResourceTableError>;

    /// Ends a handle, and returns what was behind it.
    fn release<H: Handle>(&mut self, handle: Resource<H>) -> Result<H::State, ResourceTableError>;
}

impl Handles for ResourceTable {
    fn keep<H: Handle>(&mut self, state: H::State) -> Result<Resource<H>, ResourceTableError> {
        Ok(Resource::new_own(self.push(state)?.rep()))
    }

    fn state<H: Handle>(&self, handle: &Resource<H>) -> Result<&H::State, ResourceTableError> {
        self.get(&Resource::new_borrow(handle.rep()))
    }

    fn state_mut<H: Handle>(
        &mut self,
        handle: &Resource<H>,
    ) -> Result<&mut H::State, ResourceTableError> {
        self.get_mut(&Resource::new_borrow(handle.rep()))
    }

    fn release<H: Handle>(&mut self, handle: Resource<H>) -> Result<H::State, ResourceTableError> {
        self.delete(Resource::new_own(handle.rep()))
    }
}
