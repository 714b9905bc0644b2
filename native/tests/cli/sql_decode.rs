//! `sql decode` and `sql coverage`: readings of a chat server of the test's own, choices that are remembered, and hostile input with one line each.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    thread,
};

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::{MODEL, Place, command, refused, text};

/// A server that gives the same answer to each of `times` requests, and its address.
fn server(status: &str, body: &str, times: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    thread::spawn(move || {
        for stream in listener.incoming().take(times) {
            let mut stream = stream.unwrap();
            let mut request = vec![];
            let mut part = [0; 4096];
            // The request is read whole: its length is in its head.
            loop {
                let n = stream.read(&mut part).unwrap();
                request.extend_from_slice(&part[..n]);
                let so_far = String::from_utf8_lossy(&request).into_owned();
                let length = |head: &str| {
                    head.lines()
                        .find_map(|line| line.to_lowercase().strip_prefix("content-length:").map(|n| n.trim().parse::<usize>().unwrap()))
                };
                if n == 0 || so_far.split_once("\r\n\r\n").is_some_and(|(head, body)| body.len() >= length(head).unwrap_or(0)) {
                    break;
                }
            }
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    format!("http://{address}/v1")
}

fn answer(queries: &[&str]) -> String {
    json!({"choices": [{"message": {"content": json!({"queries": queries}).to_string()}}]}).to_string()
}

/// A folder with a database and its schema as text.
fn place() -> Place {
    let place = Place::new();
    let tables =
        "CREATE TABLE singer (id int PRIMARY KEY, name text, years_old int, birthdate int); CREATE TABLE concert (id int, singer_id int);";
    fs::write(place.path("shop.sql"), tables).unwrap();
    let connection = Connection::open(place.path("shop.sqlite")).unwrap();
    connection.execute_batch(&format!("{tables} INSERT INTO singer VALUES (1, 'Ann', 30, 30), (2, 'Bo', 41, 82);")).unwrap();
    place
}

fn decode(place: &Place, args: &[&str]) -> Value {
    let out =
        command(&[&["--json", "--quiet", "sql", "decode"], args].concat()).env("VITRINE_CONFIG", place.path("config")).output().unwrap();
    assert_eq!(out.status.code(), Some(0), "{args:?}: {}", text(&out.stderr));
    serde_json::from_str(&text(&out.stdout)).unwrap()
}

#[test]
fn sql_decode_shows_readings_their_difference_and_results_and_remembers_a_choice() {
    let place = place();
    let queries = [
        "SELECT avg(years_old) FROM singer;",
        "select avg(birthdate) from singer",
        "select  avg(years_old) from singer",
        "DROP TABLE singer",
    ];
    let (url, db) = (server("200 OK", &answer(&queries), 5), place.name("shop.sqlite"));
    let before = fs::read(place.path("shop.sqlite")).unwrap();
    let base = ["--endpoint", &url, "--db", &db, "--question", "How old?"];
    let found = decode(&place, &base);
    let readings = found["readings"].as_array().unwrap();
    assert_eq!(readings.len(), 3, "one spelling, each once");
    assert_eq!((&readings[0]["sql"], &readings[0]["rows"]), (&json!("select avg(years_old) from singer"), &json!([[35.5]])));
    assert_eq!(readings[0]["difference"], "uses years_old, not birthdate");
    assert_eq!(readings[1]["difference"], "uses birthdate, not years_old");
    assert!(readings[1]["stretches"].as_array().unwrap().contains(&json!({"text": "birthdate", "differs": true})));
    assert!(readings[2]["error"].as_str().unwrap().contains("refused"));
    assert_eq!(found["by_choice"], false);
    // The second is meant; from then on it comes first, and the file is as it was.
    decode(&place, &[&base[..], &["--choose", "2"]].concat());
    let found = decode(&place, &base);
    assert_eq!((&found["readings"][0]["sql"], &found["by_choice"]), (&json!("select avg(birthdate) from singer"), &json!(true)));
    // Another question on the same tables follows the names that were preferred.
    let found = decode(&place, &["--endpoint", &url, "--db", &db, "--question", "What age?"]);
    assert_eq!(found["readings"][0]["sql"], "select avg(birthdate) from singer");
    let out = command(&["sql", "decode", "--db", &db, "--question", "x", "--forget"]).env("VITRINE_CONFIG", place.path("config")).output();
    assert_eq!(text(&out.unwrap().stdout), "forgotten\n");
    assert_eq!(decode(&place, &base)["by_choice"], false);
    assert_eq!(fs::read(place.path("shop.sqlite")).unwrap(), before);
}

#[test]
fn sql_decode_groups_and_ranks_by_results() {
    let place = place();
    let queries =
        ["select nothing from singer", "select max(birthdate) from singer", "select count(*) from singer", "select count(id) from singer"];
    let (url, db) = (server("200 OK", &answer(&queries), 3), place.name("shop.sqlite"));
    let base = ["--endpoint", &url, "--db", &db, "--question", "How many?"];
    let sql = |found: &Value| -> Vec<String> {
        found["readings"].as_array().unwrap().iter().map(|reading| reading["sql"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(sql(&decode(&place, &[&base[..], &["--rerank", "votes"]].concat()))[0], "select count(*) from singer");
    assert_eq!(sql(&decode(&place, &[&base[..], &["--rerank", "execution"]].concat()))[3], "select nothing from singer");
    let one = decode(&place, &[&base[..], &["--one-per-result"]].concat());
    assert_eq!((sql(&one).len(), &one["readings"][2]["same_result"]), (3, &json!(1)));
}

#[test]
fn sql_decode_refuses_bad_input_in_one_line() {
    let place = place();
    let (db, schema) = (place.name("shop.sqlite"), place.name("shop.sql"));
    let write = |name: &str, text: &str| {
        fs::write(place.path(name), text).unwrap();
        place.name(name)
    };
    let dead = "http://127.0.0.1:9/v1";
    let long = "word ".repeat(10_000);
    let ask = |args: &[&str]| refused(&[&["sql", "decode"], args].concat());
    for (args, why) in [
        (vec!["--question", "", "--db", &db, "--endpoint", dead], "the question is empty"),
        (vec!["--question", " ", "--db", &db, "--model", MODEL], "the question is empty"),
        (vec!["--question", &long, "--db", &db, "--endpoint", dead], "at most"),
        (vec!["--question", &long, "--db", &db, "--model", MODEL], "at most"),
        (vec!["--question", "q", "--db", &db, "--endpoint", "https://127.0.0.1/v1"], "http://"),
        (vec!["--question", "q", "--db", &db, "--endpoint", dead], "does not answer"),
        (vec!["--question", "q", "--db", &place.name("none.sqlite"), "--model", MODEL], "there is no such file"),
        (vec!["--question", "q", "--schema", &place.name("none.sql"), "--model", MODEL], "none.sql"),
        (vec!["--question", "q", "--schema", &write("empty.sql", ""), "--model", MODEL], "no CREATE TABLE"),
        (vec!["--question", "q", "--schema", &write("bad.sql", "CREATE TABLE a (b int"), "--model", MODEL], "never closed"),
        (vec!["--question", "q", "--schema", &write("odd.sql", "CREATE TABLE 'a (b int)"), "--model", MODEL], "quote"),
        (vec!["--question", "q", "--schema", &write("twice.sql", "CREATE TABLE a (b int, B int)"), "--model", MODEL], "second column"),
        (vec!["--question", "q", "--schema", &write("attach.sql", "ATTACH 'x' AS y"), "--model", MODEL], "only CREATE TABLE"),
        (
            vec!["--question", "q", "--db", &write("text.sqlite", "no database, only text that is long enough"), "--model", MODEL],
            "text.sqlite",
        ),
        (vec!["--question", "q", "--schema", &schema, "--model", MODEL, "--method", "magic"], "there is no method magic"),
        (vec!["--question", "q", "--schema", &schema, "--model", MODEL, "--first-token"], "belongs to logical-beam"),
        (vec!["--question", "q", "--schema", &schema, "--model", MODEL, "--method", "greedy", "--width", "2"], "the width belongs to"),
        (
            vec!["--question", "q", "--schema", &schema, "--model", MODEL, "--method", "top-p", "--length-penalty", "1"],
            "the length penalty belongs to",
        ),
        (vec!["--question", "q", "--schema", &schema, "--model", MODEL, "--method", "logical-beam"], "stage"),
        (vec!["--question", "q", "--schema", &schema, "--model", MODEL, "-k", "0"], "--k"),
        (vec!["--question", "q", "--schema", &schema, "--model", "no-such-model"], "no-such-model"),
        (vec!["--question", "q", "--model", MODEL], "required arguments were not provided: --db <DB>"),
        (vec!["--db", &db, "--model", MODEL], "--question <QUESTION>"),
        (vec!["--question", "q", "--schema", &schema, "--modle", MODEL], "'--model'"),
    ] {
        let line = ask(&args);
        // A model whose vocabulary cannot end a text says so first.
        assert!(line.contains(why) || line.contains("cannot write SQL"), "{args:?}: {line}");
    }
    let empty = Connection::open(place.path("empty.sqlite")).unwrap();
    empty.execute_batch("PRAGMA user_version = 1").unwrap();
    assert!(ask(&["--question", "q", "--db", &place.name("empty.sqlite"), "--model", MODEL]).contains("no CREATE TABLE"));
    for (status, body, why) in [
        ("500 Oh", "{}", "status 500"),
        ("200 OK", "no json", "not JSON"),
        ("200 OK", "{\"choices\": []}", "holds no query"),
        ("200 OK", &"x".repeat(2 << 20), "bytes"),
    ] {
        let line = ask(&["--question", "q", "--db", &db, "--endpoint", &server(status, body, 1)]);
        assert!(line.contains(why), "{line}");
    }
}

#[test]
fn sql_decode_runs_hostile_queries_into_one_line_and_takes_odd_names() {
    let place = place();
    let endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n";
    let queries = [endless, "select 'odd", "attach 'x' as y", "pragma writable_schema = 1", "insert into singer values (9, 'x', 1, 1)"];
    let (url, db) = (server("200 OK", &answer(&queries), 1), place.name("shop.sqlite"));
    let found = decode(&place, &["--endpoint", &url, "--db", &db, "--question", "q", "--seconds", "1"]);
    let readings = found["readings"].as_array().unwrap();
    assert_eq!(readings.len(), 5);
    for (reading, why) in readings.iter().zip(["longer than 1 s", "", "refused: ATTACH", "refused: PRAGMA", "refused: INSERT"]) {
        let error = reading["error"].as_str().unwrap_or_else(|| panic!("{reading}"));
        assert!(error.contains(why) && !error.contains('\n'), "{error}");
    }
    // Reserved, quoted, unicode names and 500 columns are read and answered.
    let wide = (0..500).map(|i| format!("\"größe {i}\" int, ")).collect::<Vec<_>>().concat();
    fs::write(place.path("odd.sql"), format!("CREATE TABLE \"order\" ({wide} \"select\" text, \"it's\" int)")).unwrap();
    let url = server("200 OK", &answer(&["select `größe 3` from `order`", "select \"select\" from `order`"]), 1);
    let found = decode(&place, &["--endpoint", &url, "--schema", &place.name("odd.sql"), "--question", "Größe? 'it\"s"]);
    assert_eq!(found["readings"].as_array().unwrap().len(), 2);
}

#[test]
fn sql_coverage_counts_lists_by_every_measure_and_refuses_wrong_files() {
    let place = Place::new();
    let write = |name: &str, text: &str| {
        fs::write(place.path(name), text).unwrap();
        place.name(name)
    };
    let tables = json!([{"db_id": "shop", "table_names_original": ["singer"], "column_names_original": [[-1, "*"], [0, "id"], [0, "name"], [0, "age"]],
        "column_types": ["text", "number", "text", "number"], "primary_keys": [1], "foreign_keys": []}]);
    write("tables.json", &tables.to_string());
    fs::create_dir(place.path("db")).unwrap();
    let connection = Connection::open(place.path("db").join("shop.sqlite")).unwrap();
    connection
        .execute_batch("CREATE TABLE singer (id int, name text, age int); INSERT INTO singer VALUES (1, 'Ann', 30), (2, 'Bo', 41);")
        .unwrap();
    let line = |id: &str| {
        json!({"id": id, "db_id": "shop", "question": "How old?", "orig_query": "select age from singer", "query1": "select years_old from singer",
            "query2": "select birthdate from singer", "map": {"singer": {"age": ["years_old", "birthdate"]}}})
        .to_string()
    };
    let data = write("C.jsonl", &format!("{}\n{}\n", line("C1"), line("C2")));
    let lists = [
        json!({"id": "C1", "candidates": ["select years_old from singer", {"sql": "select birthdate from singer"}]}),
        json!({"id": "C2", "candidates": ["select age from singer", "select years_old from singer", "DROP TABLE singer"]}),
    ];
    let lists = write("lists.jsonl", &lists.map(|line| line.to_string()).join("\n"));
    let db = place.name("db");
    let before = fs::read(place.path("db").join("shop.sqlite")).unwrap();
    let args = ["--json", "sql", "coverage", "--kind", "C", "--data", &data, "--predictions", &lists, "--db", &db, "--native"];
    let out = command(&args).output().unwrap();
    let found: Value = serde_json::from_str(&text(&out.stdout)).unwrap_or_else(|_| panic!("{}", text(&out.stderr)));
    for measure in ["EM", "EXM", "DX", "native"] {
        assert_eq!(found["measures"][measure], json!({"questions": 2, "either": 2, "both": 1}), "{measure}");
    }
    assert_eq!(fs::read(place.path("db").join("shop.sqlite")).unwrap(), before, "the file is only read");
    let none = write("none.jsonl", "{\"id\": \"C9\", \"candidates\": []}");
    for (kind, predictions, why) in
        [("X", &lists, "no kind X"), ("C", &none, "no example C9"), ("C", &data, "line 1"), ("C", &write("e.jsonl", ""), "no lists")]
    {
        let line = refused(&["sql", "coverage", "--kind", kind, "--data", &data, "--predictions", predictions]);
        assert!(line.contains(why), "{line}");
    }
    let line = refused(&["sql", "coverage", "--kind", "C", "--data", &data, "--predictions", &lists, "--db", &place.name("gone")]);
    assert!(line.contains("no database"), "{line}");
}

#[test]
fn sql_check_constraint_counts_random_queries() {
    let place = place();
    let out = crate::support::fine(&["check", "constraint", "--schema", &place.name("shop.sql"), "--count", "40"]);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 2, "{out}");
    for (mode, line) in ["Guarded", "Parsing"].iter().zip(lines) {
        assert!(line.starts_with(&format!("{mode}: 40 of 40 random texts ended, 40 of them can be read; ")), "{line}");
    }
}
