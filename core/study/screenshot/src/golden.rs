//! The deterministic parts compared with golden values (`check golden screenshot`): patches, positions, bookkeeping, losses, the white tail, texts and layouts, the schedule.
//!
//! Tolerance: 1e-5 absolute and relative; whole numbers exactly.

use serde::Deserialize;
use serde_json::Value;

use super::{
    losses::{pixel_loss, standardised, text_loss},
    masks::{Bookkeeping, len_keep},
    patches::{Grid, patchify, positions, white_tail},
    sequence::{ArIds, ArLayout, DecoderInputs, drawn_text},
};
use vitrine_core::{golden::Agreement, train::schedule::cosine_with_warm_up};

const TOLERANCE: f64 = 1e-5;

#[derive(Deserialize)]
struct File {
    patchify: Patchify,
    positions: Vec<Positions>,
    bookkeeping: Vec<Book>,
    len_keep: Vec<LenKeep>,
    pixel_loss: Vec<PixelLoss>,
    text_loss: TextLoss,
    white_tail: Vec<WhiteTail>,
    text_prep: Vec<TextPrep>,
    decoder_inputs: Vec<Inputs>,
    ar_layout: Vec<Ar>,
    schedule: Vec<Schedule>,
}

#[derive(Deserialize)]
struct Patchify {
    cases: Vec<PatchCase>,
}

#[derive(Deserialize)]
struct PatchCase {
    h: usize,
    w: usize,
    c: usize,
    ph: usize,
    pw: usize,
    k: usize,
    patches: Vec<Vec<u32>>,
}

#[derive(Deserialize)]
struct Positions {
    kind: String,
    dim: usize,
    n: Option<usize>,
    grid_rows: Option<usize>,
    grid_cols: Option<usize>,
    rows: Vec<usize>,
    cols: Vec<usize>,
    values: Vec<Vec<f64>>,
    sum: f64,
}

#[derive(Deserialize)]
struct Book {
    noise: Vec<f64>,
    ratio: f64,
    len_keep: usize,
    ids_shuffle: Vec<usize>,
    ids_restore: Vec<usize>,
    ids_keep: Vec<usize>,
    mask: Vec<u8>,
    encoded: Option<Vec<f64>>,
    mask_value: Option<f64>,
    decoder_sequence: Option<Vec<f64>>,
}

#[derive(Deserialize)]
struct LenKeep {
    n: usize,
    ratio: f64,
    #[serde(rename = "len_keep")]
    kept: usize,
    masked: usize,
}

#[derive(Deserialize)]
struct PixelLoss {
    #[serde(default)]
    target: Vec<Vec<f64>>,
    #[serde(default)]
    pred: Vec<Vec<f64>>,
    mask: Vec<u8>,
    attention: Vec<u8>,
    normalised_row0: Option<Vec<f64>>,
    normalised_constant_row: Option<Vec<f64>>,
    per_patch: Option<Vec<f64>>,
    loss: f64,
    loss_unnormalised: Option<f64>,
}

#[derive(Deserialize)]
struct TextLoss {
    logits: Vec<Vec<f64>>,
    labels: Vec<i64>,
    loss: f64,
    tokens: usize,
    perplexity: f64,
}

#[derive(Deserialize)]
struct WhiteTail {
    case: String,
    patch_values: Vec<f32>,
    black: bool,
    attention: Vec<u8>,
    after: Vec<f32>,
    end: usize,
}

#[derive(Deserialize)]
struct TextPrep {
    #[serde(rename = "in")]
    given: String,
    out: String,
}

#[derive(Deserialize)]
struct Inputs {
    labels_in: Vec<u32>,
    start: u32,
    pad: u32,
    input_ids: Vec<u32>,
    attention: Vec<u8>,
    position_ids: Vec<usize>,
    labels: Vec<i64>,
}

#[derive(Deserialize)]
struct Ar {
    rows: usize,
    cols: usize,
    text: Vec<u32>,
    patch_attention: Vec<u8>,
    ids: ArIds,
    limit: usize,
    input_ids: Vec<u32>,
    attention: Vec<u8>,
    text_target_after_shift: Vec<i64>,
    pixel_target_after_shift: Vec<u8>,
}

#[derive(Deserialize)]
struct Schedule {
    step: u64,
    warmup: u64,
    total: u64,
    peak: f64,
    floor: f64,
    lr: f64,
}

