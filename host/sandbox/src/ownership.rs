//! Which containers, volumes and networks belong to a node.
//!
//! Every object that a driver creates gets the labels of its node. A driver sees objects with these labels,
//! and objects with exactly the name that derives from the node and without such labels: a state volume
//! that was kept, or a builder that docker buildx created.

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

/// Separates the prefix of a node from the name that its driver gives to a further object. The names
/// of new nodes cannot contain it.
pub const SEPARATOR: &str = "..";
/// Suffix of the volume with a node's state, as in docker buildx.
pub const STATE: &str = "_state";
/// Longest name of an object: it is a file name with most engines, which have 255 bytes.
const NAME_BYTES: usize = 255;

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

/// The owner of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The node's own.
    Own,
    /// Somebody else's, with what the labels say about the owner.
    Foreign(String),
}

impl Owner {
    /// Returns the prefix of the names of the node's objects.
    pub fn base_name(&self) -> String {
        format!("buildx_buildkit_{}", self.node)
    }

    /// Returns the labels of what the node creates in the operation of that id, beside the driver's own.
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

    /// Returns the labels by which lists are narrowed to this node.
    pub fn filter(&self) -> Vec<(String, String)> {
        vec![
            (BUILDER_LABEL.into(), self.builder.clone()),
            (NODE_LABEL.into(), self.node.clone()),
        ]
    }

    /// Returns whether an object with these labels was made by a driver for this node.
    pub fn made(&self, labels: &BTreeMap<String, String>) -> bool {
        labels.get(BUILDER_LABEL) == Some(&self.builder)
            && labels.get(NODE_LABEL) == Some(&self.node)
    }

    /// Returns whether an object of that name with these labels belongs to the node.
    ///
    /// An object without labels of an owner belongs to the node whose name it has, as in docker buildx: the
    /// container `buildx_buildkit_<node>`, and the volume with the suffix `_state`.
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
                    ObjectKind::Volume => rest == Some(STATE),
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

    /// Checks the name of an object that is to be created.
    ///
    /// The container of the node is `buildx_buildkit_<node>`, and the volume with its state has the suffix
    /// `_state`. Every other object has [`SEPARATOR`] and a name that the driver chose as its suffix. The name of
    /// a node does not contain the separator, so no driver can take the name of another node's object.
    ///
    /// # Errors
    ///
    /// Why the name cannot be this node's.
    pub fn check_new_name(&self, kind: ObjectKind, name: &str) -> Result<(), String> {
        check_characters(name)?;
        let base = self.base_name();
        let rest = name.strip_prefix(&base);
        let is_derived = match (kind, rest) {
            (ObjectKind::Container, Some("")) | (ObjectKind::Volume, Some(STATE)) => true,
            (_, Some(rest)) => rest
                .strip_prefix(SEPARATOR)
                .is_some_and(|own| own.starts_with(|c: char| c.is_ascii_alphanumeric())),
            (_, None) => false,
        };
        if is_derived {
            return Ok(());
        }
        let fixed = match kind {
            ObjectKind::Container => format!("a container of this node is called {base}, or"),
            ObjectKind::Volume => format!("a volume of this node is called {base}{STATE}, or"),
            ObjectKind::Network | ObjectKind::Image => format!("a {kind} of this node is called"),
        };
        Err(format!("{fixed} {base}{SEPARATOR}NAME, not {name:?}"))
    }

    /// Checks a name to look for, before the engine is asked. [`Self::judge`] decides by the labels whether
    /// the object belongs to the node: an older driver may have created it with `_` in place of
    /// [`SEPARATOR`].
    ///
    /// # Errors
    ///
    /// Why no object of that name can be this node's.
    pub fn check_name(&self, name: &str) -> Result<(), String> {
        check_characters(name)?;
        let base = self.base_name();
        match name.strip_prefix(&base) {
            Some(rest) if rest.is_empty() || rest.starts_with('_') => Ok(()),
            Some(rest) if rest.starts_with(SEPARATOR) => Ok(()),
            _ => Err(format!(
                "names of this node are {base} or begin with {base}{SEPARATOR}, not {name:?}"
            )),
        }
    }
}

