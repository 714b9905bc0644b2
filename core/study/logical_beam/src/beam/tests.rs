//! LogicalBeam on toy models: noise for what has to hold for every model, known texts for what has to come out.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use super::{
    decoder::Decoder,
    infill::{CONTROLLED, Infill, Infilling, reason},
    ladder::{Rung, ladder},
    logical_beam::LogicalBeam,
    masking::hidden,
    merge::{Candidate, Merge, Origin},
    plans::Plans,
    record::{Output, Purpose, Record, Run},
    target::{Region, Target},
    toy::{Says, Texts, Toy, noise, pieces},
    *,
};
use crate::{
    sql::{
        ddl,
        schema::Schema,
        template::{SchemaWords, Slot, fill, slots, templatise},
    },
    stages::{Pieces, Stage},
};
use vitrine_core::decode::{Beam, Cut, Fate, Machine, Trace};

/// Sub-word pieces that cut across names, spaces and marks.
const LONGER: [&str; 30] = [
    "select",
    " select",
    "from",
    " from",
    " from ",
    " singer",
    "sing",
    "er",
    " con",
    "cert",
    " name",
    "na",
    "me",
    "song_",
    " song_name",
    "count(",
    "(*)",
    ", ",
    " t1.",
    "t2.",
    " as t1",
    " join ",
    " where",
    " = ",
    " in (",
    "group by",
    " order by ",
    "years",
    "_old",
    " birthdate",
];

fn schema() -> Schema {
    let text = "CREATE TABLE singer (id int PRIMARY KEY, name text, song_name text, years_old int, birthdate text, \"home town\" text);
        CREATE TABLE concert (id int, singer_id int REFERENCES singer (id), year int, name text)";
    ddl::read(text, "music").unwrap()
}

const QUERIES: [&str; 6] = [
    "select name from singer",
    "select count(*), name from singer where name = 'x y' group by name limit 3",
    "select t1.name, t2.year from singer as t1 join concert as t2 on t1.id = t2.singer_id where t2.year > 2000",
    "select name from singer where id not in (select singer_id from concert) order by birthdate desc",
    "select `home town` from singer where years_old > 3 union select name from concert",
    "select max(year), min(year) from concert group by singer_id having count(*) > 1",
];

fn asked<'a>(toy: &'a Toy, schema: &'a Schema, max_tokens: usize) -> Asked<'a> {
    Asked::new(toy, "how old is who?", schema, Limits { max_tokens, ..Limits::default() }).unwrap()
}

/// Fills a template by a beam of noise.
fn filled(seed: u64, template: &str, options: Infill, width: usize, longer: &[&str]) -> (Vec<Output>, Run) {
    let (schema, toy) = (schema(), Toy { fill_seed: seed, ..Toy::new(pieces(longer)) });
    let asked = asked(&toy, &schema, 400);
    let target = Rc::new(Target::new(template, &asked.words).unwrap());
    let infilling = Infilling::new(&asked.lexicon, &target, options);
    let mut record = Record::default();
    let purpose = Purpose::Fill { template: 0, text: template.into() };
    let outputs = asked.search(purpose, Stage::Fill(template), (&Beam::new(width), width), &infilling, &mut record).unwrap();
    (outputs, record.runs.remove(0))
}

/// Nodes with more than one child that was followed, where the text was still controlled.
fn forks(run: &Run) -> Vec<usize> {
    let mut children = vec![0; run.search.nodes.len()];
    for node in &run.search.nodes {
        if let (Some(parent), false) = (node.parent, matches!(node.fate, Fate::Cut(Cut::OutOfBeam))) {
            children[parent] += 1;
        }
    }
    (0..children.len()).filter(|node| children[*node] > 1 && run.search.nodes[*node].tokens < CONTROLLED).collect()
}

