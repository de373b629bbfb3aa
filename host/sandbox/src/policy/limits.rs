//! Limits of every container that a driver creates.

use iechor_engine::model::Limits;
use iechor_values::size;

use super::{Policy, Refusal, Rules};

/// Maximum resources of a container. A container without a limit gets these; a container with higher limits is
/// refused. `None` means no rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ForcedLimits {
    /// Bytes.
    pub memory: Option<u64>,
    /// Bytes of memory and swap together. The default is twice `memory`, as in an engine.
    pub memory_swap: Option<u64>,
    /// Processors, in thousandths of one.
    pub millicpus: Option<u64>,
    /// Processes and threads.
    pub pids: Option<u32>,
}

impl ForcedLimits {
    /// Returns each limit with its name in the file, in a form that the file accepts.
    pub fn written(&self) -> Vec<(&'static str, String)> {
        [
            ("memory", self.memory.map(size::exact)),
            ("memory-swap", self.memory_swap.map(size::exact)),
            ("cpus", self.millicpus.map(processors)),
            ("pids", self.pids.map(|most| most.to_string())),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
    }
}

/// Default period of processor time, in microseconds; the kernel's default.
const PERIOD: i64 = 100_000;

impl Policy {
    /// Sets the limits that a container does not request.
    ///
    /// # Errors
    ///
    /// The rule whose limit the container exceeds.
    pub(crate) fn force(&self, limits: &mut Limits) -> Result<(), Refusal> {
        self.force_memory(limits)?;
        self.force_swap(limits)?;
        self.force_processors(limits)?;
        if let Some((most, _)) = self.strictest(|forced| forced.pids) {
            // The contract has no way to request it.
            limits.pids = Some(limits.pids.map_or(most, |pids| pids.min(most)));
        }
        Ok(())
    }

    /// Returns the lowest value of all files, and the file that has it.
    fn strictest<T: Ord>(&self, of: impl Fn(&ForcedLimits) -> Option<T>) -> Option<(T, &Rules)> {
        self.files
            .iter()
            .filter_map(|rules| Some((of(&rules.limits)?, rules)))
            .min_by(|(one, _), (other, _)| one.cmp(other))
    }

    fn force_memory(&self, limits: &mut Limits) -> Result<(), Refusal> {
        let Some((most, rules)) = self.strictest(|forced| forced.memory) else {
            return Ok(());
        };
        // To an engine, 0 means no limit.
        match limits.memory.filter(|bytes| *bytes > 0) {
            Some(bytes) if bytes > most => {
                Err(rules.above("limits.memory", &size::exact(bytes), &size::exact(most)))
            }
            Some(_) => Ok(()),
            None => {
                limits.memory = Some(most);
                Ok(())
            }
        }
    }

    fn force_swap(&self, limits: &mut Limits) -> Result<(), Refusal> {
        let Some(((most, own), rules)) = self.strictest(|forced| {
            let own = forced.memory_swap.map(|most| (most, true));
            own.or_else(|| Some((forced.memory?.saturating_mul(2), false)))
        }) else {
            return Ok(());
        };
        match limits.memory_swap.filter(|bytes| *bytes != 0) {
            // A negative value means no limit.
            Some(bytes) if u64::try_from(bytes).is_ok_and(|bytes| bytes <= most) => Ok(()),
            Some(bytes) => {
                let rule = if own {
                    "limits.memory-swap"
                } else {
                    "limits.memory"
                };
                let asked = match bytes {
                    ..0 => "swap without limit".to_owned(),
                    bytes => format!("{} of memory and swap", size::exact(bytes.unsigned_abs())),
                };
                Err(rules.above(
                    rule,
                    &asked,
                    &format!("{} of memory and swap", size::exact(most)),
                ))
            }
            None => {
                // By default the engine allows twice the memory, which may be less.
                let usual = limits.memory.unwrap_or(most).saturating_mul(2);
                if usual > most {
                    limits.memory_swap = Some(i64::try_from(most).unwrap_or(i64::MAX));
                }
                Ok(())
            }
        }
    }

