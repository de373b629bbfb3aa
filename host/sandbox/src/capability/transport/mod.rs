//! Byte connections.

use std::fmt::Display;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use iechor_engine::BoxByteStream;
use iechor_engine::known::{FileIdentity, KnownEngine, KnownEngines};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use wasmtime::component::Resource;

mod tls;

use self::tls::{Refused, Terms};
use super::Interface;
use super::check_path;
use super::log;
use crate::bindings::HostError;
use crate::bindings::contract::Error;
use crate::bindings::iechor::driver::transport;
use crate::declaration::{Capability, Function, Needs, Subject};
use crate::denial::Denial;
use crate::files::OptionFiles;
use crate::handle::{Handle, Handles};
use crate::limits;
use crate::operation::{Host, Operation, Setup};
use crate::report::{Dialer, LocalSocket, LogLevel};
use crate::text::clean_line;
use wasmtime::component::HasSelf;

const GRANTS: &[Capability] = &[
    Capability {
        name: "transport.tcp",
        subject: "host:port",
        kind: Subject::Address,
        endpoint: Some("tcp://"),
        includes: None,
        high_risk: true,
        means: "the driver can connect to these addresses from this machine; the service there sees the builds that are sent to it",
    },
    Capability {
        name: "transport.local",
        subject: "the socket's path",
        kind: Subject::Path,
        endpoint: Some("unix://"),
        includes: None,
        high_risk: true,
        means: "the driver can connect to these sockets as you; the service there sees the builds that are sent to it",
    },
    Capability {
        name: "transport.bytes",
        subject: "what the connection leads to",
        kind: Subject::Other,
        endpoint: None,
        includes: None,
        high_risk: true,
        means: "the driver can use BuildKit itself: it can run builds and read the results of other builds",
    },
];

const FUNCTIONS: &[Function] = &[
    Function::new("transport.dial-tcp", Needs::Grant("transport.tcp")),
    Function::new("transport.dial-local", Needs::Grant("transport.local")),
    Function::new("connection.read", Needs::Grant("transport.bytes")),
    Function::new("connection.write", Needs::Grant("transport.bytes")),
    Function::new("connection.finish", Needs::Grant("transport.bytes")),
];

/// Byte connections, as a capability.
pub(super) const INTERFACE: Interface = Interface {
    name: "transport",
    of_engine: false,
    grants: GRANTS,
    functions: FUNCTIONS,
    kept: &[("connection", |entry| entry.is::<Connection>())],
    context: |setup, contexts| contexts.add(Context::of(setup)),
    link: transport::add_to_linker::<Host, HasSelf<Host>>,
};

/// What making connections needs of an operation.
struct Context {
    dialer: Arc<dyn Dialer>,
    /// Engines that no driver is connected to.
    engines: Arc<KnownEngines>,
    /// The files for TLS, by the names of options.
    files: OptionFiles,
}

impl Context {
    fn of(setup: &Setup<'_>) -> Self {
        Self {
            dialer: Arc::clone(&setup.context.dialer),
            engines: Arc::clone(&setup.context.engines),
            files: setup.files.of_options.clone(),
        }
    }
}

/// One end of a two-way byte stream.
pub struct Connection {
    pub(crate) stream: BoxByteStream,
    /// The other end, as a subject of `transport.bytes`.
    leads_to: String,
    /// The last line of the command's stderr, where the stream is a command's.
    pub(crate) stderr: Arc<Mutex<String>>,
    /// Why the other side turned this one away, where it did after the connection was made.
    pub(crate) refusal: Arc<OnceLock<String>>,
}

impl Handle for transport::Connection {
    type State = Connection;
}

impl Connection {
    pub(crate) fn new(stream: BoxByteStream, leads_to: String) -> Self {
        Self {
            stream,
            leads_to,
            stderr: Arc::default(),
            refusal: Arc::default(),
        }
    }

    /// Writes the standard error of the command behind the stream to the log, and keeps its last line to
    /// explain why the stream ended.
    pub(crate) fn with_stderr(
        stream: BoxByteStream,
        leads_to: String,
        operation: Arc<Operation>,
        mut stderr: mpsc::Receiver<Bytes>,
    ) -> Self {
        let connection = Self::new(stream, leads_to);
        let last = Arc::clone(&connection.stderr);
        tokio::spawn(async move {
            while let Some(data) = stderr.recv().await {
                for line in String::from_utf8_lossy(&data).lines() {
                    let line = clean_line(line, limits::LINE);
                    if line.is_empty() || !operation.spend_output(line.len()) {
                        continue;
                    }
                    log::write(&operation, LogLevel::Debug, &line);
                    *last.lock().unwrap_or_else(PoisonError::into_inner) = line;
                }
            }
        });
        connection
    }
}

