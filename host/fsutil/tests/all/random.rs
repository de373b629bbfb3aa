//! Random senders.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

use iechor_fsutil::wire::{self, StatRef};
use iechor_fsutil::{Limits, mode};
use proptest::prelude::*;

use crate::hostile::received;
use crate::support::*;

/// What a random sender does.
#[derive(Clone, Debug)]
enum Act {
    Stat(Vec<u8>, u32, i64, Vec<u8>),
    Data(u32, u8),
    End,
    Finish,
    Request(u32),
}

fn act() -> impl Strategy<Value = Act> {
    let path = || {
        let parts = vec!["a", "b", "c", "..", ".", "", "/", "outside", "link", "dir"];
        prop::collection::vec(prop::sample::select(parts), 1..4)
            .prop_map(|parts| parts.join("/").into_bytes())
    };
    let modes = vec![
        0o644,
        0o4755,
        mode::DIRECTORY | 0o755,
        mode::DIRECTORY,
        mode::SYMLINK | 0o777,
        mode::NAMED_PIPE | 0o600,
        mode::SOCKET,
        mode::IRREGULAR,
    ];
    let link = || {
        let links = vec![
            "",
            "",
            "..",
            "../outside",
            "a",
            "a/b",
            "/etc/passwd",
            "link",
            "../../outside/kept",
        ];
        prop::sample::select(links).prop_map(|link| link.as_bytes().to_vec())
    };
    prop_oneof![
        8 => (path(), prop::sample::select(modes), -1..3i64, link())
            .prop_map(|(path, mode, size, link)| Act::Stat(path, mode, size, link)),
        4 => (0..6u32, 0..3u8).prop_map(|(id, length)| Act::Data(id, length)),
        1 => Just(Act::End),
        1 => Just(Act::Finish),
        1 => (0..3u32).prop_map(Act::Request),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(120) })]

    /// Whatever a sender sends, nothing outside of the destination is read, changed or linked.
    #[test]
    fn nothing_outside_is_touched(acts in prop::collection::vec(act(), 1..14)) {
        let outer = tree(&[("outside/kept", b"kept"), ("to/old/x", b"")]);
        let to = outer.path().join("to");
        symlink("../outside", to.join("link")).unwrap();
        let before = snapshot(&outer.path().join("outside"));
        let _ = received(&to, Limits::default(), async |peer| {
            for act in &acts {
                match act {
                    Act::Stat(path, mode, size, link) => {
                        let stat = StatRef {
                            path,
                            mode: *mode,
                            size: *size,
                            link_name: link,
                            ..StatRef::default()
                        };
                        peer.put(|buffer| wire::put_stat(buffer, &stat)).await;
                    }
                    Act::Data(id, length) => peer.data(*id, &b"xxx"[..usize::from(*length)]).await,
                    Act::End => peer.end().await,
                    Act::Finish => peer.finish().await,
                    Act::Request(id) => peer.request(*id).await,
                }
            }
        });
        prop_assert_eq!(snapshot(&outer.path().join("outside")), before);
        let kept = outer.path().join("outside/kept");
        prop_assert_eq!(fs::metadata(kept).unwrap().nlink(), 1);
        prop_assert_eq!(fs::read_dir(outer.path()).unwrap().count(), 2);
        let temporary = paths(&to)
            .into_iter()
            .find(|path| path.windows(5).any(|part| part == b".tmp."));
        prop_assert_eq!(temporary, None);
    }
}
