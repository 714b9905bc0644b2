//! Normalisation in a page, by the engine's own tables.
//!
//! **Why.** The tables of Unicode behind the `tokenizers` crate's normalisers are a tenth of a compressed bundle, and every JavaScript engine has them already. **Method.** The four
//! normal forms are `String.prototype.normalize`, classes of characters are regular expressions with a property; what they are combined to is as in the crate. An engine's tables are
//! newer than the crate's (Unicode 9), so characters added to Unicode since may come out differently; for all others normal forms never change.

use js_sys::{JsString, RegExp};

use super::plan::Norm;

/// Applies all steps.
///
/// # Errors
/// None; the native engine has some.
#[expect(clippy::unnecessary_wraps, reason = "as the native engine's")]
pub fn normalize(steps: &[Norm], text: &str) -> tokenizers::Result<String> {
    Ok(steps.iter().fold(text.to_owned(), |text, step| match step {
        Norm::Nfc => form(text, "NFC"),
        Norm::Nfd => form(text, "NFD"),
        Norm::Nfkc => form(text, "NFKC"),
        Norm::Nfkd => form(text, "NFKD"),
        Norm::Lowercase => lowercase(&text),
        Norm::StripAccents => without(text, r"\p{M}"),
        Norm::Bert(bert) => {
            let mut text = text;
            if bert.clean_text {
                // Control characters, formats and private ones go, white space becomes a space.
                text = without(text, r"(?![\t\n\r])[\0\uFFFD\p{Cc}\p{Cf}\p{Co}]");
                text = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).collect();
            }
            if bert.handle_chinese_chars {
                text = apart(&text);
            }
            if bert.strip_accents.unwrap_or(bert.lowercase) {
                text = without(form(text, "NFD"), r"\p{Mn}");
            }
            if bert.lowercase { lowercase(&text) } else { text }
        }
    }))
}

/// ASCII is its own normal form.
fn form(text: String, name: &str) -> String {
    if text.is_ascii() { text } else { JsString::from(text).normalize(name).into() }
}

fn lowercase(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// The text without what `class` matches.
fn without(text: String, class: &str) -> String {
    JsString::from(text).replace_by_pattern(&RegExp::new(class, "gu"), "").into()
}

/// Chinese characters with a space on either side.
fn apart(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let chinese = matches!(u32::from(c), 0x4e00..=0x9fff | 0x3400..=0x4dbf | 0x20000..=0x2a6df | 0x2a700..=0x2b73f | 0x2b740..=0x2b81f | 0x2b920..=0x2ceaf | 0xf900..=0xfaff | 0x2f800..=0x2fa1f);
        if chinese {
            out.extend([' ', c, ' ']);
        } else {
            out.push(c);
        }
    }
    out
}
