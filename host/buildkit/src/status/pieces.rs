//! Splits the messages of the status stream.
//!
//! A message may be 64 MiB long and would take gigabytes if it were decoded at once. It is passed
//! on in pieces of a bounded size, so that the data that waits to be shown is bounded, too.

use bollard_buildkit_proto::moby::buildkit::v1 as control;
use bytes::Bytes;

use super::{SolveStatus, VertexLog, required_time};
use crate::fields::{Fields, Malformed};
use crate::wire;

/// Maximum number of entries of a piece: more than a message of an ordinary build has.
const ENTRIES: usize = 1000;

/// Maximum size of the entries of a piece, encoded, in bytes. An entry of two bytes takes about 300
/// bytes decoded. With the limit of entries, a piece takes 1 MiB plus the size of its texts.
const BYTES: usize = 1 << 20;

/// Maximum size of an entry other than a log, encoded, in bytes. The largest is the source of a
/// warning, which is a whole Dockerfile. A longer entry is left out.
const ENTRY: usize = 4 << 20;

/// Maximum length of the digest in a log, in bytes. Each part of a long log repeats it: `sha256:`
/// and 64 digits.
const DIGEST: usize = 1024;

/// Message for the user about entries that were left out.
pub(crate) const LEFT_OUT: &str =
    "BuildKit reported steps or warnings longer than 4 MiB, which are not shown";

/// The pieces of a message, at least one.
pub(crate) struct Pieces {
    fields: Fields,
    /// The rest of a log that is longer than a piece.
    log: Option<VertexLog>,
    begun: bool,
    /// Whether an entry was too long.
    pub(crate) left_out: bool,
}

impl Pieces {
    pub(crate) fn new(message: Bytes) -> Self {
        Self {
            fields: Fields::new(message),
            log: None,
            begun: false,
            left_out: false,
        }
    }

    /// Adds an entry to a piece.
    fn add(&mut self, piece: &mut SolveStatus, number: u64, entry: Bytes) -> Result<(), Malformed> {
        fn decode<M: prost::Message + Default>(entry: Bytes) -> Result<M, Malformed> {
            M::decode(entry).map_err(|_| Malformed)
        }
        match number {
            1 => piece
                .vertexes
                .push(decode::<control::Vertex>(entry)?.into()),
            2 => piece
                .statuses
                .push(decode::<control::VertexStatus>(entry)?.into()),
            3 => {
                let log: wire::VertexLog = decode(entry)?;
                if log.vertex.len() > DIGEST {
                    self.left_out = true;
                    return Ok(());
                }
                self.log = Some(VertexLog {
                    vertex: log.vertex,
                    stream: log.stream,
                    data: log.data,
                    timestamp: required_time(log.timestamp),
                });
            }
            4 => piece
                .warnings
                .push(decode::<control::VertexWarning>(entry)?.into()),
            _ => {}
        }
        Ok(())
    }

    /// Moves as much of the current log into the piece as fits.
    fn add_log(&mut self, piece: &mut SolveStatus) {
        if let Some(mut log) = self.log.take() {
            if log.data.len() > BYTES {
                let rest = log.data.split_off(BYTES);
                self.log = Some(VertexLog {
                    data: rest,
                    ..log.clone()
                });
            }
            piece.logs.push(log);
        }
    }
}

impl Iterator for Pieces {
    type Item = Result<SolveStatus, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut piece = SolveStatus::default();
        let (mut entries, mut bytes) = (0, 0);
        if self.log.is_some() {
            self.add_log(&mut piece);
            return Some(Ok(piece));
        }
        while entries < ENTRIES && bytes < BYTES {
            let (number, entry) = match self.fields.next() {
                Some(Ok(field)) => field,
                Some(Err(error)) => return Some(Err(error)),
                None => break,
            };
            if number != 3 && entry.len() > ENTRY {
                self.left_out = true;
                continue;
            }
            entries += 1;
            bytes += entry.len();
            if let Err(error) = self.add(&mut piece, number, entry) {
                return Some(Err(error));
            }
            self.add_log(&mut piece);
            if self.log.is_some() {
                break;
            }
        }
        // A message without entries is a status, too.
        let first = !std::mem::replace(&mut self.begun, true);
        (first || entries > 0).then_some(Ok(piece))
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;

    fn vertex(name: &str) -> control::Vertex {
        control::Vertex {
            name: name.into(),
            ..Default::default()
        }
    }

    fn pieces(message: &control::StatusResponse) -> (Vec<SolveStatus>, bool) {
        let mut pieces = Pieces::new(message.encode_to_vec().into());
        let all = pieces.by_ref().collect::<Result<_, _>>().unwrap();
        (all, pieces.left_out)
    }

    #[test]
    fn an_ordinary_message_is_one_piece() {
        let message = control::StatusResponse {
            vertexes: vec![vertex("a"), vertex("b")],
            statuses: vec![control::VertexStatus {
                id: "s".into(),
                ..Default::default()
            }],
            logs: vec![control::VertexLog {
                vertex: "v".into(),
                stream: 2,
                msg: b"text".to_vec(),
                ..Default::default()
            }],
            warnings: vec![control::VertexWarning {
                url: "u".into(),
                ..Default::default()
            }],
        };
        assert_eq!(pieces(&message), (vec![message.into()], false));
        let empty = control::StatusResponse::default();
        assert_eq!(pieces(&empty), (vec![SolveStatus::default()], false));
    }

    #[test]
    fn many_entries_come_in_several_pieces_and_none_is_lost() {
        let message = control::StatusResponse {
            vertexes: (0..2500).map(|n| vertex(&n.to_string())).collect(),
            ..Default::default()
        };
        let (pieces, left_out) = pieces(&message);
        assert!(!left_out);
        assert!(pieces.iter().all(|piece| piece.vertexes.len() <= ENTRIES));
        let vertexes: Vec<_> = pieces
            .into_iter()
            .flat_map(|piece| piece.vertexes)
            .collect();
        assert_eq!(vertexes, SolveStatus::from(message).vertexes);
    }

    #[test]
    fn a_long_log_is_cut_and_whole() {
        let data: Vec<u8> = (0..3 * BYTES + 17).map(|n| (n % 251) as u8).collect();
        let message = control::StatusResponse {
            logs: vec![control::VertexLog {
                vertex: "v".into(),
                msg: data.clone(),
                ..Default::default()
            }],
            warnings: vec![control::VertexWarning::default()],
            ..Default::default()
        };
        let (pieces, _) = pieces(&message);
        assert_eq!(pieces.last().unwrap().warnings.len(), 1);
        let logs: Vec<_> = pieces.into_iter().flat_map(|piece| piece.logs).collect();
        assert!(
            logs.iter()
                .all(|log| log.vertex == "v" && log.data.len() <= BYTES)
        );
        assert!(logs.iter().flat_map(|log| log.data.iter()).eq(&data));
    }

    #[test]
    fn an_entry_that_is_too_long_is_left_out_and_the_others_come() {
        let message = control::StatusResponse {
            vertexes: vec![vertex("a"), vertex(&"x".repeat(ENTRY)), vertex("b")],
            ..Default::default()
        };
        let (pieces, left_out) = pieces(&message);
        assert!(left_out);
        let names = pieces.iter().flat_map(|piece| &piece.vertexes);
        assert_eq!(
            names.map(|v| v.name.as_str()).collect::<Vec<_>>(),
            ["a", "b"]
        );
    }
}
