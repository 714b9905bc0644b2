//! The tokens of a query under way.
//!
//! The spelling is strict where the official evaluator's is: operators stand between spaces, a comma is followed by one, a quoted text touches nothing and holds no quote of either kind. Spaces stand
//! alone, and names, numbers and texts have a largest length, so that no text grows for ever inside one token.

use std::rc::Rc;

/// Longest name, number and quoted text, in characters.
pub const LONGEST_WORD: usize = 64;
const LONGEST_NUMBER: usize = 12;
const LONGEST_TEXT: usize = 60;
/// Longest query, in bytes. None comes so far by the grammar, which begins no new part behind [`super::parse::ROOMY`] of them.
pub const LONGEST: usize = 8_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A word in lower case, perhaps with a period in it.
    Word(Rc<str>),
    Number {
        whole: bool,
    },
    /// A quoted text.
    Text,
    Mark(&'static str),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub kind: Kind,
    /// Whether it is nothing yet: `!`, a number that ends with a period, a text without its closing quote.
    pub half: bool,
    /// Bytes of the text to its end.
    pub ends: usize,
}

/// A place between two tokens of a text, from where it can be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The character in front of it.
    before: char,
    begun: bool,
    /// Bytes in front of it.
    pub at: usize,
}

/// Where a text begins.
pub const START: Place = Place { before: ' ', begun: false, at: 0 };

/// What a piece of text is made of.
#[derive(Debug, PartialEq, Eq)]
pub struct Cut {
    /// Tokens that cannot change any more.
    pub firm: Vec<Token>,
    /// The token with which the text ends, so that it may grow.
    pub open: Option<Token>,
    /// The place in front of that token, or the end of the text.
    pub place: Place,
}

const MARKS: [&str; 14] = [">=", "<=", "!=", "(", ")", ",", "*", "=", ">", "<", "+", "-", "/", ";"];

/// The tokens of a text from a place on; nothing where no query goes on so. What stands in front of the place plays no part, so a text is read the same in one go and bit by bit.
pub fn cut(from: Place, text: &str) -> Option<Cut> {
    let whole = from.at + text.len();
    if whole > LONGEST {
        return None;
    }
    let mut firm: Vec<Token> = vec![];
    let Place { mut before, mut begun, .. } = from;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if c == ' ' {
            if before == ' ' && begun {
                return None;
            }
            (rest, before, begun) = (&rest[1..], c, true);
            continue;
        }
        let place = Place { before, begun, at: whole - rest.len() };
        begun = true;
        let (end, kind, half) = if c.is_alphabetic() || c == '_' {
            word(rest)?
        } else if c.is_ascii_digit() || (c == '-' && rest[1..].starts_with(|c: char| c.is_ascii_digit())) {
            number(rest)?
        } else if matches!(c, '\'' | '"') {
            let inside = rest[1..].find(['\'', '"', '`', '\\']);
            let end = inside.map_or(rest.len(), |inside| inside + 2);
            let content = &rest[1..inside.map_or(rest.len(), |inside| inside + 1)];
            let closes = inside.is_none() || rest[..end].ends_with(c);
            if !closes || content.chars().count() > LONGEST_TEXT || content.chars().any(char::is_control) {
                return None;
            }
            (end, Kind::Text, inside.is_none())
        } else if rest == "!" {
            (1, Kind::Mark("!="), true)
        } else {
            let mark = MARKS.into_iter().find(|mark| rest.starts_with(mark))?;
            (mark.len(), Kind::Mark(mark), false)
        };
        // What touches what.
        let spaced = matches!(&kind, Kind::Mark(mark) if !matches!(*mark, "(" | ")" | "," | "*" | ";"));
        let fits = match &kind {
            _ if spaced => before == ' ',
            Kind::Word(_) | Kind::Number { .. } | Kind::Text | Kind::Mark("*") => matches!(before, ' ' | '('),
            Kind::Mark("(") => matches!(before, ' ' | '(') || before.is_alphanumeric(),
            Kind::Mark(_) => true,
        };
        let after = rest[end..].chars().next();
        let followed = match &kind {
            _ if spaced => after.is_none_or(|c| c == ' '),
            Kind::Mark(",") => after.is_none_or(|c| c == ' '),
            Kind::Word(_) => after.is_none_or(|c| matches!(c, ' ' | ',' | '(' | ')' | ';')),
            Kind::Number { .. } | Kind::Text | Kind::Mark("*" | ")") => after.is_none_or(|c| matches!(c, ' ' | ',' | ')' | ';')),
            Kind::Mark(";") => after.is_none(),
            Kind::Mark(_) => true,
        };
        // `<` and `>` may still become `<=` and `>=`; those two are found as one mark above.
        if !fits || !followed {
            return None;
        }
        before = rest[..end].chars().next_back().unwrap_or(' ');
        rest = &rest[end..];
        let token = Token { kind, half, ends: whole - rest.len() };
        if rest.is_empty() {
            return Some(Cut { firm, open: Some(token), place });
        }
        firm.push(token);
    }
    Some(Cut { firm, open: None, place: Place { before, begun, at: whole } })
}

/// Bytes, kind and whether it is nothing yet.
type Found = Option<(usize, Kind, bool)>;

fn word(rest: &str) -> Found {
    let end = rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.'))).unwrap_or(rest.len());
    let word = rest[..end].to_lowercase();
    let mut parts = word.split('.');
    let (first, second, more) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    let begins = |part: &str| part.starts_with(|c: char| c.is_alphabetic() || c == '_');
    let unfinished = second == Some("") && end == rest.len();
    let fine = begins(first) && second.is_none_or(|part| begins(part) || unfinished) && more.is_none();
    // What is unfinished needs room for one more.
    (fine && word.chars().count() + usize::from(unfinished) <= LONGEST_WORD).then_some((end, Kind::Word(word.into()), unfinished))
}

fn number(rest: &str) -> Found {
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let sign = usize::from(rest.starts_with('-'));
    let mut end = sign + digits(&rest[sign..]);
    let mut half = false;
    let whole = !rest[end..].starts_with('.');
    if !whole {
        let more = digits(&rest[end + 1..]);
        end += 1 + more;
        half = more == 0;
    }
    (end + usize::from(half) <= LONGEST_NUMBER && (!half || end == rest.len())).then_some((
        end,
        Kind::Number { whole: whole && sign == 0 },
        half,
    ))
}

/// Brackets that are open behind these tokens, `depth` of them before; nothing where one closes too many.
pub fn depth<'a>(depth: usize, tokens: impl IntoIterator<Item = &'a Token>) -> Option<usize> {
    tokens.into_iter().try_fold(depth, |depth, token| match token.kind {
        Kind::Mark("(") => Some(depth + 1),
        Kind::Mark(")") => depth.checked_sub(1),
        _ => Some(depth),
    })
}
