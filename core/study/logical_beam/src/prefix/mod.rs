//! Queries while they are written: whether a text can still become one.
//!
//! **Idea.** A model that is stopped at the first word that leads nowhere writes only queries that can be read. The check is of characters, so it holds whatever the tokens are, and its state is the
//! text read so far ([`state`]), so every hypothesis has its own.
//!
//! **Method.** The text so far is cut into tokens ([`lex`]) and read by the grammar of Spider's queries ([`parse`]): where the text ends, the reader notes what may stand there ([`ask`]): something has to begin
//! like the last, unfinished word. Three strengths: tokens and brackets only; the grammar, with any names; the grammar with names of the schema ([`scope`]), where a column is one of a
//! table in FROM and an alias means one table. Every part of a query has a largest number, and behind a length none is begun that can be left out, so what is written comes to an end. The rules are stricter than SQL: what the
//! official evaluator cannot read (a list behind IN, a projection alias) is not written.
//!
//! Only continuations that a search is about to take are checked ([`SqlConstraint::looks`] of them at most), as in PICARD.
//!
//! **Source.** Scholak, Schucher, Bahdanau, "PICARD: Parsing Incrementally for Constrained Auto-Regressive Decoding from Language Models", EMNLP 2021.

pub mod ask;
pub mod lex;
pub mod parse;
pub mod scope;
pub mod state;
pub mod trial;

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::sql::schema::Schema;
use scope::Tables;
use state::State;
use vitrine_core::decode::{Constraint, Lexicon, Mask};

/// What is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Tokens, quotes and brackets.
    Lexing,
    /// The grammar; names are any words.
    Parsing,
    /// The grammar, and what names mean.
    Guarded,
}

/// A schema of which no name can be written bare, so that no query can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no table of the schema has a name and a column that can be written without quotes")]
pub struct NoNames;

/// The rules for queries of one schema.
#[derive(Debug)]
pub struct Rules {
    mode: Mode,
    tables: Rc<Tables>,
}

impl Rules {
    /// # Errors
    /// [`NoNames`], where names are checked.
    pub fn new(mode: Mode, schema: &Schema) -> Result<Self, NoNames> {
        let tables = Rc::new(Tables::new(schema));
        if mode == Mode::Guarded && tables.is_empty() { Err(NoNames) } else { Ok(Self { mode, tables }) }
    }
}

/// The rules as a constraint on a search.
#[derive(Debug, Clone)]
pub struct SqlConstraint {
    rules: Rc<Rules>,
    lexicon: Rc<Lexicon>,
    state: State,
    looks: usize,
}

impl SqlConstraint {
    /// `looks` is the largest number of continuations of a hypothesis that are considered, the likeliest ones; `usize::MAX` for all.
    pub fn new(rules: Rc<Rules>, lexicon: &Rc<Lexicon>, looks: usize) -> Self {
        Self { rules, lexicon: Rc::clone(lexicon), state: State::default(), looks }
    }
}

impl Constraint for SqlConstraint {
    fn fork(&self) -> Box<dyn Constraint> {
        Box::new(self.clone())
    }

    fn mask(&self, _: &mut Mask) {}

    fn check(&self, token: u32) -> Result<(), String> {
        let piece = self.lexicon.piece(token);
        // The end, which the search allows where the text is a query, spells nothing; no other such token is taken.
        if piece.is_empty() {
            return if self.is_final() { Ok(()) } else { Err("the token spells nothing".into()) };
        }
        if self.state.can_go_on(&self.rules, piece) { Ok(()) } else { Err(format!("no query goes on with {piece:?}")) }
    }

    fn advance(&mut self, token: u32) {
        self.state.push(self.lexicon.piece(token));
    }

    fn is_final(&self) -> bool {
        self.state.is_query(&self.rules)
    }

    fn looks(&self) -> usize {
        self.looks
    }

    fn reason(&self) -> Option<String> {
        Some(
            match self.rules.mode {
                Mode::Lexing => "the tokens of SQL",
                Mode::Parsing => "the grammar of SQL",
                Mode::Guarded => "the grammar of SQL and the names of the schema",
            }
            .into(),
        )
    }
}

#[cfg(test)]
mod tests;
