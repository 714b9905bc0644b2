//! Odd inputs with what a renderer owes them, case by case (`check golden render`).
//!
//! A file has a line a case: a name, `text` or `bytes_b64`, and `expect`, whose keys each name a property of the picture or its report. The cases are drawn on the published strip; a key
//! nobody knows is a failing case, so that no expectation is passed over.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{FontSources, RenderConfig, RenderError, Renderer, Screenshot};
use vitrine_core::{golden::Agreement, report::base64};

#[derive(Debug, Deserialize)]
struct Case {
    name: String,
    text: Option<String>,
    bytes_b64: Option<String>,
    expect: Map<String, Value>,
}

/// Compares all cases of a file, drawn with `fonts`.
///
/// # Errors
/// A sentence on the line that cannot be read, or on the fonts.
pub fn cases(lines: &str, fonts: &FontSources<'_>) -> Result<Vec<Agreement>, String> {
    let made = |config| Renderer::new(config, fonts).map_err(|error| error.to_string());
    let eye = Eye {
        strip: made(RenderConfig::default())?,
        strict: made(RenderConfig { lossy: false, ..RenderConfig::default() })?,
        without_fallback: made(RenderConfig { fallback: false, ..RenderConfig::default() })?,
    };
    let mut found = Agreement::of("render cases");
    for (number, line) in lines.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let bad = |reason: String| format!("line {}: {reason}", number + 1);
        let case: Case = serde_json::from_str(line).map_err(|error| bad(error.to_string()))?;
        let bytes = match (&case.text, &case.bytes_b64) {
            (Some(text), None) => text.clone().into_bytes(),
            (None, Some(text)) => base64::decode(text).ok_or_else(|| bad("bytes_b64 is not base64".to_owned()))?,
            _ => return Err(bad("a case has either text or bytes_b64".to_owned())),
        };
        let wrong = eye.wrong(&bytes, &case.expect);
        found.yes_or_no(wrong.is_empty(), || format!("{} ({})", case.name, wrong.join("; ")));
    }
    Ok(vec![found])
}

struct Eye {
    strip: Renderer,
    strict: Renderer,
    without_fallback: Renderer,
}

impl Eye {
    /// The expectations that are not met.
    fn wrong(&self, bytes: &[u8], expect: &Map<String, Value>) -> Vec<String> {
        let drawn = self.strip.render(bytes);
        let mut wrong: Vec<String> = expect
            .iter()
            .filter_map(|(key, wanted)| {
                let found = self.found(bytes, &drawn, key, wanted)?;
                (found != *wanted).then(|| format!("{key} is {found}, not {wanted}"))
            })
            .collect();
        // A valid text is drawn alike by both readers, an invalid one refused by the strict.
        match (self.strict.render(bytes), &drawn) {
            (Ok(strict), Ok(drawn)) if strict != *drawn => wrong.push("the strict reader draws another picture".to_owned()),
            (Ok(_), Ok(drawn)) if drawn.report.replaced > 0 => wrong.push("the strict reader draws what is not UTF-8".to_owned()),
            _ => {}
        }
        wrong
    }

    /// What was found under a key of expectations, in the form in which it is expected; nothing for a remark.
    fn found(&self, bytes: &[u8], drawn: &Result<Screenshot, RenderError>, key: &str, wanted: &Value) -> Option<Value> {
        if key == "note" {
            return None;
        }
        if key == "ok" {
            return Some(Value::from(drawn.is_ok()));
        }
        let Ok(picture) = drawn else { return Some(Value::from("no picture")) };
        let report = &picture.report;
        let same = |text: &str| self.strip.render(text).is_ok_and(|other| other.pixels == picture.pixels);
        Some(match key {
            "ink" => report.ink.into(),
            "rendered_bytes" => report.rendered_bytes.into(),
            "end_patch" => report.end_patch.into(),
            "all_rendered" => report.all_rendered.into(),
            "missing" | "missing_with_fallback" => {
                let without = self.without_fallback.render(bytes).map_or(0, |picture| picture.report.missing);
                if key == "missing_with_fallback" && without == 0 {
                    return Some("nothing to fall back for".into());
                }
                report.missing.into()
            }
            // No patch is left for another glyph.
            "strip_full" => (report.end_patch == picture.patches()).into(),
            "dropped" => report.dropped.into(),
            "replaced_min" if u64::from(report.replaced) >= wanted.as_u64().unwrap_or(u64::MAX) => wanted.clone(),
            "replaced_min" => report.replaced.into(),
            "rtl" => (report.rtl_runs > 0).into(),
            "rtl_runs" => report.rtl_runs.into(),
            "shaped" => report.shaped.into(),
            "ink_rows_below_baseline" => {
                let below = self.strip.config().baseline as usize * picture.width as usize;
                let end = report.end_patch * picture.patch_width as usize;
                let rows = picture.pixels.get(below..).unwrap_or_default().chunks_exact(picture.width as usize);
                rows.flat_map(|row| row.get(..end).unwrap_or_default()).any(|&v| v < 255).into()
            }
            // The text with its line breaks written out as the token gives the same picture.
            "contains_drawn" => {
                let token = wanted.as_str().unwrap_or_default();
                let text = String::from_utf8_lossy(bytes);
                if text.contains('\n') && !text.contains(token) && same(&text.replace('\n', token)) { wanted.clone() } else { Value::Null }
            }
            "same_image_as" if wanted.as_str().is_some_and(same) => wanted.clone(),
            "same_image_as" => "another picture".into(),
            "strict_error_offset" => match self.strict.render(bytes) {
                Err(RenderError::BadUtf8 { offset }) => offset.into(),
                _ => "no error".into(),
            },
            _ => "not known".into(),
        })
    }
}
