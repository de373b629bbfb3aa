use super::*;
use prost::Message;

fn only_message(buffer: BytesMut) -> Bytes {
    let mut frames = buffer.freeze();
    let message = next_message(&mut frames).unwrap().unwrap();
    assert_eq!(next_message(&mut frames), Ok(None));
    message
}

/// Checks that prost encodes the same packet as the same bytes.
fn check(buffer: BytesMut, expected: &Packet) {
    let message = only_message(buffer);
    assert_eq!(message, expected.encode_to_vec());
    assert_eq!(&Packet::decode(message).unwrap(), expected);
}

fn packet(kind: PacketKind) -> Packet {
    Packet {
        kind: kind as i32,
        ..Packet::default()
    }
}

#[test]
fn packets_are_those_of_prost() {
    let mut buffer = BytesMut::new();
    put_end_of_stats(&mut buffer);
    check(buffer, &packet(PacketKind::Stat));

    let mut buffer = BytesMut::new();
    put_finish(&mut buffer);
    check(buffer, &packet(PacketKind::Finish));

    for id in [0, 1, 127, 128, 300, u32::MAX] {
        let mut buffer = BytesMut::new();
        put_request(&mut buffer, id);
        check(
            buffer,
            &Packet {
                id,
                ..packet(PacketKind::Request)
            },
        );
    }

    let mut buffer = BytesMut::new();
    put_error(&mut buffer, "no: such file");
    let data = Bytes::from_static(b"no: such file");
    check(
        buffer,
        &Packet {
            data,
            ..packet(PacketKind::Error)
        },
    );
}

#[test]
fn data_is_that_of_prost_however_it_is_written() {
    for id in [0, 5, 70_000] {
        for length in [0, 1, 127, 128, 16_383, 16_384, MAX_DATA] {
            let content = vec![b'x'; length];
            let expected = Packet {
                id,
                data: content.clone().into(),
                ..packet(PacketKind::Data)
            };
            let mut buffer = BytesMut::new();
            put_data(&mut buffer, id, &content);
            check(buffer, &expected);
            if length == 0 {
                continue;
            }
            let mut buffer = BytesMut::from(&b"before"[..]);
            let found = put_data_with(&mut buffer, id, MAX_DATA, |buffer, limit| {
                assert!(buffer.capacity() - buffer.len() >= limit);
                buffer.put_slice(&content);
                Ok::<_, ()>(length)
            });
            assert_eq!(found, Ok(length));
            assert!(buffer.len() <= 6 + length + DATA_OVERHEAD);
            assert_eq!(&buffer.split_to(6)[..], b"before");
            check(buffer, &expected);
        }
    }
}

#[test]
fn nothing_read_leaves_no_trace() {
    let mut buffer = BytesMut::from(&b"before"[..]);
    assert_eq!(
        put_data_with(&mut buffer, 3, 100, |_, _| Ok::<_, ()>(0)),
        Ok(0)
    );
    assert_eq!(
        put_data_with(&mut buffer, 3, 100, |_, _| Err::<usize, _>("no")),
        Err("no")
    );
    assert_eq!(&buffer[..], b"before");
}

#[test]
fn stats_are_those_of_prost() {
    let xattrs = [
        Xattr {
            name: "user.a".into(),
            value: Bytes::from_static(&[0, 255]),
        },
        Xattr {
            name: "user.empty".into(),
            value: Bytes::new(),
        },
    ];
    let full = StatRef {
        path: b"dir/\xff\xfename",
        mode: crate::mode::SYMLINK | 0o777,
        uid: 1000,
        gid: u32::MAX,
        size: 1 << 40,
        modified: -1,
        link_name: &[b'l'; 300],
        device_major: 8,
        device_minor: 1 << 19,
        xattrs: &xattrs,
    };
    for stat in [full, StatRef::default()] {
        let mut buffer = BytesMut::new();
        put_stat(&mut buffer, &stat);
        check(
            buffer,
            &Packet {
                stat: Some(owned(&stat)),
                ..packet(PacketKind::Stat)
            },
        );
    }
}

fn owned(stat: &StatRef<'_>) -> Stat {
    Stat {
        path: Bytes::copy_from_slice(stat.path),
        mode: stat.mode,
        uid: stat.uid,
        gid: stat.gid,
        size: stat.size,
        modified: stat.modified,
        link_name: Bytes::copy_from_slice(stat.link_name),
        device_major: stat.device_major,
        device_minor: stat.device_minor,
        xattrs: stat.xattrs.to_vec(),
    }
}

#[test]
fn broken_frames_are_refused() {
    let cut = |bytes: &'static [u8]| next_message(&mut Bytes::from_static(bytes));
    assert_eq!(cut(b""), Ok(None));
    assert_eq!(
        cut(b"\0\0"),
        Err(FrameError::Truncated {
            expected: 5,
            found: 2
        })
    );
    assert_eq!(cut(b"\x01\0\0\0\0"), Err(FrameError::Compressed(1)));
    assert_eq!(
        cut(b"\0\0\0\0\x02a"),
        Err(FrameError::Truncated {
            expected: 2,
            found: 1
        })
    );
}
