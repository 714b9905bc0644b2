//! Boolean expressions: "(True and False) or (not False) is" → True.
//!
//! **Method.** A random expression tree over `and`, `or`, `not` and the two constants. The corrupted expression has the same shape (the same
//! brackets and `not`s at the same places) with other constants and connectives, and the other value, so token counts agree in
//! any tokenizer that gives `True`/`False` and `and`/`or` equally many tokens.
//! Three prompt styles: the bare expression and "is"; three solved lines first; a chat instruction whose reply has opened a quote.
//!
//! **Source.** Bhaskar et al. (2024), section 6 (the case study); wording and expressions are our own, the three solved lines are the method's.

use super::generate::{Candidate, Generator};
use super::pair::{Pair, Predict};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use vitrine_core::train::rng::Stream;

/// How the question is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BooleanPrompt {
    /// `EXPRESSION is`
    #[default]
    Bare,
    /// Three solved lines, then `EXPRESSION is`.
    FewShot,
    /// A chat turn with a system text; the reply starts with a quote, so the answer follows without a space.
    Instruction(ChatFormat),
}

/// How a chat turn is written as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChatFormat {
    /// `[INST] <<SYS>> … <</SYS>> … [/INST]`
    #[default]
    Llama2,
    /// `<|im_start|>system … <|im_end|>` and so on; the tokenizer must know these as special tokens.
    ChatMl,
}

const SYSTEM: &str = "You are given a boolean expression. Work out its value and reply with either 'True' or 'False', nothing else.";

const SOLVED: &str = "(True and False) or (False and True) is False
(True or (not True)) and False is False
(not (True and False)) or (False and True) is True
";

impl BooleanPrompt {
    /// The prompt for a bare expression, and the two continuations, true first.
    pub fn wrap(self, expression: &str) -> String {
        match self {
            Self::Bare => format!("{expression} is"),
            Self::FewShot => format!("{SOLVED}{expression} is"),
            Self::Instruction(ChatFormat::Llama2) => format!("[INST] <<SYS>>\n{SYSTEM}\n<</SYS>>\n\n{expression} [/INST] '"),
            Self::Instruction(ChatFormat::ChatMl) => {
                format!("<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n{expression}<|im_end|>\n<|im_start|>assistant\n'")
            }
        }
    }

    /// The continuation that states `value`.
    pub fn answer(self, value: bool) -> &'static str {
        match (self, value) {
            (Self::Instruction(_), true) => "True",
            (Self::Instruction(_), false) => "False",
            (_, true) => " True",
            (_, false) => " False",
        }
    }

    /// A pair from two bare expressions of which `clean` has the given value.
    pub fn pair(self, clean: &str, corrupted: &str, value: bool) -> Pair {
        let predict = Predict::Next { answer: self.answer(value).to_owned(), wrong: Some(self.answer(!value).to_owned()) };
        Pair { clean: self.wrap(clean), corrupted: self.wrap(corrupted), predict, split: None, tags: BTreeMap::new() }
    }
}

/// The generator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boolean {
    /// How the question is put.
    pub prompt: BooleanPrompt,
    /// Fewest constants in an expression, at least 2.
    pub min_constants: usize,
    /// Most constants in an expression, at most [`MAX_CONSTANTS`].
    pub max_constants: usize,
}

/// Bound on the size of an expression, and so on the depth of its tree.
pub const MAX_CONSTANTS: usize = 16;

/// Redraws of constants and connectives until the corrupted expression has the other value.
const REDRAWS: usize = 64;

impl Default for Boolean {
    fn default() -> Self {
        Self { prompt: BooleanPrompt::Bare, min_constants: 3, max_constants: 5 }
    }
}

/// The shape of an expression; constants and connectives are drawn separately.
enum Shape {
    Constant { negated: bool },
    Join { left: Box<Shape>, right: Box<Shape>, negated: bool },
}

/// A tree with `constants` leaves; depth is bounded by the number of leaves, itself at most [`MAX_CONSTANTS`].
fn shape(stream: &mut Stream, constants: usize, top: bool) -> Shape {
    let negated = !top && stream.below(4) == 0;
    if constants < 2 {
        return Shape::Constant { negated };
    }
    let left = 1 + stream.below(constants - 1);
    Shape::Join { left: Box::new(shape(stream, left, false)), right: Box::new(shape(stream, constants - left, false)), negated }
}

