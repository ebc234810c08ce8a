//! Event files as TensorBoard reads them: records of protocol buffers, each with checksums.
//!
//! Formats: `tensorboard/compat/proto/event.proto` and `summary.proto`, of which this is what scalars need, and the
//! framing of TFRecord.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use prost::Message;

use super::appended::Appended;
use crate::error::Error;

/// The first record of every file says so.
const FILE_VERSION: &str = "brain.Event:2";

#[derive(Clone, PartialEq, Message)]
struct Event {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

impl Event {
    /// An empty one, of now.
    fn now() -> Self {
        Self {
            wall_time: now(),
            ..Self::default()
        }
    }

    fn record(&self) -> Vec<u8> {
        framed(&self.encode_to_vec())
    }
}

/// Numbers by their names.
#[derive(Debug, Default)]
pub(super) struct Scalars(Vec<Value>);

impl Scalars {
    /// Adds a number, if there is one.
    pub(super) fn add(&mut self, tag: &str, value: impl Into<Option<f64>>) {
        if let Some(value) = value.into() {
            self.0.push(Value {
                tag: tag.to_owned(),
                simple_value: Some(value as f32),
            });
        }
    }

    /// The record that says them of a step.
    pub(super) fn record(self, step: usize) -> Vec<u8> {
        let event = Event {
            step: step as i64,
            summary: Some(Summary { value: self.0 }),
            ..Event::now()
        };
        event.record()
    }
}

/// The first `length` bytes of an event file, or a new one.
pub(super) fn open(path: &Path, length: u64) -> Result<Appended, Error> {
    let mut events = Appended::open(path, length)?;
    if events.length == 0 {
        let head = Event {
            file_version: Some(FILE_VERSION.to_owned()),
            ..Event::now()
        };
        events.append(&head.record())?;
    }
    Ok(events)
}

pub(super) fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}

/// A record: length and data, each followed by its checksum.
fn framed(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    [&length[..], &masked(&length), data, &masked(data)].concat()
}

/// CRC-32C, turned and shifted: the checksum of data that hold a checksum would be a poor one.
fn masked(data: &[u8]) -> [u8; 4] {
    let sum = crc32c::crc32c(data).rotate_right(15);
    sum.wrapping_add(0xa282_ead8).to_le_bytes()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;

    use super::*;

    /// The events of a file.
    fn read(path: &Path) -> Vec<Event> {
        let bytes = fs::read(path).unwrap();
        let mut rest = &bytes[..];
        let mut events = Vec::new();
        while !rest.is_empty() {
            let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
            let data = &rest[12..12 + length];
            assert_eq!(rest[..16 + length], framed(data));
            events.push(Event::decode(data).unwrap());
            rest = &rest[16 + length..];
        }
        events
    }

    fn record(step: usize, value: f64) -> Vec<u8> {
        let mut scalars = Scalars::default();
        scalars.add("loss", value);
        scalars.add("alpha", None);
        scalars.record(step)
    }

    #[test]
    fn a_checksum_is_the_known_one() {
        // CRC-32C of "123456789" is e3069283 (RFC 3720, B.4 has its like): rotated by 15 bits and shifted.
        let sum = 0xe306_9283u32.rotate_right(15).wrapping_add(0xa282_ead8);
        assert_eq!(masked(b"123456789"), sum.to_le_bytes());
    }

    #[test]
    fn what_came_after_a_checkpoint_is_cut_off_and_comes_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events");
        let mut events = open(&path, 0).unwrap();
        events.append(&record(1, 2.5)).unwrap();
        let length = events.length;
        events.append(&record(2, 2.0)).unwrap();
        drop(events);
        assert_eq!(read(&path).len(), 3);

        let mut events = open(&path, length).unwrap();
        events.append(&record(2, 1.5)).unwrap();
        let found = read(&path);
        assert_eq!(found[0].file_version.as_deref(), Some(FILE_VERSION));
        let of = |event: &Event| {
            let values = &event.summary.as_ref().unwrap().value;
            assert_eq!(values.len(), 1);
            (event.step, values[0].tag.clone(), values[0].simple_value)
        };
        let found: Vec<_> = found[1..].iter().map(of).collect();
        let expected = [(1, 2.5), (2, 1.5)];
        assert_eq!(
            found,
            expected.map(|(step, value)| (step, "loss".to_owned(), Some(value)))
        );

        // A file that was taken away begins anew.
        fs::remove_file(&path).unwrap();
        open(&path, length).unwrap();
        assert_eq!(read(&path).len(), 1);
    }
}
