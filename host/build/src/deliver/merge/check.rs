//! The check that the outputs of several nodes can be merged.

use crate::plan::exports::Export;
use crate::plan::{NodePlan, PlanError};

/// The outputs of a node, as far as others have to have the same.
pub(super) struct Exporting<'a> {
    node: &'a str,
    builds_into_engine: bool,
    exports: &'a [Export],
}

impl<'a> Exporting<'a> {
    pub(super) fn of(node: &'a NodePlan) -> Self {
        Self {
            node: &node.node.name,
            builds_into_engine: node.builds_into_engine,
            exports: &node.exports,
        }
    }

    fn pushes(&self) -> bool {
        let mut exports = self.exports.iter();
        exports.any(|export| {
            !export.engine_pushes.is_empty() || export.attributes.contains_key("push")
        })
    }

    fn has_equal(&self, other: &Self) -> bool {
        let shape = |node: &Self| -> Vec<_> {
            let exports = node.exports.iter();
            let shape = exports.map(|export| (export.kind, export.delivery.clone()));
            shape.collect()
        };
        shape(self) == shape(other)
    }
}

/// Checks that the outputs of the nodes can be merged.
///
/// # Errors
///
/// Returns the nodes whose outputs differ, or an error if engines would push their own images.
pub(super) fn check(nodes: &[Exporting<'_>]) -> Result<(), PlanError> {
    let Some((first, others)) = nodes.split_first() else {
        return Ok(());
    };
    let mut all = nodes.iter();
    if all.any(|node| node.builds_into_engine) && first.pushes() {
        return Err(PlanError::SeveralEnginesPush);
    }
    match others.iter().find(|other| !other.has_equal(first)) {
        Some(other) => Err(PlanError::UnequalNodes {
            first: first.node.to_owned(),
            other: other.node.to_owned(),
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::exports::Delivery;

    #[test]
    fn only_equal_outputs_are_merged() {
        let export = |kind: &'static str, attributes: &[(&str, &str)], pushes: &[&str]| Export {
            kind,
            attributes: attributes
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            delivery: Delivery::None,
            engine_pushes: pushes.iter().map(|name| (*name).to_owned()).collect(),
        };
        let checked = |exports: [&[Export]; 2], builds_into_engine: bool| {
            let nodes = ["a", "b"].into_iter().zip(exports);
            let nodes = nodes.map(|(node, exports)| Exporting {
                node,
                builds_into_engine,
                exports,
            });
            check(&nodes.collect::<Vec<_>>())
        };
        let image = [export("image", &[("push", "true")], &[])];
        let local = [export("local", &[], &[])];
        assert_eq!(checked([&image, &image], false), Ok(()));
        assert_eq!(checked([&local, &local], true), Ok(()));
        let unequal = Err(PlanError::UnequalNodes {
            first: "a".into(),
            other: "b".into(),
        });
        assert_eq!(checked([&image, &local], false), unequal);
        assert_eq!(checked([&image, &[]], false), unequal);
        for pushed in [
            export("moby", &[("push", "true")], &[]),
            export("moby", &[], &["demo"]),
        ] {
            let pushed = [pushed];
            let refused = checked([&pushed, &pushed], true);
            assert_eq!(refused, Err(PlanError::SeveralEnginesPush));
        }
    }
}
