//! Which builder a command works on.
//!
//! In this order: `--builder`; `BUILDX_BUILDER`; the choice of `use --global`; the choice of `use`
//! at the current endpoint; the choice of `use --default` at that endpoint; the builder that the
//! current context brings along. Choosing reads only: no command but `use`, `create --use` and the
//! like writes a choice, so looking at builders from another context forgets nothing.

use iechor_engine::endpoint::DEFAULT_CONTEXT;

use crate::name::Name;
use crate::store::{BrokenFile, Current, Node, NodeGroup, StoreState, StoredBuilder};

/// The driver of the builders that contexts bring along: the engine's own BuildKit.
pub const CONTEXT_DRIVER: &str = "iechor";

/// What a choice depends on besides the store.
#[derive(Debug, Clone, Copy, Default)]
pub struct Surroundings<'a> {
    /// Value of `--builder`; an empty one counts as not given.
    pub flag: Option<&'a str>,
    /// Value of `BUILDX_BUILDER`; an empty one counts as not given.
    pub environment: Option<&'a str>,
    /// The name of the current context, or for the context `default` the address of the engine.
    pub endpoint_key: &'a str,
    /// The name of the current context.
    pub context: &'a str,
    /// The names of all contexts; `default` need not be among them.
    pub contexts: &'a [String],
}

impl Surroundings<'_> {
    fn has_context(&self, name: &str) -> bool {
        name == DEFAULT_CONTEXT
            || name == self.context
            || self.contexts.iter().any(|context| context == name)
    }
}

/// A builder that was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chosen {
    /// One from the store.
    Stored(StoredBuilder),
    /// The one that a context brings along; see [`Chosen::group`].
    Context(String),
}

impl Chosen {
    /// Returns the builder's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Stored(stored) => &stored.group.name,
            Self::Context(name) => name,
        }
    }

    /// Returns the builder; that of a context has one node, both named like the context.
    pub fn group(&self) -> NodeGroup {
        match self {
            Self::Stored(stored) => stored.group.clone(),
            Self::Context(name) => NodeGroup {
                name: name.clone(),
                driver: CONTEXT_DRIVER.to_owned(),
                nodes: vec![Node {
                    name: name.clone(),
                    endpoint: name.clone(),
                    ..Node::default()
                }],
                ..NodeGroup::default()
            },
        }
    }

    /// Refuses the builder of a context that is not the current one, for commands that would
    /// otherwise build with one engine and load into another.
    pub fn check_context(&self, surroundings: &Surroundings<'_>) -> Result<(), SelectionError> {
        match self {
            Self::Context(name) if name != surroundings.context => {
                Err(SelectionError::OtherContext { name: name.clone() })
            }
            _ => Ok(()),
        }
    }
}

/// Why this builder and no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// `--builder`
    Flag,
    /// `BUILDX_BUILDER`
    Environment,
    /// `use --global`
    Global,
    /// `use`
    Current,
    /// `use --default`
    Default,
    /// Nothing was chosen.
    Context,
}

/// The answer of [`select`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// The builder.
    pub chosen: Chosen,
    /// Why this one.
    pub reason: Reason,
    /// Builders that were chosen earlier, would have come first and do not exist any more.
    pub missing: Vec<String>,
}

/// Why no builder can be chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    /// There is neither a builder nor a context of that name.
    #[error("no builder {name:?} found{}", source_hint(*reason))]
    NotFound {
        /// The name.
        name: String,
        /// Where it came from.
        reason: Reason,
    },
    /// The file that decides, or that of the builder, cannot be used.
    #[error(transparent)]
    Broken(#[from] BrokenFile),
    /// The builder belongs to another context.
    #[error("use `docker --context={name} buildx` to switch to context {name:?}")]
    OtherContext {
        /// The context.
        name: String,
    },
    /// `use default` in another context.
    #[error("run `docker context use default` to switch to default context")]
    UseDefaultContext,
    /// `use` with the name of another context.
    #[error("run `docker context use {name}` to switch to context {name}")]
    UseContext {
        /// The context.
        name: String,
    },
    /// `use` with a name that is nothing.
    #[error(
        "failed to find instance {name:?}: no builder has that name; `ls` shows those there are"
    )]
    UseNotFound {
        /// The name.
        name: String,
    },
}

fn source_hint(reason: Reason) -> &'static str {
    match reason {
        Reason::Environment => " (BUILDX_BUILDER names it)",
        _ => "",
    }
}

