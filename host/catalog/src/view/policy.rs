//! The organisation's policy.

use std::path::{Path, PathBuf};

use iechor_sandbox::policy::Rules;
use schemars::JsonSchema;
use serde::Serialize;

use crate::policy::{Places, PolicyError, read};

/// The rules of the policy of the organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct PolicyRules {
    /// Policy files that apply.
    pub files: Vec<PolicyFile>,
}

/// The rules of one policy file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct PolicyFile {
    /// Path of the policy file.
    pub file: PathBuf,
    /// Rules of the file.
    pub rules: FileRules,
}

/// The rules of a file with their values. A rule that the file does not have is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FileRules {
    /// Drivers that may run.
    #[serde(rename = "drivers.allow", skip_serializing_if = "Option::is_none")]
    pub drivers_allow: Option<Vec<String>>,
    /// Images that containers of drivers may run.
    #[serde(rename = "images.allow", skip_serializing_if = "Option::is_none")]
    pub images_allow: Option<Vec<String>>,
    /// Capabilities that no driver may use.
    #[serde(rename = "grants.forbid", skip_serializing_if = "Option::is_none")]
    pub grants_forbid: Option<Vec<String>>,
    /// Maximum memory of a container, as one value.
    #[serde(rename = "limits.memory", skip_serializing_if = "Option::is_none")]
    pub limits_memory: Option<Vec<String>>,
    /// Maximum memory and swap space of a container, as one value.
    #[serde(rename = "limits.memory-swap", skip_serializing_if = "Option::is_none")]
    pub limits_memory_swap: Option<Vec<String>>,
    /// Maximum number of processors of a container, as one value.
    #[serde(rename = "limits.cpus", skip_serializing_if = "Option::is_none")]
    pub limits_cpus: Option<Vec<String>>,
    /// Maximum number of processes of a container, as one value.
    #[serde(rename = "limits.pids", skip_serializing_if = "Option::is_none")]
    pub limits_pids: Option<Vec<String>>,
}

impl PolicyRules {
    /// Returns the rules in force, as the process's environment says.
    ///
    /// # Errors
    ///
    /// As [`Places::load`].
    pub fn in_force() -> Result<Self, PolicyError> {
        Ok(Self::of(&Places::from_process().load()?.files))
    }

    /// Checks a file, and returns its rules.
    ///
    /// # Errors
    ///
    /// Where it cannot be read or understood, with all that is wrong with it.
    pub fn check(file: &Path) -> Result<Self, PolicyError> {
        Ok(Self::of(&[read(file)?]))
    }

    fn of(files: &[Rules]) -> Self {
        Self {
            files: files.iter().map(PolicyFile::of).collect(),
        }
    }
}

impl PolicyFile {
    fn of(rules: &Rules) -> Self {
        fn list<T: ToString>(patterns: &[T]) -> Vec<String> {
            patterns.iter().map(T::to_string).collect()
        }
        let limits = rules.limits.written();
        let limit = |name: &str| {
            let found = limits.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| vec![value.clone()])
        };
        Self {
            file: rules.file.clone(),
            rules: FileRules {
                drivers_allow: rules.drivers.as_deref().map(list),
                images_allow: rules.images.as_deref().map(list),
                grants_forbid: (!rules.forbidden.is_empty()).then(|| list(&rules.forbidden)),
                limits_memory: limit("memory"),
                limits_memory_swap: limit("memory-swap"),
                limits_cpus: limit("cpus"),
                limits_pids: limit("pids"),
            },
        }
    }
}

impl FileRules {
    /// Returns the rules that the file has, by their names, each with its values.
    pub fn written(&self) -> Vec<(&'static str, &[String])> {
        [
            ("drivers.allow", &self.drivers_allow),
            ("images.allow", &self.images_allow),
            ("grants.forbid", &self.grants_forbid),
            ("limits.memory", &self.limits_memory),
            ("limits.memory-swap", &self.limits_memory_swap),
            ("limits.cpus", &self.limits_cpus),
            ("limits.pids", &self.limits_pids),
        ]
        .into_iter()
        .filter_map(|(name, values)| Some((name, values.as_deref()?)))
        .collect()
    }
}
