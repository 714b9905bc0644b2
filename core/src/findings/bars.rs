//! Grouped bars: one value for each category in each group.

use serde::{Deserialize, Serialize};

use super::{Axis, Band, Mark};

/// One group of bars: the same colour and pattern in every category.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BarGroup {
    /// Name in the legend.
    pub name: String,
    /// One value a category; `None` where it was not measured.
    pub values: Vec<Option<f64>>,
    /// Interval for each value; those of missing values are ignored.
    #[serde(default)]
    pub band: Option<Band>,
}

/// Bars, drawn from left to right with one row a bar.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bars {
    /// The axis of the values (linear).
    pub value: Axis,
    /// Names of the categories.
    pub categories: Vec<String>,
    /// The groups, in legend order.
    pub groups: Vec<BarGroup>,
    /// Reference values.
    #[serde(default)]
    pub marks: Vec<Mark>,
    /// What the intervals are; needed where a group has one.
    #[serde(default)]
    pub band_note: String,
}
