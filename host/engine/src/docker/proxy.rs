//! The proxy to an engine at a TCP port, which `HTTP_PROXY`, or `HTTPS_PROXY` for TLS, names unless
//! `NO_PROXY` excludes the engine. Engines on this machine are accessed without a proxy, as the
//! Docker CLI does.
//!
//! Every connection is a tunnel (`CONNECT`): a connection that is taken over for BuildKit does not
//! pass a proxy otherwise.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{HOST, HeaderValue, PROXY_AUTHORIZATION};
use http::{Method, Request, Uri};
use http_body_util::Empty;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::keep_alive::keep_alive;
use super::tls;
use crate::endpoint::Tls;
use crate::stream::BoxByteStream;

/// A proxy.
pub(super) struct Proxy {
    address: Uri,
    login: Option<HeaderValue>,
}

impl Proxy {
    /// Returns the proxy that the environment names for an engine; `None` for a direct connection.
    pub(super) fn from_environment(host: &str, authority: &str, is_tls: bool) -> Option<Self> {
        Self::matching(&Matcher::from_env(), host, authority, is_tls)
    }

    fn matching(matcher: &Matcher, host: &str, authority: &str, is_tls: bool) -> Option<Self> {
        let is_here = host.eq_ignore_ascii_case("localhost")
            || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        if is_here {
            return None;
        }
        let scheme = if is_tls { "https" } else { "http" };
        let target: Uri = format!("{scheme}://{authority}/").parse().ok()?;
        let found = matcher.intercept(&target)?;
        Some(Self {
            address: found.uri().clone(),
            login: found.basic_auth().cloned(),
        })
    }

    /// Opens a tunnel to `authority` (`HOST:PORT`).
    ///
    /// # Errors
    ///
    /// Why the proxy cannot be reached, or what it answered. The error names the proxy.
    pub(super) async fn tunnel(&self, authority: &str) -> io::Result<BoxByteStream> {
        self.open(authority).await.map_err(|reason| {
            io::Error::other(format!("through the proxy {}: {reason}", self.name()))
        })
    }

    /// Returns the address without a login.
    fn name(&self) -> String {
        let scheme = self.address.scheme_str().unwrap_or("http");
        let host = self.address.host().unwrap_or_default();
        match self.address.port() {
            Some(port) => format!("{scheme}://{host}:{port}"),
            None => format!("{scheme}://{host}"),
        }
    }

    async fn open(&self, authority: &str) -> Result<BoxByteStream, String> {
        let io = self.connect().await?;
        let said = |e: hyper::Error| e.to_string();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(io))
            .await
            .map_err(said)?;
        // This task ends when the tunnel is taken out.
        tokio::spawn(connection.with_upgrades());
        let mut request = Request::builder()
            .method(Method::CONNECT)
            .uri(authority)
            .header(HOST, authority);
        if let Some(login) = &self.login {
            request = request.header(PROXY_AUTHORIZATION, login);
        }
        let request = request
            .body(Empty::<Bytes>::new())
            .map_err(|e| e.to_string())?;
        let answer = sender.send_request(request).await.map_err(said)?;
        if !answer.status().is_success() {
            return Err(format!("it answered {}", answer.status()));
        }
        let tunnel = hyper::upgrade::on(answer).await.map_err(said)?;
        Ok(Box::new(TokioIo::new(tunnel)))
    }

    async fn connect(&self) -> Result<BoxByteStream, String> {
        let is_tls = match self.address.scheme_str() {
            None | Some("http") => false,
            Some("https") => true,
            Some(other) => return Err(format!("proxies with {other}:// are not supported")),
        };
        let host = self.address.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = self.address.port_u16();
        let port = port.unwrap_or(if is_tls { 443 } else { 80 });
        let stream = TcpStream::connect((host, port))
            .await
            .map_err(|e| e.to_string())?;
        stream.set_nodelay(true).map_err(|e| e.to_string())?;
        keep_alive(&stream).map_err(|e| e.to_string())?;
        if !is_tls {
            return Ok(Box::new(stream));
        }
        let config = tls::client_config(&Tls::default()).map_err(|e| e.to_string())?;
        let name = ServerName::try_from(host.to_owned()).map_err(|e| e.to_string())?;
        let connector = TlsConnector::from(Arc::new(config));
        let stream = connector.connect(name, stream).await;
        Ok(Box::new(stream.map_err(|e| e.to_string())?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proxy_follows_from_the_engine() {
        let matcher = Matcher::builder()
            .http("http://user:hush@plain.test:3128")
            .https("http://tls.test:3128")
            .no("near.test")
            .build();
        let proxy = |host: &str, is_tls| {
            let found = Proxy::matching(&matcher, host, &format!("{host}:1"), is_tls);
            found.map(|proxy| (proxy.name(), proxy.login.is_some()))
        };
        let plain = Some(("http://plain.test:3128".to_owned(), true));
        assert_eq!(proxy("far.test", false), plain);
        let tls = Some(("http://tls.test:3128".to_owned(), false));
        assert_eq!(proxy("far.test", true), tls);
        for host in ["near.test", "localhost", "127.0.0.1", "127.9.9.9"] {
            assert_eq!(proxy(host, false), None, "{host}");
        }
    }
}
