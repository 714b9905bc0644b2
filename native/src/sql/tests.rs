use super::*;

/// A folder with one small database.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let connection = Connection::open(folder.path().join("shop.sqlite")).unwrap();
    let text = "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, price REAL);
        INSERT INTO item VALUES (1, 'tea', 2.5), (2, 'salt', 1), (3, CAST(x'61ff62' AS TEXT), NULL);";
    connection.execute_batch(text).unwrap();
    folder
}

fn run(folder: &Path, sql: &str) -> Result<Rows, ExecuteError> {
    Folder::new(folder, Duration::from_secs(1)).run("shop", sql)
}

#[test]
fn sql_rows_come_with_their_types_and_broken_text_without_its_broken_bytes() {
    let folder = folder();
    let rows = run(folder.path(), "SELECT id, name, price FROM item WHERE name != \"tea\" ORDER BY id;").unwrap();
    assert_eq!(rows.columns, ["id", "name", "price"]);
    assert_eq!(rows.rows[0], [Value::Integer(2), Value::Text("salt".into()), Value::Real(1.0)]);
    assert_eq!(rows.rows[1], [Value::Integer(3), Value::Text("ab".into()), Value::Null]);
}

#[test]
fn sql_nothing_but_select_runs_and_the_file_stays_as_it_is() {
    let folder = folder();
    let file = folder.path().join("shop.sqlite");
    let before = std::fs::read(&file).unwrap();
    let other = folder.path().join("other.sqlite");
    for (sql, why) in [
        ("DROP TABLE item".to_owned(), "DROP"),
        ("INSERT INTO item VALUES (9, 'x', 1)".into(), "INSERT"),
        ("UPDATE item SET price = 0".into(), "UPDATE"),
        (format!("ATTACH '{}' AS other", other.display()), "ATTACH"),
        ("PRAGMA writable_schema = 1".into(), "PRAGMA"),
        ("/* SELECT */ -- SELECT\n VACUUM".into(), "VACUUM"),
        ("WITH a AS (SELECT 1) DELETE FROM item".into(), "Delete"),
        ("SELECT 1; SELECT 2".into(), "more than one"),
        ("SELECT 1; DROP TABLE item".into(), "Delete"),
        ("SELECT * FROM pragma_table_info('item')".into(), "Pragma"),
        ("SELECT load_extension('x')".into(), "Function"),
        ("  ".into(), "empty"),
    ] {
        let error = run(folder.path(), &sql).unwrap_err();
        assert!(matches!(&error, ExecuteError::Refused(what) if what.contains(why)), "{sql}: {error}");
    }
    assert_eq!(std::fs::read(&file).unwrap(), before);
    assert!(!other.exists());
}

#[test]
fn sql_empty_statements_before_a_query_are_passed_over() {
    let folder = folder();
    let rows = run(folder.path(), "SELECT id FROM item").unwrap();
    for before in [";", ";; ", " -- a\n; /* b */ ;"] {
        assert_eq!(run(folder.path(), &format!("{before}SELECT id FROM item")), Ok(rows.clone()), "{before}");
    }
}

#[test]
fn sql_virtual_tables_and_what_they_keep_are_no_part_of_the_schema() {
    let folder = folder();
    let path = folder.path().join("shop.sqlite");
    Connection::open(&path).unwrap().execute_batch("CREATE VIRTUAL TABLE notes USING fts5(text); CREATE TABLE notes_of (id int)").unwrap();
    let schema = file::File::open(&path, Duration::from_secs(1)).unwrap().schema(&path).unwrap();
    assert_eq!(schema.tables, ["item", "notes_of"]);
}

#[test]
fn sql_endless_and_huge_queries_end_in_one_line() {
    let folder = folder();
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    assert_eq!(run(folder.path(), endless), Err(ExecuteError::TimedOut { seconds: 1 }));
    let nested = format!("SELECT {}1{}", "(".repeat(5_000), ")".repeat(5_000));
    for sql in [
        "SELECT zeroblob(1000000000)".to_owned(),
        nested,
        format!("SELECT {}1", "1+".repeat(1_000)),
        format!("SELECT '{}'", "x".repeat(1 << 20)),
    ] {
        let error = run(folder.path(), &sql).unwrap_err().to_string();
        assert!(!error.contains('\n') && error.len() < 400, "{error}");
    }
}

#[test]
fn sql_databases_are_found_by_name_only() {
    let folder = folder();
    let variants = folder.path().join("many");
    std::fs::create_dir(&variants).unwrap();
    for name in ["b.sqlite", "a.sqlite", "notes.txt"] {
        std::fs::copy(folder.path().join("shop.sqlite"), variants.join(name)).unwrap();
    }
    let found = Folder::new(folder.path(), Duration::from_secs(1)).variants("many").unwrap();
    assert_eq!(found.len(), 2);
    assert!(found[0].ends_with("a.sqlite"));
    for name in ["none", "../shop", "", ".", "a/b"] {
        assert_eq!(run_named(folder.path(), name), Err(ExecuteError::NoDatabase(name.into())), "{name}");
    }
    std::fs::write(folder.path().join("text.sqlite"), "no database at all, only text").unwrap();
    assert!(run_named(folder.path(), "text").is_err());
}

fn run_named(folder: &Path, name: &str) -> Result<Rows, ExecuteError> {
    Folder::new(folder, Duration::from_secs(1)).run(name, "SELECT 1 FROM sqlite_master")
}