#[test]
fn every_fill_of_noise_has_its_template_known_names_and_forks_at_names_only() {
    let schema = schema();
    let words = SchemaWords::new(&schema);
    let (mut outputs_seen, mut forks_seen) = (0, 0);
    for seed in 0..12 {
        for sql in QUERIES {
            let template = templatise(sql, &words).text;
            for longer in [&LONGER[..], &[]] {
                let (outputs, run) = filled(seed, &template, Infill::default(), 6, longer);
                for output in outputs.iter().filter(|output| output.dropped.is_none()) {
                    let tokens = run.search.nodes[output.node].tokens;
                    if tokens >= CONTROLLED {
                        continue;
                    }
                    let found = templatise(&output.text, &words);
                    assert_eq!(found.text, template, "{}", output.text);
                    for (slot, name) in found.values {
                        let bare = name.rsplit('.').next().unwrap().trim_matches('`');
                        match slot {
                            Slot::Table => assert!(words.is_table(bare), "{name}"),
                            Slot::Column => assert!(bare == "*" || words.is_column(bare), "{name}"),
                            _ => {}
                        }
                    }
                    outputs_seen += 1;
                }
                let target = Rc::new(Target::new(&template, &words).unwrap());
                for node in forks(&run) {
                    // The trace says so, and the text itself: the next character belongs to a name, or a space before one.
                    let why = run.search.nodes[node].reason.clone().unwrap();
                    assert!([Region::Table, Region::Column, Region::AfterAlias].iter().any(|region| why == reason(*region)), "{why}");
                    if longer.is_empty() {
                        let said = pieces(&[]).text(&run.search.tokens(node));
                        let state = Machine::read(&target.start(), &said).unwrap();
                        assert!(state.region().is_some(), "{said:?} of {template}");
                    }
                    forks_seen += 1;
                }
            }
        }
    }
    assert!(outputs_seen > 500 && forks_seen > 500, "{outputs_seen} outputs, {forks_seen} forks");
}

#[test]
fn switches_say_where_hypotheses_fork() {
    let template = "select column from table as t1 join table as t2 on column = column";
    let reasons = |options: Infill| {
        let mut reasons: Vec<String> = vec![];
        for seed in 0..6 {
            let (_, run) = filled(seed, template, options, 6, &LONGER);
            reasons.extend(forks(&run).into_iter().filter_map(|node| run.search.nodes[node].reason.clone()));
        }
        reasons.sort();
        reasons.dedup();
        reasons
    };
    let (table, column, behind) = (reason(Region::Table), reason(Region::Column), reason(Region::AfterAlias));
    assert_eq!(reasons(Infill { tables: false, ..Infill::default() }), [column, behind]);
    // In a template that joins, columns behind an alias fork whatever the switch says.
    assert_eq!(reasons(Infill { columns: false, ..Infill::default() }), [behind, table]);
    assert_eq!(reasons(Infill { columns: false, tables: false, first_token: false }), [behind]);
    let (_, run) = filled(3, "select column from table", Infill { columns: false, tables: false, first_token: false }, 6, &LONGER);
    assert_eq!(forks(&run), [0_usize; 0]);
}

#[test]
fn the_released_rule_allows_first_tokens_and_kills_what_leaves_the_template() {
    let options = Infill { first_token: true, ..Infill::default() };
    // Noise leaves every template at once.
    let (outputs, run) = filled(1, "select column from table", options, 4, &LONGER);
    assert!(outputs.is_empty() && run.problem.is_some());
    assert!(run.search.nodes.iter().any(|node| node.reason.as_deref() == Some("left the template")));
    // A model that knows the words forks at the first tokens of names.
    let mut toy = Toy::new(pieces(&["select", " name", " song_name", " from", " singer", " year"]));
    let texts: Texts = vec![("select name from singer", 5.0), ("select song_name from singer", 3.0), ("select year from concert", 1.0)];
    toy.fill = BTreeMap::from([("select column from table", texts)]);
    let schema = schema();
    let asked = asked(&toy, &schema, 64);
    let target = Rc::new(Target::new("select column from table", &asked.words).unwrap());
    let infilling = Infilling::new(&asked.lexicon, &target, options);
    let mut record = Record::default();
    let purpose = Purpose::Fill { template: 0, text: String::new() };
    let found = asked.search(purpose, Stage::Fill("select column from table"), (&Beam::new(3), 3), &infilling, &mut record).unwrap();
    let found: Vec<&str> = found.iter().map(|output| output.text.as_str()).collect();
    assert_eq!(found, ["select name from singer", "select song_name from singer", "select year from concert"]);
}

