//! Reports that compute: what travels in them, that it is checked, and that its numbers can be made again.

use std::{fs, path::PathBuf};

use serde_json::Value;

use crate::support::{MODEL, Place, fine, fine_json, read, refused, text, vitrine};

/// A bundle as far as the program looks into one; what a browser makes of a real one is the browser tests' business.
fn bundle(place: &Place) -> String {
    fs::create_dir(place.path("bundle")).unwrap();
    for (name, bytes) in
        [("report.js", "'use strict';\n"), ("report.css", ".interactive { color: red; }\n"), ("vitrine_web_bg.wasm", "\0asm")]
    {
        place.write(&format!("bundle/{name}"), bytes);
    }
    place.name("bundle")
}

/// The one run in `folder`.
fn only(folder: PathBuf) -> String {
    let mut runs = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let run = runs.next().unwrap();
    assert!(runs.next().is_none());
    run.to_str().unwrap().to_owned()
}

#[test]
fn study_a_report_carries_its_small_model_and_every_change_is_found() {
    let place = Place::new();
    let flag = format!("--interactive={}", bundle(&place));
    let settings = "programs = false\nsizes = [0.2, 0.4]\ntrain_examples = 16\ntest_examples = 12\nseed = 5\n[language_model]\nsteps = 30\nbatch_size = 16\n[prune]\nsteps = 12\nbatch_size = 8\nsparsity_warm_up = 8\nlr_warm_up = 2\n";
    let settings = place.write("study.toml", settings);
    let runs = place.name("runs");
    fine(&["--quiet", "run", "edge-pruning", "--config", &settings, "--device", "cpu", "--out", &runs, &flag]);
    let run = only(place.path("runs"));
    let report = format!("{run}/report.html");
    assert!(fine(&["report", "verify", &report]).contains("The report stands"));
    let again = fine_json(&["report", "recompute", &report]);
    let result = &again["models"][0]["result"];
    assert!(again["passed"] == true && result["numbers"].as_array().unwrap().len() == 16, "{again}");
    assert!(result["largest"].as_f64().unwrap() < 1e-6 && result["tolerance"] == 1e-4);

    // Built from the folder: the same bytes, and what it would have been without.
    let (second, plain) = (place.name("second.html"), place.name("plain.html"));
    fine(&["report", "build", &run, "--out", &second, &flag]);
    assert_eq!(read(&second), read(&report));
    fine(&["report", "build", &run, "--out", &plain]);
    assert!(!text(&read(&plain)).contains("id=\"interactive"));
    assert!(refused(&["report", "recompute", &plain]).contains("carries no models"));
    // Twice the same run: its files travel once for each, those of the program once.
    let both = place.name("both.html");
    fine(&["report", "build", &run, &run, "--out", &both, &flag]);
    assert_eq!(fine_json(&["report", "recompute", &both])["models"].as_array().unwrap().len(), 2);

    let html = text(&read(&report));
    let changed = |what: &str, html: String| {
        let file = place.write("changed.html", html);
        let out = vitrine(&["report", "verify", &file]);
        assert_eq!(out.status.code(), Some(1), "{what}: {}", text(&out.stdout));
        (file, text(&out.stdout))
    };
    // A carried file that was exchanged together with the hash of its text.
    let block =
        |index: usize| html.split(&format!("id=\"data-file-{index}\" data-sha256=\"")).nth(1).unwrap().split("</script>").next().unwrap();
    let (first, third) = (block(1), block(3));
    let (file, said) = changed("exchanged", html.replace(third, first));
    assert!(said.contains("the report lists"), "{said}");
    assert!(refused(&["report", "recompute", &file]).contains("SHA-256"));
    let flipped = third.replacen(&third[80..81], if &third[80..81] == "A" { "B" } else { "A" }, 1);
    let (_, said) = changed("flipped", html.replace(third, &flipped));
    assert!(said.contains("data-file-3: the data have SHA-256"), "{said}");
    // The program itself: of this bundle, and not of another one.
    assert!(fine(&["report", "verify", &report, &flag]).contains("The report stands"));
    place.write("bundle/report.js", "'use strict'; \n");
    let out = vitrine(&["report", "verify", &report, &flag]);
    assert!(out.status.code() == Some(1) && text(&out.stdout).contains("report.js differs"), "{}", text(&out.stdout));
    place.write("bundle/report.js", "'use strict';\n");
    changed("script", html.replace("'use strict';\n</script>", "'use strict'; \n</script>"));

    // Other numbers in the table than the models give: the file is in order, the check is not.
    let findings = text(&read(format!("{run}/findings.json")));
    let mut value: Value = serde_json::from_str(&findings).unwrap();
    let panels = value["panels"].as_array_mut().unwrap();
    let table = panels.iter_mut().find(|panel| panel["id"] == "small-methods").unwrap();
    let row =
        table["body"]["rows"].as_array_mut().unwrap().iter_mut().find(|row| row[0].as_str().unwrap().starts_with("Edge Pruning")).unwrap();
    row[3] = (row[3].as_f64().unwrap() + 0.01).into();
    fs::write(format!("{run}/findings.json"), value.to_string()).unwrap();
    fine(&["report", "build", &run, "--out", &second, &flag]);
    let out = vitrine(&["report", "recompute", &second]);
    assert!(out.status.code() == Some(1) && text(&out.stdout).contains("15 of 16 agree"), "{}", text(&out.stdout));
}

#[test]
fn study_a_model_of_the_user_stays_outside_and_a_bundle_has_to_be_there() {
    let place = Place::new();
    let flag = format!("--interactive={}", bundle(&place));
    let (data, runs) = (place.data(), place.name("runs"));
    let run =
        ["run", "edge-pruning", "--model", MODEL, "--data", &data, "--steps", "6", "--sizes", "0.5", "--device", "cpu", "--out", &runs];
    let missing = format!("--interactive={}", place.name("nowhere"));
    assert!(refused(&[&run[..], &[&missing]].concat()).contains("no bundle of scripts/web-bundle"));
    assert!(!place.path("runs").exists(), "found before the run begins");
    fine(&[&["--quiet"], &run[..], &[&flag]].concat());
    let report = format!("{}/report.html", only(place.path("runs")));
    assert!(fine(&["report", "verify", &report]).contains("The report stands"));
    let html = text(&read(&report));
    assert!(html.contains("Not inside this file: the model itself") && html.contains("10.json"), "circuits travel");
    assert!(refused(&["report", "recompute", &report]).contains("none of the report's numbers"));
    assert!(html.len() < 600_000, "{}", html.len());
}
