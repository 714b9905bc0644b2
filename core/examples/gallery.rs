//! One report with every kind of panel, one with hostile labels: what the browser tests open. All figures in it are invented.
//!
//! `cargo run --release -p vitrine-core --example gallery FOLDER`
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::unwrap_used,
    clippy::too_many_arguments,
    clippy::wildcard_imports,
    clippy::redundant_closure,
    reason = "an example writes files, says where, and may end with a panic; it shows every kind of finding"
)]

use vitrine_core::findings::*;
use vitrine_core::report::{self, Options};

/// Two trees with lists; figures and queries are invented.
fn searches() -> Searches {
    use BranchFate::{Dropped, Ended, Inner};
    let branch = |parent: Option<u32>, text: &str, score: f64, fate: BranchFate, allowed: Option<u64>, place: Option<u32>| Branch {
        parent,
        text: text.into(),
        score: Some(score),
        fate,
        allowed,
        place,
        note: if fate == Inner { "Beside it: 9 scored lower than those kept".into() } else { String::new() },
    };
    let listed = |text: &str, score: f64, readings: &[u32]| Listed {
        text: text.into(),
        score: Some(score),
        readings: readings.to_vec(),
        source: "plain beam, rank 1".into(),
    };
    let tree = |name: &str| Tree {
        name: name.into(),
        note: "412 prefixes scored in 38 batches".into(),
        branches: vec![
            branch(None, "select", -0.01, Inner, Some(2_318), None),
            branch(Some(0), " years_old from singer", -0.75, Inner, Some(2_318), None),
            branch(Some(1), " where country = 'France'", -0.9, Ended, None, Some(0)),
            branch(Some(1), " where song_name like 'Love%' and country = 'France' and is_male = 'F'", -2.5, Ended, None, None),
            branch(Some(0), " birthdate from singer where country = 'France'", -1.2, Ended, None, Some(1)),
            branch(Some(0), " birthdate from", -4.0, Dropped, None, None),
        ],
        list: vec![
            listed("select years_old from singer where country = 'France'", -0.9, &[0]),
            listed("select birthdate from singer where country = 'France'", -1.2, &[1]),
        ],
    };
    Searches {
        readings: vec![
            "select years_old from singer where country = 'France'".into(),
            "select birthdate from singer where country = 'France'".into(),
        ],
        trees: vec![tree("Plain beam search"), tree("LogicalBeam")],
        score_label: "log-probability (nats)".into(),
    }
}

fn noise(i: u64) -> f64 {
    let mut x = i.wrapping_mul(0x9E3779B97F4A7C15);
    x ^= x >> 29;
    x = x.wrapping_mul(0xBF58476D1CE4E5B9);
    x ^= x >> 32;
    (x % 1_000_000) as f64 / 1_000_000.0
}

fn record(study: &str) -> RunRecord {
    let mut r = RunRecord::new(study);
    r.config = serde_json::json!({"preset":"quick","model":"smollm2-135m","steps":400,"batch":8,"target_sparsity":0.98,"learning_rate":{"log_alpha":0.8,"lambda":0.4},"ablation":"interchange","tasks":["ioi","gp"]});
    r.config_hash = sha256_hex(r.config.to_string().as_bytes());
    r.seed = 20_241_123;
    r.command = ["vitrine", "run", study, "--preset", "quick", "--seed", "20241123", "--set", "task=ioi", "--out", "runs/my run"]
        .map(String::from)
        .to_vec();
    r.versions.insert("burn".into(), "0.22.1".into());
    r.versions.insert("rustc".into(), "1.95.0".into());
    r.versions.insert("vitrine".into(), "0.1.0".into());
    r.git_revision = Some("3f2a9c1e77b04d5d8f11c2a6b9e0d4473a5e6c21".into());
    r.cargo_lock_sha256 = sha256_hex(b"lock");
    r.device = "CPU (flex), 2 cores".into();
    r.data.insert("ioi.jsonl".into(), sha256_hex(b"ioi"));
    r.models.insert("smollm2-135m.gguf".into(), sha256_hex(b"m"));
    r.started_unix_ms = 1_795_424_557_000;
    r.finished_unix_ms = 1_795_424_670_250;
    r.duration_s = 113.25;
    r.peak_memory_bytes = Some(2_345_678_901);
    r
}

