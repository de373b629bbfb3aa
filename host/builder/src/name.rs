//! Names of builders and nodes.
//!
//! A name starts with a letter, followed by letters, digits, `.`, `-` and `_`. The files of the
//! store have the name in lower case, so `Release` and `release` are the same builder. Listings
//! show the name as it was typed.

use iechor_sandbox::ownership::SEPARATOR;
use rand::Rng;

/// The name of the current engine, which no builder may have.
pub const RESERVED: &str = "default";

/// Maximum number of attempts of [`generate`].
const ATTEMPTS: usize = 6;

/// Maximum length of a name, in bytes: the file of a builder has its name, and file systems allow
/// 255 bytes.
const LONGEST: usize = 200;

/// Reasons why a name is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The name has a character that is not allowed, or does not start with a letter.
    #[error(
        "invalid name {name}, name needs to start with a letter and may not contain symbols, except ._-"
    )]
    Symbols {
        /// The name as it was given.
        name: String,
    },
    /// The name is too long for a file name.
    #[error(
        "invalid name of {length} characters that starts with {start}: the maximum is {LONGEST} characters"
    )]
    TooLong {
        /// The first characters of the name.
        start: String,
        /// Its length in characters.
        length: usize,
    },
    /// The name is [`RESERVED`].
    #[error("default is a reserved name and cannot be used to identify builder instance")]
    Reserved,
    /// The name of a node contains the separator between a node and its objects.
    #[error(
        "invalid node name {name}: it contains {SEPARATOR:?}, which separates the name of a node from those \
         of its containers, volumes and networks"
    )]
    Separator {
        /// The name.
        name: String,
    },
    /// Every generated name was taken.
    #[error("failed to generate random name: {ATTEMPTS} attempts were all taken")]
    Exhausted,
}

/// A valid name of a builder or node, as it was typed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Name(String);

