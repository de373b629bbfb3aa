//! Registries in BuildKit's configuration: those of the user's options, added to the user's file.

use iechor_values::registry;
use toml::{Table, Value};

/// Adds settings to a configuration, and returns it. BuildKit reads the same in it otherwise; comments are lost.
///
/// # Errors
///
/// In words: what the configuration contradicts, or what is no setting.
pub(super) fn added(
    configuration: Option<&[u8]>,
    settings: &[(String, String)],
) -> Result<Vec<u8>, String> {
    let text = std::str::from_utf8(configuration.unwrap_or_default())
        .map_err(|_| "the user's buildkitd.toml is not text")?;
    let mut table: Table = text.parse().map_err(|error: toml::de::Error| {
        format!("the user's buildkitd.toml is no TOML: {}", error.message())
    })?;
    for (name, value) in settings {
        match name.as_str() {
            "insecure-registry" => {
                let found = registry::insecure(value)?;
                allow(
                    &mut table,
                    &found.host,
                    if found.is_plain { "http" } else { "insecure" },
                )?;
            }
            "registry-mirror" => {
                let found = registry::mirror(value)?;
                if found.is_plain {
                    allow(&mut table, found.host(), "http")?;
                }
                mirror(&mut table, &found, text)?;
            }
            _ => return Err(format!("there is no setting {name:?}")),
        }
    }
    let written = toml::to_string(&table).map_err(|error| error.to_string())?;
    Ok(written.into_bytes())
}

/// Returns the table of a registry.
fn registry<'a>(table: &'a mut Table, host: &str) -> Result<&'a mut Table, String> {
    let registries = table
        .entry("registry")
        .or_insert_with(|| Value::Table(Table::new()));
    registries
        .as_table_mut()
        .map(|registries| {
            registries
                .entry(host)
                .or_insert_with(|| Value::Table(Table::new()))
        })
        .and_then(Value::as_table_mut)
        .ok_or_else(|| format!("in the user's buildkitd.toml, registry.{host:?} is no table"))
}

/// Sets a key of a registry to true.
fn allow(table: &mut Table, host: &str, key: &str) -> Result<(), String> {
    let registry = registry(table, host)?;
    match registry.get(key) {
        None => {
            registry.insert(key.into(), Value::Boolean(true));
            Ok(())
        }
        Some(Value::Boolean(true)) => Ok(()),
        Some(other) => Err(format!(
            "the user's buildkitd.toml has registry.{host:?} with {key} = {other}"
        )),
    }
}

/// Adds a mirror behind those that the settings added before.
fn mirror(table: &mut Table, mirror: &registry::Mirror, users: &str) -> Result<(), String> {
    let host = &mirror.registry;
    let users: Table = users.parse().unwrap_or_default();
    let of_user = users
        .get("registry")
        .and_then(|registries| registries.get(host)?.get("mirrors"));
    let address = Value::String(mirror.mirror.clone());
    if let Some(of_user) = of_user {
        let has = |list: &Vec<Value>| list.contains(&address);
        return match of_user.as_array().is_some_and(has) {
            true => Ok(()),
            // Which of them BuildKit is to ask first is the user's to say.
            false => Err(format!(
                "the user's buildkitd.toml has mirrors of {host:?} without {:?}",
                mirror.mirror
            )),
        };
    }
    let mirrors = registry(table, host)?
        .entry("mirrors")
        .or_insert_with(|| Value::Array(Vec::new()));
    if let Some(mirrors) = mirrors.as_array_mut()
        && !mirrors.contains(&address)
    {
        mirrors.push(address);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(text: &str, settings: &[(&str, &str)]) -> Result<Table, String> {
        let settings: Vec<_> = settings
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let written = added(Some(text.as_bytes()), &settings)?;
        Ok(String::from_utf8(written)
            .expect("text")
            .parse()
            .expect("TOML"))
    }

    #[test]
    fn settings_are_added_to_the_users_file() {
        let user = "debug = true\n[registry.'a:1']\nca = ['/x']\nhttp = true\n";
        let found = merged(
            user,
            &[
                ("insecure-registry", "http://a:1"),
                ("insecure-registry", "b"),
                ("registry-mirror", "m1"),
                ("registry-mirror", "http://m2:2/hub"),
                ("registry-mirror", "ghcr.io=m1/ghcr"),
            ],
        );
        let expected: Table = "debug = true\n\
             [registry.'a:1']\nca = ['/x']\nhttp = true\n\
             [registry.b]\ninsecure = true\n\
             [registry.'m2:2']\nhttp = true\n\
             [registry.'docker.io']\nmirrors = ['m1', 'm2:2/hub']\n\
             [registry.'ghcr.io']\nmirrors = ['m1/ghcr']\n"
            .parse()
            .expect("TOML");
        assert_eq!(found, Ok(expected));
        assert!(added(None, &[]).expect("empty").is_empty());
    }

    #[test]
    fn what_the_users_file_contradicts_is_refused() {
        for (user, name, value) in [
            ("[registry.a]\ninsecure = false", "insecure-registry", "a"),
            (
                "[registry.a]\nhttp = false",
                "insecure-registry",
                "http://a",
            ),
            ("[registry.m]\nhttp = false", "registry-mirror", "http://m"),
            (
                "[registry.'docker.io']\nmirrors = ['n']",
                "registry-mirror",
                "m",
            ),
            ("registry = 1", "insecure-registry", "a"),
            ("registry.a = 1", "insecure-registry", "a"),
            ("x", "insecure-registry", "a"),
            ("", "insecure-registry", "a b"),
            ("", "debug", "true"),
        ] {
            assert!(
                merged(user, &[(name, value)]).is_err(),
                "{user} {name}={value}"
            );
        }
        let same = "[registry.'docker.io']\nmirrors = ['n', 'm']";
        assert!(merged(same, &[("registry-mirror", "m")]).is_ok());
    }
}
