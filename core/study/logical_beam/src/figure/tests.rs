use std::collections::BTreeMap;

use super::*;
use crate::{
    beam::toy::{Says, Toy, pieces},
    comparison::Answer,
    sql::ddl,
};
use vitrine_core::findings::Findings;

const QUESTION: &str = "how old is who?";

fn schema() -> Schema {
    let text = "CREATE TABLE singer (id int PRIMARY KEY, name text, years_old int, birthdate text);
        CREATE TABLE concert (id int, singer_id int REFERENCES singer (id), year int)";
    ddl::read(text, "music").unwrap()
}

/// Texts for templates and queries, noise for fills.
fn toy() -> Toy {
    let longer = [
        "select",
        " from",
        " singer",
        " name",
        "years_old",
        "birthdate",
        ", ",
        " where",
        "joins",
        " @ ",
        "selects",
        "column",
        "table",
        " = ",
    ];
    Toy {
        template: Says::Texts(vec![
            ("0 joins @ 1 selects @ select column from table", 5.0),
            ("0 joins @ 2 selects @ select column, column from table", 2.0),
            ("1 joins @ 1 selects @ select column from table join table on column = column", 1.0),
        ]),
        query: Says::Texts(vec![
            ("select years_old from singer", 4.0),
            ("select birthdate from singer", 3.0),
            ("select name from singer where years_old = 3", 1.0),
            ("select name from singer", 0.5),
        ]),
        fill_seed: 5,
        ..Toy::new(pieces(&longer))
    }
}

fn drawn(toy: &Toy, schema: &Schema, name: &str) -> (List, Tree) {
    let limits = Limits { max_tokens: 60, trace_cuts: true, ..Limits::default() };
    let asked = Asked::new(toy, QUESTION, schema, limits).unwrap();
    let decoder = Decoder::from_name(name).unwrap();
    let found = decoder.list(&asked).unwrap();
    let hit = |place| Hits { first: place == 0, second: place == 1 };
    let hits: Vec<Hits> = (0..found.candidates.len()).map(hit).collect();
    let tree = tree(name, &decoder, &found, asked.pieces(), &hits);
    (found, tree)
}

/// The text from where a search began to the end of a branch.
fn text(tree: &Tree, mut at: usize) -> String {
    let mut parts = vec![];
    loop {
        let branch = &tree.branches[at];
        let heading = branch.score.is_none() || branch.note == TEMPLATE;
        if heading {
            break;
        }
        parts.push(branch.text.clone());
        let Some(parent) = branch.parent else { break };
        at = parent as usize;
    }
    parts.reverse();
    parts.concat()
}

#[test]
fn every_query_of_a_list_is_a_branch_with_its_own_text_and_score() {
    let (toy, schema) = (toy(), schema());
    for (name, _) in DRAWN {
        let (found, tree) = drawn(&toy, &schema, name);
        assert!(found.candidates.len() >= 3, "{name}");
        let outputs: Vec<&Output> = found.record.runs.iter().flat_map(|run| &run.outputs).collect();
        for (place, candidate) in found.candidates.iter().enumerate() {
            let at = tree.branches.iter().position(|branch| branch.place == Some(place as u32));
            let at = at.unwrap_or_else(|| panic!("{name}: {} is not drawn: {:#?}", candidate.sql, tree.branches));
            assert_eq!(normalise(&text(&tree, at)), candidate.sql, "{name}");
            let scores: Vec<f64> =
                outputs.iter().filter(|output| normalise(&output.text) == candidate.sql).map(|output| output.log_prob).collect();
            assert!(scores.contains(&tree.branches[at].score.unwrap()), "{name}");
            assert_eq!((&tree.list[place].text, tree.list[place].score), (&candidate.sql, Some(candidate.log_prob)));
        }
        assert_eq!(tree.list[0].readings, [0]);
        assert_eq!(tree.list[1].readings, [1]);
        assert!(tree.list[2].readings.is_empty());
        // A branch that forks has several that go on from it; one that ends has none, unless a longer text begins with it.
        for (at, branch) in tree.branches.iter().enumerate() {
            let forks = tree.branches.iter().filter(|other| other.parent == Some(at as u32)).count();
            assert!(branch.fate != BranchFate::Inner || branch.score.is_none() || forks != 0, "{name}: {branch:?}");
        }
    }
}

