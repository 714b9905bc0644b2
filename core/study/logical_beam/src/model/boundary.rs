//! What may follow when a word is complete: every word, and for slots every candidate, with its probability.
//!
//! **Method.** One step of the network for all hypotheses whose last word is complete. Where a slot's word is likely enough to matter, its candidates share its probability. Stage 2
//! allows the words of its template alone, with a qualifier before a column where the template names aliases.

use std::rc::Rc;
use vitrine_core::train::mat::Mat;

use super::scorer::ModelReading;
use super::{
    super::{sql::template::Slot, stages::StageError},
    encode::{EncodedQuestion, EncodedSchema},
    net::{Filling, Memory, Net, SlotRows, Spans, State},
    question::{FACTS, LINKS},
    scope::{FLAGS, PLACES, Places, Scope},
    tape::{Links, Tape},
    words::{BEGIN_FILL, END, Role, UNKNOWN, Vocabulary, may_follow},
};

/// Slots less likely than this are left out, and what is left shares their probability.
const LEAST: f64 = 1e-7;

/// A word or a filled slot, and how it is spelled.
#[derive(Debug, Clone)]
pub struct Symbol {
    pub word: usize,
    /// The table or column, where it is one.
    pub item: Option<usize>,
    pub log_prob: f64,
    pub pieces: Rc<[u32]>,
}

/// A place between two words.
#[derive(Debug)]
pub struct Boundary {
    /// The decoder's state, its three parts one after another.
    state: Vec<f32>,
    scope: Scope,
    /// Words of the template that are said, in stage 2.
    at: usize,
    pub symbols: Vec<Symbol>,
    /// The first pieces with their probabilities.
    pub first: Vec<(u32, f64)>,
}

/// The template of stage 2.
pub struct Target {
    /// Numbers and texts.
    pub words: Vec<(usize, String)>,
    /// Numbers of its aliases.
    aliases: Vec<u8>,
    /// `[word, ahead]`.
    ahead: Mat,
}

impl Target {
    /// Reads a template.
    pub fn new(template: &str, vocabulary: &Vocabulary, net: &Net<'_>, params: &[Mat]) -> Self {
        let texts = super::words::lex(template);
        let words: Vec<(usize, String)> = texts.iter().map(|text| (vocabulary.find(text).unwrap_or(UNKNOWN), (*text).to_owned())).collect();
        let mut tape = Tape::new(params);
        let numbers: Vec<usize> = words.iter().map(|(word, _)| *word).collect();
        let ahead = if numbers.is_empty() {
            Mat::zeros(0, net.config.ahead)
        } else {
            let ahead = net.ahead(&mut tape, &numbers);
            tape.value(ahead).clone()
        };
        Self { aliases: aliases(texts.iter().copied()), words, ahead }
    }
}

/// The numbers of the aliases that a template names.
pub fn aliases<'t>(template: impl Iterator<Item = &'t str>) -> Vec<u8> {
    template.filter_map(|word| if let Role::Alias(n) = super::words::role(word) { Some(n) } else { None }).collect()
}

/// Which words may stand at a place of a template: its word, and in front of a column the qualifiers it has aliases for.
pub fn allowed_in_fill(vocabulary: &Vocabulary, target: Option<(usize, &str)>, aliases: &[u8], before: usize, allowed: &mut [bool]) {
    allowed.fill(false);
    let mut allow = |word: usize| {
        if let Some(allowed) = allowed.get_mut(word) {
            *allowed = true;
        }
    };
    let Some((word, text)) = target else { return allow(END) };
    if matches!(vocabulary.role(before), Role::Qualifier(_)) {
        return allow(vocabulary.find(Slot::Column.word()).unwrap_or(UNKNOWN));
    }
    allow(word);
    if super::words::role(text) == Role::Slot(Slot::Column) {
        let space = if text.starts_with(' ') { " " } else { "" };
        for alias in aliases {
            if let Some(qualifier) = vocabulary.find(&format!("{space}t{alias}.")) {
                allow(qualifier);
            }
        }
    }
}

