//! Reads definitions in fixed surroundings.

use std::collections::BTreeMap;

use iechor_bake::definition::{File, Input};
use iechor_bake::{BakeError, Definition, Environment};
use time::OffsetDateTime;

/// Surroundings that are the same each time.
#[derive(Default)]
pub struct Fixed {
    /// Variables of the environment.
    pub variables: BTreeMap<String, String>,
}

impl Environment for Fixed {
    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    fn now(&self) -> OffsetDateTime {
        time::macros::datetime!(2026-11-30 12:34:56 UTC)
    }

    fn random(&self, buffer: &mut [u8]) {
        buffer.fill(7);
    }

    fn home(&self) -> Option<String> {
        Some("/home/user".to_owned())
    }
}

/// Reads files with variables from the command line and the environment.
pub fn read_with(
    files: &[File],
    variables: &BTreeMap<String, String>,
    environment: &Fixed,
) -> Result<Definition, BakeError> {
    let constants = [
        ("BAKE_CMD_CONTEXT", "cwd://"),
        ("BAKE_LOCAL_PLATFORM", "linux/amd64"),
    ];
    let constants = constants.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Definition::read(&Input {
        files,
        variables,
        constants: &constants.into(),
        uses_environment: true,
        environment,
    })
}

/// Reads one file.
pub fn read(name: &str, text: &str) -> Result<Definition, BakeError> {
    let file = File {
        name: name.to_owned(),
        text: text.to_owned(),
    };
    read_with(&[file], &BTreeMap::new(), &Fixed::default())
}

/// The functions of the language.
pub const FUNCTIONS: &[&str] = &[
    "absolute",
    "add",
    "and",
    "base64decode",
    "base64encode",
    "basename",
    "bcrypt",
    "byteslen",
    "bytesslice",
    "ceil",
    "chomp",
    "chunklist",
    "cidrhost",
    "cidrnetmask",
    "cidrsubnet",
    "cidrsubnets",
    "coalesce",
    "coalescelist",
    "compact",
    "concat",
    "contains",
    "csvdecode",
    "dirname",
    "distinct",
    "divide",
    "element",
    "equal",
    "flatten",
    "floor",
    "format",
    "formatdate",
    "formatlist",
    "formattimestamp",
    "greaterthan",
    "greaterthanorequalto",
    "hasindex",
    "homedir",
    "indent",
    "index",
    "indexof",
    "int",
    "join",
    "jsondecode",
    "jsonencode",
    "keys",
    "length",
    "lessthan",
    "lessthanorequalto",
    "log",
    "lookup",
    "lower",
    "max",
    "md5",
    "merge",
    "min",
    "modulo",
    "multiply",
    "negate",
    "not",
    "notequal",
    "or",
    "parseint",
    "pow",
    "range",
    "regex",
    "regex_replace",
    "regexall",
    "replace",
    "reverse",
    "reverselist",
    "rsadecrypt",
    "sanitize",
    "semvercmp",
    "sethaselement",
    "setintersection",
    "setproduct",
    "setsubtract",
    "setsymmetricdifference",
    "setunion",
    "sha1",
    "sha256",
    "sha512",
    "signum",
    "slice",
    "sort",
    "split",
    "strlen",
    "substr",
    "subtract",
    "timeadd",
    "timestamp",
    "title",
    "trim",
    "trimprefix",
    "trimspace",
    "trimsuffix",
    "unixtimestampparse",
    "upper",
    "urlencode",
    "uuidv4",
    "uuidv5",
    "values",
    "zipmap",
    "try",
    "can",
    "convert",
];