#[test]
fn a_wide_enough_fill_is_brute_force_over_all_names() {
    // Every word with its space is one piece, and there are no others: one way to spell each text.
    let mut words: Vec<String> = ["select ", "from ", "where ", "= "].map(str::to_owned).into();
    for name in ["id", "name", "song_name", "years_old", "birthdate", "`home town`", "singer_id", "year", "*", "singer", "concert"] {
        words.push(format!("{name} "));
        words.push(name.into());
    }
    words.retain(|word| !word.starts_with("`home"));
    words.extend(["`home ".into(), "town` ".into(), "town`".into()]);
    let only = Pieces { pieces: std::iter::once(String::new()).chain(words.clone()).collect(), end: 0 };
    let schema = schema();
    for seed in 0..4 {
        for template in ["select column from table", "select column from table where column"] {
            let toy = Toy { fill_seed: seed, ..Toy::new(only.clone()) };
            let asked = asked(&toy, &schema, 64);
            let target = Rc::new(Target::new(template, &asked.words).unwrap());
            let infilling = Infilling::new(&asked.lexicon, &target, Infill::default());
            let mut record = Record::default();
            let purpose = Purpose::Fill { template: 0, text: template.into() };
            let width = 400;
            let found = asked.search(purpose, Stage::Fill(template), (&Beam::new(width), width), &infilling, &mut record).unwrap();
            let exact = brute(template, seed, &only, &asked);
            assert_eq!(found.len(), exact.len());
            for (found, (text, log_prob)) in found.iter().zip(&exact) {
                assert!((found.log_prob - log_prob).abs() < 1e-9, "{} {text}", found.text);
            }
            let mut texts: Vec<&str> = found.iter().map(|output| output.text.as_str()).collect();
            texts.sort_unstable();
            let mut expected: Vec<&str> = exact.iter().map(|(text, _)| text.as_str()).collect();
            expected.sort_unstable();
            assert_eq!(texts, expected);
        }
    }
}

/// All texts of a template by trying every sequence of pieces.
fn brute(template: &str, seed: u64, only: &Pieces, asked: &Asked<'_>) -> Vec<(String, f64)> {
    let mut found = vec![];
    let wanted = fill(template, &vec!["x"; slots(template).len()]).unwrap();
    let length = wanted.split(' ').count();
    let mut open = vec![(vec![0_u32], 0.0)];
    while let Some((prefix, log_prob)) = open.pop() {
        let next = noise(only.pieces.len(), seed, &prefix);
        let text = only.text(&prefix[1..]);
        if templatise(&text, &asked.words).text == template && !text.ends_with(' ') {
            found.push((text.clone(), log_prob + next[0]));
        }
        // A word of the template is the word itself; a name fits where a slot is, and a name with a space is two words.
        let at = text.replace("`home town`", "x").replace("`home ", "").split(' ').count() - 1;
        if !text.is_empty() && !text.ends_with(' ') {
            continue;
        }
        for (token, piece) in only.pieces.iter().enumerate().skip(1) {
            let expected = wanted.split(' ').nth(at).unwrap_or_default();
            let half = text.ends_with("`home ");
            let fits = match (half, expected) {
                (true, _) => piece.trim() == "town`",
                (false, "x") => !["select", "from", "where", "=", "town`"].contains(&piece.trim()),
                (false, word) => piece.trim() == word,
            };
            let last = at + 1 == length && piece != "`home ";
            if fits && at < length && piece.ends_with(' ') != last {
                open.push(([&prefix[..], &[token as u32]].concat(), log_prob + next[token]));
            }
        }
    }
    found.sort_by(|a: &(String, f64), b| b.1.total_cmp(&a.1));
    found
}

