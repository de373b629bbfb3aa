//! Containers of the engine.

mod binds;
pub(super) mod checks;
mod convert;
mod declared;
mod extra;
mod idle_stop;
mod programs;
mod registries;
mod shared;
pub(super) mod words;

use std::sync::Arc;
use std::time::Duration;

use iechor_engine::ObjectKind;
use iechor_engine::model::File;
use iechor_files::pem::{self, Purpose};
use wasmtime::component::{Resource, ResourceTable};

use self::checks::{Claims, admit, check_use};
use self::convert::{check_file_path, exec, exit_code, missing, not_started, summary};
pub(super) use self::declared::CONTAINER;
use self::declared::{FUNCTIONS, GRANTS};
use self::programs::{Runs, check_choice, commands, configuration, targets};
use self::shared::{no_directory, share, unshared, without_shared};
use self::words::{describe, exec_line, state};
use super::Interface;
use super::progress::forward;
use super::transport::Connection;
use super::{check_texts, has_labels, is_of_node};
use crate::bindings::HostError;
use crate::bindings::contract::{self, Error};
use crate::bindings::iechor::driver::{container, progress, transport};
use crate::direct::Directory;
use crate::files::OptionFiles;
use crate::handle::{Handle, Handles};
use crate::limits;
use crate::node_files::NodeFiles;
use crate::observer::span;
use crate::operation::{Host, Operation, Setup};
use crate::ownership::Verdict;
use crate::text::clean_line;
use crate::user_words::UserWords;
use wasmtime::component::HasSelf;

/// Containers of the engine, as a capability.
pub(super) const INTERFACE: Interface = Interface {
    name: "container",
    of_engine: true,
    grants: GRANTS,
    functions: FUNCTIONS,
    kept: &[("container", |entry| entry.is::<OwnContainer>())],
    context: |setup, contexts| contexts.add(Context::of(setup)),
    link: container::add_to_linker::<Host, HasSelf<Host>>,
};

/// BuildKit's configuration, among the user's files.
const CONFIGURATION: &str = "buildkitd.toml";

/// What containers needs of an operation.
struct Context {
    /// What the user said of the node.
    user_words: Arc<UserWords>,
    /// The user's files for BuildKit.
    files: NodeFiles,
    /// The files that options name.
    option_files: OptionFiles,
}

impl Context {
    fn of(setup: &Setup<'_>) -> Self {
        Self {
            user_words: Arc::clone(setup.user_words),
            files: setup.files.of_node.clone(),
            option_files: setup.files.of_options.clone(),
        }
    }
}

/// One of the node's own containers.
pub struct OwnContainer {
    name: String,
    pub(super) image: String,
    runs: Runs,
    /// The directory in which BuildKit has a socket for direct connections.
    pub(super) direct: Option<Directory>,
    /// What it has; `None` for one of this operation's own, which was checked when it was created.
    present: Option<Claims>,
}

impl Handle for container::Container {
    type State = OwnContainer;
}

impl container::Host for Host {
    async fn list_all(
        &mut self,
        labels: Vec<(String, String)>,
    ) -> Result<Vec<container::Summary>, HostError> {
        let operation = self.called_with("container.list-all", |line, _| {
            line.pairs("labels", &labels);
        });
        let found = operation
            .engine()?
            .list_containers(&operation.owner.filter())
            .await?;
        let found: Vec<_> = found
            .into_iter()
            .filter(|found| is_of_node(&operation, &found.name, &found.labels))
            .filter(|container| has_labels(&container.labels, &labels))
            .take(limits::LISTED)
            .map(|found| summary(without_shared(&operation, found).0))
            .collect();
        self.answered(|| found.len().to_string());
        Ok(found)
    }
}

impl container::HostContainer for Host {
    async fn create(
        &mut self,
        spec: container::Spec,
    ) -> Result<Resource<container::Container>, HostError> {
        let operation = self.called_with("container.create", |line, _| describe(line, &spec));
        self.create_container(&operation, spec, None).await
    }

