//! The local record of a build, which names the files that it was made of.
//!
//! The daemon's history has no paths of the client. Tools that show the history look them up here.

use std::path::{Path, PathBuf};

use iechor_builder::store::LocalState;
use iechor_builder::{BuilderError, Workspace};

use crate::error::BuildError;
use crate::plan::{NodePlan, Plan};
use crate::spec::{BuildSpec, Context, Dockerfile};

/// The name of the only target of a build that no definition file describes, as in docker buildx.
const TARGET: &str = "default";

/// Records a build that begins.
///
/// # Errors
///
/// Returns an error if the store cannot be written.
pub(super) fn save(
    workspace: &Workspace,
    spec: &BuildSpec,
    plan: &Plan,
    node: &NodePlan,
    reference: &str,
) -> Result<(), BuildError> {
    let state = state(spec);
    let (builder, node) = (&plan.builder.name, &node.node.name);
    let save = || {
        let mut transaction = workspace.store.lock()?;
        transaction.save_reference(builder, node, reference, &state)
    };
    Ok(save().map_err(BuilderError::from)?)
}

fn state(spec: &BuildSpec) -> LocalState {
    // Standard input is `-`, as in docker buildx.
    let dockerfile = match &spec.dockerfile {
        Dockerfile::Default => PathBuf::new(),
        Dockerfile::StandardInput => "-".into(),
        Dockerfile::Remote(url) => url.into(),
        Dockerfile::File(path) => match &spec.context {
            Context::Directory(_) => absolute(path),
            // The Dockerfile is relative to the context.
            Context::Remote(_) | Context::StandardInput => path.clone(),
        },
    };
    let local_path = match &spec.context {
        Context::Directory(directory) => text(absolute(directory)),
        Context::Remote(url) => url.clone(),
        Context::StandardInput => "-".to_owned(),
    };
    LocalState {
        target: TARGET.to_owned(),
        local_path,
        dockerfile_path: text(dockerfile),
        group_ref: String::new(),
    }
}

/// Returns an absolute path. An empty one stays empty.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn text(path: PathBuf) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_paths_are_absolute() {
        let here = std::env::current_dir().expect("somewhere");
        let in_here = |name: &str| text(here.join(name));
        let spec = BuildSpec {
            dockerfile: Dockerfile::File("other/Dockerfile".into()),
            ..BuildSpec::new(Context::Directory(".".into()))
        };
        let local = state(&spec);
        assert_eq!(local.target, "default");
        assert_eq!(local.local_path, text(here.clone()));
        assert_eq!(local.dockerfile_path, in_here("other/Dockerfile"));

        let url = "https://example.com/a.git";
        let spec = BuildSpec {
            dockerfile: Dockerfile::File("sub/Dockerfile".into()),
            ..BuildSpec::new(Context::Remote(url.into()))
        };
        let remote = state(&spec);
        assert_eq!(remote.local_path, url);
        assert_eq!(remote.dockerfile_path, "sub/Dockerfile");

        let input = state(&BuildSpec::new(Context::StandardInput));
        assert_eq!(input.local_path, "-");

        let default = state(&BuildSpec::new(Context::Directory("a".into())));
        assert_eq!(default.local_path, in_here("a"));
        assert_eq!(default.dockerfile_path, "");
    }
}
