//! Text and labelled rows made by rule, for a first run without any data.
//!
//! Sentences say what animals do and what becomes of things; a labelled row tells only where something is, and its class is whether that is an animal. Which words go together can be learned
//! from the sentences, and labels are few, so a model that learned to read them has something to gain. It shows that the method works, not how well it reads what people write.

use super::Data;
use crate::train::tsv::Row;
use vitrine_core::train::rng::Stream;

const ANIMALS: [&str; 24] = [
    "horse", "mouse", "eagle", "otter", "badger", "rabbit", "goose", "sheep", "donkey", "lizard", "falcon", "hamster", "beaver", "pigeon",
    "salmon", "turtle", "spider", "camel", "panda", "raven", "weasel", "monkey", "kitten", "heron",
];
const THINGS: [&str; 24] = [
    "bottle", "ladder", "hammer", "basket", "candle", "mirror", "wagon", "carpet", "kettle", "bucket", "anchor", "pillow", "lantern",
    "barrel", "shovel", "piano", "statue", "blanket", "compass", "fence", "engine", "pencil", "teapot", "wheel",
];
const DOES: [&str; 8] = ["sleeps", "eats", "drinks", "hides", "wakes up", "breathes", "listens", "grows"];
const SUFFERS: [&str; 8] =
    ["was sold", "is broken", "was painted", "is rusty", "was repaired", "is for sale", "was built", "is made of tin"];
const ADJECTIVES: [&str; 12] = ["small", "old", "brown", "heavy", "quiet", "young", "strange", "dark", "large", "lonely", "famous", "pale"];
const PLACES: [&str; 12] =
    ["river", "bridge", "garden", "market", "harbour", "station", "forest", "church", "tower", "meadow", "cellar", "field"];
const WHERE: [&str; 6] = ["near", "behind", "under", "in", "beside", "above"];

/// The label of animals.
const ANIMAL: f64 = 0.0;

fn of(random: &mut Stream, words: &[&'static str]) -> &'static str {
    words[random.below(words.len())]
}

fn sentence(random: &mut Stream) -> String {
    let (noun, verb) =
        if random.below(2) == 0 { (of(random, &ANIMALS), of(random, &DOES)) } else { (of(random, &THINGS), of(random, &SUFFERS)) };
    format!("the {} {noun} {verb} {} the {}", of(random, &ADJECTIVES), of(random, &WHERE), of(random, &PLACES))
}

fn row(random: &mut Stream) -> Row {
    let (noun, label) = if random.below(2) == 0 { (of(random, &ANIMALS), ANIMAL) } else { (of(random, &THINGS), 1.0) };
    let text = format!("{} the {} there is a {} {noun}", of(random, &WHERE), of(random, &PLACES), of(random, &ADJECTIVES));
    Row { text, second: None, label }
}

/// Text and rows of a seed.
#[must_use]
pub fn made(seed: u64) -> Data {
    let mut random = Stream::new(seed, "made sentences", 0);
    let lines = (0..8000).map(|_| sentence(&mut random)).collect();
    let sets = [("made training rows", 200), ("made dev rows", 300), ("made test rows", 1000)].map(|(name, count)| {
        let mut random = Stream::new(seed, name, 0);
        (0..count).map(|_| row(&mut random)).collect()
    });
    Data { lines, sets, classes: vec!["animal".into(), "thing".into()], name: "animals and things".into(), made: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_follow_from_the_noun_alone() {
        let data = made(3);
        assert_eq!(data.sets.each_ref().map(Vec::len), [200, 300, 1000]);
        for row in data.sets.iter().flatten() {
            let noun = row.text.rsplit(' ').next().unwrap();
            assert_eq!(ANIMALS.contains(&noun), row.label == ANIMAL);
            assert_ne!(ANIMALS.contains(&noun), THINGS.contains(&noun));
            assert!(row.text.len() <= 78);
        }
        let share = data.sets[2].iter().filter(|row| row.label == ANIMAL).count();
        assert!((440..560).contains(&share), "{share}");
        assert!(data.lines.iter().all(|line| line.len() <= 78 && !line.contains("  ")));
        assert_eq!(made(3).lines, data.lines);
        assert_ne!(made(4).lines, data.lines);
    }
}
