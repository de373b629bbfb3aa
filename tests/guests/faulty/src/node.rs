//! The node, with the selectable faults.

use std::time::{Duration, SystemTime};

use iechor_driver::buildkit_session::Client;
use iechor_driver::container::{
    self, Container, ExecSpec, Limits, MountSource, Mounted, RestartPolicy, Spec,
};
use iechor_driver::image::{self, Pull};
use iechor_driver::progress::Task;
use iechor_driver::transport::Connection;
use iechor_driver::types::File;
use iechor_driver::volume::{self, Volume};
use iechor_driver::{
    Config, Error, Info, RemoveOptions, Status, StopOptions, clock, describe_error, log, values,
};

const IMAGE: &str = "moby/buildkit:buildx-stable-1";
/// Default memory in bytes, as `describe` states it.
const DEFAULT_MEMORY: u64 = 1 << 30;
const WAIT: Duration = Duration::from_millis(200);
const TRIES: u32 = 30;
/// A number of records that fills any buffer but does not exceed the limit.
const CALLS: u32 = 9_000;

/// A node in a container and a volume.
pub struct Node {
    name: String,
    fault: String,
    memory: Option<u64>,
    flags: Vec<String>,
    files: Vec<File>,
}

impl Node {
    pub fn new(config: Config) -> Self {
        let option = |wanted: &str| config.options.iter().find(|(name, _)| name == wanted);
        let (fault, memory) = (option("fault"), option("memory"));
        Self {
            name: format!("buildx_buildkit_{}", config.name),
            fault: fault.map(|(_, value)| value.clone()).unwrap_or_default(),
            memory: memory.and_then(|(_, value)| values::bytes(value).ok()),
            flags: config.buildkitd_flags,
            files: config.files,
        }
        .renamed()
    }

    fn renamed(mut self) -> Self {
        if self.fault("one name for all") {
            self.name = "buildx_buildkit_node0".into();
        }
        self
    }

    pub fn fault(&self, name: &str) -> bool {
        self.fault == name
    }

