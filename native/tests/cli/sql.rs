//! The `sql` commands, the golden checks of SQL, and hostile queries and schemas, each with one line.

use std::fs;

use rusqlite::Connection;

use crate::support::{Place, fine, fine_json, refused, text, vitrine};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/sql");

fn fixture(name: &str) -> String {
    format!("{FIXTURES}/{name}")
}

/// A folder with predictions, gold and a database of the self-made schema.
fn place() -> Place {
    let place = Place::new();
    let write = |name: &str, text: &str| fs::write(place.path(name), text).unwrap();
    write(
        "gold.txt",
        "SELECT name FROM author WHERE born > 1950\tlibrary\nSELECT count(*) FROM book\tlibrary\nSELECT name FROM author EXCEPT SELECT title FROM book\tlibrary\n",
    );
    write("pred.txt", "SELECT name FROM author WHERE born > 1900\nSELECT count(*) FROM author\nSELECT nonsense\n");
    fs::create_dir(place.path("db")).unwrap();
    let connection = Connection::open(place.path("db").join("library.sqlite")).unwrap();
    let tables = "CREATE TABLE author (author_id, name, born, country); CREATE TABLE book (book_id, title, author_id, year, pages, price);
        INSERT INTO author VALUES (1, 'Ada', 1960, 'x'), (2, 'Bo', 1970, 'y'); INSERT INTO book VALUES (1, 'T', 1, 2000, 3, 4), (2, 'U', 1, 2000, 3, 4);";
    connection.execute_batch(tables).unwrap();
    place
}

#[test]
fn sql_match_counts_by_hardness() {
    let place = place();
    let (gold, pred, tables, db) = (place.name("gold.txt"), place.name("pred.txt"), fixture("tables.json"), place.name("db"));
    let args = ["sql", "match", "--gold", &gold, "--pred", &pred, "--tables", &tables];
    let found = fine_json(&args);
    assert_eq!(found["schema"], "vitrine.sql-match/1");
    assert_eq!(found["levels"]["all"], serde_json::json!({"questions": 3, "readable": 2, "exact": 1}));
    assert_eq!(found["levels"]["hard"]["questions"], 1);
    let found = fine_json(&[&args[..], &["--db", &db, "--strict"]].concat());
    // Another value: exact, not strictly, and with the same rows. Another table with as many rows: the same result, of the same selected `*`.
    assert_eq!(
        found["levels"]["all"],
        serde_json::json!({"questions": 3, "readable": 2, "exact": 1, "strict": 0, "executed": 2, "exm": 2, "dx": 2})
    );
    assert!(fine(&args).contains("all              3     0.667     0.333         -         -         -         -"), "{}", fine(&args));
}

#[test]
fn sql_plan_and_second_readings_are_printed() {
    let place = Place::new();
    let schema = place.name("shop.sql");
    fs::write(&schema, "CREATE TABLE \"order\" (id int PRIMARY KEY, größe text, price real);").unwrap();
    let plan = fine(&["sql", "plan", "SELECT größe, price FROM `order` WHERE price > 3", "--schema", &schema]);
    assert!(
        plan.starts_with("plan      0 joins @ 2 selects @ \ntemplate  select column, column from table where column > number\n"),
        "{plan}"
    );
    let found =
        fine_json(&["sql", "ambiguate", "SELECT name, born FROM author", "--tables", &fixture("tables.json"), "--database", "library"]);
    assert_eq!(found["found"].as_array().unwrap().len(), 2);
    assert_eq!(
        found["found"][0]["readings"][1],
        "select t2.name, t1.born from author as t1 join author_name as t2 on t1.author_id = t2.author_id"
    );
}

/// A benchmark made of a file of questions: a line for each second reading, each kind after the other, the same for the same seed.
#[test]
fn sql_ambiguate_makes_a_benchmark_of_questions() {
    let place = place();
    let questions = [
        ("Names and births of authors?", "SELECT name, born FROM author"),
        (
            "How many books of each country?",
            "SELECT count(*) FROM book JOIN author ON book.author_id = author.author_id GROUP BY author.country",
        ),
    ];
    let lines: Vec<String> = questions
        .iter()
        .map(|(question, query)| serde_json::json!({"db_id": "library", "question": question, "query": query}).to_string())
        .collect();
    fs::write(place.path("dev.jsonl"), lines.join("\n")).unwrap();
    let (data, tables) = (place.name("dev.jsonl"), fixture("tables.json"));
    let args = ["sql", "ambiguate", "--data", &data, "--tables", &tables, "--kind", "J"];
    let found: Vec<serde_json::Value> = fine(&args).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(found.len(), 2, "the columns of the first question, one by one");
    for (number, line) in found.iter().enumerate() {
        assert_eq!((&line["question"], &line["db_id"]), (&questions[0].0.into(), &"library".into()), "{line}");
        assert_eq!(line["id"], format!("J{number}"));
    }
    let readings = fine_json(&["sql", "ambiguate", questions[0].1, "--kind", "J", "--tables", &tables, "--database", "library"]);
    assert_eq!(found[0]["query2"], readings["found"][0]["readings"][1], "as for one query");
    assert_eq!(fine(&args), fine(&args));
    assert_ne!(fine(&args), fine(&[&args[..], &["--seed", "1"]].concat()), "the seed shuffles the schemas");
    let refuse = |data: &str, more: &[&str]| {
        fs::write(place.path("bad.jsonl"), data).unwrap();
        refused(&[&["sql", "ambiguate", "--data", &place.name("bad.jsonl"), "--kind", "J"], more].concat())
    };
    let with_tables = ["--tables", &tables];
    assert!(refuse(&lines[0], &[]).contains("--tables"));
    assert!(refuse("{", &with_tables).contains("line 1"));
    assert!(refuse(&lines[0].replace("library", "nowhere"), &with_tables).contains("there is no database nowhere"));
}

