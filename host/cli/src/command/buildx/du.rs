//! `iechor buildx du`

use std::str::FromStr;
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use iechor_builder::BuilderError;
use iechor_builder::cache::{CacheUsage, Caches};
use iechor_builder::view::CacheRecord;
use iechor_values::duration;

use super::{cache_filters, cache_records};
use crate::command::Format;
use crate::session::{self, Common};
use crate::terminal::{self, Display};
use crate::text::Text;

/// Show the disk usage of the build cache
///
/// A stopped builder is booted. A builder that was never booted has no cache, and is not booted.
#[derive(Debug, Args)]
pub struct Du {
    /// Show only some records: id=PREFIX, type=TYPE, until=DURATION (not used within that time), and
    /// any field of a record as FIELD=VALUE, FIELD!=VALUE or FIELD~=EXPRESSION
    #[arg(long = "filter", value_name = "FILTER")]
    filters: Vec<String>,
    /// Format the output: table, pretty, json, or a Go template such as '{{.ID}}'
    #[arg(long)]
    format: Option<DuFormat>,
    /// Shorthand for --format=pretty
    #[arg(long)]
    verbose: bool,
    /// Time that each node has to answer
    #[arg(long, default_value = "20s", value_parser = duration::parse)]
    timeout: Duration,
}

/// The value of `--format`.
#[derive(Debug, Clone)]
enum DuFormat {
    /// All fields of each record, for people.
    Pretty,
    Other(Format),
}

impl FromStr for DuFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "pretty" => Ok(Self::Pretty),
            text => text
                .parse()
                .map(Self::Other)
                .map_err(|error: String| error.replace("table, json", "table, pretty, json")),
        }
    }
}

impl Du {
    /// Asks all nodes at the same time, and prints their records.
    pub fn run(self, common: &Common) -> anyhow::Result<()> {
        let format = match (self.format, self.verbose) {
            (Some(_), true) => bail!("--format and --verbose cannot be used together"),
            (Some(format), false) => format,
            (None, true) => DuFormat::Pretty,
            (None, false) => DuFormat::Other(Format::Table),
        };
        session::change(common, |workspace| async move {
            let filter = cache_filters::read(&self.filters, &[])?;
            let group = workspace.builder(None)?;
            let display = Display::start(terminal::boot_mode()?, None)?;
            let caches = Caches {
                workspace: &workspace,
                group: &group,
                limit: self.timeout,
                status: display.sender(),
            };
            let usage = async { Ok::<_, BuilderError>(caches.usage(&filter).await) };
            let usage = workspace.unless_cancelled("the query", usage).await;
            display.finish().await?;
            let CacheUsage {
                records,
                absent,
                failure,
            } = usage?;
            cache_filters::say_absent(&absent);
            let is_whole = filter.is_empty();
            match format {
                DuFormat::Pretty => terminal::result(&pretty(&records, is_whole))?,
                DuFormat::Other(format) => format.list(|| table(&records, is_whole), &records)?,
            }
            failure.map_or(Ok(()), |error| Err(error.into()))
        })
    }
}

fn table(records: &[CacheRecord], is_whole: bool) -> Text {
    let mut text = cache_records::table(records);
    if is_whole {
        text.append(&cache_records::summary(records));
    }
    text
}

fn pretty(records: &[CacheRecord], is_whole: bool) -> Text {
    let mut text = Text::default();
    for record in records {
        text.append(&cache_records::pretty(record));
    }
    if is_whole {
        text.append(&cache_records::summary(records));
    }
    text
}
