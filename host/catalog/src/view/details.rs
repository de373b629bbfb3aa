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
    /// Name that the driver gives itself.
    pub name: String,
    /// Version of the driver.
    pub version: String,
    /// What the driver does, in one sentence.
    pub summary: String,
    /// Author of the driver. Null if the driver does not name one.
    pub vendor: Option<String>,
    /// Address of the home page of the driver. Null if the driver does not name one.
    pub homepage: Option<String>,
    /// License of the driver. Null if the driver does not name one.
    pub license: Option<String>,
    /// Source of the driver, as the user gave it.
    pub source: String,
    /// Digest of the component of the driver.
    pub digest: String,
    /// Version of the contract that the driver was made for.
    pub contract: String,
    /// Name under which the driver is installed. Null if it is not installed.
    pub installed_as: Option<String>,
    /// Time of the installation, in RFC 3339. Null if the driver is not installed.
    pub installed_at: Option<String>,
    /// What the source led to at the time of the installation. Null if the driver is not installed.
    pub pinned: Option<String>,
    /// Grants of the digest of the driver.
    pub grants: Vec<String>,
    /// Rules of the policy that forbid what the driver requests.
    pub forbidden: Vec<ForbiddenBy>,
    /// Interfaces that the component imports.
    pub imports: Vec<String>,
    /// Options of the driver.
    pub options: Vec<DriverOption>,
    /// Capabilities that the driver requests.
    pub capabilities: Vec<Capability>,
}

/// An option of a driver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct DriverOption {
    /// Name of the option.
    pub name: String,
    /// Kind of the value: `text`, `boolean`, `integer`, `size`, `duration`, `table` or `file`. If
    /// the value is one of several choices, the choices separated by `|`.
    pub kind: String,
    /// What the option does.
    pub help: String,
    /// Value if the option is not given. Null if there is none.
    pub default: Option<String>,
    /// Whether the option must be given.
    pub required: bool,
    /// Whether the value is secret and therefore never shown.
    pub secret: bool,
    /// Why the option should not be used, and what to use instead. Null if it is not deprecated.
    pub deprecated: Option<String>,
    /// Whether it takes any names, as `NAME.KEY`.
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