/// A model with known texts: two columns that fit, a join or none.
fn known() -> Toy {
    // Without pieces that spell a space with one word only: known texts would then not have the weights they say.
    let longer: Vec<&str> = LONGER.into_iter().filter(|piece| *piece != " where").collect();
    let mut toy = Toy::new(pieces(&longer));
    toy.template = Says::Texts(vec![
        ("0 joins @ 1 selects @ select column from table", 6.0),
        ("1 joins @ 1 selects @ select column from table as t1 join table as t2 on column = column", 2.0),
        ("0 joins @ 2 selects @ select column, column from table", 1.0),
    ]);
    toy.query = Says::Texts(vec![
        ("select years_old from singer", 6.0),
        ("select years_old from singer limit 1", 2.0),
        ("select years_old from singer where id = 1", 1.5),
        ("select birthdate from singer", 0.5),
    ]);
    toy.planned = Says::Texts(vec![
        ("0 joins @ 1 selects @ select years_old from singer", 6.0),
        ("0 joins @ 2 selects @ select years_old, name from singer", 1.0),
    ]);
    toy.fill = BTreeMap::from([
        (
            "select column from table",
            vec![("select years_old from singer", 6.0), ("select birthdate from singer", 3.0), ("select name from singer", 1.0)],
        ),
        (
            "select column from table as t1 join table as t2 on column = column",
            vec![
                ("select t1.years_old from singer as t1 join concert as t2 on t1.id = t2.singer_id", 3.0),
                ("select t1.birthdate from singer as t1 join concert as t2 on t1.id = t2.singer_id", 1.0),
            ],
        ),
        ("select column, column from table", vec![("select years_old, name from singer", 1.0)]),
    ]);
    toy
}

fn sqls(list: &List) -> Vec<&str> {
    list.candidates.iter().map(|candidate| candidate.sql.as_str()).collect()
}

#[test]
fn the_right_five_come_out_of_a_model_whose_texts_are_known() {
    let (toy, schema) = (known(), schema());
    let asked = asked(&toy, &schema, 120);
    let list = Decoder::from_name("logical-beam").unwrap().list(&asked).unwrap();
    // The plain two; then template 0 rank 1 (2; rank 0 is there already), template 1 rank 0 (3), template 0 rank 2 (4).
    assert_eq!(
        sqls(&list),
        [
            "select years_old from singer",
            "select years_old from singer limit 1",
            "select birthdate from singer",
            "select t1.years_old from singer as t1 join concert as t2 on t1.id = t2.singer_id",
            "select name from singer"
        ]
    );
    assert_eq!(list.candidates.iter().map(|c| c.cost).collect::<Vec<_>>(), [-2.0, -1.0, 2.0, 3.0, 4.0]);
    assert_eq!(list.candidates[3].origin, Origin::Template { template: 1, rank: 0 });
    let purposes: Vec<&Purpose> = list.record.runs.iter().map(|run| &run.purpose).collect();
    assert!(matches!(purposes[0], Purpose::FreeTemplate) && matches!(purposes.last(), Some(Purpose::Query)));
    assert!(list.record.runs.iter().all(|run| run.forwards > 0 && run.scored >= run.forwards && !run.search.nodes.is_empty()));
    assert_eq!(list.record.scored(), list.record.runs.iter().map(|run| run.scored).sum::<usize>());
    assert_eq!(Decoder::from_name("logical-beam").unwrap().list(&asked).unwrap(), list, "the same again");
    let json = serde_json::to_value(&list).unwrap();
    assert_eq!(json["record"]["runs"][0]["purpose"]["kind"], "free_template");
    // A plain beam holds what it holds; one template and no plans give no join.
    let beam = Decoder::from_name("beam").unwrap().list(&asked).unwrap();
    assert_eq!(
        &sqls(&beam)[..3],
        ["select years_old from singer", "select years_old from singer limit 1", "select years_old from singer where id = 1"]
    );
    let fills = Decoder::LogicalBeam(LogicalBeam { merge: Merge { plain: 0, ..Merge::default() }, most: 1, ..LogicalBeam::default() });
    let fills = fills.list(&asked).unwrap();
    assert_eq!(&sqls(&fills)[..3], ["select years_old from singer", "select birthdate from singer", "select name from singer"]);
}