/// What a slot's word takes, and for values whether it is text.
pub fn filling(slot: Slot) -> (Filling, Option<bool>) {
    match slot {
        Slot::Table => (Filling::Table, None),
        Slot::Column => (Filling::Column, None),
        Slot::String => (Filling::Value, Some(true)),
        Slot::Number => (Filling::Value, Some(false)),
    }
}

/// The candidates of a slot as the network's input.
pub fn slot_rows<'q>(
    kind: Filling,
    (schema, question): (&EncodedSchema, &'q EncodedQuestion),
    scope: &Scope,
    output: usize,
    (words_from, items_from): (usize, usize),
) -> SlotRows<'q> {
    let items = &schema.items;
    let n = question.asked.words.len();
    let words = words_from..words_from + n;
    let range = match kind {
        Filling::Table => items.of_tables(),
        Filling::Column => items.of_columns(),
        Filling::Value => {
            let links = Links { values: &question.asked.value_links, candidates: question.asked.values.len(), kinds: LINKS };
            let features = question.asked.values.iter().flat_map(|value| value.facts.into_iter().chain([0.0; FLAGS + PLACES])).collect();
            return SlotRows { output, words, links, items: None, features };
        }
    };
    let links =
        Links { values: &question.linked.links[range.start * n * LINKS..range.end * n * LINKS], candidates: range.len(), kinds: LINKS };
    let mut features = Vec::with_capacity(range.len() * (FACTS + FLAGS + PLACES));
    let places = Places::new(&question.linked.places, range.clone(), scope.chosen(kind == Filling::Table));
    for item in range.clone() {
        features.extend_from_slice(&question.linked.facts[item * FACTS..(item + 1) * FACTS]);
        let flags = if kind == Filling::Table { scope.table_flags(items, item) } else { scope.column_flags(items, item) };
        features.extend(flags.map(f32::from));
        features.extend(places.flags(item).map(f32::from));
    }
    SlotRows { output, words, links, items: Some(items_from + range.start..items_from + range.end), features }
}

/// Log-probabilities of what is allowed, in double precision; negative infinity elsewhere.
fn log_softmax(scores: &[f32], allowed: impl Fn(usize) -> bool) -> Vec<f64> {
    let masked: Vec<f64> = scores.iter().enumerate().map(|(i, &x)| if allowed(i) { f64::from(x) } else { f64::NEG_INFINITY }).collect();
    let largest = masked.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if largest == f64::NEG_INFINITY {
        return masked;
    }
    let normalizer = largest + masked.iter().map(|x| (x - largest).exp()).sum::<f64>().ln();
    masked.into_iter().map(|x| x - normalizer).collect()
}

/// `log (e^a + e^b)`.
pub fn log_add(a: f64, b: f64) -> f64 {
    let (large, small) = if a > b { (a, b) } else { (b, a) };
    if small == f64::NEG_INFINITY { large } else { large + (small - large).exp().ln_1p() }
}

/// A text whose last word is complete.
pub struct Complete<'b> {
    /// Where that word began; none at the beginning of a text.
    pub from: Option<(&'b Boundary, &'b Symbol)>,
}

