//! Records, locks and a simulated engine together.

use std::sync::Arc;

use iechor_engine::model::{ContainerSpec, VolumeSpec};
use iechor_engine::simulated::{Fault, SimulatedEngine};
use iechor_engine::{Engine, EngineError, ObjectKind};
use iechor_sandbox::ownership::Owner;
use iechor_sandbox::removal::Object;
use iechor_sandbox::report::NoLog;
use iechor_sandbox::{End, Ledger};
use tokio_util::sync::CancellationToken;

use super::{Place, Settled, adopt, remove_node, settle};
use crate::error::BuilderError;
use crate::ledger::{NodeLedger, Uses};
use crate::name::Name;
use crate::store::{NodeGroup, Progress, Purpose, Store};

const ENDPOINT: &str = "unix:///run/simulated.sock";

/// A store, and an engine in which operation `a1` of node `b0` created a volume and a container.
struct World {
    _directory: tempfile::TempDir,
    store: Store,
    uses: Arc<Uses>,
    cancel: CancellationToken,
    engine: SimulatedEngine,
}

impl World {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path().join("store"));
        let group = NodeGroup::new(&Name::parse("b").unwrap(), "d");
        store.lock().unwrap().save(&group).unwrap();
        let world = Self {
            _directory: directory,
            store,
            uses: Arc::default(),
            cancel: CancellationToken::new(),
            engine: SimulatedEngine::new(),
        };
        world.engine.add_image("image");
        world.create("a1", "").await;
        world
    }

    async fn create(&self, operation: &str, suffix: &str) {
        let owner = Owner {
            builder: "b".into(),
            node: "b0".into(),
            driver: "d".into(),
        };
        let labels = owner.labels(operation, []);
        let volume = VolumeSpec {
            name: format!("volume{suffix}"),
            labels: labels.clone(),
            ..VolumeSpec::default()
        };
        self.engine.create_volume(&volume).await.unwrap();
        let container = ContainerSpec {
            name: format!("container{suffix}"),
            image: "image".into(),
            labels,
            ..ContainerSpec::default()
        };
        self.engine.create_container(&container).await.unwrap();
    }

    /// The ledger of another process, which has locks of its own.
    fn ledger(&self) -> NodeLedger {
        NodeLedger::new(
            self.store.clone(),
            Purpose {
                builder: "b".into(),
                node: "b0".into(),
                endpoint: ENDPOINT.into(),
                driver: "d".into(),
                is_new: false,
            },
            Arc::new(self.store.node_lock("b", "b0", ENDPOINT).unwrap()),
            Arc::new(NoLog),
            None,
            CancellationToken::new(),
        )
    }

    /// Notes what `a1` creates, and ends without any further word.
    fn kill(&self) {
        let ledger = self.ledger();
        ledger.intend("a1", &volume()).unwrap();
        drop(ledger);
    }

    async fn settle(&self) -> Result<Settled, BuilderError> {
        let place = Place {
            store: &self.store,
            uses: &self.uses,
            cancel: &self.cancel,
        };
        let engine: Arc<dyn Engine> = Arc::new(self.engine.clone());
        let unfinished = self.store.unfinished_of("b").unwrap().remove(0);
        settle(place, Ok(engine), &unfinished, false).await
    }

    async fn objects(&self) -> Vec<String> {
        let mut names = Vec::new();
        for container in self.engine.list_containers(&[]).await.unwrap() {
            names.push(container.name);
        }
        for volume in self.engine.list_volumes(&[]).await.unwrap() {
            names.push(volume.name);
        }
        names
    }

    fn records(&self) -> Vec<Progress> {
        let found = self.store.unfinished().unwrap().into_iter();
        found.map(|record| record.progress).collect()
    }
}

fn volume() -> Object {
    Object {
        kind: ObjectKind::Volume,
        name: "volume".into(),
    }
}

fn down() -> EngineError {
    EngineError::Unreachable {
        endpoint: ENDPOINT.into(),
        reason: "connection refused".into(),
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_operation_left_is_removed_and_nothing_else() {
    let world = World::new().await;
    world.create("b2", "2").await;
    world.kill();
    // The container was created after the last word of the record.
    let Settled::Clean(gone) = world.settle().await.unwrap() else {
        panic!("not clean")
    };
    assert_eq!(gone.len(), 2);
    assert_eq!(world.objects().await, ["container2", "volume2"]);
    assert_eq!(world.records(), []);
}

#[tokio::test(start_paused = true)]
async fn what_another_process_uses_stays_until_it_takes_it_for_its_own() {
    let world = World::new().await;
    world.kill();
    let other = world.store.node_lock("b", "b0", ENDPOINT).unwrap();
    assert!(other.try_share().unwrap());
    assert!(matches!(world.settle().await.unwrap(), Settled::Busy));
    assert_eq!(world.objects().await.len(), 2);
    adopt(&world.store, "b", "b0", ENDPOINT).await.unwrap();
    assert_eq!(world.records(), []);
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_is_underway_is_left_alone() {
    let world = World::new().await;
    let ledger = world.ledger();
    ledger.intend("a1", &volume()).unwrap();
    assert_eq!(world.records(), [Progress::Underway]);
    assert_eq!(world.store.unfinished_of("b").unwrap(), []);
    adopt(&world.store, "b", "b0", ENDPOINT).await.unwrap();
    assert_eq!(world.records(), [Progress::Underway]);
    ledger.end("a1", End::Undone);
    assert_eq!(world.records(), []);
}

#[tokio::test(start_paused = true)]
async fn the_record_stays_while_anything_is_left() {
    for (fault, remnants) in [
        ("list_volumes", vec!["volume volume"]),
        ("remove_container", vec!["container container"]),
    ] {
        let world = World::new().await;
        world.kill();
        world.engine.set_fault_of(fault, Fault::Error(down()));
        let Settled::Left(left) = world.settle().await.unwrap() else {
            panic!("{fault}: not left")
        };
        let left: Vec<_> = left.iter().map(ToString::to_string).collect();
        assert_eq!(left, remnants, "{fault}");
        assert_eq!(world.records().len(), 1);
        world.engine.clear_faults();
        assert!(matches!(world.settle().await.unwrap(), Settled::Clean(_)));
        assert_eq!(world.objects().await, [""; 0]);
        assert_eq!(world.records(), []);
    }
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_leaves_the_record() {
    let world = World::new().await;
    world.kill();
    world.engine.set_fault_of("remove_", Fault::Hang);
    world.cancel.cancel();
    assert!(world.settle().await.unwrap_err().is_cancelled());
    assert_eq!(world.records(), [Progress::Interrupted]);
    let engine: Arc<dyn Engine> = Arc::new(world.engine.clone());
    let removed = remove_node(&engine, "b", "b0", false).await.unwrap();
    assert_eq!((removed.gone.len(), removed.left.len()), (0, 2));
}

/// Another process removes the builder while this one boots it.
#[tokio::test(start_paused = true)]
async fn a_success_without_a_builder_is_noted() {
    for is_removed in [false, true] {
        let world = World::new().await;
        let ledger = world.ledger();
        ledger.intend("a1", &volume()).unwrap();
        if is_removed {
            world.store.lock().unwrap().remove("b").unwrap();
        }
        ledger.end("a1", End::Succeeded);
        assert_eq!(world.records().len(), usize::from(is_removed));
    }
}
