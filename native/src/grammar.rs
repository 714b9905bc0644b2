//! Texts of a context-free grammar (Lark) or a JSON schema, as a constraint on decoding.
//!
//! The engine is llguidance: it tells for a state which tokens may follow. Each hypothesis has its own state, copied when it forks, so a beam may follow several derivations at once. The engine
//! bounds its own work; what it refuses comes back as one line.

use anyhow::{Context as _, Result, anyhow};
use llguidance::{
    Matcher, ParserFactory,
    api::TopLevelGrammar,
    toktrie::{ApproximateTokEnv, TokRxInfo, TokTrie},
};
use serde_json::Value;
use std::sync::Arc;
use vitrine_core::{
    decode::{Constraint, Mask},
    text::tokenizer::Tokenizer,
};

/// What texts have to be.
pub enum Form {
    Lark(String),
    JsonSchema(Value),
}

/// A hypothesis under a grammar.
pub struct Grammar {
    matcher: Matcher,
    /// What may follow; nothing where the engine gave up.
    tokens: Vec<u32>,
    is_final: bool,
    problem: Option<String>,
}

/// What each token spells, for the engine; marks of a model spell nothing that a text holds.
fn words(tokenizer: &Tokenizer, vocab: usize, eos: &[u32]) -> Vec<Vec<u8>> {
    let word = |id: u32| {
        let raw = tokenizer.raw_token(id).unwrap_or_default();
        if eos.contains(&id) || (raw.starts_with("<|") && raw.ends_with("|>")) {
            [&[TokTrie::SPECIAL_TOKEN_MARKER], raw.as_bytes()].concat()
        } else {
            tokenizer.token_bytes(id).unwrap_or_default()
        }
    };
    (0..vocab as u32).map(word).collect()
}

impl Grammar {
    /// # Errors
    /// One line that says what is wrong with the grammar.
    pub fn new(form: Form, tokenizer: &Tokenizer, vocab: usize, eos: &[u32]) -> Result<Self> {
        let end = *eos.first().context("a grammar needs a token that ends a text: name one with --eos")?;
        Self::over(form, &words(tokenizer, vocab, eos), end)
    }

    fn over(form: Form, words: &[Vec<u8>], end: u32) -> Result<Self> {
        let one_line = |error: anyhow::Error| {
            let text = format!("{error:#}").lines().map(str::trim).filter(|line| !line.is_empty()).take(4).collect::<Vec<_>>().join(" ");
            anyhow!("the grammar cannot be used: {}", text.chars().take(300).collect::<String>())
        };
        let grammar = match form {
            Form::Lark(text) => TopLevelGrammar::from_lark(text),
            Form::JsonSchema(schema) => TopLevelGrammar::from_json_schema(schema),
        };
        let info = TokRxInfo::new(words.len() as u32, end);
        let environment: llguidance::toktrie::TokEnv = Arc::new(ApproximateTokEnv::new(TokTrie::from(&info, words)));
        let mut factory = ParserFactory::new_simple(&environment).map_err(one_line)?;
        factory.quiet();
        let matcher = Matcher::new(Ok(factory.create_parser(grammar).map_err(one_line)?));
        let mut new = Self { matcher, tokens: vec![], is_final: false, problem: None };
        new.look();
        match new.problem {
            Some(problem) => Err(one_line(anyhow!(problem))),
            None => Ok(new),
        }
    }

    fn look(&mut self) {
        self.tokens.clear();
        self.is_final = self.matcher.is_accepting().unwrap_or(false) || (self.matcher.is_stopped() && !self.matcher.is_error());
        if self.matcher.is_stopped() {
            return;
        }
        match self.matcher.compute_mask() {
            Ok(mask) => mask.iter_set_entries(|token| self.tokens.push(token as u32)),
            Err(error) => self.problem = Some(error.to_string().lines().next().unwrap_or_default().to_owned()),
        }
    }
}

impl Constraint for Grammar {
    fn fork(&self) -> Box<dyn Constraint> {
        let (tokens, problem) = (self.tokens.clone(), self.problem.clone());
        Box::new(Self { matcher: self.matcher.clone(), tokens, is_final: self.is_final, problem })
    }

    fn mask(&self, allowed: &mut Mask) {
        allowed.only(self.tokens.iter().copied());
    }

    fn advance(&mut self, token: u32) {
        match self.matcher.consume_token(token) {
            Ok(()) => self.look(),
            Err(error) => {
                (self.tokens, self.is_final) = (vec![], false);
                self.problem = Some(error.to_string().lines().next().unwrap_or_default().to_owned());
            }
        }
    }

