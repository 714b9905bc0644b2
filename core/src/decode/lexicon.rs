//! Tokens by their spelling: which of a vocabulary a machine over characters accepts.
//!
//! **Idea.** What a text may be is a question of characters; which tokens may follow is one of a vocabulary. A [`Machine`] reads characters and knows nothing of tokens, so a rule
//! written as one holds whatever the tokenisation.
//!
//! **Method.** Pieces are sorted once. Walking the machine through them together shares what pieces have in common, and a character that the machine refuses ends all pieces that go
//! on with it.

use std::rc::Rc;

use super::constraint::{Constraint, Mask};

/// A state that reads characters.
pub trait Machine: Clone {
    /// The state behind `c`; `None` where no text goes on so.
    fn step(&self, c: char) -> Option<Self>;

    /// The state behind a text.
    fn read(&self, text: &str) -> Option<Self> {
        let mut state = self.clone();
        for c in text.chars() {
            state = state.step(c)?;
        }
        Some(state)
    }
}

/// What the tokens of a vocabulary spell, sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lexicon {
    pieces: Vec<String>,
    /// Tokens that spell something, by their spelling.
    order: Vec<u32>,
}

impl Lexicon {
    pub fn new(pieces: &[String]) -> Self {
        let mut order: Vec<u32> = (0..).zip(pieces).filter(|(_, piece)| !piece.is_empty()).map(|(token, _)| token).collect();
        order.sort_by(|a, b| pieces[*a as usize].cmp(&pieces[*b as usize]).then(a.cmp(b)));
        Self { pieces: pieces.to_vec(), order }
    }

    /// What a token spells; nothing for one that is not there.
    pub fn piece(&self, token: u32) -> &str {
        self.pieces.get(token as usize).map_or("", String::as_str)
    }

    /// The tokens that the machine accepts, each with the state behind it. Those that spell nothing are left out: they would never bring a text further.
    pub fn walk<M: Machine>(&self, machine: &M, mut found: impl FnMut(u32, &M)) {
        // Tokens `from..to` share their first `offset` bytes, which lead to the state.
        let mut open = vec![(0, self.order.len(), 0, machine.clone())];
        while let Some((mut from, to, offset, state)) = open.pop() {
            while from < to {
                let token = self.order[from];
                let Some(c) = self.piece(token)[offset..].chars().next() else {
                    found(token, &state);
                    from += 1;
                    continue;
                };
                let same = |token: &u32| self.piece(*token)[offset..].starts_with(c);
                let end = from + self.order[from..to].partition_point(same);
                if let Some(next) = state.step(c) {
                    open.push((from, end, offset + c.len_utf8(), next));
                }
                from = end;
            }
        }
    }

    /// The token of the longest spelling that begins `text`, the lowest id among equals.
    pub fn longest(&self, text: &str) -> Option<u32> {
        let ends = text.char_indices().map(|(at, c)| at + c.len_utf8()).rev();
        let mut prefixes = ends.map(|end| &text[..end]);
        prefixes.find_map(|prefix| {
            let at = self.order.partition_point(|token| self.piece(*token) < prefix);
            self.order.get(at).copied().filter(|token| self.piece(*token) == prefix)
        })
    }
}

/// The text begins so, in whatever tokens the model prefers; the last of them may say more.
#[derive(Debug, Clone)]
pub struct ForcedText {
    lexicon: Rc<Lexicon>,
    /// By place in the text, the tokens after which the rest can still be spelled.
    allowed: Rc<Vec<Vec<u32>>>,
    at: usize,
}

/// What is left of a forced text.
#[derive(Clone)]
struct Rest<'a>(&'a str);

impl Machine for Rest<'_> {
    fn step(&self, c: char) -> Option<Self> {
        if self.0.is_empty() { Some(self.clone()) } else { self.0.strip_prefix(c).map(Self) }
    }
}

impl ForcedText {
    /// `None` where the vocabulary cannot spell the text.
    pub fn new(lexicon: &Rc<Lexicon>, text: &str) -> Option<Self> {
        let mut allowed: Vec<Vec<u32>> = vec![vec![]; text.len()];
        for at in (0..text.len()).rev().filter(|at| text.is_char_boundary(*at)) {
            let mut tokens = vec![];
            lexicon.walk(&Rest(&text[at..]), |token, _| {
                let end = at + lexicon.piece(token).len();
                if end >= text.len() || !allowed[end].is_empty() {
                    tokens.push(token);
                }
            });
            allowed[at] = tokens;
        }
        let spelled = allowed.first().is_none_or(|tokens| !tokens.is_empty());
        spelled.then(|| Self { lexicon: Rc::clone(lexicon), allowed: Rc::new(allowed), at: 0 })
    }
}

impl Constraint for ForcedText {
    fn fork(&self) -> Box<dyn Constraint> {
        Box::new(self.clone())
    }

    fn mask(&self, mask: &mut Mask) {
        if let Some(tokens) = self.allowed.get(self.at) {
            mask.only(tokens.iter().copied());
        }
    }

    fn advance(&mut self, token: u32) {
        self.at = self.at.saturating_add(self.lexicon.piece(token).len());
    }

    fn is_final(&self) -> bool {
        self.at >= self.allowed.len()
    }

    fn reason(&self) -> Option<String> {
        (!self.is_final()).then(|| "forced text".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lexicon(pieces: &[&str]) -> Rc<Lexicon> {
        Rc::new(Lexicon::new(&pieces.iter().map(|piece| (*piece).to_owned()).collect::<Vec<_>>()))
    }

    #[test]
    fn a_walk_finds_what_trying_each_token_finds() {
        let lexicon = lexicon(&["", "a", "ab", "b", "abc", "é", "a", "éb", "c"]);
        for text in ["ab", "abcé", "éb", "x", "aab"] {
            let mut found = vec![];
            lexicon.walk(&Rest(text), |token, state| found.push((token, state.0.len())));
            found.sort_unstable();
            let tried = (1..9).filter_map(|token| Rest(text).read(lexicon.piece(token)).map(|state| (token, state.0.len())));
            assert_eq!(found, tried.collect::<Vec<_>>(), "{text}");
        }
        assert_eq!((lexicon.longest("abcd"), lexicon.longest("aé"), lexicon.longest("x")), (Some(4), Some(1), None));
    }

    #[test]
    fn forced_text_avoids_tokens_that_lead_nowhere() {
        // `joi` begins the text, but nothing spells what is left.
        let lexicon = lexicon(&["", "jo", "joi", "ins", "ins @", "x"]);
        let mut forced = ForcedText::new(&lexicon, "joins").unwrap();
        let allowed = |forced: &ForcedText| {
            let mut mask = Mask::all(6);
            forced.mask(&mut mask);
            (0..6).filter(|token| mask.allows(*token)).collect::<Vec<_>>()
        };
        assert_eq!((allowed(&forced), forced.is_final()), (vec![1], false));
        forced.advance(1);
        assert_eq!(allowed(&forced), [3, 4], "the last token may say more");
        forced.advance(4);
        assert_eq!((allowed(&forced).len(), forced.is_final()), (6, true));
        assert!(ForcedText::new(&lexicon, "joy").is_none());
    }
}