/// Compares every section of a golden file. A section the reader does not know is refused, so that none is passed over.
///
/// # Errors
/// A sentence on what cannot be read.
pub fn sections(json: &str) -> Result<Vec<Agreement>, String> {
    const KNOWN: [&str; 14] = [
        "about",
        "seed",
        "tolerance",
        "patchify",
        "positions",
        "bookkeeping",
        "len_keep",
        "pixel_loss",
        "text_loss",
        "white_tail",
        "text_prep",
        "decoder_inputs",
        "ar_layout",
        "schedule",
    ];
    let value: Value = serde_json::from_str(json).map_err(|error| error.to_string())?;
    if let Some(unknown) = value.as_object().and_then(|object| object.keys().find(|key| !KNOWN.contains(&key.as_str()))) {
        return Err(format!("there is no golden section {unknown}"));
    }
    let file: File = serde_json::from_value(value).map_err(|error| error.to_string())?;
    Ok(vec![
        patchified(&file.patchify.cases),
        placed(&file.positions),
        booked(&file.bookkeeping),
        kept(&file.len_keep),
        pixels(&file.pixel_loss),
        texts(&file.text_loss),
        tails(&file.white_tail),
        prepared(&file.text_prep),
        shifted(&file.decoder_inputs),
        laid_out(&file.ar_layout),
        scheduled(&file.schedule),
    ])
}

fn flags(of: &[bool]) -> Vec<u8> {
    of.iter().map(|&flag| u8::from(flag)).collect()
}

fn on(of: &[u8]) -> Vec<bool> {
    of.iter().map(|&flag| flag != 0).collect()
}

/// Largest difference beyond nothing, relative to 1 + |wanted|; infinite where lengths differ.
fn off(found: &[f64], wanted: &[f64]) -> f64 {
    if found.len() != wanted.len() {
        return f64::INFINITY;
    }
    found.iter().zip(wanted).map(|(f, w)| (f - w).abs() / (1.0 + w.abs())).fold(0.0, |a, b| if b > a || b.is_nan() { b } else { a })
}

fn patchified(cases: &[PatchCase]) -> Agreement {
    let mut found = Agreement::of("patchify");
    for case in cases {
        let pixel = |at: usize| {
            let (y, x, ch) = (at / case.c / case.w, at / case.c % case.w, at % case.c);
            ((31 * y + 17 * x + 7 * ch + case.k * x * y) % 256) as u32
        };
        let image: Vec<u32> = (0..case.h * case.w * case.c).map(pixel).collect();
        let right = patchify(&image, [case.h, case.w, case.c], [case.ph, case.pw]) == case.patches;
        found.yes_or_no(right, || format!("{} x {} x {}", case.h, case.w, case.c));
    }
    found
}

fn placed(cases: &[Positions]) -> Agreement {
    let mut found = Agreement::of("positions");
    for case in cases {
        let (grid, patches) = match (case.kind.as_str(), case.n, case.grid_rows, case.grid_cols) {
            ("square", Some(n), ..) => (Grid::Square, n),
            ("grid", _, Some(rows), Some(columns)) => (Grid::Rows(columns), rows * columns),
            _ => {
                found.yes_or_no(false, || format!("kind {}", case.kind));
                continue;
            }
        };
        let table = positions(grid, patches, case.dim);
        let at = |row: usize, column: usize| table.get(row * case.dim + column).map_or(f64::NAN, |&v| f64::from(v));
        let values: Vec<f64> = case.rows.iter().flat_map(|&row| case.cols.iter().map(move |&column| at(row, column))).collect();
        let sum: f64 = table.iter().map(|&v| f64::from(v)).sum();
        let difference = off(&values, &case.values.concat()).max(off(&[sum], &[case.sum]));
        found.case(difference, TOLERANCE, || format!("{} of {}", case.kind, case.dim));
    }
    found
}

fn booked(cases: &[Book]) -> Agreement {
    let mut found = Agreement::of("bookkeeping");
    for (number, case) in cases.iter().enumerate() {
        let book = Bookkeeping::new(&case.noise, case.ratio);
        let same = (&book.shuffle, &book.restore, book.len_keep, book.kept(), flags(&book.mask))
            == (&case.ids_shuffle, &case.ids_restore, case.len_keep, &case.ids_keep[..], case.mask.clone());
        let sequence = match (&case.encoded, case.mask_value, &case.decoder_sequence) {
            (Some(encoded), Some(hidden), Some(wanted)) => book.decoder_sequence(encoded, &hidden) == *wanted,
            _ => true,
        };
        found.yes_or_no(same && sequence, || format!("case {number}"));
    }
    found
}

fn kept(cases: &[LenKeep]) -> Agreement {
    let mut found = Agreement::of("len_keep");
    for case in cases {
        let kept = len_keep(case.n, case.ratio);
        found.yes_or_no((kept, case.n - kept) == (case.kept, case.masked), || format!("{} at {}", case.n, case.ratio));
    }
    found
}

