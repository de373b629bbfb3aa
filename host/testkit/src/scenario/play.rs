//! Plays the steps of a scenario.

use std::path::Path;
use std::time::Duration;

use iechor_engine::EngineError;
use iechor_engine::simulated::Fault;
use iechor_sandbox::contract::{RemoveOptions, StopOptions};
use iechor_sandbox::{DriverError, Node, ValidConfig};
use tokio::time::Instant;

use super::file::{Action, FaultKind, File, Step};
use super::{golden, world};
use crate::case::{Case, World, status_name};
use crate::conformance::{Outcome, Verdict};
use crate::network::DialFault;
use crate::report::Failure;
use crate::trace::failure_kind;

/// Plays every step and compares the trace.
pub(super) async fn play(
    scenario: &File,
    mut case: Case<'_>,
    golden: &Path,
    bless: bool,
) -> Verdict {
    // Checked before the first operation, as the host does.
    let mut valid_config = None;
    for (number, step) in scenario.steps.iter().enumerate() {
        let name = format!("step {} ({})", number + 1, action_name(step.action));
        happen(scenario, &mut case, &mut valid_config, step, &name).await?;
    }
    let mut trace = case.trace.lines();
    match &case.world {
        World::Simulated(_) => golden::compare(golden, &trace, bless)?,
        World::Real(_) => {
            for line in &mut trace {
                *line = line.replace(case.node_name(), world::name(scenario));
            }
            golden::compare_observable(golden, &trace)?;
        }
    }
    Ok(Outcome::Passed)
}

fn action_name(action: Action) -> &'static str {
    match action {
        Action::Validate => "validate",
        Action::Info => "info",
        Action::Boot => "boot",
        Action::Dial => "dial",
        Action::Version => "version",
        Action::Features => "features",
        Action::Stop => "stop",
        Action::Remove => "remove",
        Action::HostGateway => "host-gateway",
        Action::Sleep => "sleep",
        Action::Kill => "kill",
        Action::StopContainer => "stop-container",
        Action::RemoveContainer => "remove-container",
    }
}

async fn happen(
    scenario: &File,
    case: &mut Case<'_>,
    valid_config: &mut Option<ValidConfig>,
    step: &Step,
    name: &str,
) -> Result<(), Failure> {
    if let Some(answers) = step.buildkit {
        case.answers(world::when(answers))?;
    }
    if let Some(process) = &step.process {
        case.processes(world::behavior(process))?;
    }
    if let Some(network) = step.network {
        world::set_network(case, network)?;
    }
    let container = step.container.as_deref().unwrap_or_default();
    let container = world::given_name(scenario, case, container);
    let unable = |error: EngineError| Failure::new(format!("{name} can happen"), error.to_string());
    match step.action {
        Action::Sleep => tokio::time::sleep(step.span.unwrap_or_default()).await,
        Action::Kill => case
            .stage()?
            .engine
            .end_container(&container, step.exit_code.unwrap_or(137), false)
            .map_err(unable)?,
        Action::StopContainer => {
            case.engine()
                .stop_container(&container, None)
                .await
                .map_err(unable)?;
        }
        Action::RemoveContainer => {
            case.engine()
                .remove_container(&container, true)
                .await
                .map_err(unable)?;
        }
        _ => operate(scenario, case, valid_config, step, name).await?,
    }
    if let Some(objects) = &step.objects {
        let mut objects: Vec<_> = objects
            .iter()
            .map(|object| world::given_name(scenario, case, object))
            .collect();
        objects.sort();
        case.has(&format!("after {name}"), &objects).await?;
    }
    Ok(())
}

async fn operate(
    scenario: &File,
    case: &mut Case<'_>,
    valid_config: &mut Option<ValidConfig>,
    step: &Step,
    name: &str,
) -> Result<(), Failure> {
    let begun = Instant::now();
    let before = Counts::of(case);
    set_fault(case, step)?;
    if let Some(call) = step.cancel_at {
        let token = case.context().cancel;
        case.trace.cancel_at(before.host + call, token);
    }
    let config = world::config(scenario, case);
    let valid = match valid_config {
        Some(config) if step.action != Action::Validate => Ok(config.clone()),
        _ => case
            .driver
            .validate(&config)
            .await
            .map(|(config, _)| config),
    };
    let result = match valid {
        Ok(checked) => {
            *valid_config = Some(checked.clone());
            let node = case.driver.node(checked, case.context());
            run(case, step, name, &node).await?
        }
        Err(error) => Err(error),
    };
    let took = begun.elapsed();
    let hit = before.all_hit(case, step, name);
    if step.fault.is_some() {
        let stage = case.stage()?;
        stage.engine.clear_faults();
        stage.network.clear_faults();
    }
    if step.cancel_at.is_some() {
        case.renew_cancel();
    }
    hit?;
    judge(scenario, case, step, name, result)?;
    match step.within {
        Some(within) if took > within => Err(case.failure(
            format!("{name} takes {within:?} at most"),
            format!("it took {took:?}"),
        )),
        _ => Ok(()),
    }
}

