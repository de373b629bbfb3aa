//! Parses and formats values. The host and drivers share this crate, so a value means the same to both.
//!
//! | Module | Values | Source of the rules |
//! | --- | --- | --- |
//! | [`causes`] | errors with their causes, for messages | |
//! | [`csv`] | `--driver-opt`, `--output` | RFC 4180, as Go's `encoding/csv` parses it |
//! | [`duration`] | `--timeout`, options of drivers, scenarios | Go's `time.ParseDuration` |
//! | [`hex`] | digests, identifiers | |
//! | [`image`] | image references | `distribution/reference` |
//! | [`list`] | options of drivers with several values | |
//! | [`mount`] | `mount` of drivers | `docker run --mount` and `--volume` |
//! | [`registry`] | `insecure-registry` and `registry-mirror` of drivers | `buildkitd.toml` |
//! | [`size`] | options of drivers, limits of a policy, progress | Docker's `go-units` |
//! | [`ulimit`] | `ulimit` of drivers | Docker's `go-units` |
//!
//! Platforms are in `host/platform`. Text of others that is displayed goes through `host/text`.
//!
//! The tables in `tests/values` show which texts each parser accepts. The parsers for drivers in Python
//! (`drivers/sdk-python`) are tested with the same tables.

pub mod causes;
pub mod csv;
pub mod duration;
pub mod hex;
pub mod image;
pub mod list;
pub mod mount;
pub mod registry;
pub mod size;
pub mod ulimit;
