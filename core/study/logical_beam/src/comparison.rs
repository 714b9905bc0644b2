//! Decoders against each other on ambiguous questions: how often a list of five holds one valid reading, and how often both.
//!
//! **Method.** Every decoder reads the same model's distribution. A list is scored by mapping back ([`covered`]). Intervals are percentiles of a bootstrap over questions; the interval
//! of a difference draws the same questions for both decoders. What a list cost is told in prefixes scored. A gain counts only where plain beam search holds a reading of at
//! least [`LEAST_EITHER`] of the questions (a model that answers nothing shows nothing), and where the interval of the difference excludes 0.
//!
//! **Source.** Bhaskar et al., EMNLP 2023, section 5, tables 2 to 5 (`EitherInTopK`, `BothInTopK`).

use serde::Serialize;

use super::{
    beam::{Asked, BeamError, Decoder, Limits},
    golden_coverage::Line,
    model::evaluate::{changed, covered},
    sql::{ambiguate::Kind, names::Names, schema::Schema},
    stages::TextToSql,
};
use vitrine_core::{
    findings::{Best, Body, Claim, Column, Findings, Panel, Source, Table, Verdict},
    stats::{interval, mean},
};

/// Least share of questions of which plain beam search holds a reading, for claims to be judged.
pub const LEAST_EITHER: f64 = 0.3;
/// What counts as a gain on kinds C and T, as a ratio, and on J, in points: what is expected of small models.
const RATIO: f64 = 1.5;
const POINTS: f64 = 0.15;
const PAPER: &str = "Bhaskar et al., EMNLP 2023";

/// What became of one question under one decoder.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    pub either: bool,
    pub both: bool,
    /// Batches and prefixes scored.
    pub forwards: usize,
    pub scored: usize,
    pub list: Vec<String>,
}

/// One decoder on the questions of one kind, in their order.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answers {
    pub decoder: String,
    pub kind: Kind,
    pub answers: Vec<Answer>,
}

/// Asks a question of its changed schema.
///
/// # Errors
/// What the model says.
pub fn ask(model: &dyn TextToSql, line: &Line, schema: &Schema, decoder: &Decoder, limits: Limits) -> Result<Answer, BeamError> {
    let changed = changed(schema, &line.example.change);
    let found = decoder.list(&Asked::new(model, &line.question, &changed, limits)?)?;
    let list: Vec<String> = found.candidates.into_iter().map(|candidate| candidate.sql).collect();
    let [either, both] = covered(line, &list, &Names::new(schema));
    Ok(Answer { either, both, forwards: found.record.forwards(), scored: found.record.scored(), list })
}

impl Answers {
    fn flags(&self, of: impl Fn(&Answer) -> bool) -> Vec<f64> {
        self.answers.iter().map(|answer| f64::from(u8::from(of(answer)))).collect()
    }

    /// Shares of questions with one reading, and with both.
    pub fn shares(&self) -> [f64; 2] {
        [mean(&self.flags(|a| a.either)), mean(&self.flags(|a| a.both))]
    }
}

/// All answers as findings: a table a kind, and what was expected, judged.
pub fn findings(all: &[Answers], seed: u64) -> Findings {
    let mut findings = Findings::new("logical-beam", "Both readings of ambiguous questions");
    for kind in Kind::ALL {
        let of_kind: Vec<&Answers> = all.iter().filter(|answers| answers.kind == kind && !answers.answers.is_empty()).collect();
        let Some(first) = of_kind.first() else { continue };
        let share = |name: &str| Column::number(name, 1).unit("%");
        let mut table = Table::new(vec![
            Column::text("decoder"),
            share("either").best(Best::Highest),
            share("both").best(Best::Highest),
            share("both, from"),
            share("both, to"),
            Column::number("prefixes scored", 0),
            Column::number("batches", 0),
        ]);
        for answers in &of_kind {
            let [either, both] = answers.shares();
            let [low, high] = interval(&answers.flags(|a| a.both), seed);
            let cost = |of: &dyn Fn(&Answer) -> usize| mean(&answers.answers.iter().map(|a| of(a) as f64).collect::<Vec<_>>());
            table.push(vec![
                answers.decoder.clone().into(),
                (100.0 * either).into(),
                (100.0 * both).into(),
                (100.0 * low).into(),
                (100.0 * high).into(),
                cost(&|a| a.scored).into(),
                cost(&|a| a.forwards).into(),
            ]);
        }
        findings.panels.push(Panel {
            id: format!("coverage-{kind:?}"),
            title: format!("{}: {} questions", described(kind), first.answers.len()),
            caption: "Share of questions of which a list of five holds one valid reading (either) and both, by exact-set match after mapping back; 95 % interval of a bootstrap over questions; cost a question.".into(),
            body: Body::Table(table),
        });
    }
    findings.claims = claims(all, seed);
    findings
}

/// A kind in words.
pub(super) fn described(kind: Kind) -> &'static str {
    match kind {
        Kind::C => "Ambiguous columns",
        Kind::T => "Ambiguous tables",
        Kind::J => "With or without a join",
        Kind::P => "Precomputed aggregates",
    }
}

