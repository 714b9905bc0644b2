//! Bounds and rules of the schema, checked before anything is shown and before anything is written.

use std::collections::BTreeSet;

use super::{
    Axis, Band, Bars, Body, Cell, Circuit, FINDINGS_SCHEMA, Findings, FindingsError, NodeKind, Panel, RUN_SCHEMA, RunRecord, Scale,
    Searches, Series, Table, json,
};

/// The bounds, in one place.
pub mod limits {
    /// Bytes of one findings or run file.
    pub const FILE_BYTES: usize = 64 << 20;
    /// Bytes of one text; a label of a megabyte is survived and shown shortened.
    pub const TEXT_BYTES: usize = 2 << 20;
    /// Bytes of a name that becomes an anchor.
    pub const ID_BYTES: usize = 100;
    /// Entries of a list of texts, claims or panels.
    pub const ENTRIES: usize = 2_000;
    /// Lines, groups or columns.
    pub const LINES: usize = 400;
    /// Points of one line.
    pub const POINTS: usize = 200_000;
    /// Rows of a table or categories of a bar chart.
    pub const ROWS: usize = 100_000;
    /// Cells of a table.
    pub const CELLS: usize = 1_000_000;
    /// Boxes, writers or readers of a circuit.
    pub const NODES: usize = 20_000;
    /// Edges of a circuit.
    pub const EDGES: usize = 200_000;
    /// Layers of a circuit, and boxes in one row.
    pub const GRID: u32 = 1_024;
    /// Pictures of a panel, and bytes and pixels along a side of one.
    pub const PICTURES: usize = 100;
    pub const PICTURE_BYTES: usize = 1 << 20;
    pub const PICTURE_SIDE: u32 = 16_384;
    /// Trees beside each other, and branches of one.
    pub const TREES: usize = 16;
    pub const BRANCHES: usize = 2_000;
    /// Nesting of the configuration.
    pub const CONFIG_DEPTH: usize = 64;
}

type Check = Result<(), FindingsError>;

pub(super) fn bounded_text(bytes: &[u8], what: &'static str) -> Check {
    if bytes.len() > limits::FILE_BYTES {
        return Err(FindingsError::TooLarge { what, found: bytes.len(), limit: limits::FILE_BYTES });
    }
    Ok(())
}

pub(super) fn findings(value: &Findings) -> Check {
    schema(&value.schema, FINDINGS_SCHEMA)?;
    text("study", &value.study)?;
    text("title", &value.title)?;
    texts("summary", &value.summary)?;
    texts("caveats", &value.caveats)?;
    at_most("claims", value.claims.len(), limits::ENTRIES)?;
    let mut ids = BTreeSet::new();
    for claim in &value.claims {
        let place = format!("claim {:?}", json::clip(&claim.id));
        id(&place, &claim.id, &mut ids)?;
        let source = &claim.source;
        for part in [&claim.statement, &source.paper, &source.section, &claim.found, &claim.tolerance, &claim.differs] {
            text(&place, part)?;
        }
        text(&place, claim.published.as_deref().unwrap_or_default())?;
    }
    at_most("panels", value.panels.len(), limits::ENTRIES)?;
    let mut ids = BTreeSet::new();
    for panel in &value.panels {
        let place = format!("panel {:?}", json::clip(&panel.id));
        id(&place, &panel.id, &mut ids)?;
        check_panel(&place, panel)?;
    }
    Ok(())
}

pub(super) fn run(value: &RunRecord) -> Check {
    schema(&value.schema, RUN_SCHEMA)?;
    text("study", &value.study)?;
    text("config_hash", &value.config_hash)?;
    text("device", &value.device)?;
    text("git_revision", value.git_revision.as_deref().unwrap_or_default())?;
    texts("command", &value.command)?;
    config_depth(&value.config)?;
    at_most("versions", value.versions.len(), limits::ENTRIES)?;
    for (name, version) in &value.versions {
        text("versions", name)?;
        text("versions", version)?;
    }
    hash("cargo_lock_sha256", &value.cargo_lock_sha256)?;
    for (place, hashes) in [("data", &value.data), ("models", &value.models)] {
        at_most(place, hashes.len(), limits::ENTRIES)?;
        for (name, sha256) in hashes {
            text(place, name)?;
            hash(&format!("{place}: {}", json::clip(name)), sha256)?;
        }
    }
    finite("duration_s", value.duration_s)?;
    rule("duration_s", value.duration_s >= 0.0, "a duration cannot be negative")?;
    rule("finished_unix_ms", value.finished_unix_ms >= value.started_unix_ms, "the run ends before it starts")
}

