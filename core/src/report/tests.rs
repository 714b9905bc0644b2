//! Properties of whole reports: nothing escapes, nothing varies, nothing can be changed unseen.

use proptest::prelude::*;

use super::{Difference, Options, Run, diff, extract, render, to_json, verify};
use crate::findings::{
    Axis, BarGroup, Bars, Best, Body, Branch, BranchFate, Claim, Column, Edge, Findings, Line, Listed, Mark, Panel, RunRecord, Searches,
    Series, Source, Table, Text, TransformerShape, Tree, Verdict,
};

/// A run whose every text is `label`.
fn run_with(label: &str) -> Run {
    let mut record = RunRecord::new(label);
    record.config = serde_json::json!({ "steps": 100, "name": label, "list": [label, 1.5] });
    record.command = vec!["vitrine".to_owned(), label.to_owned()];
    record.device = label.to_owned();
    record.versions.insert(label.to_owned(), label.to_owned());
    record.data.insert(label.to_owned(), "ab".repeat(32));
    record.git_revision = Some(label.to_owned());
    let text = || label.to_owned();
    let mut findings = Findings::new(text(), text());
    findings.summary.push(text());
    findings.caveats.push(text());
    findings.claims.push(Claim {
        id: "one".to_owned(),
        statement: text(),
        source: Source { paper: text(), section: text(), published: true },
        published: Some(text()),
        found: text(),
        tolerance: text(),
        verdict: Verdict::Holds,
        differs: text(),
    });
    let axis = || Axis::new(text(), text());
    let series = Series {
        x: axis(),
        y: axis(),
        lines: vec![Line::new(text(), vec![0.0, 1.0], vec![0.25, 0.5]).band(vec![0.1, 0.4], vec![0.3, 0.6])],
        marks: vec![Mark { label: text(), value: 0.3 }],
        band_note: text(),
    };
    let bars = Bars {
        value: axis(),
        categories: vec![text()],
        groups: vec![BarGroup { name: text(), values: vec![Some(3.0)], band: None }],
        ..Bars::default()
    };
    let mut table = Table::new(vec![Column::text(text()), Column::number(text(), 3).unit(text()).best(Best::Lowest)]);
    table.push(vec![label.into(), 0.123.into()]);
    table.push(vec![label.into(), label.into()]);
    let shape = TransformerShape { embeddings: vec!["tok_embeds".to_owned()], layers: 2, heads: 2, kv_heads: 1 };
    let mut circuit = shape.circuit(text()).unwrap();
    circuit.nodes[1].name = text();
    circuit.nodes[1].label = text();
    circuit.nodes[1].group = Some(0);
    circuit.groups.push(text());
    circuit.writers[1].name = text();
    circuit.readers[0].name = text();
    circuit.edges = vec![Edge::kept(0, 0, 0.5), Edge::kept(1, 8, -0.25)];
    circuit.totals.kept = 2;
    let branch = |parent, fate, place| Branch { parent, text: text(), score: Some(-1.25), fate, allowed: Some(7), place, note: text() };
    let tree = || Tree {
        name: text(),
        note: text(),
        branches: vec![
            branch(None, BranchFate::Inner, None),
            branch(Some(0), BranchFate::Ended, Some(0)),
            branch(Some(0), BranchFate::Dropped, None),
        ],
        list: vec![Listed { text: text(), score: Some(-1.25), readings: vec![1], source: text() }],
    };
    let searches = Searches { readings: vec![text(), text()], trees: vec![tree(), tree()], score_label: text() };
    let words = Text { paragraphs: vec![text()], fixed_width: false };
    let fixed = Text { paragraphs: vec![text()], fixed_width: true };
    let bodies: [Body; 7] = [series.into(), bars.into(), table.into(), circuit.into(), words.into(), fixed.into(), searches.into()];
    for (index, body) in bodies.into_iter().enumerate() {
        findings.panels.push(Panel::new(format!("p{index}"), text(), text(), body));
    }
    (record, findings)
}

fn page(label: &str) -> String {
    render(&[run_with(label)], &Options::default()).unwrap()
}