#[test]
fn a_plain_beam_is_the_whole_tree_and_everything_cut_is_counted() {
    let (toy, schema) = (toy(), schema());
    let (found, tree) = drawn(&toy, &schema, "beam");
    let [run] = &found.record.runs[..] else { panic!("one search") };
    let ends: Vec<usize> = run.outputs.iter().map(|output| output.node).collect();
    assert!(ends.len() <= QUERIES);
    let whole = tree.branches.iter().filter(|branch| branch.fate != BranchFate::Inner).count();
    assert_eq!(whole, ends.len(), "each output is a branch");
    // What the notes count, beside what is drawn.
    let counted: usize =
        tree.branches.iter().flat_map(|branch| branch.note.split([' '])).filter_map(|word| word.parse::<usize>().ok()).sum();
    let parents: std::collections::BTreeSet<usize> = run.search.nodes.iter().filter_map(|node| node.parent).collect();
    let leaves = (0..run.search.nodes.len()).filter(|node| !parents.contains(node) && !ends.contains(node)).count();
    assert_eq!(counted, leaves);
    assert!(tree.branches.iter().all(|branch| branch.place.is_none() || branch.fate == BranchFate::Ended));
    // All of it goes on from one beginning, where a plain beam may take every piece.
    assert_eq!(tree.branches.iter().filter(|branch| branch.parent.is_none()).count(), 1);
    assert_eq!(tree.branches[0].allowed, Some(toy.pieces.pieces.len() as u64));
}

#[test]
fn plans_lead_to_templates_and_templates_to_fills() {
    let (toy, schema) = (toy(), schema());
    let (found, tree) = drawn(&toy, &schema, "logical-beam");
    let plans: Vec<(usize, &Branch)> = tree.branches.iter().enumerate().filter(|(_, branch)| branch.parent.is_none()).collect();
    assert!(plans.len() >= 3 && plans[0].1.text == "0 joins, 1 selects (preferred)", "{plans:?}");
    let templates = tree.branches.iter().filter(|branch| branch.note == TEMPLATE).count();
    let filled = found.record.runs.iter().filter(|run| matches!(run.purpose, Purpose::Fill { .. }) && !run.outputs.is_empty()).count();
    assert_eq!(templates, filled);
    // Where a fill forks, few pieces are allowed, and it says why.
    let forks: Vec<&Branch> = tree
        .branches
        .iter()
        .filter(|branch| branch.allowed.is_some_and(|allowed| allowed > 1) && branch.note.contains("What may follow"))
        .collect();
    assert!(!forks.is_empty() && forks.iter().all(|branch| branch.allowed < Some(toy.pieces.pieces.len() as u64)), "{forks:?}");
    // Rows are read from above: each stands behind what it goes on from, one deeper.
    let rows = tree.rows();
    assert_eq!(rows.len(), tree.branches.len());
    for (row, (depth, branch)) in rows.iter().enumerate() {
        let Some(parent) = branch.parent else {
            assert_eq!(*depth, 0);
            continue;
        };
        let above = rows[..row].iter().rposition(|(other, _)| other + 1 == *depth).unwrap();
        assert!(std::ptr::eq(rows[above].1, &raw const tree.branches[parent as usize]));
    }
}

#[test]
fn the_same_question_is_drawn_the_same_and_findings_hold_it() {
    let (toy, schema) = (toy(), schema());
    let trees = || DRAWN.map(|(name, _)| drawn(&toy, &schema, name).1).to_vec();
    let panel = || {
        Panel::new(
            "searches-C",
            "a question",
            "a caption",
            Searches { readings: vec!["select 1".into(), "select 2".into()], trees: trees(), score_label: "score".into() },
        )
    };
    let mut findings = Findings::new("logical-beam", "trees");
    findings.panels = vec![panel()];
    let mut again = findings.clone();
    again.panels = vec![panel()];
    let text = findings.to_json().unwrap();
    assert_eq!(text, again.to_json().unwrap());
    assert_eq!(Findings::from_json(text.as_bytes()).unwrap(), findings);
}

#[test]
fn the_question_on_which_lists_differ_most_is_shown() {
    let answer = |both, list: &[&str]| Answer {
        either: true,
        both,
        forwards: 1,
        scored: 1,
        list: list.iter().map(|sql| (*sql).to_owned()).collect(),
    };
    let of = |decoder: &str, answers: Vec<Answer>| Answers { decoder: decoder.into(), kind: Kind::J, answers };
    let beam = of("beam", vec![answer(false, &["a", "b"]), answer(true, &["a", "b"]), answer(false, &["a"]), answer(false, &["a"])]);
    let ours = of(
        "logical-beam",
        vec![answer(false, &["c", "d"]), answer(true, &["a", "b"]), answer(true, &["a", "b"]), answer(true, &["b", "a"])],
    );
    assert_eq!(telling(&[beam.clone(), ours.clone()]), [(Kind::J, 2)], "both readings first, the earlier of equals");
    let cut = |answers: &Answers| Answers { answers: answers.answers[..2].to_vec(), ..answers.clone() };
    assert_eq!(telling(&[cut(&beam), cut(&ours)]), [(Kind::J, 0)], "then how many only one has");
    assert_eq!(telling(&[beam]), [], "both have to be there");
    assert_eq!(telling(&[]), BTreeMap::<Kind, usize>::new().into_iter().collect::<Vec<_>>());
}
