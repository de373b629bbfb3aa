//! What becomes of objects when an operation fails: undone at the same time, within the deadline, and
//! nothing of it both left over and unknown.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use iechor_engine::model::ContainerSpec;
use iechor_engine::simulated::Fault;
use iechor_engine::{Engine, EngineError};
use iechor_sandbox::removal::Object;
use iechor_sandbox::{End, Ledger, limits};

use crate::support::{CONTAINER, Nodes, Stage, VOLUME, bounded, guest, load, stage};

/// A ledger in memory, as text.
#[derive(Default)]
struct Notes {
    lines: Mutex<Vec<String>>,
    is_full: bool,
    is_in_use: bool,
}

impl Notes {
    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    fn push(&self, line: String) {
        self.lines.lock().unwrap().push(line);
    }
}

#[async_trait]
impl Ledger for Notes {
    fn intend(&self, _: &str, object: &Object) -> Result<(), String> {
        if self.is_full {
            return Err("no space left on device".into());
        }
        self.push(format!("creates {object}"));
        Ok(())
    }

    async fn may_undo(&self, _: &str) -> bool {
        !self.is_in_use
    }

    fn end(&self, _: &str, end: End<'_>) {
        self.push(match end {
            End::Succeeded => "succeeded".into(),
            End::Undone => "undone".into(),
            End::Left(left) => {
                let left: Vec<_> = left.iter().map(|left| left.object.to_string()).collect();
                format!("left {}", left.join(", "))
            }
            End::InUse => "in use".into(),
        });
    }
}

/// A stage with that ledger.
fn noting(notes: Notes) -> (Stage, Arc<Notes>) {
    let notes = Arc::new(notes);
    let bench = Stage {
        ledger: Arc::clone(&notes) as Arc<dyn Ledger>,
        ..stage()
    };
    (bench, notes)
}

/// Boots the guest with that behaviour; the boot has to fail.
async fn fail(bench: &Stage, behaviour: &str) {
    let driver = load(guest()).await;
    let node = bench.with_options(&driver, &[("behave", behaviour)]).await;
    bounded(node.boot()).await.unwrap_err();
}

fn slow_removals(bench: &Stage, time: Duration) {
    bench.engine.set_fault_of("remove_", Fault::Delay(time));
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_takes_long_for_each_removal_takes_as_long_for_all() {
    let (bench, notes) = noting(Notes::default());
    slow_removals(&bench, Duration::from_secs(12));
    fail(&bench, "create four and fail").await;
    assert_eq!(bench.objects().await, [""; 0]);
    let lines = notes.lines();
    assert_eq!(lines.len(), 6, "{lines:?}");
    assert_eq!(lines[0], format!("creates volume {VOLUME}"));
    assert_eq!(lines[5], "undone");
}

#[tokio::test(start_paused = true)]
async fn what_is_left_when_the_time_ends_is_noted() {
    let (bench, notes) = noting(Notes::default());
    slow_removals(&bench, limits::UNDO * 2);
    fail(&bench, "create four and fail").await;
    let left = bench.objects().await;
    assert_eq!(left.len(), 5, "{left:?}");
    let lines = notes.lines();
    let last = lines.last().unwrap();
    let logged = bench.watcher.logged();
    for object in left {
        assert!(last.contains(&object), "{object} is not in {last}");
        let said = format!("{object} may be left behind");
        assert!(logged.iter().any(|line| line.contains(&said)), "{logged:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_does_not_go_does_not_keep_the_others() {
    let (bench, notes) = noting(Notes::default());
    let second = format!("{CONTAINER}..2");
    bench
        .engine
        .set_fault_of(&format!("remove_container {second}"), Fault::Hang);
    fail(&bench, "create four and fail").await;
    assert_eq!(bench.objects().await, [format!("container {second}")]);
    let lines = notes.lines();
    assert_eq!(lines.last().unwrap(), &format!("left container {second}"));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_created_that_is_not_noted() {
    let (bench, _) = noting(Notes {
        is_full: true,
        ..Notes::default()
    });
    fail(&bench, "create and succeed").await;
    assert_eq!(bench.objects().await, [""; 0]);
    bench.assert_no_creations();
}

#[tokio::test(start_paused = true)]
async fn what_another_process_uses_is_not_undone() {
    let (bench, notes) = noting(Notes {
        is_in_use: true,
        ..Notes::default()
    });
    fail(&bench, "create and fail").await;
    assert_eq!(bench.objects().await.len(), 2);
    assert_eq!(notes.lines().last().unwrap(), "in use");
}

#[tokio::test(start_paused = true)]
async fn a_success_is_noted() {
    let (bench, notes) = noting(Notes::default());
    let driver = load(guest()).await;
    let node = bench
        .with_options(&driver, &[("behave", "create and succeed")])
        .await;
    node.boot().await.unwrap();
    assert_eq!(notes.lines().last().unwrap(), "succeeded");
}

/// Refuses the first removals of a container with a conflict, and carries the later ones out.
#[tokio::test(start_paused = true)]
async fn a_removal_that_is_underway_is_waited_for() {
    let (bench, notes) = noting(Notes::default());
    let conflict = EngineError::Conflict("removal of the container is already in progress".into());
    bench
        .engine
        .set_fault_of("remove_container", Fault::Error(conflict));
    let engine = bench.engine.clone();
    let later = async {
        while !engine
            .journal()
            .iter()
            .any(|line| line.starts_with("remove_container"))
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
        engine.clear_faults();
    };
    tokio::join!(fail(&bench, "create and fail"), later);
    assert_eq!(bench.objects().await, [""; 0]);
    assert_eq!(notes.lines().last().unwrap(), "undone");
}

#[tokio::test(start_paused = true)]
async fn an_object_whose_creation_was_not_answered_is_looked_for_again() {
    let (bench, notes) = noting(Notes::default());
    let lost = EngineError::Unreachable {
        endpoint: "unix:///run/simulated.sock".into(),
        reason: "connection reset".into(),
    };
    bench
        .engine
        .set_fault_of("create_container", Fault::Error(lost));
    let engine = bench.engine.clone();
    // The engine carries the request out although the connection broke.
    let late = async {
        while !engine
            .journal()
            .iter()
            .any(|line| line.starts_with(&format!("inspect_container {CONTAINER}")))
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        engine.clear_faults();
        let journal = engine.journal();
        let volume = engine.inspect_volume(VOLUME).await.unwrap();
        let labels = volume.expect("not removed yet").labels;
        let spec = ContainerSpec {
            name: CONTAINER.into(),
            image: "image".into(),
            labels,
            ..ContainerSpec::default()
        };
        engine.create_container(&spec).await.unwrap();
        drop(journal);
    };
    tokio::join!(fail(&bench, "create and fail"), late);
    assert_eq!(bench.objects().await, [""; 0]);
    assert_eq!(notes.lines().last().unwrap(), "undone");
}
