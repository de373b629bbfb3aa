//! Which containers, volumes and networks belong to a node.
//!
//! Whatever a driver creates gets the labels of its node. A driver sees what carries them, and
//! what has exactly the name that derives from the node and carries no such label of anyone: a
//! state volume that was kept, or a builder that docker buildx made.

use std::collections::BTreeMap;

use iechor_engine::ObjectKind;

/// Label with the builder's name.
pub const BUILDER_LABEL: &str = "dev.iechor.builder";
/// Label with the node's name.
pub const NODE_LABEL: &str = "dev.iechor.node";
/// Label with the driver's name.
pub const DRIVER_LABEL: &str = "dev.iechor.driver";
/// Label with the id of the operation that created the object.
pub const OPERATION_LABEL: &str = "dev.iechor.operation";
/// Label of containers that says who decided what runs there: `image`, or `command` where a driver
/// may have. No driver can set it.
pub const RUNS_LABEL: &str = "dev.iechor.runs";

/// A node, as objects of the engine are labelled with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The builder.
    pub builder: String,
    /// The node, unique on its engine.
    pub node: String,
    /// The driver.
    pub driver: String,
}

/// Whose an object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The node's own.
    Own,
    /// Somebody else's; who, as far as its labels say.
    Foreign(String),
}

impl Owner {
    /// The name that everything of the node begins with.
    pub fn base_name(&self) -> String {
        format!("buildx_buildkit_{}", self.node)
    }

    /// The labels of what the node creates in the operation of that id, beside the driver's own.
    pub fn labels(
        &self,
        operation: &str,
        own: impl IntoIterator<Item = (String, String)>,
    ) -> BTreeMap<String, String> {
        let mut labels: BTreeMap<_, _> = own.into_iter().collect();
        // Last, so that a driver cannot pass for another.
        labels.insert(BUILDER_LABEL.into(), self.builder.clone());
        labels.insert(NODE_LABEL.into(), self.node.clone());
        labels.insert(DRIVER_LABEL.into(), self.driver.clone());
        labels.insert(OPERATION_LABEL.into(), operation.into());
        labels
    }

    /// The labels by which lists are narrowed to this node.
    pub fn filter(&self) -> Vec<(String, String)> {
        vec![
            (BUILDER_LABEL.into(), self.builder.clone()),
            (NODE_LABEL.into(), self.node.clone()),
        ]
    }

    /// Whether an object with these labels was made by a driver for this node.
    pub fn made(&self, labels: &BTreeMap<String, String>) -> bool {
        labels.get(BUILDER_LABEL) == Some(&self.builder)
            && labels.get(NODE_LABEL) == Some(&self.node)
    }

    /// Whether an object of that name with these labels belongs to the node.
    ///
    /// What carries no label of anybody belongs to whose name it has, as docker buildx names things: a
    /// container `buildx_buildkit_<node>`, a volume with `_state` behind that.
    pub fn judge(
        &self,
        kind: ObjectKind,
        name: &str,
        labels: &BTreeMap<String, String>,
    ) -> Verdict {
        match (labels.get(BUILDER_LABEL), labels.get(NODE_LABEL)) {
            (None, None) => {
                let rest = name.strip_prefix(&self.base_name());
                let is_own = match kind {
                    ObjectKind::Container => rest == Some(""),
                    ObjectKind::Volume => rest == Some("_state"),
                    ObjectKind::Network | ObjectKind::Image => false,
                };
                if is_own {
                    Verdict::Own
                } else {
                    Verdict::Foreign("it carries no label of this builder".into())
                }
            }
            _ if self.made(labels) => Verdict::Own,
            (builder, node) => Verdict::Foreign(format!(
                "it belongs to node {} of builder {}",
                node.map_or("?", String::as_str),
                builder.map_or("?", String::as_str),
            )),
        }
    }

    /// Checks a name before anything is asked of the engine by it.
    ///
    /// # Errors
    ///
    /// Why the name cannot be this node's.
    pub fn check_name(&self, name: &str) -> Result<(), String> {
        let characters = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        let starts = name.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !starts || !name.chars().all(characters) || name.len() > 200 {
            return Err(format!(
                "{name:?} is not a name: letters, digits, '_', '.' and '-', at most 200"
            ));
        }
        let base = self.base_name();
        match name.strip_prefix(&base) {
            Some(rest) if rest.is_empty() || rest.starts_with('_') => Ok(()),
            _ => Err(format!(
                "names of this node are {base} or begin with {base}_, not {name:?}"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> Owner {
        Owner {
            builder: "b".into(),
            node: "b0".into(),
            driver: "d".into(),
        }
    }

    #[test]
    fn names_that_are_not_the_nodes_are_refused() {
        for name in [
            "buildx_buildkit_b0",
            "buildx_buildkit_b0_state",
            "buildx_buildkit_b0_x.1",
        ] {
            assert_eq!(owner().check_name(name), Ok(()), "{name}");
        }
        for name in [
            "",
            "b0",
            "../b0",
            "buildx_buildkit_b01",
            "buildx_buildkit_b0/../x",
            "buildx_buildkit_b0?force=1",
            "buildx_buildkit_c0",
            "buildx_buildkit_b0 x",
            "-buildx_buildkit_b0",
            "buildx_buildkit_b0\n",
        ] {
            assert!(owner().check_name(name).is_err(), "{name}");
        }
        assert!(
            owner()
                .check_name(&format!("buildx_buildkit_b0_{}", "x".repeat(300)))
                .is_err()
        );
    }

    #[test]
    fn labels_decide_and_bare_names_are_adopted() {
        let own = owner().labels("1", [(BUILDER_LABEL.to_owned(), "other".to_owned())]);
        assert_eq!(
            owner().judge(ObjectKind::Network, "anything", &own),
            Verdict::Own
        );
        let bare = BTreeMap::new();
        let bare_is_own = |kind, name| owner().judge(kind, name, &bare) == Verdict::Own;
        let (base, state) = ("buildx_buildkit_b0", "buildx_buildkit_b0_state");
        assert!(bare_is_own(ObjectKind::Container, base));
        assert!(bare_is_own(ObjectKind::Volume, state));
        // The container of a node that is called b0_state.
        assert!(!bare_is_own(ObjectKind::Container, state));
        assert!(!bare_is_own(ObjectKind::Volume, base));
        assert!(!bare_is_own(ObjectKind::Network, base));
        assert!(matches!(
            owner().judge(ObjectKind::Container, "buildx_buildkit_b0_more", &bare),
            Verdict::Foreign(_)
        ));
        assert!(matches!(
            owner().judge(ObjectKind::Container, "postgres", &bare),
            Verdict::Foreign(_)
        ));
        let other = Owner {
            builder: "c".into(),
            ..owner()
        }
        .labels("1", []);
        assert!(matches!(
            owner().judge(ObjectKind::Container, "buildx_buildkit_b0", &other),
            Verdict::Foreign(_)
        ));
    }
}
