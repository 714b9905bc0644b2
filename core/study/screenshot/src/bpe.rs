//! A small byte-pair encoding, learned from the study's own text in a second.
//!
//! **Method.** Text is cut into words with the space before them; within words the most frequent pair of pieces becomes a piece, again and again (Sennrich, Haddow, Birch 2016; bytes as the
//! alphabet as in GPT-2, but only those seen). Of equally frequent pairs the one with the lower numbers goes first, so that the same text gives the same pieces.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// `<s>`, `<pad>`, `</s>` and what no piece spells: the first four numbers.
pub const START: u32 = 0;
pub const PAD: u32 = 1;
pub const END: u32 = 2;
pub const UNKNOWN: u32 = 3;
const SPECIAL: usize = 4;
/// Most pieces that are learned.
const MOST: usize = 1 << 13;

/// What is kept of an encoding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Learned {
    /// Bytes that are pieces, in order.
    pub bytes: Vec<u8>,
    /// Pairs that became pieces, in order.
    pub merges: Vec<[u32; 2]>,
}

/// Text to tokens and back.
#[derive(Debug, Clone, PartialEq)]
pub struct Bpe {
    learned: Learned,
    pieces: Vec<Vec<u8>>,
    of_byte: Vec<u32>,
    rank: BTreeMap<[u32; 2], u32>,
}

/// A token and the bytes it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    pub id: u32,
    pub start: usize,
    pub end: usize,
}

/// Words with the space before them, as byte ranges.
fn words(text: &[u8]) -> impl Iterator<Item = (usize, usize)> {
    let letter = |&byte: &u8| byte.is_ascii_alphanumeric() || byte == b'\'' || byte >= 0x80;
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at;
        let first = *text.get(at)?;
        at += 1;
        let head = if first == b' ' { text.get(at) } else { Some(&first) };
        let Some(head) = head else { return Some((start, at)) };
        if first == b' ' && *head != b' ' {
            at += 1;
        }
        if letter(head) {
            at += text[at..].iter().take_while(|byte| letter(byte)).count();
        }
        Some((start, at))
    })
}

impl Bpe {
    /// Learns up to `vocab` tokens, special ones included.
    #[must_use]
    pub fn learn<'a>(lines: impl Iterator<Item = &'a str>, vocab: usize) -> Self {
        let mut counts: BTreeMap<&[u8], u64> = BTreeMap::new();
        for line in lines {
            let line = line.as_bytes();
            words(line).for_each(|(start, end)| *counts.entry(&line[start..end]).or_default() += 1);
        }
        let mut seen = [false; 256];
        counts.keys().copied().flatten().for_each(|&byte| seen[usize::from(byte)] = true);
        let bytes: Vec<u8> = (0..=255).filter(|&byte| seen[usize::from(byte)]).collect();
        let mut bpe = Self::from(Learned { bytes, merges: vec![] });
        let mut words: Vec<(Vec<u32>, u64)> =
            counts.iter().map(|(word, &count)| (word.iter().map(|&byte| bpe.of_byte[usize::from(byte)]).collect(), count)).collect();
        let vocab = vocab.min(MOST);
        let mut pairs = vec![0_u64; vocab * vocab];
        while bpe.pieces.len() < vocab {
            pairs.fill(0);
            for (word, count) in &words {
                word.windows(2).for_each(|pair| pairs[pair[0] as usize * vocab + pair[1] as usize] += count);
            }
            // The first of the largest.
            let best = pairs.iter().enumerate().fold((0, 1), |best, (pair, &count)| if count > best.1 { (pair, count) } else { best });
            if best.1 < 2 {
                break;
            }
            let pair = [(best.0 / vocab) as u32, (best.0 % vocab) as u32];
            let id = bpe.merge(pair);
            for (word, _) in &mut words {
                join(word, pair, id);
            }
        }
        bpe
    }

    fn merge(&mut self, pair: [u32; 2]) -> u32 {
        let id = self.pieces.len() as u32;
        let piece = pair.iter().flat_map(|&part| self.pieces[part as usize].clone()).collect();
        self.pieces.push(piece);
        self.rank.insert(pair, id);
        self.learned.merges.push(pair);
        id
    }

    /// Reads what was kept.
    ///
    /// # Errors
    /// A sentence where pairs name pieces that are not there yet.
    pub fn read(learned: Learned) -> Result<Self, String> {
        if learned.merges.len() > MOST {
            return Err(format!("{} pairs are more than {MOST}", learned.merges.len()));
        }
        let mut bpe = Self::from(Learned { bytes: learned.bytes, merges: vec![] });
        for pair in learned.merges {
            if pair.iter().any(|&part| (part as usize) < SPECIAL || part as usize >= bpe.pieces.len()) {
                return Err(format!("the pair {pair:?} names a piece that is not there"));
            }
            if pair.iter().map(|&part| bpe.pieces[part as usize].len()).sum::<usize>() > 1024 {
                return Err("a piece is longer than 1,024 bytes".to_owned());
            }
            bpe.merge(pair);
        }
        Ok(bpe)
    }

    /// What is to be kept.
    #[must_use]
    pub fn learned(&self) -> &Learned {
        &self.learned
    }

    /// Number of tokens.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pieces.len()
    }

    /// Never: the special tokens are always there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Bytes of a token; none of a special one.
    #[must_use]
    pub fn piece(&self, id: u32) -> &[u8] {
        self.pieces.get(id as usize).map(Vec::as_slice).unwrap_or_default()
    }

    fn word(&self, word: &[u8]) -> Vec<u32> {
        let mut ids: Vec<u32> = word.iter().map(|&byte| self.of_byte[usize::from(byte)]).collect();
        // Pieces are numbered in the order in which they were learned.
        while let Some((&id, pair)) =
            ids.windows(2).filter_map(|pair| self.rank.get_key_value(&[pair[0], pair[1]])).map(|(pair, id)| (id, *pair)).min()
        {
            join(&mut ids, pair, id);
        }
        ids
    }

    /// The tokens of a text.
    #[must_use]
    pub fn encode(&self, text: &str) -> Vec<Token> {
        let mut known = BTreeMap::new();
        self.encode_with(text, &mut known)
    }

    /// As [`Self::encode`], remembering words between calls.
    pub fn encode_with<'t>(&self, text: &'t str, known: &mut BTreeMap<&'t [u8], Vec<u32>>) -> Vec<Token> {
        let bytes = text.as_bytes();
        let mut tokens = vec![];
        for (start, end) in words(bytes) {
            let word = &bytes[start..end];
            let ids = known.entry(word).or_insert_with(|| self.word(word));
            let mut at = start;
            for &id in ids.iter() {
                let length = self.piece(id).len().max(1);
                tokens.push(Token { id, start: at, end: at + length });
                at += length;
            }
        }
        tokens
    }

    /// The text of tokens.
    #[must_use]
    pub fn decode(&self, ids: &[u32]) -> String {
        String::from_utf8_lossy(&ids.iter().flat_map(|&id| self.piece(id).iter().copied()).collect::<Vec<u8>>()).into_owned()
    }
}

