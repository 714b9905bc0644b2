//! Sub-words: questions, schemas and queries as one vocabulary of pieces, so that what is read can be copied into what is written.
//!
//! **Idea.** A name has to be spelled by the same pieces wherever it stands, or it cannot be copied. So letters and digits are cut without the spaces around them, and the spaces of a query belong to
//! its keywords and signs (` from `, `, `), which are pieces of their own.
//!
//! **Method.** Runs of letters and digits are cut by byte-pair merges, learned from names, questions and queries. Pieces of a query one after another are the query. Readings are cut the same
//! way without spaces. Characters outside printable ASCII are not written.
//!
//! **Source.** Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units", ACL 2016.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// The end of a text, also what stands before one; and what is not known.
pub const END: u32 = 0;
pub const UNKNOWN: u32 = 1;
/// Most pieces of a vocabulary and longest piece, in bytes.
const MOST_PIECES: usize = 1 << 16;
const LONGEST: usize = 64;
/// Signs and keywords with their spaces that occur less often are spelled by characters.
const LEAST_ATOMS: usize = 3;

/// Words of SQL that are pieces of their own, with the spaces beside them.
const KEYWORDS: [&str; 33] = [
    "select",
    "from",
    "where",
    "group",
    "order",
    "by",
    "having",
    "limit",
    "join",
    "on",
    "as",
    "and",
    "or",
    "not",
    "in",
    "like",
    "between",
    "union",
    "intersect",
    "except",
    "distinct",
    "count",
    "sum",
    "avg",
    "min",
    "max",
    "asc",
    "desc",
    "is",
    "null",
    "exists",
    "joins",
    "selects",
];

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric()
}

/// A query cut into runs of letters and digits that are no keywords, and everything else with its spaces. One after another they are the query.
fn atoms(text: &str) -> Vec<(bool, &str)> {
    let (mut found, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let spaces = rest.len() - rest.trim_start_matches(' ').len();
        let body = &rest[spaces..];
        let run = body.find(|c| !is_word(c)).unwrap_or(body.len());
        let mut length = match body.chars().next() {
            None => 0,
            Some(_) if run > 0 && !KEYWORDS.contains(&&body[..run]) => {
                if spaces > 0 {
                    found.push((false, &rest[..spaces]));
                }
                found.push((true, &body[..run]));
                rest = &body[run..];
                continue;
            }
            Some(_) if run > 0 => run,
            Some(c) => c.len_utf8(),
        };
        if body[length..].starts_with(' ') {
            length += 1;
        }
        found.push((false, &rest[..spaces + length]));
        rest = &body[length..];
    }
    found
}

/// A vocabulary of pieces and the merges that make words of characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Plain", into = "Plain")]
pub struct SubWords {
    pieces: Vec<String>,
    numbers: BTreeMap<String, u32>,
    /// The piece that two pieces make, with the order of the merge.
    merges: BTreeMap<(u32, u32), (usize, u32)>,
    plain: Plain,
}

/// What makes a vocabulary: signs and keywords with their spaces, sorted; and pairs of pieces in the order in which they are merged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plain {
    atoms: Vec<String>,
    merges: Vec<(u32, u32)>,
}

impl From<SubWords> for Plain {
    fn from(words: SubWords) -> Self {
        words.plain
    }
}

impl TryFrom<Plain> for SubWords {
    type Error = String;

    fn try_from(plain: Plain) -> Result<Self, String> {
        if plain.atoms.len() + plain.merges.len() > MOST_PIECES {
            return Err(format!("more than {MOST_PIECES} pieces"));
        }
        if plain.atoms.windows(2).any(|pair| pair[0] >= pair[1]) || plain.atoms.iter().any(|atom| atom.is_empty() || atom.len() > LONGEST) {
            return Err("signs that are not sorted, or one that is empty or too long".into());
        }
        let mut pieces = vec![String::new(), String::new()];
        pieces.extend((' '..='~').map(String::from));
        let characters = pieces.len();
        pieces.extend(plain.atoms.iter().filter(|atom| atom.len() > 1).cloned());
        let (words, mut merges) = (pieces.len(), BTreeMap::new());
        for (order, &(a, b)) in plain.merges.iter().enumerate() {
            let part = |number: u32| {
                let number = number as usize;
                pieces.get(number).filter(|_| (2..characters).contains(&number) || number >= words).cloned()
            };
            let (Some(a_text), Some(b_text)) = (part(a), part(b)) else { return Err("a merge of what is no part of a word".into()) };
            if a_text.len() + b_text.len() > LONGEST || merges.contains_key(&(a, b)) {
                return Err("a merge that is too long, or there twice".into());
            }
            merges.insert((a, b), (order, pieces.len() as u32));
            pieces.push(a_text + &b_text);
        }
        let numbers = pieces.iter().enumerate().skip(2).rev().map(|(i, piece)| (piece.clone(), i as u32)).collect();
        Ok(Self { pieces, numbers, merges, plain })
    }
}

