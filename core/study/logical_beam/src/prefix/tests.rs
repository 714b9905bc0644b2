use super::{state::State, trial::trial, *};
use crate::sql::{ddl, names::Names, parse::parse as read, tables_json, text::normalise};

fn schema() -> Schema {
    let text = "CREATE TABLE singer (id int, name text, song_name text, age int, \"order\" int, \"home town\" text);
        CREATE TABLE concert (id int, singer_id int, year int, name text); CREATE TABLE `t9` (x int)";
    ddl::read(text, "music").unwrap()
}

fn rules(mode: Mode) -> Rules {
    Rules::new(mode, &schema()).unwrap()
}

#[test]
fn queries_go_on_at_each_character_and_end_where_they_are_whole() {
    for mode in [Mode::Lexing, Mode::Parsing, Mode::Guarded] {
        let rules = rules(mode);
        for sql in [
            "select name from singer",
            "select count(*), max(age) from singer where name = 'It is, so' and age > -3",
            "select t1.name, t2.year from singer as t1 join concert as t2 on t1.id = t2.singer_id where t2.year between 1 and 2.5 order by t2.year desc limit 3",
            "select name from singer where id not in (select singer_id from concert where year = 3) group by name having count(*) >= 2",
            "select age - id from singer union select year from concert",
            "select singer.name from singer join concert on singer.id = concert.singer_id",
            "select count(*) from (select distinct name from singer);",
            "SELECT Name FROM Singer WHERE Age != \"x\"",
            "select * from singer intersect select * from concert",
        ] {
            for (end, _) in sql.char_indices() {
                assert!(rules.can_go_on(&sql[..end]), "{mode:?} {}", &sql[..end]);
            }
            assert!(rules.can_go_on(sql) && rules.is_query(sql), "{mode:?} {sql}");
        }
    }
}

#[test]
fn what_leads_nowhere_is_stopped_where_it_does() {
    // Up to the bar each text is the beginning of a query, with the character behind it no more.
    let none: [(Mode, &[&str]); 3] = [
        (Mode::Lexing, &["select | ", "select |)", "select 'a'|b", "select a =|1", "select a.b|.", "select |#", "select 1.|x"]),
        (
            Mode::Parsing,
            &["s|x", "select a from b |c", "select a from b where c = 1 o|n", "select count(*|,", "select from| ", "select a, | "],
        ),
        (
            Mode::Guarded,
            &[
                "select nam|x",
                "select name from c|x",
                "select x from t|2",
                "select t1.name from singer as t|x",
                "select age from concert |w",
                "select t2.year from concert as t1 |w",
                "select name from singer where |y",
                "select name from singer where |o",
                "select t1.age, t1.|y",
                "select name from singer where age in (select id, ",
                "select name from singer union select id, ",
                "select name from singer where id = singer|_",
            ],
        ),
    ];
    for (mode, texts) in none {
        let rules = rules(mode);
        for text in texts {
            let Some((before, after)) = text.split_once('|') else {
                assert!(!rules.can_go_on(text), "{mode:?} {text}");
                continue;
            };
            let (dead, c) = (format!("{before}{after}"), after.chars().count());
            assert!(
                c == 1 && rules.can_go_on(before) != rules.can_go_on(&dead),
                "{mode:?} {text}: {} {}",
                rules.can_go_on(before),
                rules.can_go_on(&dead)
            );
        }
    }
    for open in
        ["", "select", "select name", "select name from", "select name from singer where", "select name from singer where name = 'a"]
    {
        assert!(!rules(Mode::Guarded).is_query(open), "{open}");
    }
    assert_eq!(Rules::new(Mode::Guarded, &ddl::read("CREATE TABLE \"a b\" (\"c d\" int)", "d").unwrap()).unwrap_err(), NoNames);
}

/// A text that goes on by pieces has the same answers as the text read anew.
#[test]
fn pieces_are_judged_as_the_whole_text_is() {
    let words = "select distinct from where group by having order limit join on as and or not in like between union except asc count( max( t1 t2 t1. \
                 t20.name name singer age concert ( ) , * = > < >= != ! - / ; ' \" 3 12 .5 'a b' x y.z (select in(sel a,b é t";
    let mut pieces: Vec<String> = words.split(' ').flat_map(|word| [word.to_owned(), format!(" {word}"), format!("{word} ")]).collect();
    pieces.extend("abcdefghijklmnopqrstuvwxyz019_ ,.()*=<>!'\"-@é".chars().map(String::from));
    for (number, mode) in [Mode::Lexing, Mode::Parsing, Mode::Guarded].into_iter().enumerate() {
        let rules = rules(mode);
        let (mut steps, mut queries, mut longest) = (0, 0, 0);
        for round in 0..24 {
            let mut stream = vitrine_core::train::rng::Stream::new(number as u64, "pieces", round);
            let (mut state, mut text) = (State::default(), String::new());
            for _ in 0..60 {
                let compared = |piece: &&String| {
                    let found = state.can_go_on(&rules, piece);
                    assert_eq!(found, rules.can_go_on(&format!("{text}{piece}")), "{mode:?} {text:?} {piece:?}");
                    found
                };
                let viable: Vec<&String> = pieces.iter().filter(compared).collect();
                // On with what leads on, mostly in long pieces; one text in six also with what does not, once.
                let strays = round % 6 == 0 && stream.below(40) == 0;
                let longer = [stream.pick(&viable), stream.pick(&viable)].into_iter().flatten().max_by_key(|piece| piece.len()).copied();
                let Some(piece) = (if strays { stream.pick(&pieces) } else { longer }) else { break };
                state.push(piece);
                text.push_str(piece);
                let is_query = rules.is_query(&text);
                assert_eq!(state.is_query(&rules), is_query, "{mode:?} {text:?}");
                (steps, queries, longest) = (steps + 1, queries + usize::from(is_query), longest.max(text.len()));
            }
        }
        assert!(steps > 400 && queries > 3 && longest > 120, "{mode:?}: {steps} steps, {queries} queries, {longest} bytes");
    }
}

