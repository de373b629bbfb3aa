//! The sender against a receiver that follows a script.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use iechor_fsutil::walk::WalkOptions;
use iechor_fsutil::wire::{self, PacketKind};
use iechor_fsutil::{Filter, Progress, SendError, SendOptions, Sent, mode, send};

use crate::support::*;

/// Runs both sides. The script gets the receiver.
fn play(root: &Path, script: impl AsyncFnOnce(&mut Peer)) -> Result<Sent, SendError> {
    run(async {
        let (mut peer, incoming, outgoing) = peer();
        let options = SendOptions::default();
        let sending = send(root, Filter::default(), options, incoming, outgoing, |_| {});
        let (sent, ()) = tokio::join!(sending, async {
            script(&mut peer).await;
            peer.close();
            while peer.next().await.is_some() {}
        });
        sent
    })
}

async fn finish(peer: &mut Peer) {
    peer.finish().await;
    peer.expect(PacketKind::Finish).await;
    assert!(peer.next().await.is_none());
}

#[test]
fn an_empty_directory() {
    let root = tree(&[]);
    let sent = play(root.path(), async |peer| {
        assert!(peer.entries().await.is_empty());
        finish(peer).await;
    });
    assert_eq!(sent.unwrap(), Sent::default());
}

#[test]
fn entries_are_described() {
    let root = tree(&[("dir/file", b"content")]);
    symlink("dir/file", root.path().join("link")).unwrap();
    fs::hard_link(root.path().join("dir/file"), root.path().join("same")).unwrap();
    set_mode(&root.path().join("dir/file"), 0o4711);
    set_modified(&root.path().join("dir/file"), -1_500_000_000);
    let sent = play(root.path(), async |peer| {
        let mut stats = Vec::new();
        while let Some(stat) = peer.expect(PacketKind::Stat).await.stat {
            assert_eq!((stat.uid, stat.gid), (0, 0));
            stats.push(stat);
        }
        let about = |index: usize| -> (&[u8], u32, i64, &[u8]) {
            let stat = &stats[index];
            (&stat.path, stat.mode & !0o777, stat.size, &stat.link_name)
        };
        assert_eq!(about(0), (&b"dir"[..], mode::DIRECTORY, 0, &b""[..]));
        assert_eq!(about(1), (&b"dir/file"[..], mode::SET_USER_ID, 7, &b""[..]));
        assert_eq!(about(2), (&b"link"[..], mode::SYMLINK, 8, &b"dir/file"[..]));
        assert_eq!(
            about(3),
            (&b"same"[..], mode::SET_USER_ID, 7, &b"dir/file"[..])
        );
        assert_eq!(stats[1].modified, -1_500_000_000);
        assert_eq!(stats.len(), 4);
        // A hard link can be requested as well.
        peer.request(3).await;
        assert_eq!(peer.content(3).await, b"content");
        finish(peer).await;
    });
    assert_eq!(
        sent.unwrap(),
        Sent {
            entries: 4,
            files: 1,
            bytes: 7,
            unreadable: 0
        }
    );
}

#[test]
fn owners_are_kept_on_demand() {
    let root = tree(&[("file", b"")]);
    run(async {
        let (mut peer, incoming, outgoing) = peer();
        let walk = WalkOptions {
            reset_owner: false,
            ..WalkOptions::default()
        };
        let options = SendOptions { walk };
        let sending = send(
            root.path(),
            Filter::default(),
            options,
            incoming,
            outgoing,
            |_| {},
        );
        let (sent, ()) = tokio::join!(sending, async {
            let stat = peer.expect(PacketKind::Stat).await.stat.unwrap();
            assert_eq!(stat.uid, rustix::process::getuid().as_raw());
            peer.finish().await;
        });
        sent.unwrap();
    });
}

