//! Entry points of the fuzz targets of this crate, see `fuzz/README.md`. They exist only in tests and
//! with `--cfg fuzzing`.

use crate::config::DockerConfig;

/// Reads a `config.json`.
pub fn config(data: &[u8]) {
    let config = DockerConfig::from_json(data);
    let _ = config.faults();
    let _ = config.current_context();
    let _ = config.http_headers().count();
    for host in ["", "unix:///var/run/docker.sock", "tcp://example.com:2376"] {
        let _ = config.proxies(host);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
#[path = "../../../tests/seeds.rs"]
mod seeds;

#[cfg(test)]
mod tests {
    use super::seeds;

    #[test]
    fn config() {
        seeds::run("config", 300, super::config);
    }
}
