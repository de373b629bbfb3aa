//! Checks of a driver that need no host, for `cargo test`.
//!
//! Whatever a driver does with a container or a connection needs a host: test it with
//! `iechor driver test DRIVER.wasm`. What it says of itself and what it makes of its options needs
//! none:
//!
//! ```
//! # use iechor_driver::{Description, Driver, Error, Info, Node, Options, transport::Connection};
//! # struct Mine { memory: Option<u64> }
//! # impl Driver for Mine {
//! #     fn describe() -> Description { Description::new("mine", "1", "Ours") }
//! #     fn open(_: Node, options: &mut Options) -> Self {
//! #         Self { memory: options.size("memory", "Memory to use").optional() }
//! #     }
//! #     fn info(&self) -> Result<Info, Error> { Err(Error::NotRunning) }
//! #     fn boot(&self) -> Result<(), Error> { Err(Error::NotRunning) }
//! #     fn dial(&self) -> Result<Connection, Error> { Err(Error::NotRunning) }
//! # }
//! use iechor_driver::testing;
//!
//! testing::assert_sound::<Mine>();
//! let mine = testing::open::<Mine>(&[("memory", "1g")]).expect("it is right");
//! assert_eq!(mine.memory, Some(1 << 30));
//! testing::assert_refused::<Mine>(&[("memory", "much")], &["memory"]);
//! ```

use crate::capability::{LONGEST_REASON, NAMES};
use crate::{Config, Descriptor, Driver, Issue, OptionKind, Severity, export};

/// The longest line of help or summary that is shown whole, in characters.
const LONGEST_LINE: usize = 140;

/// What the driver says that it is, its options included.
pub fn descriptor<D: Driver>() -> Descriptor {
    export::descriptor::<D>()
}

/// A node of the name `node0` with these options and nothing else.
pub fn config(options: &[(&str, &str)]) -> Config {
    Config {
        name: "node0".into(),
        endpoint: "unix:///run/docker.sock".into(),
        options: options
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        buildkitd_flags: Vec::new(),
        files: Vec::new(),
        platforms: Vec::new(),
        extra: Vec::new(),
    }
}

/// Opens a node with these options, as [`open_config`] does.
///
/// # Errors
///
/// Everything that is wrong with the options.
pub fn open<D: Driver>(options: &[(&str, &str)]) -> Result<D, Vec<Issue>> {
    open_config(config(options))
}

/// Opens a node, after the checks that a host makes: that there are such options, and that those
/// that are required were given.
///
/// # Errors
///
/// Everything that is wrong with the configuration, warnings included where there are errors.
pub fn open_config<D: Driver>(config: Config) -> Result<D, Vec<Issue>> {
    let (driver, options) = export::open::<D>(config);
    let issue = |name: &str, message: &str| Issue {
        severity: Severity::Error,
        subject: Some(name.to_owned()),
        message: message.to_owned(),
    };
    let mut issues: Vec<Issue> = options
        .given()
        .iter()
        .filter(|(name, _)| {
            !options.declared().iter().any(|spec| match spec.kind {
                OptionKind::Table => name
                    .strip_prefix(spec.name.as_str())
                    .is_some_and(|rest| rest.starts_with('.')),
                _ => spec.name == *name,
            })
        })
        .map(|(name, _)| issue(name, "there is no such option"))
        .collect();
    issues.extend(
        options
            .missing()
            .iter()
            .map(|name| issue(name, "it must be given")),
    );
    issues.extend(options.issues());
    if issues.iter().any(|issue| issue.severity == Severity::Error) {
        Err(issues)
    } else {
        Ok(driver)
    }
}

