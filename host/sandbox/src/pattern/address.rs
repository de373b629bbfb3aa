//! Patterns of addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::host::HostPattern;

/// `HOST:PORT`. The host may be `*` or begin with `*.`, the port may be `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AddressPattern {
    host: HostPattern,
    /// `None` matches any port.
    port: Option<u16>,
}

impl AddressPattern {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let form = "it is HOST:PORT, with an address of IPv6 in brackets; HOST:* is every port";
        let (host, port) = split(text).ok_or(form)?;
        let port = match port {
            "*" => None,
            digits => Some(number(digits).ok_or(form)?),
        };
        let host = match host.contains('*') {
            true => HostPattern::parse(&host.to_ascii_lowercase())?,
            false => HostPattern::Exactly(canonical_host(host).ok_or(form)?),
        };
        if let HostPattern::Below(end) = &host
            && !end.chars().all(is_usual)
        {
            return Err(form.into());
        }
        Ok(Self { host, port })
    }

    pub(super) fn matches(&self, subject: &str) -> bool {
        canonical(subject).is_some_and(|(host, port)| self.covers(&host, port))
    }

    /// A text that is not an address may lead anywhere.
    pub(super) fn may_match(&self, subject: &str) -> bool {
        canonical(subject).is_none_or(|(host, port)| self.covers(&host, port))
    }

    /// Returns whether anybody can register a host name that matches.
    pub(super) fn is_everything(&self) -> bool {
        self.host.is_everybodys()
    }

    fn covers(&self, host: &str, port: u16) -> bool {
        // No host name ends in the last digits of a number.
        let numeric = host.parse::<IpAddr>().is_ok();
        self.port.is_none_or(|own| own == port)
            && !(numeric && matches!(self.host, HostPattern::Below(_)))
            && self.host.matches(host)
    }
}

/// Returns whether two texts mean the same address.
pub(crate) fn same(one: &str, other: &str) -> bool {
    canonical(one).is_some_and(|one| canonical(other) == Some(one))
}

fn canonical(address: &str) -> Option<(String, u16)> {
    let (host, port) = split(address)?;
    Some((canonical_host(host)?, number(port)?))
}

/// Splits an address into the host, without brackets, and the port.
fn split(text: &str) -> Option<(&str, &str)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, port) = rest.split_once("]:")?;
        return host.contains(':').then_some((host, port));
    }
    text.rsplit_once(':')
        .filter(|(host, _)| !host.contains(':'))
}

fn number(digits: &str) -> Option<u16> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| plain)
}

fn is_usual(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')
}

/// Returns the canonical form of a host: lower case, no dot at the end, numbers as the system's resolver reads
/// them, and an IPv4 address that is mapped to IPv6 as IPv4.
fn canonical_host(host: &str) -> Option<String> {
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    if host.contains(':') {
        let address: Ipv6Addr = host.parse().ok()?;
        return Some(match address.to_ipv4_mapped() {
            Some(mapped) => mapped.to_string(),
            None => address.to_string(),
        });
    }
    if host.is_empty() || !host.chars().all(is_usual) {
        return None;
    }
    Some(legacy_ipv4(&host).map_or(host, |address| address.to_string()))
}

/// Parses one to four numbers as `inet_aton` does, which resolvers use: `127.1`, `0x7f000001`, `0177.1`.
fn legacy_ipv4(host: &str) -> Option<Ipv4Addr> {
    let part = |text: &str| -> Option<u32> {
        if let Some(digits) = text.strip_prefix("0x") {
            return match digits {
                "" => Some(0),
                digits => u32::from_str_radix(digits, 16).ok(),
            };
        }
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        match text.strip_prefix('0') {
            Some(digits) if !digits.is_empty() => u32::from_str_radix(digits, 8).ok(),
            _ => text.parse().ok(),
        }
    };
    let parts: Option<Vec<u32>> = host.split('.').map(part).collect();
    let parts = parts?;
    let (last, leading) = parts.split_last()?;
    if leading.len() > 3 || leading.iter().any(|byte| *byte > 255) {
        return None;
    }
    let bits = 8 * (4 - u32::try_from(leading.len()).ok()?);
    if u64::from(*last) >= 1 << bits {
        return None;
    }
    let mut address = *last;
    for (place, byte) in leading.iter().enumerate() {
        address |= byte << (24 - 8 * place);
    }
    Some(Ipv4Addr::from(address))
}