fn check_panel(place: &str, panel: &Panel) -> Check {
    text(place, &panel.title)?;
    text(place, &panel.caption)?;
    match &panel.body {
        Body::Series(body) => series(place, body),
        Body::Bars(body) => bars(place, body),
        Body::Table(body) => table(place, body),
        Body::Circuit(body) => circuit(place, body),
        Body::Pictures(body) => {
            at_most(place, body.pictures.len(), limits::PICTURES)?;
            body.pictures.iter().enumerate().try_for_each(|(number, picture)| {
                let place = format!("{place}, picture {}", number + 1);
                text(&place, &picture.caption)?;
                text(&place, &picture.described)?;
                at_most(&place, picture.png.len(), limits::PICTURE_BYTES)?;
                let sized = [picture.width, picture.height].iter().all(|side| (1..=limits::PICTURE_SIDE).contains(side));
                rule(&place, sized && picture.is_png(), "it is not a PNG file of the size that is told")
            })
        }
        Body::Searches(body) => searches(place, body),
        Body::Text(body) => texts(place, &body.paragraphs),
    }
}

fn series(place: &str, body: &Series) -> Check {
    axis(place, &body.x)?;
    axis(place, &body.y)?;
    text(place, &body.band_note)?;
    at_most(place, body.lines.len(), limits::LINES)?;
    at_most(place, body.marks.len(), limits::LINES)?;
    let mut points = 0usize;
    for line in &body.lines {
        let place = format!("{place}, line {:?}", json::clip(&line.name));
        text(&place, &line.name)?;
        same_length(&place, line.y.len(), line.x.len())?;
        points = points.saturating_add(line.y.len());
        at_most(&place, points, limits::POINTS)?;
        on_axis(&place, &line.x, &body.x)?;
        on_axis(&place, &line.y, &body.y)?;
        if let Some(values) = &line.band {
            band(&place, values, line.y.len(), &body.y)?;
        }
    }
    for mark in &body.marks {
        text(place, &mark.label)?;
        on_axis(place, &[mark.value], &body.y)?;
    }
    Ok(())
}

fn bars(place: &str, body: &Bars) -> Check {
    axis(place, &body.value)?;
    rule(place, body.value.scale == Scale::Linear, "bars start at zero, so their axis must be linear")?;
    text(place, &body.band_note)?;
    texts_up_to(place, &body.categories, limits::ROWS)?;
    at_most(place, body.groups.len(), limits::LINES)?;
    at_most(place, body.marks.len(), limits::LINES)?;
    at_most(place, body.groups.len().saturating_mul(body.categories.len()), limits::POINTS)?;
    for group in &body.groups {
        let place = format!("{place}, group {:?}", json::clip(&group.name));
        text(&place, &group.name)?;
        same_length(&place, group.values.len(), body.categories.len())?;
        for value in group.values.iter().flatten() {
            finite(&place, *value)?;
        }
        if let Some(values) = &group.band {
            band(&place, values, group.values.len(), &body.value)?;
        }
    }
    for mark in &body.marks {
        text(place, &mark.label)?;
        finite(place, mark.value)?;
    }
    Ok(())
}

fn table(place: &str, body: &Table) -> Check {
    at_most(place, body.columns.len(), limits::LINES)?;
    rule(place, !body.columns.is_empty(), "a table needs at least one column")?;
    for column in &body.columns {
        text(place, &column.name)?;
        text(place, &column.unit)?;
        rule(place, column.digits <= 12, "a double has no use for more than 12 digits after the point")?;
    }
    at_most(place, body.rows.len(), limits::ROWS)?;
    at_most(place, body.rows.len().saturating_mul(body.columns.len()), limits::CELLS)?;
    for (index, row) in body.rows.iter().enumerate() {
        let place = format!("{place}, row {index}");
        same_length(&place, row.len(), body.columns.len())?;
        for cell in row {
            match cell {
                Cell::Missing => {}
                Cell::Number(value) => finite(&place, *value)?,
                Cell::Text(words) => text(&place, words)?,
            }
        }
    }
    Ok(())
}

