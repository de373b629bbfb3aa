//! The receiver against a sender that follows a script.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt;
use iechor_fsutil::receive::OrderError;
use iechor_fsutil::wire::{self, PacketKind, StatRef};
use iechor_fsutil::{ReceiveError, ReceiveOptions, Received, mode, receive};

use crate::support::*;

const DIRECTORY: u32 = mode::DIRECTORY | 0o755;

/// Runs both sides. The script gets the sender.
fn play(
    destination: &Path,
    options: ReceiveOptions,
    script: impl AsyncFnOnce(&mut Peer),
) -> Result<Received, ReceiveError> {
    run(async {
        let (mut peer, incoming, outgoing) = peer();
        let receiving = receive(destination, options, incoming, outgoing);
        let (received, ()) = tokio::join!(receiving, async {
            script(&mut peer).await;
            peer.close();
            while peer.next().await.is_some() {}
        });
        received
    })
}

fn play_default(
    destination: &Path,
    script: impl AsyncFnOnce(&mut Peer),
) -> Result<Received, ReceiveError> {
    play(destination, ReceiveOptions::default(), script)
}

async fn finish(peer: &mut Peer) {
    peer.end().await;
    peer.expect(PacketKind::Finish).await;
    peer.finish().await;
    assert!(peer.next().await.is_none());
}

/// Offers one file and sends its content.
async fn file(peer: &mut Peer, id: u32, path: &str, content: &[u8]) {
    peer.file(path, 0o644, content.len() as i64).await;
    assert_eq!(peer.expect(PacketKind::Request).await.id, id);
    if !content.is_empty() {
        peer.data(id, content).await;
    }
    peer.data(id, b"").await;
}

#[test]
fn nothing_at_all() {
    let to = tree(&[("kept", b"kept")]);
    let received = play_default(to.path(), async |peer| finish(peer).await);
    assert_eq!(received.unwrap(), Received::default());
    assert_eq!(fs::read(to.path().join("kept")).unwrap(), b"kept");
}

#[test]
fn merging() {
    let to = tree(&[
        ("dir/kept", b"kept"),
        ("dir/old", b"old"),
        ("kept", b"kept"),
    ]);
    fs::hard_link(
        to.path().join("dir/old"),
        to.path().join("other name of old"),
    )
    .unwrap();
    let received = play_default(to.path(), async |peer| {
        peer.stat("dir", mode::DIRECTORY | 0o711).await;
        file(peer, 1, "dir/new", b"new").await;
        file(peer, 2, "dir/old", b"replaced").await;
        file(peer, 3, "empty", b"").await;
        finish(peer).await;
    });
    assert_eq!(
        received.unwrap(),
        Received {
            entries: 4,
            files: 3,
            bytes: 11
        }
    );
    let read = |path: &str| fs::read_to_string(to.path().join(path)).unwrap();
    assert_eq!(read("dir/kept"), "kept");
    assert_eq!(read("dir/new"), "new");
    assert_eq!(read("dir/old"), "replaced");
    assert_eq!(read("empty"), "");
    // The file is replaced, not written to.
    assert_eq!(read("other name of old"), "old");
    let metadata = fs::metadata(to.path().join("dir")).unwrap();
    assert_eq!((metadata.mode() & 0o7777, metadata.mtime()), (0o711, 0));
    assert_eq!(paths(to.path()).len(), 7);
}

#[test]
fn contents_may_come_in_any_order() {
    let to = tree(&[]);
    const FILES: u32 = 100;
    let received = play_default(to.path(), async |peer| {
        for id in 0..FILES {
            let size = 3 * format!("{id} 0\n").len() as i64;
            peer.file(&format!("{id:03}"), 0o400, size).await;
            peer.expect(PacketKind::Request).await;
        }
        for part in 0..3 {
            for id in (0..FILES).rev() {
                peer.data(id, format!("{id} {part}\n").as_bytes()).await;
            }
        }
        for id in 0..FILES {
            peer.data(id, b"").await;
        }
        finish(peer).await;
    });
    assert_eq!(received.unwrap().files, u64::from(FILES));
    for id in 0..FILES {
        let content = fs::read_to_string(to.path().join(format!("{id:03}"))).unwrap();
        assert_eq!(content, format!("{id} 0\n{id} 1\n{id} 2\n"));
    }
}

