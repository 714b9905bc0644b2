//! Stored numbers made again: the same circuits on the same examples, by whoever holds the file.
//!
//! **Idea.** A report says what a circuit scores; who has model and circuit can run it. **Method.** The examples are drawn anew (they are a function of the seed), each
//! circuit is evaluated as in the run, and every number stands beside the stored one. They agree where none differs by more than [`TOLERANCE`]: arithmetic of 32 bits
//! in another order (another processor, WebAssembly) moves a mean of divergences by some 1e-6, a wrong model or circuit by 1e-2 and more.

use serde::Serialize;

use super::{
    circuit::Circuit,
    evaluate::{evaluate, full_outputs},
    exhibit::{Check, Exhibit, Shown},
    inspect::{InspectError, Subject, subject::Coding},
    problem::Problem,
    programs::Program,
    small::Small,
    tasks::{Split, encode::NumericScoring, score::Scores},
};
use vitrine_core::{
    findings::{Cell, Line, Series, Table},
    model::stream::Ablation,
};

/// Largest difference that counts as agreement, in the unit of the number.
pub const TOLERANCE: f64 = 1e-4;

/// Most examples that a report may ask for, and most of them at once: its reader's machine pays.
const MOST_EXAMPLES: u64 = 20_000;
const MOST_AT_ONCE: usize = 1_024;

/// One number: stored, and made again.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Number {
    pub what: String,
    pub measure: &'static str,
    pub stored: f64,
    pub here: f64,
}

/// All numbers of one exhibit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recomputed {
    pub numbers: Vec<Number>,
    /// How many agree, the largest difference, and where it is (nowhere where all are the same).
    pub agree: usize,
    pub largest: f64,
    pub largest_at: String,
    pub tolerance: f64,
    pub passed: bool,
    /// The stored figure with the new points in it.
    #[serde(skip)]
    pub figure: Option<Series>,
}

/// Makes the numbers of `exhibit` again. `circuits` are those it lists with a file, in its order; `table` and `figure` the panels it names.
///
/// # Errors
/// [`InspectError::Refused`] where the table lacks a row or the exhibit names nothing to check; errors of running.
pub fn recompute(
    subject: &Subject,
    exhibit: &Exhibit,
    circuits: &[Circuit],
    table: &Table,
    figure: Option<&Series>,
) -> Result<Recomputed, InspectError> {
    let refused = |text: &str| InspectError::Refused(text.to_owned());
    let check = exhibit.check.as_ref().ok_or_else(|| refused("this model's numbers cannot be made again from the report"))?;
    if check.examples > MOST_EXAMPLES || check.batch_size > MOST_AT_ONCE {
        return Err(refused(&format!(
            "{} examples, {} at once, are more than the {MOST_EXAMPLES} and {MOST_AT_ONCE} that are run",
            check.examples, check.batch_size
        )));
    }
    let listed: Vec<&Shown> = exhibit.circuits.iter().filter(|circuit| circuit.file.is_some()).collect();
    if listed.len() != circuits.len() {
        return Err(InspectError::Refused(format!("{} circuits are listed, {} given", listed.len(), circuits.len())));
    }
    let pairs: Vec<(&Shown, &Circuit)> = listed.into_iter().zip(circuits).collect();
    for (_, circuit) in &pairs {
        circuit.fits(subject.graph.shape())?;
    }
    let (numbers, points) = match &subject.coding {
        Coding::Words(_) => small(subject, check, &pairs, table)?,
        Coding::Program(config) => {
            let program = Program { config: (**config).clone(), model: subject.model.clone() };
            (programs(&program, check, &pairs, table)?, vec![])
        }
        Coding::Text(_) => return Err(refused("this model brings no examples of its own")),
    };
    if numbers.is_empty() {
        return Err(refused("there is no stored number to compare with"));
    }
    let difference = |number: &Number| (number.here - number.stored).abs();
    // A value that is no number is as far off as can be.
    let far = |number: &Number| if difference(number).is_nan() { f64::INFINITY } else { difference(number) };
    let worst = numbers.iter().filter(|number| far(number) > 0.0).max_by(|a, b| far(a).total_cmp(&far(b)));
    let (largest, largest_at) = worst.map_or((0.0, String::new()), |number| (far(number), format!("{}, {}", number.what, number.measure)));
    let agree = numbers.iter().filter(|number| far(number) <= TOLERANCE).count();
    let figure = figure.filter(|_| !points.is_empty()).map(|figure| {
        let (x, y) = points.iter().copied().unzip();
        let mut figure = figure.clone();
        figure.lines.push(Line::new("computed here", x, y).points());
        figure
    });
    Ok(Recomputed { passed: agree == numbers.len(), numbers, agree, largest, largest_at, tolerance: TOLERANCE, figure })
}

