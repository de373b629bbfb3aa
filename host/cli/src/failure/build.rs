//! Kinds of and hints for errors of builds.

use std::time::Duration;

use iechor_build::BuildError;
use iechor_build::deliver::load::error::ArchiveError;
use iechor_build::plan::PlanError;
use iechor_build::plan::error::{Ability, KeyFault, SshFileProblem};
use iechor_build::spec::CacheProblem;
use iechor_build::spec::error::{OutputProblem, SpecError};
use iechor_build::spec::exporter::TYPES;
use iechor_build::spec::ssh::SshProblem;
use iechor_build::spec::steps::{ResourceError, Resources};
use iechor_builder::node::watch::{Incident, IncidentKind};
use iechor_buildkit::Error;

use super::{Kind, builders, contexts};
use crate::program;

/// The forms of `--secret` and `--ssh`.
const SECRET: &str = "--secret takes id=ID,src=FILE or id=ID,env=VARIABLE";
const SSH: &str =
    "--ssh takes default or ID[=SOCKET|KEY[,KEY]]; `default` is the agent at SSH_AUTH_SOCK";

/// Returns the kind of an error of a build.
pub(super) fn kind(error: &BuildError) -> Kind {
    match error {
        BuildError::Builder(error) | BuildError::HostGateway(error) => builders::kind(error),
        BuildError::Solve(error) | BuildError::MissingFile { error, .. } => {
            Kind::of_buildkit(error)
        }
        BuildError::Entitlement { error, .. } => Kind::of_code(Some(error.code)),
        BuildError::Node { error, .. } => kind(error),
        _ => Kind::General,
    }
}

