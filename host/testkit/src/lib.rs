//! Tests any driver component, on an engine in memory or a real one.
