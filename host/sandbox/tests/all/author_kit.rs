//! What the crate for authors says of the host is true of it, and of the contract.

use std::path::Path;

use iechor_driver::testing::description_faults;
use iechor_driver::{CapabilityRequest, Descriptor, OptionKind, OptionSpec, values};
use iechor_sandbox::contract;
use iechor_sandbox::grant::CATALOGUE;
use iechor_values::image::Reference;
use serde_json::Value;

#[test]
fn authors_are_told_of_every_capability() {
    let known: Vec<_> = CATALOGUE.iter().map(|capability| capability.name).collect();
    assert_eq!(iechor_driver::capability::NAMES, known);
    let template = include_str!("../../../../drivers/templates/python/README.md");
    for name in known {
        assert!(template.contains(&format!("`{name}`")), "{name}");
    }
}

/// A description of the cases: what it does not say is in order.
fn descriptor(case: &Value) -> Descriptor {
    let text =
        |of: &Value, name: &str, default: &str| of[name].as_str().unwrap_or(default).to_owned();
    let texts = |of: &Value, name: &str| {
        let list = of[name].as_array().cloned().unwrap_or_default();
        let texts = list.iter().map(|text| text.as_str().unwrap().to_owned());
        texts.collect::<Vec<_>>()
    };
    let list = |name: &str| case[name].as_array().cloned().unwrap_or_default();
    let option = |option: &Value| OptionSpec {
        name: text(option, "name", ""),
        kind: match text(option, "kind", "text").as_str() {
            "text" => OptionKind::Text,
            "boolean" => OptionKind::Boolean,
            "integer" => OptionKind::Integer,
            "size" => OptionKind::Size,
            "duration" => OptionKind::Duration,
            "choice" => OptionKind::Choice(texts(option, "choices")),
            "table" => OptionKind::Table,
            "file" => OptionKind::File,
            other => panic!("no kind {other}"),
        },
        help: text(option, "help", "Help"),
        default: option["default"].as_str().map(str::to_owned),
        required: option["required"] == true,
        secret: false,
        deprecated: option["deprecated"].as_str().map(str::to_owned),
    };
    let request = |request: &Value| CapabilityRequest {
        name: text(request, "name", ""),
        scope: texts(request, "scope"),
        required: request["required"] != false,
        reason: text(request, "reason", "because"),
    };
    Descriptor {
        name: text(case, "name", "driver"),
        version: text(case, "version", "1"),
        summary: text(case, "summary", "A driver"),
        vendor: None,
        homepage: None,
        license: None,
        multi_node: true,
        options: list("options").iter().map(option).collect(),
        capabilities: list("capabilities").iter().map(request).collect(),
    }
}

/// The same description, as it comes to the host.
fn at_the_host(descriptor: Descriptor) -> contract::Descriptor {
    let kind = |kind| match kind {
        OptionKind::Text => contract::OptionKind::Text,
        OptionKind::Boolean => contract::OptionKind::Boolean,
        OptionKind::Integer => contract::OptionKind::Integer,
        OptionKind::Size => contract::OptionKind::Size,
        OptionKind::Duration => contract::OptionKind::Duration,
        OptionKind::Choice(choices) => contract::OptionKind::Choice(choices),
        OptionKind::Table => contract::OptionKind::Table,
        OptionKind::File => contract::OptionKind::File,
    };
    let option = |option: OptionSpec| contract::OptionSpec {
        name: option.name,
        kind: kind(option.kind),
        help: option.help,
        default: option.default,
        required: option.required,
        secret: option.secret,
        deprecated: option.deprecated,
    };
    let request = |request: CapabilityRequest| contract::CapabilityRequest {
        name: request.name,
        scope: request.scope,
        required: request.required,
        reason: request.reason,
    };
    contract::Descriptor {
        name: descriptor.name,
        version: descriptor.version,
        summary: descriptor.summary,
        vendor: descriptor.vendor,
        homepage: descriptor.homepage,
        license: descriptor.license,
        multi_node: descriptor.multi_node,
        options: descriptor.options.into_iter().map(option).collect(),
        capabilities: descriptor.capabilities.into_iter().map(request).collect(),
    }
}

#[test]
fn authors_are_told_what_is_a_sound_description() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/descriptions.json");
    let cases: Vec<Value> = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    for case in cases {
        let described = descriptor(&case["descriptor"]);
        // One fault a case, and one complaint about it, by the author's tests and by the host's.
        let expected = usize::from(case["sound"] != true);
        let faults = description_faults(&described);
        assert_eq!(faults.len(), expected, "{}: {faults:#?}", case["case"]);
        let described = at_the_host(described);
        let faults = iechor_testkit::description_faults(&described);
        assert_eq!(faults.len(), expected, "{}: {faults:#?}", case["case"]);
        // What is more than bad style is refused when the driver is loaded.
        let refusals = iechor_sandbox::description::refusals(&described);
        let is_refused = case["refused"] == true;
        assert_eq!(
            !refusals.is_empty(),
            is_refused,
            "{}: {refusals:#?}",
            case["case"]
        );
    }
}

#[test]
fn an_image_that_authors_may_name_is_one_for_the_host() {
    let digest = format!("moby/buildkit:v1@sha256:{}", "0a".repeat(32));
    for image in [
        "busybox",
        "localhost:5000/a/b__c:v1",
        "[::1]:5000/x",
        &digest,
    ] {
        assert!(values::image_reference(image).is_ok(), "{image}");
        assert!(Reference::check(image).is_ok(), "{image}");
    }
}