impl transport::Host for Host {
    async fn dial_tcp(
        &mut self,
        host: String,
        port: u16,
        tls: Option<transport::Tls>,
    ) -> Result<Resource<transport::Connection>, HostError> {
        let operation = self.called_with("transport.dial-tcp", |line, _| {
            line.word(&host)
                .word(&port.to_string())
                .flag("tls", tls.is_some());
        });
        let Context {
            dialer,
            engines,
            files,
        } = operation.context();
        let address = if host.contains(':') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        };
        if host.len() > limits::HOST_NAME {
            return Err(HostError::limit(format!(
                "the name of a host has {} bytes, and may have {}",
                host.len(),
                limits::HOST_NAME
            )));
        }
        operation.grants.check("transport.tcp", &address)?;
        let terms = tls
            .map(|tls| Terms::new(files, &host, &address, tls))
            .transpose()
            .map_err(HostError::invalid)?;
        let failed = |error: io::Error| unavailable(&address, &error);
        let connecting = async {
            // Once: asked again, the name could stand for what was not compared.
            let addresses = dialer.resolve(&host, port).await.map_err(failed)?;
            if let Some(engine) = engines.at_addresses(&host, &addresses).await {
                return Err(refusal("transport.tcp", &address, engine));
            }
            let stream = dialer.tcp(&host, &addresses).await.map_err(failed)?;
            let leads_to = format!("tcp://{address}");
            let Some(terms) = terms else {
                return Ok(Connection::new(stream, leads_to));
            };
            let stream = terms.begin(stream).await.map_err(failed)?;
            let refusal = stream.refusal();
            Ok(Connection {
                refusal,
                ..Connection::new(Box::new(stream), leads_to)
            })
        };
        let connection = tokio::time::timeout(limits::CONNECT, connecting)
            .await
            .unwrap_or_else(|_| Err(failed(io::ErrorKind::TimedOut.into())))?;
        Ok(self.table.keep(connection)?)
    }

    async fn dial_local(
        &mut self,
        path: String,
    ) -> Result<Resource<transport::Connection>, HostError> {
        let operation = self.called_with("transport.dial-local", |line, _| {
            line.word(&path);
        });
        let Context {
            dialer, engines, ..
        } = operation.context();
        check_path(&path)?;
        operation.grants.check("transport.local", &path)?;
        // What is compared is what is connected to, whatever the path leads to by then.
        let socket = LocalSocket::find(&path).await;
        let at_engine = |path: &Path, identity| {
            engines.at_socket(path, identity).map_or(Ok(()), |engine| {
                Err(refusal("transport.local", &path.display(), engine))
            })
        };
        at_engine(Path::new(&path), socket.identity())?;
        // A symbolic link is no other name for what is forbidden.
        if let Some(real) = socket.real().and_then(Path::to_str) {
            operation.grants.check_policy("transport.local", real)?;
        }
        let connected = dialer
            .local(socket)
            .await
            .map_err(|error| unavailable(&path, &error))?;
        // Before a byte passes: some file systems show a socket as another file than it is.
        if let Some(path) = connected.listens_at {
            at_engine(&path, FileIdentity::of(&path))?;
        }
        let leads_to = format!("unix://{path}");
        Ok(self
            .table
            .keep(Connection::new(connected.stream, leads_to))?)
    }
}

/// Refuses a connection to an engine, whatever was granted: with it a driver would need no other capability.
fn refusal(capability: &str, address: &dyn Display, engine: &KnownEngine) -> HostError {
    Denial::impossible(
        capability,
        format!("{address} is the engine itself, {engine}, which no driver may speak to"),
    )
    .into()
}

impl Host {
    /// Returns the stream of a connection whose bytes the driver may see. With BuildKit's protocol it could run
    /// builds and read what others built; a driver that only passes connections on need not.
    fn bytes(
        &mut self,
        operation: &Operation,
        connection: &Resource<transport::Connection>,
    ) -> Result<&mut BoxByteStream, HostError> {
        let connection = self.table.state_mut(connection)?;
        operation
            .grants
            .check("transport.bytes", &connection.leads_to)?;
        Ok(&mut connection.stream)
    }
}

impl transport::HostConnection for Host {
    async fn read(
        &mut self,
        connection: Resource<transport::Connection>,
        max: u32,
    ) -> Result<Option<Vec<u8>>, HostError> {
        let operation = self.called_with("connection.read", |line, _| {
            line.field("max", max);
        });
        let stream = self.bytes(&operation, &connection)?;
        let mut buffer = vec![0; (max as usize).clamp(1, limits::READ_BYTES)];
        let read = stream
            .read(&mut buffer)
            .await
            .map_err(|error| broken(&error))?;
        buffer.truncate(read);
        Ok((read > 0).then_some(buffer))
    }

    async fn write(
        &mut self,
        connection: Resource<transport::Connection>,
        data: Vec<u8>,
    ) -> Result<(), HostError> {
        let operation = self.called_with("connection.write", |line, _| {
            line.field("bytes", data.len());
        });
        let stream = self.bytes(&operation, &connection)?;
        stream
            .write_all(&data)
            .await
            .map_err(|error| broken(&error))?;
        stream.flush().await.map_err(|error| broken(&error))
    }

    async fn finish(
        &mut self,
        connection: Resource<transport::Connection>,
    ) -> Result<(), HostError> {
        let operation = self.called("connection.finish");
        let stream = self.bytes(&operation, &connection)?;
        stream.shutdown().await.map_err(|error| broken(&error))
    }

    async fn drop(&mut self, connection: Resource<transport::Connection>) -> wasmtime::Result<()> {
        self.table.release(connection)?;
        Ok(())
    }
}

/// Returns why there is no connection.
fn unavailable(address: &str, error: &io::Error) -> HostError {
    HostError::Answer(match error.kind() {
        // That will not be otherwise later.
        _ if Refused::caused(error) => Error::Other(error.to_string()),
        io::ErrorKind::TimedOut => Error::Unavailable(format!(
            "cannot connect to {address}: nobody answered within {} s; check the address, and \
             firewalls on the way",
            limits::CONNECT.as_secs()
        )),
        io::ErrorKind::PermissionDenied => Error::Other(format!(
            "cannot connect to {address}: this user may not use it; join the group that owns it"
        )),
        _ => Error::Unavailable(format!("cannot connect to {address}: {error}")),
    })
}

fn broken(error: &io::Error) -> HostError {
    HostError::Answer(Error::Unavailable(format!("the connection broke: {error}")))
}