#[test]
fn paths_that_lead_elsewhere() {
    for (before, path) in [
        (None, "../x"),
        (None, ".."),
        (None, "."),
        (None, ""),
        (None, "/x"),
        (None, "a/../../x"),
        (Some(("a", DIRECTORY, "")), "a/../x"),
        (Some(("a", DIRECTORY, "")), "a//x"),
        (Some(("a", DIRECTORY, "")), "b/x"),
        (Some(("a", mode::SYMLINK | 0o777, "..")), "a/x"),
        (Some(("b", DIRECTORY, "")), "a"),
        (Some(("a", DIRECTORY, "")), "a"),
    ] {
        let outer = tempfile::tempdir().unwrap();
        let to = outer.path().join("to");
        let received = play_default(&to, async |peer| {
            if let Some((path, mode, link_name)) = before {
                peer.link(path, mode, link_name).await;
            }
            peer.stat(path, 0o644).await;
            let text = peer.error().await.unwrap();
            assert!(
                text.contains("the sender offered an invalid entry: "),
                "{text}"
            );
        });
        assert!(
            matches!(received, Err(ReceiveError::Order(_))),
            "{path} {received:?}"
        );
        assert_eq!(fs::read_dir(outer.path()).unwrap().count(), 1);
    }
}

#[test]
fn a_symlink_that_was_sent_is_no_directory() {
    let outside = tree(&[]);
    let to = tree(&[]);
    let received = play_default(to.path(), async |peer| {
        let target = outside.path().to_str().unwrap();
        peer.link("link", mode::SYMLINK | 0o777, target).await;
        peer.stat("link/file", 0o644).await;
        peer.error().await.unwrap();
    });
    let Err(ReceiveError::Order(OrderError::Directory { path })) = received else {
        panic!("{received:?}")
    };
    assert_eq!(path, "link/file");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn symlinks_that_were_there_are_replaced() {
    let outside = tree(&[("dir/kept", b"kept"), ("file", b"kept")]);
    let to = tree(&[]);
    symlink(outside.path().join("dir"), to.path().join("dir")).unwrap();
    symlink(outside.path().join("file"), to.path().join("file")).unwrap();
    symlink("loop", to.path().join("loop")).unwrap();
    let received = play_default(to.path(), async |peer| {
        peer.stat("dir", DIRECTORY).await;
        file(peer, 1, "dir/kept", b"new").await;
        file(peer, 2, "file", b"new").await;
        peer.link("loop", mode::SYMLINK | 0o777, "elsewhere").await;
        finish(peer).await;
    });
    received.unwrap();
    assert_eq!(fs::read(outside.path().join("dir/kept")).unwrap(), b"kept");
    assert_eq!(fs::read(outside.path().join("file")).unwrap(), b"kept");
    assert_eq!(fs::read(to.path().join("dir/kept")).unwrap(), b"new");
    assert!(
        fs::symlink_metadata(to.path().join("dir"))
            .unwrap()
            .is_dir()
    );
    assert!(
        fs::symlink_metadata(to.path().join("file"))
            .unwrap()
            .is_file()
    );
    assert_eq!(
        fs::read_link(to.path().join("loop")).unwrap(),
        Path::new("elsewhere")
    );
}

/// A directory is replaced by a link while the content is being transferred.
#[test]
fn a_directory_that_is_swapped_meanwhile() {
    let outside = tree(&[]);
    let to = tree(&[]);
    let received = play_default(to.path(), async |peer| {
        peer.stat("dir", DIRECTORY).await;
        // Enough directories that the first one is closed again.
        peer.file("dir/a", 0o644, 7).await;
        for number in 0..40 {
            peer.stat(&format!("e{number:02}"), DIRECTORY).await;
        }
        peer.expect(PacketKind::Request).await;
        eventually("all is made", || to.path().join("e39").exists()).await;
        fs::remove_dir(to.path().join("dir")).unwrap();
        symlink(outside.path(), to.path().join("dir")).unwrap();
        peer.data(1, b"content").await;
        assert!(
            peer.error()
                .await
                .unwrap()
                .contains("cannot open directory `dir`")
        );
    });
    assert!(
        matches!(received, Err(ReceiveError::Entry { .. })),
        "{received:?}"
    );
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn directories_in_the_way() {
    let remove = ReceiveOptions {
        replace_directories: true,
        ..ReceiveOptions::default()
    };
    for (options, content, works) in [
        (
            ReceiveOptions::default(),
            &[("x/deep/file", &b""[..])][..],
            false,
        ),
        (remove, &[("x/deep/file", &b""[..])], true),
        (ReceiveOptions::default(), &[], true),
    ] {
        let to = tree(content);
        let _ = fs::create_dir(to.path().join("x"));
        let outside = tree(&[("kept", b"")]);
        if !content.is_empty() {
            symlink(outside.path(), to.path().join("x/link")).unwrap();
        }
        let received = play(to.path(), options, async |peer| {
            file(peer, 0, "x", b"a file").await;
            if works {
                finish(peer).await;
            }
        });
        assert_eq!(received.is_ok(), works, "{received:?}");
        assert_eq!(to.path().join("x").is_file(), works);
        assert!(outside.path().join("kept").exists());
        let temporary = paths(to.path())
            .into_iter()
            .find(|path| path.starts_with(b".tmp"));
        assert_eq!(temporary, None);
    }
    // The reverse case.
    let to = tree(&[("x", b"a file")]);
    let received = play_default(to.path(), async |peer| {
        peer.stat("x", DIRECTORY).await;
        finish(peer).await;
    });
    received.unwrap();
    assert!(to.path().join("x").is_dir());
}

#[test]
fn hard_links() {
    let to = tree(&[("b", b"old")]);
    let received = play_default(to.path(), async |peer| {
        peer.file("a", 0o640, 7).await;
        // Before its content has arrived.
        peer.link("b", 0o640, "a").await;
        peer.expect(PacketKind::Request).await;
        peer.data(0, b"content").await;
        peer.data(0, b"").await;
        peer.link("c", 0o640, "a").await;
        finish(peer).await;
    });
    assert_eq!(
        received.unwrap(),
        Received {
            entries: 3,
            files: 1,
            bytes: 7
        }
    );
    let inode = |name: &str| fs::metadata(to.path().join(name)).unwrap().ino();
    assert_eq!((inode("b"), inode("c")), (inode("a"), inode("a")));
    assert_eq!(paths(to.path()), [b"a", b"b", b"c"]);
}

#[test]
fn hard_links_to_what_was_not_sent() {
    for target in ["there", "../outside", "dir", "b", "/etc/passwd", "a/"] {
        let to = tree(&[("there", b"")]);
        let received = play_default(to.path(), async |peer| {
            peer.stat("a", 0o644).await;
            peer.stat("dir", DIRECTORY).await;
            peer.link("e", 0o644, target).await;
            assert!(peer.error().await.unwrap().contains("was not sent before"));
        });
        assert!(
            matches!(received, Err(ReceiveError::UnknownLinkTarget { .. })),
            "{target}"
        );
        assert!(!to.path().join("e").exists());
    }
}

#[test]
fn special_files() {
    let to = tree(&[]);
    let is_root = rustix::process::geteuid().is_root();
    let received = play_default(to.path(), async |peer| {
        peer.stat("fifo", mode::NAMED_PIPE | 0o620).await;
        let stat = StatRef {
            path: b"null",
            mode: mode::DEVICE | mode::CHARACTER_DEVICE | 0o666,
            device_major: 1,
            device_minor: 3,
            ..StatRef::default()
        };
        peer.put(|buffer| wire::put_stat(buffer, &stat)).await;
        peer.end().await;
        peer.finish().await;
    });
    let fifo = fs::metadata(to.path().join("fifo")).unwrap();
    assert!(fifo.file_type().is_fifo());
    assert_eq!((fifo.mode() & 0o7777, fifo.mtime()), (0o620, 0));
    match received {
        // FIN may have arrived too early, which does not matter here.
        Ok(_) | Err(ReceiveError::UnexpectedPacket { .. }) => {
            let null = fs::metadata(to.path().join("null")).unwrap();
            assert!(null.file_type().is_char_device());
            assert_eq!(
                (null.mode() & 0o7777, null.rdev()),
                (0o666, rustix::fs::makedev(1, 3))
            );
        }
        Err(ReceiveError::Device { path, .. }) => {
            assert_eq!(path, "null");
            assert!(!is_root || cfg!(not(target_os = "linux")));
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn modes_that_mean_nothing() {
    let to = tree(&[]);
    for mode in [
        mode::SOCKET | 0o644,
        mode::IRREGULAR,
        mode::DIRECTORY | mode::SYMLINK,
    ] {
        let received = play_default(to.path(), async |peer| {
            peer.stat("x", mode).await;
            peer.error().await.unwrap();
        });
        assert!(
            matches!(received, Err(ReceiveError::UnknownType { .. })),
            "{received:?}"
        );
    }
}

#[test]
fn content_that_was_not_requested() {
    for ids in [&[1][..], &[7], &[0, 0, 0]] {
        let to = tree(&[]);
        let received = play_default(to.path(), async |peer| {
            peer.stat("file", 0o644).await;
            peer.stat("link", mode::SYMLINK | 0o777).await;
            for id in ids {
                peer.data(*id, b"").await;
            }
            peer.error().await;
        });
        assert!(received.is_err(), "{ids:?}");
    }
    let to = tree(&[]);
    let received = play_default(to.path(), async |peer| {
        file(peer, 0, "file", b"x").await;
        peer.data(0, b"more").await;
        assert!(peer.error().await.unwrap().contains("invalid file id 0"));
    });
    assert!(
        matches!(received, Err(ReceiveError::InvalidContent { id: 0 })),
        "{received:?}"
    );
    // Complete files stay.
    assert_eq!(fs::read(to.path().join("file")).unwrap(), b"x");
}

#[test]
fn a_sender_that_talks_nonsense() {
    let to = tree(&[]);
    let received = play_default(to.path(), async |peer| {
        peer.raw(&b"\xff\xff\xff"[..]).await;
        assert!(peer.error().await.unwrap().contains("malformed packet"));
    });
    assert!(
        matches!(received, Err(ReceiveError::MalformedPacket(_))),
        "{received:?}"
    );
    for early in [true, false] {
        let received = play_default(to.path(), async |peer| {
            if early {
                peer.finish().await;
            } else {
                // An entry after the end of the entries.
                peer.end().await;
                peer.stat("x", 0o644).await;
            }
            assert!(peer.error().await.unwrap().contains("unexpected packet"));
        });
        assert!(
            matches!(received, Err(ReceiveError::UnexpectedPacket { .. })),
            "{received:?}"
        );
    }
    let received = play_default(to.path(), async |peer| {
        peer.put(|buffer| wire::put_error(buffer, "no: such file"))
            .await;
        assert_eq!(peer.error().await, None);
    });
    assert!(
        matches!(&received, Err(ReceiveError::Sender { text }) if text == "no: such file"),
        "{received:?}"
    );
}

#[test]
fn a_failed_transfer_leaves_nothing_temporary() {
    for how in 0..3 {
        let to = tree(&[("kept", b"kept")]);
        let received = play_default(to.path(), async |peer| {
            peer.stat("dir", mode::DIRECTORY | 0o750).await;
            peer.file("dir/whole", 0o644, 7).await;
            peer.file("half", 0o644, 100).await;
            peer.data(1, b"content").await;
            peer.data(1, b"").await;
            peer.data(2, b"half of it").await;
            eventually("it is written to", || {
                fs::read_dir(to.path()).unwrap().count() == 3
            })
            .await;
            match how {
                0 => peer.close(),
                1 => peer.fail().await,
                _ => peer.stat("../x", 0o644).await,
            }
        });
        match how {
            0 => assert!(
                matches!(received, Err(ReceiveError::Closed)),
                "{received:?}"
            ),
            1 => assert!(
                matches!(received, Err(ReceiveError::Stream(_))),
                "{received:?}"
            ),
            _ => assert!(
                matches!(received, Err(ReceiveError::Order(_))),
                "{received:?}"
            ),
        }
        let found = paths(to.path());
        assert_eq!(found, [&b"dir"[..], b"dir/whole", b"kept"], "{how}");
        let mode = fs::metadata(to.path().join("dir")).unwrap().mode();
        assert_eq!(mode & 0o7777, 0o750);
    }
}

#[test]
fn dropping_the_future_leaves_nothing_temporary() {
    let to = tree(&[]);
    run(async {
        let (mut peer, incoming, outgoing) = peer();
        let options = ReceiveOptions::default();
        let mut receiving = Box::pin(receive(to.path(), options, incoming, outgoing));
        peer.file("half", 0o644, 100).await;
        peer.data(0, b"half of it").await;
        let waited = tokio::time::timeout(Duration::from_millis(100), &mut receiving).await;
        assert!(waited.is_err());
        assert_eq!(fs::read_dir(to.path()).unwrap().count(), 1);
        drop(receiving);
        eventually("it is clean", || {
            fs::read_dir(to.path()).unwrap().count() == 0
        })
        .await;
        eventually("the thread has ended", || !has_open(to.path())).await;
    });
}

#[test]
fn a_sender_that_closes_instead_of_answering() {
    let to = tree(&[]);
    let received = play_default(to.path(), async |peer| {
        peer.stat("dir", DIRECTORY).await;
        peer.end().await;
        peer.expect(PacketKind::Finish).await;
    });
    assert_eq!(received.unwrap().entries, 1);
}

/// The receiver must not wait for a sender that does not read requests while it writes.
#[test]
fn requests_wait_for_the_sender() {
    let to = tree(&[]);
    const FILES: u32 = 5_000;
    let received = play_default(to.path(), async |peer| {
        for id in 0..FILES {
            peer.stat(&format!("{id:05}"), 0o644).await;
        }
        peer.end().await;
        for _ in 0..FILES {
            let id = peer.expect(PacketKind::Request).await.id;
            peer.data(id, b"").await;
        }
        peer.expect(PacketKind::Finish).await;
        peer.finish().await;
    });
    assert_eq!(received.unwrap().files, u64::from(FILES));
}

#[test]
fn a_destination_that_is_a_file() {
    let to = tree(&[("file", b"")]);
    let received = play_default(&to.path().join("file"), async |peer| {
        assert!(
            peer.error()
                .await
                .unwrap()
                .contains("cannot open destination directory")
        );
    });
    assert!(
        matches!(received, Err(ReceiveError::Destination { .. })),
        "{received:?}"
    );
}

/// Directories without write permission can be written to during the transfer.
#[test]
fn read_only_directories() {
    let to = tree(&[("there/x", b"")]);
    set_mode(&to.path().join("there"), 0o555);
    let received = play_default(to.path(), async |peer| {
        peer.stat("new", mode::DIRECTORY | 0o555).await;
        file(peer, 1, "new/file", b"1").await;
        peer.stat("there", mode::DIRECTORY | 0o500).await;
        file(peer, 3, "there/file", b"2").await;
        finish(peer).await;
    });
    received.unwrap();
    for (name, expected) in [("new", 0o555), ("there", 0o500)] {
        let directory = to.path().join(name);
        assert!(directory.join("file").exists());
        assert_eq!(fs::metadata(&directory).unwrap().mode() & 0o7777, expected);
        set_mode(&directory, 0o755);
    }
}

/// More packets are available at all times than are taken at once.
#[test]
fn packets_in_bulk() {
    const FILES: u32 = 2_000;
    let to = tree(&[]);
    let mut frames = bytes::BytesMut::new();
    let mut payloads = Vec::new();
    for id in 0..FILES {
        let path = format!("{id:05}");
        let stat = StatRef {
            path: path.as_bytes(),
            mode: 0o644,
            ..StatRef::default()
        };
        wire::put_stat(&mut frames, &stat);
        let mut frame = frames.split().freeze();
        payloads.push(Ok(wire::next_message(&mut frame).unwrap().unwrap()));
    }
    run(async {
        let (mut peer, silence, outgoing) = peer();
        // Slow enough for the thread to keep up, but never pending.
        let payloads = payloads.into_iter().inspect(|_| {
            std::thread::sleep(Duration::from_micros(50));
        });
        let incoming = futures_util::stream::iter(payloads).chain(silence);
        let receiving = receive(to.path(), ReceiveOptions::default(), incoming, outgoing);
        let (received, ()) = tokio::join!(receiving, async {
            for id in 0..FILES {
                assert_eq!(peer.expect(PacketKind::Request).await.id, id);
            }
            peer.close();
        });
        assert!(
            matches!(received, Err(ReceiveError::Closed)),
            "{received:?}"
        );
    });
}
