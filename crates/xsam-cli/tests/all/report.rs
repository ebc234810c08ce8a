//! `xsam report`, and the reports that other commands write.

use std::fs;

use crate::common::{SHORT, assert_contains, fails, lines, read, succeeds, text};

#[test]
fn commands_that_train_write_a_report() {
    let here = tempfile::tempdir().unwrap();
    let at = |path: &str| here.path().join(path);
    let output = succeeds(&here, &format!("train --out r {SHORT}"));
    let written = "in r: metrics.csv, run.json, spec.toml, report.html";
    assert_contains(&text(&output.stdout), &[written]);
    assert_contains(&read(at("r/report.html")), &["xsam train r&#x2f;spec.toml"]);

    let compare =
        format!("compare --set method.rho=0.6 --methods sgd,sam --seeds 0,1 --out c {SHORT}");
    let told = text(&succeeds(&here, &compare).stdout);
    assert_contains(&told, &["In c: methods.csv", "report.html"]);
    let page = read(at("c/report.html"));

    // Made anew it is the same, for people and for machines.
    fs::remove_file(at("c/report.html")).unwrap();
    let output = succeeds(&here, "report c");
    assert_eq!(text(&output.stdout), "c/report.html\n");
    assert_eq!(read(at("c/report.html")), page);
    let output = succeeds(&here, "report c/sam-seed1 --json");
    let told = &lines(&output)[0];
    assert_eq!(told["event"], "report");
    assert_eq!(told["file"], "c/sam-seed1/report.html");
    assert!(at("c/sam-seed1/report.html").exists());
}

#[test]
fn a_run_that_fails_has_a_report_too() {
    let here = tempfile::tempdir().unwrap();
    let diverging = format!("train --out r --set optimizer.lr=1e30 {SHORT}");
    fails(&here, &diverging, 1, "step");
    let page = read(here.path().join("r/report.html"));
    assert_contains(&page, &["It failed: epoch 1, step"]);
}

#[test]
fn a_report_on_nothing_is_wrong_usage() {
    let here = tempfile::tempdir().unwrap();
    for (line, message) in [
        ("report .", "holds no results"),
        ("report missing", "missing holds no results"),
        ("report", "<DIR>"),
    ] {
        fails(&here, line, 2, message);
    }
    let help = succeeds(&here, "report --help");
    assert_contains(&text(&help.stdout), &["Example:"]);
}
