//! `type=image` and `type=registry`: the image, in BuildKit's store or in a registry.

use super::fields::Fields;
use crate::spec::value::Attributes;

/// An exporter that creates an image in BuildKit's store, or pushes it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Image {
    /// Names of the image. The tags of the build replace them.
    pub names: Vec<String>,
    /// Whether the image is pushed to the registries of its names.
    pub push: bool,
    /// Whether it is pushed without tags.
    pub push_by_digest: bool,
    /// Other options.
    pub attributes: Attributes,
}

impl Image {
    /// Returns the exporter that only pushes an image to its registry.
    pub fn only_to_push() -> Self {
        let mut image = Self::default();
        image.push();
        image
    }

    /// Pushes the image. It is not unpacked in BuildKit, unless an option states it.
    pub fn push(&mut self) {
        self.push = true;
        let unpack = self.attributes.entry("unpack".to_owned());
        unpack.or_insert_with(|| "false".to_owned());
    }

    pub(super) fn read(fields: &mut Fields) -> Self {
        Self::read_as("image", fields, false)
    }

    /// Parses `type=registry`: an image that is pushed unless `push` is false.
    pub(super) fn read_registry(fields: &mut Fields) -> Self {
        Self::read_as("registry", fields, true)
    }

    fn read_as(kind: &'static str, fields: &mut Fields, push: bool) -> Self {
        fields.check_no_destination(kind);
        let mut image = Self {
            names: fields.take_names(),
            push: fields.take_switch(kind, "push").unwrap_or(push),
            push_by_digest: fields
                .take_switch(kind, "push-by-digest")
                .unwrap_or_default(),
            attributes: fields.rest(),
        };
        if push && image.push {
            image.push();
        }
        image
    }
}