#[test]
fn requests_may_come_before_the_end_of_the_walk() {
    let root = tempfile::tempdir().unwrap();
    for number in 0..5000 {
        let name = format!("file with a name that fills buffers {number:05}");
        fs::write(root.path().join(name), format!("{number}")).unwrap();
    }
    let sent = play(root.path(), async |peer| {
        // The channel is full of entries, so the walk waits.
        assert!(peer.expect(PacketKind::Stat).await.stat.is_some());
        peer.request(0).await;
        let (mut entries, mut content, mut ended) = (1, Vec::new(), false);
        let mut is_listed = false;
        while !is_listed || !ended {
            let (kind, packet) = peer.next().await.unwrap();
            match (kind, packet.stat) {
                (PacketKind::Stat, Some(_)) => entries += 1,
                (PacketKind::Stat, None) => is_listed = true,
                (PacketKind::Data, _) if packet.data.is_empty() => ended = true,
                (PacketKind::Data, _) => content.extend_from_slice(&packet.data),
                _ => panic!("{kind:?}"),
            }
        }
        assert_eq!((entries, &content[..]), (5000, &b"0"[..]));
        finish(peer).await;
    });
    assert_eq!(sent.unwrap().files, 1);
}

#[test]
fn many_files_at_once_are_told_apart() {
    let root = tempfile::tempdir().unwrap();
    let content = |number: usize| vec![number as u8; number * 5000];
    for number in 0..50 {
        fs::write(root.path().join(format!("{number:02}")), content(number)).unwrap();
    }
    let sent = play(root.path(), async |peer| {
        assert_eq!(peer.entries().await.len(), 50);
        for id in 0..50 {
            peer.request(id).await;
        }
        let mut contents = vec![Vec::new(); 50];
        let mut ended = 0;
        while ended < 50 {
            let packet = peer.expect(PacketKind::Data).await;
            assert!(packet.data.len() <= wire::MAX_DATA);
            ended += u32::from(packet.data.is_empty());
            contents[packet.id as usize].extend_from_slice(&packet.data);
        }
        for (number, found) in contents.into_iter().enumerate() {
            assert!(found == content(number), "{number}");
        }
        finish(peer).await;
    });
    assert_eq!(sent.unwrap().files, 50);
}

#[test]
fn invalid_requests() {
    let root = tree(&[("dir/file", b"")]);
    for ids in [&[0][..], &[2], &[u32::MAX], &[1, 1]] {
        let mut text = None;
        let sent = play(root.path(), async |peer| {
            peer.entries().await;
            for id in ids {
                peer.request(*id).await;
            }
            text = peer.error().await;
        });
        let last = *ids.last().unwrap();
        assert!(
            matches!(sent, Err(SendError::InvalidRequest { id }) if id == last),
            "{ids:?}"
        );
        assert_eq!(
            text,
            Some(format!("the receiver requested invalid file id {last}"))
        );
    }
}

#[test]
fn a_receiver_that_fails() {
    let root = tree(&[("file", b"")]);
    let sent = play(root.path(), async |peer| {
        peer.put(|buffer| wire::put_error(buffer, "disk\x1b full"))
            .await;
        assert_eq!(peer.error().await, None);
    });
    let Err(SendError::Receiver { text }) = sent else {
        panic!("{sent:?}")
    };
    assert_eq!(text, "disk\\u{1b} full");
}

#[test]
fn a_receiver_that_talks_nonsense() {
    let root = tree(&[("file", b"")]);
    let sent = play(root.path(), async |peer| {
        peer.raw(&b"\xff\xff\xff"[..]).await;
        assert!(peer.error().await.unwrap().contains("malformed packet"));
    });
    assert!(
        matches!(sent, Err(SendError::MalformedPacket(_))),
        "{sent:?}"
    );
    let sent = play(root.path(), async |peer| {
        peer.data(0, b"x").await;
        assert!(peer.error().await.unwrap().contains("unexpected packet"));
    });
    assert!(
        matches!(sent, Err(SendError::UnexpectedPacket { kind: 2 })),
        "{sent:?}"
    );
    let sent = play(root.path(), async |peer| {
        // A packet of kind 9.
        peer.raw(&b"\x08\x09"[..]).await;
        assert!(peer.error().await.is_some());
    });
    assert!(
        matches!(sent, Err(SendError::UnexpectedPacket { kind: 9 })),
        "{sent:?}"
    );
}

