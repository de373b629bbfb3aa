//! Registries in options of drivers.

/// A registry that is used without a certificate that somebody trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Insecure {
    /// `HOST` or `HOST:PORT`.
    pub host: String,
    /// Whether it speaks HTTP without TLS.
    pub is_plain: bool,
}

/// A mirror of a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// The registry, as `HOST` or `HOST:PORT`.
    pub registry: String,
    /// The mirror: `HOST[:PORT][/PATH]`.
    pub mirror: String,
    /// Whether the mirror speaks HTTP without TLS.
    pub is_plain: bool,
}

impl Mirror {
    /// Returns the mirror without its path.
    pub fn host(&self) -> &str {
        self.mirror.split('/').next().unwrap_or_default()
    }
}

/// Registry whose mirror is meant if none is named.
const DEFAULT: &str = "docker.io";

/// Parses `HOST[:PORT]`, whose certificate is not checked, or `http://HOST[:PORT]`, which speaks HTTP without TLS.
///
/// # Errors
///
/// What is wrong with the text, and what is valid.
pub fn insecure(text: &str) -> Result<Insecure, String> {
    let (host, is_plain) = scheme(text);
    match is_host(host) {
        true => Ok(Insecure {
            host: host.to_owned(),
            is_plain,
        }),
        false => Err(format!(
            "{text:?} is not a registry (for example registry.example.com:5000 or \
             http://registry.example.com:5000)"
        )),
    }
}

/// Parses `[REGISTRY=][http://]HOST[:PORT][/PATH]`. The default of `REGISTRY` is `docker.io`.
///
/// # Errors
///
/// What is wrong with the text, and what is valid.
pub fn mirror(text: &str) -> Result<Mirror, String> {
    let (registry, address) = text.split_once('=').unwrap_or((DEFAULT, text));
    let (mirror, is_plain) = scheme(address);
    let (host, path) = match mirror.split_once('/') {
        Some((host, path)) => (host, Some(path)),
        None => (mirror, None),
    };
    let is_path = |path: &str| {
        !path.is_empty()
            && path.split('/').all(|part| {
                !matches!(part, "" | "." | "..")
                    && part
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
            })
    };
    if !is_host(registry) || !is_host(host) || !path.is_none_or(is_path) {
        return Err(format!(
            "{text:?} is not a mirror (for example mirror.example.com or \
             ghcr.io=http://mirror.example.com:5000/ghcr)"
        ));
    }
    Ok(Mirror {
        registry: registry.to_owned(),
        mirror: mirror.to_owned(),
        is_plain,
    })
}

fn scheme(address: &str) -> (&str, bool) {
    match address.strip_prefix("http://") {
        Some(rest) => (rest, true),
        None => (address.strip_prefix("https://").unwrap_or(address), false),
    }
}

/// Returns whether a text is `HOST` or `HOST:PORT`, with a name or an address.
fn is_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (text, None),
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    let address = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let is_name = match address {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host.len() <= 253
                && host.split('.').all(|label| {
                    !label.is_empty()
                        && !label.starts_with('-')
                        && !label.ends_with('-')
                        && label
                            .bytes()
                            .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
                })
        }
    };
    is_name && port.is_none_or(is_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn insecure_registries() {
        for (text, host, is_plain) in [
            ("registry.local:5000", "registry.local:5000", false),
            ("https://registry.local", "registry.local", false),
            ("http://10.0.0.1:80", "10.0.0.1:80", true),
            ("[::1]:5000", "[::1]:5000", false),
        ] {
            let host = host.to_owned();
            assert_eq!(insecure(text), Ok(Insecure { host, is_plain }), "{text}");
        }
        for text in [
            "", "a b", "a:0", "a:x", "a/b", "a:70000", "[::1", "a..b", "ftp://a", "-a", "a'b", "\"",
        ] {
            assert!(insecure(text).is_err(), "{text}");
        }
    }

    #[test]
    fn mirrors() {
        for (text, registry, address, host, is_plain) in [
            ("m.local", "docker.io", "m.local", "m.local", false),
            (
                "ghcr.io=https://m.local/ghcr",
                "ghcr.io",
                "m.local/ghcr",
                "m.local",
                false,
            ),
            ("a:1=http://b:2/c/d", "a:1", "b:2/c/d", "b:2", true),
        ] {
            let found = mirror(text).expect(text);
            assert_eq!(found.host(), host);
            assert_eq!(
                (
                    found.registry.as_str(),
                    found.mirror.as_str(),
                    found.is_plain
                ),
                (registry, address, is_plain)
            );
        }
        for text in [
            "",
            "=m",
            "docker.io=",
            "m/",
            "m/..",
            "m/a b",
            "a=b=c",
            "a/b=c",
        ] {
            assert!(mirror(text).is_err(), "{text}");
        }
    }
}
