//! The driver `team`: BuildKit in a container, as a team wants it.
//!
//! The images are the team's, and so are the limits; a daemon that nobody builds with stops by
//! itself, and the next build starts it again with its cache. What a team would change are the
//! constants below.

use std::time::Duration;

use iechor_buildkit_container::{ContainerDriver, HOST_NETWORK, Policy, Settings};
use iechor_driver::container::Spec;
use iechor_driver::values::RestartPolicy;
use iechor_driver::{Description, Error, Node, Options, capability};

/// The images that are approved, by the names that the option `release` has for them. What a tag
/// stands for changes with whoever may push it; what a digest stands for, nobody can change.
const IMAGES: &[(&str, &str)] = &[
    ("stable", "moby/buildkit:buildx-stable-1"),
    (
        "v0.25",
        "moby/buildkit:v0.25.1@sha256:79cc6476ab1a3371c9afd8b44e7c55610057c43e18d9b39b68e2b0c2475cc1b6",
    ),
];

/// By these the team finds its containers among others: `docker ps --filter label=...`.
const LABELS: &[(&str, &str)] = &[("com.example.owner", "build-team")];

/// Memory of a builder, in bytes.
const MOST_MEMORY: u64 = 8 << 30;
const LEAST_MEMORY: u64 = 256 << 20;
/// What of each processor's time a builder has at most: so many whole processors.
const MOST_PROCESSORS: i64 = 4;
/// Microseconds; the kernel's own default.
const CPU_PERIOD: i64 = 100_000;

struct Team;

iechor_driver::register!(ContainerDriver<Team>);

impl Policy for Team {
    fn describe() -> Description {
        let images = || IMAGES.iter().map(|(_, image)| *image);
        Description::new(
            "team",
            env!("CARGO_PKG_VERSION"),
            "BuildKit from an approved image, with limits, stopped when nobody builds",
        )
        .vendor("iechor")
        .license(env!("CARGO_PKG_LICENSE"))
        .capability(
            capability::required(
                "container.privileged",
                "BuildKit mounts file systems and starts containers of its own",
            )
            .within(images()),
        )
        .capability(
            capability::required("image.pull", "the approved images of BuildKit").within(images()),
        )
        .capability(capability::optional(
            "engine.load",
            "the option default-load loads results into the engine",
        ))
    }

    fn open(node: &Node, options: &mut Options) -> (Self, Settings) {
        // Either may allow builds more than the team does.
        if node.buildkitd_flags.iter().any(|flag| flag != HOST_NETWORK) {
            options.refuse_node("the team's builders have no flags of their own; leave them out");
        }
        if !node.files.is_empty() {
            options.refuse_node(
                "the team's builders have no configuration file of their own; leave it out",
            );
        }
        let image = options
            .choice("release", IMAGES, "Which of the approved images to use")
            .default("stable");
        let memory = options
            .size("memory", "Memory that BuildKit may use, at most 8g")
            .try_map(between(LEAST_MEMORY, MOST_MEMORY, "256m", "8g"))
            .default("4g");
        let processors = options
            .integer("processors", "Processors that it may use, at most 4")
            .try_map(between(1, MOST_PROCESSORS, "1", "4"))
            .default("2");
        let idle_stop = options
            .duration(
                "idle-stop",
                "Stop after so long without a build; 0 is never",
            )
            .try_map(|span| match span {
                _ if span.is_zero() || span >= Duration::from_secs(1) => Ok(span),
                _ => Err(format!("{span:?} is too short; give 1s or more, or 0")),
            })
            .default("30m");
        let default_load = options
            .boolean(
                "default-load",
                "Load results into the engine unless another output is asked for",
            )
            .default("false");
        let settings = Settings {
            image: image.into(),
            memory: Some(memory),
            // At most `MOST_MEMORY`. With as much swap as memory a limit would be half of one.
            memory_swap: Some(memory as i64),
            cpu_period: Some(CPU_PERIOD),
            cpu_quota: Some(processors * CPU_PERIOD),
            default_load,
            // Whoever ends it, the next build starts it; the engine would undo the idle stop.
            restart_policy: RestartPolicy::No,
            idle_stop: Some(idle_stop).filter(|span| !span.is_zero()),
            ..Settings::default()
        };
        (Self, settings)
    }

