//! Other names for the columns and tables of any schema, from the words that made schemas know.
//!
//! **Method.** A name whose last word is that of a thing or of a property is given the two other names of it, with the words before it kept: `singer_age` becomes
//! `singer_years_old` and `singer_age_in_years`. Names without such a word get none. Published lists, where there are any, know far more.

use std::collections::BTreeMap;

use super::{
    super::{
        model::items::{name_words, stem},
        sql::{ambiguate::Synonyms, schema::Schema},
    },
    things::THINGS,
};

/// Two other names a name, by the words of ours.
fn known() -> BTreeMap<String, [&'static str; 2]> {
    let things = THINGS.iter().map(|thing| (stem(thing.name), thing.synonyms));
    let properties = THINGS.iter().flat_map(|thing| thing.properties).map(|property| (stem(property.name), property.synonyms));
    // Of what several things have, the first counts.
    let mut known = BTreeMap::new();
    for (name, synonyms) in properties.chain(things) {
        known.entry(name).or_insert(synonyms);
    }
    known
}

/// The other names of a schema.
pub fn other_names(schema: &Schema) -> Synonyms {
    let known = known();
    let taken = |name: &str| {
        schema.tables.iter().chain(schema.columns.iter().map(|column| &column.name)).any(|other| other.eq_ignore_ascii_case(name))
    };
    let two = |name: &str| -> Option<Vec<String>> {
        let words = name_words(name);
        let (last, before) = words.split_last()?;
        let found = known.get(&stem(last))?.map(|other| before.iter().map(String::as_str).chain([other]).collect::<Vec<_>>().join("_"));
        (!found.iter().any(|name| taken(name))).then(|| found.to_vec())
    };
    let tables = schema.tables.iter().filter_map(|name| Some((name.clone(), two(name)?))).collect();
    let of_table = |(number, name): (usize, &String)| {
        (name.clone(), schema.columns_of(number).filter_map(|(_, column)| Some((column.name.clone(), two(&column.name)?))).collect())
    };
    let columns = schema.tables.iter().enumerate().map(of_table).collect();
    let name = || schema.name.clone();
    Synonyms::of(&schema.name, &BTreeMap::from([(name(), columns)]), &BTreeMap::from([(name(), tables)]))
}

#[cfg(test)]
mod tests {
    use super::super::super::sql::ddl;
    use super::*;

    #[test]
    fn names_end_in_another_word_and_never_in_one_that_is_there() {
        let ddl = "CREATE TABLE Teachers (id int, teacherAge int, SALARY int, price int, cost int, zzz int)";
        let names = other_names(&ddl::read(ddl, "d").unwrap());
        let column = |name: &str| names.column("teachers", name).cloned();
        assert_eq!(column("teacherage"), Some(["teacher_years_old", "teacher_age_in_years"].map(str::to_owned)));
        assert_eq!(column("salary"), Some(["pay", "wage"].map(str::to_owned)));
        assert_eq!((column("price"), column("zzz")), (None, None));
        assert_eq!(names.tables().collect::<Vec<_>>(), [("teachers", &["instructor", "educator"].map(str::to_owned))]);
    }
}
