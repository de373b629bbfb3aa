//! An engine or a network that fails at any call.

use iechor_engine::EngineError;
use iechor_engine::simulated::Fault;
use iechor_sandbox::contract::Status;
use iechor_sandbox::{DriverError, Node};

use super::{Outcome, Verdict};
use crate::case::{Case, REMOVE, STOP};
use crate::network::DialFault;
use crate::report::Failure;
use crate::subject::Subject;

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Error,
    LostAnswer,
    Hang,
}

const KINDS: [Kind; 3] = [Kind::Error, Kind::LostAnswer, Kind::Hang];

/// Where it happens: the number of a call, from 1.
#[derive(Debug, Clone, Copy)]
enum Place {
    Engine(u64),
    Network(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Boot,
    Stop,
    Remove,
    Info,
    Dial,
    Version,
    Features,
}

impl Operation {
    async fn run(self, node: &Node) -> Result<(), DriverError> {
        match self {
            Self::Boot => node.boot().await,
            Self::Stop => node.stop(STOP).await,
            Self::Remove => node.remove(REMOVE).await,
            Self::Info => node.info().await.map(drop),
            Self::Dial => node.dial().await.map(drop),
            Self::Version => node.version().await.map(drop),
            Self::Features => node.features().await.map(drop),
        }
    }

    fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

/// How many calls the world has seen: of the engine, of the network.
fn calls(case: &Case<'_>) -> Result<(u64, u64), Failure> {
    let stage = case.stage()?;
    Ok((stage.engine.calls(), stage.network.calls()))
}

/// A world that is ready for the operation.
async fn prepared(subject: &Subject, operation: Operation) -> Result<Case<'_>, Failure> {
    let case = subject.case();
    if operation != Operation::Boot {
        case.ok("boot", case.rich_node().boot().await)?;
    }
    Ok(case)
}

/// Every place where the operation calls something outside.
async fn places(subject: &Subject, operation: Operation) -> Result<Vec<Place>, Failure> {
    let case = prepared(subject, operation).await?;
    let before = calls(&case)?;
    let result = operation.run(&case.rich_node()).await;
    case.ok(&operation.name(), result)?;
    let after = calls(&case)?;
    let engine = (1..=after.0 - before.0).map(Place::Engine);
    let network = (1..=after.1 - before.1).map(Place::Network);
    Ok(engine.chain(network).collect())
}

/// Sets the fault; returns what the kit calls it. `None` where there is no such fault there.
fn set(case: &Case<'_>, place: Place, kind: Kind) -> Result<Option<()>, Failure> {
    let stage = case.stage()?;
    let (engine_calls, network_calls) = calls(case)?;
    match place {
        Place::Engine(number) => {
            let error = EngineError::Refused {
                status: 500,
                message: "a fault of the test kit".into(),
            };
            let fault = match kind {
                Kind::Error => Fault::Error(error),
                Kind::LostAnswer => Fault::LoseAnswer(error),
                Kind::Hang => Fault::Hang,
            };
            stage.engine.set_fault(engine_calls + number, fault);
        }
        Place::Network(number) => {
            let fault = match kind {
                Kind::Error => DialFault::Refused,
                Kind::Hang => DialFault::Hang,
                // A connection that is there without anybody knowing is no connection.
                Kind::LostAnswer => return Ok(None),
            };
            stage.network.set_fault(network_calls + number, fault);
        }
    }
    Ok(Some(()))
}

fn clear(case: &Case<'_>) -> Result<(), Failure> {
    let stage = case.stage()?;
    stage.engine.clear_faults();
    stage.network.clear_faults();
    Ok(())
}

/// What the fault hit, for a message.
fn hit(case: &Case<'_>, place: Place, kind: Kind, before: u64) -> String {
    let what = match kind {
        Kind::Error => "an error",
        Kind::LostAnswer => "a lost answer",
        Kind::Hang => "no answer",
    };
    match place {
        Place::Engine(number) => {
            let journal = case
                .stage()
                .map(|stage| stage.engine.journal())
                .unwrap_or_default();
            let line = journal.get((before + number) as usize - 1);
            let call = line
                .and_then(|line| line.split(" -> ").next())
                .unwrap_or("?");
            let call = call.split(' ').next().unwrap_or(call);
            format!("{what} at call {number} of the engine ({call})")
        }
        Place::Network(number) => format!("{what} at connection {number}"),
    }
}

/// Runs the operation with the fault and returns what came of it.
async fn with_fault(
    case: &Case<'_>,
    operation: Operation,
    place: Place,
    kind: Kind,
) -> Result<Option<(String, Result<(), DriverError>)>, Failure> {
    let before = calls(case)?.0;
    if set(case, place, kind)?.is_none() {
        return Ok(None);
    }
    let result = operation.run(&case.rich_node()).await;
    clear(case)?;
    let what = format!(
        "{} with {}",
        operation.name(),
        hit(case, place, kind, before)
    );
    case.typed(&what, &result)?;
    Ok(Some((what, result)))
}

pub(super) async fn boot(subject: &Subject, kind: Kind) -> Verdict {
    let full = {
        let case = prepared(subject, Operation::Stop).await?;
        case.objects().await?
    };
    let places = places(subject, Operation::Boot).await?;
    if places.is_empty() {
        return Ok(Outcome::Skipped(
            "a boot calls neither engine nor network".into(),
        ));
    }
    let mut silent = Vec::new();
    for place in places {
        let case = prepared(subject, Operation::Boot).await?;
        let Some((what, result)) = with_fault(&case, Operation::Boot, place, kind).await? else {
            continue;
        };
        match &result {
            Ok(()) => {
                case.has(&format!("after {what}, which succeeded"), &full)
                    .await?;
                case.status(
                    &format!("after {what}, which succeeded"),
                    &case.rich_node(),
                    &[Status::Running],
                )
                .await?;
            }
            // Nobody knows what came of a creation that is still under way: the host says so.
            Err(_) if kind == Kind::Hang && what.contains("(create_") => {}
            Err(error) => {
                case.has(&format!("after {what}, which failed"), &[])
                    .await?;
                let told = kind == Kind::Hang
                    || matches!(place, Place::Network(_))
                    || error.to_string().contains("a fault of the test kit");
                if !told {
                    silent.push(format!("{what}: {error}"));
                }
            }
        }
        let again = format!("boot after {what}");
        case.ok(&again, case.rich_node().boot().await)?;
        case.has(&format!("after {again}"), &full).await?;
    }
    Ok(match silent.first() {
        None => Outcome::Passed,
        Some(first) => Outcome::Warned(format!(
            "an error does not pass on what the engine said, {} times; the first: {first}",
            silent.len()
        )),
    })
}

pub(super) async fn stop(subject: &Subject) -> Verdict {
    let ended = |subject: &Subject| subject.nature.keeps_daemon();
    sweep(
        subject,
        Operation::Stop,
        async |case: &Case<'_>, what: &str| {
            let node = case.rich_node();
            case.ok(&format!("stop after {what}"), node.stop(STOP).await)?;
            if ended(case.subject) {
                let stopped = [Status::Stopped, Status::Inactive];
                case.status(&format!("after {what} and another stop"), &node, &stopped)
                    .await?;
            }
            Ok(())
        },
    )
    .await
}

