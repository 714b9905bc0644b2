//! The official verdicts on self-written queries, and properties that hold for any text.

use proptest::prelude::*;

use super::{
    ambiguate::{Ambiguous, Change, Kind, Synonyms, ambiguate},
    coverage::{Hits, either_and_both, map_back},
    ddl,
    exact::Gold,
    names::Names,
    parse::{ParseError, parse},
    plan::Plan,
    rows, strict, tables_json,
    template::{SchemaWords, Slot, fill, slots, templatise},
    text::{join, normalise, split},
};
use crate::golden;

const TABLES: &str = include_str!("../../../../../tests/fixtures/sql/tables.json");
/// Made by `make.py` beside it: 400 pairs with the official evaluator's verdicts.
const EXACT: &str = include_str!("../../../../../tests/fixtures/sql/exact.json");

fn library() -> super::schema::Schema {
    tables_json::read(TABLES).unwrap().remove(0)
}

#[test]
fn verdicts_are_the_official_ones() {
    for agreement in golden::exact_match(EXACT, TABLES).unwrap() {
        assert!(agreement.passed() && agreement.cases >= 400, "{agreement}");
    }
}

#[test]
fn a_wrong_verdict_in_the_file_is_found() {
    let turned = EXACT.replacen("\"exact_match\": false", "\"exact_match\": true", 1);
    let found = golden::exact_match(&turned, TABLES).unwrap();
    assert_eq!(found[0].agree, found[0].cases - 1);
    assert!(golden::exact_match("{}", TABLES).is_err() && golden::exact_match(EXACT, "[]").is_err());
}

#[test]
fn known_habits_of_the_evaluator() {
    let names = Names::new(&library());
    let judge = |gold: &str, prediction: &str| Gold::new(gold, &names).unwrap().judge(prediction);
    // Join conditions, literals, limits and DISTINCT do not count.
    let gold = "SELECT T1.name FROM author AS T1 JOIN book AS T2 ON T1.author_id = T2.author_id WHERE year = 1 LIMIT 1";
    assert!(judge(gold, "SELECT DISTINCT T2.name FROM book AS T1 JOIN author AS T2 ON T1.pages = T2.born WHERE year = 'x' LIMIT 5").exact);
    // Both ends of a foreign key are one column where the tables are joined.
    let keys = |a: &str, b: &str| {
        judge(&format!("SELECT {a} FROM author AS T1 JOIN book AS T2"), &format!("SELECT {b} FROM author AS T1 JOIN book AS T2"))
    };
    assert!(keys("T1.author_id", "T2.author_id").exact && !keys("T1.author_id", "T2.book_id").exact);
    // A column on the right swallows what follows it, and what follows the last clause is not read.
    assert!(judge("SELECT name FROM author WHERE born = author_id", "SELECT name FROM author WHERE born = name or country = 3").exact);
    assert!(judge("SELECT name FROM author LIMIT 3", "SELECT name FROM author LIMIT 3 and anything else").exact);
    for unreadable in [
        "SELECT count(*) AS c FROM author",
        "SELECT name FROM author WHERE born <> 1",
        "SELECT name FROM author, book",
        "SELECT name FROM author AS book",
        "it's",
        "",
    ] {
        let verdict = judge("SELECT name FROM author", unreadable);
        assert!(!verdict.parses && !verdict.exact, "{unreadable}");
    }
}

#[test]
fn nesting_is_bounded() {
    let names = Names::new(&library());
    let nested = |n: usize| format!("{}SELECT name FROM author{}", "SELECT name FROM author WHERE name IN (".repeat(n), ")".repeat(n));
    assert!(parse(&nested(60), &names).is_ok());
    assert_eq!(parse(&nested(1_000), &names), Err(ParseError::TooDeep));
    let from = format!("{}author{}", "SELECT name FROM (".repeat(3_000), ")".repeat(3_000));
    assert_eq!(parse(&from, &names), Err(ParseError::TooDeep));
    let union = "SELECT name FROM author UNION ".repeat(1_500);
    assert_eq!(parse(&union, &names), Err(ParseError::TooDeep));
}