    async fn find(
        &mut self,
        name: String,
    ) -> Result<Option<Resource<container::Container>>, HostError> {
        let operation = self.called_with("container.find", |line, _| {
            line.word(&name);
        });
        operation
            .owner
            .check_name(&name)
            .map_err(HostError::invalid)?;
        match operation.engine()?.inspect_container(&name).await? {
            Some(found)
                if found.name == name
                    && operation
                        .owner
                        .judge(ObjectKind::Container, &name, &found.labels)
                        == Verdict::Own =>
            {
                let (found, direct) = without_shared(&operation, found);
                Ok(Some(self.table.keep(OwnContainer {
                    name,
                    runs: Runs::of_present(&found),
                    direct,
                    present: Some(Claims::of_present(&found)),
                    image: found.image,
                })?))
            }
            found => {
                // Somebody else removed the container.
                if found.is_none()
                    && operation.is_removal()
                    && let Some(directory) = operation.shared_directory(&name)
                {
                    directory.remove();
                }
                self.answered(|| "none".into());
                Ok(None)
            }
        }
    }

    async fn inspect(
        &mut self,
        container: Resource<container::Container>,
    ) -> Result<container::Summary, HostError> {
        let operation = self.called_with("container.inspect", |line, table| {
            line.word(named(table, &container));
        });
        let name = self.container_name(&container)?;
        match operation.engine()?.inspect_container(&name).await? {
            // Meanwhile it may be another one, of somebody else.
            Some(found)
                if operation
                    .owner
                    .judge(ObjectKind::Container, &name, &found.labels)
                    == Verdict::Own =>
            {
                self.answered(|| state(&found));
                Ok(summary(without_shared(&operation, found).0))
            }
            _ => Err(missing(name)),
        }
    }

    async fn start(&mut self, container: Resource<container::Container>) -> Result<(), HostError> {
        let operation = self.called_with("container.start", |line, table| {
            line.word(named(table, &container));
        });
        let name = self.usable(&operation, &container).await?;
        if let Some(directory) = &self.table.state(&container)?.direct {
            directory.make().map_err(|error| no_directory(&error))?;
        }
        Ok(operation.engine()?.start_container(&name).await?)
    }

    async fn stop(
        &mut self,
        container: Resource<container::Container>,
        grace: Option<u64>,
    ) -> Result<(), HostError> {
        let operation = self.called_with("container.stop", |line, table| {
            line.word(named(table, &container))
                .optional("grace", grace.map(span));
        });
        let name = self.container_name(&container)?;
        let grace = grace.map(Duration::from_nanos);
        Ok(operation.engine()?.stop_container(&name, grace).await?)
    }

    async fn remove(
        &mut self,
        container: Resource<container::Container>,
        force: bool,
    ) -> Result<(), HostError> {
        let operation = self.called_with("container.remove", |line, table| {
            line.word(named(table, &container)).flag("force", force);
        });
        let name = self.container_name(&container)?;
        operation.engine()?.remove_container(&name, force).await?;
        if let Some(directory) = &self.table.state(&container)?.direct {
            directory.remove();
        }
        Ok(())
    }

    async fn copy_in(
        &mut self,
        container: Resource<container::Container>,
        target: String,
        files: Vec<contract::File>,
    ) -> Result<(), HostError> {
        let operation = self.called_with("container.copy-in", |line, table| {
            line.word(named(table, &container))
                .word(&target)
                .files(&files);
        });
        let Context {
            user_words,
            files: of_user,
            ..
        } = operation.context();
        let target = targets::normalised(&target).map_err(HostError::invalid)?;
        for file in &files {
            check_file_path(&file.path)?;
        }
        let name = self.usable(&operation, &container).await?;
        let copied = configuration::judge(&target, files, user_words);
        self.check_choice(&operation, &container, copied.chosen)?;
        let mut copy = of_user.copy_to(&target);
        let files = copied
            .files
            .into_iter()
            .map(|file| copy.fill(file).map_err(HostError::invalid))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(operation
            .engine()?
            .copy_into_container(&name, &target, &files)
            .await?)
    }

    async fn configure(
        &mut self,
        container: Resource<container::Container>,
        settings: Vec<(String, String)>,
    ) -> Result<(), HostError> {
        let operation = self.called_with("container.configure", |line, table| {
            line.word(named(table, &container))
                .pairs("settings", &settings);
        });
        check_texts("configuration", &[&settings], &[])?;
        let Context {
            user_words, files, ..
        } = operation.context();
        let name = self.usable(&operation, &container).await?;
        self.check_choice(&operation, &container, extra::chosen(&settings, user_words))?;
        let (mode, contents) = match files.get(CONFIGURATION) {
            Some((mode, contents)) => (mode, Some(contents)),
            None => (0o644, None),
        };
        let file = File {
            path: format!("buildkit/{CONFIGURATION}"),
            mode,
            contents: registries::added(contents, &settings).map_err(HostError::invalid)?,
        };
        Ok(operation
            .engine()?
            .copy_into_container(&name, "/etc", &[file])
            .await?)
    }

