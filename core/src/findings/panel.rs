//! Panels: the pieces a report shows. Each has a name to link to, a title and a caption, and one kind of body.

use serde::{Deserialize, Serialize};

use super::{Bars, Circuit, Pictures, Searches, Series, Table};

/// One figure, table, circuit or text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Panel {
    /// Short name, unique within the findings: letters, digits, `-`, `_`, `.`.
    pub id: String,
    /// Heading of the panel.
    pub title: String,
    /// What the reader sees and how it was computed, in one or two sentences.
    pub caption: String,
    /// What is shown.
    pub body: Body,
}

/// The kinds of panel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Body {
    /// Lines or points over a common horizontal axis.
    Series(Series),
    /// Grouped bars.
    Bars(Bars),
    /// A table of texts and numbers.
    Table(Table),
    /// A circuit of a transformer.
    Circuit(Circuit),
    /// Small pictures.
    Pictures(Pictures),
    /// Trees of searches for one question.
    Searches(Searches),
    /// Paragraphs.
    Text(Text),
}

/// Paragraphs of plain text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// One entry a paragraph; line breaks inside one are kept.
    pub paragraphs: Vec<String>,
    /// True for text whose columns matter (program output, prompts): shown in a fixed-width face.
    #[serde(default)]
    pub fixed_width: bool,
}

impl Panel {
    /// A panel with any body. `body` may be a [`Series`], [`Bars`], [`Table`], [`Circuit`], [`Pictures`], [`Searches`] or [`Text`].
    #[must_use]
    pub fn new(id: impl Into<String>, title: impl Into<String>, caption: impl Into<String>, body: impl Into<Body>) -> Self {
        Self { id: id.into(), title: title.into(), caption: caption.into(), body: body.into() }
    }
}

impl Body {
    /// The kind as it stands in the JSON.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Series(_) => "series",
            Self::Bars(_) => "bars",
            Self::Table(_) => "table",
            Self::Circuit(_) => "circuit",
            Self::Pictures(_) => "pictures",
            Self::Searches(_) => "searches",
            Self::Text(_) => "text",
        }
    }
}

impl From<Series> for Body {
    fn from(body: Series) -> Self {
        Self::Series(body)
    }
}

impl From<Bars> for Body {
    fn from(body: Bars) -> Self {
        Self::Bars(body)
    }
}

impl From<Table> for Body {
    fn from(body: Table) -> Self {
        Self::Table(body)
    }
}

impl From<Circuit> for Body {
    fn from(body: Circuit) -> Self {
        Self::Circuit(body)
    }
}

impl From<Pictures> for Body {
    fn from(body: Pictures) -> Self {
        Self::Pictures(body)
    }
}

impl From<Searches> for Body {
    fn from(body: Searches) -> Self {
        Self::Searches(body)
    }
}

impl From<Text> for Body {
    fn from(body: Text) -> Self {
        Self::Text(body)
    }
}
