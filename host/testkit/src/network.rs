//! Machines that a driver reaches over the network, in memory.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use iechor_engine::BoxByteStream;
use iechor_sandbox::{Dialer, LocalConnection, LocalSocket};

use crate::buildkit::FakeBuildKit;

/// What happens to a dialled connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DialFault {
    /// It is refused.
    Refused,
    /// Nobody ever answers.
    Hang,
}

/// A network in which a BuildKit listens at every address, with TLS and without: which of them a
/// driver may dial is decided by its grants.
pub struct SimulatedNetwork {
    buildkit: Arc<FakeBuildKit>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    dialled: Vec<String>,
    fault: Option<(u64, DialFault)>,
}

impl SimulatedNetwork {
    /// Returns a network where this daemon listens.
    pub fn new(buildkit: Arc<FakeBuildKit>) -> Self {
        Self {
            buildkit,
            state: Mutex::default(),
        }
    }

    /// Returns the addresses that were dialled, in order.
    pub fn dialled(&self) -> Vec<String> {
        self.state().dialled.clone()
    }

    /// Returns how many connections were dialled.
    pub fn calls(&self) -> u64 {
        self.state().dialled.len() as u64
    }

    /// Sets what happens to the connection of that number, counted from 1; 0 is every one.
    pub fn set_fault(&self, call: u64, fault: DialFault) {
        self.state().fault = Some((call, fault));
    }

    /// Forgets all faults.
    pub fn clear_faults(&self) {
        self.state().fault = None;
    }

    async fn dial(
        &self,
        address: String,
        connect: impl FnOnce(&Arc<FakeBuildKit>) -> BoxByteStream,
    ) -> io::Result<BoxByteStream> {
        let fault = {
            let mut state = self.state();
            state.dialled.push(address);
            let number = state.dialled.len() as u64;
            state
                .fault
                .filter(|(call, _)| *call == 0 || *call == number)
                .map(|(_, fault)| fault)
        };
        // A connection takes time, in which whoever wants it may change their mind.
        tokio::task::yield_now().await;
        match fault {
            Some(DialFault::Refused) => Err(io::ErrorKind::ConnectionRefused.into()),
            Some(DialFault::Hang) => std::future::pending().await,
            None => Ok(connect(&self.buildkit)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where names lead that are no addresses themselves: to an address for documentation (RFC 5737),
/// which is nobody's.
const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

#[async_trait]
impl Dialer for SimulatedNetwork {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let address = match host {
            "localhost" => Ipv4Addr::LOCALHOST.into(),
            _ => host.parse().unwrap_or(NOWHERE),
        };
        Ok(vec![SocketAddr::new(address, port)])
    }

    async fn tcp(&self, host: &str, addresses: &[SocketAddr]) -> io::Result<BoxByteStream> {
        let port = addresses.first().map_or(0, SocketAddr::port);
        self.dial(format!("tcp://{host}:{port}"), |buildkit| {
            buildkit.connection_at(host)
        })
        .await
    }

    async fn local(&self, socket: LocalSocket) -> io::Result<LocalConnection> {
        let address = format!("unix://{}", socket.path());
        let stream = self.dial(address, FakeBuildKit::connection).await?;
        Ok(LocalConnection {
            stream,
            listens_at: None,
        })
    }
}
