//! How text that somebody else wrote is shown.
//!
//! Three dangers: text that is taken for markup (the templates escape), text that changes how its surroundings are read
//! (control characters, reading-direction marks, invisible characters, towers of accents), and text that is simply
//! enormous. The first never reaches this module; the second is shown as visible signs; the third is cut in the middle,
//! and the reader is told. What is shown is wrapped in `bdi`, so that right-to-left words keep to themselves.

use maud::{Markup, html};

use super::numbers::count;

/// Accents that may stand on one letter.
const MOST_MARKS: usize = 4;

/// Characters of a name in running text.
pub(super) const NAME: usize = 120;
/// Characters of a sentence or short paragraph.
pub(super) const PROSE: usize = 4_000;
/// Characters of a long text.
pub(super) const LONG: usize = 40_000;
/// Characters of a cell in a table.
pub(super) const CELL: usize = 300;

/// Text in its own direction, visible and at most `limit` characters long.
pub(super) fn shown(text: &str, limit: usize) -> Markup {
    let total = if text.len() > limit { text.chars().count() } else { 0 };
    html! {
        bdi { (label(text, limit)) }
        @if total > limit { " " small.cut { "(shortened; " (count(total as u64)) " characters)" } }
    }
}

/// Text for a figure or an attribute: visible, at most about `limit` characters.
pub(super) fn label(text: &str, limit: usize) -> String {
    visible(&shorten(text, limit), false)
}

/// As [`label`], keeping line ends and tabs.
pub(super) fn lines(text: &str, limit: usize) -> String {
    visible(&shorten(text, limit), true)
}

/// Cuts the middle out of a long text, between whole letters as far as marks and joiners tell.
fn shorten(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let total = text.chars().count();
    if total <= limit {
        return text.to_owned();
    }
    let tail_len = limit / 4;
    let head_len = limit.saturating_sub(tail_len + 1);
    let mut head: Vec<char> = text.chars().take(head_len + 1).collect();
    while head.len() > 1 && head.last().is_some_and(|c| continues(*c)) {
        head.pop();
    }
    head.pop();
    while head.last().is_some_and(|c| *c == '\u{200d}') {
        head.pop();
    }
    let tail: Vec<char> = text.chars().skip(total - tail_len).skip_while(|c| continues(*c)).collect();
    let mut short: String = head.into_iter().collect();
    short.push('…');
    short.extend(tail);
    short
}

/// True for characters that belong to the letter before them.
fn continues(c: char) -> bool {
    is_mark(c) || matches!(c, '\u{200d}' | '\u{fe00}'..='\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0020}'..='\u{e007f}')
}

/// Accents that stack on the letter before them.
pub(super) fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

fn visible(text: &str, keep_lines: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut marks = 0usize;
    for c in text.chars() {
        marks = if is_mark(c) { marks + 1 } else { 0 };
        match c {
            '\n' | '\t' if keep_lines => out.push(c),
            _ if marks > MOST_MARKS => {
                if marks == MOST_MARKS + 1 {
                    out.push('⁺');
                }
            }
            '\n' => out.push('↵'),
            _ if c.is_control() || is_hidden(c) => out.push_str(&format!("⟨U+{:04X}⟩", u32::from(c))),
            _ => out.push(c),
        }
    }
    out
}

/// Characters that cannot be seen or that change how others are read. Joiners that emoji and scripts need are not among
/// them.
pub(super) fn is_hidden(c: char) -> bool {
    matches!(c, '\u{80}'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fdd0}'..='\u{fdef}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}'
        | '\u{e0000}'..='\u{e001f}' | '\u{e0080}'..='\u{e0fff}')
        || u32::from(c) & 0xfffe == 0xfffe
}

/// As [`label`], shortened further until it fits a width in user units.
pub(super) fn fit(text: &str, most: usize, room: f64, font_size: f64) -> String {
    let mut limit = most;
    loop {
        let words = label(text, limit);
        if limit <= 4 || width(&words, font_size) <= room {
            return words;
        }
        limit -= 1;
    }
}

/// Rough width of a text in a figure, in user units, at a font size: wide scripts and emoji count double.
pub(super) fn width(text: &str, font_size: f64) -> f64 {
    let ems: f64 = text
        .chars()
        .map(|c| match c {
            _ if continues(c) => 0.0,
            'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' | '(' | ')' => 0.33,
            'm' | 'w' | 'M' | 'W' | '%' | '@' => 0.9,
            'A'..='Z' => 0.68,
            '\u{1100}'..='\u{11ff}' | '\u{2e80}'..='\u{ffef}' | '\u{1f000}'..='\u{1ffff}' => 1.1,
            _ => 0.58,
        })
        .sum();
    ems * font_size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_become_signs() {
        assert_eq!(label("a\u{202e}b\0c\u{200b}\x7f", 50), "a⟨U+202E⟩b⟨U+0000⟩c⟨U+200B⟩⟨U+007F⟩");
        assert_eq!(label("a\nb", 50), "a↵b");
        assert_eq!(lines("a\nb\tc", 50), "a\nb\tc");
        assert_eq!(label("👩\u{200d}💻", 50), "👩\u{200d}💻");
        let tower = format!("z{}", "\u{301}".repeat(500));
        assert_eq!(label(&tower, 900).chars().count(), 1 + 4 + 1);
    }

    #[test]
    fn long_texts_lose_their_middle() {
        let text: String = ('a'..='z').cycle().take(1 << 20).collect();
        let short = label(&text, 40);
        assert_eq!(short.chars().count(), 40);
        assert!(short.starts_with("abcdef") && text.ends_with(short.rsplit('…').next().unwrap()));
        // The cut never separates an accent or a joiner from its letter.
        let accents = "e\u{301}".repeat(1_000);
        for limit in 8..40 {
            let short = label(&accents, limit);
            let (head, tail) = short.split_once('…').unwrap();
            assert!(head.ends_with('\u{301}') && !tail.starts_with('\u{301}'), "{limit}: {short}");
        }
        assert_eq!(label("short", 40), "short");
    }
}
