//! How the host reaches BuildKit: directly, or through the engine.

use iechor_driver::container::{self, Container, ExecSpec, Spec};
use iechor_driver::transport::Connection;
use iechor_driver::{Error, describe_error, direct, log};

use crate::settings::{Settings, Transport};

/// Creates a container, with a socket for a direct connection if the settings want one. If that is impossible, and
/// the settings leave the choice, writes this to the log.
pub fn create(spec: &Spec, settings: &Settings) -> Result<Container, Error> {
    let obstacle = match settings.transport {
        Transport::Exec => return Container::create(spec),
        Transport::Direct => return direct::create(spec),
        Transport::Auto => direct::obstacle()?,
    };
    let obstacle = match obstacle {
        Some(obstacle) => obstacle,
        None => match direct::create(spec) {
            Err(Error::Unsupported(why)) => why,
            Err(Error::Denied(denial)) if denial.capability == "direct.connect" => {
                format!("{} is not granted", denial.capability)
            }
            created => return created,
        },
    };
    note(&format!(
        "BuildKit is reached through the engine: {obstacle}"
    ));
    Container::create(spec)
}

/// Connects to the BuildKit that runs in `container`.
pub fn dial(container: &Container, transport: Transport) -> Result<Connection, Error> {
    let connected = match transport {
        Transport::Exec => return exec(container),
        // The kernel accepts connections to the socket of a paused container, and nobody answers.
        Transport::Auto | Transport::Direct => match container.inspect() {
            Ok(seen) if seen.status == container::Status::Running => direct::dial(container),
            Ok(_) | Err(Error::NotFound(_)) => return Err(Error::NotRunning),
            Err(error) => return Err(error),
        },
    };
    match connected {
        Ok(connection) => Ok(connection),
        Err(error @ (Error::Cancelled | Error::Timeout | Error::LimitExceeded(_))) => Err(error),
        Err(Error::Unsupported(why)) if transport == Transport::Direct => {
            Err(Error::Unsupported(format!(
                "{why}; remove the builder with its state kept, and create it again, or set \
                 transport=auto"
            )))
        }
        Err(error) if transport == Transport::Direct => Err(error),
        Err(error) => {
            // Containers of older versions and of docker buildx have no socket.
            if !matches!(error, Error::Unsupported(_)) {
                note(&format!(
                    "no direct connection, using the engine: {}",
                    describe_error(&error)
                ));
            }
            exec(container)
        }
    }
}

fn exec(container: &Container) -> Result<Connection, Error> {
    match container.dial(&ExecSpec::new(["buildctl", "dial-stdio"]), None) {
        Err(Error::Conflict(_) | Error::NotFound(_)) => Err(Error::NotRunning),
        other => other,
    }
}

fn note(message: &str) {
    log::write(log::Level::Debug, message, &[]);
}
