//! Senders and receivers that want what they may not have, or too much of it.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use bytes::Bytes;
use iechor_fsutil::wire::{self, PacketKind, StatRef, Xattr};
use iechor_fsutil::{
    Blame, Filter, Limits, ReceiveError, ReceiveOptions, Received, SendError, SendOptions, Sent,
    mode, receive, send,
};

use crate::support::*;

const DIRECTORY: u32 = mode::DIRECTORY | 0o755;

/// Receives from a scripted sender.
pub fn received(
    to: &Path,
    limits: Limits,
    script: impl AsyncFnOnce(&mut Peer),
) -> Result<Received, ReceiveError> {
    run(async {
        let (mut peer, incoming, outgoing) = peer();
        let options = ReceiveOptions {
            limits,
            ..ReceiveOptions::default()
        };
        let receiving = receive(to, options, incoming, outgoing);
        let (received, ()) = tokio::join!(receiving, async {
            script(&mut peer).await;
            peer.close();
            while peer.next().await.is_some() {}
        });
        received
    })
}

/// Returns the error of a scripted sender that must fail, after checking that the sender was informed.
fn refused(to: &Path, limits: Limits, script: impl AsyncFnOnce(&mut Peer)) -> ReceiveError {
    let mut told = None;
    let outcome = received(to, limits, async |peer| {
        script(peer).await;
        told = peer.error().await;
    });
    let error = outcome.unwrap_err();
    assert!(told.unwrap().starts_with(&error.to_string()), "{error}");
    error
}

#[test]
fn more_entries_than_the_limit() {
    let to = tree(&[]);
    let limits = Limits {
        entries: 3,
        ..Limits::default()
    };
    let offer = async |peer: &mut Peer, number: u32| {
        for id in 0..number {
            peer.stat(&format!("d{id}"), DIRECTORY).await;
        }
    };
    let error = refused(to.path(), limits, async |peer| offer(peer, 4).await);
    assert_eq!(
        error.to_string(),
        "cannot add `d3`: a transfer has at most 3 entries"
    );
    let outcome = received(to.path(), limits, async |peer| {
        offer(peer, 3).await;
        peer.end().await;
        peer.expect(PacketKind::Finish).await;
    });
    assert_eq!(outcome.unwrap().entries, 3);
}

#[test]
fn longer_names_than_the_limit() {
    let to = tree(&[]);
    let limits = Limits {
        names: 300,
        ..Limits::default()
    };
    let error = refused(to.path(), limits, async |peer| {
        for letter in ["a", "b"] {
            peer.stat(&letter.repeat(200), DIRECTORY).await;
        }
    });
    let expected = format!(
        "cannot add `{}`: a transfer has at most 300 bytes of names",
        "b".repeat(200)
    );
    assert_eq!(error.to_string(), expected);
}

#[test]
fn more_attributes_than_the_limit() {
    let limits = Limits {
        attributes: 1000,
        ..Limits::default()
    };
    let xattrs = [Xattr {
        name: Bytes::from_static(b"user.x"),
        value: Bytes::from_static(&[7; 400]),
    }];
    let offer = async |peer: &mut Peer, path: &str, mode: u32| {
        let stat = StatRef {
            path: path.as_bytes(),
            mode,
            xattrs: &xattrs,
            ..StatRef::default()
        };
        peer.put(|buffer| wire::put_stat(buffer, &stat)).await;
    };
    for mode in [DIRECTORY, 0o644] {
        let to = tree(&[]);
        let error = refused(to.path(), limits, async |peer| {
            for path in ["a", "b", "c"] {
                offer(peer, path, mode).await;
            }
        });
        assert_eq!(
            error.to_string(),
            "cannot add `c`: the sender offered more than 1000 bytes of extended attributes"
        );
    }
    // The attributes of a complete file are not kept.
    let to = tree(&[]);
    let outcome = received(to.path(), limits, async |peer| {
        for (id, path) in ["a", "b", "c", "d"].iter().enumerate() {
            offer(peer, path, 0o644).await;
            peer.expect(PacketKind::Request).await;
            peer.data(id as u32, b"").await;
            eventually("it is complete", || to.path().join(path).exists()).await;
        }
        peer.end().await;
        peer.expect(PacketKind::Finish).await;
    });
    assert_eq!(outcome.unwrap().files, 4);
}

