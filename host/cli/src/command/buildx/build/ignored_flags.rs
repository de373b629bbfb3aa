//! Flags of older versions of `docker build` that have no effect. docker buildx accepts them, and does
//! not list them.

use clap::{ArgAction, Args};

/// Flags that have no effect.
#[derive(Debug, Args)]
pub struct IgnoredFlags {
    /// Compress the build context; ignored
    #[arg(long, hide = true)]
    compress: bool,
    /// Isolation of containers; ignored
    #[arg(long, hide = true, value_name = "TECHNOLOGY")]
    isolation: Option<String>,
    /// Security options; ignored
    #[arg(long, hide = true, value_name = "OPTIONS")]
    security_opt: Vec<String>,
    /// Squash the layers; ignored
    #[arg(long, hide = true, action = ArgAction::Set, value_name = "BOOLEAN")]
    squash: Option<bool>,
    /// Remove intermediate containers after a successful build; ignored
    #[arg(long, hide = true)]
    rm: bool,
    /// Always remove intermediate containers; ignored
    #[arg(long, hide = true)]
    force_rm: bool,
}

impl IgnoredFlags {
    /// Returns the warnings of docker buildx about the flags that were given.
    pub fn warnings(&self) -> Vec<&'static str> {
        let warnings = [
            (
                self.isolation.is_some(),
                "isolation flag is deprecated with BuildKit.",
            ),
            (
                !self.security_opt.is_empty(),
                "security-opt flag is deprecated. \"RUN --security=insecure\" should be used with \
                 BuildKit.",
            ),
            (
                self.squash.is_some(),
                "experimental flag squash is removed with BuildKit. You should squash inside build \
                 using a multi-stage Dockerfile for efficiency.",
            ),
        ];
        let given = warnings.into_iter().filter(|(is_given, _)| *is_given);
        given.map(|(_, warning)| warning).collect()
    }
}
