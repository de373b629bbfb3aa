//! The link in a directory of plugins of the Docker CLI.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Name of the file that the Docker CLI looks for.
pub const FILE: &str = "docker-buildx";

/// The first directory for all users in which the Docker CLI looks for plugins.
pub const SYSTEM: &str = "/usr/local/lib/docker/cli-plugins";

/// What an installation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Installed {
    /// It created the link.
    Created,
    /// It replaced another file.
    Replaced,
    /// The link was there.
    Unchanged,
}

/// A failure to install or remove the link.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// There is another program.
    #[error("{} is another program", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// There is no link.
    #[error("{} does not exist", path.display())]
    Missing {
        /// The link.
        path: PathBuf,
    },
    /// The file system refuses it.
    #[error("cannot {action} {}: {error}", path.display())]
    Io {
        /// What was to be done.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The reason.
        #[source]
        error: io::Error,
    },
}

/// What stands at the place of the link.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    /// A link to this program, or to an earlier one of its name.
    Own {
        is_current: bool,
    },
    Foreign,
}

/// Links the plugin to `program`. Replaces another program only if `force` is set.
///
/// # Errors
///
/// If there is another program, or the file system refuses it.
pub fn install(directory: &Path, program: &Path, force: bool) -> Result<Installed, LinkError> {
    let path = directory.join(FILE);
    let done = match find(&path, program)? {
        Found::Nothing => Installed::Created,
        Found::Own { is_current: true } => return Ok(Installed::Unchanged),
        Found::Own { .. } => Installed::Created,
        Found::Foreign if force => Installed::Replaced,
        Found::Foreign => return Err(LinkError::Foreign { path }),
    };
    let failed = |action, path: &Path| {
        let path = path.to_owned();
        move |error| LinkError::Io {
            action,
            path,
            error,
        }
    };
    fs::create_dir_all(directory).map_err(failed("create", directory))?;
    // The Docker CLI finds the old program or the new one at any time.
    let new = directory.join(format!(".{FILE}.{}", std::process::id()));
    std::os::unix::fs::symlink(program, &new).map_err(failed("create", &path))?;
    fs::rename(&new, &path).map_err(|error| {
        let _ = fs::remove_file(&new);
        failed("replace", &path)(error)
    })?;
    Ok(done)
}

/// Removes the link.
///
/// # Errors
///
/// If there is no link, or another program, or the file system refuses it.
pub fn uninstall(directory: &Path, program: &Path) -> Result<(), LinkError> {
    let path = directory.join(FILE);
    match find(&path, program)? {
        Found::Nothing => Err(LinkError::Missing { path }),
        Found::Foreign => Err(LinkError::Foreign { path }),
        Found::Own { .. } => fs::remove_file(&path).map_err(|error| LinkError::Io {
            action: "remove",
            path,
            error,
        }),
    }
}

fn find(path: &Path, program: &Path) -> Result<Found, LinkError> {
    match fs::read_link(path) {
        Ok(target) if target == program => Ok(Found::Own { is_current: true }),
        Ok(target) if target.file_name() == program.file_name() => {
            Ok(Found::Own { is_current: false })
        }
        Ok(_) => Ok(Found::Foreign),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Found::Nothing),
        // It is not a link.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(Found::Foreign),
        Err(error) => Err(LinkError::Io {
            action: "read",
            path: path.to_owned(),
            error,
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_an_own_link_is_replaced_and_removed() {
        let directory = tempfile::tempdir().unwrap();
        let plugins = directory.path().join("cli-plugins");
        let path = plugins.join(FILE);
        let program = Path::new("/opt/new/iechor");
        let install = |force| super::install(&plugins, program, force);
        let uninstall = || super::uninstall(&plugins, program);

        assert!(matches!(uninstall(), Err(LinkError::Missing { .. })));
        assert_eq!(install(false).unwrap(), Installed::Created);
        assert_eq!(install(false).unwrap(), Installed::Unchanged);
        assert_eq!(fs::read_link(&path).unwrap(), program);
        uninstall().unwrap();
        assert!(!path.exists());

        // The program is somewhere else now.
        symlink("/opt/old/iechor", &path).unwrap();
        assert_eq!(install(false).unwrap(), Installed::Created);
        assert_eq!(fs::read_link(&path).unwrap(), program);
        uninstall().unwrap();

        for foreign in ["file", "link"] {
            match foreign {
                "file" => fs::write(&path, "theirs").unwrap(),
                _ => symlink("/usr/bin/true", &path).unwrap(),
            }
            assert!(matches!(install(false), Err(LinkError::Foreign { .. })));
            assert!(matches!(uninstall(), Err(LinkError::Foreign { .. })));
            assert_eq!(install(true).unwrap(), Installed::Replaced, "{foreign}");
            assert_eq!(fs::read_link(&path).unwrap(), program);
            let left: Vec<_> = fs::read_dir(&plugins).unwrap().collect();
            assert_eq!(left.len(), 1, "{left:?}");
            uninstall().unwrap();
        }
    }
}
