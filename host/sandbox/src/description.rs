//! Checks and cleans the descriptions of drivers.
//!
//! People decide by these texts what a driver may do, and options are found by their names. So their
//! number and length is bounded, and nothing in them can look like something else. The test kit tells
//! authors about bad style.

use crate::bindings::contract::{CapabilityRequest, Descriptor, OptionKind, OptionSpec};
use crate::grant::lookup;
use crate::limits;
use crate::pattern::Pattern;
use crate::text::clean_line;
use iechor_text::is_displayable;

/// Returns the faults for which a description is refused.
pub fn refusals(descriptor: &Descriptor) -> Vec<String> {
    let mut faults = Vec::new();
    // First, so that the rest has bounded work and says a bounded number of words.
    bound(
        "capabilities",
        descriptor.capabilities.len(),
        limits::REQUESTS,
        &mut faults,
    );
    bound(
        "options",
        descriptor.options.len(),
        limits::OPTIONS,
        &mut faults,
    );
    if !faults.is_empty() {
        return faults;
    }
    if let Some(fault) = name_fault("driver", &descriptor.name) {
        faults.push(fault);
    }
    for (number, request) in descriptor.capabilities.iter().enumerate() {
        let name = shown(&request.name);
        let mut earlier = descriptor.capabilities[..number].iter();
        if earlier.any(|other| other.name == request.name) {
            faults.push(format!(
                "the capability {name} is asked for twice; ask once, within all that is needed"
            ));
        }
        request_faults(request, &mut faults);
    }
    for (number, option) in descriptor.options.iter().enumerate() {
        let mut earlier = descriptor.options[..number].iter();
        if earlier.any(|other| other.name == option.name) {
            let name = shown(&option.name);
            faults.push(format!("the option {name} is declared twice"));
        }
        option_faults(option, &mut faults);
    }
    faults
}

/// Returns what is wrong with a line that is shown in full, if anything is.
pub fn line_fault(what: &str, line: &str) -> Option<String> {
    if line.trim().is_empty() {
        Some(format!("{what} is empty"))
    } else if line.contains(|c: char| !is_displayable(c))
        || line.chars().count() > limits::SHOWN_LINE
    {
        Some(format!(
            "{what} must be one line of at most {} characters, each of which is seen",
            limits::SHOWN_LINE
        ))
    } else {
        None
    }
}

/// Returns a description without control characters: its texts are shown when the user decides about the
/// driver.
pub(crate) fn cleaned(descriptor: Descriptor) -> Descriptor {
    let line = |text: String| clean_line(&text, limits::LINE);
    Descriptor {
        name: line(descriptor.name),
        version: line(descriptor.version),
        summary: line(descriptor.summary),
        vendor: descriptor.vendor.map(line),
        homepage: descriptor.homepage.map(line),
        license: descriptor.license.map(line),
        multi_node: descriptor.multi_node,
        options: descriptor
            .options
            .into_iter()
            .map(|option| OptionSpec {
                name: line(option.name),
                kind: match option.kind {
                    OptionKind::Choice(choices) => {
                        OptionKind::Choice(choices.into_iter().map(line).collect())
                    }
                    other => other,
                },
                help: line(option.help),
                default: option.default.map(line),
                deprecated: option.deprecated.map(line),
                ..option
            })
            .collect(),
        capabilities: descriptor
            .capabilities
            .into_iter()
            .map(|request| CapabilityRequest {
                name: line(request.name),
                scope: request.scope.into_iter().map(line).collect(),
                reason: line(request.reason),
                required: request.required,
            })
            .collect(),
    }
}

fn request_faults(request: &CapabilityRequest, faults: &mut Vec<String>) {
    let name = shown(&request.name);
    let is_dotted = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(c);
    if request.name.is_empty()
        || request.name.len() > limits::NAME_CHARS
        || !request.name.chars().all(is_dotted)
    {
        faults.push(format!("{name:?} is not the name of a capability"));
        return;
    }
    faults.extend(line_fault(
        &format!("the reason for {name}"),
        &request.reason,
    ));
    if request.scope.len() > limits::PATTERNS {
        let there_are = request.scope.len();
        faults.push(format!(
            "there are {there_are} patterns for {name}, and there may be {}",
            limits::PATTERNS
        ));
        return;
    }
    let length: usize = request
        .scope
        .iter()
        .map(|pattern| pattern.chars().count())
        .sum();
    if length > limits::SCOPE_CHARS {
        faults.push(format!(
            "the patterns for {name} have {length} characters, and may have {} together",
            limits::SCOPE_CHARS
        ));
        return;
    }
    for pattern in &request.scope {
        // A letter of another alphabet looks like one of this.
        if !pattern.chars().all(|c| c.is_ascii_graphic() || c == ' ') {
            let shown = shown(pattern);
            faults.push(format!(
                "{shown:?} is no pattern for {name}: it has a character that is not of ASCII"
            ));
        } else if let Some(known) = lookup(&request.name) {
            faults.extend(Pattern::parse(known, pattern).err());
        }
    }
}

fn option_faults(option: &OptionSpec, faults: &mut Vec<String>) {
    if let Some(fault) = name_fault("option", &option.name) {
        faults.push(fault);
        return;
    }
    let name = &option.name;
    let mut text = |what: String, text: Option<&str>| {
        if text.is_some_and(|text| text.chars().count() > limits::OPTION_CHARS) {
            faults.push(format!(
                "{what} {name} has more than {} characters",
                limits::OPTION_CHARS
            ));
        }
    };
    text("the help of".into(), Some(&option.help));
    text("the default of".into(), option.default.as_deref());
    text("what is said against".into(), option.deprecated.as_deref());
    if let OptionKind::Choice(choices) = &option.kind {
        bound(
            &format!("choices of {name}"),
            choices.len(),
            limits::CHOICES,
            faults,
        );
        let is_bad = |choice: &&String| {
            choice.chars().count() > limits::NAME_CHARS
                || choice.contains(|c: char| !is_displayable(c))
        };
        if let Some(choice) = choices.iter().find(is_bad) {
            let shown = shown(choice);
            faults.push(format!(
                "{shown:?} is no choice of {name}: at most {} characters, each of which is seen",
                limits::NAME_CHARS
            ));
        }
    }
}

fn bound(what: &str, count: usize, most: usize, faults: &mut Vec<String>) {
    if count > most {
        faults.push(format!("there are {count} {what}, and there may be {most}"));
    }
}

/// Returns whether it is a name of a driver or an option: lower-case letters, digits and `-`.
pub fn is_name(name: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() <= limits::NAME_CHARS
        && name.starts_with(word)
        && name.ends_with(word)
        && name.chars().all(|c| word(c) || c == '-')
}

fn name_fault(what: &str, name: &str) -> Option<String> {
    let shown = shown(name);
    (!is_name(name)).then(|| {
        format!(
            "the {what}'s name {shown:?} is not one of at most {} lower-case letters, digits and '-'",
            limits::NAME_CHARS
        )
    })
}

/// As much of a word as a message shows.
fn shown(text: &str) -> String {
    crate::text::clean_line(text, limits::NAME_CHARS)
}
