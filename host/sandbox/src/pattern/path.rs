//! Patterns of paths, and of volumes that can lead to any path.

use super::wildcard;

/// Prefix of the subject of a volume. The driver and options of a volume can show any directory.
const VOLUME: &str = "volume ";

/// A pattern of absolute paths, in which `*` matches any characters including `/`; or `volume NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PathPattern {
    /// A path with `*`, without a `/` at its end.
    Path(String),
    /// The name of a volume, with `*`.
    Volume(String),
}

impl PathPattern {
    /// # Errors
    ///
    /// A description of what is wrong with the pattern.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if let Some(name) = text.strip_prefix(VOLUME) {
            let usual = |c: char| c.is_ascii_alphanumeric() || "_.-*".contains(c);
            return match !name.is_empty() && name.chars().all(usual) {
                true => Ok(Self::Volume(name.to_owned())),
                false => Err(format!("{name:?} is not the name of a volume")),
            };
        }
        if !text.starts_with(['/', '*']) {
            return Err("a path begins with /".into());
        }
        let path = match text.strip_suffix('/') {
            Some("") | None => text,
            Some(path) => path,
        };
        let inner = path.strip_prefix('/').unwrap_or(path);
        if path != "/" && !is_clean(inner) {
            return Err("it has a part that is empty, '.' or '..'".into());
        }
        Ok(Self::Path(path.to_owned()))
    }

    pub(crate) fn matches(&self, subject: &str) -> bool {
        match self {
            Self::Path(pattern) => is_path(subject) && wildcard(pattern, subject),
            Self::Volume(pattern) => subject
                .strip_prefix(VOLUME)
                .is_some_and(|name| wildcard(pattern, name)),
        }
    }

    /// Returns whether access to the subject may give access to a matching path. A directory includes everything
    /// below it, so the paths above and below a match count. A text that is not a path may lead anywhere.
    pub(super) fn may_match(&self, subject: &str) -> bool {
        match self {
            Self::Path(pattern) => !is_path(subject) || overlap(pattern, subject),
            Self::Volume(_) => self.matches(subject),
        }
    }

    /// Returns whether the first component has a `*`: everything lies below a few such directories.
    pub(super) fn is_everything(&self) -> bool {
        match self {
            Self::Path(pattern) => {
                let inner = pattern.strip_prefix('/').unwrap_or(pattern);
                inner
                    .split('/')
                    .next()
                    .is_some_and(|first| first.contains('*'))
            }
            Self::Volume(pattern) => pattern.starts_with('*'),
        }
    }
}

/// Returns whether a path that matches the pattern is the subject, above it or below it.
pub(super) fn overlap(pattern: &str, subject: &str) -> bool {
    let literal = pattern.split('*').next().unwrap_or_default();
    let below_subject = format!("{}/", subject.trim_end_matches('/'));
    let below_pattern = format!("{}/*", pattern.trim_end_matches('/'));
    wildcard(pattern, subject)
        || wildcard(&below_pattern, subject)
        || literal.starts_with(&below_subject)
}

fn is_path(subject: &str) -> bool {
    subject == "/" || subject.strip_prefix('/').is_some_and(is_clean)
}

fn is_clean(inner: &str) -> bool {
    inner
        .split('/')
        .all(|part| !matches!(part, "" | "." | ".."))
}