/// The small transformer: every circuit, the full model, and the model with everything cut, on the test sentences. Also the points of the figure.
fn small(
    subject: &Subject,
    check: &Check,
    circuits: &[(&Shown, &Circuit)],
    table: &Table,
) -> Result<(Vec<Number>, Vec<(f64, f64)>), InspectError> {
    let examples = Small::new(check.seed)?.examples(Split::Test, check.examples)?;
    let problem = Problem::new(&subject.model, subject.graph.clone(), examples, subject.scoring(), Ablation::Interchange)?;
    let batch = check.batch_size.max(1);
    let full = full_outputs(&problem, batch)?;
    let (mut numbers, mut points) = (vec![], vec![]);
    let mut compare = |row: &[Cell], what: &str, scores: &Scores| {
        let here = [
            ("KL", Some(scores.kl)),
            ("accuracy", scores.accuracy),
            ("exact match", scores.exact_match),
            ("logit difference", scores.logit_difference),
        ];
        for (measure, here) in here {
            if let (Some(stored), Some(here)) = (number(table, row, measure), here) {
                numbers.push(Number { what: what.to_owned(), measure, stored, here });
            }
        }
    };
    for (shown, circuit) in circuits {
        let Some(size) = shown.size else { continue };
        let own = |row: &&Vec<Cell>| {
            word(table, row, "method").is_some_and(|method| method.starts_with("Edge Pruning"))
                && number(table, row, "edges asked for") == Some(size as f64)
        };
        let row = table.rows.iter().find(own).ok_or_else(|| missing(&shown.title))?;
        let scores = evaluate(&problem, &full, &circuit.masks(), batch)?;
        compare(row, &format!("Edge Pruning, {size} edges"), &scores);
        points.push((circuit.counts().kept as f64, scores.kl));
    }
    points.reverse();
    for (name, mask) in [("full model", 1.0), ("everything cut", 0.0)] {
        let row = table.rows.iter().find(|row| word(table, row, "method") == Some(name)).ok_or_else(|| missing(name))?;
        compare(row, name, &evaluate(&problem, &full, &vec![mask; subject.graph.n_edges()], batch)?);
    }
    Ok((numbers, points))
}

/// A compiled program: the share of inputs whose decoded output is right, and the number of edges.
fn programs(program: &Program, check: &Check, circuits: &[(&Shown, &Circuit)], table: &Table) -> Result<Vec<Number>, InspectError> {
    let mut numbers = vec![];
    for (shown, circuit) in circuits {
        let (ablation, carries) = match shown.ablation.as_str() {
            "zero" => (Ablation::Zero, "nothing"),
            _ => (Ablation::Interchange, "another input's values"),
        };
        let name = program.config.name.as_str();
        let own = |row: &&Vec<Cell>| word(table, row, "program") == Some(name) && word(table, row, "cut edges carry") == Some(carries);
        let row = table.rows.iter().find(own).ok_or_else(|| missing(&shown.title))?;
        let problem = program.problem(ablation, NumericScoring::SquaredError, check.seed)?;
        let here = [("accuracy", program.accuracy(&problem, &circuit.masks())?), ("found", circuit.counts().kept as f64)];
        for (measure, here) in here {
            if let Some(stored) = number(table, row, measure) {
                numbers.push(Number { what: format!("{name}, cut edges carry {carries}"), measure, stored, here });
            }
        }
    }
    Ok(numbers)
}

fn cell<'a>(table: &Table, row: &'a [Cell], column: &str) -> Option<&'a Cell> {
    row.get(table.columns.iter().position(|known| known.name == column)?)
}

fn number(table: &Table, row: &[Cell], column: &str) -> Option<f64> {
    match cell(table, row, column) {
        Some(Cell::Number(value)) => Some(*value),
        _ => None,
    }
}

fn word<'a>(table: &Table, row: &'a [Cell], column: &str) -> Option<&'a str> {
    match cell(table, row, column) {
        Some(Cell::Text(text)) => Some(text),
        _ => None,
    }
}

fn missing(what: &str) -> InspectError {
    InspectError::Refused(format!("the report's table has no row for {what}"))
}

#[cfg(test)]
mod tests {
    use vitrine_core::tensor::Device;

    use super::*;
    use crate::{
        circuit::native,
        exhibit::{Kind, of_run},
        inspect::open::known,
        run::{PROGRAMS, StudyConfig},
    };
    use vitrine_core::{findings::RunRecord, formats::safetensors::SafeTensors};
    use vitrine_core::{
        findings::{Axis, Column},
        model::Transformer,
    };

    fn exhibits(artifacts: &[&str]) -> Vec<Exhibit> {
        let mut record = RunRecord::new("edge-pruning");
        record.config = serde_json::json!({"study": StudyConfig { test_examples: 12, seed: 3, ..StudyConfig::default() }});
        of_run(1, &record, &artifacts.iter().map(|&name| name.to_owned()).collect::<Vec<_>>())
    }

