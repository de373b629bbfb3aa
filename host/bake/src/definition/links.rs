//! Links: targets that are contexts of others, `contexts = {base = "target:base"}`.

use super::attributes::Setting;
use super::overrides::Overrides;
use super::target::apply;
use super::{BakeError, Definition, Entry, Selection};

/// The beginning of a context that is a target.
pub const PREFIX: &str = "target:";

impl Definition {
    /// Adds the targets that others link to. Their results stay in the build cache.
    pub(super) fn link(
        &self,
        selection: &mut Selection,
        overrides: &Overrides,
    ) -> Result<(), BakeError> {
        let names: Vec<String> = selection.targets.keys().cloned().collect();
        for name in names {
            self.link_target(&name, selection, overrides, &mut Vec::new())?;
        }
        Ok(())
    }

    fn link_target(
        &self,
        name: &str,
        selection: &mut Selection,
        overrides: &Overrides,
        around: &mut Vec<String>,
    ) -> Result<(), BakeError> {
        around.push(name.to_owned());
        let contexts = selection
            .targets
            .get(name)
            .map(|target| target.map("contexts"));
        for link in contexts
            .into_iter()
            .flatten()
            .filter_map(|(_, source)| source.strip_prefix(PREFIX).map(str::to_owned))
        {
            if link == name {
                return Err(BakeError::Invalid(format!(
                    "target {link} cannot link to itself"
                )));
            }
            if around.contains(&link) {
                return Err(BakeError::Invalid(format!(
                    "infinite loop from {name} to {link}"
                )));
            }
            if !selection.targets.contains_key(&link) {
                let mut linked = self.complete(&link, overrides)?;
                let output = Entry::of([("type", "cacheonly")]);
                linked
                    .settings
                    .insert("output", Setting::Entries(vec![output]));
                linked.is_linked = true;
                selection.targets.insert(link.clone(), linked);
            }
            self.link_target(&link, selection, overrides, around)?;
            let Some(linked) = selection.targets.get(&link) else {
                continue;
            };
            let entitlements = linked.texts("entitlements").to_vec();
            let platforms = linked.texts("platforms").to_vec();
            let Some(target) = selection.targets.get_mut(name) else {
                continue;
            };
            let own = target.texts("platforms");
            if own.len() > 1
                && platforms.len() > 1
                && own.iter().any(|platform| !platforms.contains(platform))
            {
                return Err(BakeError::Invalid(format!(
                    "target {link} can't be used by {name} because its platforms [{}] are not a subset of [{}]",
                    own.join(" "),
                    platforms.join(" ")
                )));
            }
            if !entitlements.is_empty() {
                apply(
                    &mut target.settings,
                    "entitlements",
                    Setting::Texts(entitlements),
                );
            }
        }
        around.pop();
        Ok(())
    }
}
