//! Kinds of and hints for errors of builders.

use iechor_builder::BuilderError;
use iechor_builder::cache::FilterError;
use iechor_builder::name::NameError;
use iechor_builder::remark::Remark;
use iechor_builder::selection::SelectionError;
use iechor_builder::store::{EditError, StoreError};
use iechor_builder::workspace::ConfigError;
use iechor_sandbox::DriverError;

use super::kind::Kind;
use super::{drivers, engine_hint, engine_kind};
use crate::program;

/// Returns the kind of an error: the most important one of it and its causes.
pub(super) fn kind(error: &BuilderError) -> Kind {
    let causes = error.causes().iter().map(kind);
    causes.fold(own_kind(error), Kind::max)
}

/// Returns the kind of an error without its causes.
fn own_kind(error: &BuilderError) -> Kind {
    if error.is_cancelled() {
        return Kind::Cancelled;
    }
    if let Some(failure) = error.engine_failure() {
        return engine_kind(failure);
    }
    match error {
        BuilderError::BuildKit(error) => Kind::of_buildkit(error),
        BuilderError::Selection(
            SelectionError::NotFound { .. } | SelectionError::UseNotFound { .. },
        )
        | BuilderError::NothingToAppendTo { .. } => Kind::NotFound,
        BuilderError::TimedOut { .. } | BuilderError::Slow { .. } => Kind::Unreachable,
        BuilderError::Driver(error) => drivers::driver_kind(error),
        BuilderError::Catalog(error) => drivers::kind(error),
        BuilderError::Incomplete { .. } => Kind::Incomplete,
        _ => Kind::General,
    }
}

/// Returns what to do about a failure and its causes, the causes first, each hint once.
pub(super) fn hints(error: &BuilderError) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let causes = error.causes().iter().flat_map(hints);
    for hint in causes.chain(hint(error)) {
        if !all.contains(&hint) {
            all.push(hint);
        }
    }
    all
}

/// Returns what to do about what a builder remarked.
pub fn remark_hint(remark: &Remark) -> String {
    match remark {
        Remark::DriverChanged { builder, node, .. } => {
            let create = program::buildx("create");
            format!("`{create} --name {builder} --node {node}` accepts the change")
        }
    }
}

/// Returns what a fault of the Docker CLI's configuration means for the command.
pub fn config_warning(fault: &ConfigError) -> String {
    let lost = match fault {
        ConfigError::Read { .. } | ConfigError::Parse { .. } => {
            "the file is not used: its logins, credential helpers, current context, proxies and headers"
        }
        _ => "this entry is not used",
    };
    format!("{fault}; {lost}")
}