#[test]
fn templates_take_out_names_and_values_only() {
    let words = SchemaWords::new(&library());
    let template = |sql: &str| templatise(sql, &words).text;
    for (sql, expected) in [
        (
            "SELECT count(*) , T1.title FROM book AS T1 WHERE T1.year = 1999 AND title LIKE '%a b%';",
            "select count(column), column from table as t1 where column = number and column like string",
        ),
        (
            "SELECT book.* FROM book JOIN author ON book.author_id = author.author_id",
            "select column from table join table on column = column",
        ),
        (
            "SELECT price * pages FROM book ORDER BY price * pages DESC LIMIT 3",
            "select column * column from table order by column * column desc limit number",
        ),
        (
            "SELECT name FROM author WHERE born IN (SELECT year FROM book)",
            "select column from table where column in (select column from table)",
        ),
        ("SELECT unknown FROM nowhere WHERE x = 1.5", "select unknown from nowhere where x = 1.5"),
    ] {
        assert_eq!(template(sql), expected);
    }
    let text = "select column from table where column > number";
    assert_eq!(slots(text), [Slot::Column, Slot::Table, Slot::Column, Slot::Number]);
    assert_eq!(fill(text, &["name", "author", "born", "7"]).unwrap(), "select name from author where born > 7");
    assert_eq!(fill(text, &["name"]).unwrap_err().to_string(), "the template has 4 slots, 1 values were given");
    assert!(fill(text, &["a"; 5]).is_err());
}

