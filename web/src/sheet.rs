//! The circuit on the page's table: see [`vitrine_edge_pruning::inspect::Sheet`].

use vitrine_core::model::{graph::GraphShape, stream::Ablation};
use vitrine_edge_pruning::{
    circuit::MAX_EDGES,
    inspect::{self, listing::Order, open::known},
};
use wasm_bindgen::prelude::*;

use crate::json;

/// What cut edges carry, by name.
pub(crate) fn ablation(name: &str) -> Result<Ablation, JsError> {
    match name {
        "interchange" => Ok(Ablation::Interchange),
        "zero" => Ok(Ablation::Zero),
        other => Err(JsError::new(&format!("there is no ablation `{}`", other.chars().take(40).collect::<String>()))),
    }
}

/// A circuit that is shown, sized, switched, compared and saved.
#[wasm_bindgen]
pub struct Sheet {
    sheet: inspect::Sheet,
    about: String,
}

#[wasm_bindgen]
impl Sheet {
    /// Reads a circuit file of any known format. `shape` is the graph of the model on the table as JSON, where there is one.
    ///
    /// # Errors
    /// What is wrong with the file, or that it is for another model.
    pub fn open(text: &str, shape: Option<String>) -> Result<Self, JsError> {
        let shape: Option<GraphShape> = shape.map(|shape| serde_json::from_str(&shape)).transpose()?;
        let opened = inspect::open(text, shape)?;
        let about = serde_json::json!({"format": opened.format, "import": opened.import, "meta": opened.circuit.meta, "model_hash": opened.circuit.model_hash});
        Ok(Self { sheet: inspect::Sheet::new(opened.circuit), about: about.to_string() })
    }

    /// A known circuit of a compiled program; scores are the measured effects of its edges.
    ///
    /// # Errors
    /// Files that make no program, a set that is not there.
    pub fn known(config: &str, edges: &str, set: &str) -> Result<Self, JsError> {
        let circuit = known(config, edges, set)?;
        let about = serde_json::json!({"format": "known circuit", "import": null, "meta": circuit.meta, "model_hash": null});
        Ok(Self { sheet: inspect::Sheet::new(circuit), about: about.to_string() })
    }

    /// All edges of a model's graph (its shape as JSON).
    ///
    /// # Errors
    /// A shape of no model.
    pub fn full(shape: &str) -> Result<Self, JsError> {
        let shape: GraphShape = serde_json::from_str(shape)?;
        let circuit = inspect::open::full(shape)?;
        let about = serde_json::json!({"format": "full graph", "import": null, "meta": {}, "model_hash": null});
        Ok(Self { sheet: inspect::Sheet::new(circuit), about: about.to_string() })
    }

    /// Format, what reading had to bridge, and what the file says of itself, as JSON.
    #[must_use]
    pub fn about(&self) -> String {
        self.about.clone()
    }

    /// The graph's shape as JSON.
    ///
    /// # Errors
    /// None in practice.
    pub fn shape(&self) -> Result<String, JsError> {
        json(&self.sheet.graph().shape())
    }

    /// Places of boxes and ends of edges, as JSON.
    ///
    /// # Errors
    /// None in practice.
    pub fn layout(&self) -> Result<String, JsError> {
        json(&self.sheet.layout())
    }

    /// Names, labels and groups of the boxes, as JSON: `[{name, label, group}]`, and the groups' names.
    ///
    /// # Errors
    /// None in practice.
    pub fn names(&self) -> Result<String, JsError> {
        let layout = self.sheet.layout();
        let nodes: Vec<_> =
            layout.nodes.iter().map(|node| serde_json::json!({"name": node.name, "label": node.label, "group": node.group})).collect();
        json(&serde_json::json!({"nodes": nodes, "groups": self.sheet.current().groups.keys().collect::<Vec<_>>()}))
    }

    /// First edge id of each reader, and the number of edges at the end: edges of one reader are contiguous, one for each writer before it.
    #[must_use]
    pub fn offsets(&self) -> Vec<u32> {
        let graph = self.sheet.graph();
        let first = (0..graph.n_readers()).map(|reader| graph.edges_of_reader(reader).start);
        // At most MAX_EDGES edges: ids fit 32 bits.
        const { assert!(MAX_EDGES < u32::MAX as usize) };
        first.chain([graph.n_edges()]).map(|edge| edge as u32).collect()
    }

    /// 1 for every edge shown, by edge id.
    #[must_use]
    pub fn masks(&self) -> Vec<u8> {
        self.sheet.masks()
    }

