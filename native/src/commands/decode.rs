//! `decode`: a prompt continued by a decoding method, as it comes or as the list and the tree of what was found.

use std::{io::Write as _, path::PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use vitrine_core::{
    decode::{
        All, Banned, Constraint, Decoded, EarlyStop, Ending, Filter, Forced, Hypothesis, LengthPenalty, Lexical, Method, MethodConfig,
        OneOf, Settings, Trace, TransformerScorer, config::usual_ends, decode, rerank,
    },
    text::tokenizer::Tokenizer,
};

use super::{Context, print_json};
use crate::{
    Outcome,
    grammar::{Form, Grammar},
    open,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// The likeliest token each time.
    Greedy,
    /// Draw tokens; every filter that is set applies.
    Sample,
    /// Draw from the k likeliest.
    TopK,
    /// Draw from the likeliest that hold mass p (nucleus).
    TopP,
    /// Draw from those of at least m times the largest probability.
    MinP,
    /// Draw from those of typical information, mass p.
    Typical,
    /// Draw from those of at least a probability.
    Epsilon,
    /// The same with a bound that follows the entropy.
    Eta,
    /// Beam search.
    Beam,
    /// Groups of beams that shun each other's tokens.
    Diverse,
    /// Sample without replacement (Gumbel top-k).
    Stochastic,
    /// Beam search for texts that contain phrases (--must).
    Lexical,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Stop {
    /// When the result is certain.
    #[default]
    Certain,
    /// When enough have ended.
    Enough,
    /// When all have ended.
    Never,
}

/// How hypotheses are ranked after the search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Rerank {
    /// By the least expected loss among them: tokens in common, weighted by probability.
    Mbr,
    /// By how many say the same.
    Votes,
    /// By log-probability a token.
    Length,
}

/// How to choose.
#[derive(Debug, Clone, Args)]
pub struct Choice {
    #[arg(long, value_enum, default_value = "greedy")]
    pub method: Kind,
    /// Hypotheses held at once (in each group, for diverse).
    #[arg(long, default_value_t = 5)]
    pub width: usize,
    /// Groups of the diverse beam.
    #[arg(long, default_value_t = 3)]
    groups: usize,
    /// Penalty in nats for a token that an earlier group chose.
    #[arg(long, default_value_t = 0.5)]
    strength: f64,
    /// Independent samples.
    #[arg(long, default_value_t = 1)]
    samples: usize,
    /// Divides log-probabilities before sampling.
    #[arg(long, default_value_t = 1.0)]
    temperature: f64,
    /// For top-k [default 25].
    #[arg(short, long)]
    k: Option<usize>,
    /// For top-p [default 0.9].
    #[arg(short, long)]
    p: Option<f64>,
    /// For min-p [default 0.05].
    #[arg(long)]
    min_p: Option<f64>,
    /// For typical [default 0.9].
    #[arg(long)]
    typical: Option<f64>,
    /// For epsilon and eta [default 0.0009].
    #[arg(long)]
    epsilon: Option<f64>,
    /// Divide scores by length to this power.
    #[arg(long, default_value_t = 0.0)]
    length_penalty: f64,
    /// Divide by ((5 + length) / 6) to that power instead.
    #[arg(long)]
    wu: bool,
    /// When beams stop.
    #[arg(long, value_enum, default_value_t)]
    stop: Stop,
    /// Phrases that have to appear (method lexical). A space before a word belongs to its token.
    #[arg(long)]
    must: Vec<String>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  vitrine decode --model smollm2 --prompt 'The capital of France is' --method beam --width 5 --trace\n  vitrine decode --model smollm2 --prompt 'Once upon a time' --method top-p -p 0.9 --seed 3"
)]
pub struct Decode {
    #[arg(long, default_value = "smollm2")]
    model: String,
    #[arg(long)]
    prompt: String,
    #[command(flatten)]
    choice: Choice,
    /// Longest continuation, in tokens.
    #[arg(long, default_value_t = 32)]
    max_tokens: usize,
    /// Hypotheses to show; all by default.
    #[arg(long, default_value_t = 0)]
    outputs: usize,
    /// Only texts of this context-free grammar (a file in Lark form).
    #[arg(long, conflicts_with = "json_schema")]
    grammar: Option<PathBuf>,
    /// Only JSON of this schema (a file).
    #[arg(long)]
    json_schema: Option<PathBuf>,
    /// Rank what was found again; of the same text the first is kept for votes.
    #[arg(long, value_enum)]
    rerank: Option<Rerank>,
    /// The text is one of these, whole (give it again for each). A space before a word belongs to its token.
    #[arg(long, conflicts_with_all = ["grammar", "json_schema"])]
    one_of: Vec<String>,
    /// Words or phrases that never appear, as the tokenizer splits them.
    #[arg(long)]
    ban: Vec<String>,
    /// The text begins with this.
    #[arg(long)]
    prefix: Option<String>,
    /// Token that ends a text, by name; without, the usual ones the model has.
    #[arg(long)]
    eos: Vec<String>,
    /// No token ends the text.
    #[arg(long, conflicts_with = "eos")]
    no_eos: bool,
    /// Print the search as a tree: scores, and why branches were cut.
    #[arg(long)]
    trace: bool,
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[arg(long, default_value = "cpu")]
    device: String,
    /// How decoded tokens meet the weights.
    #[arg(long, value_enum, default_value_t)]
    weights: open::Weights,
}