#[test]
fn readings_come_by_rule_and_map_back_to_the_original() {
    let schema = library();
    let columns = serde_json::from_str(r#"{"library": {"Book": {"Title": ["Heading", "Label"]}}}"#).unwrap();
    let tables = serde_json::from_str(r#"{"library": {"book": ["volume", "work"], "loan": ["one"]}}"#).unwrap();
    let synonyms = Synonyms::of("library", &columns, &tables);
    let make = |kind, sql: &str| -> Vec<Ambiguous> { ambiguate(kind, sql, &schema, &synonyms) };
    let readings = |kind, sql: &str| make(kind, sql).into_iter().map(|found| found.readings).collect::<Vec<_>>();
    let sql = "SELECT T1.title FROM book AS T1 ORDER BY T1.title";
    assert_eq!(readings(Kind::C, sql), [["heading", "label"].map(|name| format!("select t1.{name} from book as t1 order by t1.{name}"))]);
    assert_eq!(readings(Kind::T, sql), [["volume", "work"].map(|name| format!("select t1.title from {name} as t1 order by t1.title"))]);
    // A table that ends the query is not seen: so the published rule.
    assert!(readings(Kind::T, "SELECT title FROM book").is_empty());
    let second = |kind, sql: &str| readings(kind, sql).into_iter().map(|[_, second]| second).collect::<Vec<_>>();
    assert_eq!(
        second(Kind::J, "SELECT title, pages FROM book WHERE year = 3"),
        [
            "select t2.title, t1.pages from book as t1 join book_title as t2 on t1.book_id = t2.book_id where t1.year = 3",
            "select t1.title, t2.pages from book as t1 join book_pages as t2 on t1.book_id = t2.book_id where t1.year = 3",
        ]
    );
    assert!(readings(Kind::J, "SELECT book_id, pages FROM book").is_empty());
    let grouped = "SELECT country, max(born) FROM author GROUP BY country HAVING count(*) > 1";
    assert_eq!(second(Kind::P, grouped), ["select country, max_born from author_born where number > 1"]);
    for unfit in [
        "SELECT count(*) FROM book",
        "SELECT DISTINCT max(price) FROM book",
        "SELECT * FROM book",
        "SELECT max(price) FROM book WHERE year IN (SELECT year FROM book)",
    ] {
        assert!(readings(Kind::P, unfit).is_empty(), "{unfit}");
    }

    // Each reading maps back to the original query, under its own number.
    let names = Names::new(&schema);
    for (kind, sql) in [(Kind::C, sql), (Kind::T, sql), (Kind::J, "SELECT title, pages FROM book WHERE year = 3"), (Kind::P, grouped)] {
        let example = make(kind, sql).remove(0);
        let gold = Gold::new(&example.original, &names).unwrap();
        let hits = |sql: &str| {
            let [first, second] = map_back(&example, sql).map(|sql| gold.judge(&sql).exact);
            Hits::new(&example.change, first, second)
        };
        let both = example.readings.each_ref().map(|reading| hits(&format!("1 joins @ {reading}")));
        assert_eq!((both[0].first, both[0].second, both[1].first, both[1].second), (true, false, false, true), "{kind:?}");
        assert_eq!((either_and_both(&both), either_and_both(&both[..1])), ((true, true), (true, false)));
        // The original name is gone from the changed schema.
        if matches!(example.change, Change::Column { .. } | Change::Table { .. }) {
            assert_eq!(either_and_both(&[hits(&example.original)]), (false, false));
        }
    }
}

/// Text that looks like SQL: its words and marks in any order.
fn soup() -> impl Strategy<Value = String> {
    let words = "select from where group by having order limit and or not in like between as join on union except distinct count( max( ( ) , ; * . = != < > - + ' \" ` \
        author book name born year t1 t1.name book.title 1 2.5 1_0 none 'a b' \"x\" table column string number is null é ﬁ 𝒳";
    let words: Vec<&'static str> = words.split(' ').collect();
    let word = prop::sample::select(words);
    let space = prop::sample::select(vec![" ", " ", " ", "", "\n"]);
    prop::collection::vec((word, space), 0..60).prop_map(|parts| parts.into_iter().flat_map(|(word, space)| [word, space]).collect())
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![3 => soup(), 1 => ".{0,80}", 1 => "select .{0,60} from (author|book) .{0,60}"]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_template_filled_with_its_own_values_is_the_query(sql in any_text()) {
        let template = templatise(&sql, &SchemaWords::new(&library()));
        prop_assert_eq!(template.filled().unwrap(), normalise(&sql));
        let kinds: Vec<Slot> = template.values.iter().map(|(slot, _)| *slot).collect();
        prop_assert_eq!(slots(&template.text), kinds);
    }

    #[test]
    fn any_text_is_read_or_refused(sql in any_text(), other in any_text()) {
        let (schema, names) = (library(), Names::new(&library()));
        if let Ok(gold) = Gold::new(&sql, &names) {
            // A query is itself, unless a NaN or a query in FROM hides in it: only the first can.
            prop_assert!(gold.judge(&sql).exact || sql.to_lowercase().contains("nan"));
            gold.judge(&other);
        }
        if let Ok(form) = strict::form(&sql, &names) {
            prop_assert_eq!(form, strict::form(&sql, &names).unwrap());
        }
        let _ = (ddl::read(&sql, "d"), Plan::of(&sql), Plan::read(&sql).is_ok(), join(&split(&sql)), rows::prepared(&sql, false), tables_json::read(&sql).is_ok());
        let synonyms = Synonyms::default();
        for kind in Kind::ALL {
            for example in ambiguate(kind, &sql, &schema, &synonyms) {
                map_back(&example, &other);
            }
        }
    }

    #[test]
    fn any_bytes_of_a_schema_are_read_or_refused(sql in "(CREATE TABLE [a-z\"\\[(]{0,4} ?\\(.{0,40}[,)(;]?){0,4}") {
        if let Err(error) = ddl::read(&sql, "d") {
            prop_assert!(!error.to_string().contains('\n'));
        }
    }
}
