//! Word lists and sentence frames.
//!
//! Names, places, objects, nouns and roles are common English words of one token (with their leading space) in both the GPT-2 and the SmolLM2
//! vocabulary, where the two agree; other tokenizers are served by rejection (see [`super::generate`]). Names that are also everyday words
//! or are common to both genders were left out.

/// Names usually given to men.
#[rustfmt::skip]
pub const NAMES_MALE: &[&str] = &[
    "Aaron", "Adam", "Adrian", "Alan", "Albert", "Alexander", "Alfred", "Allen", "Andrew", "Andy", "Anthony", "Arthur", "Barry",
    "Ben", "Benjamin", "Bernard", "Billy", "Bob", "Bobby", "Brad", "Bradley", "Brian", "Bruce", "Bryan", "Calvin", "Carl",
    "Carlos", "Charles", "Charlie", "Christopher", "Colin", "Craig", "Dan", "Daniel", "Dave", "David", "Dennis", "Diego",
    "Donald", "Douglas", "Duncan", "Edgar", "Edward", "Edwin", "Elliott", "Eric", "Erik", "Ernest", "Ethan", "Eugene", "Felix",
    "Fernando", "Franklin", "Fred", "Frederick", "Gabriel", "Gary", "George", "Gerald", "Gilbert", "Glenn", "Graham", "Greg",
    "Gregory", "Harold", "Harry", "Harvey", "Henry", "Herbert", "Howard", "Hugh", "Hugo", "Ian", "Isaac", "Ivan", "Jack", "Jacob",
    "Jake", "James", "Jason", "Jeff", "Jeffrey", "Jeremy", "Jerry", "Jesse", "Jim", "Jimmy", "Joe", "Joel", "John", "Johnny",
    "Jonathan", "Joseph", "Joshua", "Juan", "Julian", "Justin", "Karl", "Keith", "Ken", "Kenneth", "Kevin", "Larry", "Leo",
    "Leon", "Leonard", "Lewis", "Logan", "Louis", "Lucas", "Luis", "Luke", "Malcolm", "Marcus", "Mario", "Martin", "Matt",
    "Matthew", "Michael", "Miguel", "Mike", "Mitchell", "Nathan", "Neil", "Nicholas", "Nick", "Noah", "Norman", "Oliver", "Oscar",
    "Owen", "Patrick", "Paul", "Pedro", "Peter", "Phil", "Philip", "Phillip", "Ralph", "Raymond", "Richard", "Rick", "Robert",
    "Roger", "Roland", "Ronald", "Ross", "Roy", "Russell", "Ryan", "Samuel", "Scott", "Sean", "Sebastian", "Simon", "Spencer",
    "Stanley", "Stephen", "Steve", "Steven", "Stuart", "Ted", "Theodore", "Thomas", "Tim", "Timothy", "Tom", "Tommy", "Tony",
    "Tyler", "Vernon", "Victor", "Vincent", "Walter", "Wayne", "Wesley", "William", "Zach",
];

/// Names usually given to women.
#[rustfmt::skip]
pub const NAMES_FEMALE: &[&str] = &[
    "Alice", "Alison", "Allison", "Amanda", "Amelia", "Amy", "Andrea", "Angela", "Ann", "Anna", "Anne", "Annie", "Barbara",
    "Bella", "Beth", "Betty", "Carol", "Caroline", "Catherine", "Christina", "Christine", "Claire", "Clara", "Deborah", "Diana",
    "Diane", "Dorothy", "Eleanor", "Elizabeth", "Ellen", "Emily", "Emma", "Erin", "Esther", "Eva", "Frances", "Hannah", "Helen",
    "Helena", "Jane", "Janet", "Jennifer", "Jenny", "Jessica", "Jill", "Joan", "Joyce", "Judith", "Judy", "Julia", "Julie",
    "Karen", "Kate", "Katherine", "Kathleen", "Katie", "Katrina", "Laura", "Lauren", "Linda", "Lisa", "Louise", "Lucy", "Lynn",
    "Margaret", "Maria", "Marie", "Martha", "Mary", "Maya", "Melissa", "Mia", "Michelle", "Miranda", "Molly", "Monica", "Nancy",
    "Naomi", "Nicole", "Nina", "Olivia", "Patricia", "Polly", "Rachel", "Rebecca", "Rosa", "Ruth", "Sally", "Samantha", "Sandra",
    "Sara", "Sarah", "Sharon", "Shelley", "Shirley", "Sophia", "Sophie", "Stephanie", "Susan", "Tara", "Teresa", "Wendy",
];

/// Where people meet.
#[rustfmt::skip]
pub const PLACES: &[&str] = &[
    "airport", "bakery", "bank", "beach", "cabin", "camp", "castle", "church", "clinic", "factory", "farm", "forest", "gallery",
    "garage", "gym", "harbor", "hotel", "kitchen", "lake", "market", "museum", "palace", "river", "stadium", "studio", "temple",
    "theater", "tower", "village", "zoo",
];

/// What people hand to each other; all take the article `a`.
#[rustfmt::skip]
pub const OBJECTS: &[&str] = &[
    "ball", "basket", "blanket", "bottle", "box", "cake", "camera", "candle", "card", "chair", "clock", "coat", "coin", "guitar",
    "hat", "jacket", "key", "knife", "lamp", "magazine", "map", "mirror", "necklace", "notebook", "painting", "pen", "pencil",
    "phone", "plate", "rope", "sandwich", "shirt", "spoon", "ticket", "towel", "toy", "wallet", "watch",
];

