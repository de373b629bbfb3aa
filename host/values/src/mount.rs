//! Mounts of a container.

use crate::size;

/// A mount of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// What is mounted.
    pub source: Source,
    /// Absolute path in the container.
    pub target: String,
    /// Whether it is read-only.
    pub read_only: bool,
}

/// The source of a mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A directory or file of the engine's machine, by its absolute path.
    Bind(String),
    /// A volume of the engine, by name.
    Volume(String),
    /// Memory, with a maximum in bytes (0 is the engine's default).
    Tmpfs(u64),
}

/// Parses a mount: `SOURCE:TARGET[:ro]`, as `docker run --volume` takes it, or comma-separated `key=value`
/// pairs, as `docker run --mount` takes them: `type` (`bind`, `volume` or `tmpfs`), `source`, `target`,
/// `readonly` and `tmpfs-size`.
///
/// # Errors
///
/// What is wrong with the text, and what is valid.
pub fn parse(text: &str) -> Result<Mount, String> {
    let wrong = |why: String| {
        format!(
            "{text:?} is not a mount: {why} (for example /srv/cache:/cache:ro or \
             type=tmpfs,target=/tmp)"
        )
    };
    let is_long = text.split(',').all(|field| {
        let key = field.split_once('=').map_or(field, |(key, _)| key);
        !key.contains(['/', ':'])
    });
    let mount = if is_long { long(text) } else { short(text) }.map_err(wrong)?;
    check_path(&mount.target).map_err(wrong)?;
    if mount.target == "/" {
        return Err(wrong("its target is the root".into()));
    }
    match &mount.source {
        Source::Bind(path) => check_path(path).map_err(wrong)?,
        Source::Volume(name) => check_volume(name).map_err(wrong)?,
        Source::Tmpfs(_) => {}
    }
    Ok(mount)
}

fn short(text: &str) -> Result<Mount, String> {
    let mut parts = text.split(':');
    let (Some(source), Some(target)) = (parts.next(), parts.next()) else {
        return Err("it has no ':' before the target".into());
    };
    let read_only = match (parts.next(), parts.next()) {
        (None, _) | (Some("rw"), None) => false,
        (Some("ro"), None) => true,
        _ => return Err("after the target there can be ro or rw only".into()),
    };
    let source = source.to_owned();
    Ok(Mount {
        source: match source.starts_with('/') {
            true => Source::Bind(source),
            false => Source::Volume(source),
        },
        target: target.to_owned(),
        read_only,
    })
}

fn long(text: &str) -> Result<Mount, String> {
    let (mut kind, mut source, mut target, mut size) = ("volume", None, None, None);
    let mut read_only = false;
    for field in text.split(',') {
        let (key, value) = match field.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (field, None),
        };
        let needed = || value.ok_or_else(|| format!("{key:?} needs a value"));
        match key {
            "type" => kind = needed()?,
            "source" | "src" => source = Some(needed()?.to_owned()),
            "target" | "destination" | "dst" => target = Some(needed()?.to_owned()),
            "readonly" | "ro" => {
                read_only = match value {
                    None | Some("true" | "1") => true,
                    Some("false" | "0") => false,
                    Some(other) => return Err(format!("{other:?} is neither true nor false")),
                }
            }
            "tmpfs-size" => size = Some(size::parse(needed()?)?),
            _ => {
                return Err(format!(
                    "{key:?} is none of type, source, target, readonly, tmpfs-size"
                ));
            }
        }
    }
    let target = target.ok_or("it has no target")?;
    if size.is_some() && kind != "tmpfs" {
        return Err("tmpfs-size is for the type tmpfs".into());
    }
    let source = match (kind, source) {
        ("bind", Some(source)) => Source::Bind(source),
        ("volume", Some(source)) => Source::Volume(source),
        ("tmpfs", None) => Source::Tmpfs(size.unwrap_or(0)),
        ("tmpfs", Some(_)) => return Err("a tmpfs has no source".into()),
        ("bind" | "volume", None) => return Err("it has no source".into()),
        _ => return Err(format!("type {kind:?} is none of bind, volume, tmpfs")),
    };
    Ok(Mount {
        source,
        target,
        read_only,
    })
}

fn check_path(path: &str) -> Result<(), String> {
    let is_clean = path == "/"
        || path.strip_prefix('/').is_some_and(|rest| {
            let mut parts = rest.split('/');
            !rest.contains('\0') && parts.all(|part| !matches!(part, "" | "." | ".."))
        });
    match is_clean {
        true => Ok(()),
        false => Err(format!(
            "{path:?} is not an absolute path without '.', '..' and '//'"
        )),
    }
}

/// Checks the name of a volume, as engines do.
fn check_volume(name: &str) -> Result<(), String> {
    let is_name = name.len() > 1
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    match is_name {
        true => Ok(()),
        false => Err(format!(
            "{name:?} is neither an absolute path nor the name of a volume"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(source: Source, target: &str, read_only: bool) -> Mount {
        Mount {
            source,
            target: target.into(),
            read_only,
        }
    }

    #[test]
    fn mounts() {
        let bind = |path: &str| Source::Bind(path.into());
        let volume = |name: &str| Source::Volume(name.into());
        for (text, expected) in [
            ("/a:/b", mount(bind("/a"), "/b", false)),
            ("/a:/b:ro", mount(bind("/a"), "/b", true)),
            ("/:/b:rw", mount(bind("/"), "/b", false)),
            ("cache:/c", mount(volume("cache"), "/c", false)),
            (
                "type=bind,source=/a,target=/b,readonly",
                mount(bind("/a"), "/b", true),
            ),
            (
                "src=cache,dst=/c,ro=false",
                mount(volume("cache"), "/c", false),
            ),
            (
                "type=tmpfs,destination=/t,tmpfs-size=1m",
                mount(Source::Tmpfs(1 << 20), "/t", false),
            ),
            ("target=/t,type=tmpfs", mount(Source::Tmpfs(0), "/t", false)),
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
        for (text, expected) in [
            ("", "readonly"),
            ("/a", "no ':'"),
            ("/a:b", "absolute"),
            ("a/b:/c", "name of a volume"),
            (":/c", "name of a volume"),
            ("/a:/b:rox", "ro or rw"),
            ("/a:/b:ro:z", "ro or rw"),
            ("/a/../b:/c", "'..'"),
            ("/a:/b/", "absolute"),
            ("/a:/", "root"),
            ("type=bind,target=/b", "no source"),
            ("type=bind,source=/a", "no target"),
            ("type=npipe,source=/a,target=/b", "none of bind"),
            ("type=tmpfs,source=/a,target=/b", "no source"),
            ("type=bind,source=a,target=/b", "absolute"),
            ("type=bind,source=/a,target=/b,tmpfs-size=1", "tmpfs"),
            (
                "type=bind,source=/a,target=/b,propagation=x",
                "none of type",
            ),
            ("type=tmpfs,target=/b,tmpfs-size=x", "size"),
            ("type=tmpfs,target=/b,readonly=maybe", "neither"),
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains(expected), "{error}");
            assert!(error.contains("for example"), "{error}");
        }
    }
}
