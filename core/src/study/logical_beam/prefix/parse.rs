//! The grammar of queries under way: one pass, no way back.
//!
//! The reader asks for one thing after another. Where the text ends it has nothing to give, but notes whether the thing asked for begins like the last, unfinished token: that is what may follow. So
//! one description of the grammar both reads queries and tells what can still become one.

use super::{
    Mode,
    lex::{Kind, LONGEST_WORD, Token},
    scope::{Block, MOST_TABLES, Scope, Tables},
};
use crate::study::logical_beam::sql::text::AGGREGATES;

/// Largest numbers of parts, so that every query ends: above all that Spider has.
const MOST_ITEMS: usize = 8;
const MOST_CONDITIONS: usize = 8;
const MOST_GROUPS: usize = 4;
const MOST_SETS: usize = 3;
const DEEPEST: usize = 4;

/// Words of the grammar and words that `SQLite` does not take as names.
pub fn is_reserved(word: &str) -> bool {
    const WORDS: &str = "add all alter and as asc autoincrement avg between by case check collate commit constraint count create cross \
                         current_date current_time current_timestamp default deferrable delete desc distinct drop else end escape \
                         except exists foreign from full glob group having if in index inner insert intersect into is isnull join left \
                         like limit max min natural none not nothing notnull null offset on or order outer primary raise recursive \
                         references regexp returning right rollback select set sum table then to transaction union unique update using \
                         values vacuum when where window with without";
    WORDS.split(' ').any(|reserved| reserved == word)
}

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
    tokens: &'a [Token],
    at: usize,
    /// Tokens that cannot change any more.
    firm: usize,
    /// Whether what may stand at the end begins as the text ends.
    viable: bool,
    mode: Mode,
    scope: Scope<'a>,
    tables: &'a Tables,
}

impl<'a> Parser<'a> {
    /// A reader of a text that is whole, or may go on.
    pub fn new(tokens: &'a [Token], whole: bool, mode: Mode, tables: &'a Tables) -> Self {
        let open = !whole && tokens.last().is_some_and(|token| token.open);
        let firm = tokens.len() - usize::from(open);
        Self { tokens, at: 0, firm, viable: false, mode, scope: Scope::new(tables), tables }
    }

    pub fn is_query(mut self) -> bool {
        self.whole_text().is_ok() && self.at == self.tokens.len()
    }

    pub fn can_go_on(mut self) -> bool {
        let read = self.whole_text();
        self.viable || (read.is_ok() && self.at == self.tokens.len())
    }

    fn whole_text(&mut self) -> Read {
        self.query(0, Items::Any, 0)?;
        let _ = self.mark(";");
        Ok(())
    }

