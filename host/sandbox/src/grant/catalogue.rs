//! The capabilities that exist, and the functions that need them: collected from the table of
//! [`crate::capability`].

use crate::bindings::contract::CapabilityRequest;
use crate::capability::TABLE;
use crate::declaration::{Capability, Function, Needs, Subject};
use crate::text::nearest;

/// Collects the entries of one column of the table.
macro_rules! collected {
    ($column:ident, $filler:expr) => {{
        const COUNT: usize = {
            let mut count = 0;
            let mut row = 0;
            while row < TABLE.len() {
                count += TABLE[row].$column.len();
                row += 1;
            }
            count
        };
        let mut all = [$filler; COUNT];
        let (mut row, mut count) = (0, 0);
        while row < TABLE.len() {
            let mut entry = 0;
            while entry < TABLE[row].$column.len() {
                all[count] = TABLE[row].$column[entry];
                entry += 1;
                count += 1;
            }
            row += 1;
        }
        all
    }};
}

/// All capabilities that can be granted.
pub const CATALOGUE: &[Capability] = &collected!(grants, NO_CAPABILITY);

/// All functions that a driver can call, with what each needs.
pub const FUNCTIONS: &[Function] = &collected!(functions, Function::new("", Needs::Nothing));

/// Fills the list before the capabilities of the table replace it.
const NO_CAPABILITY: Capability = Capability {
    name: "",
    subject: "",
    kind: Subject::Other,
    endpoint: None,
    includes: None,
    high_risk: true,
    means: "",
};

/// Returns whether a capability is dangerous, see [`Capability::high_risk`]. An unknown capability counts as
/// dangerous.
pub fn is_high_risk(name: &str) -> bool {
    lookup(name).is_none_or(|capability| capability.high_risk)
}

/// Returns the capability with this name.
///
/// # Errors
///
/// It does not exist; the text names similar ones.
pub fn find(name: &str) -> Result<&'static Capability, String> {
    lookup(name).ok_or_else(|| {
        let names = CATALOGUE.iter().map(|capability| capability.name);
        let others = match nearest(name, names.clone()) {
            Some(nearest) => format!("did you mean {nearest}?"),
            None => format!("there are: {}", names.collect::<Vec<_>>().join(", ")),
        };
        format!("there is no capability {name:?}; {others}")
    })
}

pub(crate) fn lookup(name: &str) -> Option<&'static Capability> {
    CATALOGUE.iter().find(|capability| capability.name == name)
}

/// Returns what is wrong with required requests: the capabilities that do not exist.
pub fn unknown(requests: &[CapabilityRequest]) -> Vec<String> {
    let required = requests.iter().filter(|request| request.required);
    required
        .filter_map(|request| find(&request.name).err())
        .collect()
}