    /// Scores by edge id; empty where there are none.
    #[must_use]
    pub fn scores(&self) -> Vec<f32> {
        self.sheet.scores()
    }

    /// By edge id: 0 in no circuit, 1 in both, 2 in the shown one only, 3 in the second one only.
    #[must_use]
    pub fn classes(&self) -> Vec<u8> {
        self.sheet.classes()
    }

    /// Counts, sparsity, agreement with the second circuit, as JSON.
    ///
    /// # Errors
    /// None in practice.
    pub fn summary(&self) -> Result<String, JsError> {
        json(&self.sheet.summary()?)
    }

    /// What cut edges carry decides which edges are dangling.
    ///
    /// # Errors
    /// Another ablation than `interchange` and `zero`.
    #[wasm_bindgen(js_name = setAblation)]
    pub fn set_ablation(&mut self, name: &str) -> Result<(), JsError> {
        Ok(self.sheet.set_ablation(ablation(name)?)?)
    }

    /// Shows the best edges by score; without a size the circuit as opened.
    ///
    /// # Errors
    /// A circuit without scores.
    #[wasm_bindgen(js_name = setSize)]
    pub fn set_size(&mut self, size: Option<usize>) -> Result<(), JsError> {
        Ok(self.sheet.set_size(size)?)
    }

    /// Masks of the circuit of a size, without showing it.
    ///
    /// # Errors
    /// A circuit without scores.
    #[wasm_bindgen(js_name = masksAt)]
    pub fn masks_at(&self, size: usize) -> Result<Vec<u8>, JsError> {
        Ok(self.sheet.at_size(size)?.effective_edges().into_iter().map(u8::from).collect())
    }

    /// Switches one edge.
    pub fn switch(&mut self, edge: usize, on: bool) {
        self.sheet.switch(edge, on);
    }

    /// Edges that are switched.
    #[must_use]
    pub fn switched(&self) -> Vec<u32> {
        self.sheet.switched()
    }

    /// Puts all switches back.
    ///
    /// # Errors
    /// None in practice.
    #[wasm_bindgen(js_name = resetSwitches)]
    pub fn reset_switches(&mut self) -> Result<(), JsError> {
        Ok(self.sheet.reset_switches()?)
    }

    /// Lays another circuit beside this one, or takes it away.
    ///
    /// # Errors
    /// A circuit of another model.
    #[wasm_bindgen(js_name = setOther)]
    pub fn set_other(&mut self, other: Option<Sheet>) -> Result<(), JsError> {
        Ok(self.sheet.set_other(other.map(|other| other.sheet.current().clone()))?)
    }

    /// Edge ids, sorted (`strength`, `score`, `reader`, `writer`) and searched.
    #[must_use]
    pub fn list(&self, query: &str, order: &str, reversed: bool, all: bool) -> Vec<u32> {
        self.sheet.list(query, Order::named(order).unwrap_or(Order::Reader), reversed, all)
    }

    /// Shown edges into a box, strongest first.
    #[wasm_bindgen(js_name = edgesInto)]
    #[must_use]
    pub fn edges_into(&self, node: usize) -> Vec<u32> {
        self.sheet.edges_at(node).0
    }

    /// Shown edges out of a box, strongest first.
    #[wasm_bindgen(js_name = edgesOutOf)]
    #[must_use]
    pub fn edges_out_of(&self, node: usize) -> Vec<u32> {
        self.sheet.edges_at(node).1
    }

    /// Names a box; an empty name takes the label away.
    ///
    /// # Errors
    /// A name that is too long.
    #[wasm_bindgen(js_name = setLabel)]
    pub fn set_label(&mut self, node: &str, label: &str) -> Result<(), JsError> {
        Ok(self.sheet.set_label(node, label)?)
    }

    /// Puts a box into a group; an empty name takes it out.
    ///
    /// # Errors
    /// A name that is too long, too many groups.
    #[wasm_bindgen(js_name = setGroup)]
    pub fn set_group(&mut self, node: &str, group: &str) -> Result<(), JsError> {
        Ok(self.sheet.set_group(node, group)?)
    }

    /// The shown circuit as a file: `vitrine`, `eap-ig`, `list`, `text`, `csv`, `svg`.
    ///
    /// # Errors
    /// What the format cannot hold.
    pub fn export(&self, format: &str, d_model: usize) -> Result<String, JsError> {
        Ok(self.sheet.export(format, d_model)?)
    }
}
