//! The queries of a template as a machine over characters.
//!
//! **Idea.** A query belongs to a template when it says the template's words and has schema names, quoted texts and numbers in the slots. Whether a text can still become
//! such a query is a question of its characters alone, so the answer is the same whatever tokens spell it.
//!
//! **Method.** The machine holds the set of places in the template at which the text so far may stand. A slot for a table or column reads one of the names that make that slot
//! when the query is templatised ([`Place::takes`]): a name, `*`, or a column behind an alias of the template; names that are no plain words stand in backticks. A slot for text
//! reads quotes and what is between them, one for a number digits.

use std::{collections::BTreeSet, rc::Rc};

use crate::sql::{
    said::is_reserved,
    template::{Part, Place, SchemaWords, Slot, parts},
    text::split,
};
use vitrine_core::decode::Machine;

/// A template with what its slots take.
#[derive(Debug)]
pub struct Target {
    template: String,
    steps: Vec<Step>,
    /// Lists of names, sorted; slots that take the same share one.
    names: Vec<Vec<String>>,
    /// Whether the template joins tables.
    pub joins: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Say(char),
    /// One of a list of names.
    Name(Slot, usize),
    Text,
    Number,
}

/// A slot that nothing in the schema fits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("slot {place} of the template takes a {}, and the schema has none that fits there", slot.word())]
pub struct NoName {
    /// Counted from 1.
    pub place: usize,
    pub slot: Slot,
}

impl Target {
    /// # Errors
    /// [`NoName`] for a slot that nothing fits.
    pub fn new(template: &str, words: &SchemaWords) -> Result<Self, NoName> {
        let aliases = aliases(template);
        let mut target = Self { template: template.to_owned(), steps: vec![], names: vec![], joins: template.contains(" join ") };
        let mut place = 0;
        for part in parts(template) {
            let found = match part {
                Part::Text(text) => {
                    target.steps.extend(text.chars().map(Step::Say));
                    continue;
                }
                Part::Place(found) => found,
            };
            place += 1;
            let step = match found.slot {
                Slot::String => Step::Text,
                Slot::Number => Step::Number,
                slot => {
                    let names = names(found, words, &aliases);
                    if names.is_empty() {
                        return Err(NoName { place, slot });
                    }
                    let known = target.names.iter().position(|list| *list == names);
                    Step::Name(
                        slot,
                        known.unwrap_or_else(|| {
                            target.names.push(names);
                            target.names.len() - 1
                        }),
                    )
                }
            };
            target.steps.push(step);
        }
        Ok(target)
    }

    pub fn template(&self) -> &str {
        &self.template
    }

    /// The machine before any text.
    pub fn start(self: &Rc<Self>) -> State {
        State { target: Rc::clone(self), items: vec![Item { step: 0, at: At::Start }], begun: false }
    }
}

/// The words behind `as`.
fn aliases(template: &str) -> Vec<String> {
    let tokens = split(template);
    let mut aliases: Vec<String> = tokens.windows(2).filter(|pair| pair[0] == "as").map(|pair| pair[1].clone()).collect();
    aliases.sort();
    aliases.dedup();
    aliases
}

/// What a place for a table or column takes, sorted.
fn names(place: Place<'_>, words: &SchemaWords, aliases: &[String]) -> Vec<String> {
    let mut names: Vec<String> = vec![];
    let mut take = |name: String| {
        if place.takes(&name, words) {
            names.push(name);
        }
    };
    if place.slot == Slot::Table {
        for table in words.tables() {
            if !is_reserved(table) {
                take(table.to_owned());
            }
            take(format!("`{table}`"));
        }
    } else {
        take("*".into());
        for column in words.columns() {
            let mut both = |alias: &str| {
                take(format!("{alias}`{column}`"));
                if !is_reserved(column) {
                    take(format!("{alias}{column}"));
                }
            };
            both("");
            for alias in aliases {
                both(&format!("{alias}."));
            }
        }
    }
    // Backticks are for names that cannot do without.
    let plain: BTreeSet<String> = names.iter().filter(|name| !name.ends_with('`')).cloned().collect();
    names.retain(|name| !name.ends_with('`') || !plain.contains(&name.replace('`', "")));
    names.sort();
    names.dedup();
    names
}

/// A place in the template at which a text may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Item {
    step: usize,
    at: At,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum At {
    /// Before the step.
    Start,
    /// In a name: those of the list's places `from..to` begin with the `bytes` bytes that were read.
    Name {
        from: usize,
        to: usize,
        bytes: usize,
    },
    /// In a text that this quote closes.
    Text(char),
    Number,
}

