//! The work of the gateway during a build: runs the frontend, and repeats a call with another frontend
//! if the first one does not have it.

use std::collections::BTreeMap;

use iechor_buildkit::{Error, FrontendRequest, FrontendResult, Gateway};

use crate::spec::{BuildSpec, Call};

/// The build argument with the frontend.
pub(super) const SYNTAX: &str = "BUILDKIT_SYNTAX";

/// The frontend that answers the calls which an old one does not know, as in docker buildx.
const FALLBACK: &str = "docker/dockerfile:1.8.1@sha256:e87caa74dcb7d46cd820352bfea12591f3dba3ddc4285e19c7dcd13359f7cefd";

/// The calls that the fallback answers.
const WITH_FALLBACK: [&str; 3] = ["frontend.lint", "frontend.outline", "frontend.targets"];

/// Attribute with the capabilities that the frontend must have.
const CAPABILITIES: &str = "frontend.caps";

/// Capability of a frontend that answers calls. A frontend without it may pass them on to another one.
const SUBREQUESTS: &str = "moby.buildkit.frontend.subrequests+forward";

/// Returns the frontend of a build, with its own attributes: an image, if the build names one.
pub(super) fn frontend(spec: &BuildSpec) -> (&'static str, BTreeMap<String, String>) {
    let Some(syntax) = spec.build_args.get(SYNTAX) else {
        return ("dockerfile.v0", BTreeMap::new());
    };
    let image = syntax.split_whitespace().next().unwrap_or_default();
    let attributes = BTreeMap::from([
        ("source".to_owned(), image.to_owned()),
        ("cmdline".to_owned(), syntax.clone()),
    ]);
    ("gateway.v0", attributes)
}

/// Adds a call to the attributes of a frontend.
pub(super) fn add_call(attributes: &mut BTreeMap<String, String>, call: &Call) {
    attributes.insert("requestid".into(), call.request());
    let capabilities = attributes.entry(CAPABILITIES.into()).or_default();
    if !capabilities.is_empty() {
        capabilities.push(',');
    }
    capabilities.push_str(SUBREQUESTS);
}

/// Runs the frontend of a build.
///
/// # Errors
///
/// Returns the error of the frontend.
pub(super) async fn run(
    gateway: Gateway,
    request: FrontendRequest,
) -> Result<Option<FrontendResult>, Error> {
    let Some(mut fallback) = with_fallback(&request) else {
        return gateway.solve(request).await.map(Some);
    };
    let error = match gateway.solve(request).await {
        Ok(result) => return Ok(Some(result)),
        Err(error) => error,
    };
    if !is_unsupported(&error) {
        return Err(error);
    }
    let image = format!("build-arg:{SYNTAX}");
    fallback.attributes.insert(image, FALLBACK.to_owned());
    // If the fallback fails as well, the first error is the one that matters.
    gateway.solve(fallback).await.map(Some).map_err(|_| error)
}

/// Returns the request again if it is a call that the fallback answers.
fn with_fallback(request: &FrontendRequest) -> Option<FrontendRequest> {
    let call = request.attributes.get("requestid")?;
    WITH_FALLBACK
        .contains(&call.as_str())
        .then(|| request.clone())
}

/// Returns whether a frontend does not know a call.
fn is_unsupported(error: &Error) -> bool {
    let Error::Solve(error) = error else {
        return false;
    };
    WITH_FALLBACK.iter().any(|name| {
        error.unsupported_request.as_deref() == Some(name)
            // BuildKit 0.8 has no typed errors.
            || error.message.contains(&format!("unsupported request {name}"))
    })
}

#[cfg(test)]
mod tests {
    use iechor_buildkit::{Code, SolveError};

    use super::*;
    use crate::spec::Context;

    #[test]
    fn an_image_is_the_frontend() {
        let mut spec = BuildSpec::new(Context::Directory(".".into()));
        assert_eq!(frontend(&spec).0, "dockerfile.v0");
        let syntax = "docker/dockerfile:1 --option";
        spec.build_args.insert(SYNTAX.into(), syntax.into());
        let (name, attributes) = frontend(&spec);
        assert_eq!(name, "gateway.v0");
        assert_eq!(attributes["source"], "docker/dockerfile:1");
        assert_eq!(attributes["cmdline"], syntax);
    }

    #[test]
    fn a_call_adds_to_the_capabilities() {
        let call = Call::check();
        let mut attributes = BTreeMap::new();
        add_call(&mut attributes, &call);
        assert_eq!(attributes["requestid"], "frontend.lint");
        assert_eq!(attributes[CAPABILITIES], SUBREQUESTS);
        let mut attributes = BTreeMap::from([(CAPABILITIES.to_owned(), "a".to_owned())]);
        add_call(&mut attributes, &call);
        assert_eq!(attributes[CAPABILITIES], format!("a,{SUBREQUESTS}"));
    }

    #[test]
    fn unknown_calls_are_told_by_their_type_or_by_old_texts() {
        let error = |message: &str, request: Option<&str>| {
            let mut error = SolveError::new(Code::Unknown, message);
            error.unsupported_request = request.map(str::to_owned);
            Error::Solve(Box::new(error))
        };
        for (error, expected) in [
            (error("", Some("frontend.lint")), true),
            (error("unsupported request frontend.outline", None), true),
            (error("", Some("frontend.other")), false),
            (error("syntax error", None), false),
            (Error::Cancelled, false),
        ] {
            assert_eq!(is_unsupported(&error), expected, "{error:?}");
        }
    }
}