pub(super) async fn remove(subject: &Subject) -> Verdict {
    sweep(
        subject,
        Operation::Remove,
        async |case: &Case<'_>, what: &str| {
            case.ok(
                &format!("remove after {what}"),
                case.rich_node().remove(REMOVE).await,
            )?;
            case.has(&format!("after {what} and another remove"), &[])
                .await
        },
    )
    .await
}

pub(super) async fn queries(subject: &Subject) -> Verdict {
    let full = {
        let case = prepared(subject, Operation::Info).await?;
        case.objects().await?
    };
    let mut any = false;
    for operation in [
        Operation::Info,
        Operation::Dial,
        Operation::Version,
        Operation::Features,
    ] {
        let verdict = sweep(subject, operation, async |case: &Case<'_>, what: &str| {
            case.has(&format!("after {what}"), &full).await?;
            case.ok(&format!("{} after {what}", operation.name()), {
                operation.run(&case.rich_node()).await
            })
        })
        .await?;
        any |= matches!(verdict, Outcome::Passed);
    }
    Ok(if any {
        Outcome::Passed
    } else {
        Outcome::Skipped("these operations call neither engine nor network".into())
    })
}

/// Runs the operation with every fault at every place, and then what must hold after each.
async fn sweep(
    subject: &Subject,
    operation: Operation,
    afterwards: impl AsyncFn(&Case<'_>, &str) -> Result<(), Failure>,
) -> Verdict {
    let places = places(subject, operation).await?;
    if places.is_empty() {
        let reason = format!("{} calls neither engine nor network", operation.name());
        return Ok(Outcome::Skipped(reason));
    }
    for place in places {
        for kind in KINDS {
            let case = prepared(subject, operation).await?;
            if let Some((what, _)) = with_fault(&case, operation, place, kind).await? {
                afterwards(&case, &what).await?;
            }
        }
    }
    Ok(Outcome::Passed)
}
