//! Attestations: documents about a build that are stored with its image.

use std::collections::BTreeMap;

use iechor_values::csv;

use super::error::AttestationProblem;
use super::faults::Faults;
use super::value::{Attributes, boolean};

/// The name of the provenance: a document about the sources and steps of a build.
pub const PROVENANCE: &str = "provenance";

/// The name of the bill of materials: a document about the packages in an image.
pub const SBOM: &str = "sbom";

/// The provenance that is attached unless the build has a setting for it. docker buildx has the same
/// default.
const DEFAULT_PROVENANCE: &str = "mode=min,inline-only=true";

/// Settings of attestations by type; `None` for an attestation that is turned off.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attestations(BTreeMap<String, Option<Attributes>>);

impl Attestations {
    /// Adds an attestation of the form `type=TYPE,KEY=VALUE,...`. The first one of a type counts, as in
    /// docker buildx.
    ///
    /// # Errors
    ///
    /// Returns all faults.
    pub fn add(&mut self, text: &str) -> Result<(), Vec<AttestationProblem>> {
        let fields = csv::fields(text).map_err(|error| vec![AttestationProblem::Csv(error)])?;
        let mut faults = Faults::default();
        let mut kind = None;
        let mut is_off = false;
        let mut is_unread = false;
        let mut attributes = Attributes::new();
        for field in fields {
            let Some((key, value)) = field.split_once('=') else {
                is_unread = true;
                faults.note(AttestationProblem::Value { field });
                continue;
            };
            match key.trim().to_ascii_lowercase() {
                key if key == "type" => kind = Some(value.to_owned()),
                key if key == "disabled" => match boolean(value) {
                    Some(off) => is_off = off,
                    None => faults.note(AttestationProblem::Value { field }),
                },
                key => drop(attributes.insert(key, value.to_owned())),
            }
        }
        let kind = kind.unwrap_or_default();
        // A field that was not read may be the type.
        if kind.is_empty() && !is_unread {
            faults.note(AttestationProblem::NoType);
        }
        faults.check(())?;
        self.0
            .entry(kind)
            .or_insert_with(|| (!is_off).then_some(attributes));
        Ok(())
    }

    /// Adds the short form of an attestation: a boolean turns it on or off, other texts are its options.
    ///
    /// # Errors
    ///
    /// Returns all faults.
    pub fn add_short(&mut self, kind: &str, text: &str) -> Result<(), Vec<AttestationProblem>> {
        match boolean(text) {
            Some(is_on) => self.add(&format!("type={kind},disabled={}", !is_on)),
            None => self.add(&format!("type={kind},{text}")),
        }
    }

    /// Returns whether an attestation is requested.
    pub fn is_any(&self) -> bool {
        self.0.values().any(Option::is_some)
    }

    /// Returns whether there is a setting for the provenance.
    pub fn has_provenance_setting(&self) -> bool {
        self.0.contains_key(PROVENANCE)
    }

    /// Returns the options of the frontend that request the attestations. `has_default` states whether the
    /// default provenance is attached.
    pub fn options(&self, has_default: bool) -> BTreeMap<String, String> {
        let name = |kind: &str| format!("attest:{kind}");
        let mut options = BTreeMap::new();
        for (kind, attributes) in &self.0 {
            if let Some(attributes) = attributes {
                let pairs = attributes
                    .iter()
                    .map(|(key, value)| (key.as_str(), value.as_str()));
                let pairs = std::iter::once(("type", kind.as_str())).chain(pairs);
                let fields: Vec<_> = pairs.map(|(key, value)| field(key, value)).collect();
                options.insert(name(kind), fields.join(","));
            }
        }
        if has_default && !self.has_provenance_setting() {
            options.insert(name(PROVENANCE), DEFAULT_PROVENANCE.to_owned());
        }
        options
    }
}

/// Returns a field of CSV.
fn field(key: &str, value: &str) -> String {
    let field = format!("{key}={value}");
    match field.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(options: BTreeMap<String, String>) -> Vec<String> {
        let pairs = options.into_iter();
        pairs
            .map(|(key, value)| format!("{key}: {value}"))
            .collect()
    }

    #[test]
    fn attestations_become_options_of_the_frontend() {
        let mut attestations = Attestations::default();
        assert!(!attestations.is_any());
        let default = ["attest:provenance: mode=min,inline-only=true"];
        assert_eq!(pairs(attestations.options(true)), default);
        assert!(attestations.options(false).is_empty());

        attestations
            .add("type=sbom,\"generator=a,b\",X=1")
            .expect("well-formed");
        attestations
            .add("type=sbom,generator=other")
            .expect("ignored");
        attestations.add_short(SBOM, "false").expect("ignored");
        attestations
            .add_short(PROVENANCE, "mode=max")
            .expect("well-formed");
        assert!(attestations.is_any() && attestations.has_provenance_setting());
        assert_eq!(
            pairs(attestations.options(true)),
            [
                "attest:provenance: type=provenance,mode=max",
                "attest:sbom: type=sbom,\"generator=a,b\",x=1",
            ]
        );

        let mut off = Attestations::default();
        off.add_short(PROVENANCE, "0").expect("well-formed");
        assert!(!off.is_any() && off.has_provenance_setting());
        assert!(off.options(true).is_empty());
        let mut on = Attestations::default();
        on.add_short(SBOM, "T").expect("well-formed");
        assert_eq!(pairs(on.options(false)), ["attest:sbom: type=sbom"]);
    }

    #[test]
    fn mistakes_are_named() {
        for (text, words) in [
            ("type=sbom,generator", "invalid value generator"),
            ("type=sbom,disabled=no", "invalid value disabled=no"),
            ("generator=x", "attestation type not specified"),
            ("type=", "attestation type not specified"),
            ("type=sbom,\"x", "invalid attestation: "),
        ] {
            let errors = Attestations::default().add(text).expect_err(text);
            assert_eq!(errors.len(), 1, "{errors:?}");
            assert!(errors[0].to_string().starts_with(words), "{errors:?}");
        }
        for text in ["type=sbom,x,disabled=no", "disabled=no,y=z", "x,y"] {
            let errors = Attestations::default().add(text);
            assert_eq!(errors.expect_err(text).len(), 2);
        }
    }
}
