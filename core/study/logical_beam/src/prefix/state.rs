//! The text of one hypothesis, read up to its last word.
//!
//! **Idea.** A search asks of many pieces whether the same text can go on with them. What they share is read once: the tokens that cannot change any more stay as they are, and what may follow them is
//! known. A piece then costs its own characters and those of the unfinished word before it.
//!
//! **Method.** Only the last token of a text may grow. [`State`] keeps the tokens before it, its characters, and for each row of tokens that a piece has closed so far what may follow ([`Next`]);
//! most pieces close none, or the unfinished word, and most that close one are refused by the question whether that word may stand there. What may follow goes with the text as it grows. Answers are those of
//! [`Rules::can_go_on`] and [`Rules::is_query`] of the whole text, which the tests compare.

use std::{cell::RefCell, rc::Rc};

use super::{
    Mode, Rules,
    ask::Next,
    lex::{self, Cut, Kind, Place, Token},
};

/// What may follow the firm tokens and some more.
type Known = (Vec<Token>, Rc<Next>);

/// A text under way.
#[derive(Debug, Clone)]
pub struct State {
    /// Tokens that cannot change any more.
    firm: Vec<Token>,
    /// Brackets open behind them.
    depth: usize,
    /// The place behind them.
    place: Place,
    /// The characters behind that place: the token that may grow, or nothing.
    rest: String,
    open: Option<Token>,
    /// Whether no query begins with the text.
    dead: bool,
    known: RefCell<Vec<Known>>,
}

impl Default for State {
    fn default() -> Self {
        Self { firm: vec![], depth: 0, place: lex::START, rest: String::new(), open: None, dead: false, known: RefCell::default() }
    }
}

/// Rows of tokens remembered for one text: pieces of a vocabulary close few different ones.
const MOST_KNOWN: usize = 64;

impl State {
    /// What may follow the firm tokens and these.
    fn next(&self, rules: &Rules, more: &[Token]) -> Rc<Next> {
        if let Some((_, next)) = self.known.borrow().iter().find(|(tokens, _)| tokens == more) {
            return Rc::clone(next);
        }
        let next = Rc::new(rules.next([&self.firm, more]));
        let mut known = self.known.borrow_mut();
        if known.len() < MOST_KNOWN {
            known.push((more.to_vec(), Rc::clone(&next)));
        }
        next
    }

    fn cut(&self, piece: &str) -> Option<Cut> {
        if self.dead { None } else { lex::cut(self.place, &format!("{}{piece}", self.rest)) }
    }

    /// Whether the text and this piece can still become a query.
    pub fn can_go_on(&self, rules: &Rules, piece: &str) -> bool {
        let Some(cut) = self.cut(piece) else { return false };
        if rules.mode == Mode::Lexing {
            return brackets(self.depth, &cut);
        }
        let steps = (0..cut.firm.len()).all(|at| self.next(rules, &cut.firm[..at]).takes(&cut.firm[at].kind));
        steps && self.next(rules, &cut.firm).goes_on(cut.open.as_ref().map(|token| &token.kind))
    }

    /// The text goes on.
    pub fn push(&mut self, piece: &str) {
        let Some(cut) = self.cut(piece) else {
            self.dead = true;
            return;
        };
        let Some(depth) = lex::depth(self.depth, &cut.firm) else {
            self.dead = true;
            return;
        };
        self.depth = depth;
        self.rest.push_str(piece);
        self.rest.drain(..cut.place.at - self.place.at);
        (self.place, self.open) = (cut.place, cut.open);
        let known = self.known.get_mut();
        known.retain_mut(|(tokens, _)| {
            let goes_on = tokens.starts_with(&cut.firm);
            if goes_on {
                tokens.drain(..cut.firm.len());
            }
            goes_on
        });
        self.firm.extend(cut.firm);
    }

    /// Whether the text is a query.
    pub fn is_query(&self, rules: &Rules) -> bool {
        let open = self.open.as_slice();
        let whole = !self.dead && open.iter().all(|token| !token.half);
        if rules.mode == Mode::Lexing {
            let empty = self.firm.is_empty() && open.is_empty();
            return whole && !empty && lex::depth(self.depth, open) == Some(0);
        }
        // A word that no query goes on with is not read.
        let begins = open.iter().all(|token| self.next(rules, &[]).takes(&token.kind));
        whole && begins && self.next(rules, open).is_query()
    }
}

/// Whether brackets are in order and a query can go on, `depth` of them being open before.
fn brackets(depth: usize, cut: &Cut) -> bool {
    let tokens = cut.firm.iter().chain(&cut.open);
    let ends = tokens.clone().last().is_some_and(|token| token.kind == Kind::Mark(";"));
    lex::depth(depth, tokens).is_some_and(|depth| depth == 0 || !ends)
}

impl Rules {
    /// What may follow tokens that cannot change any more, given in two parts.
    fn next(&self, tokens: [&[Token]; 2]) -> Next {
        super::parse::Parser::new(tokens, self.mode, &self.tables).next()
    }

    /// Whether the text can still become a query.
    pub fn can_go_on(&self, text: &str) -> bool {
        let Some(cut) = lex::cut(lex::START, text) else { return false };
        match self.mode {
            Mode::Lexing => brackets(0, &cut),
            Mode::Parsing | Mode::Guarded => self.next([&cut.firm, &[]]).goes_on(cut.open.as_ref().map(|token| &token.kind)),
        }
    }

    /// Whether the text is a query.
    pub fn is_query(&self, text: &str) -> bool {
        let Some(cut) = lex::cut(lex::START, text) else { return false };
        let open = cut.open.as_slice();
        let whole = open.iter().all(|token| !token.half) && !(cut.firm.is_empty() && open.is_empty());
        match self.mode {
            Mode::Lexing => whole && lex::depth(0, cut.firm.iter().chain(open)) == Some(0),
            Mode::Parsing | Mode::Guarded => whole && self.next([&cut.firm, open]).is_query(),
        }
    }
}
