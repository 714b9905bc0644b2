//! Forms of questions, each with the form of its query.

use super::{
    Made,
    things::{Property, Thing},
};
use vitrine_core::train::rng::Stream;

/// A question and its query.
pub type Form = fn(&Made, &mut Stream) -> (String, String);

pub const FORMS: [Form; 14] = [one, two, three, count, above, equal, highest, aggregate, aggregates, groups, ordered, join, without, many];

fn thing<'m>(made: &'m Made, stream: &mut Stream) -> (&'static Thing, &'m [&'static Property]) {
    let i = stream.below(3);
    (made.things[i], &made.columns[i])
}

fn said(property: &Property) -> String {
    property.name.replace('_', " ")
}

/// Different properties in random order, those that pass a test.
fn some(properties: &[&'static Property], test: fn(&Property) -> bool, stream: &mut Stream) -> Vec<&'static Property> {
    let mut some: Vec<&'static Property> = properties.iter().copied().filter(|property| test(property)).collect();
    stream.shuffle(&mut some);
    some
}

fn any(_: &Property) -> bool {
    true
}

fn is_number(property: &Property) -> bool {
    property.is_number
}

fn is_text(property: &Property) -> bool {
    !property.is_number
}

fn pick<'a>(stream: &mut Stream, options: &[&'a str]) -> &'a str {
    stream.pick(options).copied().unwrap_or_default()
}

fn one(made: &Made, stream: &mut Stream) -> (String, String) {
    let (thing, properties) = thing(made, stream);
    let [a, ..] = some(properties, any, stream)[..] else { return count(made, stream) };
    let begin = pick(stream, &["Show the", "What is the", "List the", "Give me the"]);
    let end = pick(stream, &["of all", "of every one of the", "of the"]);
    (format!("{begin} {} {end} {}.", said(a), thing.plural), format!("select {} from {}", a.name, thing.name))
}

fn two(made: &Made, stream: &mut Stream) -> (String, String) {
    let (thing, properties) = thing(made, stream);
    let [a, b, ..] = some(properties, any, stream)[..] else { return count(made, stream) };
    let begin = pick(stream, &["Show the", "What are the", "List the", "Return the"]);
    (format!("{begin} {} and {} of each {}.", said(a), said(b), thing.name), format!("select {}, {} from {}", a.name, b.name, thing.name))
}

fn three(made: &Made, stream: &mut Stream) -> (String, String) {
    let (thing, properties) = thing(made, stream);
    let [a, b, c, ..] = some(properties, any, stream)[..] else { return count(made, stream) };
    let question = format!("List the {}, {} and {} of all {}.", said(a), said(b), said(c), thing.plural);
    (question, format!("select {}, {}, {} from {}", a.name, b.name, c.name, thing.name))
}

fn count(made: &Made, stream: &mut Stream) -> (String, String) {
    let (thing, _) = thing(made, stream);
    let question = match stream.below(3) {
        0 => format!("How many {} are there?", thing.plural),
        1 => format!("Count the number of {}.", thing.plural),
        _ => format!("What is the total number of {}?", thing.plural),
    };
    (question, format!("select count(*) from {}", thing.name))
}

fn above(made: &Made, stream: &mut Stream) -> (String, String) {
    let (thing, properties) = thing(made, stream);
    let (a, n) = (some(properties, is_text, stream), some(properties, is_number, stream));
    let ([a, ..], [n, ..]) = (&a[..], &n[..]) else { return one(made, stream) };
    let value = 10 + stream.below(90);
    let (said_sign, sign) = if stream.below(2) == 0 { ("greater than", ">") } else { ("less than", "<") };
    let question = format!("What is the {} of {} whose {} is {said_sign} {value}?", said(a), thing.plural, said(n));
    (question, format!("select {} from {} where {} {sign} {value}", a.name, thing.name, n.name))
}

fn equal(made: &Made, stream: &mut Stream) -> (String, String) {
    let (thing, properties) = thing(made, stream);
    let [w, ..] = some(properties, is_text, stream)[..] else { return one(made, stream) };
    let wanted: Vec<&Property> = some(properties, any, stream).into_iter().filter(|property| property.name != w.name).collect();
    let [a, b, ..] = wanted[..] else { return one(made, stream) };
    let value = pick(stream, w.values);
    if stream.below(2) == 0 {
        let question = format!("Show the {} of {} with {} {value}.", said(a), thing.plural, said(w));
        return (question, format!("select {} from {} where {} = '{value}'", a.name, thing.name, w.name));
    }
    let question = format!("What are the {} and {} of {} whose {} is {value}?", said(a), said(b), thing.plural, said(w));
    (question, format!("select {}, {} from {} where {} = '{value}'", a.name, b.name, thing.name, w.name))
}

fn highest(made: &Made, stream: &mut Stream) -> (String, String) {
    let (thing, properties) = thing(made, stream);
    let (a, n) = (some(properties, is_text, stream), some(properties, is_number, stream));
    let ([a, ..], [n, ..]) = (&a[..], &n[..]) else { return one(made, stream) };
    let (said_order, order) = if stream.below(2) == 0 { ("highest", "desc") } else { ("lowest", "asc") };
    let question = format!("What is the {} of the {} with the {said_order} {}?", said(a), thing.name, said(n));
    (question, format!("select {} from {} order by {} {order} limit 1", a.name, thing.name, n.name))
}