fn claim(
    id: &str,
    statement: &str,
    published: Option<&str>,
    found: &str,
    tolerance: &str,
    verdict: Verdict,
    differs: &str,
    own: bool,
) -> Claim {
    Claim {
        id: id.into(),
        statement: statement.into(),
        source: Source {
            paper: "Bhaskar, Wettig, Friedman, Chen, Finding Transformer Circuits with Edge Pruning, NeurIPS 2024".into(),
            section: "section 4.1, figure 3".into(),
            published: !own,
        },
        published: published.map(Into::into),
        found: found.into(),
        tolerance: tolerance.into(),
        verdict,
        differs: differs.into(),
    }
}

fn findings() -> Findings {
    let mut f = Findings::new("edge-pruning", "Circuits by pruning edges");
    f.summary.push("On indirect object identification, edge pruning keeps 2% of SmolLM2’s edges and stays closer to the full model than gradient scores do at the same size.".into());
    f.summary.push("Both compiled Tracr circuits come back exactly in all five seeds.".into());
    f.caveats.push("The model is small (135M parameters) and the run is short (400 steps, 200 examples); published figures are for GPT-2 and 100,000 examples.".into());
    f.caveats.push("Circuits vary between seeds: 81% of edges are shared by at least four of five.".into());
    f.claims.push(claim(
        "tracr",
        "Both Tracr circuits are recovered exactly.",
        Some("5 and 9 edges, exact"),
        "5 of 5 and 9 of 9 edges in 5 of 5 seeds",
        "exact match in at least 4 of 5 seeds",
        Verdict::Holds,
        "",
        false,
    ));
    f.claims.push(claim(
        "kl",
        "At equal edge counts edge pruning has a lower KL divergence than EAP.",
        Some("0.22 against 3.66 nats at 96.6% sparsity"),
        "0.41 against 1.87 nats at 98% sparsity",
        "edge pruning below EAP at all three sizes",
        Verdict::Holds,
        "SmolLM2-135M instead of GPT-2 small; 200 examples; 400 steps",
        false,
    ));
    f.claims.push(claim(
        "half",
        "It needs less than half the edges of the next method at equal faithfulness.",
        Some("2.65× fewer"),
        "1.7× fewer",
        "at least 2× fewer",
        Verdict::Fails,
        "a smaller model, fewer steps",
        false,
    ));
    f.claims.push(claim(
        "code",
        "Two CodeLlama-13B circuits overlap in 62.7% of edges.",
        Some("653 of 1,041"),
        "not computed",
        "",
        Verdict::NotTested,
        "needs a GPU with 80 GB",
        false,
    ));
    f.claims.push(claim(
        "speed",
        "A masked step costs at most six plain forwards.",
        None,
        "4.8 forwards",
        "at most 6",
        Verdict::Holds,
        "",
        true,
    ));
    let xs: Vec<f64> = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5].to_vec();
    let mk = |name: &str, s: f64, p: f64| {
        let y: Vec<f64> =
            xs.iter().enumerate().map(|(i, x)| s * (x / 0.002f64).powf(-p) * (1.0 + 0.1 * noise(i as u64 + (s * 100.0) as u64))).collect();
        let lo = y.iter().map(|v| v * 0.85).collect();
        let hi = y.iter().map(|v| v * 1.2).collect();
        Line::new(name, xs.clone(), y).band(lo, hi)
    };
    f.panels.push(Panel::new(
        "faithfulness",
        "Faithfulness by circuit size",
        "KL divergence from the full model on 200 test prompts, by share of edges kept. Lower is better.",
        Series {
            x: Axis::new("share of edges kept", "").log(),
            y: Axis::new("KL divergence", "nats").log(),
            lines: vec![mk("Edge Pruning", 2.0, 0.75), mk("EAP-IG, m = 5", 3.1, 0.62), mk("EAP", 4.2, 0.45)],
            marks: vec![Mark { label: "published, GPT-2 at 3.4%".into(), value: 0.22 }],
            band_note: "95% bootstrap interval over 200 prompts".into(),
        },
    ));
    let steps: Vec<f64> = (0..400).map(f64::from).collect();
    let loss: Vec<f64> = steps.iter().map(|s| 1.5 * (-s / 90.0).exp() + 0.3 + 0.12 * noise(*s as u64)).collect();
    let sp: Vec<f64> = steps.iter().map(|s| 0.98 * (1.0 - (-s / 80.0).exp())).collect();
    let tg: Vec<f64> = steps.iter().map(|s| (0.98 * s / 300.0).min(0.98)).collect();
    f.panels.push(Panel::new(
        "training",
        "Training",
        "The loss while edges are pruned.",
        Series {
            x: Axis::new("step", ""),
            y: Axis::new("loss", "nats"),
            lines: vec![Line::new("KL", steps.clone(), loss)],
            ..Default::default()
        },
    ));
    f.panels.push(Panel::new(
        "sparsity",
        "Sparsity reached",
        "Sparsity of the sampled masks beside its target.",
        Series {
            x: Axis::new("step", ""),
            y: Axis::new("sparsity", "").range(0.0, 1.0),
            lines: vec![Line::new("expected", steps.clone(), sp), Line::new("target", steps, tg)],
            ..Default::default()
        },
    ));
    f.panels.push(Panel::new(
        "scatter",
        "Scores agree with patching",
        "Attribution score of each edge beside exact patching.",
        Series {
            x: Axis::new("exact patching", "nats"),
            y: Axis::new("score", "nats"),
            lines: vec![
                Line::new("EAP-IG", (0..60).map(|i| noise(i)).collect(), (0..60).map(|i| noise(i) + 0.1 * noise(i + 99)).collect())
                    .points(),
                Line::new("EAP", (0..60).map(|i| noise(i)).collect(), (0..60).map(|i| 0.4 * noise(i) + 0.4 * noise(i + 999)).collect())
                    .points(),
            ],
            ..Default::default()
        },
    ));
    f.panels.push(Panel::new(
        "accuracy",
        "Accuracy by task",
        "Share of prompts on which the circuit ranks the right answer first.",
        Bars {
            value: Axis::new("accuracy", "%").range(0.0, 100.0),
            categories: vec!["indirect objects".into(), "gendered pronouns".into(), "greater-than".into()],
            groups: vec![
                BarGroup {
                    name: "full model".into(),
                    values: vec![Some(91.0), Some(84.5), Some(72.0)],
                    band: Some(Band { low: vec![88.0, 81.0, 68.0], high: vec![94.0, 88.0, 76.0] }),
                },
                BarGroup {
                    name: "Edge Pruning, 2%".into(),
                    values: vec![Some(89.0), Some(82.0), Some(66.5)],
                    band: Some(Band { low: vec![85.0, 78.0, 62.0], high: vec![92.0, 85.0, 71.0] }),
                },
                BarGroup { name: "EAP-IG, 2%".into(), values: vec![Some(71.0), Some(64.0), None], band: None },
            ],
            marks: vec![Mark { label: "chance".into(), value: 50.0 }],
            band_note: "95% bootstrap interval".into(),
        },
    ));
    let mut t = Table::new(vec![
        Column::text("Method"),
        Column::number("Edges", 0),
        Column::number("KL", 3).unit("nats").best(Best::Lowest),
        Column::number("Exact match", 1).unit("%").best(Best::Highest),
        Column::number("Logit difference", 2),
        Column::number("Time", 1).unit("s").best(Best::Lowest),
    ]);
    for (m, e, k, x, l, s) in [
        ("Edge Pruning", 353usize, 0.912, 61.2, 1.9, 88.0),
        ("EAP-IG, m = 5", 353, 1.902, 40.1, 1.1, 9.4),
        ("EAP", 353, 3.412, 31.0, 0.4, 2.1),
        ("Edge Pruning", 706, 0.611, 70.4, 2.4, 88.1),
        ("EAP-IG, m = 5", 706, 1.207, 52.9, 1.6, 9.4),
        ("EAP", 706, 2.550, 38.2, 0.8, 2.1),
        ("Edge Pruning", 1413, 0.410, 79.9, 2.7, 87.8),
        ("EAP-IG, m = 5", 1413, 0.733, 66.0, 2.2, 9.4),
        ("EAP", 1413, 1.871, 44.7, -0.2, 2.1),
    ] {
        t.push(vec![m.into(), e.into(), k.into(), x.into(), l.into(), s.into()]);
    }
    t.push(vec!["ACDC".into(), 1413usize.into(), "did not finish".into(), Cell::Missing, Cell::Missing, 1800.0.into()]);
    f.panels.push(Panel::new(
        "methods",
        "Methods at equal edge counts",
        "Test split of indirect object identification, three circuit sizes.",
        t,
    ));
    // Tracr
    let mut c = TransformerShape { embeddings: vec!["tok_embeds".into(), "pos_embeds".into()], layers: 2, heads: 1, kv_heads: 1 }
        .circuit("mask value")
        .unwrap();
    c.nodes[0].name = "tok_embeds".into();
    for (w, r, x) in [
        ("tok_embeds", "m0", 0.98),
        ("pos_embeds", "a1.h0.q", 0.93),
        ("pos_embeds", "a1.h0.k", 0.91),
        ("m0", "a1.h0.v", 0.99),
        ("a1.h0", "resid_post", -0.9),
    ] {
        c.edges.push(Edge::kept(c.writer_index(w).unwrap(), c.reader_index(r).unwrap(), x));
    }
    c.totals.kept = 5;
    f.panels.push(Panel::new("tracr", "The circuit of xproportion", "Zero ablation; the five edges are those of the compiled program.", c));
    // smollm2
    let mut c =
        TransformerShape { embeddings: vec!["tok_embeds".into()], layers: 30, heads: 9, kv_heads: 3 }.circuit("attribution score").unwrap();
    c.groups = vec!["name movers".into(), "duplicate token heads".into()];
    let (w, r) = (c.writers.len() as u32, c.readers.len() as u32);
    let mut n = 0u64;
    let mut seen = std::collections::BTreeSet::new();
    let layer = |name: &str| -> u32 {
        if name.starts_with("tok") {
            0
        } else if name.starts_with("resid") {
            99
        } else {
            let l: u32 = name[1..].split('.').next().unwrap().parse().unwrap();
            if name.starts_with('m') { 2 * l + 2 } else { 2 * l + 1 }
        }
    };
    while seen.len() < 1413 {
        n += 1;
        let a = (noise(n * 3).powi(2) * f64::from(w)) as u32;
        let b = ((1.0 - noise(n * 3 + 1).powi(3)) * f64::from(r)) as u32;
        let b = b.min(r - 1);
        if layer(&c.writers[a as usize].name) < layer(&c.readers[b as usize].name) && seen.insert((a, b)) {
            let v = noise(n * 3 + 2).powi(8) * 0.9 + 0.01;
            c.edges.push(Edge::kept(a, b, if noise(n * 7) < 0.3 { -v } else { v }));
        }
    }
    c.totals.kept = 1413;
    c.nodes[120].group = Some(0);
    c.nodes[204].group = Some(0);
    c.nodes[45].group = Some(1);
    c.nodes[204].label = "writes the indirect object".into();
    f.panels.push(Panel::new("ioi", "The circuit of indirect object identification", "SmolLM2-135M, interchange ablation.", c));
    let mut c = TransformerShape { embeddings: vec!["tok_embeds".into()], layers: 6, heads: 8, kv_heads: 8 }.circuit("mask value").unwrap();
    c.sets = vec!["in both".into(), "only seed 1".into(), "only seed 2".into()];
    let mut seen = std::collections::BTreeSet::new();
    let (w, r) = (c.writers.len() as u32, c.readers.len() as u32);
    let mut n = 5000u64;
    while seen.len() < 90 {
        n += 1;
        let a = (noise(n * 3) * f64::from(w)) as u32;
        let b = (noise(n * 3 + 1) * f64::from(r)) as u32;
        if layer(&c.writers[a as usize].name) < layer(&c.readers[b as usize].name) && seen.insert((a, b)) {
            c.edges.push(Edge { writer: a, reader: b, weight: 0.2 + 0.8 * noise(n), kept: true, set: (n % 3) as u32 });
        }
    }
    c.totals.kept = 90;
    f.panels.push(Panel::new("seeds", "Two seeds compared", "Edges of two runs with the same settings.", c));
    f.panels.push(Panel::new(
        "searches",
        "What two searches did with one question",
        "Pieces without an alternative make one branch.",
        searches(),
    ));
    f.panels.push(Panel::new("notes","How to read these circuits","",Text{paragraphs:vec!["Every component that adds to the residual stream is a writer; every input that reads it is a reader. An edge is kept when cutting it would change the answer too much.".into()],fixed_width:false}));
    f.panels.push(Panel::new("prompts","A prompt pair","Clean and corrupted prompt of the same length.",Text{paragraphs:vec!["clean      When Mary and John went to the store, John gave a drink to\ncorrupted  When Mary and John went to the store, Anna gave a drink to".into()],fixed_width:true}));
    f
}

