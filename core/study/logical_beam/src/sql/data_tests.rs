//! The published queries and verdicts, where `VITRINE_DATA` says they are.

use std::{collections::BTreeMap, path::PathBuf};

use serde_json::Value;

use super::{
    ambiguate::{Change, Kind, Synonyms, ambiguate},
    names::Names,
    parse::parse,
    plan::Plan,
    schema::Schema,
    tables_json,
    template::{SchemaWords, templatise},
    text::normalise,
};
use crate::{golden, golden_coverage};

fn read(path: &str) -> Option<String> {
    let Some(root) = std::env::var_os("VITRINE_DATA") else {
        eprintln!("skipped: VITRINE_DATA not set");
        return None;
    };
    Some(std::fs::read_to_string(PathBuf::from(root).join(path)).unwrap())
}

fn schemas() -> Option<BTreeMap<String, Schema>> {
    let texts = [read("spider/tables.json")?, read("ambiqt/tables.json")?];
    Some(texts.iter().flat_map(|text| tables_json::read(text).unwrap()).map(|schema| (schema.name.clone(), schema)).collect())
}

/// Database and query of each line.
fn queries(path: &str) -> Option<Vec<(String, String)>> {
    let field = |value: &Value, name: &str| value[name].as_str().unwrap().to_owned();
    let text = read(path)?;
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    Some(lines.map(|value| (field(&value, "db_id"), field(&value, "query"))).collect())
}

#[test]
fn all_published_verdicts_agree() {
    let (Some(exact), Some(tables), Some(lists)) =
        (read("ambiqt/golden_em.json"), read("ambiqt/tables.json"), read("ambiqt/golden_coverage.json"))
    else {
        return;
    };
    let mut found = golden::exact_match(&exact, &tables).unwrap();
    assert_eq!(found[0].cases, 150);
    found.extend(golden_coverage::coverage(&lists, &tables, |kind| read(&format!("ambiqt/{kind:?}.jsonl")), None).unwrap());
    assert_eq!(found.len(), 4 + 4 * 4);
    for agreement in found {
        assert!(agreement.passed(), "{agreement}");
    }
}

#[test]
fn the_generators_give_the_published_strings() {
    let (Some(columns), Some(tables), Some(schemas)) = (read("ambiqt/col_synonyms.json"), read("ambiqt/tbl_synonyms.json"), schemas())
    else {
        return;
    };
    let (columns, tables) = (serde_json::from_str(&columns).unwrap(), serde_json::from_str(&tables).unwrap());
    for (kind, count) in [(Kind::C, 160), (Kind::T, 160), (Kind::J, 138), (Kind::P, 53)] {
        let lines = golden_coverage::lines(kind, &read(&format!("ambiqt/{kind:?}.jsonl")).unwrap()).unwrap();
        assert_eq!(lines.len(), count);
        for line in lines {
            let synonyms = Synonyms::of(&line.database, &columns, &tables);
            let found = ambiguate(kind, &line.example.original, &schemas[&line.database], &synonyms);
            assert!(found.contains(&line.example), "{}: {:?} is not among {found:?}", line.id, line.example);
        }
    }
    // All J and P examples of these databases are in the data: no rule makes more of them.
    let dev = queries("spider/dev.jsonl").unwrap();
    let made = |kind| dev.iter().map(|(database, sql)| ambiguate(kind, sql, &schemas[database], &Synonyms::default()).len()).sum::<usize>();
    assert_eq!((made(Kind::J), made(Kind::P)), (138, 53));
    let change = ambiguate(Kind::P, "select avg(age) from singer", &schemas["concert_singer"], &Synonyms::default()).remove(0).change;
    assert!(matches!(change, Change::Aggregate { name, columns } if name == "singer_age" && columns.len() == 4));
}

#[test]
fn all_queries_round_trip_and_nearly_all_are_read() {
    let Some(schemas) = schemas() else { return };
    for (path, count) in [("spider/train.jsonl", 5_859), ("spider/dev.jsonl", 523)] {
        let queries = queries(path).unwrap();
        assert_eq!(queries.len(), count);
        let mut unread = 0;
        for (database, sql) in &queries {
            let schema = &schemas[database];
            let template = templatise(sql, &SchemaWords::new(schema));
            assert_eq!(template.filled().unwrap(), normalise(sql));
            assert!(!template.text.contains('\'') && !template.text.contains('"'), "{}", template.text);
            let plan = Plan::of(sql);
            assert_eq!(Plan::read(&plan.to_string()).unwrap().0, plan);
            assert!(plan.selects > 0);
            unread += usize::from(parse(sql, &Names::new(schema)).is_err());
        }
        assert!(unread * 100 < count, "{path}: {unread} unread");
    }
}
