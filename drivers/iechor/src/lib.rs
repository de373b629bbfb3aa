//! The driver `iechor`: the BuildKit inside the engine.
//!
//! It runs as long as the engine, so there is nothing to boot, stop or remove. Its features depend on where the
//! engine keeps images: in containerd, or in a store of its own that accepts only one platform at a time and no
//! OCI archives.

use iechor_driver::buildkit_session::{Client, Worker};
use iechor_driver::engine::{self, Hijack};
use iechor_driver::transport::Connection;
use iechor_driver::{
    BUILDKIT_FEATURES, Description, Driver, Error, Feature, Info, Node, Options, Status, capability,
};

/// Name of the exporter that writes results to the engine's images; the host looks for it.
const MOBY_EXPORTER: &str = "moby-exporter";

/// A worker with this label keeps images in containerd.
const SNAPSHOTTER: &str = "org.mobyproject.buildkit.worker.snapshotter";

/// Label in which a worker says how builds reach the engine's machine.
const HOST_GATEWAY: &str = "org.mobyproject.buildkit.worker.moby.host-gateway-ip";

struct EngineBuildKit;

iechor_driver::register!(EngineBuildKit);

impl Driver for EngineBuildKit {
    fn describe() -> Description {
        Description::new(
            "iechor",
            env!("CARGO_PKG_VERSION"),
            "The BuildKit that lives in the engine",
        )
        .vendor("iechor")
        .license(env!("CARGO_PKG_LICENSE"))
        .single_node()
        .capability(
            capability::required("engine.open", "builds run in the engine itself")
                .within(["control"]),
        )
        .capability(capability::optional(
            "engine.load",
            "results are the engine's own images, also where no output is named",
        ))
    }

    fn open(node: Node, options: &mut Options) -> Self {
        if !node.buildkitd_flags.is_empty() {
            options.refuse_node("the engine's BuildKit takes no flags of a builder");
        }
        if !node.files.is_empty() {
            options.refuse_node(
                "the engine's BuildKit is configured with the engine, in daemon.json, not with a \
                 file of the builder",
            );
        }
        Self
    }

    fn info(&self) -> Result<Info, Error> {
        let engine = engine::inspect()?;
        let run = engine.extra.into_iter().find(|(name, _)| name == "run");
        Ok(Info {
            run: run.map(|(_, run)| run),
            ..Status::Running.into()
        })
    }

    fn boot(&self) -> Result<(), Error> {
        if workers()?.is_empty() {
            let reason = "the engine's BuildKit has no worker: it cannot build";
            return Err(Error::Unavailable(reason.into()));
        }
        Ok(())
    }

    fn dial(&self) -> Result<Connection, Error> {
        engine::open(&Hijack::Control)
    }

    fn version(&self) -> Result<String, Error> {
        let said = Client::open(self.dial()?)?.version()?.version;
        if !said.is_empty() {
            return Ok(said);
        }
        Ok(before_it_could_say(&engine::inspect()?.version))
    }

    fn features(&self) -> Result<Vec<Feature>, Error> {
        let in_containerd = workers()?
            .iter()
            .any(|worker| has_label(worker, SNAPSHOTTER));
        let mut features = vec![
            Feature::DefaultLoad,
            Feature::Other(MOBY_EXPORTER.to_owned()),
        ];
        if in_containerd {
            features.extend_from_slice(BUILDKIT_FEATURES);
            features.push(Feature::PreferImageDigest);
        }
        Ok(features)
    }

    fn host_gateway(&self) -> Result<String, Error> {
        workers()?
            .into_iter()
            .flat_map(|worker| worker.labels)
            .find(|(name, _)| name == HOST_GATEWAY)
            .map(|(_, address)| address)
            .ok_or_else(|| {
                Error::Unsupported(
                    "this engine does not say at what address builds reach it".into(),
                )
            })
    }
}

fn workers() -> Result<Vec<Worker>, Error> {
    Client::open(engine::open(&Hijack::Control)?)?.workers()
}

fn has_label(worker: &Worker, label: &str) -> bool {
    worker.labels.iter().any(|(name, _)| name == label)
}

/// Returns the version of BuildKit in an engine that does not report it, if the engine's version implies it.
fn before_it_could_say(engine: &str) -> String {
    if engine.starts_with("20.10.") {
        "v0.8+unknown".into()
    } else if engine.starts_with("23.0.") {
        "v0.10+unknown".into()
    } else {
        engine.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use iechor_driver::{Config, testing};

    #[test]
    fn it_is_sound() {
        testing::assert_sound::<EngineBuildKit>();
    }

    #[test]
    fn what_is_configured_with_the_engine_is_refused() {
        let config = Config {
            buildkitd_flags: vec!["--debug".into()],
            ..testing::config(&[])
        };
        let issues = testing::open_config::<EngineBuildKit>(config).err();
        assert_eq!(issues.expect("it is refused").len(), 1);
        assert!(testing::open::<EngineBuildKit>(&[]).is_ok());
    }

    #[test]
    fn old_engines_have_the_buildkit_of_their_time() {
        assert_eq!(before_it_could_say("20.10.24+dfsg1"), "v0.8+unknown");
        assert_eq!(before_it_could_say("23.0.6"), "v0.10+unknown");
        assert_eq!(before_it_could_say("5.4.0"), "5.4.0");
    }
}
