//! What a driver may say of itself. The crate for authors has the same rules, for their `cargo test`;
//! the cases in `tests/descriptions.json` of the repository hold both to them.

use iechor_sandbox::contract::{Descriptor, OptionKind, OptionSpec};
use iechor_sandbox::description::{self, line_fault};
use iechor_sandbox::{grant, limits};

/// Everything that is wrong with what a driver says of itself: that for which the host refuses it
/// ([`description::refusals`]), and what is bad style. Summary and help are one line of at most 140
/// characters; a default is a value as the host takes it; each capability that is asked for is one.
pub fn description_faults(descriptor: &Descriptor) -> Vec<String> {
    let mut faults = description::refusals(descriptor);
    if descriptor.capabilities.len() > limits::REQUESTS
        || descriptor.options.len() > limits::OPTIONS
    {
        return faults;
    }
    if descriptor.version.trim().is_empty() {
        faults.push("the driver has no version".into());
    }
    faults.extend(line_fault("the driver's summary", &descriptor.summary));
    for option in &descriptor.options {
        option_faults(option, &mut faults);
    }
    for request in &descriptor.capabilities {
        // A name that could be none at all is refused already.
        if let Err(unknown) = grant::find(&request.name)
            && !request.name.is_empty()
        {
            faults.push(unknown);
        }
    }
    faults
}

fn option_faults(option: &OptionSpec, faults: &mut Vec<String>) {
    let name = &option.name;
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
