//! What one query does that another does not, in a few words and by its pieces.
//!
//! **Method.** Names, values and clauses of both queries are counted: what only one has makes a phrase (`uses years_old, not birthdate`). For highlighting, the longest common
//! sequence of pieces is taken out; what is left differs.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::sql::{
    template::{SchemaWords, Slot, templatise, texts},
    text::{AGGREGATES, bare, normalise, split},
};

/// Most pieces of a query that are compared one by one.
const MOST_PIECES: usize = 1_000;

/// A stretch of a query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stretch {
    pub text: String,
    /// Whether the other query does not have it here.
    pub differs: bool,
}

/// What a query is made of, each with how often.
#[derive(Debug, Default)]
struct Made {
    tables: BTreeMap<String, usize>,
    columns: BTreeMap<String, usize>,
    values: BTreeMap<String, usize>,
    aggregates: BTreeMap<String, usize>,
    words: BTreeMap<String, usize>,
}

impl Made {
    fn of(sql: &str, words: &SchemaWords) -> Self {
        let mut made = Self::default();
        let template = templatise(sql, words);
        for (slot, text) in &template.values {
            let list = match slot {
                Slot::Table => &mut made.tables,
                Slot::Column => &mut made.columns,
                Slot::String | Slot::Number => &mut made.values,
            };
            *list.entry(bare(text).trim_matches('`').to_owned()).or_insert(0) += 1;
        }
        for token in split(&template.text) {
            let list = if AGGREGATES.contains(&token.as_str()) { &mut made.aggregates } else { &mut made.words };
            *list.entry(token).or_insert(0) += 1;
        }
        made
    }

    fn has(&self, word: &str) -> usize {
        self.words.get(word).copied().unwrap_or(0)
    }
}

/// What the first has more of than the second, in order of the alphabet.
fn more(a: &BTreeMap<String, usize>, b: &BTreeMap<String, usize>) -> Vec<String> {
    a.iter().filter(|(name, n)| **n > b.get(*name).copied().unwrap_or(0)).map(|(name, _)| name.clone()).collect()
}

/// What only the first has at all.
fn only(a: &BTreeMap<String, usize>, b: &BTreeMap<String, usize>) -> Vec<String> {
    a.keys().filter(|name| !b.contains_key(*name)).cloned().collect()
}

/// What `this` query does that `other` does not: phrases with a comma between them. Empty where no difference of names, values or clauses is found.
pub fn describe(this: &str, other: &str, words: &SchemaWords) -> String {
    let (a, b) = (Made::of(this, words), Made::of(other, words));
    let mut phrases: Vec<String> = vec![];
    let mut swap = |verb: &str, mine: &[String], theirs: &[String]| {
        let (mine, theirs) = (mine.join(" and "), theirs.join(" and "));
        match (mine.is_empty(), theirs.is_empty()) {
            (true, true) => {}
            (false, false) => phrases.push(format!("{verb} {mine}, not {theirs}")),
            (false, true) => phrases.push(format!("also {verb} {mine}")),
            (true, false) => phrases.push(format!("does without {theirs}")),
        }
    };
    let (joins, other_joins) = (a.has("join"), b.has("join"));
    let (tables, other_tables) = (only(&a.tables, &b.tables), only(&b.tables, &a.tables));
    if joins == other_joins {
        swap("reads", &tables, &other_tables);
    }
    swap("uses", &only(&a.columns, &b.columns), &only(&b.columns, &a.columns));
    swap("computes", &more(&a.aggregates, &b.aggregates), &more(&b.aggregates, &a.aggregates));
    swap("compares with", &only(&a.values, &b.values), &only(&b.values, &a.values));
    if joins > other_joins {
        let named = if tables.is_empty() { more(&a.tables, &b.tables) } else { tables };
        phrases.insert(0, format!("joins {}", named.join(" and ")).trim_end().to_owned());
    } else if joins < other_joins {
        let named = if other_tables.is_empty() { more(&b.tables, &a.tables) } else { other_tables };
        phrases.insert(0, format!("does not join {}", named.join(" and ")).trim_end().to_owned());
    }
    for (word, does, does_not) in [
        ("distinct", "leaves out duplicates", "keeps duplicates"),
        ("where", "keeps only some rows", "keeps all rows"),
        ("group", "groups", "does not group"),
        ("having", "keeps only some groups", "keeps all groups"),
        ("order", "sorts", "does not sort"),
        ("desc", "sorts downwards", "sorts upwards"),
        ("limit", "takes only the first rows", "takes all rows"),
        ("union", "adds a second query's rows", "adds no second query's rows"),
        ("intersect", "keeps rows that a second query has too", "asks no second query"),
        ("except", "leaves out rows of a second query", "leaves out no second query's rows"),
        ("or", "one condition is enough", "all conditions have to hold"),
        ("not", "turns a condition round", "does not turn a condition round"),
    ] {
        // The direction of a sort says something only where both sort.
        let counts = word != "desc" || (a.has("order") > 0 && b.has("order") > 0);
        match a.has(word).cmp(&b.has(word)) {
            std::cmp::Ordering::Greater if counts => phrases.push(does.into()),
            std::cmp::Ordering::Less if counts => phrases.push(does_not.into()),
            _ => {}
        }
    }
    phrases.join(", ")
}

