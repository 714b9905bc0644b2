//! What a hypothesis may say: token masks with a state of their own for each hypothesis.
//!
//! A constraint is the state of one hypothesis. When hypotheses fork, so does it ([`Constraint::fork`]): nothing is shared, the usual mistake that keeps constraint libraries away
//! from beam search. [`Constraint::mask`] rules tokens out at once; [`Constraint::check`] is for tests too dear for a whole vocabulary and is asked only of tokens about to be taken.

/// Which tokens of a vocabulary are allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask {
    bits: Vec<u64>,
    tokens: usize,
}

impl Mask {
    /// Everything is allowed.
    pub fn all(tokens: usize) -> Self {
        let mut bits = vec![u64::MAX; tokens.div_ceil(64)];
        if let (Some(last), rest @ 1..) = (bits.last_mut(), tokens % 64) {
            *last = (1 << rest) - 1;
        }
        Self { bits, tokens }
    }

    pub fn forbid(&mut self, token: u32) {
        if let Some(word) = self.bits.get_mut(token as usize / 64) {
            *word &= !(1 << (token % 64));
        }
    }

    pub fn allow(&mut self, token: u32) {
        if (token as usize) < self.tokens
            && let Some(word) = self.bits.get_mut(token as usize / 64)
        {
            *word |= 1 << (token % 64);
        }
    }

    /// Forbids all but these; what was forbidden stays so.
    pub fn only(&mut self, tokens: impl IntoIterator<Item = u32>) {
        let mut kept = vec![0; self.bits.len()];
        for token in tokens {
            if self.allows(token) {
                kept[token as usize / 64] |= 1 << (token % 64);
            }
        }
        self.bits = kept;
    }

    pub fn allows(&self, token: u32) -> bool {
        self.bits.get(token as usize / 64).is_some_and(|word| word >> (token % 64) & 1 == 1)
    }

    /// Allowed tokens.
    pub fn count(&self) -> usize {
        self.bits.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Tokens of the vocabulary.
    pub fn tokens(&self) -> usize {
        self.tokens
    }
}

/// What one hypothesis may say next.
pub trait Constraint {
    /// A copy for a hypothesis that forks off.
    fn fork(&self) -> Box<dyn Constraint>;

    /// Forbids tokens.
    fn mask(&self, allowed: &mut Mask);

    /// Asked of a token that the mask allows and the search is about to take.
    ///
    /// # Errors
    /// Why it may not be taken.
    fn check(&self, _token: u32) -> Result<(), String> {
        Ok(())
    }

    /// How many continuations are considered, the likeliest ones: what lies behind them is forbidden, even where all of them are refused.
    fn looks(&self) -> usize {
        usize::MAX
    }

    /// The hypothesis took `token`.
    fn advance(&mut self, token: u32);

    /// Whether the text may end here.
    fn is_final(&self) -> bool {
        true
    }

    /// Whether several continuations may be tried; otherwise only the likeliest allowed one is.
    fn may_branch(&self) -> bool {
        true
    }

    /// For the trace: why the mask is as it is.
    fn reason(&self) -> Option<String> {
        None
    }
}

/// Anything goes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unconstrained;

impl Constraint for Unconstrained {
    fn fork(&self) -> Box<dyn Constraint> {
        Box::new(*self)
    }

    fn mask(&self, _: &mut Mask) {}

    fn advance(&mut self, _: u32) {}
}

/// Several constraints at once.
pub struct All(pub Vec<Box<dyn Constraint>>);

impl Constraint for All {
    fn fork(&self) -> Box<dyn Constraint> {
        Box::new(Self(self.0.iter().map(|part| part.fork()).collect()))
    }

    fn mask(&self, allowed: &mut Mask) {
        self.0.iter().for_each(|part| part.mask(allowed));
    }

    fn check(&self, token: u32) -> Result<(), String> {
        self.0.iter().try_for_each(|part| part.check(token))
    }

    fn looks(&self) -> usize {
        self.0.iter().map(|part| part.looks()).min().unwrap_or(usize::MAX)
    }

    fn advance(&mut self, token: u32) {
        self.0.iter_mut().for_each(|part| part.advance(token));
    }