/// A text that can still become a query of the template.
#[derive(Debug, Clone)]
pub struct State {
    target: Rc<Target>,
    /// Sorted, each once; never empty.
    items: Vec<Item>,
    begun: bool,
}

/// A slot of the schema in which a text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Region {
    Table,
    Column,
    /// A column, behind its alias and the period.
    AfterAlias,
}

impl Machine for State {
    fn step(&self, c: char) -> Option<Self> {
        let mut items = vec![];
        for item in &self.items {
            self.follow(*item, c, &mut items);
        }
        // Spaces before a query are not part of it.
        if !self.begun && c == ' ' && items.is_empty() {
            return Some(self.clone());
        }
        items.sort_unstable();
        items.dedup();
        (!items.is_empty()).then(|| Self { target: Rc::clone(&self.target), items, begun: true })
    }
}

impl State {
    /// The places behind `c`.
    fn follow(&self, item: Item, c: char, out: &mut Vec<Item>) {
        let Some(step) = self.target.steps.get(item.step) else { return };
        let here = |at: At| Item { step: item.step, at };
        let next = Item { step: item.step + 1, at: At::Start };
        match (*step, item.at) {
            (Step::Say(said), _) if said == c => out.push(next),
            (Step::Name(_, list), at) => {
                let names = &self.target.names[list];
                let (from, to, bytes) = if let At::Name { from, to, bytes } = at { (from, to, bytes) } else { (0, names.len(), 0) };
                let among = names.get(from..to).unwrap_or_default();
                let before = |name: &String| name[bytes..].chars().next().is_none_or(|first| first < c);
                let not_after = |name: &String| name[bytes..].chars().next().is_none_or(|first| first <= c);
                let (first, last) = (from + among.partition_point(before), from + among.partition_point(not_after));
                if first < last {
                    out.push(here(At::Name { from: first, to: last, bytes: bytes + c.len_utf8() }));
                }
                if self.whole(item) {
                    self.follow(next, c, out);
                }
            }
            (Step::Text, At::Start) if matches!(c, '\'' | '"') => out.push(here(At::Text(c))),
            (Step::Text, At::Text(quote)) if c == quote => out.push(next),
            (Step::Text, At::Text(_)) if !c.is_control() => out.push(item),
            (Step::Number, at) => {
                if c.is_ascii_digit() {
                    out.push(here(At::Number));
                } else if at == At::Number {
                    self.follow(next, c, out);
                }
            }
            _ => {}
        }
    }

    /// Whether what stands in this place's slot may end here.
    fn whole(&self, item: Item) -> bool {
        match (self.target.steps.get(item.step), item.at) {
            (Some(Step::Name(_, list)), At::Name { from, bytes, .. }) => {
                self.target.names[*list].get(from).is_some_and(|name| name.len() == bytes)
            }
            (Some(Step::Number), at) => at == At::Number,
            _ => false,
        }
    }

    /// Whether the text is a query of the template.
    pub fn is_complete(&self) -> bool {
        let end = self.target.steps.len();
        self.items.iter().any(|item| item.step == end || (item.step + 1 == end && self.whole(*item)))
    }

    /// The slot for a name in which the text stands: before its first character, or anywhere in it.
    pub fn region(&self) -> Option<Region> {
        self.items.iter().find_map(|item| self.region_of(*item))
    }

    fn region_of(&self, item: Item) -> Option<Region> {
        let Some(Step::Name(slot, list)) = self.target.steps.get(item.step) else { return None };
        let At::Name { from, bytes, .. } = item.at else {
            return Some(if *slot == Slot::Table { Region::Table } else { Region::Column });
        };
        let read = self.target.names[*list].get(from).and_then(|name| name.get(..bytes)).unwrap_or_default();
        Some(match slot {
            Slot::Table => Region::Table,
            _ if read.contains('.') => Region::AfterAlias,
            _ => Region::Column,
        })
    }

    /// The slots for names that were entered on the way from `earlier` to here: those at least one character of which was read.
    pub fn entered_since(&self, earlier: &Self) -> impl Iterator<Item = Slot> {
        let first = earlier.items.iter().map(|item| item.step).min().unwrap_or(0);
        let last = self.items.iter().map(|item| item.step + usize::from(item.at != At::Start)).max().unwrap_or(0);
        let steps = self.target.steps.get(first..last.max(first)).unwrap_or_default();
        steps.iter().filter_map(|step| if let Step::Name(slot, _) = step { Some(*slot) } else { None })
    }

