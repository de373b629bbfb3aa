//! Source lines of and hints for errors of definitions.

use iechor_bake::BakeError;
use iechor_bake::spec::{TargetError, TargetProblem};

use crate::program;
use crate::text::Text;

/// The line above and below source lines.
const RULE: &str = "--------------------";

/// Returns the lines around the place of an error, with a mark at the place, as docker buildx prints them.
pub(super) fn snippet(error: &BakeError) -> Option<Text> {
    let BakeError::Definition(error) = error else {
        return None;
    };
    let place = error.place.as_ref()?;
    let mut text = Text::of_line(&format!("{}:{}", place.file, place.start.line));
    text.line(RULE);
    for (number, line) in &place.snippet {
        let is_place = *number == place.start.line;
        let mark = if is_place { ">>>" } else { "   " };
        text.line(&format!("{number:>4} | {mark} {line}"));
    }
    text.line(RULE);
    Some(text)
}

/// Returns what to do about an error of a definition.
pub(super) fn hint(error: &BakeError) -> Option<String> {
    match error {
        BakeError::NoDefinition => Some(
            "create docker-bake.hcl in this directory, or name a definition with --file FILE"
                .to_owned(),
        ),
        BakeError::Compose { .. } => {
            Some("write the targets in HCL or JSON: --file docker-bake.hcl".to_owned())
        }
        BakeError::NoTarget {
            meant: Some(meant), ..
        } => Some(format!("did you mean {meant:?}?")),
        BakeError::NoTarget { .. } | BakeError::NoMatch { .. } => Some(format!(
            "run `{} --list=targets` to list the targets and groups",
            program::buildx("bake")
        )),
        BakeError::Definition(_) | BakeError::Invalid(_) => None,
    }
}

/// Returns what to do about a target that cannot be built.
pub(super) fn target_hint(error: &TargetError) -> Option<String> {
    let TargetError {
        target,
        attribute,
        problem,
    } = error;
    Some(match problem {
        TargetProblem::Value(_) => format!("change {attribute:?} of target {target:?}"),
        TargetProblem::Unsupported(_) => {
            format!("leave {attribute:?} of target {target:?} out, or build it with docker buildx")
        }
    })
}
