//! Small pictures, such as a text as a model sees it.

use serde::{Deserialize, Serialize};

use crate::report::base64;

/// Pictures under each other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pictures {
    pub pictures: Vec<Picture>,
}

/// One picture.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Picture {
    /// What it shows, for everybody.
    pub caption: String,
    /// What can be seen in it, for who cannot see it.
    pub described: String,
    /// Size in pixels; each is shown as a square without smoothing.
    pub width: u32,
    pub height: u32,
    /// A PNG file as base64.
    pub png: String,
}

/// What every PNG file begins with.
const SIGNATURE: [u8; 8] = [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n'];

impl Picture {
    /// A picture from a PNG file's bytes.
    #[must_use]
    pub fn new(caption: impl Into<String>, described: impl Into<String>, [width, height]: [u32; 2], png: &[u8]) -> Self {
        Self { caption: caption.into(), described: described.into(), width, height, png: base64::encode(png) }
    }

    /// Whether the bytes are a PNG file of the size that is told: its signature, and the header behind it (PNG specification, section 11.2.2).
    pub(super) fn is_png(&self) -> bool {
        let Some(bytes) = base64::decode(&self.png) else { return false };
        let number = |at: usize| bytes.get(at..at + 4).and_then(|four| Some(u32::from_be_bytes(four.try_into().ok()?)));
        bytes.starts_with(&SIGNATURE)
            && bytes.get(12..16) == Some(b"IHDR")
            && (number(16), number(20)) == (Some(self.width), Some(self.height))
    }
}
