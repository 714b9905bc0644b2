//! A report's stored numbers made again in its page: see [`vitrine_edge_pruning::recompute`].

use vitrine_core::{
    findings::{Series, Table},
    formats::source,
    report::series_svg,
};
use vitrine_edge_pruning::{circuit::native, exhibit::Exhibit, recompute::recompute};
use wasm_bindgen::prelude::*;

use crate::{
    json,
    source::{Ranges, Source},
    subject::Subject,
};

#[wasm_bindgen]
impl Subject {
    /// The numbers of an exhibit (JSON), with its circuits' files in their order, against the table and the figure of the report (bodies of panels as JSON). Gives
    /// `{result, drawn}` as JSON; `drawn` is the figure with the new points, for wide and narrow screens.
    ///
    /// # Errors
    /// Files that do not belong together.
    pub fn recompute(
        &self,
        exhibit: &str,
        circuits: Vec<String>,
        table: &str,
        figure: Option<String>,
        drawn_id: &str,
        title: &str,
    ) -> Result<String, JsError> {
        let exhibit: Exhibit = serde_json::from_str(exhibit)?;
        let circuits = circuits.iter().map(|text| Ok(native::from_json(text)?)).collect::<Result<Vec<_>, JsError>>()?;
        let table: Table = serde_json::from_str(table)?;
        let figure: Option<Series> = figure.map(|figure| serde_json::from_str(&figure)).transpose()?;
        let result = recompute(self.inner(), &exhibit, &circuits, &table, figure.as_ref())?;
        let drawn = result.figure.as_ref().map(|figure| series_svg(figure, drawn_id, title));
        json(&serde_json::json!({"result": result, "drawn": drawn}))
    }
}

/// SHA-256 of a file, read in pieces.
///
/// # Errors
/// A file that cannot be read.
#[wasm_bindgen]
pub fn sha256(file: &Source) -> Result<String, JsError> {
    Ok(source::sha256(&Ranges::of(file))?)
}
