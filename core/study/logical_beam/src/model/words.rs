//! Templates as words, and queries as words whose slots are filled.
//!
//! **Method.** A template is cut into words with the space before each, so that the words one after another are the template. A query's words are its template's, with one
//! more in front of a column that is qualified (`t1.`); a word that is a slot comes with what fills it. A text of stage 1 begins with two words for the plan.

use serde::{Deserialize, Serialize};

use super::super::sql::{
    plan::Plan,
    template::{SchemaWords, Slot, templatise},
    text::normalise,
};

/// Words that every vocabulary begins with, in this order: the end, the beginning of each stage, and what is in no vocabulary. The plans follow.
pub const END: usize = 0;
pub const BEGIN_TEMPLATE: usize = 1;
pub const BEGIN_QUERY: usize = 2;
pub const BEGIN_PLANNED: usize = 3;
pub const BEGIN_FILL: usize = 4;
pub const UNKNOWN: usize = 5;
const PLANS: usize = 6;
/// Joins 0 to 9, and as many numbers of select items.
const COUNTS: usize = 10;
const WORDS: usize = PLANS + 2 * COUNTS;
/// Most words of a vocabulary and longest one, in bytes.
const MOST_WORDS: usize = 4096;
const LONGEST_WORD: usize = 64;

/// The words of a template.
pub fn lex(template: &str) -> Vec<&str> {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
    let (mut words, mut rest) = (Vec::new(), template);
    while !rest.is_empty() {
        let body = rest.strip_prefix(' ').unwrap_or(rest);
        let length = match body.chars().next() {
            Some(c) if is_word(c) => body.find(|c| !is_word(c)).unwrap_or(body.len()),
            Some(c) => c.len_utf8(),
            None => 0,
        };
        let (word, after) = rest.split_at(rest.len() - body.len() + length);
        words.push(word);
        rest = after;
    }
    words
}

/// What a word stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Slot(Slot),
    /// `t1.` in front of a column.
    Qualifier(u8),
    /// `t1` behind `as`.
    Alias(u8),
    Other,
}

fn alias(word: &str) -> Option<u8> {
    let digits = word.strip_prefix('t')?;
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) { None } else { digits.parse().ok().filter(|n| *n > 0) }
}

/// The role of a word.
pub fn role(word: &str) -> Role {
    let bare = word.trim_start();
    if let Some(slot) = [Slot::Table, Slot::Column, Slot::String, Slot::Number].into_iter().find(|slot| slot.word() == bare) {
        return Role::Slot(slot);
    }
    if let Some(n) = bare.strip_suffix('.').and_then(alias) {
        return Role::Qualifier(n);
    }
    alias(bare).map_or(Role::Other, Role::Alias)
}

/// A word of a query, and what fills it where it is a slot, as written (without its alias).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filled {
    pub word: String,
    pub filler: Option<String>,
}

/// The words of a query; `None` where a column is qualified by a table's name rather than an alias, which this model does not write.
pub fn words_of(sql: &str, schema: &SchemaWords) -> Option<(Vec<String>, Vec<Filled>)> {
    let template = templatise(&normalise(sql), schema);
    let (mut words, mut filled) = (Vec::new(), Vec::new());
    let mut values = template.values.iter();
    for word in lex(&template.text) {
        words.push(word.to_owned());
        let Role::Slot(slot) = role(word) else {
            filled.push(Filled { word: word.to_owned(), filler: None });
            continue;
        };
        let (_, value) = values.next()?;
        let space = if word.starts_with(' ') { " " } else { "" };
        match value.split_once('.') {
            Some((qualifier, column)) if slot == Slot::Column => {
                alias(qualifier)?;
                filled.push(Filled { word: format!("{space}{qualifier}."), filler: None });
                filled.push(Filled { word: slot.word().to_owned(), filler: Some(column.trim_matches('`').to_owned()) });
            }
            _ => filled.push(Filled { word: word.to_owned(), filler: Some(value.trim_matches('`').to_owned()) }),
        }
    }
    Some((words, filled))
}

/// All words a model knows, by number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Vocabulary {
    /// Those behind the plans.
    words: Vec<String>,
    texts: Vec<String>,
    roles: Vec<Role>,
}

impl From<Vocabulary> for Vec<String> {
    fn from(vocabulary: Vocabulary) -> Self {
        vocabulary.words
    }
}

impl TryFrom<Vec<String>> for Vocabulary {
    type Error = String;

    fn try_from(words: Vec<String>) -> Result<Self, String> {
        if words.len() > MOST_WORDS || words.iter().any(|word| word.is_empty() || word.len() > LONGEST_WORD) {
            return Err(format!("more than {MOST_WORDS} words, or one that is empty or longer than {LONGEST_WORD} bytes"));
        }
        if words.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err("the words are not sorted".into());
        }
        let mut texts = vec![String::new(); PLANS];
        texts.extend((0..COUNTS).map(|n| format!("{n} joins @ ")));
        texts.extend((0..COUNTS).map(|n| format!("{n} selects @ ")));
        texts.extend(words.iter().cloned());
        let roles = texts.iter().enumerate().map(|(i, word)| if i < WORDS { Role::Other } else { role(word) }).collect();
        Ok(Self { words, texts, roles })
    }
}

impl Vocabulary {
    /// The vocabulary of these words, each once.
    ///
    /// # Errors
    /// When there are too many, or one is too long.
    pub fn new(words: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let sorted: std::collections::BTreeSet<String> = words.into_iter().collect();
        Self::try_from(sorted.into_iter().collect::<Vec<_>>())
    }

    pub fn len(&self) -> usize {
        self.texts.len()
    }

    pub fn is_empty(&self) -> bool {
        false
    }

