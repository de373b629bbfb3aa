//! What the contract says of the host is true and whole.

use std::path::Path;

use iechor_sandbox::grant::CATALOGUE;
use wit_parser::{Docs, Resolve, TypeDefKind};

/// The contract as it is written.
fn contract() -> Resolve {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    let mut resolve = Resolve::default();
    resolve.push_dir(folder).expect("it parses");
    resolve
}

#[test]
fn the_contract_names_every_capability_and_no_other() {
    let resolve = contract();
    let (_, request) = resolve
        .types
        .iter()
        .find(|(_, kind)| kind.name.as_deref() == Some("capability-request"))
        .expect("it is there");
    let words = request.docs.contents.as_deref().expect("documented");
    let table: Vec<_> = words
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    let known: Vec<_> = CATALOGUE.iter().map(|capability| capability.name).collect();
    assert_eq!(table, known);
}

#[test]
fn the_contract_documents_everything_in_it() {
    let resolve = contract();
    let mut bare = Vec::new();
    let mut check = |what: String, docs: &Docs| {
        if docs
            .contents
            .as_deref()
            .unwrap_or_default()
            .trim()
            .is_empty()
        {
            bare.push(what);
        }
    };
    for (_, interface) in &resolve.interfaces {
        let place = interface.name.as_deref().expect("named");
        check(place.to_owned(), &interface.docs);
        for (name, function) in &interface.functions {
            check(format!("{place}: {name}"), &function.docs);
        }
        for (name, id) in &interface.types {
            let kind = &resolve.types[*id];
            let place = format!("{place}: {name}");
            match &kind.kind {
                // What is taken over from another interface is documented there.
                TypeDefKind::Type(wit_parser::Type::Id(_)) => continue,
                TypeDefKind::Record(record) => {
                    for field in &record.fields {
                        check(format!("{place}.{}", field.name), &field.docs);
                    }
                }
                // A case that is one word is what it says.
                TypeDefKind::Variant(variant) => {
                    for case in variant.cases.iter().filter(|case| case.ty.is_some()) {
                        check(format!("{place}.{}", case.name), &case.docs);
                    }
                }
                _ => {}
            }
            check(place, &kind.docs);
        }
    }
    for (_, world) in &resolve.worlds {
        check(world.name.clone(), &world.docs);
    }
    assert!(bare.is_empty(), "without a word: {bare:#?}");
}
