//! Kinds of failures, with their exit codes.
//!
//! The codes 1, 100, 102 and 130 are those of docker buildx. The others stand for failures for which docker
//! buildx exits with 1.

use iechor_buildkit::Code;

/// A kind of failure, as far as exit codes differ. Of several failures, the last kind counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    General,
    /// What the user names does not exist.
    NotFound,
    /// The engine or BuildKit cannot be reached, or does not answer.
    Unreachable,
    /// Objects are left in an engine.
    Incomplete,
    /// An internal error of BuildKit.
    Internal,
    /// A limit of BuildKit.
    ResourceExhausted,
    /// The user cancelled.
    Cancelled,
}

/// Every kind, with its exit code and its description for the help.
const KINDS: [(Kind, u8, &str); 7] = [
    (
        Kind::General,
        1,
        "The command failed for another reason: a build failed, or the command line is wrong",
    ),
    (
        Kind::NotFound,
        3,
        "The named builder or driver does not exist",
    ),
    (
        Kind::Unreachable,
        4,
        "The engine or BuildKit cannot be reached, or does not answer in time",
    ),
    (
        Kind::Incomplete,
        5,
        "Something is left in an engine, and the builder is kept until it is removed",
    ),
    (Kind::Internal, 100, "BuildKit reports an internal error"),
    (
        Kind::ResourceExhausted,
        102,
        "BuildKit reports that a resource is exhausted",
    ),
    (Kind::Cancelled, 130, "The command was cancelled"),
];

impl Kind {
    /// Returns the kind of an error of BuildKit.
    pub(super) fn of_buildkit(error: &iechor_buildkit::Error) -> Self {
        match error {
            // The call was cancelled because the session of the build was gone.
            iechor_buildkit::Error::Solve(error) if error.stopped.is_some() => Self::General,
            error => Self::of_code(error.code()),
        }
    }

    /// Returns the kind of a status of BuildKit.
    pub(super) const fn of_code(code: Option<Code>) -> Self {
        match code {
            Some(Code::Canceled) => Self::Cancelled,
            Some(Code::Internal) => Self::Internal,
            Some(Code::ResourceExhausted) => Self::ResourceExhausted,
            _ => Self::General,
        }
    }

    /// Returns the exit code.
    pub(super) fn exit_code(self) -> u8 {
        let mut kinds = KINDS.iter();
        kinds
            .find(|(kind, ..)| *kind == self)
            .map_or(1, |(_, code, _)| *code)
    }
}

/// Returns the exit codes for the help.
pub fn help() -> String {
    let mut text = String::from("Exit codes:\n    0  The command succeeded\n");
    for (_, code, description) in KINDS {
        text += &format!("  {code:>3}  {description}\n");
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_code_of_its_own() {
        let mut codes: Vec<_> = KINDS.iter().map(|(_, code, _)| *code).collect();
        assert!(codes.is_sorted(), "{codes:?}");
        codes.dedup();
        assert_eq!(codes.len(), KINDS.len());
        let kinds: Vec<_> = KINDS.iter().map(|(kind, ..)| *kind).collect();
        assert!(kinds.is_sorted(), "the more important kind comes later");
    }
}
