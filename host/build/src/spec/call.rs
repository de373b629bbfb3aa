//! Requests to the frontend that are answered instead of a build.

use iechor_values::csv;

use super::error::{CallProblem, SpecError};
use super::faults::Faults;
use super::value::boolean;

/// The name of the call that is an ordinary build.
const BUILD: &str = "build";

/// The names of the call that checks a Dockerfile: its usual name, and that of the frontend.
const CHECK: &str = "check";
const LINT: &str = "lint";

/// A request to the frontend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Name of the request, without `frontend.`: `lint`, `outline`, `targets`,
    /// `subrequests.describe` or another one that the frontend has.
    pub name: String,
    /// Format of the answer: `json`, or another text for the default format.
    pub format: String,
    /// Whether the status that the frontend reports is not the exit code.
    pub ignores_status: bool,
}

impl Call {
    /// Parses `NAME[,format=FORMAT][,ignorestatus=BOOLEAN]`. Returns `None` for a build.
    ///
    /// # Errors
    ///
    /// Returns all faults of the text.
    pub fn parse(text: &str) -> Result<Option<Self>, Vec<SpecError>> {
        let fault = |problem| SpecError::Call {
            text: text.to_owned(),
            problem,
        };
        let mut faults = Faults::default();
        let mut call = Self {
            name: String::new(),
            format: String::new(),
            ignores_status: false,
        };
        if text.is_empty() {
            return Ok(None);
        }
        let fields = csv::fields(text).map_err(|error| vec![fault(CallProblem::Csv(error))])?;
        for field in fields {
            match field.split_once('=') {
                Some(("format", format)) => call.format = format.to_owned(),
                Some(("ignorestatus", value)) => match boolean(value) {
                    Some(ignores) => call.ignores_status = ignores,
                    None => {
                        let value = value.to_owned();
                        faults.note(fault(CallProblem::NotBoolean { value }));
                    }
                },
                Some(_) => faults.note(fault(CallProblem::Field { field })),
                None if !call.name.is_empty() => faults.note(fault(CallProblem::Names)),
                None => call.name = field,
            }
        }
        if call.name.is_empty() {
            faults.note(fault(CallProblem::NoName));
        }
        if call.name == CHECK {
            call.name = LINT.to_owned();
        }
        faults.check((call.name != BUILD).then_some(call))
    }

    /// Returns the call that checks a Dockerfile.
    pub fn check() -> Self {
        Self {
            name: LINT.to_owned(),
            format: String::new(),
            ignores_status: false,
        }
    }

    /// Returns the identifier of the request.
    pub fn request(&self) -> String {
        format!("frontend.{}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str, format: &str, ignores_status: bool) -> Option<Call> {
        Some(Call {
            name: name.into(),
            format: format.into(),
            ignores_status,
        })
    }

    #[test]
    fn names_and_options_are_read() {
        for (text, expected) in [
            ("", None),
            ("build", None),
            ("build,format=json", None),
            ("check", call("lint", "", false)),
            ("lint", call("lint", "", false)),
            ("outline", call("outline", "", false)),
            ("check,format=json", call("lint", "json", false)),
            ("format=json,targets", call("targets", "json", false)),
            ("check,ignorestatus=true", call("lint", "", true)),
            ("check,ignorestatus=F", call("lint", "", false)),
            (
                "subrequests.describe",
                call("subrequests.describe", "", false),
            ),
        ] {
            assert_eq!(Call::parse(text), Ok(expected), "{text}");
        }
        let call = Call::parse("outline").expect("a call").expect("a call");
        assert_eq!(call.request(), "frontend.outline");
        assert_eq!(Call::parse("check"), Ok(Some(Call::check())));
    }

    #[test]
    fn faults_are_named() {
        for (text, words) in [
            ("check,outline", "invalid print value: check,outline"),
            ("check,color=no", "invalid print field: color=no"),
            (
                "check,ignorestatus=maybe",
                "invalid ignorestatus print value: maybe",
            ),
            ("format=json", "print value: format=json"),
            ("\"", "is not closed"),
        ] {
            let errors = Call::parse(text).expect_err(text);
            assert_eq!(errors.len(), 1, "{errors:?}");
            assert!(errors[0].to_string().contains(words), "{errors:?}");
        }
        let errors = Call::parse("a,b,color=no,ignorestatus=x");
        assert_eq!(errors.expect_err("three").len(), 3);
    }
}
