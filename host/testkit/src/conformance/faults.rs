//! An engine or a network that fails at any call.

use iechor_engine::EngineError;
use iechor_engine::simulated::Fault;
use iechor_sandbox::contract::Status;
use iechor_sandbox::{DriverError, Node};

use super::start::{Pictures, Start};
use super::{Outcome, Verdict};
use crate::case::{Case, KEEP_STATE, REMOVE, STOP};
use crate::network::DialFault;
use crate::report::Failure;
use crate::subject::Subject;
use crate::trace::failure_kind;

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
    RemoveButState,
    Info,
    Dial,
    Version,
    Features,
    HostGateway,
}

impl Operation {
    async fn run(self, node: &Node) -> Result<(), DriverError> {
        match self {
            Self::Boot => node.boot().await,
            Self::Stop => node.stop(STOP).await,
            Self::Remove => node.remove(REMOVE).await,
            Self::RemoveButState => node.remove(KEEP_STATE).await,
            Self::Info => node.info().await.map(drop),
            Self::Dial => node.dial().await.map(drop),
            Self::Version => node.version().await.map(drop),
            Self::Features => node.features().await.map(drop),
            Self::HostGateway => match node.host_gateway().await {
                Err(error) if failure_kind(&error) == "unsupported" => Ok(()),
                other => other.map(drop),
            },
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Boot => "boot",
            Self::Stop => "stop",
            Self::Remove => "remove",
            Self::RemoveButState => "remove that keeps the state",
            Self::Info => "info",
            Self::Dial => "dial",
            Self::Version => "version",
            Self::Features => "features",
            Self::HostGateway => "host-gateway",
        }
    }
}

/// Returns how many calls the world has seen: of the engine, of the network.
fn calls(case: &Case<'_>) -> Result<(u64, u64), Failure> {
    let stage = case.stage()?;
    Ok((stage.engine.calls(), stage.network.calls()))
}

/// Returns every place where the operation calls something outside.
async fn places(
    subject: &Subject,
    start: Start,
    operation: Operation,
) -> Result<Vec<Place>, Failure> {
    let (case, _) = start.reach(subject).await?;
    let before = calls(&case)?;
    let result = operation.run(&case.rich_node()).await;
    case.ok(operation.name(), result)?;
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

/// Returns what the fault hit, for a message.
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
    name: &str,
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
    let what = format!("{name} with {}", hit(case, place, kind, before));
    case.typed(&what, &result)?;
    Ok(Some((what, result)))
}

pub(super) async fn boot(subject: &Subject, kind: Kind) -> Verdict {
    let full = {
        let case = subject.case();
        case.ok("boot", case.rich_node().boot().await)?;
        case.objects().await?
    };
    let mut is_asked = false;
    let mut silent = Vec::new();
    for start in Start::all(subject) {
        for place in places(subject, start, Operation::Boot).await? {
            is_asked = true;
            silent.extend(boot_with_fault(subject, start, place, kind, &full).await?);
        }
    }
    if !is_asked {
        return Ok(Outcome::Skipped(
            "a boot calls neither engine nor network".into(),
        ));
    }
    Ok(match silent.first() {
        None => Outcome::Passed,
        Some(first) => Outcome::Warned(format!(
            "an error does not pass on what the engine said, {} times; the first: {first}",
            silent.len()
        )),
    })
}

/// One boot with one fault, and the one after it; returns what it did not pass on.
async fn boot_with_fault(
    subject: &Subject,
    start: Start,
    place: Place,
    kind: Kind,
    full: &[String],
) -> Result<Option<String>, Failure> {
    let (case, before) = start.reach(subject).await?;
    let Some((what, result)) =
        with_fault(&case, start.name(), Operation::Boot, place, kind).await?
    else {
        return Ok(None);
    };
    let mut silent = None;
    match &result {
        Ok(()) => {
            let when = format!("after {what}, which succeeded");
            start.runs(&case, &when, &before, full).await?;
        }
        Err(error) => {
            // Nobody knows what came of a creation that is still under way: the host says so.
            let is_all_known = kind != Kind::Hang || !what.contains("(create_");
            let when = format!("after {what}, which failed");
            start.stays(&case, &when, &before, is_all_known).await?;
            let told = kind == Kind::Hang
                || matches!(place, Place::Network(_))
                || error.to_string().contains("a fault of the test kit");
            silent = (!told).then(|| format!("{what}: {error}"));
        }
    }
    let again = format!("boot after {what}");
    case.ok(&again, case.rich_node().boot().await)?;
    start
        .runs(&case, &format!("after {again}"), &before, full)
        .await?;
    Ok(silent)
}

/// Returns what an operation other than boot finds.
fn running(subject: &Subject) -> Start {
    if subject.nature.keeps_daemon() {
        Start::Running
    } else {
        // There is nothing of the driver's: it reaches what is there, booted or not.
        Start::Nothing
    }
}

pub(super) async fn stop(subject: &Subject) -> Verdict {
    let keeps_daemon = subject.nature.keeps_daemon();
    sweep(subject, Operation::Stop, async |case, what, _| {
        let node = case.rich_node();
        case.ok(&format!("stop after {what}"), node.stop(STOP).await)?;
        if keeps_daemon {
            let stopped = [Status::Stopped, Status::Inactive];
            case.status(&format!("after {what} and another stop"), &node, &stopped)
                .await?;
        }
        Ok(())
    })
    .await
}

pub(super) async fn remove(subject: &Subject) -> Verdict {
    let mut verdict = Ok(Outcome::Passed);
    for (operation, options) in [
        (Operation::RemoveButState, KEEP_STATE),
        (Operation::Remove, REMOVE),
    ] {
        verdict = sweep(subject, operation, async |case, what, before| {
            if options.keep_state {
                let lost = before.lost_volumes(&Pictures::take(case).await?);
                if let Some(lost) = lost.first() {
                    return Err(case.failure(
                        format!("{what} keeps the state all the same"),
                        format!("it lost {lost}"),
                    ));
                }
            }
            case.ok(
                &format!("{} after {what}", operation.name()),
                case.rich_node().remove(options).await,
            )?;
            let when = format!("after {what} and another remove");
            before.are_removed(case, &when, options).await
        })
        .await;
        if verdict.is_err() {
            break;
        }
    }
    verdict
}

pub(super) async fn queries(subject: &Subject) -> Verdict {
    let mut any = false;
    for operation in [
        Operation::Info,
        Operation::Dial,
        Operation::Version,
        Operation::Features,
        Operation::HostGateway,
    ] {
        let verdict = sweep(subject, operation, async |case, what, before| {
            let after = Pictures::take(case).await?;
            if after != *before {
                return Err(case.failure(
                    format!("{what} changes nothing: {before:?}"),
                    format!("{after:?}"),
                ));
            }
            case.ok(
                &format!("{} after {what}", operation.name()),
                operation.run(&case.rich_node()).await,
            )
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
    afterwards: impl AsyncFn(&Case<'_>, &str, &Pictures) -> Result<(), Failure>,
) -> Verdict {
    let start = running(subject);
    let places = places(subject, start, operation).await?;
    if places.is_empty() {
        let reason = format!("{} calls neither engine nor network", operation.name());
        return Ok(Outcome::Skipped(reason));
    }
    for place in places {
        for kind in KINDS {
            let (case, before) = start.reach(subject).await?;
            let hit = with_fault(&case, operation.name(), operation, place, kind).await?;
            if let Some((what, _)) = hit {
                afterwards(&case, &what, &before).await?;
            }
        }
    }
    Ok(Outcome::Passed)
}
