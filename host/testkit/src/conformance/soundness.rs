//! What a driver may say of itself. The crate for authors has the same rules, for their `cargo test`;
//! the cases in `tests/descriptions.json` of the repository hold both to them.

use iechor_sandbox::contract::{CapabilityRequest, Descriptor, OptionKind, OptionSpec};
use iechor_sandbox::grant;

/// The longest line of help, summary or reason that is shown whole, in characters.
const LONGEST_LINE: usize = 140;

/// Everything that is wrong with what a driver says of itself: names are of lower-case letters,
/// digits and '-' and there once; summary, help and reasons are one line of at most 140 characters;
/// a default is a value as the host takes it; each capability that is asked for is one, and asked
/// for once.
pub fn description_faults(descriptor: &Descriptor) -> Vec<String> {
    let mut faults = Vec::new();
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
    if matches!(&option.kind, OptionKind::Choice(choices) if choices.is_empty()) {
        faults.push(format!("the option {name} is a choice of nothing"));
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
        if let Err(why) = option.kind.check(default) {
            faults.push(format!(
                "the default {default:?} of the option {name} {why}"
            ));
        }
    }
}

fn request_faults(
    request: &CapabilityRequest,
    earlier: &[CapabilityRequest],
    faults: &mut Vec<String>,
) {
    let name = &request.name;
    if let Err(unknown) = grant::find(name) {
        faults.push(unknown);
    }
    if earlier.iter().any(|other| other.name == *name) {
        faults.push(format!(
            "the capability {name} is asked for twice; ask once, within all that is needed"
        ));
    }
    let what = format!("the reason for {name}");
    faults.extend(line_fault(&what, &request.reason));
}

fn is_name(name: &str) -> bool {
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.starts_with(word) && name.ends_with(word) && name.chars().all(|c| word(c) || c == '-')
}

fn name_fault(what: &str, name: &str) -> String {
    format!("the {what}'s name {name:?} is not one of lower-case letters, digits and '-'")
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
