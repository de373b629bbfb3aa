use std::time::Duration;

use crate::transport::Connection;
use crate::{
    Description, Driver, Error, Info, Node, OptionKind, Options, Severity, capability, export,
    testing, values,
};

/// What a driver does that is not asked to do anything.
macro_rules! never_runs {
    () => {
        fn info(&self) -> Result<Info, Error> {
            Err(Error::NotRunning)
        }

        fn boot(&self) -> Result<(), Error> {
            Err(Error::NotRunning)
        }

        fn dial(&self) -> Result<Connection, Error> {
            Err(Error::NotRunning)
        }
    };
}

/// One option of every kind.
#[derive(Debug, PartialEq)]
struct Everything {
    node: Node,
    image: String,
    memory: Option<u64>,
    swap: Option<i64>,
    load: bool,
    port: i64,
    patience: Duration,
    mode: Mode,
    processors: Option<String>,
    password: Option<i64>,
    env: Vec<(String, String)>,
}

#[derive(Debug, Clone, PartialEq)]
enum Mode {
    Fast,
    Safe,
}

impl Driver for Everything {
    fn describe() -> Description {
        Description::new("everything", "1.0.0", "One option of every kind")
            .vendor("we")
            .homepage("https://example.com")
            .license("Apache-2.0")
            .single_node()
            .capability(capability::optional("image.pull", "to have it").within(["a:*", "b"]))
    }

    fn open(node: Node, options: &mut Options) -> Self {
        let this = Self {
            node,
            image: options.text("image", "Image").required(),
            memory: options.size("memory", "Memory").optional(),
            swap: options
                .parsed("swap", OptionKind::Size, "Swap", values::bytes_or_unlimited)
                .optional(),
            load: options.boolean("load", "Load").default("false"),
            port: options
                .integer("port", "Port")
                .try_map(|port| {
                    if port > 0 {
                        Ok(port)
                    } else {
                        Err(format!("{port} is not positive"))
                    }
                })
                .default("1234"),
            patience: options.duration("patience", "Patience").default("1m30s"),
            mode: options
                .choice("mode", &[("fast", Mode::Fast), ("safe", Mode::Safe)], "How")
                .default("safe"),
            processors: options
                .text("processors", "Processors")
                .parse(values::cpuset)
                .empty_is_absent()
                .optional(),
            password: options
                .integer("pin", "Number")
                .secret()
                .deprecated("it is not secret; use none")
                .optional(),
            env: options.table("env", "Environment").read(),
        };
        if this.load && this.mode == Mode::Fast {
            options.refuse("load", "it takes the mode safe");
        }
        if this.port < 1024 {
            options.warn("port", "it needs privileges");
        }
        if this.node.buildkitd_flags.len() > 1 {
            options.refuse_node("one flag of buildkitd is enough");
        }
        this
    }

    never_runs!();
}

fn shown(issues: &[crate::Issue]) -> Vec<String> {
    issues
        .iter()
        .map(|issue| {
            let subject = issue.subject.as_deref().unwrap_or("-");
            format!("{:?} {subject}: {}", issue.severity, issue.message)
        })
        .collect()
}

#[test]
fn what_is_declared_is_described() {
    let descriptor = testing::descriptor::<Everything>();
    let found: Vec<_> = descriptor
        .options
        .iter()
        .map(|option| {
            (
                option.name.as_str(),
                option.kind.clone(),
                option.default.as_deref(),
            )
        })
        .collect();
    let choices = OptionKind::Choice(vec!["fast".into(), "safe".into()]);
    assert_eq!(
        found,
        [
            ("image", OptionKind::Text, None),
            ("memory", OptionKind::Size, None),
            ("swap", OptionKind::Size, None),
            ("load", OptionKind::Boolean, Some("false")),
            ("port", OptionKind::Integer, Some("1234")),
            ("patience", OptionKind::Duration, Some("1m30s")),
            ("mode", choices, Some("safe")),
            ("processors", OptionKind::Text, None),
            ("pin", OptionKind::Integer, None),
            ("env", OptionKind::Table, None),
        ]
    );
    assert!(descriptor.options[0].required && !descriptor.options[1].required);
    assert!(descriptor.options[8].secret && descriptor.options[8].deprecated.is_some());
    assert!(!descriptor.multi_node);
    assert_eq!(descriptor.capabilities[0].scope, ["a:*", "b"]);
    testing::assert_sound::<Everything>();
}

