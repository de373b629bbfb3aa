//! No definition takes all time or all memory, and none stops the program.

use proptest::prelude::*;

use crate::support::read;

fn refused(text: &str, expected: &str) {
    let error = read("f.hcl", text).expect_err("too large").to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn texts_that_double_are_refused() {
    let mut text = "v0 = \"0123456789abcdef\"\n".to_owned();
    for index in 1..40 {
        text.push_str(&format!(
            "v{index} = \"${{v{}}}${{v{}}}\"\n",
            index - 1,
            index - 1
        ));
    }
    refused(&text, "Value too large");
    refused(
        &text
            .replace("\"${v", "try(\"${v")
            .replace("}\"\n", "}\", 1)\n"),
        "Value too large",
    );
}

#[test]
fn collections_that_double_are_refused() {
    let mut text = "v0 = [1, 2]\n".to_owned();
    for index in 1..60 {
        text.push_str(&format!("v{index} = [v{}, v{}]\n", index - 1, index - 1));
    }
    refused(&text, "Value too large");
}

#[test]
fn functions_that_call_each_other_twice_are_refused() {
    let mut text = "function \"f0\" {\n  params = [x]\n  result = x\n}\n".to_owned();
    for index in 1..50 {
        text.push_str(&format!(
            "function \"f{index}\" {{\n  params = [x]\n  result = f{}(x) + f{}(x)\n}}\n",
            index - 1,
            index - 1
        ));
    }
    text.push_str("a = f49(1)\n");
    refused(&text, "Too much work");
}

#[test]
fn long_chains_are_refused() {
    let mut text = "v0 = 1\n".to_owned();
    for index in 1..3000 {
        text.push_str(&format!("v{index} = v{}\n", index - 1));
    }
    text.push_str("a = v2999\n");
    refused(&text, "Too deeply nested");
    refused(
        &format!("a = {}1{}\n", "[".repeat(500), "]".repeat(500)),
        "nest",
    );
    let error = read("f.json", &"[".repeat(100_000))
        .expect_err("too deep")
        .to_string();
    assert!(error.contains("nested too deeply"), "{error}");
}

#[test]
fn results_of_functions_are_limited() {
    for expression in [
        "format(\"%999999999d\", 1)",
        "format(\"%.999999999f\", 1)",
        "indent(999999999, \"a\\nb\")",
        "setproduct(range(1000), range(1000), range(1000))",
        "join(join(\",\", range(1000)), [for x in range(1000) : join(\",\", range(1000))], [for x in range(1000) : join(\",\", range(1000))], [for x in range(1000) : join(\",\", range(1000))])",
        "replace(join(\"\", range(1000)), \"\", join(\"\", [for x in range(1000) : join(\",\", range(1000))]))",
        "bcrypt(\"x\", 31)",
        "range(0, 1000000)",
        "pow(10, 5000) / 0 - pow(10, 5000) / 0",
        "jsonencode(1 / 0)",
        "regex(\"(((a{100}){100}){100}){100}\", \"a\")",
    ] {
        assert!(
            read("f.hcl", &format!("a = {expression}\n")).is_err(),
            "{expression}"
        );
    }
    // Numbers beyond the largest exponent are infinite, or zero.
    for expression in [
        "1e300 * \"1e9999\" > 1",
        "\"1e-9999999\" + 0 == 0",
        "-\"1e9999999\" < 0",
    ] {
        let text = format!("target \"a\" {{\n  pull = {expression}\n}}\n");
        let definition =
            read("f.hcl", &text).unwrap_or_else(|error| panic!("{expression}: {error}"));
        assert!(
            format!("{definition:?}").contains("Flag(true)"),
            "{expression}"
        );
    }
}

/// Words that definitions consist of.
const WORDS: &[&str] = &[
    "target",
    "group",
    "variable",
    "function",
    "\"a\"",
    "\"b\"",
    "a",
    "b",
    "=",
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    "\n",
    ",",
    ":",
    "?",
    "...",
    "=>",
    "for",
    "in",
    "if",
    "tags",
    "args",
    "matrix",
    "name",
    "inherits",
    "output",
    "params",
    "result",
    "default",
    "type",
    "list(string)",
    "1",
    "-1",
    "1e99",
    "\"${",
    "}\"",
    "\"%{ for x in",
    "%{ endfor }\"",
    "null",
    "true",
    "+",
    "-",
    "*",
    "/",
    "%",
    "==",
    "&&",
    "!",
    ".",
    ".*",
    "[*]",
    "<<E\n",
    "E\n",
    "upper(",
    "regex(",
    "format(",
    "try(",
    "target.a.tags",
    "\"%s\"",
    "\"\\u00e9\"",
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_a_definition_or_an_error(text in "\\PC{0,80}") {
        for name in ["f.hcl", "f.json", "f"] {
            if let Ok(definition) = read(name, &text) {
                let _ = definition.select(&["default".to_owned()], &[], &|_| None);
            }
        }
    }

    #[test]
    fn any_words_are_a_definition_or_an_error(words in prop::collection::vec(prop::sample::select(WORDS), 0..40)) {
        if let Ok(definition) = read("f.hcl", &words.join(" ")) {
            let _ = definition.select(&["a".to_owned()], &[], &|_| None);
        }
    }

    #[test]
    fn any_arguments_give_a_value_or_an_error(
        function in 0..crate::support::FUNCTIONS.len(),
        arguments in prop::collection::vec(prop::sample::select(&["null", "true", "-1", "0", "3", "1.5", "1e20", "\"\"", "\"a\"", "\"é,b\"", "\"%d\"", "[]", "[1,2]", "[\"a\",null]", "{}", "{a=1}", "[[1]]", "\"(a)\"", "\"10.0.0.0/8\"", "\"2018-01-02T23:12:01Z\""][..]), 0..4),
    ) {
        let name = crate::support::FUNCTIONS[function];
        let _ = read("f.hcl", &format!("a = {name}({})\n", arguments.join(", ")));
    }

    #[test]
    fn sums_and_products_of_whole_numbers_are_exact(a in -1_000_000_000_i64..1_000_000_000, b in -1_000_000_000_i64..1_000_000_000) {
        let text = format!("target \"a\" {{\n  tags = [{a} + {b}, {a} - {b}, {a} * {b}]\n}}\n");
        let definition = read("f.hcl", &text).expect("numbers");
        let tags = format!("{:?}", definition.targets[0].attributes["tags"]);
        for expected in [a + b, a - b, a * b] {
            prop_assert!(tags.contains(&format!("\"{expected}\"")), "{tags} {expected}");
        }
    }
}
