//! A question in words, how its words are linked with the names of a schema, and the values it names.
//!
//! **Method.** For each name and each word four links: the same stem as a word of the name, the cosine of the word with the whole name, the largest cosine with a word of the name, and
//! the largest over the tables that own the name. For each name some facts over the whole question: how much of it is said, the largest cosines, keys, kind, owners. Values are quoted texts,
//! capitalised words, other words, and numbers in digits or letters.
//!
//! **Source.** Linking by words as in Guo et al., "`IRNet`", ACL 2019, and Wang et al., "RAT-SQL", ACL 2020.

use super::{
    super::sql::schema::Kind,
    items::{Items, stem},
};

/// Most words of a question that are read; the rest is left out.
pub const MOST_QUESTION_WORDS: usize = 64;
/// Kinds of links of a word and a name.
pub const LINKS: usize = 4;
/// Facts of a name in a question.
pub const FACTS: usize = 16;
/// Facts of a word.
pub const WORD_FACTS: usize = 6;
/// Most values taken from a question.
const MOST_VALUES: usize = 24;

/// A word of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    pub text: String,
    pub stem: String,
    pub quoted: bool,
}

/// The words of a question: runs of letters and digits, and single signs.
pub fn question_words(question: &str) -> Vec<Word> {
    let (mut words, mut rest, mut quote, mut before) = (Vec::new(), question, None, ' ');
    while let Some(c) = rest.chars().next() {
        if words.len() == MOST_QUESTION_WORDS {
            break;
        }
        let inner = |rest: &str| rest.chars().next().is_some_and(char::is_alphanumeric);
        let mut end = c.len_utf8();
        if c.is_alphanumeric() {
            while let Some(next) = rest[end..].chars().next() {
                let joins = next == '_' || (next == '.' && inner(&rest[end + 1..]));
                if !next.is_alphanumeric() && !joins {
                    break;
                }
                end += next.len_utf8();
            }
        }
        let (text, after) = rest.split_at(end);
        let opens = quote.is_none() && matches!(c, '"' | '“' | '‘') || (c == '\'' && quote.is_none() && !before.is_alphanumeric());
        let closes = match quote {
            Some('"') => c == '"',
            Some('“') => c == '”',
            Some('‘') => c == '’',
            Some(_) => c == '\'' && !inner(after),
            None => false,
        };
        if closes {
            quote = None;
        }
        if !c.is_whitespace() {
            words.push(Word { text: text.to_owned(), stem: stem(text), quoted: quote.is_some() });
        }
        if opens && !closes {
            quote = Some(c);
        }
        before = text.chars().next_back().unwrap_or(' ');
        rest = after;
    }
    words
}

/// A value that a query may say.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// As the query says it, text in quotes.
    pub text: String,
    pub is_text: bool,
    /// Words of the question it stands in; none for those that are always there.
    pub words: std::ops::Range<usize>,
    pub facts: [f32; FACTS],
}

/// Text in quotes that a query can say; `None` where it has both kinds of quotes.
fn in_quotes(text: &str) -> Option<String> {
    ['\'', '"'].into_iter().find(|quote| !text.contains(*quote)).map(|quote| format!("{quote}{text}{quote}"))
}

fn number_word(word: &str) -> Option<&'static str> {
    let words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
    let digits = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"];
    words.iter().position(|w| *w == word).and_then(|i| digits.get(i)).copied()
}

