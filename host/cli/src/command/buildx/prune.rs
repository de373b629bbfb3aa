//! `iechor buildx prune`

use std::time::Duration;

use anyhow::{anyhow, bail};
use clap::Args;
use iechor_builder::cache::{Caches, Unwanted};
use iechor_builder::view::CacheRecord;
use iechor_values::{duration, size};

use super::{cache_filters, cache_records};
use crate::command::Format;
use crate::failure::WrongLine;
use crate::session::{self, Common};
use crate::terminal::{self, Answer, Display};
use crate::text::Text;

/// Remove build cache
///
/// A stopped builder is booted. A builder that was never booted has no cache, and is not booted. Filters
/// of the Docker CLI's configuration (pruneFilters) apply, except for those that --filter replaces.
#[derive(Debug, Args)]
pub struct Prune {
    /// Include internal/frontend images
    #[arg(short, long)]
    all: bool,
    /// Remove only some records: id=PREFIX, type=TYPE, until=DURATION (not used within that time), and
    /// any field of a record as FIELD=VALUE, FIELD!=VALUE or FIELD~=EXPRESSION
    #[arg(long = "filter", value_name = "FILTER")]
    filters: Vec<String>,
    /// Do not prompt for confirmation
    #[arg(short, long)]
    force: bool,
    /// Amount of disk space always allowed to keep for cache, such as 10g
    #[arg(long, value_name = "BYTES")]
    reserved_space: Option<String>,
    /// Maximum amount of disk space allowed to keep for cache
    #[arg(long, value_name = "BYTES")]
    max_used_space: Option<String>,
    /// Target amount of free disk space after pruning
    #[arg(long, value_name = "BYTES")]
    min_free_space: Option<String>,
    /// Show all fields of the removed records
    #[arg(long)]
    verbose: bool,
    /// Format the output: table, json, or a Go template such as '{{.ID}}'
    #[arg(long, default_value = "table")]
    format: Format,
    /// Time that each node has to answer
    #[arg(long, default_value = "20s", value_parser = duration::parse)]
    timeout: Duration,
    /// Old name of --reserved-space
    #[arg(long, value_name = "BYTES", hide = true)]
    keep_storage: Option<String>,
}

/// What is printed of the removed records.
enum Printed {
    /// A row for each, as soon as it is removed.
    Rows,
    /// All fields of each, as soon as it is removed.
    Fields,
    /// All of them at the end.
    AtEnd(Format),
}

impl Prune {
    /// Asks for confirmation, and removes records of all nodes at the same time.
    pub fn run(self, common: &Common) -> anyhow::Result<()> {
        if self.keep_storage.is_some() {
            // docker buildx prints the same.
            terminal::say(
                "Flag --keep-storage has been deprecated, keep-storage flag has been changed to \
                 reserved-space",
            );
        }
        let printed = match (self.format, self.verbose) {
            (Format::Table, false) => Printed::Rows,
            (Format::Table, true) => Printed::Fields,
            (_, true) => bail!("--format and --verbose cannot be used together"),
            (format, false) => Printed::AtEnd(format),
        };
        let mut line = common.line.clone();
        let reserved = match (&self.reserved_space, &self.keep_storage) {
            (None, Some(old)) => bytes(&mut line, "--keep-storage", Some(old)),
            (new, _) => bytes(&mut line, "--reserved-space", new.as_ref()),
        };
        let max_used = bytes(&mut line, "--max-used-space", self.max_used_space.as_ref());
        let min_free = bytes(&mut line, "--min-free-space", self.min_free_space.as_ref());
        session::change(common, |workspace| async move {
            let configured = workspace.config.prune_filters();
            let read = cache_filters::read(&self.filters, configured);
            let filter = match line.is_empty() {
                true => read?,
                false => {
                    line.note("--filter", read);
                    return line.check();
                }
            };
            let unwanted = Unwanted {
                filter,
                all: self.all,
                reserved_space: reserved,
                max_used_space: max_used,
                min_free_space: min_free,
            };
            let group = workspace.builder(None)?;
            if !self.force {
                let what = if self.all { "all" } else { "all dangling" };
                let question = format!(
                    "WARNING! This will remove {what} build cache. Are you sure you want to \
                     continue? [y/N] "
                );
                match terminal::ask(&question, &workspace.cancel).await? {
                    Answer::Yes => {}
                    Answer::No => return Ok(()),
                    Answer::Missing => bail!(
                        "prune asks for confirmation, but standard input has no answer; add --force"
                    ),
                }
            }
            let display = Display::start(terminal::boot_mode()?, None)?;
            let caches = Caches {
                workspace: &workspace,
                group: &group,
                limit: self.timeout,
                status: display.sender(),
            };
            let mut removed = Removed::new(printed);
            let pruned = caches.prune(&unwanted, |record| removed.add(record));
            let pruned = workspace.unless_cancelled("the removal", pruned).await;
            display.finish().await?;
            if let Ok(absent) = &pruned {
                cache_filters::say_absent(absent);
            }
            removed.finish(pruned.is_ok())?;
            Ok(pruned.map(drop)?)
        })
    }
}

/// Reads an amount of disk space, and notes a mistake.
fn bytes(line: &mut WrongLine, flag: &'static str, text: Option<&String>) -> u64 {
    let Some(text) = text else {
        return 0;
    };
    let read = size::parse(text);
    // The text of docker buildx.
    let read = read.map_err(|_| {
        anyhow!("invalid argument {text:?} for {flag:?} flag: invalid size: '{text}'")
    });
    line.note(flag, read).unwrap_or_default()
}

/// The removed records.
struct Removed {
    printed: Printed,
    count: usize,
    bytes: i64,
    /// The records that are printed at the end.
    records: Vec<CacheRecord>,
    /// Why a record could not be printed.
    failure: Option<anyhow::Error>,
}

impl Removed {
    fn new(printed: Printed) -> Self {
        Self {
            printed,
            count: 0,
            bytes: 0,
            records: Vec::new(),
            failure: None,
        }
    }

    fn add(&mut self, record: CacheRecord) {
        self.count += 1;
        self.bytes = self.bytes.saturating_add(record.bytes.max(0));
        let mut text = Text::default();
        match &self.printed {
            Printed::Rows => {
                if self.count == 1 {
                    text.append(&cache_records::growing_header());
                }
                text.append(&cache_records::growing_row(&record));
            }
            Printed::Fields => text = cache_records::pretty(&record),
            Printed::AtEnd(_) => return self.records.push(record),
        }
        if let Err(error) = terminal::result(&text) {
            self.failure.get_or_insert(error);
        }
    }

    /// Prints the end: the total, or the records in another format.
    fn finish(self, is_complete: bool) -> anyhow::Result<()> {
        if let Some(error) = self.failure {
            return Err(error);
        }
        match self.printed {
            Printed::AtEnd(format) => format.list(Text::default, &self.records),
            Printed::Rows | Printed::Fields if is_complete => {
                let total = format!("Total:\t{}\n", size::human(self.bytes));
                terminal::result(&Text::prepared(total))
            }
            Printed::Rows | Printed::Fields => Ok(()),
        }
    }
}