fn hostile() -> Findings {
    let mut f = findings();
    let bad = [
        "</script><script>window.hacked=1</script>",
        "<img src=x onerror=window.hacked=1>",
        "\u{202e}gnp.exe\u{2066}",
        "\0\u{1b}[31m",
        "👩\u{200d}💻🏴 e\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}",
        "\" onmouseover=\"window.hacked=1",
        "=HYPERLINK(1)",
        "שלום עולם العربية",
    ];
    let mut k = 0;
    let mut next = || {
        k += 1;
        format!("{} {}", bad[k % bad.len()], k)
    };
    f.title = next();
    f.summary = vec![next()];
    f.caveats = vec![next(), "<é".repeat(300_000)];
    for c in &mut f.claims {
        c.statement = next();
        c.found = next();
        c.differs = next();
        c.source.paper = next();
        c.published = Some("W".repeat(5000));
    }
    for p in &mut f.panels {
        p.title = next();
        p.caption = next();
        match &mut p.body {
            Body::Series(s) => {
                s.x.label = next();
                s.y.label = next();
                s.y.unit = next();
                for l in &mut s.lines {
                    l.name = next();
                }
                for m in &mut s.marks {
                    m.label = "M".repeat(1 << 20);
                }
                s.band_note = next();
            }
            Body::Bars(b) => {
                b.value.label = next();
                for c in &mut b.categories {
                    *c = next();
                }
                for g in &mut b.groups {
                    g.name = next();
                }
            }
            Body::Table(t) => {
                for c in &mut t.columns {
                    c.name = next();
                    c.unit = next();
                }
                for r in &mut t.rows {
                    r[0] = Cell::Text(next());
                }
                t.rows[1][0] = Cell::Text("x".repeat(1 << 20));
                t.rows[0][0] = Cell::Text("=1+1".into());
            }
            Body::Searches(s) => {
                s.score_label = next();
                for r in &mut s.readings {
                    *r = next();
                }
                for t in &mut s.trees {
                    t.name = next();
                    t.note = next();
                    for b in &mut t.branches {
                        b.text = next();
                        b.note = next();
                    }
                    for l in &mut t.list {
                        l.text = next();
                        l.source = next();
                    }
                }
            }
            Body::Circuit(c) => {
                c.weight_label = next();
                for n in &mut c.nodes {
                    n.name = format!("{}{}", next(), n.name);
                    n.label = next();
                }
                for n in &mut c.writers {
                    n.name = format!("{}{}", next(), n.name);
                }
                for n in &mut c.readers {
                    n.name = format!("{}{}", next(), n.name);
                }
                for g in &mut c.groups {
                    *g = next();
                }
                for g in &mut c.sets {
                    *g = next();
                }
            }
            Body::Pictures(p) => {
                for picture in &mut p.pictures {
                    (picture.caption, picture.described) = (next(), next());
                }
            }
            Body::Text(t) => {
                t.paragraphs = vec![next(), "z".repeat(1 << 20)];
            }
        }
    }
    f
}