/// Finds a builder by name: one from the store first, then that of a context.
pub fn find(
    state: &StoreState,
    surroundings: &Surroundings<'_>,
    name: &str,
) -> Result<Option<Chosen>, BrokenFile> {
    if let Some(stored) = state.builder(name).map_err(Clone::clone)? {
        return Ok(Some(Chosen::Stored(stored.clone())));
    }
    Ok(surroundings
        .has_context(name)
        .then(|| Chosen::Context(name.to_owned())))
}

/// Chooses the builder, see the [module](self).
pub fn select(
    state: &StoreState,
    surroundings: &Surroundings<'_>,
) -> Result<Selection, SelectionError> {
    let named = [
        (surroundings.flag, Reason::Flag),
        (surroundings.environment, Reason::Environment),
    ];
    for (name, reason) in named {
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            continue;
        };
        let chosen = find(state, surroundings, name)?.ok_or_else(|| SelectionError::NotFound {
            name: name.to_owned(),
            reason,
        })?;
        return Ok(Selection {
            chosen,
            reason,
            missing: Vec::new(),
        });
    }
    current(state, surroundings)
}

/// Chooses the builder as if neither `--builder` nor `BUILDX_BUILDER` were given: the one that
/// listings mark as current.
pub fn current(
    state: &StoreState,
    surroundings: &Surroundings<'_>,
) -> Result<Selection, SelectionError> {
    let mut missing = Vec::new();
    let mut stored = |name: &str| -> Result<Option<Chosen>, BrokenFile> {
        match state.builder(name).map_err(Clone::clone)? {
            Some(stored) => Ok(Some(Chosen::Stored(stored.clone()))),
            None => {
                missing.push(name.to_owned());
                Ok(None)
            }
        }
    };

    let choice = state.current().map_err(Clone::clone)?;
    let choice = choice.filter(|choice| !choice.name.is_empty());
    let mut found = None;
    // A choice for this very endpoint comes before an older default for it, even where it led to
    // a builder that was removed since.
    let mut decided = false;
    if let Some(Current { key, name, global }) = choice {
        decided = key == surroundings.endpoint_key;
        if *global || decided {
            let reason = if *global {
                Reason::Global
            } else {
                Reason::Current
            };
            found = stored(name)?.map(|chosen| (chosen, reason));
        }
    }
    if found.is_none()
        && !decided
        && let Some(name) = state.default_at(surroundings.endpoint_key)
    {
        found = stored(name)?.map(|chosen| (chosen, Reason::Default));
    }
    let (chosen, reason) = match found {
        Some(found) => found,
        // A builder of the same name comes before the context, as everywhere.
        None => match find(state, surroundings, surroundings.context)? {
            Some(chosen) => (chosen, Reason::Context),
            None => (
                Chosen::Context(surroundings.context.to_owned()),
                Reason::Context,
            ),
        },
    };
    Ok(Selection {
        chosen,
        reason,
        missing,
    })
}

/// What `use` is asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct UseRequest<'a> {
    /// The builder, or the name of the current context to go back to its own.
    pub name: &'a str,
    /// The choice holds at every endpoint.
    pub global: bool,
    /// The choice is come back to after a change of context.
    pub default: bool,
}

/// What `use` writes, for [`Transaction::set_current`](crate::store::Transaction::set_current).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UseChange {
    /// The new choice.
    pub current: Current,
    /// It becomes the default of its endpoint; otherwise the endpoint has none from then on.
    pub default: bool,
}

/// Works out what `use` writes. Pass the state of the transaction that will write it.
pub fn choose(
    state: &StoreState,
    surroundings: &Surroundings<'_>,
    request: &UseRequest<'_>,
) -> Result<UseChange, SelectionError> {
    let key = surroundings.endpoint_key.to_owned();
    if let Some(stored) = state.builder(request.name).map_err(Clone::clone)? {
        return Ok(UseChange {
            current: Current {
                key,
                name: stored.group.name.clone(),
                global: request.global,
            },
            default: request.default,
        });
    }
    if request.name == surroundings.context {
        // Back to the builder of the context: no choice at all.
        return Ok(UseChange {
            current: Current {
                key,
                ..Current::default()
            },
            default: false,
        });
    }
    if request.name == DEFAULT_CONTEXT {
        return Err(SelectionError::UseDefaultContext);
    }
    if surroundings.has_context(request.name) {
        return Err(SelectionError::UseContext {
            name: request.name.to_owned(),
        });
    }
    Err(SelectionError::UseNotFound {
        name: request.name.to_owned(),
    })
}