/// Returns what to do about an error of a build.
pub(super) fn hint(error: &BuildError) -> Option<String> {
    Some(match error {
        BuildError::Spec(error) => return spec_hint(error),
        BuildError::Plan(error) => return plan_hint(error),
        BuildError::Lost { incident } => return incident_hint(incident),
        BuildError::Entitlement { entitlement, .. } => format!(
            "allow it when the builder is created: `{} '--allow-insecure-entitlement {}'`",
            program::buildx("create --buildkitd-flags"),
            entitlement.name()
        ),
        BuildError::MissingFile { missing, .. } => contexts::missing(missing),
        BuildError::SeveralOutputs => {
            "upgrade BuildKit to v0.13 or later, or use one --output at a time".into()
        }
        BuildError::ManifestList => {
            "load one platform with --platform and without --attest, --provenance and --sbom, or push \
             the image with --push"
                .into()
        }
        BuildError::Attestations => {
            "upgrade BuildKit to v0.11 or later, or leave --attest, --provenance and --sbom out".into()
        }
        BuildError::HostGateway(_) => "write the address itself: --add-host HOST:IP".into(),
        // The name comes from BuildKit, which does not choose what the user is advised to do.
        BuildError::Archive(ArchiveError::Unasked { asked, .. }) => match asked.as_slice() {
            [] => "no name is given with --tag".into(),
            asked => format!("the names given with --tag are {}", asked.join(", ")),
        },
        BuildError::Solve(Error::Solve(error)) => return error.stopped.map(after_stop),
        BuildError::Node {
            node,
            cancelled,
            error,
        } => {
            let place = match cancelled.as_slice() {
                [] => format!("the build failed on node {node}"),
                others => format!(
                    "the build failed on node {node}; it was cancelled on {}",
                    others.join(", ")
                ),
            };
            return Some(match hint(error) {
                Some(hint) => format!("{place}\n{hint}"),
                None => place,
            });
        }
        BuildError::Index { .. }
        | BuildError::LocalCache { .. }
        | BuildError::Archive(ArchiveError::Malformed(_))
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

fn after_stop(stopped: Duration) -> String {
    format!(
        "this program was stopped for {} seconds, and BuildKit ended the session of the build \
         meanwhile. Build again: finished steps are cached",
        stopped.as_secs()
    )
}

fn incident_hint(incident: &Incident) -> Option<String> {
    match incident.kind {
        IncidentKind::Paused => Some(format!(
            "run `docker unpause {}`, and build again",
            incident.container
        )),
        IncidentKind::Ended {
            out_of_memory: true,
            ..
        } => Some(format!(
            "create the builder with more memory: `{}`",
            program::buildx("create --driver-opt memory=SIZE")
        )),
        IncidentKind::Unresponsive { .. } => Some(format!(
            "if it stays like this, run `docker restart {}`, and build again",
            incident.container
        )),
        IncidentKind::Ended { .. } | IncidentKind::Removed => None,
    }
}

fn spec_hint(error: &SpecError) -> Option<String> {
    Some(match error {
        SpecError::NamedContext { .. } | SpecError::ContextName { .. } => contexts::named(),
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
        SpecError::Entitlement { .. } => "--allow takes network.host, security.insecure, \
            device[=NAME] or buildx.local.delete"
            .into(),
        SpecError::Call { .. } => "--call takes METHOD[,format=json][,ignorestatus=true]".into(),
        SpecError::NoContext
        | SpecError::Platform(_)
        | SpecError::List { .. }
        | SpecError::EmptySyntax => return None,
        SpecError::Annotation(_) => {
            "--annotation takes [TYPE[[PLATFORM]],...:]KEY=VALUE; the types are manifest, index, \
             manifest-descriptor and index-descriptor"
                .into()
        }
        SpecError::Attestation(_) => {
            "--attest takes type=TYPE,KEY=VALUE,...; --provenance and --sbom take true, false or \
             KEY=VALUE,..."
                .into()
        }
        SpecError::Switch { name, .. } => format!("set {name} to true or false, or unset it"),
        SpecError::Secret(_) => SECRET.into(),
        SpecError::Ssh(SshProblem::NoSocket) => {
            "start an agent (`eval $(ssh-agent)`, then `ssh-add`), or name keys with \
             --ssh default=FILE"
                .into()
        }
        SpecError::Ssh(SshProblem::Duplicate { .. }) => {
            "give each --ssh an ID of its own; several keys of one agent are \
             --ssh ID=FILE,FILE"
                .into()
        }
        SpecError::OciLayout { .. } => {
            "--build-context takes NAME=oci-layout://DIRECTORY[:TAG][@DIGEST]".into()
        }
        SpecError::Cache(problem) => cache_hint(problem),
    })
}

fn cache_hint(problem: &CacheProblem) -> String {
    match problem {
        CacheProblem::NoType { .. } => {
            "the types of --cache-from and --cache-to are registry, local, inline, gha, s3 and azblob".into()
        }
        CacheProblem::NoSource | CacheProblem::NoTag => {
            "--cache-from takes type=local,src=DIRECTORY[,tag=TAG]".into()
        }
        CacheProblem::NoDestination | CacheProblem::Reset { .. } => {
            "--cache-to takes type=local,dest=DIRECTORY[,tag=TAG][,reset=true]".into()
        }
        CacheProblem::NoReference { .. } | CacheProblem::Csv(_) | CacheProblem::NoValue { .. } => {
            "--cache-from and --cache-to take a reference or type=TYPE,KEY=VALUE,...".into()
        }
    }
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
        OutputProblem::LocalMode { .. } => "the modes are copy and delete".into(),
        _ => "--output takes a directory, - or type=TYPE,dest=PATH,...".into(),
    }
}

fn plan_hint(error: &PlanError) -> Option<String> {
    Some(match error {
        PlanError::SecretFile { .. } => SECRET.into(),
        PlanError::LargeSecret { .. } => {
            "--secret takes at most 500 KiB; a step can mount a larger file of the context".into()
        }
        PlanError::Ssh { problem, .. } => match problem {
            SshFileProblem::Key { fault, .. } => match fault {
                KeyFault::NoKey => "--ssh takes the file of a private key".into(),
                KeyFault::Passphrase | KeyFault::Unsupported | KeyFault::Malformed => {
                    "add the key to an agent with `ssh-add FILE`, and use --ssh default".into()
                }
            },
            SshFileProblem::SeveralSockets | SshFileProblem::SocketAndKeys => {
                "use one --ssh ID=SOCKET for each agent, or --ssh ID=FILE,FILE for keys".into()
            }
            SshFileProblem::File { .. } | SshFileProblem::Socket { .. } => SSH.into(),
        },
        PlanError::Dockerfile { .. } => return contexts::hint(error),
        PlanError::NoTag => "name the image with --tag".into(),
        PlanError::ToConsole { kind } => {
            format!("write it to a file with --output type={kind},dest=FILE, or to a pipe")
        }
        PlanError::SeveralToStdout => "give all but one --output a file with dest=FILE".into(),
        PlanError::ManifestListToFile => {
            "write it with --output type=oci,dest=FILE, or leave --attest, --provenance and --sbom out"
                .into()
        }
        PlanError::IndexAnnotation => {
            "turn on the containerd image store of the engine, or annotate the manifest".into()
        }
        PlanError::DeleteOutside { .. } => {
            "without it, mode=delete needs a destination below the working directory".into()
        }
        PlanError::SeveralLayouts => "give tar=false to only one --output".into(),
        PlanError::OciLayout { .. } => {
            "name an image in the layout: oci-layout://DIRECTORY:TAG or oci-layout://DIRECTORY@DIGEST".into()
        }
        PlanError::SameDestination { .. } => {
            "give each --output, --metadata-file and --iidfile a path of its own".into()
        }
        PlanError::NoImageId => "leave --iidfile out, or --output of type local and tar".into(),
        PlanError::Unsupported {
            ability: Ability::PushByDigest,
            ..
        } => format!("create a builder with its own BuildKit: `{}`", program::buildx("create --use")),
        PlanError::Unsupported {
            ability: Ability::CacheExport,
            ..
        } => format!(
            "create a builder with its own BuildKit (`{}`), or turn on the containerd image store of the \
             engine. Learn more at https://docs.docker.com/go/build-cache-backends/",
            program::buildx("create --use")
        ),
        PlanError::Unsupported {
            builds_into_engine: true,
            ..
        } => format!(
            "the driver builds into the images of the engine. Create a builder with its own BuildKit \
             (`{}`), or turn on the containerd image store of the engine",
            program::buildx("create --use")
        ),
        PlanError::Unsupported { .. } => format!(
            "create a builder with another driver: `{}`",
            program::buildx("create --driver DRIVER")
        ),
        PlanError::ContextNotFound { .. }
        | PlanError::ContextNotDirectory { .. }
        | PlanError::StdinTwice
        | PlanError::StdinAmbiguous
        | PlanError::StdinEmpty
        | PlanError::Stdin { .. }
        | PlanError::NamedContext { .. }
        | PlanError::Temporary { .. } => return contexts::hint(error),
        PlanError::Unmatched {
            builder, platforms, ..
        } => {
            let platforms: Vec<_> = platforms.iter().map(ToString::to_string).collect();
            let create = format!(
                "create --append --name {builder} --platform {}",
                platforms.join(",")
            );
            format!("add a node for it: `{}`", program::buildx(&create))
        }
        PlanError::SeveralEnginesPush => format!(
            "create a builder with its own BuildKit: `{}`",
            program::buildx("create --use")
        ),
        PlanError::SeveralPushes => {
            "push with one --output that has all names, or build once for each --output".into()
        }
        PlanError::NoNodes { .. }
        | PlanError::UnequalNodes { .. }
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