fn hint(error: &BuilderError) -> Option<String> {
    let hint = match error {
        BuilderError::Catalog(error) => return drivers::catalog_hint(error),
        BuilderError::Driver(error) => {
            let engine = error_of_engine(error);
            return engine.or_else(|| drivers::driver_hint(error));
        }
        BuilderError::Engine(error) => return engine_hint(error.kind()),
        BuilderError::NothingToAppendTo { .. } => "leave --append out to create it".to_owned(),
        BuilderError::NameOfContext { .. } => "choose another name".to_owned(),
        BuilderError::Raced | BuilderError::Changed { .. } => "try again".to_owned(),
        BuilderError::Exists { node, .. } => {
            format!("add --node {node} to change that node, or --append to add a node")
        }
        BuilderError::OneNode { .. } => "create another builder for the new node".to_owned(),
        BuilderError::Underway { .. } => {
            "wait until that process has finished, or end it".to_owned()
        }
        BuilderError::Incomplete { builder, .. } => format!(
            "`{} {builder}` removes what is left, and so does the next command that uses {builder}; \
             `{}` shows it until then",
            program::buildx("rm"),
            program::buildx("ls")
        ),
        BuilderError::Boot { log, .. } => {
            let file = log.file.as_ref()?;
            format!("the whole log is in {}", file.display())
        }
        BuilderError::Selection(SelectionError::UseNotFound { .. }) => {
            format!("run `{}` to list the builders", program::buildx("ls"))
        }
        BuilderError::Store(StoreError::TooLarge { .. }) => {
            "create another builder for some of the nodes".to_owned()
        }
        BuilderError::AppendWithoutName => "name the builder with --name".to_owned(),
        BuilderError::LeaveWithoutName => "name the builder with --name".to_owned(),
        BuilderError::LeaveWithoutNode => "name the node with --node".to_owned(),
        BuilderError::NothingToLeave { .. } => {
            format!("run `{}` to list the builders", program::buildx("ls"))
        }
        BuilderError::Edit(EditError::LastNode { builder }) => {
            format!("`{}` removes the builder", program::buildx(&format!("rm {builder}")))
        }
        BuilderError::TlsOfEnvironment => {
            "`docker context create NAME --docker \"host=$DOCKER_HOST,ca=$DOCKER_CERT_PATH/ca.pem,\
             cert=$DOCKER_CERT_PATH/cert.pem,key=$DOCKER_CERT_PATH/key.pem\"` creates such a context"
                .to_owned()
        }
        BuilderError::DriverOfContexts { .. } => format!(
            "run `{}` to list these builders; leave --driver out to create a builder with a BuildKit of \
             its own",
            program::buildx("ls")
        ),
        BuilderError::Kept { .. } => {
            "--force forgets it, whatever is left in the engine".to_owned()
        }
        BuilderError::Edit(EditError::DuplicateEndpoint { node, .. }) => {
            format!("give another endpoint, or change that node with --node {node}")
        }
        BuilderError::Filter(FilterError::Duration { reason, .. }) => reason.clone(),
        BuilderError::Filter(FilterError::Several { name }) => format!(
            "{name} is given several times; give one value, or run the command once for each"
        ),
        BuilderError::NoSpaceLimits => {
            "--reserved-space and --filter until=DURATION work with older versions; a newer BuildKit \
             is used by a builder with a newer image, see --driver-opt image=IMAGE"
                .to_owned()
        }
        BuilderError::Name(error) | BuilderError::Store(StoreError::Name(error)) => {
            return name_hint(error);
        }
        BuilderError::Edit(EditError::Name(error)) => return name_hint(error),
        _ => return None,
    };
    Some(hint)
}

/// Returns what to do about the failure of an engine that a driver passed on.
fn error_of_engine(error: &DriverError) -> Option<String> {
    match error {
        DriverError::Failed {
            engine: Some(kind), ..
        } => engine_hint(*kind),
        _ => None,
    }
}

fn name_hint(error: &NameError) -> Option<String> {
    match error {
        NameError::Separator { .. } => Some("give another name with --node".to_owned()),
        NameError::Exhausted => Some("give a name with --name".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_is_advised_on_once() {
        let incomplete = || BuilderError::Incomplete {
            builder: "b".into(),
            endpoint: "unix:///e".into(),
            remnants: Vec::new(),
            error: Some(Box::new(BuilderError::Raced)),
        };
        let kept = BuilderError::Kept {
            error: Box::new(BuilderError::Several(vec![incomplete(), incomplete()])),
        };
        let hints = hints(&kept);
        assert_eq!(hints.len(), 3, "{hints:?}");
        assert_eq!(hints[0], "try again");
        assert!(hints[1].contains("`iechor buildx rm b`"), "{hints:?}");
        assert!(hints[2].starts_with("--force"), "{hints:?}");
    }

    #[test]
    fn an_existing_builder_is_changed_with_flags() {
        let exists = BuilderError::Exists {
            name: "b".into(),
            node: "b0".into(),
        };
        let hint = hint(&exists).expect("a hint");
        assert!(hint.contains("--node b0"), "{hint}");
        assert!(!exists.to_string().contains("--"), "{exists}");
    }
}
