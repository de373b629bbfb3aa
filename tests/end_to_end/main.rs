//! End to end: the built binary, a real engine, a real BuildKit, a real registry.
