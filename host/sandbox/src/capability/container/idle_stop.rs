//! Ends BuildKit when nobody builds with it: a script of the host's that runs in the container.
//!
//! Nothing of a driver runs between two operations, so the watch has to be where BuildKit is. It is
//! the host's and not the driver's, since whatever runs there sees every build.

use std::time::Duration;

use iechor_engine::model::ExecSpec;

/// The script: `$1` are seconds without a build, `$2` those between two looks.
const SCRIPT: &str = include_str!("idle_stop.sh");

/// By this name, its `$0`, a watch that runs already is known. The script has it too.
const NAME: &str = "iechor-idle-stop";

/// Seconds between two looks: a twentieth of the idle time, so that a stop is hardly late, and not
/// more often than a look is cheap.
const LOOKS: std::ops::RangeInclusive<u64> = 1..=15;

/// Returns the command that begins the watch, which goes on when the command has ended.
pub(super) fn command(after: Duration) -> ExecSpec {
    let idle = after.as_secs() + u64::from(after.subsec_nanos() > 0);
    let pause = (idle / 20).clamp(*LOOKS.start(), *LOOKS.end());
    let (idle, pause) = (idle.to_string(), pause.to_string());
    ExecSpec {
        command: ["sh", "-c", SCRIPT, NAME, &idle, &pause]
            .map(str::to_owned)
            .into(),
        ..ExecSpec::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watch_looks_often_enough() {
        for (after, expected) in [
            (1.0, ["1", "1"]),
            (1.5, ["2", "1"]),
            (60.0, ["60", "3"]),
            (3600.0, ["3600", "15"]),
        ] {
            let command = command(Duration::from_secs_f64(after)).command;
            assert_eq!(command[4..], expected);
        }
    }

    #[test]
    fn the_watch_knows_itself_by_its_name() {
        assert!(SCRIPT.contains(NAME));
    }
}
