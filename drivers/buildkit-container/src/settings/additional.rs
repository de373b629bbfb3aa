//! The options that docker buildx does not have.

use std::time::Duration;

use iechor_driver::Options;
use iechor_driver::container::{MountSource, Mounted};
use iechor_driver::values::{self, RestartPolicy};

use super::{Pull, Settings, Transport};

/// Where BuildKit keeps its state, configuration and sockets.
const RESERVED: [&str; 4] = [
    "/var/lib/buildkit",
    "/etc/buildkit",
    "/run/buildkit",
    "/run/iechor",
];

/// Labels with a meaning for the host or an engine begin with one of these.
const RESERVED_LABELS: [&str; 4] = ["dev.iechor.", "io.podman.", "io.containers.", "PODMAN_"];

const BOOT_TIMEOUTS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(600));
const IDLE_TIMES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30 * 86_400));

impl Settings {
    /// Declares and reads the options.
    pub(super) fn read_additional(&mut self, options: &mut Options) {
        self.pull = options
            .choice(
                "pull",
                &[
                    ("always", Pull::Always),
                    ("missing", Pull::Missing),
                    ("never", Pull::Never),
                ],
                "When to pull the image; always uses the engine's image if the pull fails",
            )
            .default("always");
        self.mounts = list(
            options,
            "mount",
            "Mounts as SOURCE:TARGET[:ro] or type=...,source=...,target=...[,readonly], separated by ;",
            mounted,
        );
        self.labels = options
            .table("label", "Label of the container, as label.KEY=VALUE")
            .read();
        self.gpus = options
            .text("gpus", "GPUs: none, all, a number, or device=ID")
            .parse(gpus)
            .default("none");
        for (name, help, check) in EXTRA {
            let values = list(options, name, help, *check);
            let pairs = values.into_iter().map(|value| ((*name).to_owned(), value));
            self.extra.extend(pairs);
        }
        for (name, help, check) in REGISTRIES {
            let values = list(options, name, help, *check);
            let pairs = values.into_iter().map(|value| ((*name).to_owned(), value));
            self.registries.extend(pairs);
        }
        self.ca_certs = options
            .file(
                "ca-certs",
                "File with certificate authorities that BuildKit trusts too, by its absolute path",
            )
            .optional();
        self.boot_timeout = options
            .duration(
                "boot-timeout",
                "Longest wait for BuildKit after the start of its container, 1s to 10m",
            )
            .try_map(within(BOOT_TIMEOUTS, "1s", "10m"))
            .default("90s");
        self.idle_stop = options
            .duration(
                "idle-stop",
                "Stop BuildKit after this time without a build, 1s to 720h; 0 is never",
            )
            .try_map(|span| match span.is_zero() {
                true => Ok(None),
                false => within(IDLE_TIMES, "1s", "720h")(span).map(Some),
            })
            .default("0");
        self.transport = options
            .choice(
                "transport",
                &[
                    ("auto", Transport::Auto),
                    ("exec", Transport::Exec),
                    ("direct", Transport::Direct),
                ],
                "How BuildKit is reached: direct is a socket past the engine, exec a command in the \
                 container, auto is direct if possible",
            )
            .default("auto");
        self.check_additional(options);
    }