#[test]
fn the_ladder_says_what_came_of_each_plan_and_searches_are_told_as_they_grow() {
    let (toy, schema) = (known(), schema());
    let told = RefCell::new(vec![]);
    let watch = |purpose: &Purpose, trace: &Trace, node: usize| {
        assert!(node < trace.nodes.len());
        told.borrow_mut().push((purpose.clone(), node));
    };
    let asked = asked(&toy, &schema, 120).watched(Some(&watch));
    let list = Decoder::from_name("logical-beam").unwrap().list(&asked).unwrap();
    for run in &list.record.runs {
        let nodes: Vec<usize> = told.borrow().iter().filter(|(purpose, _)| *purpose == run.purpose).map(|(_, node)| *node).collect();
        assert_eq!(nodes, (1..run.search.nodes.len()).collect::<Vec<_>>(), "every node once, in its order: {:?}", run.purpose);
    }
    let rungs = ladder(&list.record, Merge::default(), &list.candidates);
    assert!(rungs[0].preferred && rungs.iter().skip(1).all(|rung| !rung.preferred));
    let filled: Vec<&Rung> = rungs.iter().filter(|rung| rung.filled.is_some()).collect();
    assert_eq!(filled.iter().map(|rung| rung.number.unwrap()).collect::<Vec<_>>(), (0..filled.len()).collect::<Vec<_>>());
    for rung in &rungs {
        assert_eq!(rung.filled.is_some(), rung.problem.is_none(), "{rung:?}");
        let purpose = &list.record.runs[rung.search].purpose;
        assert_eq!(*purpose == Purpose::FreeTemplate, rung.preferred);
    }
    // The list of the test above: template 0 gave the first two places that the plain beam holds too, then costs 2 and 4; template 1 cost 3.
    let places = |rung: &Rung| rung.fillings.iter().filter_map(|one| Some((one.place?, one.cost?))).collect::<Vec<_>>();
    assert_eq!(places(filled[0]), [(0, 0.0), (2, 2.0), (4, 4.0)]);
    assert_eq!(places(filled[1])[0], (3, 3.0));
    // Methods without templates have no ladder.
    let beam = Decoder::from_name("beam").unwrap().list(&asked).unwrap();
    assert!(ladder(&beam.record, Merge::default(), &beam.candidates).is_empty());
}

#[test]
fn every_decoder_gives_at_most_five_distinct_queries_the_same_each_time() {
    let (toy, schema) = (known(), schema());
    let asked = asked(&toy, &schema, 120);
    for (name, decoder) in Decoder::all() {
        let list = decoder.list(&asked).unwrap();
        let mut distinct = sqls(&list);
        distinct.sort_unstable();
        distinct.dedup();
        assert!(!distinct.is_empty() && distinct.len() == list.candidates.len() && distinct.len() <= 5, "{name}");
        assert!(list.candidates.windows(2).all(|pair| pair[0].cost <= pair[1].cost), "{name}");
        assert_eq!(decoder.list(&asked).unwrap(), list, "{name}");
        assert!(list.record.forwards() > 0, "{name}");
        assert!(sqls(&list).contains(&"select years_old from singer"), "{name}: nothing else is as likely");
    }
    assert_eq!(Decoder::from_name("none"), None);
    let one = Decoder::from_name("one-stage").unwrap().list(&asked).unwrap();
    let of_plan = |run: &&Run| matches!(run.purpose, Purpose::PlannedQuery { plan } if plan.selects == 2);
    let forced = one.record.runs.iter().find(of_plan).unwrap();
    assert_eq!(forced.outputs[0].text, "0 joins @ 2 selects @ select years_old, name from singer");
    assert!(one.record.runs.iter().all(|run| !matches!(run.purpose, Purpose::Fill { .. })));
    let plain = Decoder::from_name("plain-fill").unwrap().list(&asked).unwrap();
    assert!(
        plain
            .record
            .runs
            .iter()
            .filter(|run| matches!(run.purpose, Purpose::Fill { .. }))
            .all(|run| { run.search.nodes.iter().all(|node| node.reason.is_none()) })
    );
}