    async fn trust(
        &mut self,
        container: Resource<container::Container>,
        file: String,
    ) -> Result<(), HostError> {
        let operation = self.called_with("container.trust", |line, table| {
            line.word(named(table, &container)).word(&file);
        });
        let Context { option_files, .. } = operation.context();
        let name = self.usable(&operation, &container).await?;
        let contents = option_files.get(&file).ok_or_else(|| {
            HostError::invalid(format!("the user gave no file in option {file:?}"))
        })?;
        pem::check(contents, Purpose::Authorities)
            .map_err(|error| HostError::invalid(format!("option {file}: {error}")))?;
        let file = File {
            path: format!("ssl/certs/iechor-{file}.pem"),
            mode: 0o644,
            contents: contents.to_vec(),
        };
        Ok(operation
            .engine()?
            .copy_into_container(&name, "/etc", &[file])
            .await?)
    }

    async fn run(
        &mut self,
        container: Resource<container::Container>,
        spec: container::ExecSpec,
    ) -> Result<container::ExecOutput, HostError> {
        let operation = self.called_with("container.run", |line, table| {
            exec_line(line.word(named(table, &container)), &spec);
        });
        check_texts("command", &[&spec.env], &spec.command)?;
        let name = self.usable(&operation, &container).await?;
        self.check_choice(&operation, &container, commands::chosen_to_run(&spec))?;
        let output = operation
            .engine()?
            .run_in_container(&name, &exec(spec), limits::COMMAND_OUTPUT_BYTES)
            .await?;
        self.answered(|| format!("exit code {}", output.exit_code));
        Ok(container::ExecOutput {
            exit_code: exit_code(output.exit_code),
            stdout: output.stdout,
            stderr: output.stderr,
            truncated: output.truncated,
        })
    }

    async fn dial(
        &mut self,
        container: Resource<container::Container>,
        spec: container::ExecSpec,
        stderr: Option<Resource<progress::Task>>,
    ) -> Result<Resource<transport::Connection>, HostError> {
        let operation = self.called_with("container.dial", |line, table| {
            exec_line(line.word(named(table, &container)), &spec);
        });
        check_texts("command", &[&spec.env], &spec.command)?;
        let name = self.usable(&operation, &container).await?;
        self.check_choice(&operation, &container, commands::chosen_to_dial(&spec))?;
        let step = match stderr {
            Some(task) => Some(self.table.state(&task)?.step),
            None => None,
        };
        let engine = operation.engine()?;
        let spec = exec(spec);
        // An engine has been seen to take a command and never start it; another try helps.
        let dialled = tokio::time::timeout(limits::ANSWER, engine.dial_in_container(&name, &spec))
            .await
            .map_err(|_| not_started(&name))??;
        let leads_to = format!("container:{name}");
        let connection = match step {
            Some(step) => {
                forward(operation, step, dialled.stderr);
                Connection::new(dialled.stream, leads_to)
            }
            None => Connection::with_stderr(dialled.stream, leads_to, operation, dialled.stderr),
        };
        Ok(self.table.keep(connection)?)
    }

    async fn stop_when_idle(
        &mut self,
        container: Resource<container::Container>,
        after: u64,
    ) -> Result<(), HostError> {
        let operation = self.called_with("container.stop-when-idle", |line, table| {
            line.word(named(table, &container))
                .field("after", span(after));
        });
        let name = self.usable(&operation, &container).await?;
        if after == 0 {
            return Err(HostError::invalid("an idle time of nothing"));
        }
        let command = idle_stop::command(Duration::from_nanos(after));
        let output = operation
            .engine()?
            .run_in_container(&name, &command, limits::LINE)
            .await?;
        match output.exit_code {
            0 => Ok(()),
            code => Err(HostError::Answer(Error::Other(format!(
                "the watch for idle time ended with exit code {code}: {}",
                clean_line(&String::from_utf8_lossy(&output.stderr), limits::LINE)
            )))),
        }
    }