impl Choice {
    /// The method that was asked for; options of other methods are refused.
    fn method(&self, tokenizer: &Tokenizer) -> Result<Box<dyn Method>> {
        let filters = self.filters()?;
        let sampled = !matches!(self.method, Kind::Greedy | Kind::Beam | Kind::Diverse | Kind::Stochastic | Kind::Lexical);
        if !sampled && (self.samples != 1 || self.temperature != 1.0 || !filters.is_empty()) {
            bail!("--samples, --temperature and filters belong to the methods that sample");
        }
        if self.method != Kind::Lexical && !self.must.is_empty() {
            bail!("--must belongs to method lexical");
        }
        let penalty = match (self.length_penalty, self.wu) {
            (0.0, _) => LengthPenalty::None,
            (a, false) => LengthPenalty::Power(a),
            (a, true) => LengthPenalty::Wu(a),
        };
        let early_stop = match self.stop {
            Stop::Certain => EarlyStop::Certain,
            Stop::Enough => EarlyStop::Enough,
            Stop::Never => EarlyStop::Never,
        };
        let width = self.width;
        let config = match self.method {
            Kind::Greedy => MethodConfig::Greedy,
            Kind::Beam => MethodConfig::Beam { width, penalty, early_stop },
            Kind::Diverse => MethodConfig::Diverse { groups: self.groups, width, strength: self.strength },
            Kind::Stochastic => MethodConfig::Stochastic { width },
            Kind::Lexical => {
                let phrases = self.must.iter().map(|phrase| tokenizer.encode(phrase)).collect::<Result<_, _>>()?;
                return Ok(Box::new(Lexical { width, phrases, penalty, early_stop }));
            }
            _ => MethodConfig::Sample { samples: self.samples, temperature: self.temperature, filters },
        };
        Ok(config.method())
    }

    /// The filters that are set, and the method's own.
    fn filters(&self) -> Result<Vec<Filter>> {
        let own = |kind: Kind| self.method == kind;
        let epsilon = self.epsilon.unwrap_or(9e-4);
        let all = [
            (own(Kind::TopK) || self.k.is_some(), Filter::TopK(self.k.unwrap_or(25))),
            (own(Kind::TopP) || self.p.is_some(), Filter::TopP(self.p.unwrap_or(0.9))),
            (own(Kind::MinP) || self.min_p.is_some(), Filter::MinP(self.min_p.unwrap_or(0.05))),
            (own(Kind::Typical) || self.typical.is_some(), Filter::Typical(self.typical.unwrap_or(0.9))),
            (own(Kind::Epsilon) || (self.epsilon.is_some() && !own(Kind::Eta)), Filter::Epsilon(epsilon)),
            (own(Kind::Eta), Filter::Eta(epsilon)),
        ];
        let filters: Vec<Filter> = all.into_iter().filter(|(is_set, _)| *is_set).map(|(_, filter)| filter).collect();
        filters.iter().try_for_each(Filter::check)?;
        Ok(filters)
    }
}

