//! Golden values: what another implementation computed, compared case by case.
//!
//! A check walks over the cases of a file (or of a table in the code), computes each anew and notes how far off it is. The outcome is plain data: the command
//! line prints it, a page shows it, and the tests of both ask the same question of the same code.

use std::fmt;

use serde::Serialize;

/// Failing cases that are named; the others are only counted.
const NAMED_FAILURES: usize = 10;

/// How many cases agree, and how far off the worst is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Agreement {
    /// What was compared.
    pub what: String,
    pub cases: usize,
    pub agree: usize,
    /// Largest difference over all cases.
    pub largest: f64,
    /// The first failing cases, a line each.
    pub failures: Vec<String>,
}

impl Agreement {
    /// No cases yet.
    #[must_use]
    pub fn of(what: &str) -> Self {
        Self { what: what.to_owned(), cases: 0, agree: 0, largest: 0.0, failures: Vec::new() }
    }

    /// One case: it agrees where `difference` is at most `tolerance`; a NaN never is.
    pub fn case(&mut self, difference: f64, tolerance: f64, name: impl FnOnce() -> String) {
        self.cases += 1;
        self.largest = if difference.is_nan() { f64::INFINITY } else { self.largest.max(difference) };
        if difference <= tolerance {
            self.agree += 1;
        } else if self.failures.len() < NAMED_FAILURES {
            self.failures.push(format!("{}: off by {difference}", name()));
        }
    }

    /// One case that is right or wrong.
    pub fn yes_or_no(&mut self, right: bool, name: impl FnOnce() -> String) {
        self.case(f64::from(u8::from(!right)), 0.0, name);
    }

    /// Whether there were cases and all agree.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.agree == self.cases && self.cases > 0
    }
}

/// `token ids: 4 of 4 agree, largest difference 0.000e0`, then the failures, indented.
impl fmt::Display for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} of {} agree, largest difference {:.3e}", self.what, self.agree, self.cases, self.largest)?;
        self.failures.iter().try_for_each(|failure| write!(f, "\n  {failure}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_agreeing_cases_pass() {
        let mut found = Agreement::of("x");
        assert!(!found.passed(), "no cases are no agreement");
        found.case(0.5, 1.0, || "a".into());
        assert!(found.passed());
        found.case(f64::NAN, 1.0, || "b".into());
        found.case(2.0, 1.0, || "c".into());
        assert!(!found.passed());
        assert_eq!((found.cases, found.agree), (3, 1));
        assert!(found.largest.is_infinite());
        assert_eq!(found.to_string(), "x: 1 of 3 agree, largest difference inf\n  b: off by NaN\n  c: off by 2");
    }
}