/// Number of calls.
struct Counts {
    /// To the host.
    host: u64,
    engine: u64,
    network: u64,
}

impl Counts {
    fn of(case: &Case<'_>) -> Self {
        let (engine, network) = match &case.world {
            World::Simulated(stage) => (stage.engine.calls(), stage.network.calls()),
            // A real engine has no planned faults.
            World::Real(_) => (0, 0),
        };
        Self {
            host: case.trace.calls(),
            engine,
            network,
        }
    }

    /// Requires that the planned fault of the step happened: a step that ends before would test nothing.
    fn all_hit(&self, case: &Case<'_>, step: &Step, name: &str) -> Result<(), Failure> {
        let now = Self::of(case);
        let fault = step.fault;
        let planned = [
            (
                step.cancel_at,
                now.host - self.host,
                "cancel-at",
                "calls to the host",
            ),
            (
                fault.and_then(|fault| fault.call),
                now.engine - self.engine,
                "fault.call",
                "calls of the engine",
            ),
            (
                fault.and_then(|fault| fault.connection),
                now.network - self.network,
                "fault.connection",
                "connections",
            ),
        ];
        for (number, happened, key, what) in planned {
            if let Some(number) = number
                && !(1..=happened).contains(&number)
            {
                return Err(case.failure(
                    format!("{name} comes to what {key} = {number} means"),
                    format!("it made {happened} {what}, counted from 1"),
                ));
            }
        }
        Ok(())
    }
}

fn set_fault(case: &Case<'_>, step: &Step) -> Result<(), Failure> {
    let Some(fault) = step.fault else {
        return Ok(());
    };
    let stage = case.stage()?;
    if let Some(call) = fault.call {
        let error = EngineError::Refused {
            status: 500,
            message: "a fault of the scenario".into(),
        };
        let kind = match fault.kind {
            FaultKind::Error => Fault::Error(error),
            FaultKind::LostAnswer => Fault::LoseAnswer(error),
            FaultKind::Hang => Fault::Hang,
        };
        stage.engine.set_fault(stage.engine.calls() + call, kind);
    }
    if let Some(connection) = fault.connection {
        let kind = match fault.kind {
            FaultKind::Hang => DialFault::Hang,
            FaultKind::Error | FaultKind::LostAnswer => DialFault::Refused,
        };
        stage
            .network
            .set_fault(stage.network.calls() + connection, kind);
    }
    Ok(())
}

/// Runs the operation. Returns its result as text, if it has one.
async fn run(
    case: &Case<'_>,
    step: &Step,
    name: &str,
    node: &Node,
) -> Result<Result<Option<String>, DriverError>, Failure> {
    Ok(match step.action {
        Action::Info => node
            .info()
            .await
            .map(|info| Some(status_name(info.status).to_owned())),
        Action::Boot => node.boot().await.map(|()| None),
        Action::Dial if step.error.is_none() => {
            case.reaches_buildkit(&format!("in {name}"), node).await?;
            Ok(None)
        }
        Action::Dial => node.dial().await.map(|_| None),
        Action::Version => node.version().await.map(Some),
        Action::Features => node.features().await.map(|_| None),
        Action::HostGateway => node.host_gateway().await.map(Some),
        Action::Stop => {
            let options = StopOptions {
                force: step.force,
                grace: step.grace.map(nanoseconds),
            };
            node.stop(options).await.map(|()| None)
        }
        Action::Remove => {
            let options = RemoveOptions {
                force: step.force,
                keep_state: step.keep_state,
                keep_daemon: step.keep_daemon,
            };
            node.remove(options).await.map(|()| None)
        }
        // These are not operations.
        _ => Ok(None),
    })
}

fn nanoseconds(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

fn judge(
    scenario: &File,
    case: &Case<'_>,
    step: &Step,
    name: &str,
    result: Result<Option<String>, DriverError>,
) -> Result<(), Failure> {
    let Some(wanted) = &step.error else {
        let returned = case.ok(name, result)?;
        return match (&step.returns, returned) {
            (Some(wanted), Some(returned)) if *wanted != returned => Err(case.failure(
                format!("{name} returns {wanted}"),
                format!("it returned {returned}"),
            )),
            _ => Ok(()),
        };
    };
    let error = case.refused(name, result, &[wanted.as_str()])?;
    let words = error.to_string();
    let said = |word: &&String| words.contains(&world::given_name(scenario, case, word));
    let missing: Vec<_> = step.says.iter().filter(|word| !said(word)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(case.failure(
        format!("the error of {name} says {missing:?}"),
        format!("{}: {words}", failure_kind(&error)),
    ))
}
