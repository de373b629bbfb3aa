//! `matrix` and `name`: one block that defines several targets.

use crate::diagnostic::Diagnostic;
use crate::eval::{Evaluated, Scope};
use crate::syntax::{Attribute, Block, Expression};
use crate::value::convert::convert;
use crate::value::{Type, Value};

/// Evaluates an expression.
pub type Evaluate<'e> = &'e dyn Fn(&Expression, &Scope<'_>) -> Evaluated;

/// Most targets that a block defines.
const MOST: usize = 10_000;

/// A target of a block.
#[derive(Debug)]
pub struct Product {
    /// The name of the target.
    pub name: String,
    /// The values of the names of the matrix.
    pub values: Vec<(String, Value)>,
}

/// Returns the targets that a block defines. Names are sorted, and the first one changes slowest.
pub fn products(evaluate: Evaluate<'_>, block: &Block, label: &str) -> Evaluated<Vec<Product>> {
    let matrix = block.body.attribute("matrix");
    let name = block.body.attribute("name");
    let fault = |attribute: &Attribute, detail: &str| {
        Box::new(Diagnostic::new("Invalid name", detail).at(attribute.name_span))
    };
    if block.kind == "group" {
        if let Some(attribute) = matrix {
            return Err(fault(attribute, "matrix is not supported for groups"));
        }
        if let Some(attribute) = name {
            return Err(fault(attribute, "name is not supported for groups"));
        }
    }
    let Some(matrix) = matrix else {
        if let Some(attribute) = name {
            return Err(fault(attribute, "name requires matrix"));
        }
        return Ok(vec![Product {
            name: label.to_owned(),
            values: Vec::new(),
        }]);
    };
    let invalid =
        |detail: &str| Box::new(Diagnostic::new("Invalid attribute", detail).at(matrix.value.span));
    let value = evaluate(&matrix.value, &Scope::root())?;
    let Some(columns) = value.fields() else {
        return Err(invalid("matrix must be a map"));
    };
    let mut rows: Vec<Vec<(String, Value)>> = vec![Vec::new()];
    for (key, values) in columns {
        let values: Vec<&Value> = match (values.items(), values.fields()) {
            (Some(items), _) => items.iter().collect(),
            (_, Some(fields)) => fields.values().collect(),
            _ => return Err(invalid("matrix values must be a list")),
        };
        if rows.len().saturating_mul(values.len()) > MOST {
            return Err(invalid(&format!("the matrix has more than {MOST} targets")));
        }
        let longer = rows.iter().flat_map(|row| {
            values.iter().map(|value| {
                let mut row = row.clone();
                row.push((key.to_string(), (*value).clone()));
                row
            })
        });
        rows = longer.collect();
    }
    let mut products: Vec<Product> = Vec::new();
    for values in rows {
        let name = match name {
            None => label.to_owned(),
            Some(attribute) => {
                let root = Scope::root();
                let scope = root.with(names(&values));
                let value = evaluate(&attribute.value, &scope)?;
                match convert(&value, &Type::String) {
                    Ok(Value::String(name)) => name.to_string(),
                    Ok(_) => return Err(fault(attribute, "name must not be null")),
                    Err(error) => return Err(fault(attribute, &error.to_string())),
                }
            }
        };
        if products.iter().any(|product| product.name == name) {
            let at = name.clone();
            let place = block.body.attribute("name").unwrap_or(matrix);
            return Err(fault(place, &format!("duplicate name {at:?}")));
        }
        products.push(Product { name, values });
    }
    Ok(products)
}

/// Returns values as the names of a scope.
pub fn names(values: &[(String, Value)]) -> Vec<(&str, Value)> {
    values
        .iter()
        .map(|(name, value)| (name.as_str(), value.clone()))
        .collect()
}