impl Decode {
    fn constraint(&self, tokenizer: &Tokenizer, vocab: usize, eos: &[u32]) -> Result<Box<dyn Constraint>> {
        let mut parts: Vec<Box<dyn Constraint>> = vec![];
        let form = match (&self.grammar, &self.json_schema) {
            (Some(path), _) => Some(Form::Lark(open::text(path)?)),
            (None, Some(path)) => {
                let schema = serde_json::from_str(&open::text(path)?).with_context(|| format!("{} is not JSON", path.display()))?;
                Some(Form::JsonSchema(schema))
            }
            (None, None) => None,
        };
        if let Some(form) = form {
            parts.push(Box::new(Grammar::new(form, tokenizer, vocab, eos)?));
        }
        if !self.one_of.is_empty() {
            anyhow::ensure!(self.one_of.iter().all(|text| !text.is_empty()), "--one-of has an empty text");
            let texts: Vec<Vec<u32>> = self.one_of.iter().map(|text| tokenizer.encode(text)).collect::<Result<_, _>>()?;
            if eos.is_empty() {
                let begins = |text: &[u32]| texts.iter().position(|other| other.len() > text.len() && other.starts_with(text));
                let found = texts.iter().zip(&self.one_of).find_map(|(tokens, text)| Some((text, self.one_of.get(begins(tokens)?)?)));
                if let Some((text, longer)) = found {
                    bail!(
                        "--one-of {text:?} is how {longer:?} begins: without a token that ends the text (--eos) it could never be chosen"
                    );
                }
            }
            parts.push(Box::new(OneOf::new(&texts)));
        }
        if let Some(prefix) = &self.prefix {
            parts.push(Box::new(Forced::new(tokenizer.encode(prefix)?)));
        }
        if !self.ban.is_empty() {
            parts.push(Box::new(Banned::new(self.ban.iter().map(|phrase| tokenizer.encode(phrase)).collect::<Result<_, _>>()?)));
        }
        Ok(Box::new(All(parts)))
    }

    fn eos(&self, tokenizer: &Tokenizer) -> Result<Vec<u32>> {
        if self.no_eos {
            return Ok(vec![]);
        }
        if !self.eos.is_empty() {
            let id = |name: &String| tokenizer.raw_token_id(name).with_context(|| format!("the model has no token {name}"));
            return self.eos.iter().map(id).collect();
        }
        Ok(usual_ends(tokenizer))
    }
}

pub fn run(args: &Decode, context: Context) -> Result<Outcome> {
    let (device, _) = open::device(&args.device)?;
    let opened = open::model_for_decoding(&args.model, &device, args.weights)?;
    let tokenizer = &opened.tokenizer;
    let method = args.choice.method(tokenizer)?;
    let prompt = tokenizer.encode(&args.prompt)?;
    let eos = args.eos(tokenizer)?;
    let constraint = args.constraint(tokenizer, opened.model.unembedding().dims()[1], &eos)?;
    let settings = Settings { max_tokens: args.max_tokens, eos, outputs: args.outputs, seed: args.seed, trace_cuts: args.trace };
    let streams = method.is_single() && !context.json && !args.trace;
    let mut shown = Shown::default();
    let mut watch = |trace: &Trace, node: usize| {
        if streams {
            shown.more(&text_of(tokenizer, &trace.tokens(node), &settings.eos));
        }
    };
    let mut scorer = TransformerScorer::new(&opened.model);
    let mut found = decode(&*method, &mut scorer, &prompt, &settings, &*constraint, &mut watch)?;
    if let Some(rerank) = args.rerank {
        reranked(&mut found.hypotheses, rerank, &|h| text_of(tokenizer, &h.tokens, &settings.eos));
    }
    if context.json {
        print_json(&as_json(&found, tokenizer, &prompt, &settings, args.trace, opened.weights_hash().as_deref()))?;
    } else if streams {
        let text = found.hypotheses.first().map_or_else(String::new, |h| text_of(tokenizer, &h.tokens, &settings.eos));
        shown.rest(&text);
    } else {
        if args.trace {
            print!("{}", found.trace.tree(&|token| tokenizer.token_text(token)));
            println!("{} prefixes scored in {} forward passes; {} branches cut\n", found.scored, found.forwards, found.trace.cut());
        }
        for h in &found.hypotheses {
            let score = if h.score == h.log_prob { String::new() } else { format!(" {:10.4}", h.score) };
            let open = if h.ending == Ending::Length { "…" } else { "" };
            println!("{:10.4}{score}  {:?}{open}", h.log_prob, text_of(tokenizer, &h.tokens, &settings.eos));
        }
    }
    Ok(Outcome::Fine)
}