#[test]
fn contents_of_other_sizes_than_announced() {
    for (size, parts, expected) in [
        (
            5,
            &["1234", "56"][..],
            "the sender sent more than the 5 bytes of `file`",
        ),
        (0, &["1"], "the sender sent more than the 0 bytes of `file`"),
        (
            5,
            &["123", ""],
            "the sender sent only 3 of the 5 bytes of `file`",
        ),
        (
            i64::MAX,
            &["1", ""],
            "the sender sent only 1 of the 9223372036854775807 bytes of `file`",
        ),
        (
            -1,
            &[],
            "the sender offered `file` with the invalid size -1",
        ),
        (
            i64::MIN,
            &[],
            "the sender offered `file` with the invalid size -9223372036854775808",
        ),
    ] {
        let to = tree(&[("file", b"kept")]);
        let error = refused(to.path(), Limits::default(), async |peer| {
            peer.file("file", 0o644, size).await;
            for part in parts {
                peer.data(0, part.as_bytes()).await;
            }
        });
        assert_eq!(error.to_string(), expected);
        // The old file is in place, and nothing temporary is left.
        assert_eq!(paths(to.path()), [b"file"]);
        assert_eq!(fs::read(to.path().join("file")).unwrap(), b"kept");
    }
}

#[test]
fn huge_paths_and_names() {
    let to = tree(&[]);
    // In directories that were sent, so only the length is wrong.
    let error = refused(to.path(), Limits::default(), async |peer| {
        let mut path = String::new();
        for _ in 0..21 {
            path.push_str(&"d".repeat(200));
            peer.stat(&path, DIRECTORY).await;
            path.push('/');
        }
    });
    assert!(matches!(error, ReceiveError::Order(_)), "{error}");
    let error = refused(to.path(), Limits::default(), async |peer| {
        peer.stat(&"n".repeat(1 << 20), 0o644).await;
    });
    assert_eq!(error.blame(), Blame::Violation);
    // A message does not repeat a megabyte.
    let text = format!("{:?}", texts(&error));
    assert!(
        text.len() < 6000 && text.contains("(1048576 bytes)"),
        "{text}"
    );
    let error = refused(to.path(), Limits::default(), async |peer| {
        peer.stat(&"n".repeat(256), DIRECTORY).await;
    });
    assert!(matches!(error, ReceiveError::Entry { .. }), "{error}");
}

fn texts(error: &dyn std::error::Error) -> Vec<String> {
    std::iter::successors(Some(error), |error| error.source())
        .map(ToString::to_string)
        .collect()
}

/// Contents of many files that come in turns.
#[test]
fn few_files_are_open_at_a_time() {
    const FILES: u32 = 500;
    let to = tree(&[]);
    let open = || {
        let to = to.path().canonicalize().unwrap();
        fs::read_dir("/proc/self/fd")
            .unwrap()
            .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok())
            .filter(|target| target.starts_with(&to))
            .count()
    };
    let outcome = received(to.path(), Limits::default(), async |peer| {
        for number in 0..FILES / 2 {
            peer.stat(&format!("{number:03}"), DIRECTORY).await;
            peer.file(&format!("{number:03}/file"), 0o644, 2).await;
            peer.expect(PacketKind::Request).await;
        }
        for _ in 0..2 {
            for number in 0..FILES / 2 {
                peer.data(2 * number + 1, b"x").await;
                assert!(open() <= 64, "{} files are open", open());
            }
        }
        for number in 0..FILES / 2 {
            peer.data(2 * number + 1, b"").await;
        }
        peer.end().await;
        peer.expect(PacketKind::Finish).await;
    });
    assert_eq!(outcome.unwrap().files, 250);
}

#[test]
fn packets_that_no_sender_sends() {
    for (what, kind) in [
        ("a request", 1),
        ("an end before the entries have ended", 3),
        ("an entry after the end", 0),
        ("an unknown kind", 9),
        ("a negative kind", -1),
    ] {
        let to = tree(&[]);
        let error = refused(to.path(), Limits::default(), async |peer| {
            peer.file("file", 0o644, 1).await;
            match kind {
                0 => {
                    peer.end().await;
                    peer.stat("x", 0o644).await;
                }
                1 => peer.request(0).await,
                3 => peer.finish().await,
                kind => {
                    let packet = wire::Packet {
                        kind,
                        ..wire::Packet::default()
                    };
                    peer.raw(prost::Message::encode_to_vec(&packet)).await;
                }
            }
        });
        let expected = format!("the sender sent an unexpected packet of kind {kind}");
        assert_eq!(error.to_string(), expected, "{what}");
        assert_eq!(error.blame(), Blame::Violation, "{what}");
        assert!(paths(to.path()).is_empty(), "{what}");
    }
}

/// Content for directories, links, devices, unknown and complete files.
#[test]
fn content_for_what_has_none() {
    for id in [0, 1, 2, 3, 4, 5, u32::MAX] {
        let to = tree(&[]);
        let error = refused(to.path(), Limits::default(), async |peer| {
            peer.stat("directory", DIRECTORY).await;
            peer.link("link", mode::SYMLINK | 0o777, "/etc/passwd")
                .await;
            peer.stat("pipe", mode::NAMED_PIPE | 0o644).await;
            peer.stat("whole", 0o644).await;
            peer.link("z: other name", 0o644, "whole").await;
            peer.data(3, b"").await;
            peer.data(id, b"x").await;
        });
        let expected = format!("the sender sent content for invalid file id {id}");
        assert_eq!(error.to_string(), expected);
    }
}