    fn check_additional(&mut self, options: &mut Options) {
        for (key, value) in &self.labels {
            let reserved = RESERVED_LABELS.iter().find(|begin| key.starts_with(*begin));
            let message = match reserved {
                Some(begin) => format!("labels that begin with {begin} have a meaning"),
                None if key.contains(char::is_whitespace) => "a key has no spaces".to_owned(),
                None if value.contains('\0') => "a value has no NUL".to_owned(),
                None => continue,
            };
            options.refuse(&format!("label.{key}"), message);
        }
        for (index, mount) in self.mounts.iter().enumerate() {
            let within = |outer: &str| {
                let rest = mount.target.strip_prefix(outer);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            // One fault, not two, where both have the same target.
            let others = self.mounts.iter().enumerate();
            let mut others = others.filter(|(other, outer)| {
                *other < index || (*other > index && outer.target != mount.target)
            });
            if RESERVED.iter().any(|reserved| within(reserved)) {
                options.refuse("mount", format!("{} is for BuildKit itself", mount.target));
            } else if others.any(|(_, other)| within(&other.target)) {
                options.refuse(
                    "mount",
                    format!(
                        "{} is at or below the target of another mount",
                        mount.target
                    ),
                );
            }
        }
        if self.idle_stop.is_some() {
            // An engine would start again what ended by itself.
            if options.is_given("restart-policy") && self.restart_policy != RestartPolicy::No {
                options.refuse(
                    "restart-policy",
                    "with idle-stop it must be no, or the engine starts BuildKit again",
                );
            }
            self.restart_policy = RestartPolicy::No;
            // Connections from outside the container's network cannot be seen from within the container.
            if self.transport == Transport::Direct {
                options.refuse(
                    "transport",
                    "with idle-stop it must be exec or auto: the container does not see direct connections, so builds \
                     would be stopped",
                );
            }
            self.transport = Transport::Exec;
        }
    }
}

/// Name, help and check of an option with several values.
type List = (
    &'static str,
    &'static str,
    fn(&str) -> Result<String, String>,
);

const EXTRA: &[List] = &[
    (
        "add-host",
        "Hosts that the container knows, as NAME:ADDRESS, separated by ;",
        values::host_address,
    ),
    (
        "dns",
        "Addresses of DNS servers, separated by ;",
        values::ip_address,
    ),
    (
        "dns-search",
        "Domains in which names are looked up, separated by ;",
        values::word,
    ),
    (
        "dns-option",
        "Options of the DNS resolver, separated by ;",
        values::word,
    ),
    (
        "ulimit",
        "Limits of processes, as NAME=SOFT[:HARD], separated by ;",
        |text| values::ulimit(text).map(|_| text.to_owned()),
    ),
    (
        "security-opt",
        "Security options, for example no-new-privileges, separated by ;",
        security_option,
    ),
];

const REGISTRIES: &[List] = &[
    (
        "insecure-registry",
        "Registries without a trusted certificate, as HOST[:PORT] or http://HOST[:PORT], separated by ;",
        |text| values::insecure_registry(text).map(|_| text.to_owned()),
    ),
    (
        "registry-mirror",
        "Mirrors of registries, as [REGISTRY=]MIRROR, separated by ;",
        |text| values::registry_mirror(text).map(|_| text.to_owned()),
    ),
];

/// Declares and reads an option with several values. Every value with a fault is reported.
fn list<T: 'static>(
    options: &mut Options,
    name: &str,
    help: &str,
    parse: impl Fn(&str) -> Result<T, String> + 'static,
) -> Vec<T> {
    options
        .text(name, help)
        .parse(move |text| values::list(text, &parse))
        .optional()
        .unwrap_or_default()
}

fn mounted(text: &str) -> Result<Mounted, String> {
    let mount = values::mount(text)?;
    Ok(Mounted {
        source: match mount.source {
            values::Source::Bind(path) => MountSource::Bind(path),
            values::Source::Volume(name) => MountSource::Volume(name),
            values::Source::Tmpfs(bytes) => MountSource::Tmpfs(bytes),
        },
        target: mount.target,
        read_only: mount.read_only,
    })
}

fn within(
    (least, most): (Duration, Duration),
    least_text: &'static str,
    most_text: &'static str,
) -> impl Fn(Duration) -> Result<Duration, String> {
    move |span| match span {
        _ if span < least => Err(format!(
            "{span:?} is too short; give {least_text} to {most_text}"
        )),
        _ if span > most => Err(format!(
            "{span:?} is too long; give {least_text} to {most_text}"
        )),
        _ => Ok(span),
    }
}

fn gpus(text: &str) -> Result<Option<String>, String> {
    let is_id = |id: &str| {
        !id.is_empty() && !id.contains(|c: char| c.is_whitespace() || matches!(c, '=' | '"'))
    };
    let is_known = match text {
        "" | "none" => return Ok(None),
        "all" => true,
        _ => match text.strip_prefix("device=") {
            Some(ids) => ids.split(',').all(is_id),
            None => text.parse::<u32>().is_ok_and(|count| count > 0),
        },
    };
    match is_known {
        true => Ok(Some(text.to_owned())),
        false => Err(format!(
            "{text:?} is none of none, all, a number of GPUs, and device=ID[,ID]"
        )),
    }
}

fn security_option(text: &str) -> Result<String, String> {
    let (name, value) = text.split_once(['=', ':']).unwrap_or((text, ""));
    let is_known = match name {
        "no-new-privileges" => matches!(value, "" | "true" | "false"),
        // A profile is a file of the user, which drivers do not read.
        "seccomp" => matches!(value, "unconfined" | "builtin"),
        "systempaths" => value == "unconfined",
        "apparmor" | "label" => !value.is_empty() && !value.contains(char::is_whitespace),
        _ => false,
    };
    match is_known {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "{text:?} is none of no-new-privileges, seccomp=unconfined, seccomp=builtin, \
             apparmor=PROFILE, label=..., systempaths=unconfined"
        )),
    }
}
