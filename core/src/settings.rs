//! Settings laid over settings: a preset, then a file, then single keys.
//!
//! **Idea.** A run is one complete config. Whoever changes a setting names it by its path (`prune.lr_lambda`), and a name that does not exist is a mistake to be told at once, with
//! the nearest name that does, never a setting silently ignored.
//!
//! **Method.** The complete config as JSON is the base. An overlay may set only keys that the base has, to values of the same kind; the nearest known key is the one with the
//! fewest insertions, deletions and substitutions (Levenshtein 1966).

use serde_json::{Map, Value};
use thiserror::Error;

/// Longest key or value that is quoted or compared.
const MAX_TEXT: usize = 100;

/// What can be wrong with a setting.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SettingsError {
    #[error("there is no setting {key}; the nearest is {nearest}")]
    Unknown { key: String, nearest: String },
    #[error("{key} is {found}, but must be {expected}")]
    Kind { key: String, found: String, expected: &'static str },
    #[error("`{text}` is not of the form key=value, such as prune.steps=100")]
    NoValue { text: String },
    #[error("the settings file is not TOML: {reason}")]
    NotToml { reason: String },
}

/// Lays the settings of a TOML text over `base`.
///
/// # Errors
/// The first unknown key or value of another kind.
pub fn lay_file(base: &mut Value, text: &str) -> Result<(), SettingsError> {
    let not_toml = |reason: String| SettingsError::NotToml { reason: reason.lines().next().unwrap_or_default().to_owned() };
    let overlay: Value = toml::from_str(text).map_err(|e| not_toml(e.message().to_owned()))?;
    lay(base, overlay, "")
}

/// Lays one `a.b=value` over `base`; the value is written as in TOML.
///
/// # Errors
/// As [`lay_file`]; [`SettingsError::NoValue`].
pub fn lay_one(base: &mut Value, assignment: &str) -> Result<(), SettingsError> {
    let no_value = || SettingsError::NoValue { text: shorten(assignment) };
    let (key, text) = assignment.split_once('=').ok_or_else(no_value)?;
    let value: Map<String, Value> = toml::from_str(&format!("value = {}", text.trim())).map_err(|_| no_value())?;
    let value = value.get("value").filter(|_| value.len() == 1).cloned().ok_or_else(no_value)?;
    let overlay = key.trim().rsplit('.').fold(value, |inner, part| Value::Object(Map::from_iter([(part.to_owned(), inner)])));
    lay(base, overlay, "")
}

fn lay(base: &mut Value, overlay: Value, path: &str) -> Result<(), SettingsError> {
    match (base, overlay) {
        (Value::Object(base), Value::Object(overlay)) => {
            for (name, value) in overlay {
                let key = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                if let Some(place) = base.get_mut(&name) {
                    lay(place, value, &key)?;
                } else {
                    let nearest = base.keys().min_by_key(|known| distance(known, &name)).map(String::as_str).unwrap_or_default();
                    let nearest = if path.is_empty() { nearest.to_owned() } else { format!("{path}.{nearest}") };
                    return Err(SettingsError::Unknown { key: shorten(&key), nearest });
                }
            }
            Ok(())
        }
        (place, value) => {
            if let Some(expected) = mismatch(place, &value) {
                return Err(SettingsError::Kind { key: shorten(path), found: shorten(&value.to_string()), expected });
            }
            // A whole number where fractions are allowed stays such a place for the next overlay.
            *place = if place.is_f64() { value.as_f64().map_or(value, Value::from) } else { value };
            Ok(())
        }
    }
}

/// What `place` must hold, where `value` is something else. A setting that may be absent (null) takes anything; its type is checked when the config is read.
fn mismatch(place: &Value, value: &Value) -> Option<&'static str> {
    let (fits, expected) = match place {
        Value::Null => (true, ""),
        Value::Bool(_) => (value.is_boolean(), "true or false"),
        Value::Number(n) if n.is_u64() => (value.is_u64(), "a whole number, 0 or more"),
        Value::Number(_) => (value.is_number(), "a number"),
        Value::String(_) => (value.is_string(), "a text in quotes"),
        Value::Array(_) => (value.is_array(), "a list in [ ]"),
        Value::Object(_) => (value.is_object(), "a group of settings; name one of them with a dot"),
    };
    (!fits).then_some(expected)
}

/// Fewest single-character edits between two texts, of which at most the first [`MAX_TEXT`] characters count.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(MAX_TEXT).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(MAX_TEXT).enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, &y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

fn shorten(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn base() -> Value {
        json!({"seed": 0, "programs": true, "sizes": [0.05], "name": "x", "prune": {"steps": 600, "lr_lambda": 0.3, "node_target": null, "adamw": {"eps": 1e-8}}})
    }

    #[test]
    fn files_and_single_keys_lie_over_the_base() {
        let mut config = base();
        lay_file(&mut config, "programs = false\n[prune]\nsteps = 7\n[prune.adamw]\neps = 1\n").unwrap();
        for one in ["prune.lr_lambda = 2", "sizes=[0.1, 0.2]", "prune.node_target=0.5", "name=\"y\"", "prune.adamw.eps=1e-6"] {
            lay_one(&mut config, one).unwrap();
        }
        let expected = json!({"seed": 0, "programs": false, "sizes": [0.1, 0.2], "name": "y",
            "prune": {"steps": 7, "lr_lambda": 2.0, "node_target": 0.5, "adamw": {"eps": 1e-6}}});
        assert_eq!(config, expected);
    }

    #[test]
    fn unknown_keys_name_the_nearest() {
        for (one, key, nearest) in [
            ("sed=1", "sed", "seed"),
            ("prune.step=1", "prune.step", "prune.steps"),
            ("prune.adam.eps=1", "prune.adam", "prune.adamw"),
            ("prune.lambda_lr=1", "prune.lambda_lr", "prune.lr_lambda"),
        ] {
            let expected = SettingsError::Unknown { key: key.to_owned(), nearest: nearest.to_owned() };
            assert_eq!(lay_one(&mut base(), one), Err(expected));
        }
        assert!(matches!(lay_file(&mut base(), "[prune]\nstepz = 3"), Err(SettingsError::Unknown { .. })));
    }

    #[test]
    fn values_of_another_kind_and_broken_texts_are_refused() {
        for bad in ["seed=-1", "seed=1.5", "seed=\"1\"", "programs=1", "sizes=0.1", "name=3", "prune=3", "prune.lr_lambda=true"] {
            assert!(matches!(lay_one(&mut base(), bad), Err(SettingsError::Kind { .. })), "{bad}");
        }
        for bad in ["seed", "seed=", "seed=1\nprograms=false", "name=y", "=1=1", "sizes=[0.1"] {
            assert!(matches!(lay_one(&mut base(), bad), Err(SettingsError::NoValue { .. })), "{bad}");
        }
        assert!(matches!(lay_file(&mut base(), "seed = = 1"), Err(SettingsError::NotToml { .. })));
    }

    #[test]
    fn distances_are_those_of_the_definition() {
        for (a, b, expected) in [("", "", 0), ("a", "", 1), ("kitten", "sitting", 3), ("steps", "step", 1), ("ab", "ba", 2)] {
            assert_eq!((distance(a, b), distance(b, a)), (expected, expected), "{a} {b}");
        }
    }
}