    /// What a word says.
    pub fn text(&self, word: usize) -> &str {
        self.texts.get(word).map_or("", String::as_str)
    }

    pub fn role(&self, word: usize) -> Role {
        self.roles.get(word).copied().unwrap_or(Role::Other)
    }

    /// Number of a word.
    pub fn find(&self, word: &str) -> Option<usize> {
        self.words.binary_search_by(|known| known.as_str().cmp(word)).ok().map(|i| i + WORDS)
    }

    /// The two words of a plan; counts above nine are written as nine.
    pub fn plan(&self, plan: Plan) -> [usize; 2] {
        let most = COUNTS - 1;
        [PLANS + plan.joins.min(most), PLANS + COUNTS + plan.selects.min(most)]
    }

    /// Whether a word is the first, or the second, word of a plan.
    pub fn is_plan(&self, word: usize) -> [bool; 2] {
        [(PLANS..PLANS + COUNTS).contains(&word), (PLANS + COUNTS..WORDS).contains(&word)]
    }
}

/// Which words may follow, whatever the model thinks: what keeps the stages and slots apart.
pub fn may_follow(vocabulary: &Vocabulary, stage_begin: usize, before: usize, word: usize) -> bool {
    if (BEGIN_TEMPLATE..=UNKNOWN).contains(&word) {
        return false;
    }
    let planned = matches!(stage_begin, BEGIN_TEMPLATE | BEGIN_PLANNED);
    let [first, second] = vocabulary.is_plan(word);
    if before == stage_begin && planned {
        return first;
    }
    if vocabulary.is_plan(before)[0] {
        return second;
    }
    if first || second {
        return false;
    }
    let begins = before == stage_begin || vocabulary.is_plan(before)[1];
    // A text begins without a space, and says something.
    if begins {
        return word != END && !vocabulary.text(word).starts_with(' ') && vocabulary.role(word) == Role::Other;
    }
    let (text, role) = (vocabulary.text(word), vocabulary.role(word));
    if stage_begin == BEGIN_TEMPLATE && matches!(role, Role::Qualifier(_)) {
        return false;
    }
    if matches!(vocabulary.role(before), Role::Qualifier(_)) {
        return text == Slot::Column.word();
    }
    // Two words side by side would be read as one.
    let joins = |c: char| c.is_alphanumeric() || c == '_';
    if text.starts_with(joins) && vocabulary.text(before).ends_with(joins) {
        return false;
    }
    let in_from = matches!(vocabulary.text(before).trim_start(), "from" | "join");
    let is_table = role == Role::Slot(Slot::Table);
    if in_from { is_table || text.trim_start() == "(" } else { !is_table }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::ddl;

    #[test]
    fn words_are_the_template_and_the_query() {
        let schema = SchemaWords::new(&ddl::read("CREATE TABLE a (id int, name text); CREATE TABLE b (id int, x int)", "d").unwrap());
        let sql = "select count(*), t1.name from a as t1 join b as t2 on t1.id = t2.id where t2.x > 3 and name = 'Al Bo'";
        let (words, filled) = words_of(sql, &schema).unwrap();
        assert_eq!(
            words.concat(),
            "select count(column), column from table as t1 join table as t2 on column = column where column > number and column = string"
        );
        let written: String = filled
            .iter()
            .map(|one| match &one.filler {
                Some(filler) => format!("{}{filler}", if one.word.starts_with(' ') { " " } else { "" }),
                None => one.word.clone(),
            })
            .collect();
        assert_eq!(written, sql);
        assert!(words_of("select a.name from a", &schema).is_none());
        assert_eq!(lex("select  x,é ").concat(), "select  x,é ");
        assert_eq!(
            (role(" t12"), role("t2."), role("title"), role(" column")),
            (Role::Alias(12), Role::Qualifier(2), Role::Other, Role::Slot(Slot::Column))
        );
    }

    #[test]
    fn what_follows_keeps_plans_slots_and_tables_in_their_places() {
        let words = ["select", " select", " from", " column", "column", " table", " t1.", "("].map(str::to_owned);
        let vocabulary = Vocabulary::new(words).unwrap();
        let word = |text: &str| vocabulary.find(text).unwrap();
        let follow = |stage, before| {
            (0..vocabulary.len()).filter(|&w| may_follow(&vocabulary, stage, before, w)).map(|w| vocabulary.text(w)).collect::<Vec<_>>()
        };
        assert_eq!(follow(BEGIN_TEMPLATE, BEGIN_TEMPLATE).len(), 10);
        let [joins, selects] = vocabulary.plan(Plan { joins: 1, selects: 2 });
        assert_eq!((vocabulary.text(joins), vocabulary.text(selects)), ("1 joins @ ", "2 selects @ "));
        assert!(follow(BEGIN_PLANNED, joins).iter().all(|text| text.ends_with(" selects @ ")));
        assert_eq!(follow(BEGIN_TEMPLATE, selects), ["(", "select"]);
        assert_eq!(follow(BEGIN_QUERY, BEGIN_QUERY), ["(", "select"]);
        assert_eq!(follow(BEGIN_QUERY, word(" from")), [" table", "("]);
        assert_eq!(follow(BEGIN_QUERY, word(" t1.")), ["column"]);
        assert!(!follow(BEGIN_TEMPLATE, word("select")).contains(&" t1."));
        let back: Vocabulary = serde_json::from_str(&serde_json::to_string(&vocabulary).unwrap()).unwrap();
        assert_eq!(back, vocabulary);
        assert!(serde_json::from_str::<Vocabulary>(r#"["b","a"]"#).is_err() && serde_json::from_str::<Vocabulary>(r#"[""]"#).is_err());
    }
}
