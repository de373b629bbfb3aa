//! Patterns of names, devices and control groups.

use super::path::overlap;
use super::wildcard;

/// A word, such as `host` or `container:*`; or two, such as `network NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WordPattern(String);

/// First words that take a second word.
const FIRST_WORDS: [&str; 1] = ["network "];

impl WordPattern {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let first = FIRST_WORDS.iter().find(|first| text.starts_with(**first));
        let word = &text[first.map_or(0, |first| first.len())..];
        check_word(word)?;
        Ok(Self(text.to_owned()))
    }

    pub(super) fn matches(&self, subject: &str) -> bool {
        wildcard(&self.0, subject)
    }

    pub(super) fn is_everything(&self) -> bool {
        star_decides(&self.0)
    }
}

/// The values of docker's `--gpus`, and devices of an existing container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DevicesPattern(String);

impl DevicesPattern {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let usual = |c: char| c.is_ascii_graphic() || c == ' ';
        match text.chars().all(usual) {
            true => Ok(Self(text.to_owned())),
            false => Err("it has a letter that no device has".into()),
        }
    }

    pub(super) fn matches(&self, subject: &str) -> bool {
        wildcard(&self.0, subject)
    }

    /// Returns whether two requests may mean the same GPU. A request names GPUs by index, count, ID or driver, and
    /// each of these may include the same GPU.
    pub(super) fn may_match(&self, subject: &str) -> bool {
        let is_file = |text: &str| text.starts_with('/');
        self.matches(subject) || !(is_file(&self.0) || is_file(subject))
    }

    pub(super) fn is_everything(&self) -> bool {
        star_decides(&self.0)
    }
}

/// A pattern of control groups: `/a/b` and `a/b` are the same group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GroupPattern(String);

impl GroupPattern {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        text.split('/')
            .filter(|part| !part.is_empty())
            .try_for_each(check_word)?;
        canonical_group(text)
            .map(Self)
            .ok_or_else(|| "it has a part that is '..'".into())
    }

    pub(super) fn matches(&self, subject: &str) -> bool {
        canonical_group(subject).is_some_and(|group| wildcard(&self.0, &group))
    }

    pub(super) fn may_match(&self, subject: &str) -> bool {
        canonical_group(subject).is_none_or(|group| overlap(&self.0, &group))
    }

    pub(super) fn is_everything(&self) -> bool {
        let first = self.0.split('/').nth(1);
        first.is_some_and(star_decides)
    }
}

fn canonical_group(text: &str) -> Option<String> {
    let parts = text.split('/').filter(|part| !matches!(*part, "" | "."));
    let mut group = String::new();
    for part in parts {
        if part == ".." {
            return None;
        }
        group.push('/');
        group.push_str(part);
    }
    Some(if group.is_empty() { "/".into() } else { group })
}

fn check_word(word: &str) -> Result<(), String> {
    // Letters of other alphabets can look like these.
    if !word.is_empty() && word.chars().all(|c| c.is_ascii_graphic()) {
        Ok(())
    } else {
        Err("it is one word of letters, digits and signs of ASCII".into())
    }
}

/// Returns whether a `*` decides what the pattern means: it does not follow a separator.
fn star_decides(text: &str) -> bool {
    text.split_once('*')
        .is_some_and(|(before, _)| !before.ends_with([':', '_', '-', '.', '/', '=']))
}