/// Each occurrence of a pair as one piece.
fn join(word: &mut Vec<u32>, pair: [u32; 2], id: u32) {
    let (mut from, mut to) = (0, 0);
    while from < word.len() {
        if word[from..].starts_with(&pair) {
            word[to] = id;
            from += 2;
        } else {
            word[to] = word[from];
            from += 1;
        }
        to += 1;
    }
    word.truncate(to);
}

impl From<Learned> for Bpe {
    /// An encoding by bytes; pairs are added one by one.
    fn from(learned: Learned) -> Self {
        let mut pieces = vec![vec![]; SPECIAL];
        let mut of_byte = vec![UNKNOWN; 256];
        for &byte in &learned.bytes {
            of_byte[usize::from(byte)] = pieces.len() as u32;
            pieces.push(vec![byte]);
        }
        Self { learned: Learned { merges: vec![], ..learned }, pieces, of_byte, rank: BTreeMap::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: [&str; 3] = ["the cat and the other cat", "then the hat, the bath", "that cat's hat"];

    #[test]
    fn frequent_words_become_pieces_and_all_text_comes_back() {
        let bpe = Bpe::learn(TEXT.into_iter(), 40);
        assert!((0..bpe.len() as u32).any(|id| bpe.piece(id) == b" the"));
        for text in TEXT.into_iter().chain(["a hat  cat", "", " "]) {
            let tokens = bpe.encode(text);
            let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
            assert_eq!(bpe.decode(&ids), text);
            assert!(tokens.iter().all(|token| text.as_bytes()[token.start..token.end] == *bpe.piece(token.id)));
        }
        let unknown = bpe.encode("é");
        assert!(unknown.len() == 2 && unknown.iter().all(|token| token.id == UNKNOWN) && unknown[1].end == 2);
    }

    #[test]
    fn what_is_kept_is_read_again() {
        let bpe = Bpe::learn(TEXT.into_iter(), 40);
        assert_eq!(Bpe::read(bpe.learned().clone()).unwrap(), bpe);
        assert!(Bpe::read(Learned { bytes: vec![b'a'], merges: vec![[4, 9]] }).is_err());
        assert!(
            Bpe::read(Learned { bytes: vec![b'a'], merges: (0..12).map(|i| [4 + i, 4 + i]).collect() }).is_err(),
            "pieces do not double for ever"
        );
    }
}
