//! Words of a driver: made fit to be displayed, and compared.

pub(crate) use iechor_text::{clean, clean_line, nearest};