    fn is_final(&self) -> bool {
        self.is_final
    }

    fn reason(&self) -> Option<String> {
        Some(self.problem.clone().unwrap_or_else(|| "the grammar".into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vitrine_core::{
        decode::{Beam, Ending, FnScorer, Method, Sample, Settings, decode, scorer::log_softmax},
        train::rng::Stream,
    };

    /// All bytes, some words, and the end.
    fn vocabulary() -> Vec<Vec<u8>> {
        let mut words: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
        words.extend(["select", " from", "1+1", "\":", "name", "true"].map(|word| word.as_bytes().to_vec()));
        words.push(b"\xff<|end|>".to_vec());
        words
    }

    fn texts(form: Form, method: &dyn Method, seed: u64) -> Vec<String> {
        let words = vocabulary();
        let (vocab, end) = (words.len(), words.len() as u32 - 1);
        let constraint = Grammar::over(form, &words, end).unwrap();
        let mut scorer = FnScorer::new(vocab, |prefix: &[u32]| {
            let place = prefix.iter().fold(7_u64, |h, token| h.wrapping_mul(1_000_003).wrapping_add(u64::from(*token) + 1));
            let mut stream = Stream::new(seed, "noise", place);
            log_softmax(&(0..vocab).map(|_| 2.0 * stream.normal() as f32).collect::<Vec<_>>()).unwrap()
        });
        let settings = Settings { max_tokens: 400, eos: vec![end], ..Settings::default() };
        let found = decode(method, &mut scorer, &[end], &settings, &constraint, &mut |_, _| {}).unwrap();
        let text = |tokens: &[u32]| {
            let bytes: Vec<u8> = tokens.iter().filter(|token| **token != end).flat_map(|token| words[*token as usize].clone()).collect();
            String::from_utf8(bytes).unwrap()
        };
        assert!(found.hypotheses.iter().all(|h| h.ending != Ending::Length));
        found.hypotheses.iter().map(|h| text(&h.tokens)).collect()
    }

    #[test]
    fn grammar_hypotheses_fork_with_states_of_their_own() {
        // Sums of up to four numbers with nested brackets: a stack is needed.
        let lark = "start: term (\"+\" term)?\nterm: NUMBER | \"(\" start \")\"\nNUMBER: /[0-9]{1,2}/\n";
        let is_sum = |text: &str| {
            let depth = text.chars().try_fold(0_i32, |depth, c| match c {
                '(' => Some(depth + 1),
                ')' if depth == 0 => None,
                ')' => Some(depth - 1),
                _ => Some(depth),
            });
            depth == Some(0)
                && text.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | '(' | ')'))
                && text.ends_with(|c: char| c != '+')
        };
        let mut several = 0;
        for seed in 0..10 {
            let found = texts(Form::Lark(lark.into()), &Beam::new(4), seed);
            assert!(found.iter().all(|text| is_sum(text)), "{found:?}");
            several += usize::from(found.len() > 1);
        }
        assert!(several > 5, "a beam holds several derivations");
    }

    #[test]
    fn grammar_of_a_json_schema_gives_such_json() {
        let schema = serde_json::json!({"type": "object", "properties": {"name": {"enum": ["a", "b\"c"]}, "on": {"type": "boolean"}, "n": {"type": "array", "items":
            {"type": "integer", "minimum": 0, "maximum": 99}, "maxItems": 3}}, "required": ["name", "on", "n"], "additionalProperties": false});
        for seed in 0..10 {
            for text in texts(Form::JsonSchema(schema.clone()), &Sample { samples: 2, ..Sample::plain() }, seed) {
                let value: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"));
                assert!(value["on"].is_boolean() && ["a", "b\"c"].contains(&value["name"].as_str().unwrap()), "{text}");
                assert!(value["n"].as_array().unwrap().iter().all(|n| n.as_u64().is_some_and(|n| n < 100)), "{text}");
            }
        }
    }

    #[test]
    fn grammar_mistakes_are_one_line() {
        let words = vocabulary();
        for form in [
            Form::Lark("start: missing".into()),
            Form::Lark("start: \"a".into()),
            Form::Lark(String::new()),
            Form::JsonSchema(serde_json::json!({"type": "nothing"})),
            Form::JsonSchema(serde_json::json!(3)),
        ] {
            let error = Grammar::over(form, &words, 262).err().unwrap().to_string();
            assert!(!error.contains('\n') && error.len() < 400, "{error}");
        }
    }
}
