//! Checks of a scenario's file beyond its types.

use super::file::{Action, Fault, File, Step};

/// Names of the ways in which operations can fail.
const ERRORS: [&str; 16] = [
    "not-found",
    "already-exists",
    "conflict",
    "denied",
    "invalid-argument",
    "not-running",
    "unavailable",
    "timeout",
    "cancelled",
    "limit-exceeded",
    "unsupported",
    "engine",
    "other",
    "crashed",
    "over-budget",
    "invalid-configuration",
];

impl File {
    /// Parses a scenario. The error has the line and the column.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let file: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        let mut faults = Vec::new();
        if file.steps.is_empty() {
            faults.push("there are no steps".to_owned());
        }
        for (number, step) in file.steps.iter().enumerate() {
            let mut fault = |what: String| faults.push(format!("step {}: {what}", number + 1));
            if let Some(error) = &step.error
                && !ERRORS.contains(&error.as_str())
            {
                fault(format!(
                    "there is no error {error:?}; there are {}",
                    ERRORS.join(", ")
                ));
            }
            for key in step.misplaced() {
                fault(format!("{key} has no meaning for {:?}", step.action));
            }
            if let Some(key) = step.missing() {
                fault(format!("{key} is missing for {:?}", step.action));
            }
            if let Some(Fault {
                call, connection, ..
            }) = step.fault
                && call.is_some() == connection.is_some()
            {
                fault("a fault is at a call or at a connection".into());
            }
        }
        if faults.is_empty() {
            Ok(file)
        } else {
            Err(faults.join("\n"))
        }
    }

    /// Returns a key that only a simulated engine supports.
    pub(super) fn needs_simulation(&self) -> Option<&'static str> {
        let world = &self.world;
        let of_world = [
            ("world.buildkit", world.buildkit.is_some()),
            ("world.process", world.process.is_some()),
            ("world.network", world.network.is_some()),
            ("world.engine", world.engine.is_some()),
            ("world.granted", world.granted.is_some()),
        ];
        let of_steps = self.steps.iter().flat_map(|step| {
            [
                ("within", step.within.is_some()),
                ("fault", step.fault.is_some()),
                ("cancel-at", step.cancel_at.is_some()),
                ("buildkit", step.buildkit.is_some()),
                ("process", step.process.is_some()),
                ("network", step.network.is_some()),
                ("kill", step.action == Action::Kill),
            ]
        });
        let mut all = of_world.into_iter().chain(of_steps);
        all.find(|(_, used)| *used).map(|(key, _)| key)
    }
}

impl Step {
    fn is_operation(&self) -> bool {
        use Action::{Kill, RemoveContainer, Sleep, StopContainer};
        !matches!(self.action, Sleep | Kill | StopContainer | RemoveContainer)
    }

    fn misplaced(&self) -> Vec<&'static str> {
        use Action::{HostGateway, Info, Kill, Remove, Sleep, Stop, Version};
        let of_container = !self.is_operation() && self.action != Sleep;
        [
            ("error", self.error.is_some(), self.is_operation()),
            ("says", !self.says.is_empty(), self.error.is_some()),
            (
                "returns",
                self.returns.is_some(),
                matches!(self.action, Info | Version | HostGateway),
            ),
            ("within", self.within.is_some(), self.is_operation()),
            ("force", self.force, matches!(self.action, Stop | Remove)),
            ("grace", self.grace.is_some(), self.action == Stop),
            ("keep-state", self.keep_state, self.action == Remove),
            ("keep-daemon", self.keep_daemon, self.action == Remove),
            ("fault", self.fault.is_some(), self.is_operation()),
            ("cancel-at", self.cancel_at.is_some(), self.is_operation()),
            ("container", self.container.is_some(), of_container),
            ("exit-code", self.exit_code.is_some(), self.action == Kill),
            ("for", self.span.is_some(), self.action == Sleep),
        ]
        .into_iter()
        .filter(|(_, given, allowed)| *given && !*allowed)
        .map(|(key, _, _)| key)
        .collect()
    }

    fn missing(&self) -> Option<&'static str> {
        match self.action {
            Action::Sleep if self.span.is_none() => Some("for"),
            Action::Kill | Action::StopContainer | Action::RemoveContainer
                if self.container.is_none() =>
            {
                Some("container")
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_reference_is_a_scenario() {
        let page: String = include_str!("mod.rs")
            .lines()
            .filter_map(|line| line.strip_prefix("//!"))
            .map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(line)))
            .collect();
        let example = page
            .split("```")
            .nth(1)
            .and_then(|block| block.strip_prefix("toml"));
        let file = File::parse(example.expect("an example")).expect("it is right");
        assert_eq!(file.steps.len(), 5);
        assert_eq!(file.needs_simulation(), None);
    }

    #[test]
    fn what_there_is_not_is_named_with_its_place_and_what_there_is() {
        for (text, words) in [
            (
                "summary = \"a\"\nsteps = []\ncolour = 1",
                &["line 3, column 1", "unknown field `colour`", "`world`"][..],
            ),
            (
                "summary = \"a\"\n[[steps]]\ndo = \"boot\"\ntwice = true",
                &["line 4, column 1", "`twice`", "`keep-state`"],
            ),
            (
                "summary = \"a\"\n[[steps]]\ndo = \"jump\"",
                &["line 3, column 6", "`jump`", "`host-gateway`"],
            ),
            ("summary = \"a\"\nsteps = []", &["no steps"]),
            (
                "summary = \"a\"\n[[steps]]\ndo = \"boot\"\nkeep-state = true\nerror = \"odd\"",
                &[
                    "step 1: keep-state has no meaning",
                    "no error \"odd\"",
                    "not-running",
                ],
            ),
            (
                "summary = \"a\"\n[[steps]]\ndo = \"sleep\"\nfor = \"long\"",
                &["line 4", "\"long\" is not a duration"],
            ),
            (
                "summary = \"a\"\n[[steps]]\ndo = \"kill\"",
                &["container is missing"],
            ),
        ] {
            let error = File::parse(text).expect_err(text);
            for word in words {
                assert!(error.contains(word), "{word:?} is not in {error}");
            }
        }
    }
}
