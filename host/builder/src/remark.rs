//! Remarks: what a user should know about a driver that is no error.

/// A remark about a driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remark {
    /// The driver is not the one that the builder was made with. The user may have updated it.
    DriverChanged {
        /// The builder.
        builder: String,
        /// The node that is in use.
        node: String,
        /// The digest of the driver when the builder was made or last changed.
        before: String,
        /// The digest now.
        now: String,
    },
}

impl std::fmt::Display for Remark {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::DriverChanged {
                builder,
                before,
                now,
                ..
            } => write!(
                formatter,
                "changed since builder {builder} was made with it: {before} -> {now}"
            ),
        }
    }
}

/// Returns what to do about a remark, in the words of the program.
pub type Advice = fn(&Remark) -> String;