/// The directory of the target of a hard link is replaced by a link to another directory.
#[test]
fn a_hard_link_through_a_directory_that_becomes_a_link() {
    let outside = tree(&[("file", b"secret")]);
    let to = tree(&[]);
    let outcome = received(to.path(), Limits::default(), async |peer| {
        peer.stat("a", DIRECTORY).await;
        peer.stat("a/file", 0o644).await;
        peer.expect(PacketKind::Request).await;
        peer.data(1, b"").await;
        // So many directories that the first is closed.
        for number in 0..40 {
            peer.stat(&format!("b{number:02}"), DIRECTORY).await;
        }
        eventually("all are made", || to.path().join("b39").exists()).await;
        fs::rename(to.path().join("a"), to.path().join("moved")).unwrap();
        symlink(outside.path(), to.path().join("a")).unwrap();
        peer.link("c", 0o644, "a/file").await;
        peer.end().await;
        assert!(peer.error().await.is_some());
    });
    assert!(
        matches!(outcome, Err(ReceiveError::Entry { .. })),
        "{outcome:?}"
    );
    assert!(!to.path().join("c").exists());
    assert_eq!(
        fs::metadata(outside.path().join("file")).unwrap().nlink(),
        1
    );
}

/// Mode and time of a directory are set at the end, when it is a link to another one.
#[test]
fn the_properties_of_a_directory_that_becomes_a_link() {
    let outside = tree(&[]);
    set_mode(outside.path(), 0o700);
    set_modified(outside.path(), 1_000_000_000);
    let to = tree(&[]);
    let outcome = received(to.path(), Limits::default(), async |peer| {
        peer.stat("a", mode::DIRECTORY | 0o777).await;
        eventually("it is made", || to.path().join("a").exists()).await;
        fs::remove_dir(to.path().join("a")).unwrap();
        symlink(outside.path(), to.path().join("a")).unwrap();
        peer.end().await;
        assert!(peer.error().await.is_some());
    });
    assert!(
        matches!(outcome, Err(ReceiveError::Entry { .. })),
        "{outcome:?}"
    );
    let metadata = fs::metadata(outside.path()).unwrap();
    assert_eq!((metadata.mode() & 0o7777, metadata.mtime()), (0o700, 1));
}

/// Sends a directory to a scripted receiver.
fn sent(
    root: &Path,
    exclude: &str,
    script: impl AsyncFnOnce(&mut Peer),
) -> Result<Sent, SendError> {
    run(async {
        let (mut peer, incoming, outgoing) = peer();
        let options = SendOptions::default();
        let filter = Filter {
            exclude: vec![exclude.as_bytes().to_vec()],
            ..Filter::default()
        };
        let sending = send(root, filter, options, incoming, outgoing, |_| {});
        let (sent, ()) = tokio::join!(sending, async {
            script(&mut peer).await;
            peer.close();
            while peer.next().await.is_some() {}
        });
        sent
    })
}

/// Every number that could be that of an excluded file.
#[test]
fn excluded_files_cannot_be_requested() {
    let root = tree(&[("a", b"1"), ("secret", b"secret"), ("z", b"2")]);
    for id in 0..4 {
        let mut content = None;
        let outcome = sent(root.path(), "secret", async |peer| {
            assert_eq!(peer.entries().await, ["a", "z"]);
            peer.request(id).await;
            if id < 2 {
                content = Some(peer.content(id).await);
                peer.finish().await;
            }
        });
        match id {
            0 => assert_eq!(content.unwrap(), b"1"),
            1 => assert_eq!(content.unwrap(), b"2"),
            _ => {
                let error = outcome.unwrap_err();
                assert!(matches!(error, SendError::InvalidRequest { .. }), "{error}");
                assert_eq!(error.blame(), Blame::Violation);
            }
        }
    }
}

/// An excluded file with a name that is not text is excluded by its bytes.
#[test]
fn excluded_names_need_not_be_text() {
    let root = tree(&[("a", b"")]);
    for name in [&b"\xff"[..], b"\xfe"] {
        fs::write(root.path().join(path_of(name)), "secret").unwrap();
    }
    run(async {
        let (mut peer, incoming, outgoing) = peer();
        let filter = Filter {
            exclude: vec![b"\xff".to_vec()],
            ..Filter::default()
        };
        let options = SendOptions::default();
        let sending = send(root.path(), filter, options, incoming, outgoing, |_| {});
        let (sent, ()) = tokio::join!(sending, async {
            let mut found = Vec::new();
            while let Some(stat) = peer.expect(PacketKind::Stat).await.stat {
                found.push(stat.path);
            }
            assert_eq!(found, [&b"a"[..], b"\xfe"]);
            peer.finish().await;
        });
        sent.unwrap();
    });
}
