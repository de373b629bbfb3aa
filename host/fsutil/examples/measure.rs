//! Measures a transfer: `measure walk|none|all|copy DIRECTORY [DESTINATION]`.
//!
//! - `walk`: the walk alone;
//! - `none`, `all`: sends to a receiver that requests nothing, or every file, and drops it;
//! - `copy`: sends to the real receiver.
//!
//! Prints entries, bytes, wall and processor time of the whole process, and its peak memory.
#![allow(clippy::print_stdout, reason = "its purpose")]
#![allow(clippy::unwrap_used, reason = "an example")]

use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};
use iechor_fsutil::walk::{WalkOptions, walk};
use iechor_fsutil::wire::{self, Packet, PacketKind};
use iechor_fsutil::{Filter, ReceiveOptions, SendOptions, mode, receive, send};
use prost::Message;
use tokio::sync::mpsc;

type Item = Result<Bytes, io::Error>;

fn packets(frames: mpsc::Receiver<Bytes>) -> impl Stream<Item = Item> + Send + Unpin {
    let next = |(mut frames, mut rest): (mpsc::Receiver<Bytes>, Bytes)| async move {
        loop {
            match wire::next_message(&mut rest).unwrap() {
                Some(message) => return Some((Ok(message), (frames, rest))),
                None => rest = frames.recv().await?,
            }
        }
    };
    stream::unfold((frames, Bytes::new()), next).boxed()
}

/// Requests all files or none, and counts.
async fn drop_all(mut frames: mpsc::Receiver<Bytes>, to: mpsc::Sender<Bytes>, all: bool) {
    let (mut id, mut open, mut is_listed) = (0, 0u64, false);
    while let Some(mut batch) = frames.recv().await {
        let mut requests = BytesMut::new();
        while let Some(message) = wire::next_message(&mut batch).unwrap() {
            let packet = Packet::decode(message).unwrap();
            match (PacketKind::try_from(packet.kind).unwrap(), packet.stat) {
                (PacketKind::Stat, Some(stat)) => {
                    if all && mode::is_requestable(stat.mode) && stat.link_name.is_empty() {
                        wire::put_request(&mut requests, id);
                        open += 1;
                    }
                    id += 1;
                }
                (PacketKind::Stat, None) => is_listed = true,
                (PacketKind::Data, _) if packet.data.is_empty() => open -= 1,
                (PacketKind::Data, _) => {}
                (kind, _) => panic!("{kind:?}"),
            }
        }
        if !requests.is_empty() {
            to.send(requests.freeze()).await.unwrap();
        }
        if is_listed && open == 0 {
            let mut finish = BytesMut::new();
            wire::put_finish(&mut finish);
            to.send(finish.freeze()).await.unwrap();
            return frames.recv().await.map(drop).unwrap_or_default();
        }
    }
}

async fn transfer(what: &str, directory: PathBuf, destination: Option<PathBuf>) {
    let (sender_out, receiver_in) = mpsc::channel(8);
    let (receiver_out, sender_in) = mpsc::channel(64);
    let sending = tokio::spawn(async move {
        let (filter, options) = (Filter::default(), SendOptions::default());
        send(
            &directory,
            filter,
            options,
            packets(sender_in),
            sender_out,
            |_| {},
        )
        .await
    });
    if what == "copy" {
        let destination = destination.unwrap();
        let options = ReceiveOptions::default();
        let received = receive(&destination, options, packets(receiver_in), receiver_out).await;
        println!("{:?}", received.unwrap());
    } else {
        drop_all(receiver_in, receiver_out, what == "all").await;
    }
    println!("{:?}", sending.await.unwrap().unwrap());
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().unwrap();
    let directory = PathBuf::from(arguments.next().unwrap());
    let destination = arguments.next().map(PathBuf::from);
    let begin = Instant::now();
    if what == "walk" {
        let (mut count, stop) = (0, AtomicBool::new(false));
        walk(
            &directory,
            &Filter::default(),
            WalkOptions::default(),
            &stop,
            |_| {
                count += 1;
                ControlFlow::Continue(())
            },
        )
        .unwrap();
        println!("{count} entries");
    } else {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(transfer(&what, directory, destination));
    }
    let wall = begin.elapsed();
    // SAFETY: the structure consists of plain numbers, and the call fills it.
    let usage = unsafe {
        let mut usage = std::mem::zeroed::<libc::rusage>();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    println!(
        "{what}: wall {:.3} s, user {:.3} s, sys {:.3} s, peak {:.1} MiB",
        wall.as_secs_f64(),
        seconds(usage.ru_utime),
        seconds(usage.ru_stime),
        usage.ru_maxrss as f64 / 1024.0
    );
}