/// The names that `this` query uses and `other` does not: tables, then columns.
pub fn names(this: &str, other: &str, words: &SchemaWords) -> Vec<String> {
    let (a, b) = (Made::of(this, words), Made::of(other, words));
    [only(&a.tables, &b.tables), only(&a.columns, &b.columns)].concat()
}

/// `this` query in the one spelling, cut where it begins or ends to differ from `other`.
pub fn highlight(this: &str, other: &str) -> Vec<Stretch> {
    let (this, other) = (normalise(this), normalise(other));
    let (a, b) = (texts(&this), texts(&other));
    let mut differs = vec![false; a.len()];
    if a.len() <= MOST_PIECES && b.len() <= MOST_PIECES {
        // Lengths of the longest common sequences of the ends.
        let mut common = vec![vec![0_u32; b.len() + 1]; a.len() + 1];
        for i in (0..a.len()).rev() {
            for j in (0..b.len()).rev() {
                common[i][j] = if a[i] == b[j] { common[i + 1][j + 1] + 1 } else { common[i + 1][j].max(common[i][j + 1]) };
            }
        }
        let (mut i, mut j) = (0, 0);
        while i < a.len() {
            if j < b.len() && a[i] == b[j] {
                (i, j) = (i + 1, j + 1);
            } else if j >= b.len() || common[i + 1][j] >= common[i][j + 1] {
                differs[i] = a[i] != " ";
                i += 1;
            } else {
                j += 1;
            }
        }
    }
    // A space between two pieces that differ belongs to them.
    for i in 1..a.len().saturating_sub(1) {
        if a[i] == " " && differs[i - 1] && differs[i + 1] {
            differs[i] = true;
        }
    }
    let mut stretches: Vec<Stretch> = vec![];
    for (text, differs) in a.iter().zip(differs) {
        match stretches.last_mut().filter(|last| last.differs == differs) {
            Some(last) => last.text.push_str(text),
            None => stretches.push(Stretch { text: (*text).to_owned(), differs }),
        }
    }
    stretches
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::ddl;

    fn words() -> SchemaWords {
        let text = "CREATE TABLE singer (id int, name text, years_old int, birthdate text, country text);
            CREATE TABLE singer_country (id int, country text)";
        SchemaWords::new(&ddl::read(text, "d").unwrap())
    }

    #[test]
    fn differences_in_words() {
        let words = words();
        let say = |this: &str, other: &str| describe(this, other, &words);
        assert_eq!(say("select avg(years_old) from singer", "select avg(birthdate) from singer"), "uses years_old, not birthdate");
        let joined = "select t1.name, t2.country from singer as t1 join singer_country as t2 on t1.id = t2.id";
        assert_eq!(say(joined, "select name, country from singer"), "joins singer_country, also uses id");
        assert_eq!(say("select name, country from singer", joined), "does not join singer_country, does without id");
        assert_eq!(say("select country from singer_country", "select country from singer"), "reads singer_country, not singer");
        assert_eq!(say("select max(id) from singer", "select min(id) from singer"), "computes max, not min");
        assert_eq!(
            say("select name from singer order by id desc limit 3", "select name from singer order by id"),
            "also compares with 3, sorts downwards, takes only the first rows"
        );
        assert_eq!(say("select distinct id from singer", "select id from singer"), "leaves out duplicates");
        assert_eq!(say("select id from singer", "select id from singer"), "");
        assert_eq!(names(joined, "select name, country from singer", &words), ["singer_country", "id"]);
    }

    #[test]
    fn differing_pieces_stand_out_and_nothing_is_lost() {
        let (a, b) = ("SELECT avg(years_old), name FROM singer", "select avg(birthdate), name from singer where id = 3");
        let marked = |a: &str, b: &str| {
            highlight(a, b).into_iter().map(|part| if part.differs { format!("[{}]", part.text) } else { part.text }).collect::<String>()
        };
        assert_eq!(marked(a, b), "select avg([years_old]), name from singer");
        assert_eq!(marked(b, a), "select avg([birthdate]), name from singer [where id = 3]");
        assert_eq!(highlight(a, b).into_iter().map(|part| part.text).collect::<String>(), normalise(a));
    }
}