/// The values of a question, each once, and those that are always there: a text, 1 and 0.
pub fn values(words: &[Word]) -> Vec<Value> {
    let mut found: Vec<Value> = Vec::new();
    let mut add = |text: Option<String>, is_text: bool, at: std::ops::Range<usize>, facts: &[usize]| {
        let Some(text) = text.filter(|text| found.len() < MOST_VALUES && !found.iter().any(|other| other.text == *text)) else { return };
        let mut all = [0.0; FACTS];
        for &fact in facts {
            all[fact] = 1.0;
        }
        all[FACTS - 1] = at.len() as f32 / 4.0;
        found.push(Value { text, is_text, words: at, facts: all });
    };
    let joined = |at: std::ops::Range<usize>| words[at].iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
    let capital = |word: &Word| word.text.chars().next().is_some_and(char::is_uppercase);
    let mut i = 0;
    while i < words.len() {
        let word = &words[i];
        let run = |test: &dyn Fn(&Word) -> bool| i + words[i..].iter().take_while(|word| test(word)).count();
        if word.quoted {
            let end = run(&|word| word.quoted);
            add(in_quotes(&joined(i..end)), true, i..end, &[0]);
            i = end;
            continue;
        }
        let lower = word.text.to_lowercase();
        if word.text.bytes().all(|b| b.is_ascii_digit()) {
            add(Some(word.text.clone()), false, i..i + 1, &[1]);
            add(in_quotes(&word.text), true, i..i + 1, &[1]);
        } else if let Some(digits) = number_word(&lower) {
            add(Some(digits.to_owned()), false, i..i + 1, &[2]);
        } else if capital(word) && i > 0 {
            let end = run(&|word| capital(word) && !word.quoted);
            add(in_quotes(&joined(i..end)), true, i..end, &[3]);
            i = end;
            continue;
        } else if lower.chars().count() > 3 {
            add(in_quotes(&word.text), true, i..i + 1, &[4]);
        }
        i += 1;
    }
    add(Some("'value'".into()), true, 0..0, &[5]);
    found.truncate(MOST_VALUES);
    for (text, fact) in [("1", 6), ("0", 7)] {
        if !found.iter().any(|value| value.text == text) {
            let mut facts = [0.0; FACTS];
            facts[fact] = 1.0;
            found.push(Value { text: text.into(), is_text: false, words: 0..0, facts });
        }
    }
    if !found.iter().any(|value| value.words.is_empty() && value.is_text) {
        let mut facts = [0.0; FACTS];
        facts[5] = 1.0;
        found.push(Value { text: "'value'".into(), is_text: true, words: 0..0, facts });
    }
    found
}

/// Links of values with words: whether the word is in the value, and whether it begins it. `[value, word, LINKS]`.
pub fn value_links(values: &[Value], words: usize) -> Vec<f32> {
    let mut links = vec![0.0; values.len() * words * LINKS];
    for (value, links) in values.iter().zip(links.chunks_exact_mut((words * LINKS).max(1))) {
        for (j, link) in links.chunks_exact_mut(LINKS).enumerate() {
            link[0] = f32::from(value.words.contains(&j));
            link[1] = f32::from(value.words.start == j && !value.words.is_empty());
        }
    }
    links
}

/// Unit vectors of the texts that are compared.
pub struct Vectors<'v> {
    /// Of each word of the question, on its own.
    pub words: Vec<&'v [f32]>,
    /// Of each name.
    pub names: Vec<&'v [f32]>,
    /// Of each word of each name.
    pub name_words: Vec<Vec<&'v [f32]>>,
}

/// What links the names of a schema with a question.
#[derive(Debug, Clone, PartialEq)]
pub struct Linked {
    /// `[item, word, LINKS]`.
    pub links: Vec<f32>,
    /// `[item, FACTS]`.
    pub facts: Vec<f32>,
    /// `[word, WORD_FACTS]`.
    pub word_facts: Vec<f32>,
    /// The word that says each item most clearly, counted from 1; 0 where none does.
    pub places: Vec<usize>,
}

/// Cosine from which a word may say a name that shares no stem with it.
const LEAST_COSINE: f32 = 0.45;

/// The place of an item: the word of the largest cosine with the name among those that share a stem with it, else among all that are near enough.
fn place(links: &[f32]) -> usize {
    let mut best = (0.0, 0);
    for (j, link) in links.chunks_exact(LINKS).enumerate() {
        let near = link[1].max(link[2]);
        let score = if link[0] > 0.0 { 2.0 + link[1] } else { near };
        if (link[0] > 0.0 || near >= LEAST_COSINE) && score > best.0 {
            best = (score, j + 1);
        }
    }
    best.1
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    super::tape::dot(a, b)
}

