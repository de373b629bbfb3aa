//! The answer of a frontend to a call (`--call`): checks, outlines, targets.
//!
//! The formats are those of docker buildx. Text of the answer is cleaned; the markers of warnings are
//! added here.

mod checks;
mod listing;

use std::collections::BTreeMap;

use anyhow::Context as _;
use iechor_build::checks::Checks;
use iechor_build::spec::Call;
use serde::de::DeserializeOwned;

use crate::failure::ExitStatus;
use crate::terminal;
use crate::text::Text;

/// Versions of the answers that this program can format.
const VERSION: &str = "1.0.0";

/// Prints the answer to a call. `dockerfile` is the Dockerfile as the user named it.
///
/// # Errors
///
/// The answer cannot be read; the check found an error; [`ExitStatus`] if the frontend reports one.
pub fn print(
    call: &Call,
    answer: &BTreeMap<String, String>,
    dockerfile: Option<&str>,
) -> anyhow::Result<()> {
    let json = answer.get("result.json").map_or("", String::as_str);
    if call.format == "json" {
        terminal::result(&Text::prepared(iechor_text::json(json).into_owned() + "\n"))?;
    } else if let Some(text) = own_text(call, answer) {
        terminal::result(&text)?;
    } else {
        match call.name.as_str() {
            "outline" => terminal::result(&listing::outline(&read(json)?))?,
            "targets" => terminal::result(&listing::targets(&read(json)?))?,
            "subrequests.describe" => {
                let requests: Vec<listing::Request> = read(json)?;
                terminal::result(&listing::requests(&requests))?;
            }
            "lint" => {
                let found = Checks::read(json)?;
                let error = found.error(dockerfile);
                let warnings = found.warnings(dockerfile);
                terminal::result(&checks::text(&warnings, error.is_some()))?;
                if let Some(error) = error {
                    anyhow::bail!(checks::error(&error));
                }
            }
            _ => {
                let pairs: Vec<_> = answer.iter().map(|(k, v)| format!("{k}:{v}")).collect();
                terminal::line(&format!("{} [{}]", call.name, pairs.join(" ")))?;
            }
        }
    }
    let status = answer.get("result.statuscode");
    match status.and_then(|status| status.parse().ok()) {
        Some(status) if status != 0 && !call.ignores_status => Err(ExitStatus(status).into()),
        _ => Ok(()),
    }
}

/// Returns the text of the frontend for answers that this program does not know, or not in this
/// version.
fn own_text(call: &Call, answer: &BTreeMap<String, String>) -> Option<Text> {
    let text = answer.get("result.txt")?;
    let is_known = ["outline", "targets", "subrequests.describe", "lint"];
    let is_newer = answer
        .get("version")
        .is_some_and(|version| numbers(version) > numbers(VERSION));
    let is_own = !text.is_empty() && (is_newer || !is_known.contains(&call.name.as_str()));
    is_own.then(|| {
        let mut lines = Text::default();
        for line in text.lines() {
            lines.line(line);
        }
        lines
    })
}

fn numbers(version: &str) -> Vec<u32> {
    version
        .split('.')
        .map(|number| number.parse().unwrap_or(0))
        .collect()
}

fn read<T: DeserializeOwned>(json: &str) -> anyhow::Result<T> {
    serde_json::from_str(json).context("the answer of the frontend cannot be read")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str) -> Call {
        Call {
            name: name.into(),
            ..Call::check()
        }
    }

    fn answer(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let pairs = pairs.iter();
        pairs
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn the_text_of_the_frontend_is_used_for_what_is_new() {
        let text = |name: &str, version: &str| {
            let answer = answer(&[("result.txt", "a\nERROR: b\n"), ("version", version)]);
            own_text(&call(name), &answer).map(|text| text.as_str().to_owned())
        };
        assert_eq!(text("lint", "1.0.0"), None);
        let own = Some("a\n ERROR: b\n".to_owned());
        assert_eq!(text("lint", "1.10.0"), own);
        assert_eq!(text("other", "1.0.0"), own);
    }

    #[test]
    fn a_status_is_the_exit_code_unless_it_is_ignored() {
        let answer = answer(&[("result.statuscode", "3"), ("result.json", "{}")]);
        let mut call = Call {
            format: "json".into(),
            ..call("lint")
        };
        let error = print(&call, &answer, None).expect_err("a status");
        assert_eq!(error.downcast_ref(), Some(&ExitStatus(3)));
        call.ignores_status = true;
        print(&call, &answer, None).expect("ignored");
    }
}