fn check_characters(name: &str) -> Result<(), String> {
    let characters = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let starts = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !starts || !name.chars().all(characters) || name.len() > NAME_BYTES {
        return Err(format!(
            "{name:?} is not a name: letters, digits, '_', '.' and '-', at most {NAME_BYTES}"
        ));
    }
    Ok(())
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

    fn node(name: &str) -> Owner {
        Owner {
            node: name.into(),
            ..owner()
        }
    }

    #[test]
    fn names_that_are_not_the_nodes_are_refused() {
        for name in [
            "buildx_buildkit_b0",
            "buildx_buildkit_b0_state",
            "buildx_buildkit_b0..x.1",
            // Of a driver of before the separator.
            "buildx_buildkit_b0_x.1",
        ] {
            assert_eq!(owner().check_name(name), Ok(()), "{name}");
        }
        let long = format!("buildx_buildkit_b0..{}", "x".repeat(300));
        for name in [
            "",
            "b0",
            "../b0",
            "buildx_buildkit_b01",
            "buildx_buildkit_b0.x",
            "buildx_buildkit_b0/../x",
            "buildx_buildkit_b0?force=1",
            "buildx_buildkit_c0",
            "buildx_buildkit_b0 x",
            "-buildx_buildkit_b0",
            "buildx_buildkit_b0\n",
            &long,
        ] {
            assert!(owner().check_name(name).is_err(), "{name}");
            for kind in [
                ObjectKind::Container,
                ObjectKind::Volume,
                ObjectKind::Network,
            ] {
                assert!(owner().check_new_name(kind, name).is_err(), "{name}");
            }
        }
    }

    #[test]
    fn each_kind_has_names_of_its_own() {
        use ObjectKind::{Container, Network, Volume};
        for (kind, name, is_own) in [
            (Container, "buildx_buildkit_b0", true),
            // The container of a node b0_state.
            (Container, "buildx_buildkit_b0_state", false),
            (Container, "buildx_buildkit_b0_x", false),
            (Container, "buildx_buildkit_b0..x", true),
            (Container, "buildx_buildkit_b0..", false),
            (Container, "buildx_buildkit_b0...x", false),
            // The state of a node b.
            (Volume, "buildx_buildkit_b0", false),
            (Volume, "buildx_buildkit_b0_state", true),
            (Volume, "buildx_buildkit_b0_x", false),
            (Volume, "buildx_buildkit_b0_x_state", false),
            (Volume, "buildx_buildkit_b0..x_state", true),
            (Network, "buildx_buildkit_b0", false),
            (Network, "buildx_buildkit_b0_state", false),
            (Network, "buildx_buildkit_b0..x", true),
        ] {
            let checked = owner().check_new_name(kind, name);
            assert_eq!(checked.is_ok(), is_own, "{kind} {name}");
        }
    }

    #[test]
    fn no_two_nodes_have_a_name_in_common() {
        // What is left of a name where it may be anything.
        let parts = ["", "x", "0", "_", "-", ".", "_state", "..", "..x", "_y0"];
        let mut names = vec!["x".to_owned()];
        for _ in 0..3 {
            let longer = names.iter().flat_map(|name| {
                let appended = parts.iter().map(move |part| format!("{name}{part}"));
                appended.collect::<Vec<_>>()
            });
            names = longer.collect();
            names.sort_unstable();
            names.dedup();
        }
        let nodes: Vec<_> = names
            .iter()
            .filter(|name| !name.contains(SEPARATOR))
            .map(|name| node(name))
            .collect();
        for kind in [
            ObjectKind::Container,
            ObjectKind::Volume,
            ObjectKind::Network,
        ] {
            for name in &names {
                let name = format!("buildx_buildkit_{name}");
                let owners = nodes
                    .iter()
                    .filter(|node| node.check_new_name(kind, &name).is_ok());
                let owners: Vec<_> = owners.map(|owner| &owner.node).collect();
                assert!(owners.len() <= 1, "{kind} {name}: {owners:?}");
            }
        }
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
