//! `xsam report`, and the reports that other commands write.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::fs;

use common::{SHORT, assert_fails, lines, text, xsam};

#[test]
fn commands_that_train_write_a_report() {
    let here = tempfile::tempdir().unwrap();
    let at = |path: &str| here.path().join(path);
    let train = [&["train", "--out", "r"], &SHORT[..]].concat();
    let output = xsam(here.path(), &train);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("in r: metrics.csv, run.json, spec.toml, report.html"));
    assert!(
        fs::read_to_string(at("r/report.html"))
            .unwrap()
            .contains("xsam train r&#x2f;spec.toml")
    );

    let compare = [
        "compare",
        "--methods",
        "sgd,sam",
        "--seeds",
        "0,1",
        "--out",
        "c",
    ];
    let output = xsam(here.path(), &[&compare, &SHORT[..]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let told = text(&output.stdout);
    assert!(
        told.contains("In c: methods.csv") && told.contains("report.html"),
        "{told}"
    );
    let page = fs::read_to_string(at("c/report.html")).unwrap();

    // Made anew it is the same, for people and for machines.
    fs::remove_file(at("c/report.html")).unwrap();
    let output = xsam(here.path(), &["report", "c"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "c/report.html\n");
    assert_eq!(fs::read_to_string(at("c/report.html")).unwrap(), page);
    let output = xsam(here.path(), &["report", "c/sam-seed1", "--json"]);
    let told = &lines(&output)[0];
    assert_eq!(told["event"], "report");
    assert_eq!(told["file"], "c/sam-seed1/report.html");
    assert!(at("c/sam-seed1/report.html").exists());
}

#[test]
fn a_run_that_fails_has_a_report_too() {
    let here = tempfile::tempdir().unwrap();
    let diverging = ["train", "--out", "r", "--set", "optimizer.lr=1e30"];
    let output = xsam(here.path(), &[&diverging, &SHORT[..]].concat());
    assert_fails(&output, 1, "step");
    let page = fs::read_to_string(here.path().join("r/report.html")).unwrap();
    assert!(page.contains("It failed: epoch 1, step"));
}

#[test]
fn a_report_on_nothing_is_wrong_usage() {
    let here = tempfile::tempdir().unwrap();
    assert_fails(&xsam(here.path(), &["report", "."]), 2, "holds no results");
    assert_fails(
        &xsam(here.path(), &["report", "missing"]),
        2,
        "missing holds no results",
    );
    assert_fails(&xsam(here.path(), &["report"]), 2, "<DIR>");
    let help = xsam(here.path(), &["report", "--help"]);
    assert!(help.status.success() && text(&help.stdout).contains("Example:"));
}
