//! Patterns of requests, as the host takes them. The cases in `tests/descriptions.json` of the
//! repository hold both to the same rules.

/// Most characters of a pattern.
const PATTERN_CHARS: usize = 200;
/// Most `*` of a pattern.
const STARS: usize = 4;

/// Returns what is wrong with a pattern of that capability; `None` where nothing is.
pub(super) fn fault(capability: &str, pattern: &str) -> Option<&'static str> {
    if pattern.is_empty() {
        return Some("it is empty; ask within nothing for every subject");
    }
    if pattern.len() > PATTERN_CHARS {
        return Some("it has more than 200 characters");
    }
    if !pattern.chars().all(|c| c.is_ascii_graphic() || c == ' ') {
        return Some("it has a character that is not of ASCII");
    }
    if pattern.matches('*').count() > STARS {
        return Some("it has more than 4 stars");
    }
    let is_transport = capability.starts_with("transport.");
    if pattern.bytes().all(|byte| byte == b'*') || (is_transport && pattern == "endpoint") {
        return None;
    }
    match capability {
        "container.create" | "container.privileged" | "image.pull" | "engine.load" => {
            image(pattern)
        }
        "container.bind" | "transport.local" => path(pattern),
        "transport.tcp" => address(pattern),
        "container.cgroup-parent" if pattern.split('/').any(|part| part == "..") => {
            Some("it has a part that is '..'")
        }
        "container.devices" => None,
        _ => word(pattern.strip_prefix("network ").unwrap_or(pattern)),
    }
}

fn image(pattern: &str) -> Option<&'static str> {
    let wrong = Some("it is not the name of an image with * for any characters");
    let first = match pattern.split_once('/') {
        Some((first, _)) => first,
        None if pattern.split([':', '@']).next() == Some("*") => return wrong,
        None => "",
    };
    if first != "*" && is_starred_inside(first) {
        return Some("a * of a registry is all of it, or stands in front: *.example.com");
    }
    let begins = |part: &str| part.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '*');
    let rest = match first {
        "" => pattern,
        first => &pattern[first.len() + 1..],
    };
    let usual = |c: char| c.is_ascii_alphanumeric() || "._-:/@[]*".contains(c);
    let is_right = pattern.chars().all(usual)
        && rest.split(['/', '@']).all(begins)
        && !pattern.ends_with([':', '@', '/']);
    if is_right { None } else { wrong }
}

/// Returns whether a host has a `*` anywhere but in front of a dot.
fn is_starred_inside(host: &str) -> bool {
    host.contains('*')
        && host
            .strip_prefix("*.")
            .is_none_or(|rest| rest.contains('*'))
}

fn path(pattern: &str) -> Option<&'static str> {
    if let Some(name) = pattern.strip_prefix("volume ") {
        let usual = |c: char| c.is_ascii_alphanumeric() || "_.-*".contains(c);
        let is_right = !name.is_empty() && name.chars().all(usual);
        return if is_right {
            None
        } else {
            Some("it is not the name of a volume")
        };
    }
    let inner = match pattern.strip_prefix('/') {
        Some(inner) => inner.strip_suffix('/').unwrap_or(inner),
        None if pattern.starts_with('*') => pattern,
        None => return Some("a path begins with /"),
    };
    if !inner.is_empty() && inner.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Some("it has a part that is empty, '.' or '..'");
    }
    None
}

fn address(pattern: &str) -> Option<&'static str> {
    let wrong = Some("it is HOST:PORT, with an address of IPv6 in brackets; HOST:* is every port");
    let (host, port) = match pattern.strip_prefix('[') {
        Some(rest) => match rest.split_once("]:") {
            Some((host, port)) if host.parse::<std::net::Ipv6Addr>().is_ok() => ("x", port),
            _ => return wrong,
        },
        None => match pattern.rsplit_once(':') {
            Some(parts) => parts,
            None => return wrong,
        },
    };
    let usual = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let is_host = host == "*"
        || (!is_starred_inside(host)
            && !host.is_empty()
            && host.strip_prefix('*').unwrap_or(host).chars().all(usual));
    let is_port = port == "*"
        || (port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok());
    if is_host && is_port { None } else { wrong }
}

fn word(word: &str) -> Option<&'static str> {
    if word.is_empty() || word.contains(' ') {
        Some("it is one word of letters, digits and signs of ASCII")
    } else {
        None
    }
}
