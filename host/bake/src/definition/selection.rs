//! The targets that are requested, complete with what they inherit and with overrides.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::attributes::{Attributes, Setting};
use super::overrides::{self, Overrides};
use super::target::apply;
use super::{BakeError, Definition, Group};
use crate::glob;
use crate::path;

/// The requested targets and groups.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// The groups, by name. The group `default` has what was requested.
    pub groups: BTreeMap<String, Group>,
    /// The targets, by name.
    pub targets: BTreeMap<String, SelectedTarget>,
}

/// A complete target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectedTarget {
    /// The settings. Context and Dockerfile are always there.
    pub settings: Attributes,
    /// Whether the target was not requested, but another one uses its result.
    pub is_linked: bool,
}

impl SelectedTarget {
    /// Returns a setting that is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.settings.get(name) {
            Some(Setting::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Returns a setting that is a list of texts.
    pub fn texts(&self, name: &str) -> &[String] {
        match self.settings.get(name) {
            Some(Setting::Texts(texts)) => texts,
            _ => &[],
        }
    }

    /// Returns a setting that has texts by name.
    pub fn map(&self, name: &str) -> BTreeMap<String, String> {
        match self.settings.get(name) {
            Some(Setting::Map(map)) => map.clone(),
            _ => BTreeMap::new(),
        }
    }

    /// Returns a setting that is a list of options.
    pub fn entries(&self, name: &str) -> &[super::Entry] {
        match self.settings.get(name) {
            Some(Setting::Entries(entries)) => entries,
            _ => &[],
        }
    }

    /// Returns a setting that is true or false.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.settings.get(name), Some(Setting::Flag(true)))
    }
}

