//! Faults of definitions, with their places.

use iechor_bake::BakeError;
use iechor_bake::definition::File;

use crate::support::{Fixed, read, read_with};

/// Each definition, and the error.
const FAULTS: &[(&str, &str)] = &[
    (
        "target \"a\" {\n  tags = \"x\"\n}\n",
        "f.hcl:2,10-13: Unsuitable value type; Unsuitable value: list of string required, but have string",
    ),
    (
        "target \"a\" {\n  tags = [\"x\", null]\n}\n",
        "f.hcl:2,10-21: Unsuitable value type; Unsuitable value: null value is not allowed",
    ),
    (
        "target \"a\" {\n  pull = \"True\"\n}\n",
        "f.hcl:2,10-16: Unsuitable value type; Unsuitable value: a bool is required; to convert from string, use lowercase \"true\"",
    ),
    (
        "target {}\n",
        "f.hcl:1,1-7: Missing name for target; All target blocks must have 1 labels (name).",
    ),
    (
        "target \"a\" \"b\" {}\n",
        "f.hcl:1,12-15: Extraneous label for target; Only 1 labels (name) are expected for target blocks.",
    ),
    (
        "target \"a b\" {}\n",
        "f.hcl:1,8-13: Invalid name; only \"[a-zA-Z0-9_-]+\" are allowed",
    ),
    (
        "group \"g\" {}\n",
        "f.hcl:1,1-6: Missing required argument; The argument \"targets\" is required, but no definition was found.",
    ),
    (
        "group \"g\" {\n  targets = []\n  matrix = {}\n}\n",
        "f.hcl:3,3-9: Invalid name; matrix is not supported for groups",
    ),
    (
        "target \"a\" {\n  name = \"b\"\n}\n",
        "f.hcl:2,3-7: Invalid name; name requires matrix",
    ),
    (
        "target \"a\" {\n  matrix = { x = [1, 2] }\n}\n",
        "f.hcl:2,3-9: Invalid name; duplicate name \"a\"",
    ),
    (
        "target \"a\" {\n  matrix = [1]\n}\n",
        "f.hcl:2,12-15: Invalid attribute; matrix must be a map",
    ),
    (
        "target \"a\" {\n  matrix = { x = 1 }\n}\n",
        "f.hcl:2,12-21: Invalid attribute; matrix values must be a list",
    ),
    (
        "target \"a\" {\n  name = null\n  matrix = { x = [1] }\n}\n",
        "f.hcl:2,3-7: Invalid name; name must not be null",
    ),
    (
        "variable \"A\" { default = B }\nvariable \"B\" { default = A }\n",
        "f.hcl:2,26-27: Invalid expression; variable cycle not allowed for A",
    ),
    (
        "target \"a\" {\n  args = { X = try(target.b.tags[0], 1) }\n}\ntarget \"b\" {\n  tags = [target.b.tags[0]]\n}\n",
        "f.hcl:5,10-28: Invalid expression; reference cycle not allowed for target.b.tags",
    ),
    (
        "function \"f\" {\n  params = [x]\n  result = f(x)\n}\n",
        "f.hcl:3,12-13: Invalid expression; function cycle not allowed for f",
    ),
    (
        "function \"f\" {\n  params = [x]\n  result = VERSON\n}\nvariable \"VERSION\" {}\n",
        "f.hcl:3,12-18: Unknown variable; There is no variable named \"VERSON\". Did you mean \"VERSION\"?",
    ),
    (
        "function \"f\" {\n  params = [1]\n  result = 1\n}\n",
        "f.hcl:2,13-14: Invalid param element; Each parameter name must be an identifier.",
    ),
    (
        "function \"f\" {\n  params = []\n  result = 1\n  reslt = 2\n}\n",
        "f.hcl:4,3-8: Unsupported argument; An argument named \"reslt\" is not expected here. Did you mean \"result\"?",
    ),
    (
        "function \"f\" {\n  result = 1\n}\n",
        "f.hcl:1,1-9: Invalid function; empty params not allowed for f",
    ),
    (
        "function \"f\" {\n  params = [a, b]\n  result = a\n}\nx = f(1)\n",
        "f.hcl:5,5-6: Not enough function arguments; Function \"f\" expects 2 argument(s). Missing value for \"b\".",
    ),
    (
        "function \"f\" {\n  params = [a]\n  result = a\n}\nx = f(null)\n",
        "f.hcl:5,7-11: Invalid function argument; Invalid value for \"a\" parameter: argument must not be null.",
    ),
    (
        "x = Q + Q\n",
        "f.hcl:1,5-6: Unknown variable; There is no variable named \"Q\".",
    ),
    (
        "target \"a\" {\n  args = { X = target.bb.tags }\n}\n",
        "f.hcl:2,16-22: Missing map element; This map does not have an element with the key \"bb\".",
    ),
    (
        "target \"a\" {\n  args = { X = target[\"a\"] }\n}\n",
        "f.hcl:2,16-22: Invalid expression; cannot traverse target without attribute",
    ),
    (
        "target \"a\" {\n  args = { X = target }\n}\n",
        "f.hcl:2,16-22: Invalid expression; cannot access target as a variable",
    ),
    (
        "variable \"A\" {\n  default = target.a.tags\n}\ntarget \"a\" {}\n",
        "f.hcl:2,13-19: Unknown variable; There is no variable named \"target\".",
    ),
    (
        "variable \"A\" {\n  type = foo\n}\n",
        "f.hcl:2,10-13: Invalid type specification; The keyword \"foo\" is not a valid type specification.",
    ),
    (
        "variable \"A\" {\n  type = number\n  default = \"x\"\n}\n",
        "f.hcl:3,13-16: Invalid value; invalid type number for variable A default value: a number is required",
    ),
    (
        "variable \"A\" {\n  description = A\n}\n",
        "f.hcl:2,17-18: Variables not allowed; Variables may not be used here.",
    ),
    (
        "variable \"A\" {\n  default = \"x\"\n  validation {\n    condition = A == \"y\"\n    error_message = \"A must be y\"\n  }\n}\n",
        "f.hcl:4,17-25: Validation failed; A must be y",
    ),
    (
        "variable \"A\" {\n  validation {\n    condition = null\n  }\n}\n",
        "f.hcl:3,17-21: Invalid condition result; Condition expression must return either true or false, not null.",
    ),
    (
        "target \"a\" {\n  output = [{ dest = \"x\" }]\n}\n",
        "f.hcl:2,12-28: Unsuitable value type; Unsuitable value: type is required for output",
    ),
    (
        "target \"a\" {\n  secret = [\"src=x\"]\n}\n",
        "f.hcl:2,12-21: Unsuitable value type; Unsuitable value: secret missing ID",
    ),
    (
        "target \"a\" {\n  attest = [null]\n}\n",
        "f.hcl:2,12-18: Unsuitable value type; Unsuitable value: null value is not allowed",
    ),
    (
        "a = 1\na = 2\n",
        "f.hcl:2,1-2: Attribute redefined; The argument \"a\" was already set in this block. Each argument may be set only once.",
    ),
    (
        "target \"a\" {\n  tags = [\"\\x\"]\n}\n",
        "f.hcl:2,12-14: Invalid escape sequence; The symbol \"x\" is not a valid escape sequence selector.",
    ),
];

