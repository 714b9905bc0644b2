//! A world of small facts: a page says who has what, the text asks about it and answers.
//!
//! Without the page an answer can only be guessed (the perplexity is about the number of words of its kind), with it every answer can be looked up: what a picture is worth shows within minutes.
//! No two lines share a name or a thing, and no two questions a line, so the text alone gives nothing away.

use vitrine_core::train::rng::Stream;

const NAMES: [&str; 16] =
    ["lena", "omar", "ruth", "ivan", "nina", "paul", "zoe", "hugo", "mira", "carl", "ines", "theo", "aida", "finn", "tara", "joel"];
const COLOURS: [&str; 8] = ["red", "blue", "green", "black", "white", "pink", "brown", "gold"];
const THINGS: [&str; 12] = ["kites", "cups", "boats", "hats", "lamps", "keys", "drums", "books", "bells", "coins", "maps", "rings"];
/// Lines of a page, at most; each is asked about once.
pub const LINES: usize = 6;

/// A part of a text, and whether it answers a question.
pub type Part = (String, bool);

/// A page of `lines` facts, at most [`LINES`], and the text that asks about each.
#[must_use]
pub fn facts(lines: usize, random: &mut Stream) -> (String, Vec<Part>) {
    let lines = lines.clamp(1, LINES);
    let mut some = |words: &[&'static str]| {
        let mut words = words.to_vec();
        random.shuffle(&mut words);
        words
    };
    let (names, things) = (some(&NAMES), some(&THINGS));
    let mut order: Vec<usize> = (0..lines).collect();
    random.shuffle(&mut order);
    let facts: Vec<[String; 4]> = (0..lines)
        .map(|i| {
            [names[i].to_owned(), (2 + random.below(8)).to_string(), COLOURS[random.below(COLOURS.len())].to_owned(), things[i].to_owned()]
        })
        .collect();
    let page: Vec<String> = facts.iter().map(|[name, number, colour, thing]| format!("{name} has {number} {colour} {thing}")).collect();
    let mut parts = vec![];
    for &line in &order {
        let [name, number, colour, thing] = &facts[line];
        let (question, answer) = match random.below(4) {
            0 => (format!("how many {thing} has {name}?"), number.clone()),
            1 => (format!("what colour are the {thing} of {name}?"), colour.clone()),
            2 => (format!("who has {thing}?"), name.clone()),
            _ => (format!("what has {name}?"), format!("{number} {colour} {thing}")),
        };
        let space = if parts.is_empty() { "" } else { " " };
        parts.extend([(format!("{space}{question}"), false), (format!(" {answer}"), true), (".".to_owned(), false)]);
    }
    (page.join("\n"), parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_stands_on_the_page_and_nowhere_else() {
        let mut answers = std::collections::BTreeMap::<String, usize>::new();
        for seed in 0..300 {
            let (page, parts) = facts(LINES, &mut Stream::new(seed, "facts", 0));
            let lines: Vec<Vec<&str>> = page.lines().map(|line| line.split(' ').collect()).collect();
            assert!(
                lines.len() == LINES && lines.iter().all(|words| words.len() == 5) && page.lines().all(|line| line.len() <= 24),
                "{page}"
            );
            let asked: String = parts.iter().filter(|(_, answer)| !answer).map(|(text, _)| text.as_str()).collect();
            for pair in parts.chunks_exact(3) {
                let answer = pair[1].0.trim();
                let words: Vec<&str> = pair[0].0.trim().trim_end_matches('?').split(' ').collect();
                let line: Vec<_> = lines.iter().filter(|line| words.iter().any(|word| line.contains(word) && *word != "has")).collect();
                for answer in answer.split(' ') {
                    assert!(line.len() == 1 && line[0].contains(&answer), "{page}: {words:?} {answer}");
                    assert!(!words.contains(&answer));
                    *answers.entry(answer.to_owned()).or_default() += 1;
                }
            }
            let text: String = parts.iter().map(|(text, _)| text.as_str()).collect();
            assert!(!text.contains("  ") && text.ends_with('.') && asked.matches('?').count() == LINES);
        }
        assert_eq!(answers.len(), NAMES.len() + COLOURS.len() + THINGS.len() + 8, "every word is an answer some time");
        assert_eq!(facts(2, &mut Stream::new(1, "", 0)).1.len(), 6);
        assert_eq!(facts(3, &mut Stream::new(1, "", 0)), facts(3, &mut Stream::new(1, "", 0)));
    }
}
