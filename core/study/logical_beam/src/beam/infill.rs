//! Infilling: a query of one template, branching on schema names only.
//!
//! **Idea.** A beam wastes its width on wordings of one query. Here the template is given, and hypotheses fork only where they choose a table or a column, so the beam's places
//! go to different names.
//!
//! **Method.** A token is allowed when the text with it can still become a query of the template ([`super::target`]). Several continuations are tried where the text stands in a
//! slot for a table or column whose branching is on, or where a token reaches into one, and, in templates that join, behind an alias and its period; elsewhere only the likeliest
//! allowed token is followed. Behind 128 tokens nothing is controlled any more.
//!
//! With [`Infill::first_token`] the rule is the released one: at a slot the first sub-word token of each name is allowed, anywhere else the likeliest token of all is taken, and a
//! hypothesis ends once its text has left the template.
//!
//! **Source.** Bhaskar et al., EMNLP 2023, section 4.3 and the released code.

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::target::{Region, State, Target};
use crate::sql::template::Slot;
use vitrine_core::decode::{Constraint, Lexicon, Machine as _, Mask};

/// Tokens after which nothing is controlled.
pub const CONTROLLED: usize = 128;

/// How infilling branches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Infill {
    /// Whether hypotheses fork at slots for columns.
    pub columns: bool,
    /// Whether they fork at slots for tables.
    pub tables: bool,
    /// The released rule.
    pub first_token: bool,
}

impl Default for Infill {
    fn default() -> Self {
        Self { columns: true, tables: true, first_token: false }
    }
}

impl Infill {
    fn forks(self, region: Region, joins: bool) -> bool {
        match region {
            Region::Table => self.tables,
            Region::Column => self.columns,
            Region::AfterAlias => self.columns || joins,
        }
    }

    fn forks_at(self, slot: Slot) -> bool {
        if slot == Slot::Table { self.tables } else { self.columns }
    }
}

/// Why several continuations may be tried, as the trace says it.
pub fn reason(region: Region) -> &'static str {
    match region {
        Region::Table => "forks: table",
        Region::Column => "forks: column",
        Region::AfterAlias => "forks: column behind an alias",
    }
}

/// What may follow.
#[derive(Debug, Clone)]
struct Next {
    /// All tokens where nothing is said.
    tokens: Option<Vec<u32>>,
    /// Where hypotheses fork.
    region: Option<Region>,
}

/// A hypothesis on its way to a query of the template.
#[derive(Debug, Clone)]
pub struct Infilling {
    lexicon: Rc<Lexicon>,
    options: Infill,
    joins: bool,
    /// `None` once the text has left the template.
    state: Option<State>,
    taken: usize,
    next: Next,
}

impl Infilling {
    pub fn new(lexicon: &Rc<Lexicon>, target: &Rc<Target>, options: Infill) -> Self {
        let next = Next { tokens: None, region: None };
        let state = Some(target.start());
        let mut new = Self { lexicon: Rc::clone(lexicon), options, joins: target.joins, state, taken: 0, next };
        new.look();
        new
    }

    fn is_free(&self) -> bool {
        self.taken >= CONTROLLED
    }

    /// Finds out what may follow.
    fn look(&mut self) {
        self.next = match &self.state {
            _ if self.is_free() => Next { tokens: None, region: None },
            None => Next { tokens: Some(vec![]), region: None },
            Some(state) if self.options.first_token => self.released(state),
            Some(state) => self.whole_names(state),
        };
    }

    fn whole_names(&self, state: &State) -> Next {
        let mut region = state.region().filter(|region| self.options.forks(*region, self.joins));
        let mut tokens = vec![];
        self.lexicon.walk(state, |token, after| {
            tokens.push(token);
            if region.is_none()
                && let Some(slot) = after.entered_since(state).find(|slot| self.options.forks_at(*slot))
            {
                region = Some(if slot == Slot::Table { Region::Table } else { Region::Column });
            }
        });
        Next { tokens: Some(tokens), region }
    }

    fn released(&self, state: &State) -> Next {
        let mut region = None;
        let mut tokens: Vec<u32> = vec![];
        for (here, text) in state.upcoming(1) {
            if self.options.forks(here, self.joins) {
                region = Some(here);
                tokens.extend(self.lexicon.longest(&text));
            }
        }
        tokens.sort_unstable();
        tokens.dedup();
        Next { tokens: region.map(|_| tokens), region }
    }
}

impl Constraint for Infilling {
    fn fork(&self) -> Box<dyn Constraint> {
        Box::new(self.clone())
    }

    fn mask(&self, allowed: &mut Mask) {
        if let Some(tokens) = &self.next.tokens {
            allowed.only(tokens.iter().copied());
        }
    }

    fn advance(&mut self, token: u32) {
        self.taken += 1;
        if !self.is_free() {
            self.state = self.state.as_ref().and_then(|state| state.read(self.lexicon.piece(token)));
        }
        self.look();
    }

    fn is_final(&self) -> bool {
        // The released rule forbids the end in slots only.
        let over = |state: &State| if self.options.first_token { self.next.region.is_none() } else { state.is_complete() };
        self.is_free() || self.state.as_ref().is_some_and(over)
    }

    fn may_branch(&self) -> bool {
        self.is_free() || self.next.region.is_some()
    }

    fn reason(&self) -> Option<String> {
        Some(match (&self.state, self.next.region) {
            _ if self.is_free() => format!("no control behind {CONTROLLED} tokens"),
            (None, _) => "left the template".into(),
            (_, Some(region)) => reason(region).into(),
            _ => "follows the template".into(),
        })
    }
}
