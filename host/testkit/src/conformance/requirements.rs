//! The list of requirements.

use super::Need::{Container, Requests, Simulation, Volume};
use super::{
    Requirement, beside, cancellation, configured, denials, faults, keeping, lifecycle, ownership,
    pure, restart, time,
};

macro_rules! check {
    ($function:path) => {
        |subject, _| Box::pin($function(subject))
    };
}

/// Every requirement, in the order in which they are checked: the simple ones first, since the
/// later ones hang on them.
pub(crate) const REQUIREMENTS: &[Requirement] = &[
    Requirement {
        name: "describe-is-sound",
        text: "`describe` says who the driver is and what it takes: a name, a version and a summary; options of different names, \
               each with help and a default of its kind; known capabilities, each with a reason. Help, completion and the question \
               for trust are made of it. Source: wit/driver.wit, `descriptor`, `option-spec`, `capability-request`.",
        needs: &[],
        check: check!(pure::describe_is_sound),
    },
    Requirement {
        name: "pure-functions-reach-nothing",
        text: "`describe`, `priority` and `validate` call nothing but log and clock. They run before anybody has decided to trust the \
               driver. Source: wit/driver.wit, \"Pure: the host calls it with nothing granted\".",
        needs: &[],
        check: check!(pure::reach_nothing),
    },
    Requirement {
        name: "pure-functions-repeat-themselves",
        text: "`describe`, `priority` and `validate` answer the same to the same question, in a fresh instance each time: the host \
               keeps the answers for as long as the component does not change. Source: wit/driver.wit, `describe`.",
        needs: &[],
        check: check!(pure::repeat_themselves),
    },
    Requirement {
        name: "validate-accepts-its-defaults",
        text: "A configuration that gives every option its own default is accepted: what `describe` shows as the default has to be \
               a value that works. Source: wit/driver.wit, `option-spec.default`.",
        needs: &[],
        check: check!(pure::accepts_defaults),
    },
    Requirement {
        name: "validate-refuses-what-is-wrong",
        text: "A value that is not of the kind that `describe` names is refused, and so is an option that it does not name; each by \
               the option's name, and all of them at once, so that a user mends a command line in one go. The host checks names and \
               simple kinds, the driver sizes and durations. Source: wit/driver.wit, `validate`, `option-kind`.",
        needs: &[],
        check: check!(pure::refuses_wrong_values),
    },
    Requirement {
        name: "info-of-nothing-is-inactive",
        text: "`info` of a builder that does not exist is `inactive` and no error: listings ask it of every builder. \
               Source: wit/driver.wit, `node.info`.",
        needs: &[],
        check: check!(lifecycle::info_of_nothing),
    },
    Requirement {
        name: "dial-before-boot-is-not-running",
        text: "`dial` without a running BuildKit is `not-running` where a boot could change that, and makes nothing: the host boots, \
               and dials again, on this very error. A driver that can make containers answers so; one whose BuildKit is somebody \
               else's may say `unavailable`, with the reason. Source: wit/driver.wit, `node.dial`.",
        needs: &[],
        check: check!(lifecycle::dial_before_boot),
    },
    Requirement {
        name: "stop-and-remove-of-nothing-succeed",
        text: "`stop` and `remove` of a builder that does not exist succeed: whoever removes a builder whose machine was wiped must \
               come to an end. Source: wit/driver.wit, `node.stop`, `node.remove`, \"Idempotent\".",
        needs: &[],
        check: check!(lifecycle::stop_and_remove_of_nothing),
    },
    Requirement {
        name: "boot-makes-it-run",
        text: "After `boot`, `info` says `running`, and `version` and `features` answer. \
               Source: wit/driver.wit, `node.boot`.",
        needs: &[],
        check: check!(lifecycle::boot_makes_it_run),
    },
    Requirement {
        name: "dial-after-boot-is-buildkit",
        text: "After `boot`, every `dial` opens a new connection on which BuildKit answers, and so do two at a time: a build uses one \
               for itself and more for what goes beside it. Source: wit/driver.wit, `node.boot`, `node.dial`.",
        needs: &[],
        check: check!(lifecycle::dial_after_boot),
    },
    Requirement {
        name: "a-fresh-instance-sees-the-same",
        text: "Whatever a driver knows of its builder is in the engine: a fresh instance gives the same answers as the one that \
               booted. The host opens one whenever it likes. Source: wit/driver.wit, `resource node`.",
        needs: &[],
        check: check!(lifecycle::fresh_instance),
    },
    Requirement {
        name: "a-second-boot-changes-nothing",
        text: "`boot` of a builder that runs leaves every object as it is: it is called before each build. \
               Source: wit/driver.wit, `node.boot`, \"Idempotent\".",
        needs: &[],
        check: check!(lifecycle::second_boot),
    },
    Requirement {
        name: "boot-starts-a-stopped-container-again",
        text: "`boot` after `stop`, or after the container was stopped by other hands, starts the same container with the same \
               volumes rather than another one: its cache and its configuration are in there. A driver whose `stop` leaves only the \
               volume, and whose `info` then is `inactive`, makes another container on that volume. Meanwhile `info` is not \
               `running`, and `dial` is `not-running`. \
               Source: wit/driver.wit, `node.boot`, \"starts what is missing\".",
        needs: &[Container],
        check: check!(restart::boot_after_stop),
    },
    Requirement {
        name: "defaults-are-what-it-does",
        text: "An option that is not given means what its default says: a boot with every default written out makes the same calls as \
               one without. The host shows the defaults and does not fill them in. \
               Source: wit/driver.wit, `option-spec.default`.",
        needs: &[Simulation],
        check: check!(configured::defaults),
    },
    Requirement {
        name: "what-is-configured-arrives",
        text: "A flag for buildkitd and its configuration file reach the container of BuildKit, or `validate` says that nothing comes of \
               them: whoever gives them relies on them. \
               Source: wit/driver.wit, `config.buildkitd-flags`, `config.files`.",
        needs: &[Simulation],
        check: check!(configured::arrives),
    },
    Requirement {
        name: "boot-replaces-a-lost-container",
        text: "`boot` after the container was removed by other hands makes a new one, and `remove` takes what is left. Engines are \
               pruned. \
               Source: wit/driver.wit, `node.boot`, \"creates what is missing\".",
        needs: &[Container],
        check: check!(restart::boot_after_loss),
    },
    Requirement {
        name: "every-run-has-its-own-name",
        text: "The `run` of `info`, where a driver gives one, is the same for as long as the daemon runs, and another one after \
               `stop` and `boot`: the host shows what BuildKit said in that run rather than ask again. \
               Source: wit/driver.wit, `info.run`.",
        needs: &[Container],
        check: check!(restart::runs),
    },
    Requirement {
        name: "stop-twice-and-remove-twice",
        text: "`stop` and `remove` succeed a second time, with force, with a grace and without, and after `remove` nothing of the \
               node is left in the engine. \
               Source: wit/driver.wit, `node.stop`, `node.remove`, \"Idempotent\".",
        needs: &[],
        check: check!(lifecycle::stop_and_remove_twice),
    },
    Requirement {
        name: "remove-keeps-the-state",
        text: "`remove` with `keep-state` leaves the volume and takes the container, and the next `boot` uses that very volume: the \
               builder starts with a warm cache. Source: wit/driver.wit, `remove-options.keep-state`.",
        needs: &[Volume],
        check: check!(keeping::keep_state),
    },
    Requirement {
        name: "remove-keeps-the-daemon",
        text: "`remove` with `keep-daemon` leaves BuildKit running, and a later `dial` reaches it. \
               Source: wit/driver.wit, `remove-options.keep-daemon`.",
        needs: &[],
        check: check!(keeping::keep_daemon),
    },
    Requirement {
        name: "nodes-do-not-touch-each-other",
        text: "Two nodes live beside each other in one engine: both boot, and what is done to one leaves the other as it is. \
               Source: wit/driver.wit, `config.name`, \"Unique on this engine\".",
        needs: &[Simulation, Container],
        check: check!(beside::nodes),
    },
    Requirement {
        name: "two-boots-at-once-end-well",
        text: "Of two boots of one node at the same time one at least succeeds, and afterwards there is what one boot makes, and it \
               runs: two builds begin at once more often than one thinks. That one of them fails warns only. \
               Source: wit/driver.wit, `node.boot`, \"Idempotent\".",
        needs: &[Simulation, Container],
        check: check!(beside::boots),
    },
    Requirement {
        name: "host-gateway-answers",
        text: "`host-gateway` returns an address or `unsupported`, and never hangs a build on a question that has no answer. \
               Source: wit/driver.wit, `node.host-gateway`.",
        needs: &[],
        check: check!(lifecycle::host_gateway),
    },
    Requirement {
        name: "handles-are-given-back",
        text: "An operation returns with no handle of the host open; this warns only, since a language with a garbage collector \
               drops late. What stays open counts against the driver's budget of handles. \
               Source: wit/types.wit, \"Nothing that a user can see depends on the moment at which a handle is dropped\".",
        needs: &[],
        check: check!(lifecycle::handles),
    },
    Requirement {
        name: "foreign-containers-are-left-alone",
        text: "A container of the node's name that belongs to another builder makes `boot` a `conflict`; neither `boot` nor `stop` \
               nor `remove` touches it, and `info` does not count it. Source: wit/container.wit, ownership.",
        needs: &[Container],
        check: check!(ownership::containers),
    },
    Requirement {
        name: "foreign-volumes-are-left-alone",
        text: "A volume of the node's name that belongs to another builder makes `boot` a `conflict`; it is neither mounted nor \
               removed. Source: wit/volume.wit, ownership.",
        needs: &[Volume],
        check: check!(ownership::volumes),
    },
    Requirement {
        name: "denied-",
        text: "Without one of the capabilities that it asks for, `boot` is refused with `denied`, naming that capability, and leaves \
               what was there before and nothing else; or it succeeds, where the driver declared the capability as one that it can do without. A denial that turns \
               into another error sends the user to the wrong place. Source: wit/types.wit, `denied`; wit/driver.wit, \
               `capability-request.required`.",
        needs: &[],
        check: |subject, capability| Box::pin(denials::one(subject, capability)),
    },
    Requirement {
        name: "nothing-granted",
        text: "With nothing granted, `boot` is `denied` or does without, and leaves nothing where it fails. \
               Source: wit/types.wit, \"A refusal by policy is an answer, never a trap\".",
        needs: &[Requests],
        check: check!(denials::all),
    },
    Requirement {
        name: "engine-errors-in-boot",
        text: "An error of the engine, or of the network, at any call of a `boot`: the boot succeeds all the same or returns an error; \
               it does not crash, an error leaves in the engine what was there before and nothing else, and the next boot works. So it \
               is from nothing, with a kept state, with a stopped container and with a running one: a failed boot that takes the \
               cache with it is worse than none. Source: wit/types.wit, \"An operation that \
               fails leaves nothing behind\".",
        needs: &[Simulation],
        check: |subject, _| Box::pin(faults::boot(subject, faults::Kind::Error)),
    },
    Requirement {
        name: "lost-answers-in-boot",
        text: "As for errors, where the engine did what it was asked and its answer was lost: what was created all the same is \
               removed, or used by the next boot. Source: wit/types.wit, \"An operation that fails leaves nothing behind\".",
        needs: &[Simulation],
        check: |subject, _| Box::pin(faults::boot(subject, faults::Kind::LostAnswer)),
    },
    Requirement {
        name: "hanging-calls-in-boot",
        text: "As for errors, where a call is never answered: the boot ends when its time is over, and the next one works. \
               Source: wit/types.wit, `timeout`.",
        needs: &[Simulation],
        check: |subject, _| Box::pin(faults::boot(subject, faults::Kind::Hang)),
    },
    Requirement {
        name: "faults-in-stop",
        text: "An error, a lost answer or a silent engine at any call of `stop`: it succeeds or returns an error, and the next `stop` \
               works. Source: wit/driver.wit, `node.stop`.",
        needs: &[Simulation],
        check: check!(faults::stop),
    },
    Requirement {
        name: "faults-in-remove",
        text: "An error, a lost answer or a silent engine at any call of `remove`: it succeeds or returns an error, and the next \
               `remove` leaves nothing, or the state where that is to be kept. Nobody else would ever remove what it forgot. Source: wit/driver.wit, `node.remove`.",
        needs: &[Simulation],
        check: check!(faults::remove),
    },
    Requirement {
        name: "faults-in-queries",
        text: "An error, a lost answer or a silent engine at any call of `info`, `dial`, `version`, `features` or `host-gateway`: they succeed or \
               return an error, and change nothing. Source: wit/types.wit, `error`.",
        needs: &[Simulation],
        check: check!(faults::queries),
    },
    Requirement {
        name: "cancel-in-boot",
        text: "A cancel at any call of a `boot` leaves in the engine what was there before and nothing else, and the next boot works; \
               from nothing, with a kept state, with a stopped container and with a running one. Users press Ctrl-C. \
               Source: wit/types.wit, `cancelled`.",
        needs: &[Simulation],
        check: check!(cancellation::boot),
    },
    Requirement {
        name: "cancel-in-stop-and-remove",
        text: "A cancel at any call of `stop` or `remove`: the next one does what is left to do. \
               Source: wit/types.wit, `cancelled`; wit/driver.wit, \"Idempotent\".",
        needs: &[Simulation],
        check: check!(cancellation::stop_and_remove),
    },
    Requirement {
        name: "buildkit-that-takes-its-time",
        text: "BuildKit that answers at a later try only is waited for: `boot` returns once it answers, and not before. \
               Source: wit/driver.wit, `node.boot`.",
        needs: &[Simulation, Container],
        check: check!(time::late),
    },
    Requirement {
        name: "buildkit-that-never-answers",
        text: "Where BuildKit closes every connection, `boot` ends with an error within the time that it has, and leaves what \
               was there before and nothing else. \
               Source: wit/driver.wit, `node.boot`, \"returns once BuildKit answers\".",
        needs: &[Simulation],
        check: |subject, _| Box::pin(time::silent(subject, crate::Answers::Never)),
    },
    Requirement {
        name: "buildkit-that-hangs",
        text: "Where BuildKit takes connections and says nothing, `boot` ends with an error within the time that it has, and leaves \
               what was there before and nothing else. Source: wit/driver.wit, `node.boot`, \"returns once BuildKit answers\".",
        needs: &[Simulation],
        check: |subject, _| Box::pin(time::silent(subject, crate::Answers::Hangs)),
    },
    Requirement {
        name: "buildkit-without-workers",
        text: "BuildKit without workers cannot build yet: `boot` waits for one. This warns only. \
               Source: wit/buildkit-session.wit, `client.workers`.",
        needs: &[Simulation],
        check: check!(time::without_workers),
    },
    Requirement {
        name: "a-container-that-dies-ends-the-boot",
        text: "Where the container of BuildKit ends during a boot, the boot ends soon after with an error that has the exit code, \
               and leaves what was there before, whatever its restart policy. The host adds the log of the container. This is the most \
               common failure. Source: wit/container.wit, `summary.exit-code`.",
        needs: &[Simulation, Container],
        check: check!(time::dying_container),
    },
    Requirement {
        name: "a-container-that-cannot-start-ends-the-boot",
        text: "Where the engine cannot start the container, `boot` fails with the engine's words and leaves what was there \
               before and nothing else. \
               Source: wit/types.wit, \"An operation that fails leaves nothing behind\".",
        needs: &[Simulation, Container],
        check: check!(time::stillborn_container),
    },
];
