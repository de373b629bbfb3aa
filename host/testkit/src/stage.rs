//! A world in memory in which a driver acts: an engine, a BuildKit, a network.

use std::sync::Arc;
use std::time::Duration;

use iechor_engine::Engine;
use iechor_engine::known::KnownEngines;
use iechor_engine::simulated::{Command, CommandIo, SimulatedEngine};
use iechor_sandbox::contract::Config;
use iechor_sandbox::{
    BuildKit, Dialer, Driver, DriverError, Grants, Ledger, Log, NoLedger, Node, NodeContext,
    Progress, limits,
};
use tokio::io::AsyncWriteExt;
use tokio_util::sync::CancellationToken;

use crate::buildkit::{Answers, FakeBuildKit, VERSION};
use crate::network::SimulatedNetwork;
use crate::watcher::Watcher;

/// The engine's own networks, which are nobody's.
pub(crate) const PREDEFINED_NETWORKS: [&str; 3] = ["bridge", "host", "none"];

/// A node's world in memory, with everything that can be looked at afterwards. Clones are the same
/// world.
///
/// The same grant checks run here as over a real engine: the simulation stands below them. In a
/// container of any image, `buildctl dial-stdio` leads to the BuildKit, `buildctl debug workers`
/// asks it, and the engine's own endpoint for it leads there too.
#[derive(Clone)]
pub struct Stage {
    /// The engine: what it holds, and which of its calls fail.
    pub engine: SimulatedEngine,
    /// The daemon, wherever a driver reaches it.
    pub buildkit: Arc<FakeBuildKit>,
    /// Where it is reached without an engine.
    pub network: Arc<SimulatedNetwork>,
    /// What was shown and logged.
    pub watcher: Arc<Watcher>,
    /// Where what operations create is noted; nowhere at first.
    pub ledger: Arc<dyn Ledger>,
    /// Cancels the operation in progress.
    pub cancel: CancellationToken,
    /// Engines that are named on this machine, beside [`Self::engine`].
    pub engines: Arc<KnownEngines>,
    /// What the driver may do.
    pub grants: Grants,
    /// Wall time of boot.
    pub boot_limit: Duration,
    /// The builder's name.
    pub builder: String,
}

impl Stage {
    /// Returns a world with a BuildKit that answers so, an engine that holds one image, named `image`, and no
    /// grants.
    pub fn new(answers: Answers) -> Self {
        let engine = SimulatedEngine::new();
        engine.add_image("image");
        let buildkit = Arc::new(FakeBuildKit::new(answers));
        let daemon = Arc::clone(&buildkit);
        engine.on_command(move |_, exec| {
            let words: Vec<_> = exec.command.iter().map(String::as_str).collect();
            let program = words.first().and_then(|path| path.rsplit('/').next());
            match program {
                Some("buildctl") if words.contains(&"dial-stdio") => {
                    let daemon = Arc::clone(&daemon);
                    Command::serves(|io| async move {
                        daemon.serve(io.stream).await;
                        0
                    })
                }
                Some("buildctl") if words.contains(&"workers") => {
                    let daemon = Arc::clone(&daemon);
                    Command::serves(|io| async move { list_workers(&daemon, io).await })
                }
                Some(program @ ("buildctl" | "buildkitd")) if words.contains(&"--version") => {
                    Command::prints(format!(
                        "{program} github.com/moby/buildkit {VERSION} abc\n"
                    ))
                }
                _ => Command::no_such_program(exec),
            }
        });
        let daemon = Arc::clone(&buildkit);
        engine.on_hijack(move |_| Some(daemon.connection()));
        Self {
            engine,
            network: Arc::new(SimulatedNetwork::new(Arc::clone(&buildkit))),
            buildkit,
            watcher: Arc::default(),
            ledger: Arc::new(NoLedger),
            cancel: CancellationToken::new(),
            engines: Arc::default(),
            grants: Grants::none(),
            boot_limit: limits::BOOT,
            builder: "builder".into(),
        }
    }

    /// Returns a node of the driver in this world; the configuration is checked first.
    ///
    /// # Errors
    ///
    /// What is wrong with the configuration.
    pub async fn node(&self, driver: &Arc<Driver>, config: &Config) -> Result<Node, DriverError> {
        let (config, _) = driver.validate(config).await?;
        Ok(driver.node(config, self.context()))
    }

    /// Returns what a node has of this world.
    pub fn context(&self) -> NodeContext {
        NodeContext {
            builder: self.builder.clone(),
            engine: Some(Arc::new(self.engine.clone())),
            engines: Arc::clone(&self.engines),
            grants: self.grants.clone(),
            buildkit: Arc::clone(&self.buildkit) as Arc<dyn BuildKit>,
            dialer: Arc::clone(&self.network) as Arc<dyn Dialer>,
            progress: Arc::clone(&self.watcher) as Arc<dyn Progress>,
            log: Arc::clone(&self.watcher) as Arc<dyn Log>,
            ledger: Arc::clone(&self.ledger),
            cancel: self.cancel.clone(),
            boot_limit: self.boot_limit,
            direct: None,
        }
    }

    /// Returns the containers, volumes and networks that there are, except for the engine's own networks.
    pub async fn objects(&self) -> Vec<String> {
        // The simulation fails where a fault says so, and these are no calls of a driver.
        objects(&self.engine, |_| true).await.unwrap_or_default()
    }

    /// Returns the calls that asked the engine to create something.
    pub fn creations(&self) -> Vec<String> {
        let mut journal = self.engine.journal();
        journal.retain(|line| line.starts_with("create_"));
        journal
    }

    /// Returns how often the world outside the driver was asked for something: engine and network.
    pub fn calls(&self) -> u64 {
        self.engine.calls() + self.network.calls()
    }
}

/// `buildctl debug workers`; returns the exit code.
async fn list_workers(daemon: &FakeBuildKit, mut io: CommandIo) -> i64 {
    match daemon.debug_workers().await {
        Ok(workers) => {
            let list = "worker\tlinux/amd64\n".repeat(workers.into());
            let list = format!("ID\tPLATFORMS\n{list}");
            let written = io.stream.write_all(list.as_bytes()).await;
            i64::from(written.is_err())
        }
        Err(words) => {
            io.stderr.write(format!("error: {words}\n"));
            1
        }
    }
}

/// Returns what an engine holds whose name is among the wanted ones, `container NAME` and so on.
pub(crate) async fn objects(
    engine: &dyn Engine,
    wanted: impl Fn(&str) -> bool,
) -> Result<Vec<String>, iechor_engine::EngineError> {
    let containers = engine.list_containers(&[]).await?;
    let volumes = engine.list_volumes(&[]).await?;
    let networks = engine.list_networks(&[]).await?;
    let mut names = Vec::new();
    let mut add = |kind: &str, name: &str| {
        if wanted(name) {
            names.push(format!("{kind} {name}"));
        }
    };
    for found in &containers {
        add("container", &found.name);
    }
    for found in &volumes {
        add("volume", &found.name);
    }
    for found in &networks {
        if !PREDEFINED_NETWORKS.contains(&found.name.as_str()) {
            add("network", &found.name);
        }
    }
    names.sort();
    Ok(names)
}
