//! Definitions as users write them.

mod corpus;
mod expressions;
mod faults;
mod limits;
mod support;