impl Name {
    /// Checks a name. Allows [`RESERVED`], which only [`Name::for_new_builder`] refuses.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        let mut characters = name.chars();
        let starts = characters
            .next()
            .is_some_and(|first| first.is_ascii_alphabetic());
        let goes_on =
            characters.all(|next| next.is_ascii_alphanumeric() || matches!(next, '.' | '-' | '_'));
        if !starts || !goes_on {
            return Err(NameError::Symbols {
                name: name.to_owned(),
            });
        }
        // Only ASCII from here on.
        if name.len() > LONGEST {
            return Err(NameError::TooLong {
                start: name[..20].to_owned(),
                length: name.len(),
            });
        }
        Ok(Self(name.to_owned()))
    }

    /// Checks the name of a new builder.
    pub fn for_new_builder(name: &str) -> Result<Self, NameError> {
        let name = Self::parse(name)?;
        if name.file_name() == RESERVED {
            return Err(NameError::Reserved);
        }
        Ok(name)
    }

    /// Checks the name of a new node. Nodes that older versions or docker buildx created may have
    /// other names.
    pub fn for_new_node(name: &str) -> Result<Self, NameError> {
        let name = Self::parse(name)?;
        if name.0.contains(SEPARATOR) {
            return Err(NameError::Separator { name: name.0 });
        }
        Ok(name)
    }

    /// Returns the name as it was typed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name in lower case: the name of the file in the store. Two names are the same if
    /// these are.
    pub fn file_name(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Returns a random name that is not `taken`, such as `brisk_kettle`. From the second attempt on, a
/// digit is appended.
pub fn generate<R: Rng + ?Sized>(
    random: &mut R,
    mut taken: impl FnMut(&str) -> bool,
) -> Result<Name, NameError> {
    for attempt in 0..ATTEMPTS {
        let adjective = ADJECTIVES[random.random_range(0..ADJECTIVES.len())];
        let noun = NOUNS[random.random_range(0..NOUNS.len())];
        let mut name = format!("{adjective}_{noun}");
        if attempt > 0 {
            name.push(char::from(b'0' + random.random_range(0..10u8)));
        }
        if !taken(&name) {
            return Ok(Name(name));
        }
    }
    Err(NameError::Exhausted)
}

const ADJECTIVES: [&str; 64] = [
    "amber", "apt", "autumn", "bold", "bright", "brisk", "calm", "candid", "clear", "clever",
    "copper", "coral", "crisp", "dapper", "deft", "eager", "early", "earnest", "even", "fabled",
    "fair", "fleet", "fond", "fresh", "gentle", "glad", "golden", "grand", "hardy", "hearty",
    "honest", "humble", "indigo", "jolly", "keen", "kind", "level", "light", "lively", "lucid",
    "mellow", "merry", "misty", "modest", "nimble", "noble", "patient", "placid", "plucky",
    "polite", "proud", "quick", "quiet", "ready", "round", "silver", "snug", "spry", "steady",
    "sunny", "swift", "tidy", "warm", "witty",
];

const NOUNS: [&str; 64] = [
    "acorn", "anchor", "anvil", "arch", "atlas", "badger", "barrel", "beacon", "bellows", "birch",
    "bridge", "brook", "cabin", "canal", "candle", "cedar", "chisel", "cobble", "comet", "compass",
    "crane", "delta", "ember", "falcon", "fern", "ferry", "forge", "garden", "glacier", "hammer",
    "harbor", "hazel", "heron", "hinge", "island", "kettle", "kiln", "ladder", "lantern", "lathe",
    "loom", "maple", "meadow", "mill", "mortar", "oak", "orchard", "otter", "pebble", "pier",
    "plover", "prism", "pulley", "quarry", "quill", "raft", "reef", "ridge", "rudder", "spindle",
    "thicket", "timber", "trowel", "willow",
];

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    #[test]
    fn names_follow_the_rule() {
        for good in ["a", "Z", "b0", "my-builder", "a.b_c-D9", "default"] {
            assert_eq!(Name::parse(good).unwrap().as_str(), good);
        }
        for bad in [
            "", "0a", "-a", "_a", ".a", "a/b", "a b", "a:b", "ä", "aä", "..", "a\n", "a\0", "a%",
        ] {
            let error = Name::parse(bad).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!(
                    "invalid name {bad}, name needs to start with a letter and may not contain symbols, except ._-"
                )
            );
        }
        assert!(Name::parse(&"a".repeat(LONGEST)).is_ok());
        assert!(matches!(
            Name::parse(&"a".repeat(LONGEST + 1)),
            Err(NameError::TooLong { length: 201, .. })
        ));
    }

    #[test]
    fn only_the_file_name_is_lowered() {
        let name = Name::parse("MyBuilder").unwrap();
        assert_eq!(name.to_string(), "MyBuilder");
        assert_eq!(name.file_name(), "mybuilder");
    }

    #[test]
    fn a_new_node_has_no_separator_in_its_name() {
        for name in ["x0", "x0_y0", "x0.y", "x0-", "x0.", "x0_state"] {
            assert!(Name::for_new_node(name).is_ok(), "{name}");
        }
        for name in ["x0..y", "x..", "x...y"] {
            // One that is there already can be used.
            assert!(Name::parse(name).is_ok(), "{name}");
            let error = Name::for_new_node(name).unwrap_err();
            assert!(matches!(error, NameError::Separator { .. }), "{error}");
        }
    }

    #[test]
    fn default_cannot_be_made() {
        for reserved in ["default", "Default", "DEFAULT"] {
            assert_eq!(Name::for_new_builder(reserved), Err(NameError::Reserved));
        }
        assert!(Name::for_new_builder("default0").is_ok());
    }

    #[test]
    fn words_are_distinct_and_make_names() {
        for words in [&ADJECTIVES, &NOUNS] {
            let mut sorted = words.to_vec();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(sorted.len(), words.len());
            for word in words {
                assert!(word.bytes().all(|letter| letter.is_ascii_lowercase()));
            }
        }
    }

    #[test]
    fn generated_names_avoid_what_is_taken() {
        let mut random = StdRng::seed_from_u64(7);
        let first = generate(&mut random, |_| false).unwrap();
        assert!(Name::for_new_builder(first.as_str()).is_ok());
        assert!(
            first
                .as_str()
                .ends_with(|last: char| last.is_ascii_lowercase())
        );

        let mut refusals = 0;
        let later = generate(&mut random, |_| {
            refusals += 1;
            refusals < 3
        })
        .unwrap();
        assert!(later.as_str().ends_with(|last: char| last.is_ascii_digit()));

        let mut asked = 0;
        let error = generate(&mut random, |_| {
            asked += 1;
            true
        });
        assert_eq!((error, asked), (Err(NameError::Exhausted), 6));
    }
}