#[test]
fn sql_golden_checks_of_the_repository_agree_and_a_wrong_file_fails() {
    assert!(
        fine(&["check", "golden", "sql-em", &fixture("exact.json")])
            .starts_with("exact-set match: 400 of 400 agree, largest difference 0.000e0\n")
    );
    let place = Place::new();
    fs::copy(fixture("tables.json"), place.path("tables.json")).unwrap();
    let turned = fs::read_to_string(fixture("exact.json")).unwrap().replacen("\"hardness\": \"easy\"", "\"hardness\": \"extra\"", 1);
    fs::write(place.path("exact.json"), turned).unwrap();
    let out = vitrine(&["check", "golden", "sql-em", &place.name("exact.json")]);
    assert_eq!(out.status.code(), Some(1));
    assert!(text(&out.stdout).contains("hardness: 399 of 400"), "{}", text(&out.stdout));
}

#[test]
fn sql_published_checks_agree() {
    let Some(root) = std::env::var_os("VITRINE_DATA") else {
        eprintln!("skipped: VITRINE_DATA not set");
        return;
    };
    let file = |name: &str| std::path::Path::new(&root).join("ambiqt").join(name).display().to_string();
    assert!(fine(&["check", "golden", "sql-em", &file("golden_em.json")]).starts_with("exact-set match: 150 of 150"));
    assert!(fine(&["check", "golden", "sql-ex", &file("golden_em.json")]).starts_with("execution match: 150 of 150"));
    let coverage = fine(&["check", "golden", "sql-coverage", &file("golden_coverage.json")]);
    assert!(coverage.lines().count() == 20 && coverage.contains("J rows hits: 1200 of 1200"), "{coverage}");
}

#[test]
fn sql_hostile_input_is_one_line() {
    let place = place();
    let (tables, gold, pred, db) = (fixture("tables.json"), place.name("gold.txt"), place.name("pred.txt"), place.name("db"));
    let write = |name: &str, text: &str| {
        fs::write(place.path(name), text).unwrap();
        place.name(name)
    };
    let compare = |gold: &str, pred: &str, more: &[&str]| {
        refused(&[&["sql", "match", "--gold", gold, "--pred", pred, "--tables", &tables], more].concat())
    };
    for (gold, pred, why) in [
        (write("a", "SELECT name FROM author\n"), pred.clone(), "1 questions"),
        (write("b", "SELECT name FROM author\nx\ny\n"), pred.clone(), "question 1: no tab"),
        (write("c", "SELECT name FROM author\tnowhere\n"), write("c2", "x"), "no database nowhere"),
        (write("d", "SELECT it's FROM author\tlibrary\n"), write("d2", "x"), "odd number of quotes"),
        (write("e", ""), pred.clone(), "no questions"),
        (place.name("missing"), pred.clone(), "missing"),
    ] {
        let said = compare(&gold, &pred, &[]);
        assert!(said.contains(why), "{said}");
    }
    let said = compare(&write("f", "SELECT days FROM loan\tlibrary\n"), &write("f2", "SELECT 1"), &["--db", &db]);
    assert!(said.contains("the gold query has no result") && said.contains("no such table"), "{said}");
    let said = compare(&gold, &pred, &["--db", &place.name("nowhere")]);
    assert!(said.contains("no database library"), "{said}");

    // Predictions are never trusted: these are wrong, not run, and the file stays as it is.
    let file = place.path("db").join("library.sqlite");
    let before = fs::read(&file).unwrap();
    let hostile =
        ["DROP TABLE author", "ATTACH 'x' AS y", "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"];
    fs::write(place.path("hostile.txt"), hostile.join("\n")).unwrap();
    let args = ["sql", "match", "--gold", &gold, "--pred", &place.name("hostile.txt"), "--tables", &tables, "--db", &db, "--seconds", "1"];
    assert_eq!(fine_json(&args)["levels"]["all"]["executed"], 0);
    assert_eq!(fs::read(&file).unwrap(), before);

    for (schema, why) in [
        ("ATTACH DATABASE 'x' AS y", "line 1: only CREATE TABLE is read, found `ATTACH`"),
        ("CREATE TABLE t (a int);\nPRAGMA user_version = 1;", "line 2"),
        ("CREATE TABLE t (a int, \"A\" int)", "a second column `A`"),
        ("CREATE TABLE t (a 'int)", "never closed"),
        ("", "no CREATE TABLE"),
        ("CREATE TABLE t (a int DEFAULT ((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((1", "nested more than 64"),
    ] {
        let said = refused(&["sql", "plan", "SELECT a FROM t", "--schema", &write("s.sql", schema)]);
        assert!(said.contains(why), "{said}");
    }
    for (args, why) in [
        (vec!["sql", "plan", "SELECT 1"], "a schema is needed"),
        (vec!["sql", "plan", " ", "--tables", &tables, "--database", "library"], "empty"),
        (vec!["sql", "plan", "SELECT 1", "--tables", &gold, "--database", "library"], "not a file of schemas"),
        (vec!["sql", "ambiguate", "SELECT 1", "--kind", "X", "--tables", &tables, "--database", "library"], "no kind X"),
        (vec!["sql", "ambiguate", "SELECT 1", "--kind", "C", "--tables", &tables, "--database", "library"], "needs --column-synonyms"),
    ] {
        let said = refused(&args);
        assert!(said.contains(why), "{said}");
    }
}