/// Links names with a question.
pub fn link(items: &Items, words: &[Word], vectors: &Vectors<'_>) -> Linked {
    let n = words.len();
    let mut links = vec![0.0_f32; items.items.len() * n * LINKS];
    let mut said = vec![0.0_f32; items.items.len()];
    let mut facts = vec![0.0_f32; items.items.len() * FACTS];
    let mut word_facts = vec![0.0_f32; n * WORD_FACTS];
    for (i, item) in items.items.iter().enumerate() {
        let links = &mut links[i * n * LINKS..(i + 1) * n * LINKS];
        let mut nearest = vec![0.0_f32; item.words.len()];
        for (j, word) in words.iter().enumerate() {
            let link = &mut links[j * LINKS..(j + 1) * LINKS];
            link[0] = f32::from(item.stems.contains(&word.stem));
            if item.name != "*" {
                link[1] = cosine(vectors.names[i], vectors.words[j]);
            }
            for (nearest, vector) in nearest.iter_mut().zip(&vectors.name_words[i]) {
                let cosine = cosine(vector, vectors.words[j]);
                *nearest = nearest.max(cosine);
                link[2] = link[2].max(cosine);
            }
        }
        let matched = item.stems.iter().filter(|stem| words.iter().any(|word| word.stem == **stem)).count();
        said[i] = matched as f32 / item.stems.len().max(1) as f32;
        let of_name: Vec<&String> = item.stems.iter().collect();
        let phrase =
            !of_name.is_empty() && words.windows(of_name.len()).any(|at| at.iter().zip(&of_name).all(|(word, stem)| word.stem == **stem));
        let largest = (0..n).map(|j| links[j * LINKS + 1]).fold(0.0, f32::max);
        let facts = &mut facts[i * FACTS..(i + 1) * FACTS];
        let is_column = i >= items.tables;
        let flags = [
            !is_column,
            is_column && item.name != "*",
            item.name == "*",
            phrase,
            item.primary,
            item.foreign,
            item.kind == Some(Kind::Text),
            item.kind == Some(Kind::Number),
            matches!(item.kind, Some(Kind::Time | Kind::Boolean | Kind::Others)),
            is_column && item.owners.len() > 1,
            item.stems.first().is_some_and(|_| said[i] >= 1.0),
        ];
        flags.iter().zip(facts.iter_mut()).for_each(|(flag, fact)| *fact = f32::from(*flag));
        facts[11] = said[i];
        facts[12] = largest;
        facts[13] = nearest.iter().sum::<f32>() / nearest.len().max(1) as f32;
        for j in 0..n {
            let exact = links[j * LINKS] > 0.0;
            if exact {
                word_facts[j * WORD_FACTS + usize::from(is_column)] = 1.0;
            }
        }
    }
    // What the tables say about their columns, and the columns about their tables.
    let tables = items.tables;
    let column_count =
        |table: usize| items.of_columns().filter(|&c| items.owns(table, c) && said[c] >= 1.0 && items.items[c].name != "*").count();
    let counts: Vec<usize> = (0..tables).map(column_count).collect();
    for (i, item) in items.items.iter().enumerate() {
        let owned = || item.owners.iter().copied().filter(|&table| table < tables && item.name != "*");
        facts[i * FACTS + 14] = owned().map(|table| said[table]).fold(0.0, f32::max);
        facts[i * FACTS + 15] = owned().map(|table| counts[table].min(4) as f32 / 4.0).fold(0.0, f32::max);
        if i >= tables {
            for j in 0..n {
                let of_owner = |table: usize| links[(table * n + j) * LINKS + 2];
                links[(i * n + j) * LINKS + 3] = owned().map(of_owner).fold(0.0, f32::max);
            }
        }
    }
    for (word, facts) in words.iter().zip(word_facts.chunks_exact_mut(WORD_FACTS)) {
        facts[2] = f32::from(word.quoted);
        facts[3] = f32::from(word.text.bytes().any(|b| b.is_ascii_digit()) || number_word(&word.text.to_lowercase()).is_some());
        facts[4] = f32::from(word.text.chars().next().is_some_and(char::is_uppercase));
        facts[5] = f32::from(!word.text.chars().any(char::is_alphanumeric));
    }
    let places = links.chunks_exact((n * LINKS).max(1)).map(place).collect();
    Linked { links, facts, word_facts, places }
}

