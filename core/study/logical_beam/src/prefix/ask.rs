//! What may follow the tokens of a query under way, and whether a token, whole or still growing, is such a thing.

use super::{
    lex::{Kind, LONGEST_WORD},
    scope::Scope,
};

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

/// What may stand at a place.
#[derive(Debug)]
pub(super) enum Ask {
    Word(&'static str),
    Mark(&'static str),
    /// A quoted text.
    Text,
    WholeNumber,
    /// A quoted text or a number.
    Literal,
    /// Any name, perhaps with its owner.
    Name {
        owned: bool,
    },
    /// A column of the schema, as things stand there.
    Column(Box<Scope>),
    /// One of these words.
    OneOf(Vec<String>),
}

/// Whether a word can be a name where names are not checked.
fn is_name(word: &str, owned: bool) -> bool {
    word.split('.').all(|part| !part.is_empty() && !is_reserved(part)) && (owned || !word.contains('.'))
}

impl Ask {
    /// Whether a token is what is asked for.
    pub(super) fn is(&self, kind: &Kind) -> bool {
        match (self, kind) {
            (Self::Word(word), Kind::Word(found)) => **found == **word,
            (Self::Mark(mark), Kind::Mark(found)) => found == mark,
            (Self::Text | Self::Literal, Kind::Text)
            | (Self::WholeNumber, Kind::Number { whole: true })
            | (Self::Literal, Kind::Number { .. }) => true,
            (Self::Name { owned }, Kind::Word(word)) => is_name(word, *owned),
            (Self::Column(scope), Kind::Word(word)) => scope.has(word),
            (Self::OneOf(words), Kind::Word(found)) => words.iter().any(|word| **word == **found),
            _ => false,
        }
    }

    /// Whether what is asked for can begin with a token that may still grow.
    fn begins(&self, kind: &Kind) -> bool {
        match (self, kind) {
            (Self::Word(word), Kind::Word(part)) => word.starts_with(&**part),
            (Self::Mark(mark), Kind::Mark(part)) => mark.starts_with(part),
            // What begins with a minus may become a number.
            (Self::Literal, Kind::Mark(part)) => *part == "-",
            // What stands before a period is whole, and so is a word that cannot grow.
            (Self::Name { owned: true }, Kind::Word(part)) => {
                let grows = part.chars().count() < LONGEST_WORD;
                part.split_once('.').is_none_or(|(owner, _)| is_name(owner, false)) && (grows || is_name(part, true))
            }
            (Self::Name { owned: false }, Kind::Word(part)) => !part.contains('.') && (part.len() < LONGEST_WORD || is_name(part, false)),
            (Self::Column(scope), Kind::Word(part)) => scope.begins(part),
            (Self::OneOf(words), Kind::Word(part)) => words.iter().any(|word| word.starts_with(&**part)),
            _ => self.is(kind),
        }
    }

    /// Whether there is anything that it asks for.
    fn can_be(&self) -> bool {
        match self {
            Self::Column(scope) => scope.begins(""),
            Self::OneOf(words) => !words.is_empty(),
            _ => true,
        }
    }
}

/// What may follow some tokens.
#[derive(Debug)]
pub struct Next {
    pub(super) asks: Vec<Ask>,
    pub(super) is_query: bool,
}

impl Next {
    /// Whether the tokens are a query.
    pub fn is_query(&self) -> bool {
        self.is_query
    }

    /// Whether a token, whole, may come next. What it leads to is another question.
    pub fn takes(&self, kind: &Kind) -> bool {
        self.asks.iter().any(|ask| ask.is(kind))
    }

    /// Whether the text can go on that ends with this token, which may grow, or with the tokens themselves.
    pub fn goes_on(&self, open: Option<&Kind>) -> bool {
        match open {
            Some(kind) => self.asks.iter().any(|ask| ask.begins(kind)),
            None => self.is_query || self.asks.iter().any(Ask::can_be),
        }
    }
}
