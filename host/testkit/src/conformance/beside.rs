//! More than one at a time: two nodes, and two boots of one.

use iechor_sandbox::contract::Status;

use super::start::Pictures;
use super::{Outcome, Verdict};
use crate::case::{REMOVE, STOP};
use crate::subject::Subject;
use crate::trace::failure_kind;

/// A node whose name begins as the other one's does.
const NEIGHBOUR: &str = "node00";

pub(super) async fn nodes(subject: &Subject) -> Verdict {
    let case = subject.case();
    let (node, neighbour) = (case.node(), case.named_node(NEIGHBOUR));
    case.ok("boot of a node", node.boot().await)?;
    let before = Pictures::take(&case).await?;
    case.ok("boot of another node beside it", neighbour.boot().await)?;
    case.reaches_buildkit("of the other node", &neighbour)
        .await?;
    case.ok("stop of the other node", neighbour.stop(STOP).await)?;
    let running = [Status::Running];
    case.status("of a node beside a stopped one", &node, &running)
        .await?;
    case.ok("boot of the other node", neighbour.boot().await)?;
    case.ok("remove of the other node", neighbour.remove(REMOVE).await)?;
    let after = Pictures::take(&case).await?;
    if before != after {
        return Err(case.failure(
            format!("a node stays as it is where another one is removed: {before:?}"),
            format!("{after:?}"),
        ));
    }
    case.reaches_buildkit("of the node that is left", &node)
        .await?;
    Ok(Outcome::Passed)
}

pub(super) async fn boots(subject: &Subject) -> Verdict {
    let full = {
        let case = subject.case();
        case.ok("boot", case.node().boot().await)?;
        case.objects().await?
    };
    let case = subject.case();
    let (one, other) = (case.node(), case.node());
    let (first, second) = tokio::join!(one.boot(), other.boot());
    for result in [&first, &second] {
        case.typed("boot beside another boot of the same node", result)?;
    }
    let lost = match (first, second) {
        (Ok(()), Ok(())) => None,
        (Err(error), Ok(())) | (Ok(()), Err(error)) => Some(error),
        (Err(error), Err(_)) => {
            return Err(case.failure(
                "of two boots at once, one at least succeeds",
                format!("{}: {error}", failure_kind(&error)),
            ));
        }
    };
    case.has("after two boots at once", &full).await?;
    case.status("after two boots at once", &one, &[Status::Running])
        .await?;
    case.reaches_buildkit("after two boots at once", &one)
        .await?;
    Ok(match lost {
        None => Outcome::Passed,
        Some(error) => Outcome::Warned(format!(
            "of two boots at once one failed, and with it the build that it was for: {error}"
        )),
    })
}
