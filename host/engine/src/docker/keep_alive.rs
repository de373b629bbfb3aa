//! Detection of connections whose other side vanished.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;

/// Interval of probes of a silent TCP connection. They keep it open in firewalls, and detect that
/// the peer has gone.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Has the system probe a silent connection, see [`KEEPALIVE`].
pub(super) fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    use rustix::net::sockopt;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, KEEPALIVE)?;
    sockopt::set_tcp_keepintvl(stream, KEEPALIVE)?;
    Ok(())
}