    /// What the next slot for a name takes, each behind the characters that stand before the slot (at most `reach`), and the slot; nothing where it is farther. Behind an alias
    /// and its period only the columns are left.
    pub fn upcoming(&self, reach: usize) -> Vec<(Region, String)> {
        let mut found = vec![];
        for item in &self.items {
            let mut said = String::new();
            for (i, step) in self.target.steps.iter().enumerate().skip(item.step) {
                match step {
                    Step::Say(c) if said.chars().count() < reach && (i > item.step || item.at == At::Start) => said.push(*c),
                    Step::Name(slot, list) => {
                        let names = &self.target.names[*list];
                        let region = if *slot == Slot::Table { Region::Table } else { Region::Column };
                        match item.at {
                            At::Name { from, to, bytes } if i == item.step => {
                                if self.region_of(*item) == Some(Region::AfterAlias) && names[from][..bytes].ends_with('.') {
                                    found.extend(names[from..to].iter().map(|name| (Region::AfterAlias, name[bytes..].to_owned())));
                                }
                            }
                            _ => found.extend(names.iter().map(|name| (region, format!("{said}{name}")))),
                        }
                        break;
                    }
                    _ => break,
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{ddl, template::templatise};

    fn words() -> SchemaWords {
        let text = "CREATE TABLE singer (id int, name text, song_name text, \"home town\" text, \"order\" int); CREATE TABLE concert (id int, year int)";
        SchemaWords::new(&ddl::read(text, "d").unwrap())
    }

    fn state(template: &str, text: &str) -> Option<State> {
        Rc::new(Target::new(template, &words()).unwrap()).start().read(text)
    }

    #[test]
    fn what_is_read_is_of_the_template_and_what_is_of_the_template_is_read() {
        let words = words();
        for sql in [
            "select name, count(*) from singer where song_name = 'It, is (so)' group by name limit 3",
            "select t1.name from singer as t1 join concert as t2 on t1.id = t2.id where t2.year > 2000",
            "select `home town` from singer where name not in (select name from singer where id = 12)",
            "select max(year), id from concert order by `order`, id desc",
            "select t1.`home town`, t2.year from singer as t1 join concert as t2 on t1.id = t2.id where t1.`order` > 2000",
        ] {
            let template = templatise(sql, &words).text;
            let end = state(&template, sql).unwrap_or_else(|| panic!("{sql} of {template}"));
            assert!(end.is_complete());
            // Whatever the machine reads, character by character at random, templatises to the template.
            for seed in 0..200 {
                let mut random = vitrine_core::train::rng::Stream::new(seed, sql, 0);
                let (mut text, mut at) = (String::new(), state(&template, "").unwrap());
                while !(at.is_complete() && random.uniform() < 0.7) {
                    let choices: Vec<(char, State)> = "abcdefghijklmnopqrstuvwxyz_0123456789 ,.*()=<>'\"`"
                        .chars()
                        .filter(|c| text.len() < 400 || !c.is_ascii_digit())
                        .filter_map(|c| at.step(c).filter(|_| !(text.is_empty() && c == ' ')).map(|next| (c, next)))
                        .collect();
                    if choices.is_empty() {
                        break;
                    }
                    let (c, next) = choices[random.below(choices.len())].clone();
                    text.push(c);
                    at = next;
                }
                assert!(at.is_complete(), "{text} of {template}");
                assert_eq!(templatise(&text, &words).text, template, "{text}");
            }
        }
    }

    #[test]
    fn slots_are_known_where_they_begin_inside_and_behind_an_alias() {
        let template = "select column from table as t1 join table as t2 on column = column";
        let region = |text: &str| state(template, text).unwrap().region();
        assert_eq!((region("select"), region("select "), region("select na")), (None, Some(Region::Column), Some(Region::Column)));
        assert_eq!((region("select t1"), region("select t1.")), (Some(Region::Column), Some(Region::AfterAlias)));
        assert_eq!((region("select name from "), region("select name from singer as")), (Some(Region::Table), None));
        assert!(state(template, "select name from year").is_none() && state(template, "select order").is_none());
        let (from, to) = (state(template, "select").unwrap(), state(template, "select name fr").unwrap());
        assert_eq!(to.entered_since(&from).collect::<Vec<_>>(), [Slot::Column]);
        assert_eq!(state(template, "select ").unwrap().entered_since(&from).count(), 0, "standing before a slot is not being in it");
        assert!(state(template, "select").unwrap().upcoming(1).contains(&(Region::Column, " name".into())));
        assert_eq!(state(template, "selec").unwrap().upcoming(1).len(), 0, "too far");
        assert!(state(template, "select t1.").unwrap().upcoming(1).contains(&(Region::AfterAlias, "year".into())));
        let none = Target::new("select column from table", &SchemaWords::default()).unwrap_err();
        assert_eq!((none.place, none.slot), (2, Slot::Table), "`*` is a column of every schema");
    }
}
