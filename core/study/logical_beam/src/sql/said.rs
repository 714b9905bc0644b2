//! A name as a query has to say it: bare, or in backticks.
//!
//! `SQLite` takes most of its keywords for names where nothing else fits; those below it never does. A name that begins with a digit is read as a number.

/// Keywords that are no name without quotes, sorted: found by asking `SQLite` for tables and columns of each of its keywords' names.
const RESERVED: [&str; 63] = [
    "add",
    "all",
    "alter",
    "and",
    "as",
    "autoincrement",
    "between",
    "case",
    "cast",
    "check",
    "collate",
    "commit",
    "constraint",
    "create",
    "current_date",
    "current_time",
    "current_timestamp",
    "default",
    "deferrable",
    "delete",
    "distinct",
    "drop",
    "else",
    "escape",
    "except",
    "exists",
    "foreign",
    "from",
    "group",
    "having",
    "in",
    "index",
    "insert",
    "intersect",
    "into",
    "is",
    "isnull",
    "join",
    "limit",
    "not",
    "nothing",
    "notnull",
    "null",
    "on",
    "or",
    "order",
    "primary",
    "raise",
    "references",
    "returning",
    "select",
    "set",
    "table",
    "then",
    "to",
    "transaction",
    "union",
    "unique",
    "update",
    "using",
    "values",
    "when",
    "where",
];

/// Whether `SQLite` reads this name as something else where it stands without quotes.
pub fn is_reserved(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_digit()) || RESERVED.binary_search(&name.to_ascii_lowercase().as_str()).is_ok()
}

/// The name as a query says it: what is no plain word stands in backticks. Nothing where it cannot be said.
pub fn as_said(name: &str) -> Option<String> {
    let plain = |c: char| c.is_alphanumeric() || c == '_';
    if name.is_empty() || name.contains('`') || name.chars().any(char::is_control) {
        None
    } else if name == "*" || (name.chars().all(plain) && !is_reserved(name)) {
        Some(name.to_owned())
    } else {
        Some(format!("`{name}`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_keywords_or_begin_with_a_digit_stand_in_backticks() {
        assert!(RESERVED.is_sorted());
        let said = ["Name", "größe", "*", "my col", "ORDER", "match", "18_49", "a`b", "", "a\nb"].map(as_said);
        let expected =
            [Some("Name"), Some("größe"), Some("*"), Some("`my col`"), Some("`ORDER`"), Some("match"), Some("`18_49`"), None, None, None];
        assert_eq!(said, expected.map(|name| name.map(str::to_owned)));
    }
}
