//! The grammar of queries under way: one pass, no way back.
//!
//! The reader asks for one thing after another. Where the tokens end it has nothing to give, but notes what was asked for (`Ask`): that is what may follow. So one description of the grammar both reads queries
//! and tells what can still become one, and what may follow is found once for all the words that a model thinks of.

use std::rc::Rc;

use super::{
    Mode,
    ask::{Ask, Next},
    lex::{Kind, Token},
    scope::{Block, MOST_TABLES, Scope, Tables},
};
use crate::sql::text::AGGREGATES;

/// Largest numbers of parts, so that every query ends: above all that Spider has.
const MOST_ITEMS: usize = 8;
const MOST_CONDITIONS: usize = 8;
const MOST_GROUPS: usize = 4;
const MOST_SETS: usize = 3;
const DEEPEST: usize = 4;
/// Behind so many bytes no part is begun that a query can do without. What the parts under way still need is much less than what [`super::lex::LONGEST`] leaves.
pub const ROOMY: usize = 2_000;

/// The text goes no further than this.
struct Stop;

type Read = Result<(), Stop>;

/// Which rows a query gives: how many items its SELECT has to have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Items {
    Any,
    /// So many, none of them `*`.
    Exactly(usize),
    /// `*` alone.
    Star,
}

pub struct Parser<'a> {
    /// The tokens, in two parts.
    tokens: [&'a [Token]; 2],
    at: usize,
    asks: Vec<Ask>,
    mode: Mode,
    scope: Scope,
    tables: &'a Tables,
}

impl<'a> Parser<'a> {
    /// A reader of tokens that cannot change any more, in two parts.
    pub fn new(tokens: [&'a [Token]; 2], mode: Mode, tables: &'a Rc<Tables>) -> Self {
        Self { tokens, at: 0, asks: vec![], mode, scope: Scope::new(tables), tables }
    }

    pub fn next(mut self) -> Next {
        let read = self.whole_text();
        Next { asks: self.asks, is_query: read.is_ok() && self.at == self.tokens[0].len() + self.tokens[1].len() }
    }

    fn whole_text(&mut self) -> Read {
        self.query(0, Items::Any, 0)?;
        let _ = self.mark(";");
        Ok(())
    }

    fn token(&self, at: usize) -> Option<&'a Token> {
        let [first, second] = self.tokens;
        first.get(at).or_else(|| second.get(at.checked_sub(first.len())?))
    }