#[test]
fn a_receiver_that_goes_away() {
    let root = tree(&[("file", b"")]);
    let sent = play(root.path(), async |_| {});
    assert!(matches!(sent, Err(SendError::Closed)), "{sent:?}");
    let sent = play(root.path(), async |peer| peer.fail().await);
    assert!(matches!(sent, Err(SendError::Stream(_))), "{sent:?}");

    // The peer drops its receiving side and keeps its sending side open.
    let sent = run(async {
        let (peer, incoming, _) = peer();
        let (outgoing, from) = tokio::sync::mpsc::channel(1);
        drop(from);
        let options = SendOptions::default();
        let sent = send(
            root.path(),
            Filter::default(),
            options,
            incoming,
            outgoing,
            |_| {},
        )
        .await;
        drop(peer);
        sent
    });
    assert!(matches!(sent, Err(SendError::Closed)), "{sent:?}");
}

#[test]
fn files_that_change_after_they_were_offered() {
    let root = tree(&[
        ("grows", b"1234"),
        ("pipe", b"x"),
        ("shrinks", b"12345678"),
        ("stays", b"1"),
        ("turns", b"x"),
        ("vanishes", b"x"),
    ]);
    let secret = tree(&[("secret", b"secret")]);
    let sent = play(root.path(), async |peer| {
        assert_eq!(peer.entries().await.len(), 6);
        let at = |name: &str| root.path().join(name);
        fs::write(at("grows"), "123456").unwrap();
        fs::write(at("shrinks"), "1").unwrap();
        fs::remove_file(at("vanishes")).unwrap();
        fs::remove_file(at("turns")).unwrap();
        symlink(secret.path().join("secret"), at("turns")).unwrap();
        fs::remove_file(at("pipe")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), rustix::fs::Mode::RWXU).unwrap();
        for (id, expected) in [
            (0, &b"123456"[..]),
            (1, b""),
            (2, b"1"),
            (3, b"1"),
            (4, b""),
            (5, b""),
        ] {
            peer.request(id).await;
            assert_eq!(peer.content(id).await, expected, "{id}");
        }
        finish(peer).await;
    });
    assert_eq!(
        sent.unwrap(),
        Sent {
            entries: 6,
            files: 6,
            bytes: 8,
            unreadable: 3
        }
    );
}

#[test]
fn a_directory_on_the_way_that_turns_into_a_link() {
    let root = tree(&[("dir/secret", b"not secret")]);
    let outside = tree(&[("secret", b"secret")]);
    let sent = play(root.path(), async |peer| {
        peer.entries().await;
        fs::remove_dir_all(root.path().join("dir")).unwrap();
        symlink(outside.path(), root.path().join("dir")).unwrap();
        peer.request(1).await;
        assert_eq!(peer.content(1).await, b"");
        finish(peer).await;
    });
    assert_eq!(sent.unwrap().unreadable, 1);
}

#[test]
fn a_socket_is_an_empty_file() {
    let root = tree(&[]);
    let _listener = UnixListener::bind(root.path().join("socket")).unwrap();
    let sent = play(root.path(), async |peer| {
        let stat = peer.expect(PacketKind::Stat).await.stat.unwrap();
        assert!(mode::is_requestable(stat.mode));
        assert_eq!(peer.expect(PacketKind::Stat).await.stat, None);
        peer.request(0).await;
        assert_eq!(peer.content(0).await, b"");
        finish(peer).await;
    });
    sent.unwrap();
}

/// Files that claim to be empty are read to their end.
#[test]
fn a_file_without_a_size() {
    let root = Path::new("/proc/self/attr");
    let filter = Filter {
        include: vec![b"current".to_vec()],
        ..Filter::default()
    };
    if fs::read(root.join("current")).is_ok_and(|content| !content.is_empty()) {
        run(async {
            let (mut peer, incoming, outgoing) = peer();
            let sending = send(
                root,
                filter,
                SendOptions::default(),
                incoming,
                outgoing,
                |_| {},
            );
            let (sent, ()) = tokio::join!(sending, async {
                assert_eq!(peer.entries().await, ["current"]);
                peer.request(0).await;
                assert!(!peer.content(0).await.is_empty());
                peer.finish().await;
            });
            sent.unwrap();
        });
    }
}