/// Every element the page opens or closes, in order, with the names of its attributes: what a browser would build.
/// Scripts and styles are skipped over, as a browser does.
fn skeleton(html: &str) -> Vec<String> {
    let mut out = Vec::new();
    // How many words a command has is no question of markup either.
    let html = html.replace("</span> <span class=\"word\">", " ");
    let mut rest = html.as_str();
    while let Some((_, after)) = rest.split_once('<') {
        let mut names = String::new();
        let mut quoted = false;
        let end = after.find(|c| {
            quoted ^= c == '"';
            if !quoted && c != '>' {
                names.push(c);
            }
            !quoted && c == '>'
        });
        rest = &after[end.expect("a tag ends")..];
        for (raw, close) in [("script", "</script>"), ("style", "</style>")] {
            if names.split(' ').next() == Some(raw) {
                rest = &rest[rest.find(close).expect("an end tag")..];
            }
        }
        // Lines of a wrapped text: how many there are is a question of words.
        if names != "/tspan" && names != "tspan x=\" y=\"" {
            out.push(names);
        }
    }
    out
}

const HOSTILE: &[&str] = &[
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "]]><img src=x onerror=alert(1)>",
    "\" onload=\"alert(1)\" x=\"",
    "'><svg/onload=alert(1)>",
    "&lt;b&gt; &amp; &#x3c;script&#x3e;",
    "\0\u{1}\u{8}\u{1b}[31m\u{7f}\u{85}\u{9f}",
    "\u{202e}txt.exe\u{2066}\u{2069}\u{200f}",
    "\u{2028}\u{2029}\u{feff}\u{fffe}\u{ffff}",
    "👩\u{200d}👩\u{200d}👧 e\u{301}\u{301}\u{301} שלום العربية 日本語 🏴\u{e0067}\u{e0062}\u{e007f}",
    "a\r\nb\tc",
    "\\u003c/script>\\",
    "${alert(1)} {{x}} %s %00",
];

#[test]
fn hostile_labels_change_nothing_but_the_words() {
    let plain = skeleton(&page("plain"));
    for label in HOSTILE {
        let html = page(label);
        assert_eq!(skeleton(&html), plain, "{label:?} changes the page's elements");
        assert_eq!(extract(&html).unwrap().runs, [run_with(label)], "{label:?} does not come back");
        assert!(verify(&html).unwrap().ok(), "{label:?}: {}", verify(&html).unwrap());
        for hidden in ['\0', '\u{1b}', '\u{202e}', '\u{2066}', '\u{2028}', '\u{feff}', '\u{85}', '\r'] {
            assert!(!html.contains(hidden), "{label:?} leaves {hidden:?} in the page");
        }
    }
    assert!(verify(&page("")).unwrap().ok());
}

#[test]
fn a_label_of_a_megabyte_is_shown_short_and_kept_whole() {
    let label = "<é".repeat(350_000);
    let (record, mut findings) = run_with("plain");
    findings.panels[0].title.clone_from(&label);
    if let Body::Series(series) = &mut findings.panels[0].body {
        series.lines[0].name.clone_from(&label);
    }
    findings.claims[0].statement = label;
    let runs = [(record, findings)];
    let html = render(&runs, &Options::default()).unwrap();
    let data = runs[0].1.to_json().unwrap().len();
    assert!(html.len() < data + 400_000, "{} bytes for {data} bytes of data", html.len());
    assert_eq!(extract(&html).unwrap().runs, runs);
}

