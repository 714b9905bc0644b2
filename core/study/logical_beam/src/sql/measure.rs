//! Coverage of lists of candidates by every measure: exact-set match, EXM, direct match, and results on a changed database.
//!
//! **Method.** The first three compare what [`map_back`] makes of a candidate with the original query on the original database. The native measure asks a changed database
//! instead, and never mixes with them. As a benchmark's two readings return the same rows by design, equal rows alone would not tell which reading a candidate is: so a candidate is reading
//! k when it returns the rows of query k on a database that offers alternative k alone ([`Alternatives`]).
//!
//! **Source.** Bhaskar et al., EMNLP 2023, the released evaluation; the native measure is this project's.

use serde::Serialize;

use super::{
    ambiguate::Ambiguous,
    coverage::{Hits, either_and_both, map_back},
    exact::Gold,
    execute::{Execute, ExecuteError, match_by_rows},
    names::Names,
    rows::{is_ordered, same_result},
    text::normalise,
};

/// The measures, in the order of their totals.
pub const MEASURES: [&str; 4] = ["EM", "EXM", "DX", "native"];

/// Two databases: the first offers only what reading 1 needs, the second only what reading 2 needs.
pub trait Alternatives {
    /// The rows of a query on database 0 or 1.
    ///
    /// # Errors
    /// When the query fails there.
    fn run(&mut self, alternative: usize, sql: &str) -> Result<super::rows::Rows, ExecuteError>;
}

/// What one measure counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Total {
    pub questions: usize,
    /// Lists that hold one of the readings.
    pub either: usize,
    /// Lists that hold both.
    pub both: usize,
}

impl Total {
    fn add(&mut self, hits: &[Hits]) {
        let (either, both) = either_and_both(hits);
        self.questions += 1;
        self.either += usize::from(either);
        self.both += usize::from(both);
    }
}

/// Totals of the measures that were asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Totals(pub [Total; 4]);

impl Totals {
    /// One more list, by exact-set match and, with an executor, by rows.
    ///
    /// # Errors
    /// When a database is missing.
    pub fn add(
        &mut self,
        (example, database): (&Ambiguous, &str),
        candidates: &[String],
        names: &Names,
        mut executor: Option<&mut dyn Execute>,
    ) -> Result<(), ExecuteError> {
        let original = &example.original;
        // A gold query that cannot be read is right whatever is compared with it: so the tool.
        let gold = Gold::new(original, names).ok();
        let [mut em, mut exm, mut dx] = [vec![], vec![], vec![]];
        for candidate in candidates {
            let mapped = map_back(example, candidate);
            let exact = mapped.each_ref().map(|sql| gold.as_ref().is_none_or(|gold| gold.judge(sql).exact));
            em.push(Hits::new(&example.change, exact[0], exact[1]));
            if let Some(executor) = executor.as_deref_mut() {
                let [a, b] = mapped.each_ref().map(|sql| match_by_rows(original, sql, database, names, executor));
                let (a, b) = (a?, b?);
                exm.push(Hits::new(&example.change, a.exm, b.exm));
                dx.push(Hits::new(&example.change, a.dx, b.dx));
            }
        }
        self.0[0].add(&em);
        if executor.is_some() {
            self.0[1].add(&exm);
            self.0[2].add(&dx);
        }
        Ok(())
    }

    /// One more list by results on a changed database. A reading that fails there has no hit.
    pub fn add_native(&mut self, example: &Ambiguous, candidates: &[String], databases: &mut dyn Alternatives) {
        let mut hits = vec![];
        for candidate in candidates {
            let sql = normalise(candidate.rsplit('@').next().unwrap_or_default());
            let mut hit = |k: usize| {
                let reading = &example.readings[k];
                match (databases.run(k, reading), databases.run(k, &sql)) {
                    (Ok(right), Ok(rows)) => same_result(&right, &rows, is_ordered(reading)),
                    _ => false,
                }
            };
            hits.push(Hits { first: hit(0), second: hit(1) });
        }
        self.0[3].add(&hits);
    }
}
