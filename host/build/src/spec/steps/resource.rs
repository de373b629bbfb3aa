//! Limits of the containers of the steps.

use iechor_values::size;

/// Limits of the containers of the steps. A limit of zero or without a value is not set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resources {
    /// Memory, in bytes.
    pub memory: u64,
    /// Memory and swap together, in bytes; `-1` for unlimited swap.
    pub memory_swap: i64,
    /// Relative weight of the processor time.
    pub cpu_shares: i64,
    /// Length of a period of the scheduler, in microseconds.
    pub cpu_period: i64,
    /// Processor time in a period, in microseconds.
    pub cpu_quota: i64,
    /// Processors, for example `0-3`.
    pub cpuset_cpus: String,
    /// Memory nodes, for example `0,1`.
    pub cpuset_mems: String,
}

/// The reason why a text is not the limit of a resource.
// docker buildx prints the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResourceError {
    /// There is no `=`.
    #[error("invalid resource {text:?}, expected key=value")]
    Form {
        /// The text.
        text: String,
    },
    /// There is no resource of that name.
    #[error("unknown resource {name:?}")]
    Name {
        /// The name.
        name: String,
    },
    /// The value is not a number or not a size.
    #[error("invalid value {value:?} for resource {name}: {reason}")]
    Value {
        /// The resource.
        name: String,
        /// Its value.
        value: String,
        /// The cause.
        reason: String,
    },
}

impl Resources {
    /// The names of the resources.
    pub const NAMES: [&str; 7] = [
        "memory",
        "memory-swap",
        "cpu-shares",
        "cpu-period",
        "cpu-quota",
        "cpuset-cpus",
        "cpuset-mems",
    ];

    /// Sets a limit from `NAME=VALUE`.
    ///
    /// # Errors
    ///
    /// Returns the fault of the text.
    pub fn set(&mut self, text: &str) -> Result<(), ResourceError> {
        let (name, value) = text.split_once('=').ok_or_else(|| ResourceError::Form {
            text: text.to_owned(),
        })?;
        let (name, value) = (name.trim(), value.trim());
        let wrong = |reason: String| ResourceError::Value {
            name: name.to_owned(),
            value: value.to_owned(),
            reason,
        };
        // docker buildx prints the same.
        let no_size = |_| wrong(format!("invalid size: '{value}'"));
        let count = || {
            let number = value.parse::<i64>();
            number.map_err(|error| wrong(format!("{value:?} is not a number: {error}")))
        };
        match name {
            "memory" => self.memory = size::parse(value).map_err(no_size)?,
            "memory-swap" => {
                self.memory_swap = size::parse_or_unlimited(value).map_err(no_size)?;
            }
            "cpu-shares" => self.cpu_shares = count()?,
            "cpu-period" => self.cpu_period = count()?,
            "cpu-quota" => self.cpu_quota = count()?,
            "cpuset-cpus" => value.clone_into(&mut self.cpuset_cpus),
            "cpuset-mems" => value.clone_into(&mut self.cpuset_mems),
            _ => {
                return Err(ResourceError::Name {
                    name: name.to_owned(),
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_resource_is_set() {
        let mut resources = Resources::default();
        for text in [
            "memory=1g",
            "memory = 512m",
            "memory-swap=-1",
            "cpu-shares=512",
            "cpu-period=100000",
            "cpu-quota=50000",
            "cpuset-cpus=0-3",
            "cpuset-mems=0,1",
        ] {
            resources.set(text).expect(text);
        }
        let expected = Resources {
            memory: 512 << 20,
            memory_swap: -1,
            cpu_shares: 512,
            cpu_period: 100_000,
            cpu_quota: 50_000,
            cpuset_cpus: "0-3".into(),
            cpuset_mems: "0,1".into(),
        };
        assert_eq!(resources, expected);
    }

    #[test]
    fn faults_are_described_as_docker_does() {
        for (text, said) in [
            ("banana", "invalid resource \"banana\", expected key=value"),
            ("banana=1", "unknown resource \"banana\""),
            (
                "memory=x",
                "invalid value \"x\" for resource memory: invalid size: 'x'",
            ),
            (
                "memory-swap=-2",
                "invalid value \"-2\" for resource memory-swap",
            ),
            (
                "cpu-quota=much",
                "invalid value \"much\" for resource cpu-quota",
            ),
        ] {
            let error = Resources::default().set(text).expect_err(text).to_string();
            assert!(error.starts_with(said), "{error}");
        }
        for name in Resources::NAMES {
            let set = Resources::default().set(&format!("{name}=1"));
            assert_eq!(set, Ok(()), "{name}");
        }
    }
}
