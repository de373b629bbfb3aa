//! Error reports between the two sides of a transfer.

use std::error::Error;
use std::io;
use std::pin::pin;

use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt, Stream, StreamExt};
use iechor_values::causes::chain;
use prost::Message;
use tokio::sync::mpsc;

use crate::name::shown;
use crate::wire::{self, Packet, PacketKind};

/// The side that caused the failure of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// This side: for example, a file cannot be read or written, or something exceeds its bounds.
    Here,
    /// The other side failed or disconnected.
    Peer,
    /// The other side did what the protocol forbids. It is faulty or hostile.
    Violation,
}

/// Sends an ERR. Drops all packets that arrive meanwhile, so that a peer which only writes gets to
/// reading. Stops when the peer is gone.
pub(crate) async fn report(
    error: &(dyn Error + Send + Sync),
    incoming: &mut (impl Stream<Item = Result<Bytes, io::Error>> + Unpin),
    outgoing: &mpsc::Sender<Bytes>,
) {
    let mut frame = BytesMut::new();
    wire::put_error(&mut frame, &chain(error));
    let mut sending = pin!(outgoing.send(frame.freeze()));
    loop {
        tokio::select! {
            biased;
            _ = &mut sending => return,
            item = incoming.next() => {
                if !matches!(item, Some(Ok(_))) {
                    return;
                }
            }
        }
    }
}

/// Returns the text of an ERR among the packets that have already arrived: a peer that closes both
/// directions at once may have sent the reason.
pub(crate) fn last_words(
    incoming: &mut (impl Stream<Item = Result<Bytes, io::Error>> + Unpin),
) -> Option<String> {
    while let Some(Some(Ok(payload))) = incoming.next().now_or_never() {
        let packet = Packet::decode(payload).ok()?;
        if packet.kind == PacketKind::Error as i32 {
            return Some(shown(&packet.data));
        }
    }
    None
}
