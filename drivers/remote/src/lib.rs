//! The driver `remote`: a BuildKit that is managed elsewhere, at a TCP port (with TLS if certificates are given)
//! or a Unix socket.
//!
//! Nothing is created, started or removed: the boot waits until BuildKit answers.

mod endpoint;

use std::time::Duration;

use endpoint::Endpoint;
use iechor_driver::buildkit_session::Client;
use iechor_driver::transport::{self, Connection, Tls};
use iechor_driver::{
    BUILDKIT_FEATURES, Description, Driver, Error, Feature, Info, Node, Options, Status, Unready,
    capability, describe_error, step, wait_for_buildkit,
};

/// Time that `boot` waits for an answer; docker buildx waits as long.
const PATIENCE: Duration = Duration::from_secs(20);

struct Remote {
    /// The endpoint as the user wrote it.
    name: String,
    /// `None` only if the configuration was refused.
    endpoint: Option<Endpoint>,
    tls: Option<Tls>,
    default_load: bool,
}

iechor_driver::register!(Remote);

impl Driver for Remote {
    fn describe() -> Description {
        let own = "BuildKit is at the endpoint that the builder was created with";
        Description::new(
            "remote",
            env!("CARGO_PKG_VERSION"),
            "A BuildKit that runs already, at tcp://HOST:PORT or unix:///PATH",
        )
        .vendor("iechor")
        .license(env!("CARGO_PKG_LICENSE"))
        .capability(capability::optional("transport.tcp", own).within(["endpoint"]))
        .capability(capability::optional("transport.local", own).within(["endpoint"]))
        .capability(capability::optional(
            "engine.load",
            "the option default-load loads results into the engine",
        ))
    }

    fn priority(endpoint: &str) -> Option<u32> {
        endpoint::is_one(endpoint).then_some(20)
    }

    fn open(node: Node, options: &mut Options) -> Self {
        let ca = options
            .file(
                "cacert",
                "Certificate of the authority to trust (default: the system's)",
            )
            .optional();
        let cert = options
            .file("cert", "Certificate of this side; needs key")
            .optional();
        let key = options.file("key", "Key of the certificate").optional();
        let server_name = options
            .text(
                "servername",
                "Name that the daemon's certificate is for (default: the endpoint's host)",
            )
            .empty_is_absent()
            .optional();
        let default_load = options
            .boolean(
                "default-load",
                "Load results into the engine unless another output is asked for",
            )
            .default("false");

        let endpoint = Endpoint::parse(&node.endpoint)
            .map_err(|reason| options.refuse_node(reason))
            .ok();
        for (given, missing) in [("cert", "key"), ("key", "cert")] {
            if options.is_given(given) && !options.is_given(missing) {
                options.refuse(given, format!("it needs the option {missing} beside it"));
            }
        }
        if let Some(Endpoint::Unix(_)) = endpoint {
            for name in ["cacert", "cert", "key", "servername"] {
                if options.is_given(name) {
                    options.refuse(name, "a Unix socket is used without TLS; leave it out");
                }
            }
        }
        if !node.buildkitd_flags.is_empty() {
            options.refuse_node(
                "buildkitd runs already: its flags are set where it is started, not here",
            );
        }
        if !node.files.is_empty() {
            options.refuse_node(
                "buildkitd runs already: its configuration file is read where it is started, \
                 not here",
            );
        }
        let with_tls = [&ca, &cert, &key, &server_name].iter().any(|o| o.is_some());
        Self {
            name: node.endpoint,
            endpoint,
            tls: with_tls.then_some(Tls {
                server_name,
                ca,
                cert,
                key,
            }),
            default_load,
        }
    }

    fn info(&self) -> Result<Info, Error> {
        let workers = self
            .dial()
            .and_then(Client::open)
            .and_then(|client| client.workers());
        match workers {
            Ok(workers) if workers.is_empty() => Ok(Status::Starting.into()),
            Ok(_) => Ok(Status::Running.into()),
            Err(Error::Unavailable(_)) => Ok(Status::Inactive.into()),
            Err(error) => Err(error),
        }
    }

    fn boot(&self) -> Result<(), Error> {
        step(&format!("waiting for BuildKit at {}", self.name), |_| {
            let waited = wait_for_buildkit(PATIENCE, || self.dial(), || Ok(()));
            waited.map_err(|unready| match unready {
                Unready::Over(error) => error,
                Unready::Late(error) => Error::Unavailable(format!(
                    "BuildKit at {} did not answer within {} s: {}; is it running, and is that \
                     where it listens?",
                    self.name,
                    PATIENCE.as_secs(),
                    describe_error(&error)
                )),
            })
        })
    }

    fn dial(&self) -> Result<Connection, Error> {
        // If BuildKit does not answer, `unavailable` with the reason: this driver cannot boot it.
        match &self.endpoint {
            Some(Endpoint::Tcp { host, port }) => {
                transport::dial_tcp(host, *port, self.tls.as_ref())
            }
            Some(Endpoint::Unix(path)) => transport::dial_local(path),
            None => Err(Error::NotRunning),
        }
    }

    fn features(&self) -> Result<Vec<Feature>, Error> {
        let mut features = BUILDKIT_FEATURES.to_vec();
        features.extend(self.default_load.then_some(Feature::DefaultLoad));
        Ok(features)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use iechor_driver::{Config, testing};

    fn config(endpoint: &str, options: &[(&str, &str)]) -> Config {
        Config {
            endpoint: endpoint.into(),
            ..testing::config(options)
        }
    }

    fn faults(config: Config) -> Vec<String> {
        let issues = testing::open_config::<Remote>(config).err();
        issues
            .expect("it is refused")
            .into_iter()
            .map(|issue| format!("{}: {}", issue.subject.unwrap_or_default(), issue.message))
            .collect()
    }

    #[test]
    fn it_is_sound() {
        testing::assert_sound::<Remote>();
    }

    #[test]
    fn any_word_about_certificates_means_tls() {
        let plain = testing::open_config::<Remote>(config("tcp://b:1234", &[])).expect("right");
        assert!(plain.tls.is_none() && !plain.default_load);
        for name in ["cacert", "servername"] {
            let config = config("tcp://b:1234", &[(name, name), ("default-load", "true")]);
            let remote = testing::open_config::<Remote>(config).expect("right");
            assert!(remote.tls.is_some() && remote.default_load, "{name}");
        }
    }

    #[test]
    fn what_does_not_go_together_is_named() {
        assert_eq!(
            faults(config("tcp://b:1234", &[("cert", "cert")])),
            ["cert: it needs the option key beside it"]
        );
        assert_eq!(
            faults(config("unix:///run/b.sock", &[("servername", "b")])),
            ["servername: a Unix socket is used without TLS; leave it out"]
        );
        let mut flags = config("unix:///run/b.sock", &[]);
        flags.buildkitd_flags.push("--debug".into());
        assert!(faults(flags)[0].contains("its flags are set where it is started"));
    }
}