#[test]
fn an_alias_that_waits_is_not_used_up() {
    // t2 is a concert outside; inside it waits for a table with an age, which no concert has.
    let guarded = rules(Mode::Guarded);
    let outside = "select id from concert as t2 where id in (select t2.age from concert join concert on ";
    assert!(guarded.can_go_on(&format!("{outside}id")) && !guarded.can_go_on(&format!("{outside}t2.y")));
    assert!(guarded.can_go_on(&format!("{outside}t2.n")), "a singer has both");
}

#[test]
fn long_texts_only_come_to_their_end() {
    for (mode, begins) in [(Mode::Guarded, "select age, age from singer"), (Mode::Parsing, "select a, b from c")] {
        let rules = rules(mode);
        let condition = "name = 'a long text that takes its room in the query, sixty long'";
        let level = format!(" where {} and id in (select id from singer", [condition; 7].join(" and "));
        let mut text = format!("{begins}{}", level.repeat(3));
        let short = text.clone();
        text.push_str(&format!(" where {condition}"));
        while text.len() <= parse::ROOMY {
            assert!(rules.can_go_on(&format!("{text} and")), "{mode:?} {}", text.len());
            text.push_str(&format!(" and {condition}"));
        }
        for (text, roomy) in [(&short, true), (&text, false)] {
            assert!(rules.can_go_on(&format!("{text})")) && rules.is_query(&format!("{text})))")), "{mode:?}: what is open can be closed");
            for more in [" g", " o", " l"] {
                assert_eq!(rules.can_go_on(&format!("{text}{more}")), roomy, "{mode:?} {} {more}", text.len());
            }
            assert_eq!(rules.can_go_on(&format!("{text}))) u")), roomy, "{mode:?} {}", text.len());
        }
        assert!(text.len() < lex::LONGEST / 2);
    }
}

#[test]
fn random_texts_under_the_rules_are_all_read() {
    for (mode, decodes) in [(Mode::Guarded, 100), (Mode::Parsing, 30)] {
        let found = trial(mode, &schema(), decodes, 1).unwrap();
        assert_eq!((found.ended, found.read), (decodes, decodes), "{mode:?}: {:#?}", found.failures);
        let mut queries = found.queries.clone();
        queries.sort();
        queries.dedup();
        assert!(queries.len() > decodes * 3 / 4, "they differ");
    }
    let again = trial(Mode::Guarded, &schema(), 20, 1).unwrap();
    assert_eq!(again, trial(Mode::Guarded, &schema(), 20, 1).unwrap());
}

#[test]
fn only_the_likeliest_are_looked_at() {
    use vitrine_core::decode::{Beam, FnScorer, Greedy, Settings, explore};
    // The likeliest token leads nowhere, the second is fine.
    let pieces = ["", "x", "select", "s"].map(str::to_owned);
    let lexicon = Rc::new(Lexicon::new(&pieces));
    let rules = Rc::new(rules(Mode::Guarded));
    let run = |looks| {
        let constraint = SqlConstraint::new(Rc::clone(&rules), &lexicon, looks);
        let mut scorer = FnScorer::new(4, |_: &[u32]| [0.1_f64, 0.5, 0.3, 0.1].map(f64::ln).to_vec());
        let settings = Settings { max_tokens: 1, eos: vec![0], ..Settings::default() };
        let found = explore(&Greedy, &mut scorer, &[0], &settings, &constraint, &mut |_, _| {}).unwrap();
        let wide = explore(&Beam::new(4), &mut scorer, &[0], &settings, &constraint, &mut |_, _| {}).unwrap();
        (found.hypotheses.first().map(|h| h.tokens.clone()), wide.hypotheses.len())
    };
    assert_eq!(run(1), (None, 0));
    assert_eq!(run(2), (Some(vec![2]), 1));
    assert_eq!(run(usize::MAX), (Some(vec![2]), 2));
}

/// Of Spider's own queries that the evaluator reads, how many the rules let through, character by character.
#[test]
fn spiders_queries_are_let_through() {
    let Some(root) = std::env::var_os("VITRINE_DATA") else {
        eprintln!("skipped: VITRINE_DATA not set");
        return;
    };
    let text = |path: &str| std::fs::read_to_string(std::path::PathBuf::from(&root).join(path)).unwrap();
    let schemas = tables_json::read(&text("spider/tables.json")).unwrap();
    let (mut all, mut passed, mut stopped) = (0, 0, vec![]);
    for line in text("spider/train.jsonl").lines().step_by(7) {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        let Some(schema) = schemas.iter().find(|schema| value["db_id"] == schema.name.as_str()) else { continue };
        let sql = normalise(value["query"].as_str().unwrap());
        if read(&sql, &Names::new(schema)).is_err() {
            continue;
        }
        all += 1;
        let Ok(rules) = Rules::new(Mode::Guarded, schema) else { continue };
        let ends = sql.char_indices().map(|(at, c)| at + c.len_utf8());
        match ends.map(|end| &sql[..end]).find(|text| !rules.can_go_on(text)) {
            None if rules.is_query(&sql) => passed += 1,
            None => stopped.push(format!("no query: {sql}")),
            Some(text) => stopped.push(text.to_owned()),
        }
    }
    eprintln!("{passed} of {all} queries pass");
    for text in stopped.iter().take(15) {
        eprintln!("  {text}");
    }
    assert!(passed * 100 >= all * 90, "{passed} of {all}");
}
