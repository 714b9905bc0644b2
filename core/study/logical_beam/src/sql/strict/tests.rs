use super::super::ddl;
use super::*;

fn check(gold: &str, prediction: &str) -> bool {
    let sql = "CREATE TABLE singer (id int, name text, age int, value text); CREATE TABLE concert (id int, singer_id int, year int)";
    same(gold, prediction, &Names::new(&ddl::read(sql, "d").unwrap())).unwrap()
}

#[test]
fn what_says_the_same_is_the_same() {
    let join = "SELECT T1.name FROM singer AS T1 JOIN concert AS T2 ON T1.id = T2.singer_id WHERE T2.year = 2014";
    for (a, b) in [
        (join, "select x.name as who from concert c inner join singer x on c.singer_id = x.id where year = 2014.0"),
        (join, "SELECT name FROM singer, concert WHERE singer.id = concert.singer_id AND year = 2014;"),
        (
            "SELECT count(*) AS n FROM singer GROUP BY age ORDER BY n DESC",
            "SELECT count(*) FROM singer GROUP BY age ORDER BY count(*) DESC",
        ),
        (
            "SELECT name FROM singer WHERE age > 3 AND (name = \"Joe\" OR age IN (1, 2))",
            "SELECT name FROM singer WHERE (age IN (2, 1) OR 'Joe' = name) AND 3 < age",
        ),
        ("SELECT name FROM singer WHERE age <> 3", "SELECT name FROM singer WHERE age != 3"),
        ("SELECT value FROM singer", "SELECT T1.\"value\" FROM singer AS T1"),
        (
            "SELECT id FROM singer WHERE id IN (SELECT singer_id FROM concert AS T1)",
            "SELECT T1.id FROM singer AS T1 WHERE id IN (SELECT singer_id FROM concert)",
        ),
    ] {
        assert!(check(a, b), "{a}\n{b}");
    }
}

#[test]
fn what_differs_in_a_value_a_join_or_an_order_differs() {
    let join = "SELECT T1.name FROM singer AS T1 JOIN concert AS T2 ON T1.id = T2.singer_id";
    for (a, b) in [
        (join, "SELECT T1.name FROM singer AS T1 JOIN concert AS T2 ON T1.id = T2.id"),
        (join, "SELECT T1.name FROM singer AS T1 LEFT JOIN concert AS T2 ON T1.id = T2.singer_id"),
        ("SELECT name FROM singer WHERE age = 1", "SELECT name FROM singer WHERE age = 2"),
        ("SELECT name FROM singer LIMIT 1", "SELECT name FROM singer LIMIT 2"),
        ("SELECT DISTINCT name FROM singer", "SELECT name FROM singer"),
        ("SELECT name FROM singer ORDER BY age DESC, id", "SELECT name FROM singer ORDER BY age, id DESC"),
        ("SELECT name FROM singer WHERE name = 'joe'", "SELECT name FROM singer WHERE name = 'Joe'"),
        ("SELECT id FROM singer", "SELECT nothing at all"),
        ("SELECT id FROM singer", "DROP TABLE singer"),
    ] {
        assert!(!check(a, b), "{a}\n{b}");
    }
}

#[test]
fn long_and_deep_queries_are_one_line() {
    let names = Names::new(&super::super::schema::Schema::default());
    for sql in [
        format!("SELECT {}1", "1+".repeat(9_000)),
        format!("SELECT {}1{}", "(".repeat(700), ")".repeat(700)),
        "SELECT 1; SELECT 2".into(),
        "'".into(),
        String::new(),
    ] {
        let error = form(&sql, &names).unwrap_err().to_string();
        assert!(!error.contains('\n') && error.len() < 300, "{error}");
    }
    let longest = format!("SELECT {}1", "1+".repeat(MOST_TOKENS / 2 - 10));
    assert!(form(&longest, &names).is_ok());
}