fn circuit(place: &str, body: &Circuit) -> Check {
    text(place, &body.weight_label)?;
    rule(place, body.layers <= limits::GRID, "more layers than can be drawn (1,024)")?;
    for found in [body.nodes.len(), body.writers.len(), body.readers.len()] {
        at_most(place, found, limits::NODES)?;
    }
    at_most(place, body.edges.len(), limits::EDGES)?;
    texts_up_to(place, &body.groups, limits::LINES)?;
    texts_up_to(place, &body.sets, limits::LINES)?;
    let mut names = BTreeSet::new();
    for node in &body.nodes {
        unique(place, &node.name, &mut names)?;
        text(place, &node.label)?;
        rule(place, node.column < limits::GRID, "a box's column is 1,024 or more")?;
        if matches!(node.kind, NodeKind::Head | NodeKind::Mlp) {
            inside(place, node.layer, body.layers as usize)?;
        }
        if let Some(group) = node.group {
            inside(place, group, body.groups.len())?;
        }
    }
    names.clear();
    for writer in &body.writers {
        unique(place, &writer.name, &mut names)?;
        inside(place, writer.node, body.nodes.len())?;
    }
    names.clear();
    for reader in &body.readers {
        unique(place, &reader.name, &mut names)?;
        text(place, &reader.port)?;
        rule(place, !reader.nodes.is_empty(), "a reader belongs to at least one box")?;
        at_most(place, reader.nodes.len(), limits::GRID as usize)?;
        for node in &reader.nodes {
            inside(place, *node, body.nodes.len())?;
        }
    }
    edges(place, body)
}

fn edges(place: &str, body: &Circuit) -> Check {
    let mut seen = BTreeSet::new();
    let mut kept = 0u64;
    for edge in &body.edges {
        inside(place, edge.writer, body.writers.len())?;
        inside(place, edge.reader, body.readers.len())?;
        inside(place, edge.set, body.sets.len().max(1))?;
        finite(place, edge.weight)?;
        kept += u64::from(edge.kept);
        rule(place, seen.insert((edge.writer, edge.reader)), "an edge is listed twice")?;
    }
    rule(place, kept <= body.totals.kept, "more kept edges are listed than the total says")?;
    rule(place, body.totals.kept <= body.totals.edges, "more edges are kept than the graph has")
}

fn searches(place: &str, body: &Searches) -> Check {
    text(place, &body.score_label)?;
    texts_up_to(place, &body.readings, limits::TREES)?;
    at_most(place, body.trees.len(), limits::TREES)?;
    for tree in &body.trees {
        let place = format!("{place}, tree {:?}", json::clip(&tree.name));
        text(&place, &tree.name)?;
        text(&place, &tree.note)?;
        at_most(&place, tree.branches.len(), limits::BRANCHES)?;
        at_most(&place, tree.list.len(), limits::BRANCHES)?;
        for (index, branch) in tree.branches.iter().enumerate() {
            text(&place, &branch.text)?;
            text(&place, &branch.note)?;
            branch.score.map_or(Ok(()), |score| finite(&place, score))?;
            // What goes on from a branch stands behind it, so there are no circles.
            branch.parent.map_or(Ok(()), |parent| inside(&place, parent, index))?;
            branch.place.map_or(Ok(()), |at| inside(&place, at, tree.list.len()))?;
        }
        for listed in &tree.list {
            text(&place, &listed.text)?;
            text(&place, &listed.source)?;
            listed.score.map_or(Ok(()), |score| finite(&place, score))?;
            at_most(&place, listed.readings.len(), body.readings.len())?;
            listed.readings.iter().try_for_each(|reading| inside(&place, *reading, body.readings.len()))?;
        }
    }
    Ok(())
}

fn axis(place: &str, axis: &Axis) -> Check {
    text(place, &axis.label)?;
    text(place, &axis.unit)?;
    if let Some([low, high]) = axis.range {
        on_axis(place, &[low, high], axis)?;
        rule(place, low < high, "the axis ends where it starts or before")?;
    }
    Ok(())
}

