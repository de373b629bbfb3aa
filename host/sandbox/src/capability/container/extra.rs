//! Settings of a container that the contract has as pairs: names, DNS, limits of processes, security options.
//!
//! Where a container finds a host decides to whom BuildKit sends what it builds. So a driver hands on what the user
//! gave in an option of that name; any other value needs `container.command`.

use std::net::IpAddr;

use iechor_engine::model::{ContainerSpec, Ulimit};
use iechor_values::ulimit;

use crate::bindings::HostError;
use crate::bindings::contract::Error;
use crate::user_words::UserWords;

/// The word that engines replace with the address of their machine.
const GATEWAY: &str = "host-gateway";

/// What a value becomes in the request to the engine.
type Apply = fn(&mut ContainerSpec, &str) -> Result<(), String>;

/// The settings, by their names.
const SETTINGS: &[(&str, Apply)] = &[
    ("add-host", |spec, value| {
        spec.extra_hosts.push(host(value)?);
        Ok(())
    }),
    ("dns", |spec, value| {
        let address: IpAddr = value
            .parse()
            .map_err(|_| format!("{value:?} is not an address"))?;
        spec.dns.push(address.to_string());
        Ok(())
    }),
    ("dns-search", |spec, value| {
        spec.dns_search.push(value.to_owned());
        Ok(())
    }),
    ("dns-option", |spec, value| {
        spec.dns_options.push(value.to_owned());
        Ok(())
    }),
    ("ulimit", |spec, value| {
        let limit = ulimit::parse(value)?;
        spec.ulimits
            .retain(|known: &Ulimit| known.name != limit.name);
        spec.ulimits.push(limit);
        Ok(())
    }),
    ("security-opt", |spec, value| {
        spec.security_options.push(value.to_owned());
        Ok(())
    }),
];

/// Adds the settings to a container.
///
/// # Errors
///
/// Which of them the host does not know, or is wrong.
pub(super) fn apply(spec: &mut ContainerSpec, extra: &[(String, String)]) -> Result<(), HostError> {
    for (name, value) in extra {
        let Some((_, apply)) = SETTINGS.iter().find(|(known, _)| known == name) else {
            return Err(HostError::Answer(Error::Unsupported(format!(
                "container setting {name:?}"
            ))));
        };
        if value.is_empty() || value.contains(|c: char| c.is_control()) {
            return Err(HostError::invalid(format!(
                "container setting {name:?}: {value:?} is empty or has control characters"
            )));
        }
        apply(spec, value)
            .map_err(|why| HostError::invalid(format!("container setting {name:?}: {why}")))?;
    }
    Ok(())
}

/// Returns which of the settings the user did not give.
pub(super) fn chosen(extra: &[(String, String)], words: &UserWords) -> Option<String> {
    let mut extra = extra.iter();
    let (name, value) = extra.find(|(name, value)| !words.has_setting(name, value))?;
    Some(format!(
        "container setting {name}={value}, which the user did not give as an option"
    ))
}

/// Returns `NAME:ADDRESS` for `NAME:ADDRESS` or `NAME=ADDRESS`.
fn host(value: &str) -> Result<String, String> {
    let (name, address) = value
        .split_once(['=', ':'])
        .ok_or_else(|| format!("{value:?} is not NAME:ADDRESS"))?;
    let is_address = address == GATEWAY || address.parse::<IpAddr>().is_ok();
    if name.is_empty() || name.contains(char::is_whitespace) || !is_address {
        return Err(format!("{value:?} is not NAME:ADDRESS"));
    }
    Ok(format!("{name}:{address}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(name: &str, value: &str) -> Result<ContainerSpec, HostError> {
        let mut spec = ContainerSpec::default();
        apply(&mut spec, &[(name.to_owned(), value.to_owned())])?;
        Ok(spec)
    }

    #[test]
    fn settings_become_a_part_of_the_request() {
        let spec = |name, value| applied(name, value).expect("valid");
        for (value, expected) in [
            ("a.b:10.0.0.1", "a.b:10.0.0.1"),
            ("a=::1", "a:::1"),
            ("a:host-gateway", "a:host-gateway"),
        ] {
            assert_eq!(spec("add-host", value).extra_hosts, [expected]);
        }
        assert_eq!(spec("dns", "10.0.0.53").dns, ["10.0.0.53"]);
        assert_eq!(
            spec("dns-search", "example.com").dns_search,
            ["example.com"]
        );
        assert_eq!(spec("dns-option", "ndots:1").dns_options, ["ndots:1"]);
        assert_eq!(spec("ulimit", "nofile=1:2").ulimits[0].hard, 2);
        let security = spec("security-opt", "no-new-privileges").security_options;
        assert_eq!(security, ["no-new-privileges"]);
    }

    #[test]
    fn what_is_no_setting_is_refused() {
        for (name, value) in [
            ("add-host", "a"),
            ("add-host", ":1.2.3.4"),
            ("add-host", "a:b"),
            ("add-host", "a b:1.2.3.4"),
            ("dns", "resolver"),
            ("dns-search", ""),
            ("dns-search", "a\nnameserver 6.6.6.6"),
            ("ulimit", "x"),
            ("privileged", "true"),
        ] {
            assert!(applied(name, value).is_err(), "{name}={value}");
        }
    }
}