impl SubWords {
    /// Learns a vocabulary of about `most` pieces: `queries` are cut into signs and words, `texts` have words alone.
    ///
    /// # Errors
    /// When there is too much to be kept.
    pub fn learn<'t>(
        queries: impl IntoIterator<Item = &'t str>,
        texts: impl IntoIterator<Item = &'t str>,
        most: usize,
    ) -> Result<Self, String> {
        let (mut signs, mut words): (BTreeMap<String, usize>, BTreeMap<String, usize>) = (BTreeMap::new(), BTreeMap::new());
        for query in queries {
            for (is_word, atom) in atoms(query) {
                *if is_word { &mut words } else { &mut signs }.entry(atom.to_owned()).or_default() += 1;
            }
        }
        for text in texts {
            for word in text.split(|c| !is_word(c)).filter(|word| !word.is_empty() && word.len() <= LONGEST) {
                *words.entry(word.to_owned()).or_default() += 1;
            }
        }
        let fits = |(atom, count): &(String, usize)| *count >= LEAST_ATOMS && atom.len() > 1 && atom.len() <= LONGEST && atom.is_ascii();
        let atoms = signs.into_iter().filter(fits).map(|(atom, _)| atom).collect();
        let start = Self::try_from(Plain { atoms, merges: vec![] })?;
        let merges = merge(&start, words, most.min(MOST_PIECES).saturating_sub(start.len()));
        Self::try_from(Plain { merges, ..start.plain })
    }

    pub fn len(&self) -> usize {
        self.pieces.len()
    }

    pub fn is_empty(&self) -> bool {
        false
    }

    /// What each piece spells.
    pub fn pieces(&self) -> &[String] {
        &self.pieces
    }

    fn characters(&self, text: &str) -> Vec<u32> {
        let mut buffer = [0; 4];
        text.chars().map(|c| self.numbers.get(&*c.encode_utf8(&mut buffer)).copied().unwrap_or(UNKNOWN)).collect()
    }

    /// A run of letters and digits in pieces.
    fn word(&self, text: &str) -> Vec<u32> {
        let mut parts = self.characters(text);
        loop {
            let found = parts.windows(2).enumerate().filter_map(|(i, pair)| Some((self.merges.get(&(pair[0], pair[1]))?, i))).min();
            let Some((&(_, made), at)) = found else { return parts };
            let pair = (parts[at], parts[at + 1]);
            let mut merged = Vec::with_capacity(parts.len());
            let mut i = 0;
            while i < parts.len() {
                if i + 1 < parts.len() && (parts[i], parts[i + 1]) == pair {
                    merged.push(made);
                    i += 2;
                } else {
                    merged.push(parts[i]);
                    i += 1;
                }
            }
            parts = merged;
        }
    }

    /// A query, a template or a plan in pieces that are it, one after another.
    pub fn written(&self, text: &str) -> Vec<u32> {
        let one = |(is_word, atom): (bool, &str)| match self.numbers.get(atom) {
            _ if is_word => self.word(atom),
            Some(&number) if atom.len() > 1 => vec![number],
            _ => self.characters(atom),
        };
        atoms(text).into_iter().flat_map(one).collect()
    }

    /// A text to be read: its words and signs without spaces.
    pub fn read(&self, text: &str) -> Vec<u32> {
        let (mut found, mut rest) = (Vec::new(), text);
        while let Some(c) = rest.chars().next() {
            let length = rest.find(|c| !is_word(c)).filter(|&end| end > 0).unwrap_or(if is_word(c) { rest.len() } else { c.len_utf8() });
            let (part, after) = rest.split_at(length);
            if is_word(c) {
                found.extend(self.word(part));
            } else if !c.is_whitespace() {
                found.extend(self.characters(part));
            }
            rest = after;
        }
        found
    }
}