#[test]
fn trees_are_drawn_branch_for_branch_and_large_ones_stay_small() {
    let (record, mut findings) = run_with("plain");
    findings.panels.retain(|panel| matches!(panel.body, Body::Searches(_)));
    let Body::Searches(searches) = &mut findings.panels[0].body else { panic!("searches") };
    let branch = |at: u32| Branch {
        parent: at.checked_sub(1 + at % 3),
        text: format!(" stretch{at} <b> of a text that is much too long for the place that it is given"),
        score: Some(-f64::from(at) / 8.0),
        fate: if at % 4 == 3 { BranchFate::Dropped } else { BranchFate::Inner },
        allowed: Some(u64::from(at) + 1_000),
        place: (at == 20).then_some(0),
        note: "a note".into(),
    };
    let drawn = |findings: &Findings| render(&[(record.clone(), findings.clone())], &Options::default()).unwrap();
    searches.trees[0].branches = (0..40).map(branch).collect();
    searches.trees[1].branches.clear();
    searches.trees[1].list.clear();
    let html = drawn(&findings);
    // Twice, for wide and for narrow screens, and once in the table.
    let figures = html.split("<details").next().unwrap();
    for at in 0..40 {
        let title = format!("<title>stretch{at} &lt;b&gt; of a text that is much too long for the place that it is given; a note</title>");
        assert_eq!(figures.matches(&title).count(), 2, "{at}");
        assert_eq!(
            html.matches(&format!("stretch{at} &lt;b&gt; of a text that is much too long for the place that it is given</bdi>")).count(),
            1,
            "{at}"
        );
    }
    for score in ["−0.5 · 1,004 next", "−4.75 · 1,038 next"] {
        assert_eq!(figures.matches(score).count(), 2, "{score}");
    }
    assert_eq!(figures.matches("class=\"branch off\"").count(), 20);
    assert!(html.contains("nothing was written") && html.contains("Its list is empty"));
    let Body::Searches(searches) = &mut findings.panels[0].body else { panic!("searches") };
    searches.trees[0].branches = (0..2_000).map(branch).collect();
    let (bytes, data) = (drawn(&findings).len(), findings.to_json().unwrap().len());
    assert!(bytes < data + 400_000, "{bytes} bytes for {data} bytes of data");
    assert!(drawn(&findings).contains("and 1,850 more"));
}

#[test]
fn same_input_same_bytes_and_nothing_from_outside() {
    let (a, b) = (page("plain"), page("plain"));
    assert_eq!(a, b);
    assert!(!a.contains("://") && !a.contains("@import") && !a.contains("url(h"));
    for tag in skeleton(&a) {
        for forbidden in [" src=", " style=", " on", "iframe", "object", "embed", "form"] {
            assert!(!tag.contains(forbidden), "{forbidden:?} in {tag}");
        }
    }
}

#[test]
fn every_single_flipped_digit_is_noticed() {
    let html = page("plain 7");
    let digits: Vec<usize> = html.bytes().enumerate().filter(|(_, byte)| byte.is_ascii_digit()).map(|(at, _)| at).collect();
    assert!(digits.len() > 2_000);
    let data_from = html.find("<script type=\"application/json\"").unwrap();
    let data_to = html.rfind("<script>").unwrap();
    // Every third digit of the data blocks, and a spread of those elsewhere.
    let chosen = digits.iter().enumerate().filter(|(index, at)| (data_from..data_to).contains(*at) && *index % 3 == 0 || index % 40 == 0);
    let mut tried = 0;
    for (_, at) in chosen {
        let mut bytes = html.clone().into_bytes();
        bytes[*at] = if bytes[*at] == b'9' { b'0' } else { bytes[*at] + 1 };
        let changed = String::from_utf8(bytes).unwrap();
        let unseen = verify(&changed).is_ok_and(|report| report.ok());
        assert!(!unseen, "a digit flipped at byte {at} went unnoticed: {}", &html[at.saturating_sub(40)..at + 20]);
        tried += 1;
    }
    assert!(tried > 200, "only {tried} digits were tried");
}

#[test]
fn a_consistent_forgery_of_data_and_hash_is_noticed_in_the_page() {
    let html = page("plain");
    let forged = html.replace("[0.25,0.5]", "[0.75,0.5]");
    assert_ne!(html, forged);
    let block = extract(&forged).unwrap().blocks.into_iter().find(|block| block.id == "data-findings-1").unwrap();
    let forged = forged.replace(&block.listed, &crate::findings::sha256_hex(block.text.as_bytes()));
    let report = verify(&forged).unwrap();
    assert_eq!(report.problems.len(), 1);
    assert!(report.problems[0].contains("differs from the file at byte"), "{report}");
}

#[test]
fn files_that_are_no_reports_are_refused() {
    let html = page("plain");
    for broken in ["", "<html>", "<script type=\"application/json\" id=\"data-options\" data-sha256=\""] {
        assert!(verify(broken).is_err() && extract(broken).is_err());
    }
    for end in [html.len() / 3, html.len() - html.len() / 4, html.len() - 20] {
        let cut = &html[..html.floor_char_boundary(end)];
        assert!(!verify(cut).is_ok_and(|report| report.ok()));
    }
    assert!(render(&[], &Options::default()).is_err());
}