/// Returns the choice that `create --use` writes for a builder that was just made.
pub fn choose_created(name: &Name, surroundings: &Surroundings<'_>) -> UseChange {
    UseChange {
        current: Current {
            key: surroundings.endpoint_key.to_owned(),
            name: name.as_str().to_owned(),
            global: false,
        },
        default: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builder(name: &'static str) -> (&'static str, Result<StoredBuilder, BrokenFile>) {
        let group = NodeGroup {
            name: name.to_owned(),
            driver: "docker-container".into(),
            ..NodeGroup::default()
        };
        (
            name,
            Ok(StoredBuilder {
                group,
                last_activity: None,
            }),
        )
    }

    fn broken() -> BrokenFile {
        BrokenFile {
            path: "/store/instances/bad".into(),
            reason: "nonsense".into(),
        }
    }

    fn choice(key: &str, name: &str, global: bool) -> Option<Result<Current, BrokenFile>> {
        Some(Ok(Current {
            key: key.into(),
            name: name.into(),
            global,
        }))
    }

    const HERE: &str = "unix:///var/run/docker.sock";

    #[test]
    fn the_order_of_choices() {
        let contexts = ["default".to_owned(), "remote".to_owned()];
        struct Case {
            what: &'static str,
            flag: Option<&'static str>,
            environment: Option<&'static str>,
            current: Option<Result<Current, BrokenFile>>,
            defaults: &'static [(&'static str, &'static str)],
            expected: (&'static str, Reason, &'static [&'static str]),
        }
        let plain = || Case {
            what: "nothing chosen",
            flag: None,
            environment: None,
            current: None,
            defaults: &[],
            expected: ("default", Reason::Context, &[]),
        };
        let cases = [
            plain(),
            Case {
                what: "flag before everything",
                flag: Some("a"),
                environment: Some("b"),
                current: choice(HERE, "b", true),
                expected: ("a", Reason::Flag, &[]),
                ..plain()
            },
            Case {
                what: "an empty flag is none",
                flag: Some(""),
                environment: Some("b"),
                expected: ("b", Reason::Environment, &[]),
                ..plain()
            },
            Case {
                what: "the flag may name a context",
                flag: Some("remote"),
                expected: ("remote", Reason::Flag, &[]),
                ..plain()
            },
            Case {
                what: "case does not matter",
                flag: Some("A"),
                expected: ("a", Reason::Flag, &[]),
                ..plain()
            },
            Case {
                what: "global from elsewhere",
                current: choice("elsewhere", "a", true),
                defaults: &[(HERE, "b")],
                expected: ("a", Reason::Global, &[]),
                ..plain()
            },
            Case {
                what: "global that is gone falls back to the default",
                current: choice("elsewhere", "gone", true),
                defaults: &[(HERE, "b")],
                expected: ("b", Reason::Default, &["gone"]),
                ..plain()
            },
            Case {
                what: "current here",
                current: choice(HERE, "a", false),
                defaults: &[(HERE, "b")],
                expected: ("a", Reason::Current, &[]),
                ..plain()
            },
            Case {
                what: "current here that is gone does not revive an older default",
                current: choice(HERE, "gone", false),
                defaults: &[(HERE, "b")],
                expected: ("default", Reason::Context, &["gone"]),
                ..plain()
            },
            Case {
                what: "current elsewhere does not count",
                current: choice("elsewhere", "a", false),
                expected: ("default", Reason::Context, &[]),
                ..plain()
            },
            Case {
                what: "the default of this endpoint",
                current: choice("elsewhere", "a", false),
                defaults: &[(HERE, "b"), ("elsewhere", "a")],
                expected: ("b", Reason::Default, &[]),
                ..plain()
            },
            Case {
                what: "an emptied choice lets the default through",
                current: choice(HERE, "", false),
                defaults: &[(HERE, "b")],
                expected: ("b", Reason::Default, &[]),
                ..plain()
            },
            Case {
                what: "a default that is gone is none, and stays none",
                defaults: &[(HERE, "gone")],
                expected: ("default", Reason::Context, &["gone"]),
                ..plain()
            },
        ];
        for case in cases {
            let state =
                StoreState::for_tests([builder("a"), builder("b")], case.current, case.defaults);
            let surroundings = Surroundings {
                flag: case.flag,
                environment: case.environment,
                endpoint_key: HERE,
                context: "default",
                contexts: &contexts,
            };
            let selection = select(&state, &surroundings).unwrap();
            let (name, reason, missing) = case.expected;
            assert_eq!(
                (
                    selection.chosen.name(),
                    selection.reason,
                    selection.missing.as_slice()
                ),
                (
                    name,
                    reason,
                    missing
                        .iter()
                        .map(|name| (*name).to_owned())
                        .collect::<Vec<_>>()
                        .as_slice()
                ),
                "{}",
                case.what
            );
        }
    }

    #[test]
    fn names_that_are_nothing() {
        let state = StoreState::default();
        let with = |flag, environment| Surroundings {
            flag,
            environment,
            context: "default",
            endpoint_key: HERE,
            contexts: &[],
        };
        for (surroundings, message) in [
            (with(Some("x"), None), "no builder \"x\" found"),
            (with(Some("../x"), None), "no builder \"../x\" found"),
            (
                with(None, Some("x")),
                "no builder \"x\" found (BUILDX_BUILDER names it)",
            ),
        ] {
            let error = select(&state, &surroundings).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
        let default = select(&state, &with(Some("default"), None)).unwrap();
        assert_eq!(default.chosen, Chosen::Context("default".into()));
    }

    #[test]
    fn broken_files_are_named_and_only_where_they_matter() {
        let surroundings = Surroundings {
            context: "default",
            endpoint_key: HERE,
            ..Surroundings::default()
        };
        let state = StoreState::for_tests(
            [builder("a"), ("bad", Err(broken()))],
            choice(HERE, "bad", false),
            &[],
        );
        let error = select(&state, &surroundings).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot use /store/instances/bad: nonsense; mend the file or remove it"
        );
        let flag = Surroundings {
            flag: Some("a"),
            ..surroundings
        };
        assert_eq!(select(&state, &flag).unwrap().chosen.name(), "a");

        let state = StoreState::for_tests([builder("a")], Some(Err(broken())), &[]);
        assert!(matches!(
            select(&state, &surroundings),
            Err(SelectionError::Broken(_))
        ));
        assert_eq!(select(&state, &flag).unwrap().chosen.name(), "a");
    }

    #[test]
    fn the_builder_of_a_context() {
        let chosen = Chosen::Context("remote".into());
        let group = chosen.group();
        assert_eq!(
            (group.name.as_str(), group.driver.as_str()),
            ("remote", CONTEXT_DRIVER)
        );
        assert_eq!(group.nodes[0].endpoint, "remote");
        let surroundings = Surroundings {
            context: "default",
            ..Surroundings::default()
        };
        assert_eq!(
            chosen.check_context(&surroundings).unwrap_err().to_string(),
            "use `docker --context=remote buildx` to switch to context \"remote\""
        );
        assert!(
            Chosen::Context("default".into())
                .check_context(&surroundings)
                .is_ok()
        );
    }

    #[test]
    fn use_writes_a_choice() {
        let contexts = ["remote".to_owned()];
        let surroundings = Surroundings {
            endpoint_key: HERE,
            context: "default",
            contexts: &contexts,
            ..Surroundings::default()
        };
        let state = StoreState::for_tests([builder("a")], None, &[]);
        let ask = |name, global, default| {
            choose(
                &state,
                &surroundings,
                &UseRequest {
                    name,
                    global,
                    default,
                },
            )
            .map(|change| (change.current.name, change.current.global, change.default))
            .map_err(|error| error.to_string())
        };
        assert_eq!(ask("a", false, false), Ok(("a".into(), false, false)));
        assert_eq!(ask("A", true, true), Ok(("a".into(), true, true)));
        assert_eq!(
            ask("default", true, true),
            Ok((String::new(), false, false))
        );
        assert_eq!(
            ask("remote", false, false).unwrap_err(),
            "run `docker context use remote` to switch to context remote"
        );
        assert_eq!(
            ask("x", false, false).unwrap_err(),
            "failed to find instance \"x\": no builder has that name; `ls` shows those there are"
        );
        let elsewhere = Surroundings {
            context: "remote",
            ..surroundings
        };
        let request = UseRequest {
            name: "default",
            ..UseRequest::default()
        };
        assert_eq!(
            choose(&state, &elsewhere, &request),
            Err(SelectionError::UseDefaultContext)
        );
    }
}
