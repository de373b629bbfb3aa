//! Endpoints of BuildKit.

/// The schemes that docker buildx accepts for this driver.
const SCHEMES: &[&str] = &[
    "tcp",
    "unix",
    "docker-container",
    "kube-pod",
    "npipe",
    "ssh",
];

/// An endpoint that this driver can reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// A TCP port; an IPv6 address has no brackets here.
    Tcp { host: String, port: u16 },
    /// The path of a socket.
    Unix(String),
}

/// Returns whether the text is an endpoint of this driver, even if the driver refuses it.
pub fn is_one(endpoint: &str) -> bool {
    endpoint
        .split_once("://")
        .is_some_and(|(scheme, _)| SCHEMES.contains(&scheme))
}

impl Endpoint {
    /// Parses an endpoint. The error says what to write instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err(
                "no remote endpoint provided: give where BuildKit listens, as tcp://HOST:PORT or \
                 unix:///PATH"
                    .into(),
            );
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(|| {
            format!(
                "{text:?} does not say where BuildKit listens; write it as tcp://HOST:PORT or \
                 unix:///PATH"
            )
        })?;
        match scheme {
            "tcp" => tcp(rest).map_err(|reason| {
                format!("{text:?} is no endpoint: {reason}; write it as tcp://HOST:PORT")
            }),
            "unix" if rest.starts_with('/') => Ok(Self::Unix(rest.to_owned())),
            "unix" => Err(format!(
                "{text:?} is no endpoint: the path is not absolute; write it as unix:///PATH"
            )),
            other => Err(format!(
                "{text:?}: endpoints with {other}:// cannot be reached; {}",
                instead(other)
            )),
        }
    }
}

fn instead(scheme: &str) -> &'static str {
    match scheme {
        "docker-container" => {
            "let the BuildKit in that container listen on tcp:// or unix://, or let a builder of \
             the driver iechor-container keep a container of its own"
        }
        "kube-pod" => {
            "forward the pod's port (kubectl port-forward POD 1234) and give tcp://127.0.0.1:1234"
        }
        "ssh" => {
            "forward the socket (ssh -nNT -L /tmp/buildkit.sock:/run/buildkit/buildkitd.sock \
             HOST) and give unix:///tmp/buildkit.sock"
        }
        "npipe" => "let BuildKit listen on tcp://",
        _ => "write it as tcp://HOST:PORT or unix:///PATH",
    }
}

fn tcp(rest: &str) -> Result<Endpoint, String> {
    let (host, port) = match rest.strip_prefix('[') {
        Some(rest) => rest
            .split_once("]:")
            .ok_or("an IPv6 address is [ADDRESS]:PORT")?,
        None => rest
            .rsplit_once(':')
            .ok_or("the port is missing (BuildKit mostly has 1234)")?,
    };
    let unbracketed = !rest.starts_with('[') && host.contains(':');
    if host.is_empty() || unbracketed || host.contains(['/', '@', '[', ']']) {
        return Err(format!("{host:?} is no host"));
    }
    // The host compares the dialled address with the granted one, so there is one canonical form.
    match port.parse::<u16>() {
        Ok(number) if number > 0 && number.to_string() == port => Ok(Endpoint::Tcp {
            host: host.to_owned(),
            port: number,
        }),
        _ => Err(format!("{port:?} is no port")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_read() {
        let tcp = |host: &str, port| Endpoint::Tcp {
            host: host.into(),
            port,
        };
        for (text, expected) in [
            ("tcp://b.example.com:1234", tcp("b.example.com", 1234)),
            ("tcp://127.0.0.1:1", tcp("127.0.0.1", 1)),
            ("tcp://[::1]:1234", tcp("::1", 1234)),
            ("unix:///run/b.sock", Endpoint::Unix("/run/b.sock".into())),
        ] {
            assert_eq!(Endpoint::parse(text), Ok(expected), "{text}");
            assert!(is_one(text));
        }
    }

    #[test]
    fn what_cannot_be_reached_is_refused_with_what_to_write_instead() {
        for (text, words) in [
            ("", "no remote endpoint provided"),
            ("builder", "tcp://HOST:PORT"),
            ("tcp://b", "the port is missing"),
            ("tcp://b:", "no port"),
            ("tcp://b:0", "no port"),
            ("tcp://b:01234", "no port"),
            ("tcp://b:99999", "no port"),
            ("tcp://b:1234/", "no port"),
            ("tcp://:1234", "no host"),
            ("tcp://::1:1234", "no host"),
            ("tcp://user@b:1234", "no host"),
            ("tcp://[::1]", "[ADDRESS]:PORT"),
            ("unix://run/b.sock", "not absolute"),
            ("docker-container://b", "iechor-container"),
            ("kube-pod://b", "kubectl port-forward"),
            ("ssh://b", "ssh -nNT -L"),
            ("npipe://b", "tcp://"),
            ("http://b", "tcp://HOST:PORT"),
        ] {
            let error = Endpoint::parse(text).expect_err(text);
            assert!(error.contains(words), "{text}: {error}");
        }
        assert!(is_one("ssh://b") && !is_one("context") && !is_one("http://b") && !is_one(""));
    }
}
