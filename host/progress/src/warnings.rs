//! The warnings of a build, for the list at its end.

use iechor_buildkit::status::{SourceInfo, VertexWarning};
use iechor_buildkit::{SourceError, source_snippet};

/// Maximum number of warnings that are kept.
const MOST: usize = 1_000;

/// Maximum size of the warnings that are kept, in bytes.
const MOST_BYTES: usize = 4 << 20;

/// Size of a warning without its texts, in bytes.
const WARNING: usize = 300;

/// What is known of a warning, as text. Clean it before you display it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Warned {
    /// Text of one line.
    pub short: String,
    /// Further lines.
    pub detail: Vec<String>,
    /// Address of further information; may be empty.
    pub url: String,
    /// The lines of the source that it refers to; empty if there are none.
    pub snippet: Vec<String>,
}

/// The warnings of a build, each of them once.
#[derive(Debug, Default)]
pub struct Warnings {
    list: Vec<VertexWarning>,
    bytes: usize,
    others: usize,
}

impl Warnings {
    /// Returns the warnings in the order of their arrival.
    pub fn list(&self) -> &[VertexWarning] {
        &self.list
    }

    /// Returns the texts of the warnings in the order of their arrival.
    pub fn texts(&self) -> impl Iterator<Item = Warned> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        self.list.iter().map(move |warning| Warned {
            short: text(&warning.short),
            detail: warning.detail.iter().map(|line| text(line)).collect(),
            url: warning.url.clone(),
            snippet: warning.source_info.clone().map_or_else(Vec::new, |info| {
                source_snippet(&SourceError {
                    info,
                    ranges: warning.ranges.clone(),
                })
            }),
        })
    }

    /// Returns the number of warnings, including those that were too many or too long to be kept.
    pub fn count(&self) -> usize {
        self.list.len() + self.others
    }

    /// Adds a warning, unless another vertex had the same. buildx combines them, too.
    pub fn add(&mut self, warning: &VertexWarning) {
        let source = self.source(warning);
        let bytes = WARNING + size(warning, source.is_none());
        if self.list.len() >= MOST || self.bytes + bytes > MOST_BYTES {
            self.others = self.others.saturating_add(1);
            return;
        }
        let is_known = self.list.iter().any(|known| {
            known.short == warning.short
                && known.level == warning.level
                && known.detail == warning.detail
                && known.url == warning.url
                && known.ranges == warning.ranges
                && known.source_info == warning.source_info
        });
        if !is_known {
            self.bytes += bytes;
            // The texts of a message share its memory, which may be much larger.
            self.list.push(VertexWarning {
                short: warning.short.to_vec().into(),
                detail: warning
                    .detail
                    .iter()
                    .map(|line| line.to_vec().into())
                    .collect(),
                source_info: source.or_else(|| {
                    let mut source = warning.source_info.clone()?;
                    source.data = source.data.to_vec().into();
                    Some(source)
                }),
                ..warning.clone()
            });
        }
    }

    /// Returns the source of a warning if an earlier one has the same. Its text is kept once.
    fn source(&self, warning: &VertexWarning) -> Option<SourceInfo> {
        let source = warning.source_info.as_ref()?;
        let known = self
            .list
            .iter()
            .filter_map(|known| known.source_info.as_ref());
        known.into_iter().find(|known| *known == source).cloned()
    }
}

/// Returns the size of the texts of a warning, in bytes.
fn size(warning: &VertexWarning, with_source: bool) -> usize {
    let source = warning.source_info.as_ref().filter(|_| with_source);
    warning.vertex.len()
        + warning.short.len()
        + warning.url.len()
        + warning
            .detail
            .iter()
            .map(|line| 32 + line.len())
            .sum::<usize>()
        + warning.ranges.len() * 16
        + source.map_or(0, |source| {
            source.filename.len() + source.language.len() + source.data.len()
        })
}
