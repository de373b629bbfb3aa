//! Places of a container that a driver may mount something at by itself.

use iechor_engine::model::{Mount, MountSource};
use iechor_values::mount::{self, Source};

use crate::user_words::UserWords;

/// The state of BuildKit, and places where no system looks for programs, libraries or configuration.
/// Each with everything below it.
const ALLOWED: &[&str] = &[
    "/var/lib/buildkit",
    "/home/user/.local/share/buildkit",
    "/tmp",
    "/var/tmp",
    "/mnt",
    "/srv",
    "/data",
    "/cache",
];

/// Writes a path of a container without what does not count in it: `/a/b` for `//a/./b/`.
///
/// # Errors
///
/// That it is not absolute, or has a `..`: where that leads is decided in the container.
pub(crate) fn normalised(path: &str) -> Result<String, String> {
    let is_sound = path.starts_with('/')
        && !path.contains(['\\', '\0'])
        && path.split('/').all(|part| part != "..");
    if !is_sound {
        return Err(format!("{path:?} is not an absolute path without '..'"));
    }
    let parts: Vec<_> = path
        .split('/')
        .filter(|part| !matches!(*part, "" | "."))
        .collect();
    Ok(format!("/{}", parts.join("/")))
}

/// Returns whether a path is that of a directory or lies below it; both are as [`normalised`] writes them.
pub(crate) fn is_within(path: &str, directory: &str) -> bool {
    directory == "/"
        || path
            .strip_prefix(directory)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Returns which mount lies where programs or configuration may be loaded from.
pub(super) fn chosen(mounts: &[Mount], words: &UserWords) -> Option<String> {
    // What an image declares is the image's choice, and filled from it.
    let named = |mount: &&Mount| match &mount.source {
        MountSource::Volume(name) => !is_anonymous(name),
        _ => true,
    };
    let targets: Vec<_> = mounts
        .iter()
        .filter(named)
        .map(|mount| {
            let target = normalised(&mount.target).unwrap_or_else(|_| "/".into());
            (target, is_of_user(mount, words))
        })
        .collect();
    for (number, (target, is_of_user)) in targets.iter().enumerate() {
        if !is_of_user && !ALLOWED.iter().any(|allowed| is_within(target, allowed)) {
            return Some(format!(
                "a mount at {target:?}, where programs or configuration may be loaded from"
            ));
        }
        // A link in what is mounted first would lead the second mount anywhere.
        let mut others = targets.iter().enumerate();
        if others.any(|(other, (outer, _))| other != number && is_within(target, outer)) {
            return Some(format!("a mount at {target:?}, which is within another"));
        }
    }
    None
}

/// Returns whether the user gave this mount in the option `mount`.
fn is_of_user(mounted: &Mount, words: &UserWords) -> bool {
    let mut given = words.settings_of("mount");
    given.any(|text| {
        mount::parse(text).is_ok_and(|given| {
            let source = match given.source {
                Source::Bind(path) => MountSource::Bind(path),
                Source::Volume(name) => MountSource::Volume(name),
                Source::Tmpfs(bytes) => MountSource::Tmpfs(bytes),
            };
            source == mounted.source
                && given.target == mounted.target
                && (mounted.read_only || !given.read_only)
        })
    })
}

/// Volumes that an image asks for, or a mount without a name: the engine names them, and they are
/// removed with their container.
pub(crate) fn is_anonymous(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mounts(targets: &[&str]) -> Option<String> {
        let mount = |target: &&str| Mount {
            target: (*target).to_owned(),
            source: MountSource::Tmpfs(0),
            read_only: false,
        };
        let mounts: Vec<_> = targets.iter().map(mount).collect();
        chosen(&mounts, &UserWords::default())
    }

    #[test]
    fn paths_are_compared_by_what_they_mean() {
        for (path, expected) in [
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("//a/./b//", "/a/b"),
            ("/a...", "/a..."),
        ] {
            assert_eq!(normalised(path).as_deref(), Ok(expected));
        }
        for path in ["", "a", "/a/../b", "/..", "/a\0", "\\a"] {
            assert!(normalised(path).is_err(), "{path:?}");
        }
        assert!(is_within("/a/b", "/a") && is_within("/a", "/a") && is_within("/a", "/"));
        assert!(!is_within("/ab", "/a") && !is_within("/", "/a"));
    }

    #[test]
    fn nothing_is_mounted_over_programs_and_configuration() {
        for targets in [
            &[][..],
            &["/var/lib/buildkit"],
            &["/var/lib/buildkit/", "//tmp"],
            &["/home/user/.local/share/buildkit", "/mnt/x", "/srv/y/z"],
        ] {
            assert_eq!(mounts(targets), None, "{targets:?}");
        }
        for targets in [
            &["/usr/bin"][..],
            &["/usr/bin/buildctl"],
            &["/"],
            &["/etc/buildkit"],
            &["/run/buildkit"],
            &["/var/lib"],
            &["/var/lib/buildkit-x"],
            &["/var/lib/buildkit/../../usr/bin"],
            &["/home/user"],
            &["/home/user/.config/buildkit"],
            &["/opt/cni/bin"],
            &["/root"],
            &["/lib"],
            // Through a link in the outer one.
            &["/var/lib/buildkit", "/var/lib/buildkit/x"],
            &["/tmp/x", "/tmp"],
            &["/tmp", "/tmp/"],
        ] {
            assert!(mounts(targets).is_some(), "{targets:?}");
        }
    }
}