/// Asserts that a configuration with these options is refused, with faults at exactly these
/// options, in any order.
///
/// # Panics
///
/// Where it is not.
#[track_caller]
pub fn assert_refused<D: Driver>(options: &[(&str, &str)], at: &[&str]) {
    let Err(issues) = open::<D>(options) else {
        panic!("{options:?} is accepted");
    };
    let mut found: Vec<_> = issues
        .iter()
        .filter(|issue| issue.severity == Severity::Error)
        .map(|issue| issue.subject.as_deref().unwrap_or("the node"))
        .collect();
    let mut expected = at.to_vec();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected, "{issues:?}");
}

/// Asserts that what the driver says of itself can be relied on: names that can be typed, each
/// once; a line of help for each option, and defaults that are values; requests for capabilities
/// that there are, with a reason that a user can decide by.
///
/// # Panics
///
/// With everything that is wrong.
#[track_caller]
pub fn assert_sound<D: Driver>() {
    let faults = faults::<D>();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Everything that [`assert_sound`] would complain of.
pub fn faults<D: Driver>() -> Vec<String> {
    let descriptor = descriptor::<D>();
    let mut faults = Vec::new();
    if !is_name(&descriptor.name) {
        faults.push(format!(
            "the driver's name {:?} is not a name: lower-case letters, digits and '-'",
            descriptor.name
        ));
    }
    if descriptor.version.is_empty() {
        faults.push("the driver has no version".into());
    }
    faults.extend(line_fault("the driver's summary", &descriptor.summary));
    option_faults::<D>(&descriptor, &mut faults);
    for (number, request) in descriptor.capabilities.iter().enumerate() {
        let name = &request.name;
        if !NAMES.contains(&name.as_str()) {
            faults.push(format!(
                "there is no capability {name:?}; there are: {}",
                NAMES.join(", ")
            ));
        }
        if descriptor.capabilities[..number]
            .iter()
            .any(|earlier| earlier.name == *name && earlier.required == request.required)
        {
            faults.push(format!("the capability {name} is asked for twice"));
        }
        let reason = request.reason.chars().count();
        if reason == 0 || reason > LONGEST_REASON {
            faults.push(format!(
                "the reason for {name} has {reason} characters; it needs 1 to {LONGEST_REASON}"
            ));
        }
    }
    faults
}

fn option_faults<D: Driver>(descriptor: &Descriptor, faults: &mut Vec<String>) {
    for (number, option) in descriptor.options.iter().enumerate() {
        let name = &option.name;
        if !is_name(name) {
            faults.push(format!(
                "the option's name {name:?} is not a name: lower-case letters, digits and '-'"
            ));
        }
        if descriptor.options[..number]
            .iter()
            .any(|earlier| earlier.name == *name)
        {
            faults.push(format!("the option {name} is declared twice"));
        }
        faults.extend(line_fault(&format!("the help of {name}"), &option.help));
        if let Some(why) = &option.deprecated {
            faults.extend(line_fault(&format!("what is said against {name}"), why));
        }
    }
    // A default that the user writes out himself means the same, and changes nothing of what is
    // declared.
    let defaults: Vec<_> = descriptor
        .options
        .iter()
        .filter_map(|option| Some((option.name.as_str(), option.default.as_deref()?)))
        .collect();
    let (_, options) = export::open::<D>(config(&defaults));
    if options.declared() != descriptor.options {
        faults.push("which options are declared hangs on the values of others".into());
    }
    for issue in options.issues() {
        if issue.severity == Severity::Error {
            let subject = issue.subject.as_deref().unwrap_or("the node");
            faults.push(format!(
                "the defaults are refused: {subject}: {}",
                issue.message
            ));
        }
    }
}

fn is_name(name: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.starts_with(word) && name.ends_with(word) && name.chars().all(|c| word(c) || c == '-')
}

fn line_fault(what: &str, line: &str) -> Option<String> {
    let length = line.chars().count();
    if line.trim().is_empty() {
        Some(format!("{what} is empty"))
    } else if line.contains(char::is_control) || length > LONGEST_LINE {
        Some(format!(
            "{what} must be one line of at most {LONGEST_LINE} characters"
        ))
    } else {
        None
    }
}