#[test]
fn progress_counts_what_left() {
    let root = tree(&[("a", b"12345"), ("b", b"123")]);
    let seen: Mutex<Vec<Progress>> = Mutex::default();
    run(async {
        let (mut peer, incoming, outgoing) = peer();
        let progress = |progress| seen.lock().unwrap().push(progress);
        let options = SendOptions::default();
        let sending = send(
            root.path(),
            Filter::default(),
            options,
            incoming,
            outgoing,
            progress,
        );
        let (sent, ()) = tokio::join!(sending, async {
            peer.entries().await;
            for id in 0..2 {
                peer.request(id).await;
                peer.content(id).await;
            }
            peer.finish().await;
        });
        sent.unwrap();
    });
    let seen = seen.into_inner().unwrap();
    let last = seen.last().unwrap();
    assert_eq!(
        (last.entries, last.files, last.bytes, last.finished),
        (2, 2, 8, true)
    );
    assert!(last.frame_bytes > 8);
    assert_eq!(seen.iter().filter(|progress| progress.finished).count(), 1);
}

/// If the receiver requests all files and reads nothing, only as much as fits into the channels is
/// read.
#[test]
fn memory_is_bounded() {
    let root = tempfile::tempdir().unwrap();
    for number in 0..8 {
        let file = fs::File::create(root.path().join(format!("{number}"))).unwrap();
        file.set_len(1 << 30).unwrap();
    }
    run(async {
        let (to, mut incoming) = tokio::sync::mpsc::channel(64);
        let incoming = futures_util::stream::poll_fn(move |context| incoming.poll_recv(context));
        let (outgoing, mut from) = tokio::sync::mpsc::channel(3);
        let left = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
        let counter = std::sync::Arc::clone(&left);
        let path = root.path().to_owned();
        let sending = tokio::spawn(async move {
            let options = SendOptions::default();
            send(
                &path,
                Filter::default(),
                options,
                incoming,
                outgoing,
                |progress| {
                    counter.store(progress.frame_bytes, std::sync::atomic::Ordering::Relaxed);
                },
            )
            .await
        });
        let first = from.recv().await.unwrap();
        let first_length = first.len() as u64;
        drop(first);
        for id in 0..8 {
            let mut frame = bytes::BytesMut::new();
            wire::put_request(&mut frame, id);
            let message = wire::next_message(&mut frame.freeze()).unwrap().unwrap();
            to.send(Ok(message)).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        let most = 66 * 1024;
        let live = left.load(std::sync::atomic::Ordering::Relaxed) - first_length;
        assert!(
            live > 0 && live <= 3 * most,
            "{live} bytes are in the channel"
        );
        for _ in 0..100 {
            assert!(from.recv().await.unwrap().len() as u64 <= most);
        }
        // The future is dropped in the middle: the threads end and close their files.
        sending.abort();
        drop(from);
        assert!(sending.await.unwrap_err().is_cancelled());
        eventually("the threads have ended", || !has_open(root.path())).await;
    });
}

/// Dropping the future is enough, even while the channel is full and not read.
#[test]
fn dropping_the_future_ends_the_threads() {
    let root = tempfile::tempdir().unwrap();
    for number in 0..5_000 {
        fs::write(root.path().join(format!("{number:0240}")), "").unwrap();
    }
    run(async {
        let (_peer, incoming, _) = peer();
        let (outgoing, _kept) = tokio::sync::mpsc::channel(1);
        let options = SendOptions::default();
        let mut sending = Box::pin(send(
            root.path(),
            Filter::default(),
            options,
            incoming,
            outgoing,
            |_| {},
        ));
        while !has_open(root.path()) {
            let waited = tokio::time::timeout(Duration::from_millis(50), &mut sending).await;
            assert!(waited.is_err());
        }
        drop(sending);
        eventually("the threads have ended", || !has_open(root.path())).await;
    });
}
