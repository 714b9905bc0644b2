//! Figures as SVG, drawn without a browser so that they can be read with scripts switched off.
//!
//! Colours, dashes and faces are classes; the style sheet gives them their values for light, dark and print. No meaning
//! rests on colour alone: lines differ by dash and marker too, bars by hatching, signs of edges by dash. Every chart is
//! drawn twice, for wide and narrow screens, because text that is scaled down cannot be read; the style sheet shows one.

mod axis;
mod bars;
mod circuit;
mod circuit_layout;
mod legend;
mod scale;
mod searches;
mod series;

pub(super) use bars::{MOST_BARS, bars};
pub(super) use circuit::{circuit, key};
pub(super) use circuit_layout::{Drawing, strongest};
pub(super) use searches::{MOST_BRANCHES, letter, searches};
pub(super) use series::series;

use maud::{Markup, html};

/// How much room a chart has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    /// A column of text or more.
    Wide,
    /// A telephone.
    Narrow,
}

impl Size {
    /// Both, in the order in which they are written.
    pub(super) const BOTH: [Self; 2] = [Self::Wide, Self::Narrow];

    fn width(self) -> f64 {
        match self {
            Self::Wide => 720.0,
            Self::Narrow => 340.0,
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Wide => "fig wide",
            Self::Narrow => "fig narrow",
        }
    }

    fn suffix(self) -> &'static str {
        match self {
            Self::Wide => "w",
            Self::Narrow => "n",
        }
    }
}

/// What every figure needs to be found and described.
#[derive(Clone, Copy, Debug)]
pub(super) struct Naming<'a> {
    /// Unique prefix of identifiers.
    pub id: &'a str,
    /// Title, already visible text.
    pub title: &'a str,
    /// Description, already visible text.
    pub description: &'a str,
}

/// A coordinate: at most two digits after the point.
fn n(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

fn frame(size: Size, height: f64, naming: Naming<'_>, content: &Markup) -> Markup {
    let (title, desc) = (format!("{}-{}-t", naming.id, size.suffix()), format!("{}-{}-d", naming.id, size.suffix()));
    html! {
        svg class=(size.class()) viewBox={ "0 0 " (n(size.width())) " " (n(height)) }
            role="img" aria-labelledby={ (title) " " (desc) } {
            title id=(title) { (naming.title) }
            desc id=(desc) { (naming.description) }
            (content)
        }
    }
}