/// Sentences about two people, `{1}` and `{2}` in the order in which they are introduced, in which `{B}`, one of the two, hands something over;
/// `{P}` is a place and `{O}` an object. The next word is the name of the other.
pub const IOI_FRAMES: &[&str] = &[
    "Yesterday {1} and {2} met at the {P}, where {B} handed a {O} to",
    "Before {1} and {2} left the {P}, {B} sold a {O} to",
    "At the {P}, {1} and {2} were talking when {B} showed a {O} to",
    "On Sunday {1} and {2} walked to the {P}. There {B} offered a {O} to",
    "Once {1} and {2} had reached the {P}, {B} passed the {O} to",
    "For hours {1} and {2} waited outside the {P}, so {B} brought a {O} to",
    "As soon as {1} and {2} sat down in the {P}, {B} gave the {O} to",
    "Last week {1} and {2} cleaned the {P}. Afterwards {B} lent a {O} to",
    "Because {1} and {2} both work at the {P}, {B} often sends a {O} to",
    "The {O} that {1} and {2} saw near the {P} was cheap, and {B} bought it as a gift for",
    "This spring {1} and {2} found an old {O} behind the {P}. Later {B} returned it to",
    "During the trip {1} and {2} stopped at the {P}, and {B} threw the {O} to",
    "Although {1} and {2} argued in the {P} about the {O}, in the end {B} apologized to",
    "In the {P}, {1} and {2} played cards for a {O}. After the game {B} paid it to",
    "When the {P} closed, {1} and {2} stayed behind, and {B} read the letter about the {O} to",
    "It was raining, so {1} and {2} ran into the {P}, where {B} described the {O} to",
];

/// Things that last; the first word of a greater-than prompt after `The`.
#[rustfmt::skip]
pub const NOUNS: &[&str] = &[
    "alliance", "blockade", "boom", "boycott", "ceremony", "conflict", "crisis", "crusade", "custom", "debate", "depression",
    "dictatorship", "drought", "empire", "exile", "experiment", "famine", "festival", "flood", "harvest", "inquiry", "invasion",
    "lease", "monarchy", "occupation", "rebellion", "regime", "renovation", "republic", "restoration", "revolt", "rivalry",
    "search", "season", "storm", "survey", "tour", "tournament", "tradition", "treaty", "union", "uprising", "winter",
];

/// Greater-than: `{n}` a noun, `{c}` the century's two digits, `{y}` the year's last two.
pub const GREATER_THAN_FRAME: &str = "The {n} began in the year {c}{y} and ended in the year {c}";

/// Centuries whose years tokenizers split after the second digit more often than not.
pub const CENTURIES: &[u8] = &[11, 12, 13, 14, 15, 16, 17];

/// Gendered pronoun: `{N}` a name, `{A}` an adjective, `{R}` a role. The next word is the pronoun.
pub const PRONOUN_FRAMES: &[&str] = &[
    "I think {N} is a very {A} {R}, isn't",
    "Everyone agrees that {N} was a {A} {R}, wasn't",
    "Well, {N} has become a {A} {R}, hasn't",
    "Clearly {N} will be a {A} {R}, won't",
    "By now {N} is known as a {A} {R}, isn't",
];

/// What someone can be; no word here names a gender.
#[rustfmt::skip]
pub const ROLES: &[&str] = &[
    "architect", "artist", "athlete", "baker", "captain", "clerk", "coach", "dentist", "designer", "editor", "engineer", "farmer",
    "inventor", "judge", "listener", "mechanic", "musician", "photographer", "pilot", "poet", "reader", "reporter", "scientist",
    "soldier", "speaker", "surgeon",
];

/// How someone can be that; all take the article `a`.
#[rustfmt::skip]
pub const ADJECTIVES: &[&str] =
    &["brave", "careful", "clever", "fine", "gentle", "gifted", "good", "great", "kind", "patient", "remarkable", "skilled", "strong", "talented"];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn lists_are_large_distinct_and_plain() {
        assert!(NAMES_MALE.len() >= 60 && NAMES_FEMALE.len() >= 60 && IOI_FRAMES.len() >= 12);
        for list in [NAMES_MALE, NAMES_FEMALE, PLACES, OBJECTS, NOUNS, ROLES, ADJECTIVES] {
            assert_eq!(list.iter().collect::<BTreeSet<_>>().len(), list.len());
            assert!(list.iter().all(|word| word.bytes().all(|b| b.is_ascii_alphabetic())));
        }
        assert!(NAMES_MALE.iter().all(|name| !NAMES_FEMALE.contains(name)));
        assert!(OBJECTS.iter().chain(ADJECTIVES).all(|word| !word.starts_with(['a', 'e', 'i', 'o', 'u'])));
    }

    #[test]
    fn frames_name_every_person_once_and_end_open() {
        for frame in IOI_FRAMES {
            for place in ["{1}", "{2}", "{B}"] {
                assert_eq!(frame.matches(place).count(), 1, "{frame}");
            }
            assert!(frame.find("{1}") < frame.find("{2}") && frame.find("{2}") < frame.find("{B}"), "{frame}");
            assert!(frame.ends_with(" to") || frame.ends_with(" for"));
            // A name without a space before it is another token, often several.
            assert!(!frame.starts_with('{'), "{frame}");
        }
        for frame in PRONOUN_FRAMES {
            assert!(["{N}", "{A}", "{R}"].iter().all(|place| frame.matches(place).count() == 1));
        }
    }
}
