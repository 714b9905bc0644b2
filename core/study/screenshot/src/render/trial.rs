//! Random texts: whatever the bytes, a picture or a typed error, and a report that is true of it.

use super::{Newline, RenderConfig, RenderError, Renderer, Scratch, Screenshot, Style};
use vitrine_core::train::rng::Stream;

/// Longest random text, in bytes.
const LONGEST: usize = 96;
/// Violations that are described; the others are only counted.
const DESCRIBED: usize = 10;

/// What came of random texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trial {
    /// Texts drawn by the lossy reader.
    pub drawn: usize,
    /// Texts the strict reader refused.
    pub refused: usize,
    /// Violations found.
    pub wrong: usize,
    /// The first of them.
    pub examples: Vec<String>,
}

/// Characters that layout treats in ways of their own.
const ODD: [char; 24] = [
    ' ',
    '\t',
    '\n',
    '\r',
    '\0',
    '\u{7f}',
    '\u{85}',
    '\u{ad}',
    '\u{300}',
    '\u{301}',
    '\u{5d0}',
    '\u{627}',
    '(',
    '\u{202e}',
    '\u{202c}',
    '\u{2067}',
    '\u{200d}',
    '\u{2028}',
    '\u{fe0f}',
    '\u{feff}',
    '\u{1100}',
    '\u{1161}',
    '\u{4f60}',
    '\u{1f600}',
];

/// A random text: bytes, any scalars, odd characters or words.
fn text(random: &mut Stream) -> Vec<u8> {
    let length = random.below(LONGEST);
    let kind = random.below(4);
    if kind == 0 {
        return (0..length).map(|_| random.u64() as u8).collect();
    }
    let mut text = String::new();
    while text.len() < length {
        let odd = *random.pick(&ODD).unwrap_or(&' ');
        text.push(match kind {
            1 => char::from_u32(random.below(0x11_0000) as u32).unwrap_or(odd),
            2 => odd,
            _ if random.below(5) == 0 => odd,
            _ => char::from(b'a' + random.below(26) as u8),
        });
    }
    text.into_bytes()
}

/// Small pictures of every kind.
fn configs() -> Vec<RenderConfig> {
    let small = RenderConfig { width: 160, ..RenderConfig::default() };
    let page = RenderConfig { newline: Newline::Break, ..RenderConfig::page(48, 96) };
    vec![
        small.clone(),
        RenderConfig { style: Style::Mono, prefix: "ab: ".to_owned(), ..small.clone() },
        RenderConfig { end_marker: false, fallback: false, ..page.clone() },
        RenderConfig { patch_width: 8, patch_height: 8, one_bit: true, ..page.clone() },
        RenderConfig { width: 64, height: 32, patch_width: 32, patch_height: 32, ..small.clone() },
        RenderConfig { width: 144, prefix: "fi ".to_owned(), shaping: cfg!(feature = "shaping"), ..page },
        RenderConfig { width: 4, patch_width: 4, ..small },
    ]
}

/// Draws `count` random texts; a caller may share the numbers from `first` on among threads.
///
/// # Errors
/// None of the configs can be refused; what it would be is passed on.
pub fn random_texts(first: u64, count: u64, seed: u64) -> Result<Trial, RenderError> {
    let lossy = configs().into_iter().map(Renderer::bundled).collect::<Result<Vec<_>, _>>()?;
    let strict = Renderer::bundled(RenderConfig { lossy: false, ..RenderConfig::strip(6) })?;
    let (mut scratch, mut picture, mut found) = (Scratch::default(), Screenshot::default(), Trial::default());
    for number in first..first + count {
        let mut random = Stream::new(seed, "random texts", number);
        let text = text(&mut random);
        let mut violations = vec![];
        for renderer in &lossy {
            match renderer.render_into(&text, &mut scratch, &mut picture) {
                Ok(()) => violations.extend(violation(&picture, renderer.config(), text.len())),
                Err(error) => violations.push(error.to_string()),
            }
        }
        if let Some((renderer, second)) = lossy.first().zip(text.get(text.len() / 2..))
            && let Err(error) = renderer.render_pair(&text, second, &mut scratch, &mut picture)
        {
            violations.push(error.to_string());
        }
        found.drawn += 1;
        match (strict.render_into(&text, &mut scratch, &mut picture), std::str::from_utf8(&text)) {
            (Ok(()), Ok(_)) => {}
            (Err(RenderError::BadUtf8 { offset }), Err(error)) if offset == error.valid_up_to() => found.refused += 1,
            (other, _) => violations.push(format!("the strict reader: {other:?}")),
        }
        found.wrong += violations.len();
        for violation in violations {
            if found.examples.len() < DESCRIBED {
                found.examples.push(format!("text {number}, {:?}: {violation}", String::from_utf8_lossy(&text)));
            }
        }
    }
    Ok(found)
}

/// What a picture and its report disagree on.
fn violation(picture: &Screenshot, config: &RenderConfig, length: usize) -> Option<String> {
    let report = &picture.report;
    let patches = config.patches();
    let under = |[start, end]: &[u32; 2]| start <= end && *end as usize <= length;
    let white = |range: std::ops::Range<usize>| range.clone().all(|patch| picture.is_white(patch));
    let checks = [
        ("bytes drawn are more than there are", report.rendered_bytes <= length),
        ("all is drawn and bytes are left", !report.all_rendered || report.rendered_bytes == length),
        ("a patch has bytes that are not there", picture.bytes_under.iter().all(under)),
        ("the patches attended to are more than there are", report.attended <= patches),
        ("there is ink after the end", white(report.attended..patches)),
        ("the patch before the end is white", report.end_patch == 0 || !white(report.end_patch - 1..report.end_patch)),
        ("ink is misreported", report.ink == (report.end_patch > 0)),
        ("boxes are miscounted", report.missing == report.missing_list.iter().map(|m| m.count).sum::<u32>()),
        ("there are more lines than fit", report.lines <= config.lines()),
    ];
    checks.into_iter().find(|(_, holds)| !holds).map(|(what, _)| format!("{what}: {report:?}"))
}