/// The merges of the pairs that occur most, ties to the pair of lower numbers.
fn merge(start: &SubWords, words: BTreeMap<String, usize>, most: usize) -> Vec<(u32, u32)> {
    let mut parts: Vec<(Vec<u32>, usize)> = words.into_iter().map(|(word, count)| (start.characters(&word), count)).collect();
    let mut counts: BTreeMap<(u32, u32), usize> = BTreeMap::new();
    let mut places: BTreeMap<(u32, u32), BTreeSet<usize>> = BTreeMap::new();
    for (i, (word, count)) in parts.iter().enumerate() {
        for pair in word.windows(2) {
            *counts.entry((pair[0], pair[1])).or_default() += count;
            places.entry((pair[0], pair[1])).or_default().insert(i);
        }
    }
    let mut lengths: Vec<usize> = start.pieces.iter().map(String::len).collect();
    let mut merges = Vec::new();
    while merges.len() < most {
        let fits =
            |pair: &(u32, u32)| ![pair.0, pair.1].contains(&UNKNOWN) && lengths[pair.0 as usize] + lengths[pair.1 as usize] <= LONGEST;
        let best = counts.iter().filter(|(pair, count)| **count > 1 && fits(pair)).max_by(|a, b| a.1.cmp(b.1).then(b.0.cmp(a.0)));
        let Some((&pair, _)) = best else { break };
        let made = lengths.len() as u32;
        lengths.push(lengths[pair.0 as usize] + lengths[pair.1 as usize]);
        merges.push(pair);
        for i in places.remove(&pair).unwrap_or_default() {
            let (word, count) = &mut parts[i];
            for old in word.windows(2) {
                if let Some(left) = counts.get_mut(&(old[0], old[1])) {
                    *left = left.saturating_sub(*count);
                }
            }
            let (mut merged, mut at) = (Vec::with_capacity(word.len()), 0);
            while at < word.len() {
                let here = at + 1 < word.len() && (word[at], word[at + 1]) == pair;
                merged.push(if here { made } else { word[at] });
                at += 1 + usize::from(here);
            }
            *word = merged;
            for new in word.windows(2) {
                *counts.entry((new[0], new[1])).or_default() += *count;
                places.entry((new[0], new[1])).or_default().insert(i);
            }
        }
        counts.remove(&pair);
    }
    merges
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUERIES: [&str; 3] = [
        "select t1.singer_name, count(*) from singer as t1 where t1.age > 20 group by t1.singer_name",
        "1 joins @ 2 selects @ select column from table where column = string",
        "select name from singer where city = 'New York' and singer_id in (select singer_id from song)",
    ];

    fn learned() -> SubWords {
        let queries = QUERIES.iter().copied().cycle().take(12);
        SubWords::learn(queries, ["Which singers sing?", "singer : singer_id, name"], 200).unwrap()
    }

    #[test]
    fn texts_are_their_pieces_and_names_have_the_same_ones_everywhere() {
        let words = learned();
        let text = |pieces: &[u32]| pieces.iter().map(|&piece| words.pieces()[piece as usize].as_str()).collect::<String>();
        for query in QUERIES.iter().copied().chain(["select  x from `a b`", "", " ", "zzz_9", "t1.singer_idx", "select max(a)  "]) {
            assert_eq!(text(&words.written(query)), query);
        }
        let read = words.read("singer : singer_id, name");
        let written = words.written("singer_id");
        assert!(read.windows(written.len()).any(|part| part == written), "{read:?} {written:?}");
        // What occurs often is one piece, with its spaces where it is a keyword.
        for piece in [" from ", "select ", " where ", " = ", ", ", "singer", "(", "*"] {
            assert_eq!(words.written(piece).len(), 1, "{piece}");
        }
        assert_eq!(words.read("né"), [words.read("n"), vec![UNKNOWN]].concat());
        assert!(words.len() <= 200);
    }

    #[test]
    fn vocabularies_come_back_from_what_makes_them_and_damaged_ones_are_refused() {
        let words = learned();
        let json = serde_json::to_string(&words).unwrap();
        assert_eq!(serde_json::from_str::<SubWords>(&json).unwrap(), words);
        for bad in [
            r#"{"atoms":["b","a"],"merges":[]}"#,
            r#"{"atoms":[""],"merges":[]}"#,
            r#"{"atoms":[],"merges":[[0,5]]}"#,
            r#"{"atoms":[],"merges":[[5,4000000000]]}"#,
            r#"{"atoms":[],"merges":[[5,6],[5,6]]}"#,
        ] {
            assert!(serde_json::from_str::<SubWords>(bad).is_err(), "{bad}");
        }
    }
}
