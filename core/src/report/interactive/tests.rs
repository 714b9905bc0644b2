//! A page that computes: the same bytes, nothing changed unseen, nothing let in.

use super::{Carried, Interactive, MOST_FILES};
use crate::{
    findings::{Findings, RunRecord, sha256_hex},
    report::{Options, Run, base64, extract, render, render_interactive, verify},
};

fn file(name: &str, bytes: &[u8]) -> Carried {
    // What is packed is the caller's business: these texts are never unpacked here.
    Carried { name: name.to_owned(), bytes: bytes.len() as u64, sha256: sha256_hex(bytes), packed: base64::encode(bytes) }
}

fn program(label: &str) -> Interactive {
    Interactive {
        script: "(function () { 'use strict'; const a = 1 < 2 && '</div>'; })();\n".to_owned(),
        style: ".interactive { .row { color: var(--ink); } }\n".to_owned(),
        words: vec![label.to_owned()],
        exhibits: serde_json::json!([{"id": label, "circuits": []}]),
        files: vec![file("a.wasm", b"one 1"), file(label, b"two 2")],
    }
}

fn runs() -> Vec<Run> {
    vec![(RunRecord::new("study"), Findings::new("study", "Title 5")), (RunRecord::new("study"), Findings::new("study", "Another"))]
}

fn page(program: &Interactive) -> String {
    render_interactive(&runs(), &Options::default(), Some(program)).unwrap()
}

#[test]
fn the_program_comes_back_whole_and_the_page_is_drawn_again() {
    let program = program("label");
    let html = page(&program);
    assert_eq!(html, page(&program));
    let extracted = extract(&html).unwrap();
    assert_eq!((extracted.runs, extracted.interactive.as_ref()), (runs(), Some(&program)));
    let report = verify(&html).unwrap();
    assert!(report.ok() && report.blocks.len() == 8, "{report}");
    // The policy lets in this script, WebAssembly and workers of the page's own making, and still no request.
    let policy = html.split("Content-Security-Policy\" content=\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(policy.starts_with("default-src 'none'; script-src 'sha256-"), "{policy}");
    assert!(policy.contains("'wasm-unsafe-eval'; style-src ") && policy.contains(" worker-src blob:;"), "{policy}");
    assert!(
        !policy.contains("unsafe-inline")
            && !policy.contains("'unsafe-eval'")
            && !policy.contains("connect-src")
            && !policy.contains("http")
    );
    let plain = render(&runs(), &Options::default()).unwrap();
    for word in ["wasm-unsafe-eval", "worker-src", "interactive-script", "interactive-style", "interactive-h", "data-file"] {
        assert!(!plain.contains(word), "{word} in a report that computes nothing");
    }
}

#[test]
fn every_change_of_program_or_files_is_noticed() {
    let program = program("label");
    let html = page(&program);
    let base = |bytes: &[u8]| base64::encode(bytes);
    let other = sha256_hex(b"other");
    for (from, to) in [
        (base(b"one 1"), base(b"one 2")),
        (program.files[1].sha256.clone(), other),
        ("1 < 2".to_owned(), "1 < 3".to_owned()),
        ("color: var(--ink)".to_owned(), "color: var(--bad)".to_owned()),
        ("wasm-unsafe-eval".to_owned(), "unsafe-eval".to_owned()),
        ("worker-src blob:".to_owned(), "worker-src *".to_owned()),
        ("id=\"data-file-2\"".to_owned(), "id=\"data-file-3\"".to_owned()),
    ] {
        let changed = html.replacen(&from, &to, 1);
        assert_ne!(changed, html, "{from}");
        assert!(!verify(&changed).is_ok_and(|report| report.ok()), "{from} -> {to} went unnoticed");
    }
    // A script that was exchanged together with its hash in the policy: the manifest still knows.
    let forged = html.replace("1 < 2", "1 < 3");
    let problems = verify(&forged).unwrap().problems;
    assert!(problems.iter().any(|problem| problem.starts_with("the interactive script has SHA-256")), "{problems:?}");
}

#[test]
fn names_are_only_ever_text() {
    let elements = |html: &str| html.split('<').filter_map(|part| part.split(['>', ' ']).next().map(str::to_owned)).collect::<Vec<_>>();
    let plain = elements(&page(&program("plain")));
    for label in ["</script><script>alert(1)</script>", "<!--", "\"><img src=x onerror=alert(1)>", "\u{202e}\0\u{2028}", "data-file-1"] {
        let program = program(label);
        let html = page(&program);
        assert_eq!(elements(&html), plain, "{label:?}");
        assert_eq!(extract(&html).unwrap().interactive, Some(program), "{label:?}");
        assert!(verify(&html).unwrap().ok());
    }
}

#[test]
fn what_cannot_stand_in_a_page_is_refused() {
    let refused = |change: fn(&mut Interactive)| {
        let mut program = program("label");
        change(&mut program);
        let error = render_interactive(&runs(), &Options::default(), Some(&program)).unwrap_err().to_string();
        assert!(error.starts_with("the interactive part of the report: ") && error.lines().count() == 1, "{error}");
    };
    refused(|program| program.script.push_str("'</SCRIPT >'"));
    refused(|program| program.script.push_str("<!-- "));
    refused(|program| program.style.push_str("</style>"));
    refused(|program| program.files[0].packed = "</script>".to_owned());
    refused(|program| program.files[0].packed = "ab\"c".to_owned());
    refused(|program| program.files = vec![file("a", b"a"); MOST_FILES + 1]);
    // A manifest that lists more than is there, or of another version.
    let html = page(&program("label"));
    for (from, to) in
        [("vitrine.interactive/1", "vitrine.interactive/9"), ("\"files\":[{", "\"files\":[{\"name\":\"x\",\"bytes\":1,\"sha256\":\"\"},{")]
    {
        let changed = html.replacen(from, to, 1);
        assert_ne!(changed, html);
        assert!(extract(&changed).is_err(), "{to}");
    }
    let without = html.replace("<script id=\"interactive-script\">", "<script id=\"other\">");
    assert!(extract(&without).is_err() && verify(&without).is_ok_and(|report| !report.ok()));
}