const AGGREGATES: [(&str, &str); 4] = [("average", "avg"), ("maximum", "max"), ("minimum", "min"), ("total", "sum")];

fn aggregate(made: &Made, stream: &mut Stream) -> (String, String) {
    let (thing, properties) = thing(made, stream);
    let n = some(properties, is_number, stream);
    let ([n, ..], Some((word, function))) = (&n[..], stream.pick(&AGGREGATES)) else { return one(made, stream) };
    let w = some(properties, is_text, stream);
    match w.first().filter(|_| stream.below(2) == 0) {
        Some(w) => {
            let value = pick(stream, w.values);
            let question = format!("Find the {word} {} of {} whose {} is {value}.", said(n), thing.plural, said(w));
            (question, format!("select {function}({}) from {} where {} = '{value}'", n.name, thing.name, w.name))
        }
        None => (
            format!("What is the {word} {} of all {}?", said(n), thing.plural),
            format!("select {function}({}) from {}", n.name, thing.name),
        ),
    }
}

fn aggregates(made: &Made, stream: &mut Stream) -> (String, String) {
    let (thing, properties) = thing(made, stream);
    let [n, ..] = some(properties, is_number, stream)[..] else { return one(made, stream) };
    let question = format!("Give the maximum and minimum {} of the {}.", said(n), thing.plural);
    (question, format!("select max({}), min({}) from {}", n.name, n.name, thing.name))
}

fn groups(made: &Made, stream: &mut Stream) -> (String, String) {
    let (thing, properties) = thing(made, stream);
    let [g, ..] = some(properties, is_text, stream)[..] else { return one(made, stream) };
    let n = some(properties, is_number, stream);
    if let Some(n) = n.first().filter(|_| stream.below(2) == 0) {
        let question = format!("What is the average {} of {} for each {}?", said(n), thing.plural, said(g));
        return (question, format!("select {}, avg({}) from {} group by {}", g.name, n.name, thing.name, g.name));
    }
    let question = format!("How many {} are there for each {}?", thing.plural, said(g));
    (question, format!("select {}, count(*) from {} group by {}", g.name, thing.name, g.name))
}

fn ordered(made: &Made, stream: &mut Stream) -> (String, String) {
    let (thing, properties) = thing(made, stream);
    let (a, n) = (some(properties, is_text, stream), some(properties, is_number, stream));
    let ([a, b, ..], [n, ..]) = (&a[..], &n[..]) else { return two(made, stream) };
    let question = format!("List the {} and {} of all {} ordered by {}.", said(a), said(b), thing.plural, said(n));
    (question, format!("select {}, {} from {} order by {}", a.name, b.name, thing.name, n.name))
}

/// Two things that a key ties together, the one that is pointed at first.
fn tied<'m>(made: &'m Made, stream: &mut Stream) -> [(&'static Thing, &'m [&'static Property]); 2] {
    let i = stream.below(2);
    [(made.things[i], &made.columns[i]), (made.things[i + 1], &made.columns[i + 1])]
}

fn join(made: &Made, stream: &mut Stream) -> (String, String) {
    let [(first, of_first), (second, of_second)] = tied(made, stream);
    let (a, b) = (some(of_first, any, stream), some(of_second, any, stream));
    let ([a, ..], [b, ..]) = (&a[..], &b[..]) else { return one(made, stream) };
    let tables = format!("from {} as t1 join {} as t2 on t1.{}_id = t2.{}_id", first.name, second.name, first.name, first.name);
    if stream.below(2) == 0 {
        let question = format!("Show the {} of each {} and the {} of its {}.", said(a), first.name, said(b), second.plural);
        return (question, format!("select t1.{}, t2.{} {tables}", a.name, b.name));
    }
    let value = 10 + stream.below(90);
    let Some(n) = some(of_second, is_number, stream).first().copied() else { return one(made, stream) };
    let question = format!("What is the {} of {} that have {} with {} above {value}?", said(a), first.plural, second.plural, said(n));
    (question, format!("select t1.{} {tables} where t2.{} > {value}", a.name, n.name))
}

fn without(made: &Made, stream: &mut Stream) -> (String, String) {
    let [(first, of_first), (second, _)] = tied(made, stream);
    let [a, ..] = some(of_first, any, stream)[..] else { return one(made, stream) };
    let question = format!("Show the {} of the {} that do not have any {}.", said(a), first.plural, second.plural);
    let key = format!("{}_id", first.name);
    (question, format!("select {} from {} where {key} not in (select {key} from {})", a.name, first.name, second.name))
}

fn many(made: &Made, stream: &mut Stream) -> (String, String) {
    let [(first, of_first), (second, _)] = tied(made, stream);
    let [a, ..] = some(of_first, any, stream)[..] else { return one(made, stream) };
    let key = format!("{}_id", first.name);
    let value = 1 + stream.below(4);
    let question = format!("Which {} have more than {value} {}? Give their {}.", first.plural, second.plural, said(a));
    let tables = format!("from {} as t1 join {} as t2 on t1.{key} = t2.{key}", first.name, second.name);
    (question, format!("select t1.{} {tables} group by t1.{key} having count(*) > {value}", a.name))
}
