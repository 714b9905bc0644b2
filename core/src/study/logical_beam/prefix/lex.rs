//! The tokens of a query under way.
//!
//! The spelling is strict where the official evaluator's is: operators stand between spaces, a comma is followed by one, a quoted text touches nothing and holds no quote of either kind. Spaces stand
//! alone, and names, numbers and texts have a largest length, so that no text grows for ever inside one token.

/// Longest name, number and quoted text, in characters.
pub const LONGEST_WORD: usize = 64;
const LONGEST_NUMBER: usize = 12;
const LONGEST_TEXT: usize = 60;
/// Longest query, in bytes.
const LONGEST: usize = 4_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A word in lower case, perhaps with a period in it.
    Word(String),
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
    /// Whether the text ends with it, so that it may grow; always the last one.
    pub open: bool,
    /// Whether it is nothing yet: `!`, `-`, a number that ends with a period, a text without its closing quote.
    pub half: bool,
}

const MARKS: [&str; 14] = [">=", "<=", "!=", "(", ")", ",", "*", "=", ">", "<", "+", "-", "/", ";"];

/// The tokens, or nothing for a text that no query begins with.
pub fn tokens(text: &str) -> Option<Vec<Token>> {
    if text.len() > LONGEST {
        return None;
    }
    let mut tokens: Vec<Token> = vec![];
    let (mut rest, mut before) = (text, ' ');
    let mut begun = false;
    while let Some(c) = rest.chars().next() {
        if c == ' ' {
            if before == ' ' && begun {
                return None;
            }
            (rest, before, begun) = (&rest[1..], c, true);
            continue;
        }
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
        tokens.push(Token { kind, open: rest.is_empty(), half });
    }
    Some(tokens)
}

type Cut = Option<(usize, Kind, bool)>;

fn word(rest: &str) -> Cut {
    let end = rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.'))).unwrap_or(rest.len());
    let word = rest[..end].to_lowercase();
    let mut parts = word.split('.');
    let (first, second, more) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    let begins = |part: &str| part.starts_with(|c: char| c.is_alphabetic() || c == '_');
    let unfinished = second == Some("") && end == rest.len();
    let fine = begins(first) && second.is_none_or(|part| begins(part) || unfinished) && more.is_none();
    // What is unfinished needs room for one more.
    (fine && word.chars().count() + usize::from(unfinished) <= LONGEST_WORD).then_some((end, Kind::Word(word), unfinished))
}

fn number(rest: &str) -> Cut {
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

/// Brackets that are open; nothing where one closes too many.
pub fn balanced(tokens: &[Token]) -> Option<usize> {
    tokens.iter().try_fold(0_usize, |depth, token| match token.kind {
        Kind::Mark("(") => Some(depth + 1),
        Kind::Mark(")") => depth.checked_sub(1),
        _ => Some(depth),
    })
}

/// Whether the last token is whole.
pub fn whole(tokens: &[Token]) -> bool {
    tokens.last().is_some_and(|token| !token.half)
}
