//! The versions that the program reports.

/// Version of the program.
pub const OWN: &str = env!("CARGO_PKG_VERSION");

/// The newest version of docker buildx whose features the program has, as far as other programs ask for it: they
/// leave out flags for older versions. `docs/docker-plugin.md` lists what depends on which version.
pub const COMPATIBLE: &str = "0.28.0";

/// Returns the line that docker buildx prints: package, version and revision. Other programs look for the version
/// behind the first space.
pub fn line_of_buildx() -> String {
    format!("github.com/docker/buildx v{COMPATIBLE} iechor-{OWN}")
}
