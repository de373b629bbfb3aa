//! Builds on a node and delivers the results.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::StreamExt;
use iechor_buildkit::{ExportTarget, Exporter, Session, SolveRequest};
use iechor_engine::model::{LoadEvent, PullEvent};
use iechor_engine::{Engine, EngineError};
use iechor_sandbox::{Progress, StepId};
use tokio::sync::mpsc;
use tokio_util::io::ReaderStream;

use crate::boot_progress::{StatusSender, VertexProgress};
use crate::build::abilities::Abilities;
use crate::build::archive::{self, ArchiveError};
use crate::build::input::{self, Input};
use crate::build::output::{self, Destination, Output};
use crate::build::request::BuildRequest;
use crate::build::result::BuildResult;
use crate::credentials::DockerCredentials;
use crate::error::BuilderError;
use crate::lifecycle;
use crate::node::{Connected, LiveNode};
use crate::store::{NodeGroup, Platform};
use crate::workspace::Workspace;

/// The pipe between a build's result and `docker load`, in bytes.
const LOAD_PIPE: usize = 256 << 10;

/// A build whose request was found to be in order, with the node that it will run on.
pub struct Prepared {
    request: BuildRequest,
    attributes: BTreeMap<String, String>,
    input: Input,
    outputs: Vec<Output>,
    node: LiveNode,
    group: NodeGroup,
    /// What the user should know before it starts.
    pub warnings: Vec<String>,
}

impl Prepared {
    /// The first line of its progress.
    pub fn builder(&self) -> (&str, &str) {
        (&self.group.name, &self.group.driver)
    }
}

/// Checks everything about a build that can be checked before any daemon is asked.
///
/// # Errors
///
/// What is wrong with the request.
pub async fn prepare(
    workspace: &Workspace,
    request: BuildRequest,
) -> Result<Prepared, BuilderError> {
    let input = Input::find(&request.context, request.dockerfile.as_deref())?;
    let group = workspace.builder(None)?;
    let platforms = request.parsed_platforms()?;
    let node = choose_node(workspace, &group, &platforms).await?;
    let abilities = Abilities::new(&group.driver, &node.features().await?);
    let mut warnings = Vec::new();
    let wants_load = abilities.default_load && !no_default_load() && !request.load;
    let default_load = wants_load
        && match node.may_load(&request.tags) {
            Ok(()) => true,
            Err(denial) => {
                if request.outputs.is_empty() && !request.push {
                    warnings.push(format!(
                        "Driver {driver} may not load results into the engine by itself: {}. --load \
                         loads this one; `iechor driver trust {driver}` shows what it may do, and \
                         changes that",
                        denial.detail(),
                        driver = group.driver,
                    ));
                }
                false
            }
        };
    let outputs = output::plan(&request, &abilities, default_load)?;
    // The user configures proxies for each engine; a node without one builds like the current.
    let engine_endpoint = match node.engine() {
        Some(engine) => engine.endpoint().to_owned(),
        None => workspace.current_endpoint()?.host.to_string(),
    };
    let mut attributes = request.frontend_attributes(
        |name| std::env::var(name).ok(),
        workspace.config.proxies(&engine_endpoint),
    )?;
    if abilities.moby_exporter {
        // The engine's own images come first, as whoever built them there expects.
        attributes
            .entry("image-resolve-mode".into())
            .or_insert_with(|| "local".into());
    }
    if outputs.is_empty() && request.outputs.is_empty() && !no_default_load() {
        warnings.push(format!(
            "No output specified with {} driver. Build result will only remain in the build \
             cache. To push result image into registry use --push or to load image into docker \
             use --load",
            group.driver
        ));
    }
    Ok(Prepared {
        request,
        attributes,
        input,
        outputs,
        node,
        group,
        warnings,
    })
}

fn no_default_load() -> bool {
    std::env::var("BUILDX_NO_DEFAULT_LOAD")
        .is_ok_and(|value| matches!(value.as_str(), "1" | "t" | "T" | "true" | "TRUE" | "True"))
}

/// The node that declares every one of the platforms, else the first.
async fn choose_node(
    workspace: &Workspace,
    group: &NodeGroup,
    platforms: &[Platform],
) -> Result<LiveNode, BuilderError> {
    let declares = |node: &&crate::store::Node| {
        !platforms.is_empty()
            && platforms
                .iter()
                .all(|platform| node.platforms.contains(platform))
    };
    let node = group
        .nodes
        .iter()
        .find(declares)
        .or_else(|| group.nodes.first())
        .ok_or_else(|| BuilderError::Usage(format!("builder {} has no nodes", group.name)))?;
    LiveNode::open(workspace, group, node).await
}