    fn container(&self, spec: &mut Spec) -> Result<(), Error> {
        let labels = LABELS
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()));
        spec.labels.extend(labels);
        Ok(())
    }
}

/// Lets through what is not less than `least` and not more than `most`; `low` and `high` are these
/// in the words of a user.
fn between<T: PartialOrd + 'static>(
    least: T,
    most: T,
    low: &'static str,
    high: &'static str,
) -> impl Fn(T) -> Result<T, String> {
    move |value| {
        if value < least {
            Err(format!("it is too little; the least is {low}"))
        } else if value > most {
            Err(format!("the team allows {high} at most"))
        } else {
            Ok(value)
        }
    }
}

#[cfg(test)]
mod tests {
    use iechor_driver::types::File;
    use iechor_driver::{CapabilityRequest, Config, testing, values};

    use super::*;

    type Driver = ContainerDriver<Team>;

    #[test]
    fn it_is_described_soundly_and_asks_for_no_more_than_its_images() {
        testing::assert_sound::<Driver>();
        let requests = testing::descriptor::<Driver>().capabilities;
        // Results have the names that the user gives them, whatever these are.
        let of_images = |request: &&CapabilityRequest| request.name != "engine.load";
        for request in requests.iter().filter(of_images) {
            assert_eq!(request.scope.len(), IMAGES.len(), "{request:?}");
            for image in &request.scope {
                assert_eq!(values::image_reference(image).as_ref(), Ok(image));
            }
        }
    }

    #[test]
    fn limits_are_there_without_any_option() {
        let driver = testing::open::<Driver>(&[]).expect("it is right");
        let settings = driver.settings();
        assert_eq!(settings.image, IMAGES[0].1);
        assert_eq!(settings.memory, Some(4 << 30));
        assert_eq!(settings.memory_swap, Some(4 << 30));
        assert_eq!(settings.cpu_quota, Some(2 * CPU_PERIOD));
        assert_eq!(settings.restart_policy, RestartPolicy::No);
        assert_eq!(driver.settings().idle_stop, Some(Duration::from_secs(1800)));
    }

    #[test]
    fn asking_for_more_than_the_team_allows_is_refused() {
        testing::assert_refused::<Driver>(
            &[
                ("release", "my/own"),
                ("memory", "9g"),
                ("processors", "5"),
                ("idle-stop", "-1s"),
            ],
            &["release", "memory", "processors", "idle-stop"],
        );
        testing::assert_refused::<Driver>(
            &[
                ("memory", "1m"),
                ("processors", "0"),
                ("idle-stop", "10ms"),
                ("image", "my/own"),
                ("network", "host"),
            ],
            &["memory", "processors", "idle-stop", "image", "network"],
        );
        let most = [
            ("release", "v0.25"),
            ("memory", "8g"),
            ("processors", "4"),
            ("idle-stop", "0"),
        ];
        let driver = testing::open::<Driver>(&most).expect("it is right");
        assert_eq!(driver.settings().image, IMAGES[1].1);
        assert_eq!(driver.settings().memory, Some(MOST_MEMORY));
        assert!(driver.settings().idle_stop.is_none());
    }

    #[test]
    fn what_could_allow_more_than_the_team_does_is_refused() {
        let with_flags = |flag: &str| Config {
            buildkitd_flags: vec![flag.into()],
            ..testing::config(&[])
        };
        assert!(testing::open_config::<Driver>(with_flags(HOST_NETWORK)).is_ok());
        let file = File {
            path: "buildkitd.toml".into(),
            mode: 0o644,
            contents: Vec::new(),
        };
        let with_file = Config {
            files: vec![file],
            ..testing::config(&[])
        };
        for (config, words) in [
            (
                with_flags("--allow-insecure-entitlement=security.insecure"),
                "no flags",
            ),
            (with_file, "no configuration file"),
        ] {
            let issues = testing::open_config::<Driver>(config).err();
            let issues = issues.expect("it is refused");
            assert!(issues[0].message.contains(words), "{issues:?}");
        }
    }
}