impl ModelReading<'_> {
    /// The boundaries behind texts.
    ///
    /// # Errors
    /// When the network's numbers are not finite.
    pub(super) fn boundaries(&self, begin: usize, target: Option<&Target>, texts: &[Complete<'_>]) -> Result<Vec<Boundary>, StageError> {
        let weights = &self.model.weights;
        let (net, d) = (Net { config: &weights.config }, weights.config.width);
        let mut tape = Tape::new(&weights.params);
        let memory = Memory { words: tape.lent(&self.memory[0]), items: tape.lent(&self.memory[1]), names: tape.lent(&self.memory[2]) };
        let (n, items) = (texts.len(), self.memory[1].rows);
        let spans = Spans { words: vec![0..self.memory[0].rows; n], items: vec![0..items; n] };
        let (mut parts, mut ahead) = ([vec![], vec![], vec![]], Vec::new());
        let (mut words, mut fillers, mut places, mut scopes) = (vec![], vec![], vec![], vec![]);
        for text in texts {
            let (state, word, item, at, mut scope) = match text.from {
                Some((boundary, symbol)) => (&boundary.state, symbol.word, symbol.item, boundary.at, boundary.scope.clone()),
                None => (&self.first, begin, None, 0, Scope::default()),
            };
            let role = weights.vocabulary.role(word);
            let at = at + usize::from(text.from.is_some() && !matches!(role, Role::Qualifier(_)));
            if text.from.is_some() {
                let said = if word == UNKNOWN {
                    target.and_then(|target| target.words.get(at - 1)).map_or("", |(_, text)| text)
                } else {
                    weights.vocabulary.text(word)
                };
                scope.read(said, role, item);
            }
            parts.iter_mut().zip(state.chunks_exact(d)).for_each(|(part, state)| part.extend_from_slice(state));
            match target {
                Some(target) if at < target.ahead.rows => ahead.extend_from_slice(target.ahead.row(at)),
                _ => ahead.extend(std::iter::repeat_n(0.0, weights.config.ahead)),
            }
            words.push(word);
            fillers.push(item.unwrap_or(items));
            places.push(at);
            scopes.push(scope);
        }
        let [h, of_words, of_items] = parts.map(|part| tape.given(Mat::of(d, part)));
        let ahead = tape.given(Mat::of(weights.config.ahead, ahead));
        let (state, output) =
            net.step(&mut tape, (words.clone(), fillers), ahead, State { h, words: of_words, items: of_items }, memory, &spans);
        let next = net.next(&mut tape, output);
        let mut allowed = vec![false; weights.vocabulary.len()];
        let mut words_after = Vec::with_capacity(n);
        for row in 0..n {
            match target {
                Some(target) => {
                    let here = target.words.get(places[row]).map(|(word, text)| (*word, text.as_str()));
                    allowed_in_fill(&weights.vocabulary, here, &target.aliases, words[row], &mut allowed);
                }
                None => (0..allowed.len()).for_each(|word| allowed[word] = may_follow(&weights.vocabulary, begin, words[row], word)),
            }
            words_after.push(log_softmax(tape.value(next).row(row), |word| allowed[word]));
        }
        // The slots that matter, one kind after the other; templates of stage 1 are not filled.
        let with_names = begin != super::words::BEGIN_TEMPLATE;
        let mut filled: Vec<Vec<(Slot, Vec<f64>)>> = vec![Vec::new(); n];
        for kind in Filling::ALL {
            let mut asked = Vec::new();
            for (row, after) in words_after.iter().enumerate() {
                let likely = |slot: Slot| {
                    let of_slot = |(word, p): (usize, &f64)| weights.vocabulary.role(word) == Role::Slot(slot) && *p >= LEAST.ln();
                    after.iter().enumerate().any(of_slot)
                };
                let slots = [Slot::Table, Slot::Column, Slot::String, Slot::Number]
                    .into_iter()
                    .filter(|slot| filling(*slot).0 == kind && likely(*slot));
                let slots: Vec<Slot> = slots.collect();
                if with_names && !slots.is_empty() {
                    asked.push((row, slots));
                }
            }
            if asked.is_empty() {
                continue;
            }
            let rows = asked.iter().map(|(row, _)| slot_rows(kind, (&self.schema, &self.question), &scopes[*row], *row, (0, 0))).collect();
            let scores = net.slots(&mut tape, kind, output, memory, rows);
            let data = &tape.value(scores).data;
            for ((row, slots), scores) in asked.into_iter().zip(data.chunks_exact(self.candidates(kind).max(1))) {
                for slot in slots {
                    // What would not be read as a slot again is no candidate: `*` is one in few places.
                    let before = weights.vocabulary.text(words[row]).trim_start();
                    let qualified = matches!(weights.vocabulary.role(words[row]), Role::Qualifier(_));
                    let star = qualified || matches!(before, "(" | "," | "select" | "distinct");
                    let reads = |i: usize| slot != Slot::Column || star || i > 0;
                    let fits = |i: usize| self.spelled(slot, i).is_some() && reads(i);
                    filled[row].push((slot, log_softmax(scores, fits)));
                }
            }
        }
        let mut found = Vec::with_capacity(n);
        for (row, ((mut words_after, filled), scope)) in words_after.into_iter().zip(filled).zip(scopes).enumerate() {
            if with_names {
                self.leave_out(&mut words_after, &filled);
            }
            let state = [state.h, state.words, state.items]
                .iter()
                .flat_map(|&part| tape.value(part).row(row).iter().copied())
                .collect::<Vec<f32>>();
            if state.iter().any(|x| !x.is_finite()) || words_after.iter().any(|p| p.is_nan()) {
                return Err(StageError::Model("the network's numbers are not finite".into()));
            }
            let here = target.and_then(|target| target.words.get(places[row]));
            let symbols = self.symbols(&words_after, &filled, here.map(|(_, text)| text.as_str()), with_names)?;
            let mut first: Vec<(u32, f64)> = symbols.iter().filter_map(|symbol| Some((*symbol.pieces.first()?, symbol.log_prob))).collect();
            first.sort_by_key(|(piece, _)| *piece);
            first.dedup_by(|next, kept| {
                let same = next.0 == kept.0;
                if same {
                    kept.1 = log_add(kept.1, next.1);
                }
                same
            });
            found.push(Boundary { state, scope, at: places[row], symbols, first });
        }
        Ok(found)
    }

    /// Takes the words of slots that are not filled out of a distribution, and makes the rest one again.
    fn leave_out(&self, words: &mut [f64], filled: &[(Slot, Vec<f64>)]) {
        let vocabulary = &self.model.weights.vocabulary;
        let mut total = f64::NEG_INFINITY;
        for (word, p) in words.iter_mut().enumerate() {
            if let Role::Slot(slot) = vocabulary.role(word)
                && !filled.iter().any(|(other, scores)| *other == slot && scores.iter().any(|p| p.is_finite()))
            {
                *p = f64::NEG_INFINITY;
            }
            total = log_add(total, *p);
        }
        if total.is_finite() {
            for p in words.iter_mut() {
                *p -= total;
            }
        }
    }

    /// The symbols of a distribution over words and one over the candidates of each slot.
    fn symbols(&self, words: &[f64], filled: &[(Slot, Vec<f64>)], here: Option<&str>, with_names: bool) -> Result<Vec<Symbol>, StageError> {
        let vocabulary = &self.model.weights.vocabulary;
        let mut symbols = Vec::new();
        for (word, &log_prob) in words.iter().enumerate().filter(|(_, p)| p.is_finite()) {
            match vocabulary.role(word) {
                Role::Slot(slot) if with_names => {
                    let Some((_, scores)) = filled.iter().find(|(other, _)| *other == slot) else { continue };
                    let space = usize::from(vocabulary.text(word).starts_with(' '));
                    for (i, &p) in scores.iter().enumerate().filter(|(_, p)| p.is_finite()) {
                        let Some(pieces) = self.spelled(slot, i) else { continue };
                        let item = match filling(slot).0 {
                            Filling::Table => Some(i),
                            Filling::Column => Some(self.schema.items.tables + i),
                            Filling::Value => None,
                        };
                        symbols.push(Symbol { word, item, log_prob: log_prob + p, pieces: Rc::clone(&pieces[space]) });
                    }
                }
                _ if word == UNKNOWN => {
                    let text = here.unwrap_or_default();
                    let pieces = self
                        .spelling
                        .letters(text)
                        .ok_or_else(|| StageError::Model(format!("the template's `{text}` cannot be spelled")))?;
                    symbols.push(Symbol { word, item: None, log_prob, pieces: pieces.into() });
                }
                _ => symbols.push(Symbol { word, item: None, log_prob, pieces: Rc::clone(&self.word_pieces[word]) }),
            }
        }
        Ok(symbols)
    }
}

/// What begins stage 2.
pub const FILL: usize = BEGIN_FILL;