#[test]
fn faults_have_a_place_and_the_words_of_docker_buildx() {
    let mut wrong = Vec::new();
    for (text, expected) in FAULTS {
        let found = match read("f.hcl", text) {
            Ok(definition) => format!("{definition:?}"),
            Err(error) => error.to_string(),
        };
        if found != *expected {
            wrong.push(format!("{text}  expected {expected}\n  found    {found}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} faults:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn a_place_has_the_lines_around_it() {
    let error = read(
        "f.hcl",
        "a = 1\nb = 2\nc = upper(null)\nd = 4\ne = 5\nf = 6\n",
    )
    .expect_err("null");
    let BakeError::Definition(error) = error else {
        panic!("{error:?}");
    };
    let place = error.place.expect("a place");
    assert_eq!(place.start.line, 3);
    let numbers: Vec<usize> = place.snippet.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    assert_eq!(place.snippet[2].1, "c = upper(null)");
}

#[test]
fn what_has_no_meaning_is_a_warning() {
    let text =
        "target \"a\" {\n  tag = [\"x\"]\n}\ntraget \"b\" {}\nvariable \"V\" {\n  defalt = 1\n}\n";
    let definition = read("f.hcl", text).expect("read");
    let warnings: Vec<String> = definition
        .warnings
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        warnings,
        [
            "f.hcl:2,3-6: Unsupported argument; An argument named \"tag\" has no meaning in a target. Did you mean \"tags\"?",
            "f.hcl:4,1-7: Unsupported block type; Blocks of type \"traget\" have no meaning. Did you mean \"target\"?",
            "f.hcl:6,3-9: Unsupported argument; An argument named \"defalt\" has no meaning in a variable. Did you mean \"default\"?",
        ]
    );
}

#[test]
fn unknown_targets_are_named_with_a_suggestion() {
    let definition = read(
        "f.hcl",
        "target \"web\" {}\ngroup \"all\" { targets = [\"web\"] }\n",
    )
    .expect("read");
    let select = |names: &[&str], overrides: &[&str]| {
        let owned = |texts: &[&str]| {
            texts
                .iter()
                .map(|text| (*text).to_owned())
                .collect::<Vec<_>>()
        };
        definition
            .select(&owned(names), &owned(overrides), &|_| None)
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    let error = definition
        .select(&["wbe".to_owned()], &[], &|_| None)
        .expect_err("unknown");
    assert_eq!(
        error,
        BakeError::NoTarget {
            name: "wbe".into(),
            meant: Some("web".into())
        }
    );
    for (names, overrides, expected) in [
        (&["nope"][..], &[][..], "failed to find target nope"),
        (&["no*"], &[], "could not find any target matching \"no*\""),
        (
            &["all"],
            &["x.tags=1"],
            "could not find any target matching 'x'",
        ),
        (
            &["all"],
            &["[a.tags=1"],
            "could not match targets with '[a': syntax error in pattern",
        ),
        (
            &["all"],
            &["x"],
            "invalid override key x, expected target.name",
        ),
        (
            &["all"],
            &["web.pull"],
            "invalid override web.pull, expected target.name=value",
        ),
        (&["all"], &["web.foo=1"], "unknown key: foo"),
        (
            &["all"],
            &["web.args=1"],
            "invalid key web.args, args requires name",
        ),
        (
            &["all"],
            &["web.pull=x"],
            "invalid value x for boolean key pull",
        ),
        (
            &["all"],
            &["web.labels=1"],
            "invalid format for labels, expecting labels.<name>=<value>",
        ),
        (
            &["all"],
            &["web.resources.foo=1"],
            "unknown resources key foo",
        ),
        (
            &["all"],
            &["web.resources.cpu-shares=q"],
            "invalid value q for int64 key resources.cpu-shares",
        ),
        (
            &["all"],
            &["web.secret.zz=src=a"],
            "secret \"zz\" must be declared before it can be overridden",
        ),
        (
            &["all"],
            &["web.output=bad,x=1"],
            "invalid value for outputs: invalid value bad",
        ),
    ] {
        assert_eq!(select(names, overrides), Err(expected.to_owned()));
    }
    let overridden = [
        "web.network=host",
        "web.ulimits=nofile=1",
        "web.no-cache-filter+=deps",
    ]
    .map(str::to_owned);
    let selection = definition
        .select(&["web".to_owned()], &overridden, &|_| None)
        .expect("selected");
    let web = &selection.targets["web"];
    assert_eq!(web.text("network"), Some("host"));
    assert_eq!(web.texts("ulimits"), ["nofile=1"]);
    assert_eq!(web.texts("no-cache-filter"), ["deps"]);
    assert_eq!(web.texts("entitlements"), ["network.host"]);
}

#[test]
fn links_are_checked() {
    for (text, expected) in [
        (
            "target \"a\" { contexts = { x = \"target:a\" } }\n",
            "target a cannot link to itself",
        ),
        (
            "target \"a\" { contexts = { x = \"target:b\" } }\ntarget \"b\" { contexts = { x = \"target:a\" } }\n",
            "infinite loop from b to a",
        ),
        (
            "target \"a\" { contexts = { x = \"target:g\" } }\n",
            "failed to find target g",
        ),
        (
            "target \"a\" {\n  contexts = { x = \"target:b\" }\n  platforms = [\"linux/amd64\", \"linux/s390x\"]\n}\ntarget \"b\" { platforms = [\"linux/amd64\", \"linux/arm64\"] }\n",
            "target b can't be used by a because its platforms [linux/amd64 linux/s390x] are not a subset of [linux/amd64 linux/arm64]",
        ),
        (
            "target \"a\" { context = \"-\" }\n",
            "context from stdin not allowed in bake",
        ),
        (
            "group \"a\" { targets = [\"a\"] }\n",
            "failed to find target a",
        ),
    ] {
        let definition = read("f.hcl", text).expect("read");
        let error = definition
            .select(&["a".to_owned()], &[], &|_| None)
            .expect_err(text);
        assert_eq!(error.to_string(), expected);
    }
}

/// Definitions with a variable, the variable of the environment, and the value or the error.
const VARIABLES: &[(&str, &str, &str)] = &[
    ("variable \"A\" {}", "A=x", "x"),
    ("variable \"A\" {}", "A=", ""),
    ("variable \"A\" { default = 1 }", "A=0.1", "0.1"),
    (
        "variable \"A\" { default = 1 }",
        "A=0x10",
        "! f.hcl:1,10-13: Invalid value; failed to parse A as number: strconv.ParseFloat: parsing \"0x10\": invalid syntax",
    ),
    ("variable \"A\" { default = true }", "A=F", "false"),
    (
        "variable \"A\" { default = true }",
        "A=yes",
        "! f.hcl:1,10-13: Invalid value; failed to parse A as bool: strconv.ParseBool: parsing \"yes\": invalid syntax",
    ),
    (
        "variable \"A\" { default = [\"x\"] }",
        "A=y",
        "! f.hcl:1,10-13: Invalid value; unsupported type tuple for variable A",
    ),
    ("variable \"A\" { type = list(number) }", "A=1,2", "[1,2]"),
    (
        "variable \"A\" { type = set(string) }",
        "A=b,a,b",
        "[\"a\",\"b\"]",
    ),
    (
        "variable \"A\" { type = map(string) }",
        "A=k:v,l:w:x",
        "{\"k\":\"v\",\"l\":\"w:x\"}",
    ),
    (
        "variable \"A\" { type = list(number) }",
        "A_JSON=[1,2]",
        "[1,2]",
    ),
    (
        "variable \"A\" { type = object({a=string,b=optional(number)}) }",
        "A_JSON={\"a\":\"x\"}",
        "{\"a\":\"x\",\"b\":null}",
    ),
    (
        "variable \"A\" { type = object({a=string}) }",
        "A=x",
        "! f.hcl:1,10-13: Invalid value; unsupported type object for variable A",
    ),
    (
        "variable \"A\" { type = list(list(number)) }",
        "A=1",
        "! f.hcl:1,10-13: Invalid value; failed to convert variable A from CSV: unsupported type list of list of number for CSV specification",
    ),
    ("variable \"A\" { type = number }", "B=1", "<null>"),
    (
        "variable \"BAKE_LOCAL_PLATFORM\" { default = \"x\" }\nvariable \"A\" { default = BAKE_LOCAL_PLATFORM }",
        "B=1",
        "linux/amd64",
    ),
];

#[test]
fn variables_are_taken_from_the_environment() {
    for (text, variable, expected) in VARIABLES {
        let (name, value) = variable.split_once('=').expect("a name and a value");
        let environment = Fixed {
            variables: [(name.to_owned(), value.to_owned())].into(),
        };
        let file = File {
            name: "f.hcl".into(),
            text: (*text).into(),
        };
        let found = match read_with(&[file], &Default::default(), &environment) {
            Err(error) => format!("! {error}"),
            Ok(definition) => {
                let variables = definition.variables.expect("variables");
                let variable = variables.into_iter().find(|variable| variable.name == "A");
                variable
                    .expect("A")
                    .value
                    .unwrap_or_else(|| "<null>".to_owned())
            }
        };
        assert_eq!(found, *expected, "{text}");
    }
}