    async fn forward_logs(
        &mut self,
        container: Resource<container::Container>,
        to: Resource<progress::Task>,
        tail: Option<u32>,
    ) -> Result<(), HostError> {
        let operation = self.called_with("container.forward-logs", |line, table| {
            line.word(named(table, &container)).optional("tail", tail);
        });
        let name = self.container_name(&container)?;
        let logs = operation
            .engine()?
            .container_logs(&name, tail, limits::LOG_BYTES)
            .await?;
        let task = self.table.state(&to)?;
        for chunk in logs {
            task.output(&operation, chunk.stream, chunk.data);
        }
        Ok(())
    }

    async fn last_logs(
        &mut self,
        container: Resource<container::Container>,
        tail: u32,
    ) -> Result<Vec<String>, HostError> {
        let operation = self.called_with("container.last-logs", |line, table| {
            line.word(named(table, &container)).field("tail", tail);
        });
        let name = self.container_name(&container)?;
        let logs = operation
            .engine()?
            .container_logs(&name, Some(tail), limits::LAST_LOG_BYTES)
            .await?;
        let mut bytes = Vec::new();
        for chunk in logs {
            bytes.extend_from_slice(&chunk.data);
        }
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<_> = text
            .lines()
            .map(|line| clean_line(line, limits::LINE))
            .collect();
        let first = lines.len().saturating_sub(tail as usize);
        Ok(lines[first..].to_vec())
    }

    async fn drop(&mut self, container: Resource<container::Container>) -> wasmtime::Result<()> {
        self.table.release(container)?;
        Ok(())
    }
}

impl Host {
    /// Creates a container, which shares `direct` with this host.
    pub(super) async fn create_container(
        &mut self,
        operation: &Operation,
        spec: container::Spec,
        direct: Option<Directory>,
    ) -> Result<Resource<container::Container>, HostError> {
        let engine = operation.engine()?;
        operation.check_creations()?;
        let (mut spec, runs) = admit(operation, spec).await?;
        let (name, image) = (spec.name.clone(), spec.image.clone());
        if let Some(directory) = &direct {
            share(operation, &mut spec, directory).await?;
        }
        let noted = operation.note_creation(ObjectKind::Container, &name)?;
        let created = operation
            .journal
            .create(noted, {
                let engine = engine.clone();
                async move { engine.create_container(&spec).await }
            })
            .await;
        match created {
            Ok(_) => Ok(self.table.keep(OwnContainer {
                name,
                image,
                runs,
                direct,
                present: None,
            })?),
            Err(iechor_engine::EngineError::AlreadyExists { .. }) => {
                // Ours, made by another process meanwhile, or somebody else's?
                let owner = engine.inspect_container(&name).await?.map(|found| {
                    operation
                        .owner
                        .judge(ObjectKind::Container, &found.name, &found.labels)
                });
                Err(HostError::Answer(match owner {
                    Some(Verdict::Foreign(whose)) => {
                        Error::Conflict(format!("container {name} exists: {whose}"))
                    }
                    _ => Error::AlreadyExists(contract::ObjectRef {
                        kind: contract::ObjectKind::Container,
                        name,
                    }),
                }))
            }
            Err(error) => Err(match &direct {
                Some(directory) => unshared(directory, error),
                None => error.into(),
            }),
        }
    }

    pub(super) fn container_name(
        &self,
        container: &Resource<container::Container>,
    ) -> Result<String, HostError> {
        Ok(self.table.state(container)?.name.clone())
    }

    /// Returns the name of a container that the driver may use, rather than look at and remove.
    pub(super) async fn usable(
        &mut self,
        operation: &Operation,
        container: &Resource<container::Container>,
    ) -> Result<String, HostError> {
        let handle = self.table.state(container)?;
        if let Some(present) = &handle.present {
            check_use(operation, &handle.name, present, &handle.runs).await?;
        }
        Ok(handle.name.clone())
    }

    /// Checks that the driver may choose what runs in a container, where it does.
    fn check_choice(
        &self,
        operation: &Operation,
        container: &Resource<container::Container>,
        chosen: Option<String>,
    ) -> Result<(), HostError> {
        match chosen {
            Some(what) => check_choice(operation, self.table.state(container)?, &what),
            None => Ok(()),
        }
    }
}

pub(super) fn named<'a>(
    table: &'a ResourceTable,
    container: &Resource<container::Container>,
) -> &'a str {
    table.state(container).map_or("?", |handle| &handle.name)
}
