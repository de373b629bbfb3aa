//! Kinds of and hints for errors of builds.

use iechor_build::BuildError;
use iechor_build::deliver::load::error::ArchiveError;
use iechor_build::plan::PlanError;
use iechor_build::plan::error::Ability;
use iechor_build::spec::error::{OutputProblem, SpecError};
use iechor_build::spec::exporter::TYPES;
use iechor_build::spec::steps::{ResourceError, Resources};

use super::{Kind, builders};

/// Returns the kind of an error of a build.
pub(super) fn kind(error: &BuildError) -> Kind {
    match error {
        BuildError::Builder(error) | BuildError::HostGateway(error) => builders::kind(error),
        BuildError::Solve(error) => Kind::of_buildkit(error),
        _ => Kind::General,
    }
}

/// Returns what to do about an error of a build.
pub(super) fn hint(error: &BuildError) -> Option<String> {
    Some(match error {
        BuildError::Spec(error) => return spec_hint(error),
        BuildError::Plan(error) => return plan_hint(error),
        BuildError::SeveralOutputs => {
            "upgrade BuildKit to v0.13 or later, or use one --output at a time".into()
        }
        BuildError::ManifestList => {
            "load one platform with --platform, or push all of them with --push".into()
        }
        BuildError::HostGateway(_) => "write the address itself: --add-host HOST:IP".into(),
        // The name comes from BuildKit, which does not choose what the user is advised to do.
        BuildError::Archive(ArchiveError::Unasked { asked, .. }) => match asked.as_slice() {
            [] => "no name is given with --tag".into(),
            asked => format!("the names given with --tag are {}", asked.join(", ")),
        },
        BuildError::Archive(ArchiveError::Malformed(_))
        | BuildError::Mistakes(_)
        | BuildError::Builder(_)
        | BuildError::Solve(_)
        | BuildError::Load { .. }
        | BuildError::MachineId { .. }
        | BuildError::File { .. } => return None,
    })
}

/// Returns the value, if a flag reads it itself in docker buildx, and names itself in the error.
pub(super) fn value_of_flag(error: &BuildError) -> Option<&str> {
    match error {
        BuildError::Spec(
            SpecError::List { text, .. }
            | SpecError::Size { text }
            | SpecError::Ulimit { text, .. },
        ) => Some(text),
        _ => None,
    }
}

fn spec_hint(error: &SpecError) -> Option<String> {
    Some(match error {
        SpecError::StandardInput => "name a directory, and the Dockerfile with --file FILE".into(),
        SpecError::EmptyKey { .. } => "--build-arg and --label take KEY=VALUE".into(),
        SpecError::Tag { .. } => {
            "--tag takes [REGISTRY/]NAME[:TAG], with NAME in lower case".into()
        }
        SpecError::Output { problem, .. } => output_hint(problem),
        SpecError::Host(_) => {
            "--add-host takes HOST:IP or HOST=IP, or host-gateway as the IP".into()
        }
        SpecError::Network(_) => "--network takes default, host and none".into(),
        SpecError::Size { .. } => "write a size as 128m or 2g".into(),
        SpecError::Ulimit { .. } => {
            "--ulimit takes NAME=SOFT[:HARD], for example nofile=1024:2048".into()
        }
        SpecError::Resource(ResourceError::Value { .. }) => return None,
        SpecError::Resource(_) => {
            format!(
                "--resource takes NAME=LIMIT; the names are {}",
                Resources::NAMES.join(", ")
            )
        }
        SpecError::NoContext | SpecError::Platform(_) | SpecError::List { .. } => return None,
    })
}

fn output_hint(problem: &OutputProblem) -> String {
    match problem {
        OutputProblem::UnknownType { .. } | OutputProblem::NoType => {
            let types: Vec<_> = TYPES.iter().map(|(name, _)| *name).collect();
            format!("the types of --output are {}", types.join(", "))
        }
        OutputProblem::NoTar { kind } => {
            format!("leave tar=false out: --output type={kind} writes an archive")
        }
        _ => "--output takes a directory, - or type=TYPE,dest=PATH,...".into(),
    }
}

fn plan_hint(error: &PlanError) -> Option<String> {
    Some(match error {
        PlanError::Dockerfile { .. } => "name the Dockerfile with --file FILE".into(),
        PlanError::NoTag => "name the image with --tag".into(),
        PlanError::ToConsole { kind } => {
            format!("write it to a file with --output type={kind},dest=FILE, or to a pipe")
        }
        PlanError::SeveralToStdout => "give all but one --output a file with dest=FILE".into(),
        PlanError::NoImageId => "leave --iidfile out, or --output of type local and tar".into(),
        PlanError::Unsupported {
            ability: Ability::PushByDigest,
            ..
        } => "create a builder with its own BuildKit: `iechor buildx create --use`".into(),
        PlanError::Unsupported {
            builds_into_engine: true,
            ..
        } => "the driver builds into the images of the engine. Create a builder with its own BuildKit \
              (`iechor buildx create --use`), or turn on the containerd image store of the engine"
            .into(),
        PlanError::Unsupported { .. } => {
            "create a builder with another driver: `iechor buildx create --driver DRIVER`".into()
        }
        PlanError::ContextNotFound { .. }
        | PlanError::ContextNotDirectory { .. }
        | PlanError::NoNodes { .. }
        | PlanError::DirectoryIsFile { .. }
        | PlanError::FileIsDirectory { .. } => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_were_not_asked_for_are_not_advised() {
        let refused = |asked: &[&str]| {
            let error = ArchiveError::Unasked {
                name: "rm -rf".into(),
                asked: asked.iter().map(|name| (*name).to_owned()).collect(),
            };
            hint(&BuildError::Archive(error)).expect("a hint")
        };
        assert_eq!(
            refused(&["demo:1", "b"]),
            "the names given with --tag are demo:1, b"
        );
        assert!(refused(&[]).contains("no name"));
    }

    #[test]
    fn a_dockerfile_is_named_with_a_flag() {
        let error = PlanError::Dockerfile {
            path: "Dockerfile".into(),
            reason: "is a device".into(),
        };
        let hint = hint(&BuildError::Plan(error)).expect("a hint");
        assert!(hint.contains("--file"), "{hint}");
    }

    #[test]
    fn types_are_listed_for_an_unknown_one() {
        let error = SpecError::Output {
            text: "type=banana".into(),
            problem: OutputProblem::UnknownType {
                kind: "banana".into(),
            },
        };
        let said = "the types of --output are local, tar, oci, docker, image, registry, cacheonly";
        assert_eq!(hint(&BuildError::Spec(error)).as_deref(), Some(said));
    }
}
