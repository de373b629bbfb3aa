//! Limits of the processes of a container.

use std::fmt;

/// The names of limits that Docker's `go-units` knows.
pub const NAMES: [&str; 15] = [
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

/// A limit of the processes of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ulimit {
    /// Name of the limit, for example `nofile`.
    pub name: String,
    /// The limit that applies; -1 is no limit.
    pub soft: i64,
    /// The maximum that a process can raise its limit to; -1 is no limit.
    pub hard: i64,
}

/// In the syntax that [`parse`] takes.
impl fmt::Display for Ulimit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}={}:{}", self.name, self.soft, self.hard)
    }
}

/// Parses a limit in the syntax of `docker run --ulimit`: `NAME=SOFT[:HARD]`.
///
/// # Errors
///
/// What is wrong with the text, and what is valid.
pub fn parse(text: &str) -> Result<Ulimit, String> {
    let wrong =
        |why: String| format!("{text:?} is not a limit: {why} (for example nofile=1024:4096)");
    let (name, range) = text
        .split_once('=')
        .ok_or_else(|| wrong("it has no '='".into()))?;
    if !NAMES.contains(&name) {
        return Err(wrong(format!("its name is none of {}", NAMES.join(", "))));
    }
    let number = |part: &str| match part.parse::<i64>() {
        Ok(number) if number >= -1 => Ok(number),
        _ => Err(wrong(format!(
            "{part:?} is neither a whole number nor -1 (no limit)"
        ))),
    };
    let (soft, hard) = match range.split_once(':') {
        Some((soft, hard)) => (number(soft)?, number(hard)?),
        None => (number(range)?, number(range)?),
    };
    if hard != -1 && (soft == -1 || soft > hard) {
        return Err(wrong("the first number exceeds the second".into()));
    }
    Ok(Ulimit {
        name: name.to_owned(),
        soft,
        hard,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_processes() {
        for (text, name, soft, hard) in [
            ("nofile=1024:4096", "nofile", 1024, 4096),
            ("nproc=100", "nproc", 100, 100),
            ("memlock=-1:-1", "memlock", -1, -1),
            ("core=0:-1", "core", 0, -1),
        ] {
            let name = name.to_owned();
            let limit = Ulimit { name, soft, hard };
            assert_eq!(parse(text).as_ref(), Ok(&limit), "{text}");
            assert_eq!(parse(&limit.to_string()), Ok(limit), "{text}");
        }
        for text in [
            "",
            "nofile",
            "nofile=",
            "nofile=x",
            "nofile=1:x",
            "nofile=4096:1024",
            "nofile=-1:1",
            "nofile=-2",
            "files=1",
            "NOFILE=1",
            "nofile=1:2:3",
        ] {
            let error = parse(text).expect_err(text);
            assert!(error.contains("nofile=1024:4096"), "{error}");
        }
    }
}
