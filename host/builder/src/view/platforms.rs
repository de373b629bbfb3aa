//! The platforms of a node.

use iechor_buildkit::Worker;
use iechor_platform::Platform;

/// Returns the platforms of a node, each once: first those that the user declared, with a star, then
/// those of its workers.
pub(super) fn list(declared: &[Platform], workers: &[Worker]) -> Vec<String> {
    let mut names: Vec<String> = declared
        .iter()
        .map(|platform| format!("{platform}*"))
        .collect();
    for platform in workers.iter().flat_map(|worker| &worker.platforms) {
        let name = platform.to_string();
        if !names
            .iter()
            .any(|known| known.trim_end_matches('*') == name)
        {
            names.push(name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_platforms_come_first_and_once() {
        let declared = [Platform::new("linux", "arm64", "")];
        let worker = Worker {
            platforms: ["amd64", "arm64"]
                .map(|architecture| Platform::new("linux", architecture, ""))
                .to_vec(),
            ..Worker::default()
        };
        assert_eq!(list(&declared, &[worker]), ["linux/arm64*", "linux/amd64"]);
    }
}
