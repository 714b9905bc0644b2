//! SQL as text: one spelling, and the rough tokens with which the AmbiQT benchmark rewrites queries.
//!
//! All queries of the benchmark, of templates and of candidates are brought to one spelling before anything else: lower case outside quotes, single spaces, none
//! before a comma and inside brackets. Rewriting then splits at spaces, commas and brackets only, quotes or not, replaces tokens and joins them again: the published strings
//! come out of exactly this, with its limits (aliases have one digit).
//!
//! **Source.** Bhaskar et al., EMNLP 2023, the released benchmark.

use std::collections::BTreeMap;

/// The five aggregates as words.
pub const AGGREGATES: [&str; 5] = ["count", "avg", "sum", "min", "max"];

/// One spelling: without a final `;`, lower case outside quotes, single spaces.
pub fn normalise(sql: &str) -> String {
    let sql = sql.trim();
    let sql = sql.strip_suffix(';').unwrap_or(sql).replace("``", "`");
    let mut lowered = String::with_capacity(sql.len());
    let mut quote = None;
    for c in sql.chars() {
        if let Some(open) = quote {
            lowered.push(c);
            if c == open {
                quote = None;
            }
        } else {
            quote = matches!(c, '\'' | '"' | '`').then_some(c);
            lowered.extend(c.to_lowercase());
        }
    }
    let mut text = lowered.split_whitespace().collect::<Vec<_>>().join(" ").replace(" ,", ",").replace("( ", "(").replace(" )", ")");
    for aggregate in AGGREGATES {
        text = text.replace(&format!("{aggregate} ("), &format!("{aggregate}("));
    }
    text
}

/// The tokens of a query for rewriting: commas and brackets, and what stands between them and spaces.
pub fn split(sql: &str) -> Vec<String> {
    let mut spaced = String::with_capacity(sql.len() + 16);
    for c in sql.chars() {
        if matches!(c, ',' | '(' | ')') {
            spaced.extend([' ', c, ' ']);
        } else {
            spaced.push(c);
        }
    }
    spaced.split_whitespace().map(str::to_owned).collect()
}

/// Tokens put together again, in the one spelling.
pub fn join(tokens: &[String]) -> String {
    normalise(&tokens.join(" "))
}

/// What each alias stands for: the token before `as` under the one behind it.
pub fn aliases(tokens: &[String]) -> BTreeMap<&str, &str> {
    let named = tokens.windows(3).filter(|window| window[1] == "as");
    named.map(|window| (window[2].as_str(), window[0].as_str())).collect()
}

/// Alias and name of a qualified token, which is one whose third character is a period.
pub fn qualified(token: &str) -> Option<(&str, &str)> {
    let (third, _) = token.char_indices().nth(2)?;
    let (alias, rest) = token.split_at(third);
    rest.strip_prefix('.').map(|name| (alias, name))
}

/// A token without its alias.
pub fn bare(token: &str) -> &str {
    qualified(token).map_or(token, |(_, name)| name)
}

/// The token behind the first `from`.
pub fn first_table(tokens: &[String]) -> Option<&str> {
    tokens.iter().position(|token| token == "from").and_then(|at| tokens.get(at + 1)).map(String::as_str)
}

/// The tokens between `select` and the first `from`.
pub fn select_list(tokens: &[String]) -> &[String] {
    let end = tokens.iter().position(|token| token == "from").unwrap_or(tokens.len());
    tokens.get(1..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling() {
        assert_eq!(
            normalise("SELECT  Count ( * ) , `A B`  FROM t WHERE x = 'It , Is' ;"),
            "select count(*), `A B` from t where x = 'It, Is'"
        );
        assert_eq!(normalise("a ;;"), "a ;");
        assert_eq!(normalise("WHERE ``X`` = 1"), "where `X` = 1");
    }

    #[test]
    fn tokens_and_their_aliases() {
        let tokens = split("select count(t1.x), y from a as t1 join b as t2");
        assert_eq!(join(&tokens), "select count(t1.x), y from a as t1 join b as t2");
        assert_eq!(aliases(&tokens), BTreeMap::from([("t1", "a"), ("t2", "b")]));
        assert_eq!(
            (qualified("t1.x"), qualified("t12.x"), qualified("ab"), qualified("é1.x")),
            (Some(("t1", "x")), None, None, Some(("é1", "x")))
        );
        assert_eq!((bare("t1.x"), bare("x"), first_table(&tokens)), ("x", "x", Some("a")));
        assert_eq!(select_list(&tokens).join(" "), "count ( t1.x ) , y");
    }
}
