//! The one JSON text of a value, and its hash.
//!
//! The text is safe inside an HTML `script` element of any type: `<`, `>` and `&` are written as escapes, so no end tag
//! and no comment can appear, and so are the characters that end a line for JavaScript (U+2028, U+2029), that turn the
//! reading direction, or that cannot be seen. All of these stand inside JSON strings only, where `\uXXXX` means the same.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::FindingsError;

/// The canonical JSON text of a value: compact, fields in the order of declaration, dangerous characters escaped.
///
/// # Errors
/// When the value has no JSON form (a map with keys that are not strings).
pub fn canonical_json<T: Serialize>(value: &T, what: &'static str) -> Result<String, FindingsError> {
    let plain = serde_json::to_string(value).map_err(|error| FindingsError::NotWritable { what, reason: error.to_string() })?;
    Ok(escape(&plain))
}

/// SHA-256 as lower-case hex.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    nibbles.filter_map(|nibble| HEX.get(usize::from(nibble))).collect()
}

pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8], what: &'static str, schema: &'static str) -> Result<T, FindingsError> {
    /// Read first, so that a file of another version is told as such and not as a missing field.
    #[derive(serde::Deserialize)]
    struct Head {
        schema: String,
    }
    let not_json = |error: serde_json::Error| FindingsError::NotJson { what, reason: clip(&error.to_string()), schema };
    let head: Head = serde_json::from_slice(bytes).map_err(not_json)?;
    if head.schema != schema {
        return Err(FindingsError::Schema { found: clip(&head.schema), expected: schema });
    }
    serde_json::from_slice(bytes).map_err(not_json)
}

/// The first 120 characters, for messages.
pub(super) fn clip(text: &str) -> String {
    let mut chars = text.chars();
    let mut head: String = chars.by_ref().take(120).collect();
    if chars.next().is_some() {
        head.push('…');
    }
    head
}

fn escape(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        if must_escape(c) {
            let mut units = [0u16; 2];
            for unit in c.encode_utf16(&mut units) {
                safe.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            safe.push(c);
        }
    }
    safe
}

/// Markup, line ends of JavaScript, controls, reading direction, invisible characters and non-characters.
fn must_escape(c: char) -> bool {
    matches!(c,
        '<' | '>' | '&' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{180e}'
        | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{fdd0}'..='\u{fdef}' | '\u{feff}' | '\u{fff0}'..='\u{ffff}' | '\u{e0000}'..='\u{e007f}')
        || u32::from(c) & 0xfffe == 0xfffe
}