#[cfg(test)]
mod tests {
    use super::super::super::sql::ddl;
    use super::*;

    fn texts(words: &[Word]) -> Vec<&str> {
        words.iter().map(|word| word.text.as_str()).collect()
    }

    #[test]
    fn questions_are_cut_into_words_and_quoted_ones_are_known() {
        let words = question_words("What's the id of 'Al Bo' and \"3.5 x\"?");
        assert_eq!(texts(&words), ["What", "'", "s", "the", "id", "of", "'", "Al", "Bo", "'", "and", "\"", "3.5", "x", "\"", "?"]);
        assert_eq!(words.iter().filter(|word| word.quoted).map(|word| word.text.as_str()).collect::<Vec<_>>(), ["Al", "Bo", "3.5", "x"]);
        assert_eq!(question_words(&"word ".repeat(10_000)).len(), MOST_QUESTION_WORDS);
        assert!(question_words("  \n").is_empty());
    }

    #[test]
    fn values_are_quoted_capitalised_and_numbers() {
        let found = values(&question_words("Show three singers from New York older than 20 named 'Al Bo'"));
        let said: Vec<&str> = found.iter().map(|value| value.text.as_str()).collect();
        for text in ["3", "'New York'", "20", "'Al Bo'", "'value'", "1", "0"] {
            assert!(said.contains(&text), "{text}: {said:?}");
        }
        assert!(values(&question_words(&"Word number 17 ".repeat(30))).len() <= MOST_VALUES + 3);
        let links = value_links(&found, 14);
        let at = found.iter().position(|value| value.text == "'New York'").unwrap();
        assert_eq!((links[(at * 14 + 4) * LINKS], links[(at * 14 + 4) * LINKS + 1], links[(at * 14 + 5) * LINKS + 1]), (1.0, 1.0, 0.0));
    }

    #[test]
    fn names_that_are_said_are_linked() {
        let items = Items::new(&ddl::read("CREATE TABLE singer (id int, song_name text); CREATE TABLE b (x int)", "d").unwrap());
        let words = question_words("song names of singers");
        let (one, zero) = (vec![1.0, 0.0], vec![0.0, 1.0]);
        let vectors = Vectors {
            words: words.iter().map(|word| if word.stem == "singer" { &one[..] } else { &zero[..] }).collect(),
            names: items.items.iter().map(|item| if item.name == "singer" { &one[..] } else { &zero[..] }).collect(),
            name_words: items.items.iter().map(|item| item.words.iter().map(|_| &one[..]).collect()).collect(),
        };
        let linked = link(&items, &words, &vectors);
        let column = items.column("song_name").unwrap();
        let fact = |item: usize, fact: usize| linked.facts[item * FACTS + fact];
        assert_eq!((fact(column, 3), fact(column, 11), fact(column, 14), fact(0, 3)), (1.0, 1.0, 1.0, 1.0));
        assert_eq!((fact(0, 15), fact(1, 11)), (0.25, 0.0));
        let link = |item: usize, word: usize, kind: usize| linked.links[(item * 4 + word) * LINKS + kind];
        assert_eq!((link(column, 0, 0), link(column, 2, 0), link(column, 3, 3), link(0, 3, 1), link(0, 0, 1)), (1.0, 0.0, 1.0, 1.0, 0.0));
        assert_eq!(linked.word_facts[WORD_FACTS..][..2], [0.0, 1.0]);
    }
}
