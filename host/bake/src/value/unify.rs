//! The common type of several types.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::Type;

/// Returns a type that values of all types can be converted to, or `None`. Any type has no say.
pub fn unify(types: &[Type]) -> Option<Type> {
    let known: Vec<&Type> = types.iter().filter(|of| **of != Type::Any).collect();
    let Some(first) = known.first() else {
        return Some(Type::Any);
    };
    if known.iter().all(|of| of == first) {
        return Some((*first).clone());
    }
    let all = |is: fn(&Type) -> bool| known.iter().all(|of| is(of));
    if all(|of| matches!(of, Type::Object(_))) {
        return of_objects(&known);
    }
    if all(|of| matches!(of, Type::Tuple(_))) {
        return of_tuples(&known);
    }
    if all(|of| matches!(of, Type::Map(_) | Type::Object(_))) {
        return of_elements(&known).map(|of| Type::Map(Rc::new(of)));
    }
    if all(|of| matches!(of, Type::List(_) | Type::Tuple(_))) {
        return of_elements(&known).map(|of| Type::List(Rc::new(of)));
    }
    if all(|of| matches!(of, Type::Set(_) | Type::List(_) | Type::Tuple(_))) {
        return of_elements(&known).map(|of| Type::Set(Rc::new(of)));
    }
    let fits = |wanted: &&Type| known.iter().all(|of| is_convertible(of, wanted));
    known.iter().copied().find(fits).cloned()
}

fn of_objects(types: &[&Type]) -> Option<Type> {
    let mut together: BTreeMap<Rc<str>, Vec<Type>> = BTreeMap::new();
    for of in types {
        let Type::Object(attributes) = of else {
            continue;
        };
        for (name, attribute) in attributes.iter() {
            together
                .entry(name.clone())
                .or_default()
                .push(attribute.of.clone());
        }
    }
    if together.values().any(|found| found.len() != types.len()) {
        return of_elements(types).map(|of| Type::Map(Rc::new(of)));
    }
    let mut attributes = Vec::new();
    for (name, found) in together {
        attributes.push((name, unify(&found)?));
    }
    Some(Type::object(attributes))
}

fn of_tuples(types: &[&Type]) -> Option<Type> {
    let mut columns: Vec<Vec<Type>> = Vec::new();
    for (row, of) in types.iter().enumerate() {
        let Type::Tuple(items) = of else { continue };
        if row == 0 {
            columns = items.iter().map(|item| vec![item.clone()]).collect();
        } else if items.len() == columns.len() {
            for (column, item) in columns.iter_mut().zip(items.iter()) {
                column.push(item.clone());
            }
        } else {
            return of_elements(types).map(|of| Type::List(Rc::new(of)));
        }
    }
    let items: Option<Vec<Type>> = columns.iter().map(|column| unify(column)).collect();
    items.map(|items| Type::Tuple(items.into()))
}

/// Returns the common type of the elements of collections.
fn of_elements(types: &[&Type]) -> Option<Type> {
    let mut elements = Vec::new();
    for of in types {
        match of {
            Type::List(of) | Type::Set(of) | Type::Map(of) => elements.push((**of).clone()),
            Type::Tuple(items) => elements.extend(items.iter().cloned()),
            Type::Object(attributes) => {
                elements.extend(attributes.values().map(|attribute| attribute.of.clone()));
            }
            Type::Any | Type::Bool | Type::Number | Type::String => {}
        }
    }
    unify(&elements)
}

/// Returns whether every value of a type can be converted to another type.
fn is_convertible(from: &Type, to: &Type) -> bool {
    match (from, to) {
        (_, Type::Any) | (Type::Any, _) => true,
        (from, to) if from == to => true,
        (Type::Bool | Type::Number, Type::String) => true,
        (Type::List(from) | Type::Set(from), Type::List(to) | Type::Set(to))
        | (Type::Map(from), Type::Map(to)) => is_convertible(from, to),
        (Type::Tuple(items), Type::List(to) | Type::Set(to)) => {
            items.iter().all(|from| is_convertible(from, to))
        }
        (Type::Object(attributes), Type::Map(to)) => {
            attributes.values().all(|from| is_convertible(&from.of, to))
        }
        _ => false,
    }
}