/// Builds.
///
/// # Errors
///
/// What went wrong; files that were to be written are not there, or as they were.
pub async fn run(
    workspace: &Workspace,
    prepared: Prepared,
    status: &StatusSender,
) -> Result<BuildResult, BuilderError> {
    let Prepared {
        request,
        attributes,
        input,
        outputs,
        node,
        group,
        warnings: _,
    } = prepared;
    let Connected { client, workers } = node.connect(status).await?;
    if outputs.len() > 1 && !takes_several_outputs(&client, &workers).await? {
        return Err(BuilderError::Usage(
            "multiple outputs are not supported by this BuildKit: upgrade it to v0.13 or later, or \
             use one output at a time"
                .into(),
        ));
    }
    lifecycle::touch(workspace, &group)?;

    let mut solve = SolveRequest::dockerfile();
    solve.reference = iechor_buildkit::new_id();
    let reference = format!("{}/{}/{}", group.name, node.name, solve.reference);
    solve.frontend_attrs = attributes;
    let mut session =
        Session::builder().credentials(Arc::new(DockerCredentials(Arc::clone(&workspace.config))));
    match &input {
        Input::Local {
            context,
            dockerfile_directory,
            dockerfile,
        } => {
            session = session
                .shared_key(input::shared_key(context, workspace.store.directory())?)
                .directory("context", context)
                .directory("dockerfile", dockerfile_directory);
            solve
                .frontend_attrs
                .insert("filename".into(), dockerfile.clone());
        }
        Input::Remote { url, dockerfile } => {
            solve.frontend_attrs.insert("context".into(), url.clone());
            if let Some(dockerfile) = dockerfile {
                solve
                    .frontend_attrs
                    .insert("filename".into(), dockerfile.clone());
            }
        }
    }

    let several = request.parsed_platforms()?.len() > 1;
    let mut deliveries = Vec::new();
    let mut to_push = Vec::new();
    for output in outputs {
        to_push.extend(output.pushed_by_engine.iter().cloned());
        let (exporter, delivery) = open(workspace, output, several, status).await?;
        solve.exporters.push(exporter);
        deliveries.extend(delivery);
    }

    let solved = client
        .solve(
            solve,
            session.build(),
            status.clone(),
            workspace.cancel.clone(),
        )
        .await;
    let response = match solved {
        Ok(response) => response,
        Err(error) => {
            let mut refusal = None;
            for delivery in deliveries {
                refusal = refusal.or(delivery.give_up().await);
            }
            // Where a result could not be written, the engine that did not take it knows why.
            return match (error, refusal) {
                (iechor_buildkit::Error::Export { .. }, Some(refusal)) => Err(refusal),
                (_, Some(refusal @ BuilderError::Archive(ArchiveError::Unasked { .. }))) => {
                    Err(refusal)
                }
                (error, _) => Err(BuilderError::Build(error)),
            };
        }
    };
    for delivery in deliveries {
        delivery.complete().await?;
    }
    let mut exported = response.exporter_response;
    for name in to_push {
        if let Some(digest) = push(&node, &name, status).await? {
            exported.insert("containerimage.digest".into(), digest);
        }
    }
    let result = BuildResult {
        reference,
        response: exported,
        warnings: response.status_failure.into_iter().collect(),
    };
    result.write(
        request.metadata_file.as_deref(),
        request.iid_file.as_deref(),
    )?;
    Ok(result)
}

/// A result on its way to this side.
enum Delivery {
    /// A file under a temporary name.
    File {
        temporary: tempfile::TempPath,
        path: PathBuf,
    },
    /// `docker load`, with its vertex.
    Load(tokio::task::JoinHandle<Result<(), BuilderError>>),
}

impl Delivery {
    async fn complete(self) -> Result<(), BuilderError> {
        match self {
            Self::File { temporary, path } => temporary
                .persist(&path)
                .map_err(|error| unwritable(&path, &error.error)),
            Self::Load(task) => joined(task.await),
        }
    }

    /// Ends it after the build failed; returns what was said against it, if anything.
    async fn give_up(self) -> Option<BuilderError> {
        match self {
            // Dropping the path removes the file.
            Self::File { .. } => None,
            Self::Load(task) => joined(task.await).err(),
        }
    }
}

fn joined(
    result: Result<Result<(), BuilderError>, tokio::task::JoinError>,
) -> Result<(), BuilderError> {
    result.unwrap_or_else(|panic| {
        Err(EngineError::Protocol(format!("the load failed: {panic}")).into())
    })
}

async fn open(
    workspace: &Workspace,
    output: Output,
    several_platforms: bool,
    status: &StatusSender,
) -> Result<(Exporter, Option<Delivery>), BuilderError> {
    let Output {
        mut kind,
        attributes: attrs,
        destination,
        pushed_by_engine: _,
    } = output;
    let (target, delivery) = match destination {
        Destination::None => (ExportTarget::None, None),
        Destination::Directory(path) => (ExportTarget::Directory(path), None),
        Destination::Stdout => {
            let output = tokio::io::stdout(); // a stream of bytes
            if std::io::IsTerminal::is_terminal(&std::os::fd::AsFd::as_fd(&output)) {
                return Err(BuilderError::Usage(format!(
                    "dest file is required for {kind} exporter. refusing to write to console"
                )));
            }
            (ExportTarget::Stream(Box::new(output)), None)
        }
        Destination::File(path) => {
            let (file, temporary) = create_beside(&path)?;
            let target = ExportTarget::Stream(Box::new(tokio::fs::File::from_std(file)));
            (target, Some(Delivery::File { temporary, path }))
        }
        Destination::Engine => {
            let engine = workspace.current_engine()?;
            if workspace
                .engine_info(engine.as_ref())
                .await?
                .containerd_image_store
            {
                // Such an engine takes what only an OCI layout holds: several platforms.
                kind = "oci".into();
            } else if several_platforms {
                return Err(BuilderError::Usage(
                    "docker exporter does not currently support exporting manifest lists; load \
                     one platform, or --push all"
                        .into(),
                ));
            }
            let names = attrs.get("name").map_or("", String::as_str);
            let names = names.split(',').filter(|name| !name.is_empty());
            let names = names.map(str::to_owned).collect();
            let (target, task) = load(engine, names, status.clone());
            (
                ExportTarget::Stream(Box::new(target)),
                Some(Delivery::Load(task)),
            )
        }
    };
    Ok((
        Exporter {
            kind,
            attrs,
            target,
        },
        delivery,
    ))
}