    /// Returns the result of an operation, after applying faults that concern all operations.
    pub fn checked<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        if self.fault("keep a step") {
            std::mem::forget(Task::new("kept"));
        }
        match result {
            Err(Error::NotRunning) => Err(Error::NotRunning),
            Err(error) if self.fault("panic on errors") => panic!("{}", describe_error(&error)),
            Err(Error::Denied(_)) if self.fault("hide denials") => {
                Err(Error::Other("something is missing".into()))
            }
            other => other,
        }
    }

    pub fn state(&self) -> Result<Info, Error> {
        let seen = match self.found()? {
            None if self.fault("info of nothing fails") => return Err(Error::NotRunning),
            None => return Ok(Status::Inactive.into()),
            Some(_) if self.fault("always inactive") => return Ok(Status::Inactive.into()),
            Some(container) => container.inspect()?,
        };
        let status = match seen.status {
            container::Status::Running => Status::Running,
            _ => Status::Stopped,
        };
        Ok(Info {
            run: match seen.run {
                Some(_) if self.fault("every run is the same") => Some("run".into()),
                Some(_) if self.fault("every run is another") => {
                    Some(format!("{:?}", SystemTime::now()))
                }
                run => run,
            },
            ..status.into()
        })
    }

    pub fn start(&self) -> Result<(), Error> {
        self.waste();
        let found = self.found()?;
        let was_there = found.is_some();
        let result = self.start_or_create(found);
        if result.is_err() && was_there && self.fault("destroy on errors") {
            self.clear(RemoveOptions {
                force: true,
                keep_state: false,
                keep_daemon: false,
            })?;
        }
        result
    }

    fn start_or_create(&self, found: Option<Container>) -> Result<(), Error> {
        let container = match found {
            Some(container) => {
                let running = is_running(&container)?;
                if self.fault("recreate") || self.fault("recreate what stopped") && !running {
                    container.remove(true)?;
                    self.create()?
                } else {
                    if !running {
                        container.start()?;
                    }
                    container
                }
            }
            None => self.create()?,
        };
        if self.fault("do not wait") {
            return Ok(());
        }
        self.wait(&container)
    }

    /// Applies faults of time and memory.
    fn waste(&self) {
        if self.fault("look at the clock for ever") {
            loop {
                clock::now();
            }
        }
        if self.fault("look at the clock for a second") {
            let begun = clock::now();
            while clock::now() - begun < 1_000_000_000 {}
        }
        if self.fault("dawdle for ever") {
            loop {
                clock::now();
                for number in 0..20_000_000_u32 {
                    std::hint::black_box(number);
                }
            }
        }
    }

    fn create(&self) -> Result<Container, Error> {
        let mut state = Volume::find(&format!("{}_state", self.name))?;
        if self.fault("recreate the state")
            && let Some(old) = state.take()
        {
            old.remove(true)?;
        }
        let created = self.create_with(state.is_some());
        match (state, created) {
            (Some(state), Err(error)) if self.fault("destroy the state on errors") => {
                state.remove(true)?;
                Err(error)
            }
            // Another process boots this node at the same time, and created the container first.
            (_, Err(error @ Error::AlreadyExists(_))) if !self.fault("do not join") => {
                self.join(error)
            }
            (_, created) => created,
        }
    }

    fn join(&self, missing: Error) -> Result<Container, Error> {
        for _ in 0..TRIES {
            if let Some(container) = self.found()?
                && is_running(&container)?
            {
                return Ok(container);
            }
            clock::sleep(WAIT.as_nanos() as u64)?;
        }
        Err(missing)
    }

    fn create_with(&self, was_kept: bool) -> Result<Container, Error> {
        if self.fault("boot with the image fails")
            && image::resolve(IMAGE, None, Pull::Never, None).is_ok()
        {
            return Err(Error::Other("the image is there already".into()));
        }
        let image = image::resolve(IMAGE, None, Pull::Always, None)?.reference;
        let state = format!("{}_state", self.name);
        let mut mounts = vec![Mounted {
            target: "/var/lib/buildkit".into(),
            source: MountSource::Volume(state.clone()),
            read_only: false,
        }];
        if !was_kept {
            let created = Volume::create(&volume::Spec {
                name: state,
                driver: None,
                driver_options: Vec::new(),
                labels: Vec::new(),
            });
            match created {
                Err(Error::Conflict(_)) if self.fault("do without the volume") => mounts.clear(),
                created => drop(created?),
            }
        } else if self.fault("a lost container is lost") {
            return Err(Error::Conflict("there was a container".into()));
        }
        let default = (!self.fault("another default")).then_some(DEFAULT_MEMORY);
        let created = Container::create(&Spec {
            name: self.name.clone(),
            image,
            command: if self.fault("drop the flags") {
                Vec::new()
            } else {
                self.flags.clone()
            },
            env: Vec::new(),
            labels: Vec::new(),
            mounts,
            network: None,
            privileged: true,
            init: true,
            host_user_namespace: false,
            gpus: None,
            restart: RestartPolicy::No,
            limits: Limits {
                memory: self.memory.or(default),
                memory_swap: None,
                cpu_shares: None,
                cpu_period: None,
                cpu_quota: None,
                cpuset_cpus: None,
                cpuset_mems: None,
                cgroup_parent: None,
            },
            extra: Vec::new(),
        });
        let container = match created {
            Err(Error::Conflict(_)) if self.fault("hide conflicts") => {
                return Err(Error::Other("it did not work".into()));
            }
            created => created?,
        };
        if !self.files.is_empty() && !self.fault("drop the files") {
            let files: Vec<_> = self.files.iter().cloned().map(below_buildkit).collect();
            container.copy_in("/etc", &files)?;
        }
        match container.start() {
            Err(_) if self.fault("hide the reason") => Err(Error::Other("no".into())),
            started => started.map(|()| container),
        }
    }

    fn wait(&self, container: &Container) -> Result<(), Error> {
        for _ in 0..TRIES {
            match self.try_connection(container) {
                Ok(()) => return Ok(()),
                Err(error @ (Error::Denied(_) | Error::Cancelled | Error::Timeout)) => {
                    return Err(error);
                }
                Err(_) if self.fault("wait for the dead") => {}
                Err(_) => {
                    let seen = container.inspect()?;
                    if seen.status != container::Status::Running {
                        let code = seen.exit_code.unwrap_or(-1);
                        return Err(Error::Unavailable(format!(
                            "the container ended, exit code {code}: {}",
                            container.last_logs(10)?.join("\n")
                        )));
                    }
                }
            }
            clock::sleep(WAIT.as_nanos() as u64)?;
        }
        Err(Error::Unavailable("BuildKit does not answer".into()))
    }

    fn try_connection(&self, container: &Container) -> Result<(), Error> {
        if self.fault("probe with a command") {
            // As docker buildx does.
            let listed = container.run(&command(&["buildctl", "debug", "workers"]))?;
            let lines = listed.stdout.iter().filter(|byte| **byte == b'\n').count();
            return if listed.exit_code == 0 && lines > 1 {
                Ok(())
            } else {
                let words = String::from_utf8_lossy(&listed.stderr).into_owned();
                Err(Error::Unavailable(words))
            };
        }
        let client = Client::open(self.dialled(container)?)?;
        if client.workers()?.is_empty() {
            return Err(Error::Unavailable("no worker".into()));
        }
        Ok(())
    }

    pub fn connect(&self) -> Result<Connection, Error> {
        match self.found()? {
            None if self.fault("dial of nothing is odd") => Err(Error::Other("no".into())),
            None => Err(Error::NotRunning),
            Some(container) if self.fault("dial the wrong thing") => {
                container.dial(&command(&["buildkitd", "--version"]), None)
            }
            Some(container) => self.dialled(&container),
        }
    }

    fn dialled(&self, container: &Container) -> Result<Connection, Error> {
        match container.dial(&command(&["buildctl", "dial-stdio"]), None) {
            Err(Error::Conflict(_) | Error::NotFound(_)) => Err(Error::NotRunning),
            other => other,
        }
    }

    pub fn ask_version(&self) -> Result<String, Error> {
        Ok(Client::open(self.connect()?)?.version()?.version)
    }

    pub fn end(&self, StopOptions { force, grace }: StopOptions) -> Result<(), Error> {
        if grace.is_some() && self.fault("trap on a grace") || force && self.fault("trap on force")
        {
            panic!("what is that?");
        }
        if self.fault("talk for ever in stop") {
            loop {
                log::enabled(log::Level::Debug);
            }
        }
        if self.fault("talk at length in stop") {
            let words = "x".repeat(8 << 10);
            for _ in 0..CALLS {
                let _ = Container::find(&words);
            }
        }
        match self.found()? {
            None if self.fault("stop of nothing fails") => Err(Error::NotRunning),
            None => Ok(()),
            Some(container) if self.fault("stop works once") && !is_running(&container)? => {
                Err(Error::NotRunning)
            }
            // All data is in the volume.
            Some(container) if self.fault("stop is removal") => container.remove(true),
            Some(container) => container.stop(grace),
        }
    }

    pub fn clear(&self, options: RemoveOptions) -> Result<(), Error> {
        if options.keep_daemon && !self.fault("never keep the daemon") {
            return Ok(());
        }
        if options.force && self.fault("leave everything on force") {
            return Ok(());
        }
        let container = self.found()?;
        let was_there = container.is_some();
        if let Some(container) = container {
            let removed = container.remove(true);
            if removed.is_err() && self.fault("destroy the state on errors") {
                Volume::find(&format!("{}_state", self.name))?
                    .map_or(Ok(()), |v| v.remove(true))?;
            }
            removed?;
        }
        let keep = options.keep_state && !self.fault("never keep the state")
            || self.fault("forget the volume of a lost container") && !was_there;
        if !keep && let Some(volume) = Volume::find(&format!("{}_state", self.name))? {
            volume.remove(options.force)?;
        }
        Ok(())
    }

    fn found(&self) -> Result<Option<Container>, Error> {
        Container::find(&self.name)
    }
}

fn is_running(container: &Container) -> Result<bool, Error> {
    Ok(container.inspect()?.status == container::Status::Running)
}

fn command(words: &[&str]) -> ExecSpec {
    ExecSpec {
        command: words.iter().map(|word| (*word).to_owned()).collect(),
        env: Vec::new(),
        user: None,
        workdir: None,
    }
}

/// Returns a file with its path below BuildKit's directory, relative to `/etc`.
fn below_buildkit(file: File) -> File {
    File {
        path: format!("buildkit/{}", file.path),
        ..file
    }
}
