//! How words and names are spelled in sub-word pieces.
//!
//! **Method.** A word of the vocabulary is one piece. A name is cut from the left into the longest known fragments, single characters at the least; its first piece is another token
//! than the same letters further in, so pieces say by themselves where a word or name begins, and a sequence of pieces is read in one way only. Characters that no training
//! name has get pieces of their own for the schema and question at hand. In the whole-name view each name is one piece.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::super::stages::Pieces;
use super::words::Vocabulary;

/// Most fragments of a model and longest one, in bytes.
const MOST_FRAGMENTS: usize = 4096;
const LONGEST_FRAGMENT: usize = 32;

/// Frequent parts of names, longer than a character.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Fragments(BTreeSet<String>);

impl From<Fragments> for Vec<String> {
    fn from(fragments: Fragments) -> Self {
        fragments.0.into_iter().collect()
    }
}

impl TryFrom<Vec<String>> for Fragments {
    type Error = String;

    fn try_from(fragments: Vec<String>) -> Result<Self, String> {
        if fragments.len() > MOST_FRAGMENTS || fragments.iter().any(|f| f.chars().nth(1).is_none() || f.len() > LONGEST_FRAGMENT) {
            return Err(format!(
                "more than {MOST_FRAGMENTS} fragments, or one shorter than two characters or longer than {LONGEST_FRAGMENT} bytes"
            ));
        }
        Ok(Self(fragments.into_iter().collect()))
    }
}

impl Fragments {
    /// The `most` frequent words of names, those that occur twice at least; ties by the alphabet.
    pub fn count<'n>(names: impl IntoIterator<Item = &'n str>, most: usize) -> Self {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for name in names {
            for part in name.split(|c: char| !c.is_alphanumeric()) {
                if part.chars().nth(1).is_some() && part.len() <= LONGEST_FRAGMENT {
                    *counts.entry(part).or_default() += 1;
                }
            }
        }
        let mut frequent: Vec<(&str, usize)> = counts.into_iter().filter(|(_, n)| *n > 1).collect();
        frequent.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        Self(frequent.into_iter().take(most.min(MOST_FRAGMENTS)).map(|(part, _)| part.to_owned()).collect())
    }

    /// A name in fragments and characters, the longest first from the left.
    fn cut<'n>(&self, name: &'n str) -> Vec<&'n str> {
        let (mut parts, mut rest) = (Vec::new(), name);
        while let Some(c) = rest.chars().next() {
            let ends = rest.char_indices().map(|(i, c)| i + c.len_utf8()).take_while(|&end| end <= LONGEST_FRAGMENT);
            let longest = ends.filter(|&end| self.0.contains(&rest[..end])).last();
            let (part, after) = rest.split_at(longest.unwrap_or(c.len_utf8()));
            parts.push(part);
            rest = after;
        }
        parts
    }
}

/// The pieces of a reading.
#[derive(Debug, Clone)]
pub struct Spelling {
    pub pieces: Pieces,
    fragments: Fragments,
    /// First pieces, with and without a space before them, and later ones.
    known: BTreeMap<(Place, String), u32>,
    whole: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    First,
    Later,
}

impl Spelling {
    /// Pieces for the words of a vocabulary (piece i is word i, 0 the end), the fragments, and printable ASCII.
    pub fn new(vocabulary: &Vocabulary, fragments: &Fragments, whole: bool) -> Self {
        let pieces = (0..vocabulary.len()).map(|word| vocabulary.text(word).to_owned()).collect();
        let mut new = Self { pieces: Pieces { pieces, end: 0 }, fragments: fragments.clone(), known: BTreeMap::new(), whole };
        let fragments = if whole { &Fragments(BTreeSet::new()) } else { fragments };
        let characters = ('!'..='~').map(String::from);
        for part in fragments.0.iter().cloned().chain(characters) {
            new.piece(Place::First, &format!(" {part}"));
            new.piece(Place::First, &part);
            new.piece(Place::Later, &part);
        }
        new.piece(Place::Later, " ");
        new
    }

    fn piece(&mut self, place: Place, text: &str) -> u32 {
        if let Some(&known) = self.known.get(&(place, text.to_owned())) {
            return known;
        }
        let number = self.pieces.pieces.len() as u32;
        self.pieces.pieces.push(text.to_owned());
        self.known.insert((place, text.to_owned()), number);
        number
    }

    /// The characters of a text that is no name, where all have pieces.
    pub fn letters(&self, text: &str) -> Option<Vec<u32>> {
        let (space, body) = text.strip_prefix(' ').map_or(("", text), |body| (" ", body));
        let piece = |(i, c): (usize, char)| match i {
            0 => self.known.get(&(Place::First, format!("{space}{c}"))).copied(),
            _ => self.known.get(&(Place::Later, c.to_string())).copied(),
        };
        body.chars().enumerate().map(piece).collect()
    }

    /// The pieces of a name, with a space before it or not; new ones are made where they are needed.
    pub fn spell(&mut self, name: &str, space: bool) -> Vec<u32> {
        let before = if space { " " } else { "" };
        if self.whole {
            return vec![self.piece(Place::First, &format!("{before}{name}"))];
        }
        let parts: Vec<String> = self.fragments.cut(name).into_iter().map(str::to_owned).collect();
        let numbered = parts.iter().enumerate().map(|(i, part)| match i {
            0 => self.piece(Place::First, &format!("{before}{part}")),
            _ => self.piece(Place::Later, part),
        });
        numbered.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_spelled_and_read_in_one_way() {
        let vocabulary = Vocabulary::new(["select".to_owned(), " from".to_owned()]).unwrap();
        let fragments = Fragments::count(["singer_id", "singer_name", "stadium_id", "x"], 10);
        assert_eq!(Vec::from(fragments.clone()), ["id", "singer"]);
        for whole in [false, true] {
            let mut spelling = Spelling::new(&vocabulary, &fragments, whole);
            let names = ["singer_id", "singer", "sing", "id", "année €", "from", "a b"];
            let mut seen = BTreeSet::new();
            for name in names {
                for space in [true, false] {
                    let pieces = spelling.spell(name, space);
                    assert_eq!(spelling.pieces.text(&pieces), format!("{}{name}", if space { " " } else { "" }));
                    assert_eq!(pieces, spelling.spell(name, space));
                    assert!(seen.insert(pieces.clone()), "{name}");
                    assert_eq!(pieces.len() == 1, whole || ["singer", "id"].contains(&name), "{name}");
                    // A piece that begins a name never stands within one.
                    assert!(pieces[1..].iter().all(|later| seen.iter().all(|other: &Vec<u32>| other[0] != *later)));
                }
            }
        }
        let spelling = Spelling::new(&vocabulary, &fragments, false);
        assert_eq!(spelling.letters(" a1").map(|pieces| spelling.pieces.text(&pieces)).as_deref(), Some(" a1"));
        assert_eq!(spelling.letters("é"), None);
        assert!(serde_json::from_str::<Fragments>(r#"["a"]"#).is_err());
    }
}