fn on_axis(place: &str, values: &[f64], axis: &Axis) -> Check {
    for value in values {
        finite(place, *value)?;
        if axis.scale == Scale::Log {
            rule(place, *value > 0.0, "a logarithmic axis shows only values above zero")?;
        }
    }
    Ok(())
}

fn band(place: &str, band: &Band, len: usize, axis: &Axis) -> Check {
    same_length(place, band.low.len(), len)?;
    same_length(place, band.high.len(), len)?;
    on_axis(place, &band.low, axis)?;
    on_axis(place, &band.high, axis)?;
    let ordered = band.low.iter().zip(&band.high).all(|(low, high)| low <= high);
    rule(place, ordered, "a band's lower bound lies above its upper bound")
}

fn schema(found: &str, expected: &'static str) -> Check {
    if found == expected {
        return Ok(());
    }
    Err(FindingsError::Schema { found: json::clip(found), expected })
}

fn text(place: &str, text: &str) -> Check {
    if text.len() > limits::TEXT_BYTES {
        return Err(FindingsError::TextTooLong { place: place.to_owned(), found: text.len(), limit: limits::TEXT_BYTES });
    }
    Ok(())
}

fn texts(place: &str, list: &[String]) -> Check {
    texts_up_to(place, list, limits::ENTRIES)
}

fn texts_up_to(place: &str, list: &[String], limit: usize) -> Check {
    at_most(place, list.len(), limit)?;
    list.iter().try_for_each(|entry| text(place, entry))
}

fn at_most(place: &str, found: usize, limit: usize) -> Check {
    if found > limit {
        return Err(FindingsError::TooMany { place: place.to_owned(), found, limit });
    }
    Ok(())
}

fn same_length(place: &str, found: usize, expected: usize) -> Check {
    if found != expected {
        return Err(FindingsError::LengthMismatch { place: place.to_owned(), found, expected });
    }
    Ok(())
}

fn inside(place: &str, index: u32, len: usize) -> Check {
    let index = index as usize;
    if index >= len {
        return Err(FindingsError::OutOfRange { place: place.to_owned(), index, len });
    }
    Ok(())
}

fn finite(place: &str, value: f64) -> Check {
    if value.is_finite() {
        return Ok(());
    }
    Err(FindingsError::NotFinite { place: place.to_owned() })
}

fn rule(place: &str, holds: bool, reason: &str) -> Check {
    if holds {
        return Ok(());
    }
    Err(FindingsError::Invalid { place: place.to_owned(), reason: reason.to_owned() })
}

fn id<'a>(place: &str, name: &'a str, seen: &mut BTreeSet<&'a str>) -> Check {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    rule(
        place,
        plain && !name.is_empty() && name.len() <= limits::ID_BYTES,
        "a name is made of 1 to 100 letters, digits, '-', '_' or '.'",
    )?;
    rule(place, seen.insert(name), "the name is used twice")
}

fn unique<'a>(place: &str, name: &'a str, seen: &mut BTreeSet<&'a str>) -> Check {
    text(place, name)?;
    rule(place, seen.insert(name), "two writers, readers or boxes have the same name")
}

fn hash(place: &str, sha256: &str) -> Check {
    let hex = sha256.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    rule(place, sha256.is_empty() || (hex && sha256.len() == 64), "a SHA-256 has 64 lower-case hex digits")
}

/// Walks the configuration without recursion.
fn config_depth(config: &serde_json::Value) -> Check {
    let mut waiting = vec![(config, 1usize)];
    while let Some((value, depth)) = waiting.pop() {
        rule("config", depth <= limits::CONFIG_DEPTH, "nested deeper than 64 levels")?;
        match value {
            serde_json::Value::Array(list) => waiting.extend(list.iter().map(|entry| (entry, depth + 1))),
            serde_json::Value::Object(map) => {
                for (name, entry) in map {
                    text("config", name)?;
                    waiting.push((entry, depth + 1));
                }
            }
            serde_json::Value::String(words) => text("config", words)?,
            _ => {}
        }
    }
    Ok(())
}
