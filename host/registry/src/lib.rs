//! Fetches driver components from files, web servers and OCI registries.
