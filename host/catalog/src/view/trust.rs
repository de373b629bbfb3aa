//! What a driver is trusted with.

use iechor_sandbox::grant::scope;
use schemars::JsonSchema;
use serde::Serialize;

use super::capability::{Capability, ForbiddenBy};
use crate::error::CatalogError;
use crate::loaded::Loaded;

/// The grants and requests of a driver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Trust {
    /// Name of the driver, as the user gave it.
    pub name: String,
    /// Digest of the component of the driver.
    pub digest: String,
    /// Whether the driver is built in, so that it may use everything that it requests.
    pub built_in: bool,
    /// Grants of the digest of the driver.
    pub grants: Vec<String>,
    /// Grants of the digest that have no effect.
    pub useless: Vec<String>,
    /// Capabilities that the driver requests.
    pub requests: Vec<TrustRequest>,
    /// What is wrong with each of the grants in `useless`.
    #[serde(skip)]
    pub useless_reasons: Vec<String>,
}

/// A capability that a driver requests, and whether the driver may use it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct TrustRequest {
    /// Name of the capability.
    pub name: String,
    /// Patterns of the objects that the driver requests the capability for. Empty means all
    /// objects.
    pub scope: Vec<String>,
    /// Whether the scope matches all objects.
    pub any: bool,
    /// Whether the driver needs the capability to work.
    pub required: bool,
    /// Whether the capability gives control over the machine of the engine.
    pub high_risk: bool,
    /// Why the driver requests the capability, in its own words.
    pub reason: String,
    /// Whether the capability is granted, at least for some objects.
    pub granted: bool,
    /// Rule of the policy that forbids the capability. Null if no rule does.
    pub forbidden: Option<ForbiddenBy>,
    /// The scopes that it is granted for, in words.
    #[serde(skip)]
    pub granted_scopes: Vec<String>,
    /// Its place in the order in which to decide about grants.
    #[serde(skip)]
    pub review_rank: usize,
}

impl Trust {
    /// Asks a driver what it is to be trusted with.
    ///
    /// # Errors
    ///
    /// What went wrong in the driver.
    pub async fn of(loaded: &Loaded) -> Result<Self, CatalogError> {
        let requests = Capability::all(&loaded.driver.descriptor().await?.capabilities);
        let built_in = loaded.own_digest().is_none();
        let (useless, useless_reasons) = loaded.useless.iter().cloned().unzip();
        Ok(Self {
            name: loaded.driver.name().to_owned(),
            digest: loaded.driver.digest().to_owned(),
            built_in,
            grants: loaded.granted.iter().map(ToString::to_string).collect(),
            useless,
            requests: requests
                .into_iter()
                .map(|request| TrustRequest::of(loaded, built_in, request))
                .collect(),
            useless_reasons,
        })
    }
}

impl TrustRequest {
    fn of(loaded: &Loaded, built_in: bool, request: Capability) -> Self {
        let grants = loaded.granted.iter();
        let granted_scopes: Vec<_> = grants
            .filter(|grant| grant.name == request.name)
            .map(|grant| scope(&grant.name, &grant.scope))
            .collect();
        Self {
            granted: built_in || !granted_scopes.is_empty(),
            forbidden: ForbiddenBy::all(&loaded.policy, &request.name)
                .into_iter()
                .next(),
            granted_scopes,
            name: request.name,
            scope: request.scope,
            any: request.any,
            required: request.required,
            high_risk: request.high_risk,
            reason: request.reason,
            review_rank: request.review_rank,
        }
    }
}
