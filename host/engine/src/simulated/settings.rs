//! Settings of containers that the engine refuses, with the messages of Docker 20.10.

use std::ops::RangeInclusive;

use crate::error::EngineError;
use crate::model::Limits;

/// Minimum memory of a container, in bytes.
const LEAST_MEMORY: u64 = 6 << 20;
/// Processors of the simulated machine.
const PROCESSORS: RangeInclusive<u32> = 0..=7;
/// Memory nodes of the simulated machine.
const MEMORY_NODES: RangeInclusive<u32> = 0..=0;
/// Minimum and maximum period, in microseconds.
const PERIODS: RangeInclusive<i64> = 1_000..=1_000_000;
/// Minimum quota, in microseconds.
const LEAST_QUOTA: i64 = 1_000;

/// Checks limits as the engine does before it creates anything. Zero is "not set".
pub(super) fn check(limits: &Limits) -> Result<(), EngineError> {
    let memory = limits.memory.unwrap_or(0);
    if memory > 0 && memory < LEAST_MEMORY {
        return refuse("Minimum memory limit allowed is 6MB");
    }
    if let Some(swap @ 1..) = limits.memory_swap {
        if memory == 0 {
            return refuse(
                "You should always set the Memory limit when using Memoryswap limit, see usage",
            );
        }
        if swap.unsigned_abs() < memory {
            return refuse(
                "Minimum memoryswap limit should be larger than memory limit, see usage",
            );
        }
    }
    if let Some(period) = limits.cpu_period
        && period != 0
        && !PERIODS.contains(&period)
    {
        return refuse(
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
        );
    }
    if let Some(1..LEAST_QUOTA) = limits.cpu_quota {
        return refuse("CPU cfs quota can not be less than 1ms (i.e. 1000)");
    }
    check_set(
        limits.cpuset_cpus.as_deref(),
        &PROCESSORS,
        "cpuset cpus",
        "CPUs",
    )?;
    check_set(
        limits.cpuset_mems.as_deref(),
        &MEMORY_NODES,
        "cpuset mems",
        "memory nodes",
    )
}

fn refuse(message: impl Into<String>) -> Result<(), EngineError> {
    Err(EngineError::Refused {
        status: 400,
        message: message.into(),
    })
}

fn check_set(
    set: Option<&str>,
    available: &RangeInclusive<u32>,
    name: &str,
    what: &str,
) -> Result<(), EngineError> {
    let set = set.unwrap_or_default();
    let mut missing = false;
    for part in set.split(',').filter(|_| !set.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        match (first.parse::<u32>(), last.parse::<u32>()) {
            (Ok(first), Ok(last)) if first <= last => missing |= last > *available.end(),
            _ => {
                return refuse(format!(
                    "Invalid value {set} for {name}: invalid format: {set}"
                ));
            }
        }
    }
    if missing {
        let (first, last) = (available.start(), available.end());
        let there = if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        };
        return refuse(format!(
            "Requested {what} are not available - requested {set}, available: {there}"
        ));
    }
    Ok(())
}