fn main() {
    let dir = std::env::args().nth(1).map(|d| format!("{d}/")).unwrap_or_default();
    let runs = [(record("edge-pruning"), findings())];
    let html = report::render(&runs, &Options::default()).unwrap();
    println!("gallery {} bytes", html.len());
    assert!(report::verify(&html).unwrap().ok());
    std::fs::write(format!("{dir}gallery.html"), &html).unwrap();
    std::fs::write(format!("{dir}gallery.json"), report::to_json(&runs).unwrap()).unwrap();
    let mut h = record("<b>hostile</b>");
    h.command = vec!["vitrine".into(), "run\u{202e}".into(), "it's $HOME\n".into()];
    h.device = "\u{202e}UPC</dd>".into();
    h.versions.insert("<i>".into(), "\0".into());
    let html = report::render(&[(h, hostile())], &Options::default()).unwrap();
    assert!(report::verify(&html).unwrap().ok());
    println!("hostile {} bytes", html.len());
    std::fs::write(format!("{dir}hostile.html"), &html).unwrap();
    let mut f2 = findings();
    f2.study = "heuristic-core".into();
    f2.title = "Subnetworks that generalise differently".into();
    f2.panels.truncate(2);
    let html = report::render(
        &[(record("edge-pruning"), findings()), (record("heuristic-core"), f2)],
        &Options { title: Some("All studies".into()), ..Default::default() },
    )
    .unwrap();
    std::fs::write(format!("{dir}several.html"), &html).unwrap();
}