#[test]
fn hiding_the_name_that_was_used_brings_the_other_reading() {
    let (toy, schema) = (known(), schema());
    let mut toy = toy;
    toy.query = Says::Texts(vec![("select years_old from singer", 6.0), ("select birthdate from singer", 1.0)]);
    let asked = asked(&toy, &schema, 120);
    let list = Decoder::from_name("masking").unwrap().list(&asked).unwrap();
    assert_eq!(sqls(&list)[..2], ["select years_old from singer", "select birthdate from singer"]);
    assert_eq!(list.candidates[1].origin, Origin::Hidden { names: vec!["singer.years_old".into()] });
    let less = hidden(&schema, &["singer.years_old".to_owned(), "concert".into()].into());
    assert_eq!((less.tables.len(), less.columns.len(), less.primary_keys.as_slice(), less.foreign_keys.len()), (1, 5, &[0][..], 0));
    let less = hidden(&schema, &["singer.id".to_owned()].into());
    assert_eq!((less.tables.len(), less.columns.len(), less.primary_keys.len(), less.foreign_keys.len()), (2, 9, 0, 0));
}

#[test]
fn a_plan_that_cannot_be_read_is_reported_and_the_plain_beam_is_left() {
    let (mut toy, schema) = (known(), schema());
    toy.template = Says::Texts(vec![("many joins @ few selects @ select column from table", 1.0)]);
    let asked = asked(&toy, &schema, 120);
    let list = Decoder::from_name("logical-beam").unwrap().list(&asked).unwrap();
    assert_eq!(sqls(&list), ["select years_old from singer", "select years_old from singer limit 1"]);
    assert!(list.record.notes[0].contains("cannot be read"), "{:?}", list.record.notes);
    drop(asked);
    // A template that the schema cannot fill is noted too.
    toy.template = Says::Texts(vec![("0 joins @ 1 selects @ select column from table where column", 1.0)]);
    let bare = ddl::read("CREATE TABLE `a\"b` (`c.d` int)", "odd").unwrap();
    let asked = Asked::new(&toy, "q", &bare, Limits::default()).unwrap();
    let list = Decoder::from_name("logical-beam").unwrap().list(&asked).unwrap();
    assert!(list.record.notes.iter().any(|note| note.contains("slot")), "{:?}", list.record.notes);
}

#[test]
fn wider_plans_keep_more_templates_of_the_preferred_plan() {
    let (mut toy, schema) = (known(), schema());
    toy.template = Says::Texts(vec![
        ("0 joins @ 1 selects @ select column from table", 6.0),
        ("0 joins @ 1 selects @ select column from table limit number", 3.0),
        ("1 joins @ 1 selects @ select column from table as t1 join table as t2 on column = column", 2.0),
    ]);
    let asked = asked(&toy, &schema, 120);
    let decoder = Decoder::LogicalBeam(LogicalBeam { plans: Plans { width: 3, released: false }, most: 9, ..LogicalBeam::default() });
    let list = decoder.list(&asked).unwrap();
    let templates: Vec<&str> = list
        .record
        .runs
        .iter()
        .filter_map(|run| if let Purpose::Fill { text, .. } = &run.purpose { Some(text.as_str()) } else { None })
        .collect();
    assert_eq!(templates[..2], ["select column from table", "select column from table limit number"]);
    assert!(templates.contains(&"select column from table as t1 join table as t2 on column = column"));
}

#[test]
fn questions_are_bounded_and_answers_keep_their_budget() {
    let (toy, schema) = (known(), schema());
    let error =
        |question: &str, schema: &Schema| Asked::new(&toy, question, schema, Limits::default()).err().map(|error| error.to_string());
    assert_eq!(error(" \n", &schema).unwrap(), "the question is empty");
    assert!(error(&"word ".repeat(10_000), &schema).unwrap().contains("at most"));
    assert_eq!(error("q", &Schema::default()).unwrap(), "the schema has no tables");
    let wide = (0..500).map(|i| format!("column_{i} int,")).collect::<Vec<_>>().concat();
    let wide = ddl::read(&format!("CREATE TABLE wide ({wide} last text)"), "wide").unwrap();
    let words = SchemaWords::new(&wide);
    let target = Rc::new(Target::new("select column from table where column > number", &words).unwrap());
    assert!(Machine::read(&target.start(), "select column_499 from wide where last > 12").unwrap().is_complete());
    let candidate = Candidate { sql: String::new(), cost: 0.0, log_prob: 0.0, origin: Origin::Given { rank: 0 } };
    assert!(merge::distinct([candidate], 5).is_empty(), "an empty text is no query");
}