#[test]
fn what_is_given_is_read_and_the_last_value_counts() {
    let read = testing::open::<Everything>(&[
        ("image", "a"),
        ("image", "b"),
        ("memory", "1g"),
        ("swap", "-1"),
        ("load", "true"),
        ("port", "99"),
        ("patience", "2h"),
        ("processors", ""),
        ("pin", "1"),
        ("env.B", "1"),
        ("environment.C", "no"),
        ("env.A.C", "2=3"),
        ("env.B", "2"),
    ]);
    // `environment.C` is not of the table `env`.
    assert_eq!(
        shown(&read.expect_err("there is no such option")),
        [
            "Severity::Error environment.C: there is no such option",
            "Severity::Warning port: it needs privileges"
        ]
    );
    let read = testing::open::<Everything>(&[
        ("image", "a"),
        ("image", "b"),
        ("memory", "1g"),
        ("swap", "-1"),
        ("load", "true"),
        ("port", "99"),
        ("patience", "2h"),
        ("processors", ""),
        ("pin", "1"),
        ("env.B", "1"),
        ("env.A.C", "2=3"),
        ("env.B", "2"),
    ])
    .expect("it is right");
    assert_eq!(read.node.container_name(), "buildx_buildkit_node0");
    assert_eq!(read.node.state_volume_name(), "buildx_buildkit_node0_state");
    assert_eq!(read.node.object_name("net"), "buildx_buildkit_node0..net");
    let expected = Everything {
        node: read.node.clone(),
        image: "b".into(),
        memory: Some(1 << 30),
        swap: Some(-1),
        load: true,
        port: 99,
        patience: Duration::from_secs(7200),
        mode: Mode::Safe,
        processors: None,
        password: Some(1),
        env: vec![("A.C".into(), "2=3".into()), ("B".into(), "2".into())],
    };
    assert_eq!(read, expected);
}

#[test]
fn every_fault_is_found_in_one_go_and_secrets_are_not_shown() {
    let mut config = testing::config(&[
        ("memory", "banana"),
        ("load", "true"),
        ("mode", "fast"),
        ("port", "0"),
        ("pin", "hunter2"),
        ("env.", "x"),
    ]);
    config.buildkitd_flags = vec!["--debug".into(), "--trace".into()];
    let (_, options) = export::open::<Everything>(config.clone());
    let refusal = options.refusal().expect("it is wrong");
    assert!(
        refusal.starts_with("option image: it must be given; option memory: "),
        "{refusal}"
    );
    // What the host finds by itself is not said again.
    let subjects: Vec<_> = options
        .issues()
        .into_iter()
        .map(|issue| issue.subject)
        .collect();
    let expected = ["memory", "port", "pin", "env.", "load"].map(|name| Some(name.to_owned()));
    assert_eq!(subjects, [&expected[..], &[None]].concat());
    let issues = testing::open_config::<Everything>(config).expect_err("it is wrong");
    let words = shown(&issues).join("\n");
    assert!(
        words.contains("Error pin: its value (not shown) is not a whole number"),
        "{words}"
    );
    assert!(!words.contains("hunter2"), "{words}");
    testing::assert_refused::<Everything>(
        &[("image", "x"), ("mode", "slow"), ("colour", "red")],
        &["mode", "colour"],
    );
}

/// Everything that an author can get wrong in a description.
struct Careless;

impl Driver for Careless {
    fn describe() -> Description {
        Description::new("Care less", "", "two\nlines")
            .capability(capability::required("container.root", "why not"))
            .capability(capability::required("image.pull", ""))
            .capability(capability::required("image.pull", &"x".repeat(141)))
    }

    fn open(_: Node, options: &mut Options) -> Self {
        let mode = options.text("mode", "How").default("a");
        if options.is_given("mode") {
            options.text("more", "Only then").optional();
        }
        if mode == "a" {
            options.refuse("mode", "not this one");
        }
        options.text("Mode", "").optional();
        options.text("mode", "again").optional();
        Self
    }

    never_runs!();
}

#[test]
fn a_description_that_cannot_be_relied_on_is_complained_of() {
    let faults = testing::faults::<Careless>();
    for expected in [
        "\"Care less\" is not one of",
        "has no version",
        "summary must be one line",
        "no capability \"container.root\"",
        "image.pull is asked for twice",
        "reason for image.pull is empty",
        "reason for image.pull must be one line",
        "\"Mode\" is not one of",
        "the help of Mode is empty",
        "option mode is declared twice",
        "hangs on the values of others",
        "the defaults are refused: mode: not this one",
    ] {
        let found = faults.iter().filter(|fault| fault.contains(expected));
        assert_eq!(found.count(), 1, "{expected}: {faults:#?}");
    }
    assert_eq!(faults.len(), 12, "{faults:#?}");
}

#[test]
#[should_panic(expected = "the default of the option port is wrong")]
fn a_default_that_is_no_value_is_a_mistake_of_the_author() {
    Options::new(Vec::new())
        .integer("port", "Port")
        .default("many");
}

#[test]
fn what_a_driver_need_not_say_has_a_default() {
    let node = testing::open::<Everything>(&[("image", "x")]).expect("it is right");
    assert_eq!(Everything::priority("unix:///x"), None);
    assert!(matches!(
        node.host_gateway(),
        Err(Error::Unsupported(words)) if words.contains("the driver everything")
    ));
    assert!(node.features().is_ok_and(|features| features.len() == 5));
    assert!(matches!(node.version(), Err(Error::NotRunning)));
    let issues = testing::open::<Everything>(&[("image", "x"), ("port", "80")]);
    assert!(issues.is_ok(), "a warning does not refuse");
    let config = testing::config(&[("image", "x"), ("port", "80")]);
    let (_, options) = export::open::<Everything>(config);
    assert_eq!(options.issues()[0].severity, Severity::Warning);
}
