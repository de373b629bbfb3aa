//! Debug messages: what the crates of the program record with `tracing`.
//!
//! `--debug` prints the debug messages of all of them; `RUST_LOG` chooses levels for single ones, as in
//! `RUST_LOG=iechor_engine=debug`. Without both, nothing is recorded.
//!
//! Only the crates of this program are heard. Their messages name requests, calls and operations, but have no contents
//! and no headers; messages of libraries might contain credentials.

use std::fmt::Write as _;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use crate::terminal;

/// What the names of the crates begin with.
const OWN: &str = "iechor";

/// Prints debug messages from now on, if they are wanted.
pub fn start(debug: bool) {
    let variable = std::env::var("RUST_LOG").unwrap_or_default();
    let targets = match variable.parse::<Targets>() {
        _ if variable.is_empty() => match debug {
            true => Targets::new().with_target(OWN, Level::DEBUG),
            false => return,
        },
        Ok(targets) => targets,
        Err(error) => {
            terminal::warn(&format!("invalid RUST_LOG {variable:?}: {error}"));
            return;
        }
    };
    let subscriber = tracing_subscriber::registry().with(Messages { targets });
    // Nothing else sets one.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// Prints events as messages.
struct Messages {
    targets: Targets,
}

impl<S: Subscriber> Layer<S> for Messages {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.target().starts_with(OWN)
            && self
                .targets
                .would_enable(metadata.target(), metadata.level())
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        self.targets
            .iter()
            .map(|(_, level)| level)
            .chain(self.targets.default_level())
            .max()
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut text = Line::default();
        event.record(&mut text);
        let metadata = event.metadata();
        let level = match *metadata.level() {
            Level::TRACE => "TRACE",
            Level::DEBUG => "DEBUG",
            Level::INFO => "INFO",
            Level::WARN => "WARNING",
            Level::ERROR => "ERROR",
        };
        let area = metadata.target().split("::").next().unwrap_or_default();
        let area = area.trim_start_matches(OWN).trim_start_matches('_');
        terminal::log(level, &format!("{area}: {}{}", text.message, text.fields));
    }
}

/// The texts of an event.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message.push_str(value),
            name => drop(write!(self.fields, " {name}={value}")),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        match field.name() {
            "message" => drop(write!(self.message, "{value:?}")),
            name => drop(write!(self.fields, " {name}={value:?}")),
        }
    }
}
