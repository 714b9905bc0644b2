use super::*;

#[test]
fn tables_columns_kinds_and_keys() {
    let sql = r#"
        -- the shop
        CREATE TABLE IF NOT EXISTS "main"."My Shop" (id INTEGER PRIMARY KEY AUTOINCREMENT, "order" varchar(10, 2) DEFAULT ('a,b)'), [größe] REAL NOT NULL,
            opened DATETIME CHECK (opened > '2000'), `a``b` BOOL);
        CREATE INDEX i ON x (y);
        INSERT INTO x VALUES (1, 'CREATE TABLE z (a)');
        CREATE TRIGGER t AFTER INSERT ON x BEGIN DELETE FROM y; UPDATE z SET a = 1; END;
        CREATE TABLE sale (shop int REFERENCES "My Shop", item, PRIMARY KEY (shop, item DESC), CONSTRAINT fk FOREIGN KEY (item) REFERENCES Item(Id) ON DELETE CASCADE,
            FOREIGN KEY (shop) REFERENCES nowhere (x), UNIQUE (shop), CHECK (shop > (1 + (2)))) WITHOUT ROWID;
        /* last */ create table item (id int)"#;
    let schema = read(sql, "shop").unwrap();
    assert_eq!(schema.tables, ["My Shop", "sale", "item"]);
    let columns: Vec<_> = schema.columns.iter().map(|c| (c.table, c.name.as_str(), c.kind)).collect();
    let expected = [
        (0, "id", Kind::Number),
        (0, "order", Kind::Text),
        (0, "größe", Kind::Number),
        (0, "opened", Kind::Time),
        (0, "a`b", Kind::Boolean),
        (1, "shop", Kind::Number),
        (1, "item", Kind::Text),
        (2, "id", Kind::Number),
    ];
    assert_eq!(columns, expected);
    assert_eq!((schema.primary_keys, schema.foreign_keys), (vec![0, 5, 6], vec![(5, 0), (6, 7)]));
}

#[test]
fn five_hundred_columns_are_fine() {
    let columns: Vec<String> = (0..500).map(|i| format!("\"select {i}\" int")).collect();
    assert_eq!(read(&format!("CREATE TABLE wide ({})", columns.join(", ")), "d").unwrap().columns.len(), 500);
}

#[test]
fn what_is_wrong_is_one_line_with_its_place() {
    let deep = format!("CREATE TABLE t (a int DEFAULT {}1{})", "(".repeat(100_000), ")".repeat(100_000));
    let many = (0..2_001).map(|i| format!("CREATE TABLE t{i} (a);")).collect::<Vec<_>>().concat();
    for (sql, why) in [
        ("", "no CREATE TABLE"),
        ("  ;;; -- nothing", "no CREATE TABLE"),
        ("CREATE TABLE t (a);\nATTACH 'x' AS y", "line 2: only CREATE TABLE is read, found `ATTACH`"),
        ("PRAGMA foreign_keys = ON;", "found `PRAGMA`"),
        ("DROP TABLE t", "found `DROP`"),
        ("CREATE TABLE t (a, A)", "a second column `A`"),
        ("CREATE TABLE t (a); CREATE TABLE T (b)", "a second table `T`"),
        ("CREATE TABLE t ()", "no columns"),
        ("CREATE TABLE t (a,\n", "never closed"),
        ("CREATE TABLE (a)", "without a name"),
        ("CREATE TABLE t AS SELECT 1", "without a list"),
        ("CREATE TABLE t (a 'x", "a quote that is never closed"),
        ("CREATE TABLE t (a /* x", "a comment that is never closed"),
        ("CREATE TABLE t (a, PRIMARY KEY (b))", "names column `b`"),
        ("CREATE TABLE t (a, FOREIGN KEY (a))", "without REFERENCES"),
        ("CREATE TABLE t (= int)", "without a name before `=`"),
        (&deep, "nested more than 64 deep"),
        (&many, "more than 2000 tables"),
        (&format!("CREATE TABLE t (\"{}\" int)", "x".repeat(600)), "a name of 600 bytes"),
        (&" ".repeat(LONGEST + 1), "at most"),
    ] {
        let error = read(sql, "d").unwrap_err().to_string();
        assert!(error.contains(why) && !error.contains('\n') && error.len() < 200, "{why}: {error}");
    }
}