impl Definition {
    /// Selects targets by the names and patterns of targets and groups, and applies overrides. `variable`
    /// returns a variable of the environment.
    ///
    /// # Errors
    ///
    /// Returns the first fault.
    pub fn select(
        &self,
        requested: &[String],
        overrides: &[String],
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Selection, BakeError> {
        let overrides = overrides::parse(self, overrides, variable)?;
        let mut names: Vec<String> = Vec::new();
        for pattern in requested {
            for name in self.matching(&pattern.replace('.', "_"))? {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        let mut selection = Selection::default();
        for name in &names {
            let mut found = Found::default();
            self.members(name, &mut found);
            for target in found.targets {
                if let Entry::Vacant(vacant) = selection.targets.entry(target) {
                    let selected = self.complete(vacant.key(), &overrides)?;
                    vacant.insert(selected);
                }
            }
            for group in found.groups {
                if let Some(group) = self.group(&group) {
                    selection.groups.insert(group.name.clone(), group.clone());
                }
            }
        }
        for name in &names {
            if name == "default" && selection.groups.contains_key("default") {
                continue;
            }
            let group = selection
                .groups
                .entry("default".to_owned())
                .or_insert_with(|| Group {
                    name: "default".to_owned(),
                    description: None,
                    targets: Vec::new(),
                });
            group.targets.push(name.clone());
        }
        if let Some(group) = selection.groups.get_mut("default") {
            group.targets.sort();
            group.targets.dedup();
        }
        self.link(&mut selection, &overrides)?;
        if let Some(epoch) = variable("SOURCE_DATE_EPOCH").filter(|epoch| !epoch.is_empty()) {
            for target in selection.targets.values_mut() {
                let args = target
                    .settings
                    .entry("args")
                    .or_insert_with(|| Setting::Map(BTreeMap::new()));
                if let Setting::Map(args) = args {
                    args.entry("SOURCE_DATE_EPOCH".to_owned())
                        .or_insert_with(|| epoch.clone());
                }
            }
        }
        Ok(selection)
    }

    /// Returns the groups and targets that a pattern matches. A name without a pattern need not exist.
    fn matching(&self, pattern: &str) -> Result<Vec<String>, BakeError> {
        if !pattern.contains(['*', '?', '[', ']']) {
            return Ok(vec![pattern.to_owned()]);
        }
        let groups = self.groups.iter().map(|group| &group.name);
        let all = groups.chain(self.targets.iter().map(|target| &target.name));
        let names: Vec<String> = all
            .filter(|name| glob::matches(pattern, name) == Some(true))
            .cloned()
            .collect();
        match names.is_empty() {
            true => Err(BakeError::NoMatch {
                pattern: pattern.to_owned(),
                is_override: false,
            }),
            false => Ok(names),
        }
    }

    /// Finds the targets and groups within a group. What is no group is a target.
    fn members(&self, name: &str, found: &mut Found) {
        match self.group(name) {
            Some(group) if found.seen.insert(name.to_owned()) => {
                found.groups.push(name.to_owned());
                for member in &group.targets {
                    // A group that contains itself is requested as a target, which does not exist.
                    if found.around.contains(member) || member == name {
                        found.targets.push(member.clone());
                        continue;
                    }
                    found.around.push(name.to_owned());
                    self.members(member, found);
                    found.around.pop();
                }
            }
            Some(_) => {}
            None if found.targets.iter().any(|target| target == name) => {}
            None => found.targets.push(name.to_owned()),
        }
    }

    /// Returns a target with everything that it inherits, and with the overrides.
    pub(super) fn complete(
        &self,
        name: &str,
        overrides: &Overrides,
    ) -> Result<SelectedTarget, BakeError> {
        let mut visited = BTreeMap::new();
        let mut settings = self
            .inherited(name, overrides, &mut visited)?
            .unwrap_or_default();
        settings
            .entry("context")
            .or_insert_with(|| Setting::Text(".".to_owned()));
        match settings.get("dockerfile") {
            Some(Setting::Text(text)) if !text.is_empty() => {}
            _ => {
                settings.insert("dockerfile", Setting::Text("Dockerfile".to_owned()));
            }
        }
        let mut target = SelectedTarget {
            settings,
            is_linked: false,
        };
        check_stdin(&target)?;
        let context = resolved_context(target.text("context").unwrap_or_default());
        target.settings.insert("context", Setting::Text(context));
        Ok(target)
    }

    /// Returns the settings of a target after those of its parents, in their order. A parent that is being
    /// completed already is skipped.
    fn inherited(
        &self,
        name: &str,
        overrides: &Overrides,
        visited: &mut BTreeMap<String, Option<Attributes>>,
    ) -> Result<Option<Attributes>, BakeError> {
        if let Some(known) = visited.get(name) {
            return Ok(known.clone());
        }
        let Some(target) = self.target(name) else {
            return Err(self.no_target(name));
        };
        visited.insert(name.to_owned(), None);
        let mut settings = Attributes::new();
        for parent in &target.inherits {
            for (name, setting) in self
                .inherited(parent, overrides, visited)?
                .into_iter()
                .flatten()
            {
                apply(&mut settings, name, setting);
            }
        }
        for (name, setting) in &target.attributes {
            apply(&mut settings, name, setting.clone());
        }
        if let Some(overrides) = overrides.get(name) {
            overrides::override_target(&mut settings, overrides)?;
        }
        normalise(&mut settings);
        visited.insert(name.to_owned(), Some(settings.clone()));
        Ok(Some(settings))
    }
}

/// What was found in groups.
#[derive(Default)]
struct Found {
    targets: Vec<String>,
    groups: Vec<String>,
    seen: BTreeSet<String>,
    /// The groups around the current one.
    around: Vec<String>,
}

/// Removes contexts without a value, and adds the entitlement that a network needs.
fn normalise(settings: &mut Attributes) {
    if let Some(Setting::Map(contexts)) = settings.get_mut("contexts") {
        contexts.retain(|_, source| !source.is_empty());
    }
    if settings.get("network") == Some(&Setting::Text("host".to_owned())) {
        let host = Setting::Texts(vec!["network.host".to_owned()]);
        apply(settings, "entitlements", host);
    }
}

fn check_stdin(target: &SelectedTarget) -> Result<(), BakeError> {
    for name in ["context", "dockerfile"] {
        if target.text(name) == Some("-") {
            return Err(BakeError::Invalid(format!(
                "{name} from stdin not allowed in bake"
            )));
        }
    }
    Ok(())
}

/// Returns the context as it is used: local paths are cleaned, and relative to the working directory.
fn resolved_context(context: &str) -> String {
    match context.strip_prefix("cwd://") {
        Some(path) => path::clean(path),
        None if iechor_build::spec::url::is_remote(context) => context.to_owned(),
        None => path::clean(context),
    }
}
