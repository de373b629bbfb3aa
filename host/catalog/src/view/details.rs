//! One driver in detail.

use iechor_sandbox::contract::{OptionKind, OptionSpec};
use schemars::JsonSchema;
use serde::Serialize;

use super::capability::{Capability, ForbiddenBy};
use crate::error::CatalogError;
use crate::loaded::{Loaded, Origin};

/// A driver in detail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct DriverDetails {
    /// What it calls itself.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// What it does, in a sentence.
    pub summary: String,
    /// Its author.
    pub vendor: Option<String>,
    /// Address of its home page.
    pub homepage: Option<String>,
    /// Its license.
    pub license: Option<String>,
    /// The source as the user gave it.
    pub source: String,
    /// Digest of its component.
    pub digest: String,
    /// The version of the contract that it was made for.
    pub contract: String,
    /// The name that it is installed under.
    pub installed_as: Option<String>,
    /// When it was installed, in RFC 3339.
    pub installed_at: Option<String>,
    /// What the source led to.
    pub pinned: Option<String>,
    /// What was granted to its digest.
    pub grants: Vec<String>,
    /// The rules of the policy about what it asks for.
    pub forbidden: Vec<ForbiddenBy>,
    /// The interfaces that it imports.
    pub imports: Vec<String>,
    /// Its options.
    pub options: Vec<DriverOption>,
    /// The capabilities that it asks for.
    pub capabilities: Vec<Capability>,
}

/// An option of a driver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct DriverOption {
    /// Its name.
    pub name: String,
    /// `text`, `boolean`, `integer`, `size`, `duration`, `table`, `file`, or the choices with `|`
    /// between them.
    pub kind: String,
    /// What it does.
    pub help: String,
    /// Its value where none is given.
    pub default: Option<String>,
    /// It must be given.
    pub required: bool,
    /// Its value is not shown.
    pub secret: bool,
    /// Why not to use it, and what to use instead.
    pub deprecated: Option<String>,
    /// It takes any names, as `NAME.KEY`.
    #[serde(skip)]
    pub is_table: bool,
}

impl DriverDetails {
    /// Asks a driver what it is.
    ///
    /// # Errors
    ///
    /// What went wrong in the driver.
    pub async fn of(loaded: &Loaded) -> Result<Self, CatalogError> {
        let driver = &loaded.driver;
        let said = driver.descriptor().await?;
        let entry = match &loaded.origin {
            Origin::Installed(entry) => Some(entry),
            Origin::BuiltIn | Origin::File(_) => None,
        };
        let requests = said.capabilities.iter();
        let forbidden =
            requests.flat_map(|request| ForbiddenBy::all(&loaded.policy, &request.name));
        Ok(Self {
            name: said.name.clone(),
            version: said.version.clone(),
            summary: said.summary.clone(),
            vendor: said.vendor.clone(),
            homepage: said.homepage.clone(),
            license: said.license.clone(),
            source: loaded.origin.to_string(),
            digest: driver.digest().to_owned(),
            contract: driver.contract().to_owned(),
            installed_as: entry.map(|entry| entry.name.clone()),
            installed_at: entry.map(|entry| entry.installed_at.clone()),
            pinned: entry.map(|entry| entry.pinned.clone()),
            grants: loaded.granted.iter().map(ToString::to_string).collect(),
            forbidden: forbidden.collect(),
            imports: driver.imports().to_vec(),
            options: said.options.iter().map(DriverOption::of).collect(),
            capabilities: Capability::all(&said.capabilities),
        })
    }
}

impl DriverOption {
    fn of(option: &OptionSpec) -> Self {
        Self {
            name: option.name.clone(),
            kind: match &option.kind {
                OptionKind::Text => "text".into(),
                OptionKind::Boolean => "boolean".into(),
                OptionKind::Integer => "integer".into(),
                OptionKind::Size => "size".into(),
                OptionKind::Duration => "duration".into(),
                OptionKind::Choice(choices) => choices.join("|"),
                OptionKind::Table => "table".into(),
                OptionKind::File => "file".into(),
            },
            help: option.help.clone(),
            default: option.default.clone(),
            required: option.required,
            secret: option.secret,
            deprecated: option.deprecated.clone(),
            is_table: matches!(option.kind, OptionKind::Table),
        }
    }
}
