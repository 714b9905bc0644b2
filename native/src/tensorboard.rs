//! TensorBoard event files: scalars and texts.
//!
//! Idea: the curves of a run should open in the viewer people already have. Method: an event file is a sequence of records; a record
//! is a length, the masked CRC-32C of the length, the bytes, and their masked CRC-32C (TensorFlow, `core/lib/io/record_writer`); the
//! bytes are one `Event` message in protocol-buffer wire format (`core/util/event.proto`, `core/framework/summary.proto`). Seven
//! fields of those messages are all that scalars and texts need, so they are written by hand here instead of through a generated
//! reader and writer. Every record is handed to the system as it is made: a run that is killed keeps its curves.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Writes one event file.
#[derive(Debug)]
pub struct EventWriter {
    file: File,
    path: PathBuf,
}

impl EventWriter {
    /// Creates `events.out.tfevents.<seconds>.<suffix>` in `folder` (made if missing), and writes the version record that viewers
    /// look for. `wall_seconds` is the time since 1970; `suffix` tells files of the same second apart (host and process id, say).
    ///
    /// # Errors
    /// When the folder cannot be made or the file exists or cannot be written.
    pub fn create(folder: &Path, wall_seconds: f64, suffix: &str) -> Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let path = folder.join(format!("events.out.tfevents.{:010}.{suffix}", wall_seconds.max(0.0).floor()));
        let file =
            OpenOptions::new().append(true).create_new(true).open(&path).with_context(|| format!("cannot create {}", path.display()))?;
        let mut writer = Self { file, path };
        let mut event = Message::default();
        event.double(1, wall_seconds);
        event.bytes(3, b"brain.Event:2");
        writer.record(&event)?;
        Ok(writer)
    }

    /// Adds a point to the curve `tag`. Values are stored as 32-bit floats; NaN and infinities are kept and shown as such.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn scalar(&mut self, wall_seconds: f64, step: u64, tag: &str, value: f64) -> Result<()> {
        let mut entry = Message::default();
        entry.bytes(1, tag.as_bytes());
        #[expect(clippy::cast_possible_truncation, reason = "the format stores 32-bit floats")]
        entry.float(2, value as f32);
        self.summary(wall_seconds, step, &entry)
    }

    /// Adds a text (Markdown) under `tag`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn text(&mut self, wall_seconds: f64, step: u64, tag: &str, text: &str) -> Result<()> {
        const DT_STRING: u64 = 7;
        let (mut dimension, mut shape, mut tensor) = (Message::default(), Message::default(), Message::default());
        dimension.varint(1, 1);
        shape.message(2, &dimension);
        tensor.varint(1, DT_STRING);
        tensor.message(2, &shape);
        tensor.bytes(8, text.as_bytes());
        let (mut plugin, mut metadata) = (Message::default(), Message::default());
        plugin.bytes(1, b"text");
        metadata.message(1, &plugin);
        let mut entry = Message::default();
        entry.bytes(1, tag.as_bytes());
        entry.message(8, &tensor);
        entry.message(9, &metadata);
        self.summary(wall_seconds, step, &entry)
    }

    fn summary(&mut self, wall_seconds: f64, step: u64, entry: &Message) -> Result<()> {
        let (mut summary, mut event) = (Message::default(), Message::default());
        summary.message(1, entry);
        event.double(1, wall_seconds);
        event.varint(2, step);
        event.message(5, &summary);
        self.record(&event)
    }

    fn record(&mut self, event: &Message) -> Result<()> {
        // One write call per record, so a killed process leaves at most one torn record at the end, which readers skip.
        self.file.write_all(&frame(&event.0)).with_context(|| format!("cannot write {}", self.path.display()))
    }
}

/// A protocol-buffer message under construction: each field is a key (`number * 8 + wire type`) and a value.
#[derive(Debug, Default)]
struct Message(Vec<u8>);

impl Message {
    fn raw_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn varint(&mut self, field: u32, value: u64) {
        self.raw_varint(u64::from(field) << 3);
        self.raw_varint(value);
    }

    fn double(&mut self, field: u32, value: f64) {
        self.raw_varint(u64::from(field) << 3 | 1);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn float(&mut self, field: u32, value: f32) {
        self.raw_varint(u64::from(field) << 3 | 5);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn bytes(&mut self, field: u32, value: &[u8]) {
        self.raw_varint(u64::from(field) << 3 | 2);
        self.raw_varint(value.len() as u64);
        self.0.extend_from_slice(value);
    }

    fn message(&mut self, field: u32, value: &Self) {
        self.bytes(field, &value.0);
    }
}

fn frame(payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u64).to_le_bytes();
    let mut record = Vec::with_capacity(payload.len() + 16);
    record.extend_from_slice(&length);
    record.extend_from_slice(&masked_crc(&length).to_le_bytes());
    record.extend_from_slice(payload);
    record.extend_from_slice(&masked_crc(payload).to_le_bytes());
    record
}

/// The CRC as the format stores it: rotated and shifted, so that a CRC over data that holds CRCs stays meaningful.
fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32 with the Castagnoli polynomial (reflected: 0x82f63b78), one table look-up a byte.
fn crc32c(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = table();
    // The index is a byte and the table has 256 entries.
    !bytes.iter().fold(!0u32, |crc, b| crc >> 8 ^ TABLE[usize::from(crc as u8 ^ b)])
}

const fn table() -> [u32; 256] {
    let mut table = [0u32; 256];
    let mut i = 0;
    while i < 256 {
        let mut crc = i as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
            bit += 1;
        }
        table[i] = crc;
        i += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
        digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
    }

    #[test]
    fn crc_check_values() {
        // The check value of the CRC catalogues, and two of RFC 3720, appendix B.4.
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
    }

    #[test]
    fn known_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("tb");
        let mut writer = EventWriter::create(&folder, 1.5, "host.7").unwrap();
        writer.scalar(2.0, 300, "loss", -0.5).unwrap();
        writer.text(3.0, 1, "note", "hi").unwrap();
        // What the protocol buffers and the record writer of the Python package `tensorboard` make of the same three events.
        let expected = hex(KNOWN);
        assert_eq!(std::fs::read(folder.join("events.out.tfevents.0000000001.host.7")).unwrap(), expected);
        assert!(EventWriter::create(&folder, 1.5, "host.7").is_err(), "an event file is never overwritten");
    }

    const KNOWN: &str = "
        1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a322a28646c1b00000000000000
        1a0d9e1309000000000000004010ac022a0d0a0b0a046c6f737315000000bfc3c9dc6d2d000000000000003c418afb09
        000000000000084010012a200a1e0a046e6f7465420c0807120412020801420268694a080a060a04746578742592d7c8";
}
