//! Environment that a driver may set by itself.
//!
//! Not in the list, and so for the user to give in an option such as `env.NAME=VALUE`, are all
//! variables that change what is loaded (`PATH`, `LD_*`, `HOME`, `XDG_*`, `TMPDIR`, `BUILDKIT_*`,
//! `GODEBUG`), whom BuildKit trusts (`SSL_CERT_*`), where its traffic goes (`*_PROXY`), and where it
//! sends what it sees (`OTEL_*`, `JAEGER_*`).

use crate::user_words::UserWords;

/// Language, time zone, and how much the runtime of Go takes: they load nothing and send nothing.
const ALLOWED: &[&str] = &[
    "TZ",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "LC_MESSAGES",
    "NO_COLOR",
    "GOMAXPROCS",
    "GOMEMLIMIT",
    "GOGC",
];

/// What Podman gives every container by itself.
const OF_ENGINES: &[&str] = &["TERM", "HOSTNAME", "container"];

/// Returns what a variable is that a driver may not set, and the user did not.
pub(super) fn chosen(name: &str, value: &str, words: &UserWords) -> Option<String> {
    let is_free = ALLOWED.contains(&name) || words.has_variable(name, value);
    (!is_free).then(|| {
        format!("environment variable {name:?}, which the user did not give with that value")
    })
}

/// As [`chosen`], of a container that somebody else made.
pub(super) fn chosen_in_present(name: &str, value: &str, words: &UserWords) -> Option<String> {
    let is_of_the_engine = OF_ENGINES.contains(&name) || (name == "HOME" && value == "/root");
    if is_of_the_engine {
        return None;
    }
    chosen(name, value, words)
}