/// What is expected of the decoders, judged on these answers.
fn claims(all: &[Answers], seed: u64) -> Vec<Claim> {
    let published = |kind| match kind {
        Kind::C => "28.0 against 11.7 % (execution match)",
        Kind::T => "42.6 against 21.9 % (execution match)",
        Kind::J => "59.4 against 27.8 % (execution match)",
        Kind::P => "24.8 against 15.8 % (execution match)",
    };
    let mut claims: Vec<Claim> = Kind::ALL
        .into_iter()
        .map(|kind| {
            let (wanted, tolerance): (fn(f64, f64) -> bool, _) = match kind {
                Kind::C | Kind::T => {
                    (|ours, beam| ours >= RATIO * beam, format!("{RATIO} times as many, interval of the difference above 0"))
                }
                Kind::J => {
                    (|ours, beam| ours >= beam + POINTS, format!("{} points more, interval of the difference above 0", 100.0 * POINTS))
                }
                Kind::P => (|_, _| true, "interval of the difference above 0".to_owned()),
            };
            let statement = format!("{}: LogicalBeam's lists hold both readings more often than plain beam search's.", described(kind));
            Claim {
                published: Some(published(kind).into()),
                ..judged(all, ("logical-beam", "beam", kind), (&statement, tolerance), wanted, seed)
            }
        })
        .collect();
    for (worse, kind, statement) in [
        ("top-p", Kind::J, "With or without a join: nucleus sampling holds both readings less often than plain beam search."),
        ("typical", Kind::J, "With or without a join: typical sampling holds both readings less often than plain beam search."),
    ] {
        let tolerance = "interval of the difference above 0".to_owned();
        claims.push(judged(all, ("beam", worse, kind), (statement, tolerance), |_, _| true, seed));
    }
    for (ablation, kind, statement, wanted) in [
        (
            "plain-beams",
            Kind::J,
            "With or without a join: without counterfactual plans at most half as many lists hold both.",
            (|ours, less| ours >= 2.0 * less) as fn(f64, f64) -> bool,
        ),
        ("plain-fill", Kind::C, "Ambiguous columns: without restricted filling fewer lists hold both.", |_, _| true),
        ("plain-fill", Kind::T, "Ambiguous tables: without restricted filling fewer lists hold both.", |_, _| true),
    ] {
        let tolerance = "interval of the difference above 0".to_owned();
        claims.push(judged(all, ("logical-beam", ablation, kind), (statement, tolerance), wanted, seed));
    }
    claims
}

/// Whether `better` holds both readings more often than `worse`, and by as much as `wanted` says.
fn judged(
    all: &[Answers],
    (better, worse, kind): (&str, &str, Kind),
    (statement, tolerance): (&str, String),
    wanted: fn(f64, f64) -> bool,
    seed: u64,
) -> Claim {
    let find = |name: &str| all.iter().find(|answers| answers.decoder == name && answers.kind == kind && !answers.answers.is_empty());
    let (found, verdict) = match (find(better), find(worse), find("beam")) {
        (Some(ours), Some(other), Some(beam)) if ours.answers.len() == other.answers.len() => {
            let (a, b) = (ours.flags(|x| x.both), other.flags(|x| x.both));
            let difference: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a - b).collect();
            let [low, high] = interval(&difference, seed);
            let (ours, other, either) = (mean(&a), mean(&b), beam.shares()[0]);
            let percent = |x: f64| format!("{:.1}", 100.0 * x);
            let words = format!(
                "{better} {} %, {worse} {} %; difference {} ({} to {}) points",
                percent(ours),
                percent(other),
                percent(ours - other),
                percent(low),
                percent(high)
            );
            if either < LEAST_EITHER {
                (format!("{words}; not judged, as plain beam search holds a reading of only {} %", percent(either)), Verdict::NotTested)
            } else {
                (words, Verdict::from_test(low > 0.0 && wanted(ours, other)))
            }
        }
        _ => ("these decoders were not run on such questions".to_owned(), Verdict::NotTested),
    };
    Claim {
        id: format!("{better}-over-{worse}-{kind:?}").to_lowercase(),
        statement: statement.to_owned(),
        source: Source { paper: PAPER.into(), section: "section 5".into(), published: better == "logical-beam" && worse == "beam" },
        published: None,
        found,
        tolerance,
        verdict,
        differs: "A small model over a frozen sentence encoder instead of two of three thousand million parameters; exact-set match."
            .into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(decoder: &str, kind: Kind, both: &[u8]) -> Answers {
        let answer = |&both: &u8| Answer { either: true, both: both == 1, forwards: 2, scored: 20, list: vec![] };
        Answers { decoder: decoder.into(), kind, answers: both.iter().map(answer).collect() }
    }

    #[test]
    fn claims_need_a_clear_difference_and_a_model_that_answers() {
        let many = |ones: usize| [vec![1; ones], vec![0; 40 - ones]].concat();
        let verdicts = |all: &[Answers]| -> Vec<Verdict> { claims(all, 0).into_iter().map(|claim| claim.verdict).collect() };
        let of = |ours, beam| verdicts(&[answers("logical-beam", Kind::C, &many(ours)), answers("beam", Kind::C, &many(beam))])[0];
        assert_eq!(of(30, 10), Verdict::Holds);
        assert_eq!(of(12, 10), Verdict::Fails, "too little");
        assert_eq!(of(10, 30), Verdict::Fails);
        let mut silent = answers("beam", Kind::C, &many(0));
        silent.answers.iter_mut().for_each(|answer| answer.either = false);
        assert_eq!(verdicts(&[answers("logical-beam", Kind::C, &many(30)), silent])[0], Verdict::NotTested);
        assert!(verdicts(&[]).iter().all(|verdict| *verdict == Verdict::NotTested));
    }

    #[test]
    fn findings_are_well_formed() {
        let all = [answers("beam", Kind::J, &[0, 1, 0]), answers("logical-beam", Kind::J, &[1, 1, 0])];
        let found = findings(&all, 0);
        found.check().unwrap();
        let Body::Table(table) = &found.panels[0].body else { panic!("a table") };
        assert_eq!(table.rows.len(), 2);
        assert_eq!(table.rows[1][2], (100.0 * (2.0 / 3.0)).into());
    }
}
