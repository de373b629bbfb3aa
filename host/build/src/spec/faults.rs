//! All faults of one text.

/// The faults of a text, in the order in which they are found. A parser notes a fault and goes on, so that
/// all of them are reported at once.
#[derive(Debug, Clone)]
pub(super) struct Faults<E>(Vec<E>);

impl<E> Default for Faults<E> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<E> Faults<E> {
    /// Notes a fault.
    pub(super) fn note(&mut self, fault: E) {
        self.0.push(fault);
    }

    /// Returns the value of a check, or notes its fault and returns `None`.
    pub(super) fn found<T>(&mut self, checked: Result<T, E>) -> Option<T> {
        checked.map_err(|fault| self.note(fault)).ok()
    }

    /// Returns whether a fault for which `is_of_kind` is true was noted.
    pub(super) fn has(&self, is_of_kind: impl FnMut(&E) -> bool) -> bool {
        self.0.iter().any(is_of_kind)
    }

    /// Returns the value of a text without faults.
    ///
    /// # Errors
    ///
    /// Returns all faults.
    pub(super) fn check<T>(self, value: T) -> Result<T, Vec<E>> {
        match self.0.is_empty() {
            true => Ok(value),
            false => Err(self.0),
        }
    }
}