#[test]
fn the_twin_is_the_same_data() {
    let runs = [run_with("a"), run_with("b")];
    let twin: serde_json::Value = serde_json::from_str(&to_json(&runs).unwrap()).unwrap();
    assert_eq!(twin["schema"], "vitrine.report/1");
    for (index, (record, findings)) in runs.iter().enumerate() {
        assert_eq!(twin["runs"][index]["run"], serde_json::to_value(record).unwrap());
        assert_eq!(twin["runs"][index]["findings"], serde_json::to_value(findings).unwrap());
    }
}

#[test]
fn diff_names_the_changed_number_and_only_that() {
    let a = [run_with("same")];
    assert!(diff(&a, &a).is_empty());
    let mut b = a.clone();
    if let Body::Series(series) = &mut b[0].1.panels[0].body {
        series.lines[0].y[1] = 0.625;
    }
    let found = diff(&a, &b);
    let [Difference::Numbers { place, changed, largest, largest_at, a: left, b: right, .. }] = found.differences.as_slice() else {
        panic!("{found}")
    };
    assert_eq!((place.as_str(), *changed, largest_at.as_str()), ("same, panel p0", 1, "/lines/same/y/1"));
    assert_eq!((*largest, *left, *right), (0.125, 0.5, 0.625));

    let mut b = a.clone();
    b[0].1.claims[0].verdict = Verdict::Fails;
    b[0].0.config["steps"] = serde_json::json!(200);
    b[0].1.panels.pop();
    let words = diff(&a, &b).to_string();
    for part in ["same, claim one, verdict: holds -> fails", "config /steps: 100 -> 200", "only in a: same, panel p6"] {
        assert!(words.contains(part), "{part:?} is missing in {words}");
    }
}

#[test]
fn diff_pairs_lines_by_name_and_finds_the_largest() {
    let mut a = [run_with("s")];
    let mut b = a.clone();
    let lines = |first: &str, second: &str, values: [f64; 2]| {
        vec![Line::new(first, vec![0.0], vec![values[0]]), Line::new(second, vec![0.0], vec![values[1]])]
    };
    for (run, lines) in [(&mut a, lines("x", "y", [1.0, 2.0])), (&mut b, lines("y", "x", [2.5, 1.25]))] {
        if let Body::Series(series) = &mut run[0].1.panels[0].body {
            series.lines = lines;
        }
    }
    let found = diff(&a, &b);
    let [Difference::Numbers { changed: 2, largest, largest_at, .. }] = found.differences.as_slice() else { panic!("{found}") };
    assert_eq!((*largest, largest_at.as_str()), (0.5, "/lines/y/y/0"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]

    #[test]
    fn any_label_is_only_ever_text(label in "\\PC{0,40}|[<>&\"'/!\\\\a-z\0-\x1f -]{1,40}|.{1,60}") {
        let html = page(&format!("x{label}"));
        // The plain label is as long, so that both are shortened in the same places.
        let plain = page(&"x".repeat(1 + label.chars().count()));
        prop_assert!(skeleton(&html) == skeleton(&plain), "the label changes the page's elements");
        let back = extract(&html).unwrap();
        prop_assert_eq!(&back.runs[0], &run_with(&format!("x{label}")));
        for block in &back.blocks {
            prop_assert!(!block.text.contains('<'));
        }
        prop_assert!(verify(&html).unwrap().ok());
    }

    #[test]
    fn any_number_survives_the_page(
        y in proptest::collection::vec(
            proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL | proptest::num::f64::ZERO
            | proptest::num::f64::NEGATIVE | proptest::num::f64::POSITIVE, 1..20),
    ) {
        let (record, mut findings) = run_with("numbers");
        if let Body::Series(series) = &mut findings.panels[0].body {
            series.lines = vec![Line::new("y", y.clone(), y.clone())];
        }
        if let Body::Bars(bars) = &mut findings.panels[1].body {
            bars.groups[0].values[0] = Some(y[0]);
        }
        if let Body::Table(table) = &mut findings.panels[2].body {
            table.rows[0][1] = y[0].into();
        }
        let runs = [(record, findings)];
        let html = render(&runs, &Options::default()).unwrap();
        let drawn = html.split("<main").nth(1).unwrap().split("<footer").next().unwrap();
        prop_assert!(!drawn.contains("NaN") && !drawn.contains("inf"));
        prop_assert_eq!(extract(&html).unwrap().runs, runs);
        prop_assert!(verify(&html).unwrap().ok());
    }
}