    fn is_final(&self) -> bool {
        self.0.iter().all(|part| part.is_final())
    }

    fn may_branch(&self) -> bool {
        self.0.iter().all(|part| part.may_branch())
    }

    fn reason(&self) -> Option<String> {
        let reasons: Vec<String> = self.0.iter().filter_map(|part| part.reason()).collect();
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }
}

/// The text begins with these tokens.
#[derive(Debug, Clone)]
pub struct Forced {
    tokens: Vec<u32>,
    taken: usize,
}

impl Forced {
    pub fn new(tokens: Vec<u32>) -> Self {
        Self { tokens, taken: 0 }
    }
}

impl Constraint for Forced {
    fn fork(&self) -> Box<dyn Constraint> {
        Box::new(self.clone())
    }

    fn mask(&self, allowed: &mut Mask) {
        if let Some(&token) = self.tokens.get(self.taken) {
            allowed.only([token]);
        }
    }

    fn advance(&mut self, _: u32) {
        self.taken += 1;
    }

    fn is_final(&self) -> bool {
        self.taken >= self.tokens.len()
    }

    fn reason(&self) -> Option<String> {
        (self.taken < self.tokens.len()).then(|| "forced prefix".into())
    }
}

/// Sequences that never appear.
#[derive(Debug, Clone)]
pub struct Banned {
    phrases: Vec<Vec<u32>>,
    /// The last tokens, as many as the longest phrase needs.
    recent: Vec<u32>,
}

impl Banned {
    /// Empty phrases are left out.
    pub fn new(mut phrases: Vec<Vec<u32>>) -> Self {
        phrases.retain(|phrase| !phrase.is_empty());
        Self { phrases, recent: vec![] }
    }
}

impl Constraint for Banned {
    fn fork(&self) -> Box<dyn Constraint> {
        Box::new(self.clone())
    }

    fn mask(&self, allowed: &mut Mask) {
        for phrase in &self.phrases {
            if let Some((&last, before)) = phrase.split_last()
                && self.recent.ends_with(before)
            {
                allowed.forbid(last);
            }
        }
    }

    fn advance(&mut self, token: u32) {
        self.recent.push(token);
        let longest = self.phrases.iter().map(Vec::len).max().unwrap_or(0);
        if self.recent.len() >= longest {
            self.recent.drain(..self.recent.len() + 1 - longest.max(1));
        }
    }
}

/// One of the given sequences, whole: a trie over tokens.
#[derive(Debug, Clone)]
pub struct OneOf {
    trie: std::rc::Rc<Trie>,
    /// `None` once a token left the trie, which the mask does not allow.
    at: Option<usize>,
}

#[derive(Debug, Default)]
struct Trie {
    nodes: Vec<TrieNode>,
}

#[derive(Debug, Default)]
struct TrieNode {
    /// By token, ascending.
    children: std::collections::BTreeMap<u32, usize>,
    ends: bool,
}

impl OneOf {
    pub fn new<S: AsRef<[u32]>>(sequences: &[S]) -> Self {
        let mut trie = Trie { nodes: vec![TrieNode::default()] };
        for sequence in sequences {
            let mut at = 0;
            for &token in sequence.as_ref() {
                let new = trie.nodes.len();
                let next = *trie.nodes[at].children.entry(token).or_insert(new);
                if next == new {
                    trie.nodes.push(TrieNode::default());
                }
                at = next;
            }
            trie.nodes[at].ends = true;
        }
        Self { trie: std::rc::Rc::new(trie), at: Some(0) }
    }

    fn node(&self) -> Option<&TrieNode> {
        self.at.and_then(|at| self.trie.nodes.get(at))
    }
}

impl Constraint for OneOf {
    fn fork(&self) -> Box<dyn Constraint> {
        Box::new(self.clone())
    }

    fn mask(&self, allowed: &mut Mask) {
        allowed.only(self.node().into_iter().flat_map(|node| node.children.keys().copied()));
    }

    fn advance(&mut self, token: u32) {
        self.at = self.node().and_then(|node| node.children.get(&token).copied());
    }

    fn is_final(&self) -> bool {
        self.node().is_some_and(|node| node.ends)
    }

    fn reason(&self) -> Option<String> {
        Some("one of the given sequences".into())
    }
}
