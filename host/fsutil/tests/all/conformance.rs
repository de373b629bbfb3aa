//! How each kind of file is sent: the rules of fsutil, as BuildKit's clients follow them.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;

use iechor_fsutil::wire::{PacketKind, Stat};
use iechor_fsutil::{Filter, SendError, SendOptions, Sent, mode, send};
use rustix::fs::{CWD, FileType, Mode, XattrFlags, makedev, mknodat, setxattr};

use crate::support::*;

/// Sends a directory. The script gets the receiver and the entries.
fn sent(root: &Path, script: impl AsyncFnOnce(&mut Peer, Vec<Stat>)) -> Result<Sent, SendError> {
    run(async {
        let (mut peer, incoming, outgoing) = peer();
        let options = SendOptions::default();
        let sending = send(root, Filter::default(), options, incoming, outgoing, |_| {});
        let (sent, ()) = tokio::join!(sending, async {
            let mut stats = Vec::new();
            while let Some(stat) = peer.expect(PacketKind::Stat).await.stat {
                stats.push(stat);
            }
            script(&mut peer, stats).await;
            peer.finish().await;
            peer.close();
            while peer.next().await.is_some() {}
        });
        sent
    })
}

/// Returns the entries of a directory.
fn stats(root: &Path) -> Vec<Stat> {
    let mut found = Vec::new();
    sent(root, async |_, stats| found = stats).unwrap();
    found
}

/// A file, and how it is described: mode without permissions, size, link, whether it has content.
struct Row {
    name: &'static str,
    make: fn(&Path) -> std::io::Result<()>,
    mode: u32,
    size: i64,
    link: &'static str,
    is_requestable: bool,
}

fn node(path: &Path, kind: FileType, device: u64) -> std::io::Result<()> {
    let made = mknodat(CWD, path, kind, Mode::from_raw_mode(0o644), device);
    Ok(made?)
}

/// In the order in which they are sent: hard links refer to the first name.
const ROWS: &[Row] = &[
    Row {
        name: "block",
        make: |path| node(path, FileType::BlockDevice, makedev(7, 300)),
        mode: mode::DEVICE,
        size: 0,
        link: "",
        is_requestable: false,
    },
    Row {
        name: "character",
        make: |path| node(path, FileType::CharacterDevice, makedev(1, 3)),
        mode: mode::DEVICE | mode::CHARACTER_DEVICE,
        size: 0,
        link: "",
        is_requestable: false,
    },
    Row {
        name: "directory",
        make: |path| fs::create_dir(path),
        mode: mode::DIRECTORY,
        size: 0,
        link: "",
        is_requestable: false,
    },
    Row {
        name: "empty",
        make: |path| fs::write(path, ""),
        mode: 0,
        size: 0,
        link: "",
        is_requestable: true,
    },
    Row {
        name: "fifo",
        make: |path| node(path, FileType::Fifo, 0),
        mode: mode::NAMED_PIPE,
        size: 0,
        link: "",
        is_requestable: false,
    },
    Row {
        name: "fifo, other name",
        make: |path| fs::hard_link(path.with_file_name("fifo"), path),
        mode: mode::NAMED_PIPE,
        size: 0,
        link: "fifo",
        is_requestable: false,
    },
    Row {
        name: "file",
        make: |path| fs::write(path, "12345"),
        mode: 0,
        size: 5,
        link: "",
        is_requestable: true,
    },
    // A name of a file keeps its size, and its content can be requested.
    Row {
        name: "file, other name",
        make: |path| fs::hard_link(path.with_file_name("file"), path),
        mode: 0,
        size: 5,
        link: "file",
        is_requestable: true,
    },
    Row {
        name: "link",
        make: |path| symlink("file", path),
        mode: mode::SYMLINK,
        size: 4,
        link: "file",
        is_requestable: false,
    },
    Row {
        name: "link to a directory",
        make: |path| symlink("directory/", path),
        mode: mode::SYMLINK,
        size: 10,
        link: "directory/",
        is_requestable: false,
    },
    Row {
        name: "link to itself",
        make: |path| symlink("link to itself", path),
        mode: mode::SYMLINK,
        size: 14,
        link: "link to itself",
        is_requestable: false,
    },
    Row {
        name: "link to nothing",
        make: |path| symlink("/no/../such//file", path),
        mode: mode::SYMLINK,
        size: 17,
        link: "/no/../such//file",
        is_requestable: false,
    },
    // Another name of a link has the target of the link, and no other mark.
    Row {
        name: "link, other name",
        make: |path| fs::hard_link(path.with_file_name("link"), path),
        mode: mode::SYMLINK,
        size: 4,
        link: "file",
        is_requestable: false,
    },
    // A socket becomes an empty file.
    Row {
        name: "socket",
        make: |path| UnixListener::bind(path).map(drop),
        mode: 0,
        size: 0,
        link: "",
        is_requestable: true,
    },
];

