//! Faults of the texts of flags.

use iechor_build::spec::SpecError;

/// Returns the faults of a text as those of a setting.
pub(super) fn errors<E>(faults: Vec<E>) -> Vec<SpecError>
where
    SpecError: From<E>,
{
    faults.into_iter().map(SpecError::from).collect()
}
