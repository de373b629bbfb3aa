//! What commands print with `--format json` is what their schemas say.

use std::fs;

use serde_json::{Deserializer, Value};

use crate::components::installed;
use crate::context::Context;
use crate::support::{Sandbox, container_of};

/// Returns what is wrong with a value. Only what the schemas of this program use is checked. A property
/// that the schema does not name is wrong here, although readers should accept it.
fn faults(value: &Value, schema: &Value, root: &Value, path: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if let Some(reference) = schema["$ref"].as_str() {
        let target = reference.strip_prefix('#').expect("in the same document");
        let target = root.pointer(target).expect("it is there");
        wrong.extend(faults(value, target, root, path));
    }
    for any in ["anyOf", "oneOf"] {
        if let Some(choices) = schema[any].as_array()
            && !choices
                .iter()
                .any(|choice| faults(value, choice, root, path).is_empty())
        {
            wrong.push(format!("{path}: {value} is none of {any}"));
        }
    }
    if let Some(constant) = schema.get("const")
        && constant != value
    {
        wrong.push(format!("{path}: {value} is not {constant}"));
    }
    if let Some(values) = schema["enum"].as_array()
        && !values.contains(value)
    {
        wrong.push(format!("{path}: {value} is not in the enumeration"));
    }
    let types: Vec<_> = match &schema["type"] {
        Value::Array(types) => types.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    };
    if !types.is_empty() && !types.iter().any(|name| is_of(value, name)) {
        wrong.push(format!("{path}: {value} is not of the type {types:?}"));
    }
    if let (Some(items), Value::Array(values)) = (schema.get("items"), value) {
        for (number, item) in values.iter().enumerate() {
            wrong.extend(faults(item, items, root, &format!("{path}/{number}")));
        }
    }
    let Value::Object(members) = value else {
        return wrong;
    };
    for name in schema["required"].as_array().into_iter().flatten() {
        if !members.contains_key(name.as_str().expect("a name")) {
            wrong.push(format!("{path}: there is no {name}"));
        }
    }
    let others = schema.get("additionalProperties");
    for (name, member) in members {
        let path = format!("{path}/{name}");
        match (schema["properties"].get(name), others) {
            (Some(property), _) => wrong.extend(faults(member, property, root, &path)),
            (None, Some(Value::Bool(true))) => {}
            (None, Some(others)) => wrong.extend(faults(member, others, root, &path)),
            (None, None) if schema.get("properties").is_some() => {
                wrong.push(format!("{path} is not in the schema"));
            }
            (None, None) => {}
        }
    }
    wrong
}

fn is_of(value: &Value, name: &Value) -> bool {
    match name.as_str().expect("a type") {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other} is no type"),
    }
}

#[test]
fn every_output_is_as_its_schema_says() {
    let sandbox = Sandbox::new();
    let name = sandbox.booted(
        "described",
        "--driver-opt env.SECRET=1 --platform linux/arm64",
    );
    let network = sandbox.name("described");
    sandbox
        .iechor(&format!("network create {network}"))
        .success();
    installed(&sandbox);
    // A builder that cannot be read.
    fs::write(sandbox.store().join("instances/unreadable"), "{").expect("written");
    let policy = sandbox.write(
        "policy.toml",
        "[images]\nallow = ['registry.example.com/*']\n",
    );

    let context = Context::bare("FROM scratch as lower\nCOPY Dockerfile /\n");
    let broken = Context::bare("FROM scratch\nCOPY absent /\n");
    let built = |context: &Context| {
        format!(
            "buildx build --metadata-file about.json -o type=oci,dest=x {}",
            context.word()
        )
    };
    let spare = ["removed", "stopped"].map(|suffix| {
        let name = sandbox.name(suffix);
        sandbox.buildx(&format!("create --name {name}")).success();
        name
    });
    let outputs = [
        ("buildx-build", built(&context)),
        (
            "buildx-create",
            format!("buildx create --name {}", sandbox.name("created")),
        ),
        ("buildx-du", "buildx du".to_owned()),
        ("buildx-inspect", format!("buildx inspect {name}")),
        ("buildx-ls", "buildx ls".to_owned()),
        ("buildx-prune", "buildx prune --all --force".to_owned()),
        ("buildx-rm", format!("buildx rm {}", spare[0])),
        ("buildx-stop", format!("buildx stop {}", spare[1])),
        ("driver-inspect", "driver inspect iechor-container".into()),
        ("driver-ls", "driver ls".into()),
        (
            "driver-policy",
            format!("driver policy {}", policy.display()),
        ),
        ("driver-test", "driver test remote".into()),
        ("driver-trust", "driver trust team".into()),
        ("driver-verify", "driver verify --offline".into()),
        ("inspect", format!("inspect {}", container_of(&name))),
        ("network-ls", "network ls".into()),
        ("version", "version".into()),
        ("volume-ls", "volume ls".into()),
    ];
    let mut names: Vec<_> = outputs.iter().map(|(name, _)| *name).collect();
    names.insert(1, "buildx-build-metadata");
    let names = names.join("\n") + "\n";
    sandbox.iechor("schema").success().prints(&names);

    // A file, and what is printed of a build that fails.
    for (context, is_built) in [(&context, true), (&broken, false)] {
        let build = sandbox
            .iechor(&format!("{} --format json", built(context)))
            .variable("BUILDX_METADATA_WARNINGS", "1");
        let printed = match is_built {
            true => build.success(),
            false => build.failure(1),
        };
        let file = fs::read_to_string(sandbox.path("about.json")).expect("written");
        let file: Value = serde_json::from_str(&file).expect("JSON");
        for (name, document) in [
            ("buildx-build", printed.json()),
            ("buildx-build-metadata", file),
        ] {
            let schema = sandbox.iechor(&format!("schema {name}")).success().json();
            let wrong = faults(&document, &schema, &schema, name);
            assert!(wrong.is_empty(), "{wrong:#?}\n{document:#}\n{schema:#}");
        }
    }

    for (name, command) in outputs {
        let schema = sandbox.iechor(&format!("schema {name}")).success().json();
        let printed = sandbox
            .iechor(&format!("{command} --format json"))
            .success();
        let documents: Vec<Value> = Deserializer::from_str(&printed.stdout)
            .into_iter()
            .collect::<Result<_, _>>()
            .expect("JSON");
        assert!(!documents.is_empty(), "{name} prints nothing");
        for document in documents {
            let wrong = faults(&document, &schema, &schema, name);
            assert!(wrong.is_empty(), "{wrong:#?}\n{document:#}\n{schema:#}");
        }
    }
    sandbox
        .iechor("schema builder-ls")
        .failure(1)
        .says("builder-ls");
    sandbox.iechor(&format!("network rm {network}")).success();
}
