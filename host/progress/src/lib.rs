//! Renders a stream of solve status: tty, plain, quiet, rawjson.
//!
//! A [`Printer`] takes each [`SolveStatus`](iechor_buildkit::status::SolveStatus) when it arrives, and
//! writes everything that is due to an [`Output`]. It starts no thread and reads no environment: its
//! owner calls [`Printer::tick`] whenever nothing has arrived for [`Printer::tick_interval`], and
//! [`Printer::finish`] at the end.
//!
//! There is one model of a build's status (`trace`), and a file for each format beside it. `tty` makes
//! [`Frame`]s; it never moves a cursor, the output does.
//!
//! [`vertex`] reports work that this program does itself (boot, load, push) in the same model, and
//! [`relay`] joins the statuses of several builds.
//!
//! ```
//! use iechor_buildkit::status::{SolveStatus, Vertex};
//! use iechor_progress::{Clock, Mode, Options, Printer};
//! use std::time::{Duration, SystemTime};
//!
//! let options = Options {
//!     description: Some(iechor_progress::description("b", "docker-container")),
//!     ..Options::default()
//! };
//! let mut text = Vec::new();
//! let mut printer = Printer::new(Mode::Plain, &mut text, options, Clock::system())?;
//! let start = SystemTime::UNIX_EPOCH;
//! printer.update(&SolveStatus {
//!     vertexes: vec![Vertex {
//!         digest: "sha256:1".into(),
//!         name: "[1/1] RUN make".into(),
//!         started: Some(start),
//!         completed: Some(start + Duration::from_millis(1500)),
//!         ..Vertex::default()
//!     }],
//!     ..SolveStatus::default()
//! })?;
//! printer.finish()?;
//! drop(printer);
//! assert_eq!(
//!     String::from_utf8(text)?,
//!     "#0 building with \"b\" instance using docker-container driver\n\n\
//!      #1 [1/1] RUN make\n#1 DONE 1.5s\n"
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod colours;
mod errors;
mod mode;
mod options;
mod output;
mod plain;
mod printer;
mod rawjson;
pub mod relay;
mod trace;
mod tty;
mod units;
pub mod vertex;
mod warnings;

pub use colours::{Colour, ColourError, Palette};
pub use mode::{Mode, ModeError};
pub use options::{Options, REFRESH, TICK, description, label};
pub use output::{Clock, Frame, Line, Output, Size};
pub use printer::Printer;
pub use warnings::{Warned, Warnings};

#[cfg(test)]
mod tests;