    fn force_processors(&self, limits: &mut Limits) -> Result<(), Refusal> {
        let Some((most, rules)) = self.strictest(|forced| forced.millicpus) else {
            return Ok(());
        };
        let period = match limits.cpu_period.unwrap_or(0) {
            0 => PERIOD,
            period => period,
        };
        let allowed = i128::from(most) * i128::from(period) / 1000;
        let processors = format!("{} processors", processors(most));
        match limits.cpu_quota.filter(|quota| *quota != 0) {
            _ if period < 0 => Err(rules.above("limits.cpus", "a period below 0", &processors)),
            // A negative value means no limit.
            Some(quota) if quota < 0 => {
                Err(rules.above("limits.cpus", "processors without limit", &processors))
            }
            Some(quota) if i128::from(quota) > allowed => {
                let asked = format!("{quota} of {period} microseconds");
                Err(rules.above("limits.cpus", &asked, &processors))
            }
            Some(_) => Ok(()),
            None => {
                limits.cpu_period = Some(period);
                limits.cpu_quota = Some(i64::try_from(allowed).unwrap_or(i64::MAX));
                Ok(())
            }
        }
    }
}

impl Rules {
    fn above(&self, rule: &'static str, asked: &str, most: &str) -> Refusal {
        self.refusal(
            rule,
            format!(
                "a container asks for {asked}, and may have {most}; ask for no more, or have the \
                 limit raised there"
            ),
        )
    }
}

fn processors(thousandths: u64) -> String {
    (thousandths as f64 / 1000.0).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(files: &[ForcedLimits]) -> Policy {
        Policy {
            files: files
                .iter()
                .enumerate()
                .map(|(number, limits)| Rules {
                    file: format!("/{number}").into(),
                    limits: *limits,
                    ..Rules::default()
                })
                .collect(),
        }
    }

    fn memory(memory: u64, memory_swap: Option<u64>) -> ForcedLimits {
        ForcedLimits {
            memory: Some(memory),
            memory_swap,
            ..ForcedLimits::default()
        }
    }

    /// Returns the memory and swap that a container with this request gets.
    fn forced(
        files: &[ForcedLimits],
        asked: (Option<u64>, Option<i64>),
    ) -> Result<(Option<u64>, Option<i64>), String> {
        let mut limits = Limits {
            memory: asked.0,
            memory_swap: asked.1,
            ..Limits::default()
        };
        policy(files)
            .force(&mut limits)
            .map_err(|refusal| format!("{} {}", refusal.file.display(), refusal.rule))?;
        Ok((limits.memory, limits.memory_swap))
    }

    #[test]
    fn memory_is_set_or_refused() {
        let four = [memory(4000, None)];
        for (asked, expected) in [
            ((None, None), Ok((Some(4000), None))),
            // To an engine, these mean no limit.
            ((Some(0), Some(0)), Ok((Some(4000), Some(0)))),
            ((Some(3000), None), Ok((Some(3000), None))),
            ((Some(4000), Some(8000)), Ok((Some(4000), Some(8000)))),
            ((Some(4001), None), Err("/0 limits.memory")),
            ((Some(u64::MAX), None), Err("/0 limits.memory")),
            ((None, Some(8001)), Err("/0 limits.memory")),
            ((Some(1000), Some(-1)), Err("/0 limits.memory")),
            ((None, Some(i64::MIN)), Err("/0 limits.memory")),
        ] {
            assert_eq!(
                forced(&four, asked),
                expected.map_err(str::to_owned),
                "{asked:?}"
            );
        }
    }

    #[test]
    fn swap_is_set_where_the_engine_would_give_more() {
        let files = [memory(4000, Some(5000))];
        for (asked, expected) in [
            ((None, None), Ok((Some(4000), Some(5000)))),
            ((Some(2000), None), Ok((Some(2000), None))),
            ((Some(3000), None), Ok((Some(3000), Some(5000)))),
            ((None, Some(5001)), Err("/0 limits.memory-swap")),
            ((None, Some(-1)), Err("/0 limits.memory-swap")),
        ] {
            assert_eq!(
                forced(&files, asked),
                expected.map_err(str::to_owned),
                "{asked:?}"
            );
        }
    }

    #[test]
    fn of_two_files_the_stricter_is_in_force_and_named() {
        let files = [memory(4000, Some(9000)), memory(3000, None)];
        for (asked, expected) in [
            ((None, None), Ok((Some(3000), None))),
            ((Some(3500), None), Err("/1 limits.memory")),
            ((None, Some(7000)), Err("/1 limits.memory")),
        ] {
            assert_eq!(
                forced(&files, asked),
                expected.map_err(str::to_owned),
                "{asked:?}"
            );
        }
        assert_eq!(forced(&[], (None, Some(-1))), Ok((None, Some(-1))));
    }

    #[test]
    fn processors_are_set_or_refused() {
        let cpus = |asked: (Option<i64>, Option<i64>)| {
            let mut limits = Limits {
                cpu_period: asked.0,
                cpu_quota: asked.1,
                ..Limits::default()
            };
            let two_and_a_half = ForcedLimits {
                millicpus: Some(2500),
                ..ForcedLimits::default()
            };
            policy(&[two_and_a_half])
                .force(&mut limits)
                .map(|()| (limits.cpu_period, limits.cpu_quota))
                .map_err(|refusal| refusal.rule)
        };
        for (asked, expected) in [
            ((None, None), Ok((Some(100_000), Some(250_000)))),
            ((Some(0), Some(0)), Ok((Some(100_000), Some(250_000)))),
            ((Some(10_000), None), Ok((Some(10_000), Some(25_000)))),
            ((None, Some(250_000)), Ok((None, Some(250_000)))),
            ((None, Some(250_001)), Err("limits.cpus")),
            ((Some(1000), Some(250_000)), Err("limits.cpus")),
            ((None, Some(-1)), Err("limits.cpus")),
            ((Some(-5), None), Err("limits.cpus")),
            (
                (Some(i64::MAX), Some(i64::MAX)),
                Ok((Some(i64::MAX), Some(i64::MAX))),
            ),
        ] {
            assert_eq!(cpus(asked), expected, "{asked:?}");
        }
    }

    #[test]
    fn processes_are_limited_always() {
        let pids = |most| ForcedLimits {
            pids: Some(most),
            ..ForcedLimits::default()
        };
        let mut limits = Limits::default();
        let policy = policy(&[pids(500), pids(100)]);
        assert_eq!(policy.force(&mut limits), Ok(()));
        assert_eq!(limits.pids, Some(100));
    }

    #[test]
    fn limits_are_written_as_a_file_takes_them() {
        let limits = ForcedLimits {
            millicpus: Some(1500),
            pids: Some(100),
            ..memory(4 << 30, None)
        };
        let written = [("memory", "4 GiB"), ("cpus", "1.5"), ("pids", "100")];
        assert_eq!(
            limits.written(),
            written.map(|(name, value)| (name, value.to_owned()))
        );
    }
}
