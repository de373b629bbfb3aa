use super::*;

fn platforms(text: &str) -> Vec<Platform> {
    match text {
        "" => Vec::new(),
        text => Platform::parse_list(&[text]).expect("platforms"),
    }
}

/// Describes a node: the declared platforms, then `?`, `down` or what the workers offer.
fn node((declared, state): &(&str, &str)) -> Candidate {
    Candidate {
        declared: platforms(declared),
        state: match *state {
            "?" => State::Unknown,
            "down" => State::Down,
            offered => State::Runs(platforms(offered)),
        },
    }
}

fn share(node: usize, text: &str) -> Share {
    Share {
        node,
        platforms: platforms(text),
    }
}

const AMD: &str = "linux/amd64";
const ARM: &str = "linux/arm64";
const BOTH: &str = "linux/amd64,linux/arm64";

#[test]
fn platforms_go_to_nodes_that_have_them() {
    use Step::{Connect, Done, Unmatched};
    type Nodes<'a> = &'a [(&'a str, &'a str)];
    let cases: &[(Nodes<'_>, &str, Step)] = &[
        // One node gets everything, whatever it offers.
        (&[("", "?")], BOTH, Connect(vec![0])),
        (
            &[(ARM, AMD)],
            "linux/s390x",
            Done(vec![share(0, "linux/s390x")]),
        ),
        (&[("", AMD)], "", Done(vec![share(0, "")])),
        (&[("", "down")], AMD, Unmatched(platforms(AMD))),
        // Without platforms, the first node that can be used.
        (&[("", "?"), ("", "?")], "", Connect(vec![0])),
        (&[("", "down"), ("", "?")], "", Connect(vec![1])),
        (&[("", "down"), ("", AMD)], "", Done(vec![share(1, "")])),
        (&[("", "down"), ("", "down")], "", Unmatched(vec![])),
        // Declared platforms decide, and only nodes with a share are connected to.
        (&[("", "?"), (AMD, "?"), (ARM, "?")], ARM, Connect(vec![2])),
        (
            &[("", "?"), (AMD, "?"), (ARM, "?")],
            BOTH,
            Connect(vec![1, 2]),
        ),
        (&[(AMD, AMD), (ARM, "?")], BOTH, Connect(vec![1])),
        (
            &[(AMD, AMD), (ARM, AMD)],
            BOTH,
            Done(vec![share(0, AMD), share(1, ARM)]),
        ),
        (
            &[(BOTH, BOTH), (ARM, ARM)],
            BOTH,
            Done(vec![share(0, BOTH)]),
        ),
        // A node that declares a platform precedes those that only offer it.
        (&[("", BOTH), (ARM, AMD)], ARM, Done(vec![share(1, ARM)])),
        // Shares have the order of the platforms.
        (
            &[(ARM, ARM), (AMD, AMD)],
            BOTH,
            Done(vec![share(1, AMD), share(0, ARM)]),
        ),
        // Nodes are asked one after the other, until all platforms are assigned.
        (&[("", "?"), ("", "?")], BOTH, Connect(vec![0])),
        (&[("", AMD), ("", "?")], AMD, Done(vec![share(0, AMD)])),
        (&[("", AMD), ("", "?")], BOTH, Connect(vec![1])),
        (
            &[("", AMD), ("", ARM)],
            BOTH,
            Done(vec![share(0, AMD), share(1, ARM)]),
        ),
        (&[(AMD, "?"), ("", "?")], BOTH, Connect(vec![0])),
        (&[(AMD, BOTH), ("", "?")], BOTH, Done(vec![share(0, BOTH)])),
        // Nodes that are down are passed over.
        (&[(AMD, "down"), (AMD, "?")], AMD, Connect(vec![1])),
        (&[(AMD, "down"), ("", AMD)], AMD, Done(vec![share(1, AMD)])),
        (&[(AMD, "down"), ("", ARM)], BOTH, Unmatched(platforms(AMD))),
        // Nothing is emulated.
        (&[("", AMD), ("", AMD)], BOTH, Unmatched(platforms(ARM))),
        (
            &[("", "linux/amd64/v3"), ("", AMD)],
            AMD,
            Done(vec![share(1, AMD)]),
        ),
        (
            &[("", "linux/arm/v7"), ("", "linux/arm/v6")],
            "linux/arm/v5",
            Unmatched(platforms("linux/arm/v5")),
        ),
        // A version of the system is one only if it is requested.
        (
            &[("", AMD), ("", "windows(10.0.1)/amd64")],
            "windows/amd64",
            Done(vec![share(1, "windows/amd64")]),
        ),
        (
            &[("", AMD), ("", "windows(10.0.1)/amd64")],
            "windows(10.0.2)/amd64",
            Unmatched(platforms("windows(10.0.2)/amd64")),
        ),
        (&[], "", Unmatched(vec![])),
    ];
    for (nodes, requested, expected) in cases {
        let candidates: Vec<_> = nodes.iter().map(node).collect();
        let step = distribute(&candidates, &platforms(requested));
        assert_eq!(&step, expected, "{nodes:?} {requested:?}");
    }
}

/// Answers questions of a distribution until it ends. `actual` has the state of each node after a connection.
fn run(mut nodes: Vec<Candidate>, actual: &[State], requested: &[Platform]) -> (Step, Vec<usize>) {
    let mut asked = Vec::new();
    loop {
        match distribute(&nodes, requested) {
            Step::Connect(next) => {
                assert!(!next.is_empty());
                for node in next {
                    assert!(!asked.contains(&node), "node {node} is asked twice");
                    asked.push(node);
                    nodes[node].state = actual[node].clone();
                }
            }
            end => return (end, asked),
        }
    }
}

#[test]
fn every_distribution_is_whole_or_impossible() {
    let sets = ["", AMD, ARM, BOTH];
    let states = ["down", "", AMD, ARM, BOTH];
    let requests = ["", AMD, ARM, BOTH, "linux/arm64,linux/amd64"];
    for first in 0..sets.len() * states.len() {
        for second in 0..sets.len() * states.len() {
            for requested in requests {
                let described = [first, second].map(|n| (sets[n % 4], states[n / 4]));
                let nodes: Vec<_> = described.iter().map(|(d, _)| node(&(*d, "?"))).collect();
                let actual: Vec<_> = described.iter().map(|n| node(n).state).collect();
                let requested = platforms(requested);
                let (end, asked) = run(nodes.clone(), &actual, &requested);
                let serves = |n: usize, platform: &Platform| {
                    let declares = nodes[n].declared.contains(platform);
                    let known = Candidate {
                        declared: vec![],
                        state: actual[n].clone(),
                    };
                    actual[n] != State::Down && (declares || known.offers(platform))
                };
                match end {
                    Step::Done(shares) => {
                        let mut built: Vec<_> = shares
                            .iter()
                            .flat_map(|share| share.platforms.clone())
                            .collect();
                        for share in &shares {
                            assert!(asked.contains(&share.node), "{described:?}");
                            assert!(share.platforms.iter().all(|p| serves(share.node, p)));
                        }
                        assert_eq!(built.len(), requested.len(), "{described:?}");
                        built.retain(|platform| !requested.contains(platform));
                        assert!(built.is_empty(), "{described:?}");
                    }
                    Step::Unmatched(missing) => {
                        for platform in &missing {
                            assert!(!(0..2).any(|n| serves(n, platform)), "{described:?}");
                        }
                        let is_down = actual.iter().all(|state| *state == State::Down);
                        assert!(!missing.is_empty() || is_down, "{described:?}");
                    }
                    Step::Connect(_) => panic!("not an end"),
                }
            }
        }
    }
}