fn pixels(cases: &[PixelLoss]) -> Agreement {
    let mut found = Agreement::of("pixel_loss");
    for (number, case) in cases.iter().enumerate() {
        let counted: Vec<bool> = case.mask.iter().zip(&case.attention).map(|(&mask, &attention)| mask != 0 && attention != 0).collect();
        let (errors, loss) = pixel_loss(&case.target, &case.pred, &counted, true);
        let mut difference = off(&[loss], &[case.loss]);
        if let Some(wanted) = &case.per_patch {
            difference = difference.max(off(&errors, wanted));
        }
        if let Some(wanted) = case.loss_unnormalised {
            difference = difference.max(off(&[pixel_loss(&case.target, &case.pred, &counted, false).1], &[wanted]));
        }
        if let (Some(wanted), Some(row)) = (&case.normalised_row0, case.target.first()) {
            difference = difference.max(off(&standardised(row), wanted));
        }
        if let Some(wanted) = &case.normalised_constant_row {
            difference = difference.max(off(&standardised(&vec![1.0; wanted.len()]), wanted));
        }
        found.case(difference, TOLERANCE, || format!("case {number}"));
    }
    found
}

fn texts(case: &TextLoss) -> Agreement {
    let mut found = Agreement::of("text_loss");
    let (loss, tokens) = text_loss(&case.logits, &case.labels);
    found.case(off(&[loss, loss.exp()], &[case.loss, case.perplexity]), TOLERANCE, || "loss and perplexity".to_owned());
    found.yes_or_no(tokens == case.tokens, || format!("{tokens} tokens count, not {}", case.tokens));
    found
}

fn tails(cases: &[WhiteTail]) -> Agreement {
    let mut found = Agreement::of("white_tail");
    for case in cases {
        // A few pixels a patch, so that one number does not stand for all.
        let mut patches: Vec<f32> = case.patch_values.iter().flat_map(|&v| [1.0, v, 1.0]).collect();
        let (end, attention) = white_tail(&mut patches, 3, case.black);
        let after: Vec<f32> = patches.chunks_exact(3).map(|patch| patch[1]).collect();
        found.yes_or_no((end, flags(&attention), &after) == (case.end, case.attention.clone(), &case.after), || case.case.clone());
    }
    found
}

fn prepared(cases: &[TextPrep]) -> Agreement {
    let mut found = Agreement::of("text_prep");
    for case in cases {
        found.yes_or_no(drawn_text(&case.given) == case.out, || format!("{:?}", case.given));
    }
    found
}

fn shifted(cases: &[Inputs]) -> Agreement {
    let mut found = Agreement::of("decoder_inputs");
    for case in cases {
        let inputs = DecoderInputs::new(&case.labels_in, case.start, case.pad);
        let wanted = DecoderInputs {
            ids: case.input_ids.clone(),
            attention: on(&case.attention),
            positions: case.position_ids.clone(),
            labels: case.labels.clone(),
        };
        found.yes_or_no(inputs == wanted, || format!("{:?}", case.labels_in));
    }
    found
}

fn laid_out(cases: &[Ar]) -> Agreement {
    let mut found = Agreement::of("ar_layout");
    for (number, case) in cases.iter().enumerate() {
        let line = ArLayout::new(case.rows, case.cols, &on(&case.patch_attention), &case.text, case.ids, case.limit);
        let right = line.ids == case.input_ids
            && line.attention == on(&case.attention)
            && line.text_target == case.text_target_after_shift
            && line.pixel_target == on(&case.pixel_target_after_shift);
        found.yes_or_no(right, || format!("case {number}"));
    }
    found
}

fn scheduled(cases: &[Schedule]) -> Agreement {
    let mut found = Agreement::of("schedule");
    for case in cases {
        let lr = cosine_with_warm_up(case.step, case.warmup, case.total, [case.peak, case.floor]);
        // Learning rates are small: relative to the peak.
        found.case((lr - case.lr).abs() / case.peak, TOLERANCE, || format!("step {}", case.step));
    }
    found
}

#[cfg(test)]
mod tests {
    #[test]
    fn golden_values_agree() {
        let Some(folder) = std::env::var_os("VITRINE_DATA") else { return eprintln!("skipped: VITRINE_DATA not set") };
        let json = std::fs::read_to_string(std::path::Path::new(&folder).join("screenshot/golden.json")).unwrap();
        let found = super::sections(&json).unwrap();
        assert_eq!(found.len(), 11);
        for section in found {
            assert!(section.passed(), "{section}");
        }
        let wrong = json.replacen("\"loss\":1.4175509", "\"loss\":1.4176", 1);
        assert_eq!(super::sections(&wrong).unwrap().iter().filter(|section| !section.passed()).count(), 1);
        assert!(super::sections("{\"what\": 1}").is_err());
    }
}