/// Ranks hypotheses again; their scores are then what they were ranked by.
fn reranked(hypotheses: &mut Vec<Hypothesis>, by: Rerank, text: &dyn Fn(&Hypothesis) -> String) {
    let log_probs: Vec<f64> = hypotheses.iter().map(|h| h.log_prob).collect();
    let texts: Vec<String> = hypotheses.iter().map(text).collect();
    let order = match by {
        Rerank::Length => {
            rerank::by_length(hypotheses, LengthPenalty::Power(1.0));
            return;
        }
        Rerank::Mbr => {
            rerank::minimum_bayes_risk(hypotheses, &rerank::posterior(&log_probs), |a, b| rerank::token_f1(&a.tokens, &b.tokens))
        }
        Rerank::Votes => rerank::minimum_bayes_risk(&texts, &vec![1.0; texts.len()], |a, b| f64::from(u8::from(a == b))),
    };
    let mut seen = vec![];
    let mut ranked = vec![];
    for place in order {
        if by == Rerank::Votes && seen.contains(&&texts[place]) {
            continue;
        }
        seen.push(&texts[place]);
        let mut hypothesis = hypotheses[place].clone();
        if by == Rerank::Votes {
            hypothesis.score = texts.iter().filter(|text| **text == texts[place]).count() as f64;
        }
        ranked.push(hypothesis);
    }
    *hypotheses = ranked;
}

/// The text of a continuation, without the token that ends it.
fn text_of(tokenizer: &Tokenizer, tokens: &[u32], eos: &[u32]) -> String {
    match tokens.split_last() {
        Some((last, before)) if eos.contains(last) => tokenizer.decode(before),
        _ => tokenizer.decode(tokens),
    }
}

fn as_json(found: &Decoded, tokenizer: &Tokenizer, prompt: &[u32], settings: &Settings, with_trace: bool, weights: Option<&str>) -> Value {
    let hypotheses: Vec<Value> = found
        .hypotheses
        .iter()
        .map(|h| {
            json!({"text": text_of(tokenizer, &h.tokens, &settings.eos), "ids": h.tokens, "log_prob": h.log_prob, "score": h.score,
                "ending": h.ending, "group": h.group})
        })
        .collect();
    let mut out = json!({"schema": "vitrine.decode/1", "weights_sha256": weights, "prompt_ids": prompt, "settings": settings,
        "forwards": found.forwards, "scored": found.scored, "hypotheses": hypotheses});
    if with_trace {
        let nodes: Vec<Value> = found
            .trace
            .nodes
            .iter()
            .map(|node| {
                let mut value = json!(node);
                value["text"] = json!(node.token.map(|token| tokenizer.token_text(token)));
                value
            })
            .collect();
        out["trace"] = json!(nodes);
    }
    out
}

/// Text on standard output that grows.
#[derive(Default)]
struct Shown {
    bytes: usize,
}

impl Shown {
    /// Prints what is new, up to where a character may still be incomplete.
    fn more(&mut self, text: &str) {
        let whole = text.trim_end_matches(char::REPLACEMENT_CHARACTER);
        if let Some(new) = whole.get(self.bytes..).filter(|new| !new.is_empty()) {
            print!("{new}");
            // A reader that went away ends the program by its own signal.
            let _ = std::io::stdout().flush();
            self.bytes = whole.len();
        }
    }

    fn rest(&self, text: &str) {
        println!("{}", text.get(self.bytes..).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decode_incomplete_characters_wait() {
        let mut shown = Shown::default();
        shown.more("a\u{fffd}");
        assert_eq!(shown.bytes, 1);
        shown.more("a\u{e9}");
        assert_eq!(shown.bytes, 3);
    }
}