/// Whether BuildKit knows more than one exporter a build: one that says nothing of its version, or
/// one before 0.13, takes the first and forgets the others.
async fn takes_several_outputs(
    client: &iechor_buildkit::Client,
    workers: &[iechor_buildkit::Worker],
) -> Result<bool, BuilderError> {
    let said = workers.iter().find_map(|worker| worker.version.clone());
    let version = match said {
        Some(version) => Some(version),
        None => client.version().await?,
    };
    let Some(version) = version else {
        return Ok(false);
    };
    let mut numbers = version
        .version
        .trim_start_matches('v')
        .split(|c: char| !c.is_ascii_digit())
        .map(|digits| digits.parse::<u32>().ok());
    Ok(match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(0), Some(minor)) => minor >= 13,
        // A version of somebody's own making is taken for a new one.
        _ => true,
    })
}

/// Lets the engine push an image that it has.
async fn push(
    node: &LiveNode,
    name: &str,
    status: &StatusSender,
) -> Result<Option<String>, BuilderError> {
    let Some(engine) = node.engine() else {
        return Ok(None);
    };
    let title = format!("pushing {name} with docker");
    let (vertex, forwarder) = VertexProgress::begin(&title, status.clone());
    let (sender, mut events) = mpsc::channel::<PullEvent>(64);
    let show = async {
        while let Some(event) = events.recv().await {
            if !event.id.is_empty() && event.total.is_some() {
                let name = format!("pushing layer {}", event.id);
                vertex.count(StepId(0), &name, event.current, event.total);
            }
        }
    };
    let (pushed, ()) = tokio::join!(engine.push_image(name, sender), show);
    vertex.end(pushed.as_ref().map(|_| ()).map_err(ToString::to_string));
    drop(vertex);
    forwarder.finish().await;
    Ok(pushed?)
}

/// A file that takes the place of `path` only when it is whole.
fn create_beside(path: &Path) -> Result<(std::fs::File, tempfile::TempPath), BuilderError> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let file = tempfile::Builder::new()
        .prefix(".iechor-")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(directory)
        .map_err(|error| unwritable(path, &error))?;
    Ok(file.into_parts())
}

fn unwritable(path: &Path, error: &std::io::Error) -> BuilderError {
    BuilderError::File {
        what: "output",
        path: path.to_owned(),
        reason: error.to_string(),
    }
}

/// Starts `docker load` of what is written to the returned end, if it has no names but these.
fn load(
    engine: Arc<dyn Engine>,
    names: Vec<String>,
    status: StatusSender,
) -> (
    tokio::io::DuplexStream,
    tokio::task::JoinHandle<Result<(), BuilderError>>,
) {
    let (ours, theirs) = tokio::io::duplex(LOAD_PIPE);
    let task = tokio::spawn(async move {
        let mut body = ReaderStream::with_capacity(theirs, LOAD_PIPE);
        // Nothing to load where the build fails first: the engine is not even asked.
        let Some(first) = body.next().await else {
            return Ok(());
        };
        let (vertex, forwarder) = VertexProgress::begin("importing to docker", status);
        let (sender, mut events) = mpsc::channel::<LoadEvent>(64);
        let body = futures_util::stream::once(async move { first }).chain(body);
        let refusal = Arc::default();
        let body = archive::filter(body.boxed(), names, Arc::clone(&refusal));
        let show = async {
            while let Some(event) = events.recv().await {
                if !event.id.is_empty() && event.total.is_some() {
                    let name = format!("loading layer {}", event.id);
                    vertex.count(StepId(0), &name, event.current, event.total);
                }
            }
        };
        let (loaded, ()) = tokio::join!(engine.load_images(body, sender), show);
        // What the engine says of an archive that ends in an error is not the reason.
        let loaded = match refusal.get() {
            Some(refusal) => Err(ArchiveError::clone(refusal).into()),
            None => loaded.map_err(BuilderError::from),
        };
        vertex.end(loaded.as_ref().map(|_| ()).map_err(ToString::to_string));
        drop(vertex);
        forwarder.finish().await;
        loaded
    });
    (ours, task)
}