    /// The table that a run would have stored, from an evaluation of its own.
    fn small_case() -> (Subject, Exhibit, Vec<Circuit>, Table) {
        let artifacts =
            ["small-circuit-20.json", "small-circuit-90.json", "small-config.json", "small-model.safetensors", "small-words.json"];
        let exhibit = exhibits(&artifacts).remove(0);
        assert_eq!(exhibit.kind, Kind::Small);
        let small = Small::new(3).unwrap();
        let model = Transformer::init(small.config(), 3, &Device::flex());
        let graph = model.config.graph(model.config.default_embedding_nodes()).unwrap();
        let subject = Subject { model, graph, coding: Coding::Words(small.vocab.clone()) };
        let circuit = |edges: usize| Circuit::from_edges(&subject.graph, (0..edges).map(|at| at * 3 % 137)).unwrap();
        let circuits = vec![circuit(90), circuit(20)];
        let examples = small.examples(Split::Test, 12).unwrap();
        let problem = Problem::new(&subject.model, subject.graph.clone(), examples, subject.scoring(), Ablation::Interchange).unwrap();
        // Other batches than the check's: nothing may depend on them.
        let full = full_outputs(&problem, 5).unwrap();
        let mut table = Table::new(
            ["method", "edges asked for", "KL", "accuracy", "exact match", "logit difference"]
                .into_iter()
                .enumerate()
                .map(|(at, name)| if at == 0 { Column::text(name) } else { Column::number(name, 3) })
                .collect(),
        );
        let n = subject.graph.n_edges();
        let rows = [
            ("EAP", 90, circuits[1].masks()),
            ("Edge Pruning", 90, circuits[0].masks()),
            ("Edge Pruning", 20, circuits[1].masks()),
            ("full model", n, vec![1.0; n]),
            ("everything cut", 0, vec![0.0; n]),
        ];
        for (method, size, masks) in rows {
            let s = evaluate(&problem, &full, &masks, 5).unwrap();
            table.push(vec![method.into(), size.into(), s.kl.into(), s.accuracy.into(), s.exact_match.into(), s.logit_difference.into()]);
        }
        (subject, exhibit, circuits, table)
    }

    #[test]
    fn numbers_of_the_small_transformer_are_made_again_and_a_changed_one_is_found() {
        let (subject, exhibit, circuits, mut table) = small_case();
        let figure = Series { x: Axis::new("edges", ""), y: Axis::new("KL", "nats"), ..Series::default() };
        let found = recompute(&subject, &exhibit, &circuits, &table, Some(&figure)).unwrap();
        assert!(found.passed && found.numbers.len() == 16 && found.agree == 16 && found.largest < 1e-5, "{found:?}");
        let line = &found.figure.unwrap().lines[0];
        assert_eq!(line.x, [20.0, 90.0]);
        assert!(line.y.iter().all(|kl| *kl > 0.0));

        if let Cell::Number(kl) = &mut table.rows[2][2] {
            *kl += 0.5;
        }
        let found = recompute(&subject, &exhibit, &circuits, &table, None).unwrap();
        assert!(!found.passed && found.agree == 15 && (found.largest - 0.5).abs() < 1e-5);
        assert_eq!(found.largest_at, "Edge Pruning, 20 edges, KL");
        // Another circuit than the one that was measured.
        let other = vec![circuits[0].clone(), Circuit::from_edges(&subject.graph, 0..20).unwrap()];
        assert!(!recompute(&subject, &exhibit, &other, &table, None).unwrap().passed);
        assert!(matches!(recompute(&subject, &exhibit, &circuits[1..], &table, None), Err(InspectError::Refused(_))));
        let mut greedy = exhibit.clone();
        greedy.check.as_mut().unwrap().examples = u64::MAX;
        assert!(matches!(recompute(&subject, &greedy, &circuits, &table, None), Err(InspectError::Refused(_))));
        table.rows.truncate(2);
        assert!(matches!(recompute(&subject, &exhibit, &circuits, &table, None), Err(InspectError::Refused(_))));
    }

    #[test]
    fn accuracies_of_programs_are_made_again() {
        let exhibit = exhibits(&["circuit-hist-interchange.json", "circuit-hist-zero.json"]).remove(0);
        let (_, config, edges, weights) = PROGRAMS.into_iter().find(|(name, ..)| *name == "hist").unwrap();
        let subject = Subject::program(config, &SafeTensors::open(weights).unwrap(), &Device::flex()).unwrap();
        // As they are stored: read back from their files.
        let circuits: Vec<Circuit> = ["minimal_zero", "minimal_interchange"]
            .map(|set| native::from_json(&native::to_json(&known(config, edges, set).unwrap()).unwrap()).unwrap())
            .into();
        let columns = ["program", "cut edges carry", "found", "accuracy"];
        let mut table = Table::new(columns.map(Column::text).into());
        for (carries, circuit) in [("nothing", &circuits[0]), ("another input's values", &circuits[1])] {
            table.push(vec!["hist".into(), carries.into(), circuit.counts().kept.into(), 1.0.into()]);
        }
        let found = recompute(&subject, &exhibit, &circuits, &table, None).unwrap();
        assert!(found.passed && found.numbers.len() == 4 && found.largest == 0.0, "{found:?}");
        // With everything cut no output is right.
        let nothing = vec![circuits[0].clone(), Circuit::empty(&subject.graph)];
        let found = recompute(&subject, &exhibit, &nothing, &table, None).unwrap();
        assert!(!found.passed && found.largest >= 1.0);
    }
}
