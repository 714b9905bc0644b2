//! Lines and points over a common horizontal axis.

use serde::{Deserialize, Serialize};

/// How values are laid along an axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Equal steps.
    #[default]
    Linear,
    /// Equal ratios; every value must be above zero.
    Log,
}

/// One axis of a figure.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Axis {
    /// What is measured.
    pub label: String,
    /// Unit, such as `nats`, `%`, `s`; may be empty.
    #[serde(default)]
    pub unit: String,
    /// Linear or logarithmic.
    #[serde(default)]
    pub scale: Scale,
    /// Ends of the axis where they matter (such as 0 to 1 for accuracies); otherwise the data decide. Data outside are
    /// never cut: the axis is widened.
    #[serde(default)]
    pub range: Option<[f64; 2]>,
}

impl Axis {
    /// A linear axis.
    #[must_use]
    pub fn new(label: impl Into<String>, unit: impl Into<String>) -> Self {
        Self { label: label.into(), unit: unit.into(), ..Self::default() }
    }

    /// The same axis with a logarithmic scale.
    #[must_use]
    pub fn log(mut self) -> Self {
        self.scale = Scale::Log;
        self
    }

    /// The same axis with given ends.
    #[must_use]
    pub fn range(mut self, low: f64, high: f64) -> Self {
        self.range = Some([low, high]);
        self
    }
}

/// Lower and upper bounds, one pair for each value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Band {
    /// Lower bounds.
    pub low: Vec<f64>,
    /// Upper bounds, each at least its lower bound.
    pub high: Vec<f64>,
}

/// One named line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Name in the legend.
    pub name: String,
    /// Horizontal places, in drawing order.
    pub x: Vec<f64>,
    /// Values, as many as `x`.
    pub y: Vec<f64>,
    /// Error band, as long as `y`.
    #[serde(default)]
    pub band: Option<Band>,
    /// True for points without a line between them.
    #[serde(default)]
    pub points_only: bool,
}

impl Line {
    /// A line through points.
    #[must_use]
    pub fn new(name: impl Into<String>, x: Vec<f64>, y: Vec<f64>) -> Self {
        Self { name: name.into(), x, y, band: None, points_only: false }
    }

    /// The same line with an error band.
    #[must_use]
    pub fn band(mut self, low: Vec<f64>, high: Vec<f64>) -> Self {
        self.band = Some(Band { low, high });
        self
    }

    /// The same data as separate points.
    #[must_use]
    pub fn points(mut self) -> Self {
        self.points_only = true;
        self
    }
}

/// A reference: a horizontal rule at a value, such as a published figure or a chance level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// What the rule stands for.
    pub label: String,
    /// Its value on the vertical axis.
    pub value: f64,
}

/// Several named lines.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Series {
    /// Horizontal axis.
    pub x: Axis,
    /// Vertical axis.
    pub y: Axis,
    /// The lines, in legend order.
    pub lines: Vec<Line>,
    /// Reference values.
    #[serde(default)]
    pub marks: Vec<Mark>,
    /// What the error bands are, such as `95% bootstrap interval over 5 seeds`; needed where a line has one.
    #[serde(default)]
    pub band_note: String,
}
