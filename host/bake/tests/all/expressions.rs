//! The table of expressions: `tests/expressions.tsv` has an expression and the JSON of its value in each line, or
//! `!` and the end of the error.

use iechor_bake::definition::Setting;

use crate::support::read;

/// Evaluates an expression, and returns the JSON of its value or the error.
fn evaluate(expression: &str) -> Result<String, String> {
    let text =
        format!("target \"t\" {{\n  args = {{\n    R = jsonencode([{expression}])\n  }}\n}}\n");
    let definition = read("docker-bake.hcl", &text).map_err(|error| error.to_string())?;
    let target = definition.target("t").expect("it is in the file");
    match target.attributes.get("args") {
        Some(Setting::Map(args)) => {
            let json = &args["R"];
            Ok(json[1..json.len() - 1].to_owned())
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn expressions_have_the_values_of_docker_buildx() {
    let table = include_str!("../expressions.tsv");
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in table
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let (expression, expected) = line.split_once('\t').expect("two columns");
        count += 1;
        let found = evaluate(expression);
        let is_right = match (&found, expected.strip_prefix("! ")) {
            (Ok(value), None) => value == expected,
            (Err(error), Some(end)) => error.ends_with(end),
            _ => false,
        };
        if !is_right {
            wrong.push(format!(
                "{expression}\n  expected {expected}\n  found    {found:?}"
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {count}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(count >= 400, "{count}");
}