    /// The token here.
    fn here(&self) -> Option<&'a Kind> {
        self.token(self.at).map(|token| &token.kind)
    }

    /// Whether a part may begin here that a query can do without.
    fn roomy(&self) -> bool {
        self.at.checked_sub(1).and_then(|before| self.token(before)).is_none_or(|token| token.ends <= ROOMY)
    }

    /// Takes the token that is asked for, or notes at the end what was.
    fn take(&mut self, ask: Ask) -> bool {
        let Some(kind) = self.here() else {
            self.asks.push(ask);
            return false;
        };
        let found = ask.is(kind);
        self.at += usize::from(found);
        found
    }

    fn word(&mut self, word: &'static str) -> bool {
        self.take(Ask::Word(word))
    }

    fn mark(&mut self, mark: &'static str) -> bool {
        self.take(Ask::Mark(mark))
    }

    fn one_of(&mut self, words: &[&'static str]) -> bool {
        // No `any`: at the end all of them are asked.
        let mut found = false;
        for word in words {
            found = found || self.word(word);
        }
        found
    }

    fn need(found: bool) -> Read {
        if found { Ok(()) } else { Err(Stop) }
    }

    fn query(&mut self, depth: usize, items: Items, sets: usize) -> Read {
        let found = self.word("select");
        Self::need(found)?;
        self.scope.blocks.push(Block::default());
        let _ = self.word("distinct");
        let items = self.items(items)?;
        let found = self.word("from");
        Self::need(found)?;
        let simple = self.from(depth)?;
        self.in_from(true);
        if simple {
            self.clauses(depth)?;
        }
        let mut sorted = false;
        // The branches of a set operation are not sorted one by one.
        if sets == 0 {
            if simple && self.roomy() && self.word("order") {
                self.order()?;
                sorted = true;
            }
            if self.roomy() && self.word("limit") {
                let found = self.take(Ask::WholeNumber);
                Self::need(found)?;
                sorted = true;
            }
        }
        self.scope.blocks.pop();
        if !sorted && sets < MOST_SETS && items != Items::Any && self.roomy() && self.one_of(&["union", "intersect", "except"]) {
            self.query(depth, items, sets + 1)?;
        }
        Ok(())
    }

    /// Says whether columns are those of the tables in FROM.
    fn in_from(&mut self, there: bool) {
        if let Some(block) = self.scope.blocks.last_mut() {
            block.from = there;
        }
    }

    /// The SELECT list; gives what a set operation's other branch has to have, [`Items::Any`] where there can be none.
    fn items(&mut self, wanted: Items) -> Result<Items, Stop> {
        let (mut n, mut stars) = (0, 0);
        loop {
            let star = !matches!(wanted, Items::Exactly(_)) && self.mark("*");
            if star {
                stars += 1;
            } else {
                Self::need(wanted != Items::Star)?;
                self.item()?;
            }
            n += 1;
            let more = match wanted {
                Items::Any => n < MOST_ITEMS && self.roomy(),
                Items::Exactly(exactly) => n < exactly,
                Items::Star => false,
            };
            let comma = more && self.mark(",");
            if !comma {
                break;
            }
        }
        match wanted {
            Items::Exactly(exactly) => Self::need(n == exactly).map(|()| wanted),
            _ if stars == 0 => Ok(Items::Exactly(n)),
            _ => Ok(if n == 1 { Items::Star } else { Items::Any }),
        }
    }

    /// An item of the SELECT list: as [`Self::unit`], but the evaluator reads no operator behind an aggregate here.
    fn item(&mut self) -> Read {
        if self.aggregate()? {
            return Ok(());
        }
        self.column()?;
        self.operator(true)
    }

    /// A column, an aggregate of one, or two of them with an operator between.
    fn unit(&mut self, aggregates: bool) -> Read {
        self.operand(aggregates)?;
        self.operator(aggregates)
    }

    /// An operator and what stands behind it, or nothing.
    fn operator(&mut self, aggregates: bool) -> Read {
        if !self.roomy() {
            return Ok(());
        }
        for operator in ["-", "+", "/", "*"] {
            if self.mark(operator) {
                return self.operand(aggregates);
            }
        }
        Ok(())
    }

    fn operand(&mut self, aggregates: bool) -> Read {
        if aggregates && self.aggregate()? { Ok(()) } else { self.column() }
    }

    /// Whether an aggregate with its column stands here.
    fn aggregate(&mut self) -> Result<bool, Stop> {
        for aggregate in AGGREGATES {
            if self.word(aggregate) {
                let open = self.mark("(");
                Self::need(open)?;
                let star = aggregate == "count" && self.mark("*");
                if !star {
                    let _ = self.word("distinct");
                    self.column()?;
                }
                let close = self.mark(")");
                return Self::need(close).map(|()| true);
            }
        }
        Ok(false)
    }

    /// Whether a column can be written here at all.
    fn has_columns(&self) -> bool {
        self.mode == Mode::Parsing || self.scope.begins("")
    }

    fn column(&mut self) -> Read {
        if self.mode == Mode::Parsing {
            let found = self.take(Ask::Name { owned: true });
            return Self::need(found);
        }
        let Some(kind) = self.here() else {
            self.asks.push(Ask::Column(Box::new(self.scope.clone())));
            return Err(Stop);
        };
        let Kind::Word(word) = kind else { return Err(Stop) };
        Self::need(self.scope.has(word))?;
        self.scope.take(word);
        self.at += 1;
        Ok(())
    }

    /// FROM behind its word; whether it reads tables and no query.
    fn from(&mut self, depth: usize) -> Result<bool, Stop> {
        let waits = self.mode == Mode::Guarded && self.scope.blocks.last().is_some_and(Block::waits);
        if depth + 1 < DEEPEST && !waits && self.roomy() && self.mark("(") {
            self.query(depth + 1, Items::Any, 0)?;
            let close = self.mark(")");
            return Self::need(close).map(|()| false);
        }
        let mut n = 0;
        loop {
            self.table()?;
            n += 1;
            if n > 1 && self.roomy() && self.word("on") {
                // The tables so far are the ones there are.
                self.in_from(true);
                self.conditions(depth, (false, Some("on")))?;
                self.in_from(false);
            }
            let waits = self.mode == Mode::Guarded && self.scope.blocks.last().is_some_and(Block::waits);
            let joins = ((n < MOST_TABLES && self.roomy()) || waits) && self.word("join");
            if !joins {
                return Self::need(!waits).map(|()| true);
            }
        }
    }

    fn table(&mut self) -> Read {
        if self.mode == Mode::Parsing {
            let found = self.take(Ask::Name { owned: false });
            Self::need(found)?;
            if self.word("as") {
                let found = self.take(Ask::Name { owned: false });
                Self::need(found)?;
            }
            return Ok(());
        }
        let Some(kind) = self.here() else {
            let fitting = self.tables.numbers().filter(|table| self.scope.fits(*table));
            let names = fitting.map(|table| self.tables.name(table).to_owned()).collect();
            self.asks.push(Ask::OneOf(names));
            return Err(Stop);
        };
        let Kind::Word(word) = kind else { return Err(Stop) };
        let table = self.tables.number(word).filter(|table| self.scope.fits(*table)).ok_or(Stop)?;
        self.at += 1;
        // Whether there is an alias to give is asked only where the text ends.
        let may_have = self.here().is_some() || self.scope.fitting_aliases(table).next().is_some();
        if !(may_have && self.word("as")) {
            Self::need(self.scope.may_be_bare(table))?;
            self.scope.add(table, None);
            return Ok(());
        }
        let Some(kind) = self.here() else {
            let aliases = self.scope.fitting_aliases(table).map(str::to_owned).collect();
            self.asks.push(Ask::OneOf(aliases));
            return Err(Stop);
        };
        let Kind::Word(alias) = kind else { return Err(Stop) };
        Self::need(self.scope.may_be_called(table, alias))?;
        self.at += 1;
        self.scope.add(table, Some(alias));
        Ok(())
    }

    fn clauses(&mut self, depth: usize) -> Read {
        if !self.has_columns() {
            return Ok(());
        }
        if self.roomy() && self.word("where") {
            self.conditions(depth, (false, None))?;
        }
        if self.roomy() && self.word("group") {
            let by = self.word("by");
            Self::need(by)?;
            self.column()?;
            let mut n = 1;
            while n < MOST_GROUPS && self.roomy() && self.mark(",") {
                self.column()?;
                n += 1;
            }
            if self.roomy() && self.word("having") {
                self.conditions(depth, (true, None))?;
            }
        }
        Ok(())
    }

    fn order(&mut self) -> Read {
        let by = self.word("by");
        Self::need(by)?;
        let mut n = 0;
        loop {
            self.unit(true)?;
            let _ = self.one_of(&["asc", "desc"]);
            n += 1;
            let comma = n < MOST_GROUPS && self.roomy() && self.mark(",");
            if !comma {
                return Ok(());
            }
        }
    }

    /// Conditions: whether aggregates are allowed, and whether they belong to a join, where no query nests.
    fn conditions(&mut self, depth: usize, (aggregates, on): (bool, Option<&str>)) -> Read {
        let nests = depth + 1 < DEEPEST && on.is_none();
        let mut n = 0;
        loop {
            self.unit(aggregates)?;
            let negated = self.word("not");
            let mut plain_column = false;
            if self.word("like") {
                self.text()?;
            } else if self.word("between") {
                self.literal()?;
                let and = self.word("and");
                Self::need(and)?;
                self.literal()?;
            } else if nests && self.roomy() && self.word("in") {
                self.nested(depth)?;
            } else {
                Self::need(!negated)?;
                let mut compared = false;
                for comparison in ["=", "!=", ">=", "<=", ">", "<"] {
                    compared = compared || self.mark(comparison);
                }
                Self::need(compared)?;
                plain_column = self.value(depth, nests)?;
            }
            n += 1;
            // What the evaluator skips behind a column it does not read, so no OR follows one.
            let more = n < MOST_CONDITIONS && self.roomy() && (self.word("and") || (!plain_column && self.word("or")));
            if !more {
                return Ok(());
            }
        }
    }

    fn nested(&mut self, depth: usize) -> Read {
        let open = self.mark("(");
        Self::need(open)?;
        self.query(depth + 1, Items::Exactly(1), 0)?;
        let close = self.mark(")");
        Self::need(close)
    }

    /// What a column is compared with; whether it is a column.
    fn value(&mut self, depth: usize, nests: bool) -> Result<bool, Stop> {
        if self.take(Ask::Literal) {
            return Ok(false);
        }
        let nests = nests && self.roomy();
        if nests && matches!(self.here(), Some(Kind::Mark("("))) {
            return self.nested(depth).map(|()| false);
        }
        if nests {
            let _ = self.mark("(");
        }
        self.column().map(|()| true)
    }

    fn text(&mut self) -> Read {
        let found = self.take(Ask::Text);
        Self::need(found)
    }

    fn literal(&mut self) -> Read {
        let found = self.take(Ask::Literal);
        Self::need(found)
    }
}