#[test]
fn kinds_of_files() {
    let root = tree(&[]);
    let mut rows = Vec::new();
    for row in ROWS {
        match (row.make)(&root.path().join(row.name)) {
            Ok(()) => rows.push(row),
            // Only root may create devices.
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {}
            Err(error) => panic!("{}: {error}", row.name),
        }
    }
    let found = stats(root.path());
    assert_eq!(found.len(), rows.len());
    for (id, (stat, row)) in found.iter().zip(&rows).enumerate() {
        let name = row.name;
        assert_eq!(stat.path, name);
        assert_eq!(stat.mode & !mode::PERMISSIONS, row.mode, "{name}");
        assert_eq!(
            (stat.size, &stat.link_name[..]),
            (row.size, row.link.as_bytes()),
            "{name}"
        );
        assert_eq!((stat.uid, stat.gid), (0, 0), "{name}");
        let device = match name {
            "block" => (7, 300),
            "character" => (1, 3),
            _ => (0, 0),
        };
        assert_eq!((stat.device_major, stat.device_minor), device, "{name}");
        let mut content = None;
        let outcome = sent(root.path(), async |peer, _| {
            peer.request(id as u32).await;
            if row.is_requestable {
                content = Some(peer.content(id as u32).await);
            }
        });
        assert_eq!(outcome.is_ok(), row.is_requestable, "{name}");
        if row.is_requestable {
            let expected = if row.size > 0 { "12345" } else { "" };
            assert_eq!(content.unwrap(), expected.as_bytes(), "{name}");
        }
    }
}

#[test]
fn the_bits_of_modes() {
    let root = tree(&[]);
    let table = [
        (0o000, 0),
        (0o777, 0),
        (0o4755, mode::SET_USER_ID),
        (0o2755, mode::SET_GROUP_ID),
        (0o1777, mode::STICKY),
        (
            0o7000,
            mode::SET_USER_ID | mode::SET_GROUP_ID | mode::STICKY,
        ),
    ];
    for (bits, _) in table {
        for kind in ["d", "f"] {
            let path = root.path().join(format!("{kind}{bits:04o}"));
            match kind {
                "d" => fs::create_dir(&path).unwrap(),
                _ => fs::write(&path, "").unwrap(),
            }
            set_mode(&path, bits);
        }
    }
    let mut found: Vec<_> = stats(root.path())
        .into_iter()
        .map(|stat| (stat.path, stat.mode))
        .collect();
    let mut expected = Vec::new();
    for (bits, special) in table {
        let low = (bits & 0o777) | special;
        expected.push((format!("d{bits:04o}").into(), low | mode::DIRECTORY));
        expected.push((format!("f{bits:04o}").into(), low));
    }
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn times_are_exact_and_may_be_before_1970() {
    let root = tree(&[("file", b"")]);
    for time in [0, 1, -1, -1_500_000_001, 1_700_000_000_123_456_789] {
        set_modified(&root.path().join("file"), time);
        assert_eq!(stats(root.path())[0].modified, time);
    }
}

#[test]
fn the_order_of_names_is_that_of_their_bytes() {
    let names: [&[u8]; 13] = [
        b"\x01",
        b" ",
        b"!",
        b"-",
        b".a",
        b"A",
        b"a\nb",
        b"b",
        b"b-",
        b"b.c",
        "é".as_bytes(),
        b"\xe2\x98",
        b"\xff",
    ];
    let root = tree(&[("b/x", b""), ("b-/x", b"")]);
    for name in names
        .iter()
        .filter(|name| !matches!(name, [b'b'] | [b'b', b'-']))
    {
        fs::write(root.path().join(path_of(name)), "").unwrap();
    }
    let found: Vec<_> = stats(root.path())
        .into_iter()
        .map(|stat| stat.path)
        .collect();
    let mut expected: Vec<Vec<u8>> = Vec::new();
    for name in names {
        expected.push(name.to_vec());
        // The contents of a directory come before the next name, although `-` is less than `/`.
        if name == b"b" || name == b"b-" {
            expected.push([name, b"/x"].concat());
        }
    }
    assert_eq!(found, expected);
}

#[test]
fn extended_attributes_of_every_size() {
    let root = tree(&[("dir/file", b""), ("plain", b"")]);
    let big = vec![7; 2000];
    for (name, value) in [
        ("user.a", &b""[..]),
        ("user.b", b"\0\xff"),
        ("user.c", &big),
    ] {
        for path in ["dir", "dir/file"] {
            match setxattr(root.path().join(path), name, value, XattrFlags::empty()) {
                Ok(()) => {}
                // This file system has no such attributes.
                Err(rustix::io::Errno::OPNOTSUPP) => return,
                Err(error) => panic!("{error}"),
            }
        }
    }
    for stat in stats(root.path()) {
        let mut found: Vec<_> = stat
            .xattrs
            .iter()
            .filter(|xattr| xattr.name.starts_with(b"user."))
            .map(|xattr| (&xattr.name[..], &xattr.value[..]))
            .collect();
        found.sort();
        let expected = [
            (&b"user.a"[..], &b""[..]),
            (b"user.b", b"\0\xff"),
            (b"user.c", &big),
        ];
        match &stat.path[..] {
            b"plain" => assert!(found.is_empty()),
            _ => assert_eq!(found, expected, "{stat:?}"),
        }
    }
}
