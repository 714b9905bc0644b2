//! The things that made schemas are about.

/// What can be asked of a thing.
#[derive(Debug)]
pub struct Property {
    /// Name of the column; in sentences the same with spaces.
    pub name: &'static str,
    pub is_number: bool,
    /// Two other names.
    pub synonyms: [&'static str; 2],
    /// Values that sentences and queries name, for texts.
    pub values: &'static [&'static str],
}

/// A thing, as a table.
#[derive(Debug)]
pub struct Thing {
    pub name: &'static str,
    pub plural: &'static str,
    pub synonyms: [&'static str; 2],
    pub properties: &'static [Property],
}

const fn number(name: &'static str, synonyms: [&'static str; 2]) -> Property {
    Property { name, is_number: true, synonyms, values: &[] }
}

const fn text(name: &'static str, synonyms: [&'static str; 2], values: &'static [&'static str]) -> Property {
    Property { name, is_number: false, synonyms, values }
}

const CITIES: &[&str] = &["Oslo", "Lima", "Kyoto", "Porto", "Cairo", "Quito"];
const NAMES: &[&str] = &["Ada Berg", "Ivo Lang", "Mia Costa", "Jan Novak", "Lea Roth"];
const COLOURS: &[&str] = &["Red", "Blue", "Green", "Black"];
const COUNTRIES: &[&str] = &["Norway", "Peru", "Japan", "Egypt", "Portugal"];
const KINDS: &[&str] = &["Small", "Large", "Modern", "Classic"];

/// All things.
pub const THINGS: [Thing; 14] = [
    Thing {
        name: "teacher",
        plural: "teachers",
        synonyms: ["instructor", "educator"],
        properties: &[
            text("name", ["full_name", "person_name"], NAMES),
            number("age", ["years_old", "age_in_years"]),
            number("salary", ["pay", "wage"]),
            text("hometown", ["city_of_origin", "birthplace"], CITIES),
            text("subject", ["field", "discipline"], KINDS),
        ],
    },
    Thing {
        name: "bridge",
        plural: "bridges",
        synonyms: ["crossing", "overpass"],
        properties: &[
            text("name", ["title", "label"], NAMES),
            number("length", ["extent", "span"]),
            number("height", ["elevation", "clearance"]),
            text("city", ["town", "municipality"], CITIES),
            number("building_year", ["construction_year", "year_built"]),
        ],
    },
    Thing {
        name: "film",
        plural: "films",
        synonyms: ["movie", "picture"],
        properties: &[
            text("title", ["film_name", "heading"], NAMES),
            number("rating", ["score", "grade"]),
            number("budget", ["cost", "funding"]),
            text("genre", ["category", "style"], KINDS),
            text("country", ["nation", "state"], COUNTRIES),
        ],
    },
    Thing {
        name: "garden",
        plural: "gardens",
        synonyms: ["park", "orchard"],
        properties: &[
            text("name", ["title", "label"], NAMES),
            number("area", ["size", "surface"]),
            text("city", ["town", "municipality"], CITIES),
            number("visitors", ["guests", "attendance"]),
            text("style", ["design", "type"], KINDS),
        ],
    },
    Thing {
        name: "ship",
        plural: "ships",
        synonyms: ["vessel", "boat"],
        properties: &[
            text("name", ["ship_name", "title"], NAMES),
            number("tonnage", ["weight", "load"]),
            text("colour", ["paint", "hue"], COLOURS),
            number("speed", ["velocity", "pace"]),
            text("flag", ["nationality", "registry"], COUNTRIES),
        ],
    },
    Thing {
        name: "hotel",
        plural: "hotels",
        synonyms: ["inn", "lodge"],
        properties: &[
            text("name", ["hotel_name", "brand"], NAMES),
            number("rooms", ["bedrooms", "chambers"]),
            number("price", ["cost", "rate"]),
            text("city", ["town", "place"], CITIES),
            number("stars", ["rating", "rank"]),
        ],
    },
    Thing {
        name: "player",
        plural: "players",
        synonyms: ["athlete", "competitor"],
        properties: &[
            text("name", ["full_name", "player_name"], NAMES),
            number("height", ["stature", "tallness"]),
            number("goals", ["points", "scores"]),
            text("position", ["role", "post"], KINDS),
            text("nationality", ["country", "citizenship"], COUNTRIES),
        ],
    },
    Thing {
        name: "book",
        plural: "books",
        synonyms: ["volume", "publication"],
        properties: &[
            text("title", ["name", "heading"], NAMES),
            number("pages", ["length", "sheets"]),
            number("price", ["cost", "charge"]),
            text("language", ["tongue", "idiom"], COUNTRIES),
            number("year", ["release_year", "publishing_date"]),
        ],
    },
    Thing {
        name: "farm",
        plural: "farms",
        synonyms: ["ranch", "estate"],
        properties: &[
            text("name", ["farm_name", "label"], NAMES),
            number("cows", ["cattle", "livestock"]),
            number("area", ["acreage", "surface"]),
            text("region", ["district", "zone"], COUNTRIES),
            text("owner", ["proprietor", "holder"], NAMES),
        ],
    },
    Thing {
        name: "museum",
        plural: "museums",
        synonyms: ["gallery", "exhibition_hall"],
        properties: &[
            text("name", ["title", "museum_name"], NAMES),
            number("opening_year", ["founding_year", "start_year"]),
            number("visitors", ["guests", "attendance"]),
            text("city", ["town", "place"], CITIES),
            number("ticket_price", ["entry_fee", "admission"]),
        ],
    },
    Thing {
        name: "train",
        plural: "trains",
        synonyms: ["railcar", "locomotive"],
        properties: &[
            text("name", ["title", "train_name"], NAMES),
            number("speed", ["velocity", "pace"]),
            number("seats", ["places", "capacity"]),
            text("destination", ["target", "final_stop"], CITIES),
            text("colour", ["paint", "hue"], COLOURS),
        ],
    },
    Thing {
        name: "doctor",
        plural: "doctors",
        synonyms: ["physician", "medic"],
        properties: &[
            text("name", ["full_name", "person_name"], NAMES),
            number("age", ["years_old", "age_in_years"]),
            number("experience", ["years_of_work", "practice"]),
            text("speciality", ["expertise", "field"], KINDS),
            text("hospital", ["clinic", "infirmary"], CITIES),
        ],
    },
    Thing {
        name: "phone",
        plural: "phones",
        synonyms: ["handset", "mobile"],
        properties: &[
            text("model", ["version", "design"], KINDS),
            number("price", ["cost", "charge"]),
            number("weight", ["mass", "heaviness"]),
            text("colour", ["hue", "shade"], COLOURS),
            number("memory", ["storage", "capacity"]),
        ],
    },
    Thing {
        name: "festival",
        plural: "festivals",
        synonyms: ["fair", "celebration"],
        properties: &[
            text("name", ["title", "festival_name"], NAMES),
            number("visitors", ["guests", "attendance"]),
            number("year", ["season", "edition_year"]),
            text("city", ["town", "place"], CITIES),
            text("theme", ["topic", "motto"], KINDS),
        ],
    },
];