/// Writes the shape with fresh constants and connectives; returns its value.
fn write(shape: &Shape, stream: &mut Stream, top: bool, out: &mut String) -> bool {
    match shape {
        Shape::Constant { negated } => {
            let value = stream.below(2) == 0;
            let word = if value { "True" } else { "False" };
            for part in if *negated { ["(not ", word, ")"] } else { ["", word, ""] } {
                out.push_str(part);
            }
            value != *negated
        }
        Shape::Join { left, right, negated } => {
            let and = stream.below(2) == 0;
            out.push_str(match (top, negated) {
                (true, _) => "",
                (false, false) => "(",
                (false, true) => "(not (",
            });
            let a = write(left, stream, false, out);
            out.push_str(if and { " and " } else { " or " });
            let b = write(right, stream, false, out);
            out.push_str(match (top, negated) {
                (true, _) => "",
                (false, false) => ")",
                (false, true) => "))",
            });
            (if and { a && b } else { a || b }) != *negated
        }
    }
}

impl Generator for Boolean {
    fn name(&self) -> &'static str {
        "boolean"
    }

    fn draw(&self, stream: &mut Stream) -> Option<Candidate> {
        let least = self.min_constants.clamp(2, MAX_CONSTANTS);
        let most = self.max_constants.clamp(least, MAX_CONSTANTS);
        let constants = least + stream.below(most - least + 1);
        let shape = shape(stream, constants, true);
        let mut clean = String::new();
        let value = write(&shape, stream, true, &mut clean);
        for _ in 0..REDRAWS {
            let mut corrupted = String::new();
            if write(&shape, stream, true, &mut corrupted) != value {
                let mut pair = self.prompt.pair(&clean, &corrupted, value);
                pair.tags.insert("expression".to_owned(), clean.clone());
                return Some(Candidate { pair, key: clean });
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::pair::Split;
    use super::*;

    /// Value by rewriting innermost brackets until one word is left: an evaluator that shares nothing with the writer.
    fn value(expression: &str) -> bool {
        let mut text = expression.to_owned();
        while let Some(close) = text.find(')') {
            let open = text[..close].rfind('(').unwrap();
            let inner = flat(&text[open + 1..close]);
            text.replace_range(open..=close, inner);
        }
        flat(&text) == "True"
    }

    fn flat(text: &str) -> &'static str {
        let words: Vec<&str> = text.split(' ').collect();
        let is = |value: bool| if value { "True" } else { "False" };
        match words.as_slice() {
            [one] => is(*one == "True"),
            ["not", one] => is(*one != "True"),
            [a, "and", b] => is(*a == "True" && *b == "True"),
            [a, "or", b] => is(*a == "True" || *b == "True"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn values_are_right_and_corruptions_flip_them_within_the_same_shape() {
        let (mut trues, mut sizes) = (0, std::collections::BTreeSet::new());
        for i in 0..600 {
            let pair = Boolean::default().example(4, Split::Train, i).unwrap();
            let (clean, corrupted) = (pair.clean.strip_suffix(" is").unwrap(), pair.corrupted.strip_suffix(" is").unwrap());
            let Predict::Next { answer, .. } = &pair.predict else { panic!() };
            assert_eq!(value(clean), answer == " True", "{clean}");
            assert_ne!(value(clean), value(corrupted), "{clean} / {corrupted}");
            let shape = |text: &str| text.replace("False", "X").replace("True", "X").replace(" and ", " o ").replace(" or ", " o ");
            assert_eq!(shape(clean), shape(corrupted));
            trues += usize::from(answer == " True");
            sizes.insert(clean.matches("True").count() + clean.matches("False").count());
        }
        assert!((200..400).contains(&trues), "{trues}");
        assert_eq!(sizes.into_iter().collect::<Vec<_>>(), [3, 4, 5]);
    }

    #[test]
    fn prompt_styles_wrap_the_same_expressions() {
        for (prompt, end, answer) in [
            (BooleanPrompt::FewShot, " is", " True"),
            (BooleanPrompt::Instruction(ChatFormat::Llama2), "[/INST] '", "True"),
            (BooleanPrompt::Instruction(ChatFormat::ChatMl), "assistant\n'", "True"),
        ] {
            for i in 0..20 {
                let task = Boolean { prompt, ..Boolean::default() };
                let (bare, wrapped) = (Boolean::default().example(4, Split::Test, i).unwrap(), task.example(4, Split::Test, i).unwrap());
                assert!(wrapped.clean.contains(&bare.tags["expression"]) && wrapped.clean.ends_with(end));
                let Predict::Next { answer: stated, .. } = &wrapped.predict else { panic!() };
                assert_eq!(stated == answer, value(&bare.tags["expression"]));
            }
        }
        assert!(SOLVED.lines().all(|line| line.split_once(" is ").is_some_and(|(e, v)| value(e) == (v == "True"))));
    }
}
