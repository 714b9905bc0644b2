//! A server that speaks the chat interface many programs share: it is asked for a list of queries and gives text.
//!
//! Plain `http://` only: such servers run on the same machine or behind a tunnel, and a TLS library would be larger than the rest of the program's network code. What comes back is bounded in
//! size and time, and none of it is trusted more than a user's text.

use std::io::Read as _;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use vitrine_logical_beam::{
    beam::merge::{Candidate, Origin, distinct},
    sql::{
        schema::Schema,
        schema_text::{Form, schema_text},
    },
};

/// Longest answer, in bytes.
const LONGEST: u64 = 1 << 20;

/// A server and how it is asked.
pub struct Endpoint<'a> {
    /// Up to and without `/chat/completions`.
    pub url: &'a str,
    /// The model's name there.
    pub model: &'a str,
    pub seconds: u64,
    pub temperature: f64,
}

impl Endpoint<'_> {
    /// At most `k` distinct queries for the question.
    ///
    /// # Errors
    /// One line: an address that is not plain HTTP, no answer, or one that holds no query.
    pub fn list(&self, question: &str, schema: &Schema, k: usize) -> Result<Vec<Candidate>> {
        ensure!(self.url.starts_with("http://"), "--endpoint has to begin with http:// (a TLS library is not part of this program)");
        let tables = schema_text(schema, Form { typed: true, ..Form::default() }, |_| vec![]);
        let ask = format!(
            "Tables: {tables}\nQuestion: {question}\nThe question may have more than one reading. Write {k} different SQLite queries for it, the likeliest first, as a JSON \
             object: {{\"queries\": [\"...\"]}}. Use plain names in queries of one table and aliases t1, t2 in joins. Only the JSON object."
        );
        let body = json!({"model": self.model, "messages": [{"role": "user", "content": ask}], "temperature": self.temperature});
        let url = format!("{}/chat/completions", self.url.trim_end_matches('/'));
        let asked = minreq::post(url).with_header("Content-Type", "application/json").with_body(body.to_string());
        let response = asked.with_timeout(self.seconds).with_follow_redirects(false).with_max_headers_size(64 << 10).send_lazy();
        let mut response = response.with_context(|| format!("{} does not answer", self.url))?;
        let mut text = String::new();
        let read = response.by_ref().take(LONGEST + 1).read_to_string(&mut text);
        read.with_context(|| format!("the answer of {} breaks off", self.url))?;
        ensure!(text.len() as u64 <= LONGEST, "the answer of {} has more than {LONGEST} bytes", self.url);
        ensure!(response.status_code == 200, "{} answers with status {}", self.url, response.status_code);
        let answer: Value = serde_json::from_str(&text).with_context(|| format!("the answer of {} is not JSON", self.url))?;
        let found: Vec<String> = answer["choices"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|choice| choice["message"]["content"].as_str())
            .flat_map(queries)
            .collect();
        if found.is_empty() {
            bail!("the answer of {} holds no query", self.url);
        }
        let candidate = |(rank, sql): (usize, String)| Candidate { sql, cost: rank as f64, log_prob: 0.0, origin: Origin::Given { rank } };
        Ok(distinct(found.into_iter().enumerate().map(candidate), k))
    }
}

/// The queries of an answer: of its JSON object, or the lines that begin like one.
fn queries(content: &str) -> Vec<String> {
    let object = content.find('{').zip(content.rfind('}')).and_then(|(start, end)| content.get(start..=end));
    let listed = object.and_then(|text| serde_json::from_str::<Value>(text).ok()).and_then(|value| value["queries"].as_array().cloned());
    match listed {
        Some(list) => list.iter().filter_map(Value::as_str).map(one_line).collect(),
        None => content.lines().map(one_line).filter(|line| line.to_lowercase().starts_with("select ")).collect(),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::queries;

    #[test]
    fn queries_come_from_json_or_from_lines() {
        assert_eq!(queries("Sure:\n```json\n{\"queries\": [\"select\\n 1\", 3, \"select 2\"]}\n```"), ["select 1", "select 2"]);
        assert_eq!(queries("Here:\nSELECT a FROM b;\nThat is all."), ["SELECT a FROM b;"]);
        assert!(queries("{} no query").is_empty());
    }
}
