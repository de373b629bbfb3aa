//! What a driver may say of itself. The test kit of the host has the same rules; the cases in
//! `tests/descriptions.json` of the repository hold both to them.

use super::patterns;
use crate::capability::NAMES;
use crate::{CapabilityRequest, Descriptor, OptionKind, OptionSpec, values};

/// The longest line of help, summary or reason that is shown whole, in characters.
const LONGEST_LINE: usize = 140;
/// Most capabilities that a driver may ask for.
const REQUESTS: usize = 32;
/// Most patterns of one of them.
const PATTERNS: usize = 32;
/// Most characters of all patterns of one of them.
const SCOPE_CHARS: usize = 1000;
/// Most options.
const OPTIONS: usize = 200;
/// Most choices of one of them.
const CHOICES: usize = 100;
/// Most characters of the name of a driver, an option or a choice.
const NAME_CHARS: usize = 64;
/// Most characters of a default.
const OPTION_CHARS: usize = 1000;

/// Everything that is wrong with what a driver says of itself: names are of lower-case letters,
/// digits and '-' and there once; summary, help and reasons are one line of at most 140 characters;
/// a default is a value as the host takes it; each capability that is asked for is one, and asked
/// for once, within a few patterns.
pub fn description_faults(descriptor: &Descriptor) -> Vec<String> {
    let mut faults = Vec::new();
    bound(
        "capabilities",
        descriptor.capabilities.len(),
        REQUESTS,
        &mut faults,
    );
    bound("options", descriptor.options.len(), OPTIONS, &mut faults);
    if !faults.is_empty() {
        return faults;
    }
    if !is_name(&descriptor.name) {
        faults.push(name_fault("driver", &descriptor.name));
    }
    if descriptor.version.trim().is_empty() {
        faults.push("the driver has no version".into());
    }
    faults.extend(line_fault("the driver's summary", &descriptor.summary));
    for (number, option) in descriptor.options.iter().enumerate() {
        let earlier = &descriptor.options[..number];
        option_faults(option, earlier, &mut faults);
    }
    for (number, request) in descriptor.capabilities.iter().enumerate() {
        let earlier = &descriptor.capabilities[..number];
        request_faults(request, earlier, &mut faults);
    }
    faults
}

fn bound(what: &str, count: usize, most: usize, faults: &mut Vec<String>) {
    if count > most {
        faults.push(format!("there are {count} {what}, and there may be {most}"));
    }
}

fn option_faults(option: &OptionSpec, earlier: &[OptionSpec], faults: &mut Vec<String>) {
    let name = &option.name;
    if !is_name(name) {
        faults.push(name_fault("option", name));
    }
    if earlier.iter().any(|other| other.name == *name) {
        faults.push(format!("the option {name} is declared twice"));
    }
    faults.extend(line_fault(&format!("the help of {name}"), &option.help));
    if let Some(why) = &option.deprecated {
        faults.extend(line_fault(&format!("what is said against {name}"), why));
    }
    if let OptionKind::Choice(choices) = &option.kind {
        if choices.is_empty() {
            faults.push(format!("the option {name} is a choice of nothing"));
        }
        bound(
            &format!("choices of {name}"),
            choices.len(),
            CHOICES,
            faults,
        );
        let is_bad =
            |choice: &&String| choice.chars().count() > NAME_CHARS || choice.contains(is_unseen);
        if let Some(choice) = choices.iter().find(is_bad) {
            faults.push(format!(
                "{choice:?} is no choice of {name}: at most {NAME_CHARS} characters, each of which \
                 is seen"
            ));
        }
    }
    if option
        .default
        .as_ref()
        .is_some_and(|text| text.chars().count() > OPTION_CHARS)
    {
        faults.push(format!(
            "the default of {name} has more than {OPTION_CHARS} characters"
        ));
    }
    if let Some(default) = &option.default {
        if matches!(option.kind, OptionKind::Table) {
            faults.push(format!(
                "the option {name} is a table, of which there is no default: its parts have names"
            ));
        }
        if option.required {
            faults.push(format!(
                "the option {name} must be given, and has a default"
            ));
        }
        if let Err(why) = check_default(&option.kind, default) {
            faults.push(format!("the default of the option {name}: {why}"));
        }
    }
}

/// As the host checks values; the rest is for the driver to check.
fn check_default(kind: &OptionKind, default: &str) -> Result<(), String> {
    match kind {
        OptionKind::Boolean => values::boolean(default).map(drop),
        OptionKind::Integer => values::integer(default).map(drop),
        OptionKind::Choice(choices) if !choices.iter().any(|choice| choice == default) => {
            Err(format!("{default:?} is none of: {}", choices.join(", ")))
        }
        _ => Ok(()),
    }
}

fn request_faults(
    request: &CapabilityRequest,
    earlier: &[CapabilityRequest],
    faults: &mut Vec<String>,
) {
    let name = &request.name;
    if !NAMES.contains(&name.as_str()) {
        let names = NAMES.join(", ");
        faults.push(format!(
            "there is no capability {name:?}; there are: {names}"
        ));
    }
    if earlier.iter().any(|other| other.name == *name) {
        faults.push(format!(
            "the capability {name} is asked for twice; ask once, within all that is needed"
        ));
    }
    let what = format!("the reason for {name}");
    faults.extend(line_fault(&what, &request.reason));
    let before = faults.len();
    bound(
        &format!("patterns for {name}"),
        request.scope.len(),
        PATTERNS,
        faults,
    );
    if faults.len() > before {
        return;
    }
    let length: usize = request.scope.iter().map(String::len).sum();
    if length > SCOPE_CHARS {
        faults.push(format!(
            "the patterns for {name} have {length} characters, and may have {SCOPE_CHARS} together"
        ));
    }
    if faults.len() > before {
        return;
    }
    for pattern in &request.scope {
        if let Some(why) = patterns::fault(name, pattern) {
            faults.push(format!("{pattern:?} is no pattern for {name}: {why}"));
        }
    }
}

fn is_name(name: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.len() <= NAME_CHARS
        && name.starts_with(word)
        && name.ends_with(word)
        && name.chars().all(|c| word(c) || c == '-')
}

fn name_fault(what: &str, name: &str) -> String {
    format!("the {what}'s name {name:?} is not one of lower-case letters, digits and '-'")
}

fn line_fault(what: &str, line: &str) -> Option<String> {
    let length = line.chars().count();
    if line.trim().is_empty() {
        Some(format!("{what} is empty"))
    } else if line.contains(is_unseen) || length > LONGEST_LINE {
        Some(format!(
            "{what} must be one line of at most {LONGEST_LINE} characters, each of which is seen"
        ))
    } else {
        None
    }
}

/// Returns whether a character moves the cursor, turns round what is seen, or is not seen at all.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0001}'
            | '\u{e0020}'..='\u{e007f}')
}
