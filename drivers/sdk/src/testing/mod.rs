//! Tests of a driver that need no host, for `cargo test`.
//!
//! Everything that a driver does with a container or a connection needs a host: test it with
//! `iechor driver test DRIVER.wasm`. The description and the options need none:
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

mod patterns;
mod soundness;

use crate::{Config, Descriptor, Driver, Issue, OptionKind, Severity, export};

pub use soundness::description_faults;

/// Returns the description of the driver, with its options.
pub fn descriptor<D: Driver>() -> Descriptor {
    export::descriptor::<D>()
}

/// Returns the configuration of a node `node0` with these options.
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

/// Opens a node with these options, like [`open_config`].
///
/// # Errors
///
/// Everything that is wrong with the options.
pub fn open<D: Driver>(options: &[(&str, &str)]) -> Result<D, Vec<Issue>> {
    open_config(config(options))
}

/// Opens a node after the checks of a host: every option exists, and required options were given.
///
/// # Errors
///
/// Everything that is wrong with the configuration, with the warnings.
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
/// If it is not refused.
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

/// Asserts that the description of the driver is valid (see [`description_faults`]) and true: every option is
/// declared whatever is given, and the defaults are valid values.
///
/// # Panics
///
/// With everything that is wrong.
#[track_caller]
pub fn assert_sound<D: Driver>() {
    let faults = faults::<D>();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Returns the faults that [`assert_sound`] would report.
pub fn faults<D: Driver>() -> Vec<String> {
    let descriptor = descriptor::<D>();
    let mut faults = description_faults(&descriptor);
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
    faults
}