    /// The token here, if it cannot change any more.
    fn firm(&self) -> Option<&'a Kind> {
        self.tokens[..self.firm].get(self.at).map(|token| &token.kind)
    }

    /// Takes a token that passes; at the end notes whether `begins` holds for the unfinished one (anything may come where there is none).
    fn take(&mut self, is: impl Fn(&Kind) -> bool, begins: impl Fn(&Kind) -> bool) -> bool {
        if self.at < self.firm {
            let found = self.firm().is_some_and(is);
            self.at += usize::from(found);
            return found;
        }
        self.viable |= self.tokens.get(self.at).is_none_or(|token| begins(&token.kind));
        false
    }

    fn word(&mut self, word: &str) -> bool {
        self.take(
            |kind| matches!(kind, Kind::Word(found) if found == word),
            |kind| matches!(kind, Kind::Word(part) if word.starts_with(part.as_str())),
        )
    }

    fn mark(&mut self, mark: &str) -> bool {
        self.take(
            |kind| matches!(kind, Kind::Mark(found) if *found == mark),
            |kind| matches!(kind, Kind::Mark(part) if mark.starts_with(part)),
        )
    }

    fn one_of(&mut self, words: &[&str]) -> bool {
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
            if simple && self.word("order") {
                self.order()?;
                sorted = true;
            }
            if self.word("limit") {
                let found = self.take(|kind| *kind == Kind::Number { whole: true }, |kind| *kind == Kind::Number { whole: true });
                Self::need(found)?;
                sorted = true;
            }
        }
        self.scope.blocks.pop();
        if !sorted && sets < MOST_SETS && items != Items::Any && self.one_of(&["union", "intersect", "except"]) {
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
                Items::Any => n < MOST_ITEMS,
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
            let fits = |word: &str| word.split('.').all(|part| !part.is_empty() && !is_reserved(part));
            // What stands before a period is whole, and so is a word that cannot grow.
            let begins = |part: &str| {
                let grows = part.chars().count() < LONGEST_WORD;
                part.split_once('.').is_none_or(|(owner, _)| fits(owner)) && (grows || fits(part))
            };
            let found =
                self.take(|kind| matches!(kind, Kind::Word(word) if fits(word)), |kind| matches!(kind, Kind::Word(part) if begins(part)));
            return Self::need(found);
        }
        if self.at < self.firm {
            let Some(Kind::Word(word)) = self.firm() else { return Err(Stop) };
            Self::need(self.scope.has(word))?;
            self.scope.take(word);
            self.at += 1;
            return Ok(());
        }
        self.viable |= match self.tokens.get(self.at).map(|token| &token.kind) {
            None => self.scope.begins(""),
            Some(Kind::Word(part)) => self.scope.begins(part),
            Some(_) => false,
        };
        Err(Stop)
    }

    /// FROM behind its word; whether it reads tables and no query.
    fn from(&mut self, depth: usize) -> Result<bool, Stop> {
        let waits = self.mode == Mode::Guarded && self.scope.blocks.last().is_some_and(Block::waits);
        if depth + 1 < DEEPEST && !waits && self.mark("(") {
            self.query(depth + 1, Items::Any, 0)?;
            let close = self.mark(")");
            return Self::need(close).map(|()| false);
        }
        let mut n = 0;
        loop {
            self.table()?;
            n += 1;
            if n > 1 && self.word("on") {
                // The tables so far are the ones there are.
                self.in_from(true);
                self.conditions(depth, (false, Some("on")))?;
                self.in_from(false);
            }
            let waits = self.mode == Mode::Guarded && self.scope.blocks.last().is_some_and(Block::waits);
            let joins = (n < MOST_TABLES || waits) && self.word("join");
            if !joins {
                return Self::need(!waits).map(|()| true);
            }
        }
    }

    fn table(&mut self) -> Read {
        if self.mode == Mode::Parsing {
            let fits = |kind: &Kind| matches!(kind, Kind::Word(word) if !word.contains('.') && !is_reserved(word));
            let begins =
                |kind: &Kind| matches!(kind, Kind::Word(word) if !word.contains('.') && (word.len() < LONGEST_WORD || !is_reserved(word)));
            let found = self.take(fits, begins);
            Self::need(found)?;
            if self.word("as") {
                let found = self.take(fits, begins);
                Self::need(found)?;
            }
            return Ok(());
        }
        if self.at >= self.firm {
            let part = match self.tokens.get(self.at).map(|token| &token.kind) {
                None => "",
                Some(Kind::Word(part)) => part,
                Some(_) => return Err(Stop),
            };
            self.viable |= self.tables.numbers().any(|table| self.tables.name(table).starts_with(part) && self.scope.fits(table));
            return Err(Stop);
        }
        let Some(Kind::Word(word)) = self.firm() else { return Err(Stop) };
        let table = self.tables.number(word).filter(|table| self.scope.fits(*table)).ok_or(Stop)?;
        self.at += 1;
        let has_alias = self.scope.fitting_aliases(table).next().is_some() && self.word("as");
        if !has_alias {
            Self::need(self.scope.may_be_bare(table))?;
            self.scope.add(table, None);
            return Ok(());
        }
        let aliases: Vec<String> = self.scope.fitting_aliases(table).collect();
        let found =
            self.firm().and_then(|kind| if let Kind::Word(word) = kind { aliases.iter().find(|alias| *alias == word) } else { None });
        if let Some(alias) = found {
            self.at += 1;
            self.scope.add(table, Some(alias.clone()));
            return Ok(());
        }
        self.take(|_| false, |kind| matches!(kind, Kind::Word(part) if aliases.iter().any(|alias| alias.starts_with(part.as_str()))));
        Err(Stop)
    }

    fn clauses(&mut self, depth: usize) -> Read {
        if !self.has_columns() {
            return Ok(());
        }
        if self.word("where") {
            self.conditions(depth, (false, None))?;
        }
        if self.word("group") {
            let by = self.word("by");
            Self::need(by)?;
            self.column()?;
            let mut n = 1;
            while n < MOST_GROUPS && self.mark(",") {
                self.column()?;
                n += 1;
            }
            if self.word("having") {
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
            let comma = n < MOST_GROUPS && self.mark(",");
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
            } else if nests && self.word("in") {
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
            let more = n < MOST_CONDITIONS && (self.word("and") || (!plain_column && self.word("or")));
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
        if self.take_literal() {
            return Ok(false);
        }
        if nests && matches!(self.firm(), Some(Kind::Mark("("))) {
            return self.nested(depth).map(|()| false);
        }
        if nests {
            let _ = self.mark("(");
        }
        self.column().map(|()| true)
    }

    fn text(&mut self) -> Read {
        let found = self.take(|kind| *kind == Kind::Text, |kind| *kind == Kind::Text);
        Self::need(found)
    }

    fn literal(&mut self) -> Read {
        let found = self.take_literal();
        Self::need(found)
    }

    /// A quoted text or a number; what begins with a minus may become one.
    fn take_literal(&mut self) -> bool {
        let literal = |kind: &Kind| matches!(kind, Kind::Text | Kind::Number { .. });
        self.take(literal, |kind| literal(kind) || *kind == Kind::Mark("-"))
    }
}
