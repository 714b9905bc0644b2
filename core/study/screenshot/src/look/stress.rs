//! The eye under stress: letters exchanged, paper blurred, noise, another font.
//!
//! **Idea.** A screenshot model reads shapes, so what changes shapes should harm it and what only changes code points should not. **Method.** Letters are changed one by one, so that every token
//! still knows what was drawn for it; pixels are changed in whole numbers, so that a page does exactly what the program does. The end marker stays as it is.

use serde::{Deserialize, Serialize};

use crate::{
    ScreenshotError,
    render::{Screenshot, screenshot::WHITE},
};
use vitrine_core::train::rng::Stream;

/// Largest radius of the blur, in pixels.
const MOST_BLUR: u32 = 8;
const STREAM: &str = "studio stress";
/// Latin letters and Cyrillic or Greek ones that look the same; in Unifont they have the same bitmaps.
const ALIKE: [(char, char); 22] = [
    ('a', 'а'),
    ('c', 'с'),
    ('e', 'е'),
    ('i', 'і'),
    ('j', 'ј'),
    ('o', 'о'),
    ('p', 'р'),
    ('s', 'ѕ'),
    ('x', 'х'),
    ('A', 'А'),
    ('B', 'В'),
    ('C', 'С'),
    ('E', 'Е'),
    ('H', 'Н'),
    ('I', 'І'),
    ('M', 'М'),
    ('N', 'Ν'),
    ('O', 'О'),
    ('P', 'Р'),
    ('S', 'Ѕ'),
    ('T', 'Т'),
    ('X', 'Х'),
];
/// Letters and digits that a person reads in their place.
const DIGITS: [(char, char); 7] = [('a', '4'), ('e', '3'), ('i', '1'), ('l', '1'), ('o', '0'), ('s', '5'), ('t', '7')];

/// What is done to the letters and the picture; nothing by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Stress {
    /// Share of Latin letters that are swapped with the next, left out, doubled or exchanged.
    pub typos: f64,
    /// Share of letters drawn as others that look the same (Cyrillic, Greek).
    pub alike: f64,
    /// Share of letters drawn as digits.
    pub digits: f64,
    /// Radius in pixels.
    pub blur: u32,
    /// Every pixel moves by up to this share of white, evenly.
    pub noise: f64,
    /// Draw with Noto Sans of so many pixels, whatever the model learned.
    pub font_px: Option<f32>,
}

impl Stress {
    /// # Errors
    /// [`ScreenshotError::BadConfig`], by the first number that is out of range.
    pub fn check(&self) -> Result<(), ScreenshotError> {
        let share = |x: f64| (0.0..=1.0).contains(&x);
        let bad = |what: &str| Err(ScreenshotError::BadConfig(what.to_owned()));
        match () {
            () if ![self.typos, self.alike, self.digits, self.noise].into_iter().all(share) => {
                bad("the shares of stress have to be 0 to 1")
            }
            () if self.blur > MOST_BLUR => bad("blur can be at most 8 pixels"),
            () => Ok(()),
        }
    }

    /// For every character of a text its first byte and what is drawn for it.
    pub fn on_letters(&self, text: &str, seed: u64) -> Vec<(usize, String)> {
        let mut letters: Vec<(usize, String)> = text.char_indices().map(|(at, c)| (at, c.to_string())).collect();
        let mut random = Stream::new(seed, STREAM, 0);
        let is_letter = |letter: &str| letter.chars().all(|c| c.is_ascii_alphabetic()) && !letter.is_empty();
        let mut at = 0;
        while at < letters.len() {
            // Drawn for every character, so that a rate changes how many letters suffer and not which.
            let (whether, how, other) = (random.uniform(), random.below(4), random.below(26) as u8);
            let next_is_letter = letters.get(at + 1).is_some_and(|(_, next)| is_letter(next));
            if whether < self.typos && is_letter(&letters[at].1) {
                match how {
                    0 if next_is_letter => {
                        let next = std::mem::take(&mut letters[at + 1].1);
                        letters[at + 1].1 = std::mem::replace(&mut letters[at].1, next);
                        at += 1;
                    }
                    1 => letters[at].1.clear(),
                    2 => letters[at].1 = letters[at].1.repeat(2),
                    _ => letters[at].1 = char::from(b'a' + other).to_string(),
                }
            }
            at += 1;
        }
        for (step, share, table) in [(1, self.alike, &ALIKE[..]), (2, self.digits, &DIGITS[..])] {
            let mut random = Stream::new(seed, STREAM, step);
            for (_, letter) in &mut letters {
                let whether = random.uniform();
                if whether < share {
                    *letter = letter.chars().map(|c| table.iter().find(|(from, _)| *from == c).map_or(c, |(_, to)| *to)).collect();
                }
            }
        }
        letters
    }

    /// Blurs the text's part of a picture, then adds noise to it.
    pub fn on_pixels(&self, shot: &mut Screenshot, seed: u64) {
        if self.blur == 0 && self.noise == 0.0 {
            return;
        }
        let (width, height) = (shot.width as usize, shot.height as usize);
        let columns = shot.columns().max(1);
        let (patch_width, patch_height) = (shot.patch_width.max(1) as usize, shot.patch_height.max(1) as usize);
        let end = shot.report.end_patch;
        let inside = |x: usize, y: usize| y / patch_height * columns + x / patch_width < end;
        let mut values: Vec<u32> = (0..width * height)
            .map(|at| if inside(at % width, at / width) { u32::from(shot.pixels[at]) } else { u32::from(WHITE) })
            .collect();
        if self.blur > 0 {
            values = blurred(&values, [height, width], self.blur as usize);
        }
        let mut random = Stream::new(seed, STREAM, 3);
        for (at, (pixel, value)) in shot.pixels.iter_mut().zip(values).enumerate() {
            let moved = if self.noise > 0.0 { (random.uniform() - 0.5) * 2.0 * self.noise * 255.0 } else { 0.0 };
            if inside(at % width, at / width) {
                *pixel = (f64::from(value) + moved).round().clamp(0.0, 255.0) as u8;
            }
        }
    }
}

/// Weighted by a triangle along both axes; beyond the edge is white.
fn blurred(values: &[u32], [height, width]: [usize; 2], radius: usize) -> Vec<u32> {
    let reach = radius as isize;
    let total = ((radius + 1) * (radius + 1)) as u32;
    let along = |values: &[u32], step: usize, place: &dyn Fn(usize) -> (usize, usize)| -> Vec<u32> {
        (0..values.len())
            .map(|at| {
                let (position, length) = place(at);
                let one = |offset: isize| {
                    let inside = (0..length as isize).contains(&(position as isize + offset));
                    let value = if inside { values[(at as isize + offset * step as isize) as usize] } else { u32::from(WHITE) };
                    (reach + 1 - offset.abs()) as u32 * value
                };
                ((-reach..=reach).map(one).sum::<u32>() + total / 2) / total
            })
            .collect()
    };
    let rows = along(values, 1, &|at| (at % width, width));
    along(&rows, width, &|at| (at / width, height))
}
