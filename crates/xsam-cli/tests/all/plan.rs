//! `xsam plan`: what runs will cost.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::common::{
    self, assert_contains, assert_fails, assert_succeeds, fails, lines, text, xsam,
};
#[cfg(target_os = "linux")]
use crate::common::{await_that, children, is_running, signal};
use serde_json::Value;

const SPEC: &str = "
[data]
subset = 120
[model]
name = \"mlp\"
[train]
epochs = 6
batch_size = 50
evaluate_every = 4
";

/// A plan of a second or so.
fn plan(here: &Path, more: &str) -> Output {
    fs::write(here.join("spec.toml"), SPEC).unwrap();
    xsam(here, &format!("plan spec.toml --steps 6 {more}"))
}

fn planned(here: &Path, more: &str) -> Value {
    let output = plan(here, &format!("{more} --json"));
    assert_succeeds(&output);
    let lines = lines(&output);
    assert_eq!((lines.len(), text(&output.stderr).as_str()), (1, ""));
    lines[0].clone()
}

fn number(value: &Value) -> f64 {
    let number = value.as_f64().unwrap();
    assert!(number.is_finite());
    number
}

#[test]
fn machines_get_every_part_of_each_method() {
    let here = tempfile::tempdir().unwrap();
    let more = "--methods sgd,sam,xsam --ascent-steps 2 --threads 1";
    let plan = planned(here.path(), more);
    let methods = plan["methods"].as_array().unwrap();
    let labels = methods.iter().map(|method| &method["label"]);
    assert!(labels.eq(["sgd", "sam-k2", "xsam-k2"]), "{plan}");

    // Three steps an epoch; evaluations after epochs 4 and 6.
    for (method, passes, searches) in [
        (&methods[0], 1, 0),
        (&methods[1], 3, 0),
        (&methods[2], 3, 6),
    ] {
        let (measured, counts) = (&method["measured"], &method["counts"]);
        assert_eq!(measured["gradient_passes"], passes);
        assert_eq!(measured["steps_per_epoch"], 3);
        assert_eq!(measured["threads"], 1);
        assert_eq!(counts["steps"], 18);
        assert_eq!(counts["searches"], searches);
        assert_eq!(counts["evaluations"], 2);
        assert_eq!(measured["search"].is_null(), searches == 0);
        for part in ["epoch_start", "step", "evaluation", "records", "checkpoint"] {
            let timing = &measured[part];
            assert!(number(&timing["median_s"]) > 0.0 && number(&timing["count"]) > 0.0);
        }
        assert!(
            number(&method["estimate"]["total_s"]) > 18.0 * number(&measured["step"]["median_s"])
        );
        let hours = number(&method["run"]["hours"]);
        assert_eq!(hours, number(&method["estimate"]["total_s"]) / 3600.0);
        assert_eq!(method["run"].get("money"), None);
        if cfg!(target_os = "linux") {
            // That of a process with a model and data, and not of this one.
            assert!((5.0..5000.0).contains(&number(&measured["peak_mb"])));
        }
    }
    assert!(methods[0].get("change").is_none());
    assert!(number(&methods[2]["estimate"]["search_share"]) > 0.0);
}

#[test]
fn each_method_has_the_peak_of_its_own_process() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let here = tempfile::tempdir().unwrap();
    // Look-XSAM keeps vectors as long as the weights, which are most of the peak here. In one process, sgd after it would have its
    // peak.
    let settings =
        common::set("model.name=resnet18 model.width=64 train.batch_size=20 data.subset=60");
    let plan = planned(here.path(), &format!("--methods look-xsam,sgd {settings}"));
    let peak = |method: usize| number(&plan["methods"][method]["measured"]["peak_mb"]);
    assert!(peak(1) < 0.9 * peak(0), "{} {}", peak(1), peak(0));
}

#[test]
fn people_get_a_table_and_what_a_change_costs() {
    let here = tempfile::tempdir().unwrap();
    // Its own method, xsam, after sgd.
    let costs = "--price-per-hour 2.5 --currency EUR --runs-per-year 400";
    let output = plan(here.path(), costs);
    assert_succeeds(&output);
    assert_eq!(text(&output.stderr), "measuring sgd\nmeasuring xsam\n");
    let told = text(&output.stdout);
    assert_contains(
        &told,
        &[
            "digits, mlp, 6 epochs, batch 50, sgd with lr 0.05;",
            "3 steps an epoch",
            "\nmethod  passes",
            "Medians of 6 steps after a warm-up.",
            "400 runs a year, 2.50 EUR an hour:",
            "more a year",
            "All 2 runs, 1 of each: ",
        ],
    );
    assert!(!told.contains("NaN") && !told.contains("inf"), "{told}");
    let left = fs::read_dir(here.path()).unwrap().count();
    assert_eq!(left, 1, "nothing is written beside the spec");
}

#[test]
fn a_plan_is_set_against_another_one() {
    let here = tempfile::tempdir().unwrap();
    let there = planned(here.path(), "--methods sgd,sam");
    fs::write(here.path().join("there.json"), there.to_string()).unwrap();
    let against = "--methods sam --against there.json --runs-per-year 10";
    let here_and_there = planned(here.path(), against);
    let sam = &here_and_there["against"][0];
    assert_eq!(sam["label"], "sam");
    assert_eq!(sam["run"], there["methods"][1]["run"]);
    let ratio =
        number(&here_and_there["methods"][0]["run"]["hours"]) / number(&sam["run"]["hours"]);
    assert!((number(&sam["change"]["ratio"]) - ratio).abs() < 1e-9);

    let other = plan(here.path(), &format!("{against} --set train.epochs=7"));
    assert_fails(&other, 2, "xsam: `--against`: a plan of another experiment");
    let missing = plan(here.path(), "--against nowhere.json");
    assert_fails(&missing, 1, "cannot read nowhere.json");
}

#[test]
fn data_that_are_not_there_are_told_with_the_method() {
    let here = tempfile::tempdir().unwrap();
    let line = "plan --preset cifar10-resnet18 --set data.dir=nowhere --methods sgd";
    let output = xsam(&here, line);
    assert_fails(&output, 1, "xsam: cannot measure sgd: ");
    assert_fails(&output, 1, "nowhere");
}

/// A plan of many steps that is measuring, in a process group of its own with its temporary files in `here/temporary`,
/// and the process that measures.
#[cfg(target_os = "linux")]
fn measuring(here: &Path) -> (std::process::Child, u32) {
    use std::os::unix::process::CommandExt;
    use std::process::Stdio;

    fs::write(here.join("spec.toml"), SPEC).unwrap();
    let temporary = here.join("temporary");
    fs::create_dir_all(&temporary).unwrap();
    let before = left(here);
    let child = common::command(here, "plan spec.toml --methods sgd --steps 1000000")
        .env("TMPDIR", &temporary)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap();
    let is_new = |name: &String| {
        !before.contains(name) && temporary.join(name).join("run/run.json").exists()
    };
    await_that(|| left(here).iter().any(is_new));
    let measuring = children(child.id());
    assert_eq!(measuring.len(), 1);
    (child, measuring[0])
}

/// What is in the directory for temporary files.
#[cfg(target_os = "linux")]
fn left(here: &Path) -> Vec<String> {
    let entries = fs::read_dir(here.join("temporary")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

#[cfg(target_os = "linux")]
#[test]
fn a_plan_that_is_stopped_leaves_nothing() {
    let here = tempfile::tempdir().unwrap();
    // To the one that plans, and to all processes, as a terminal does.
    for (name, to_all) in [("TERM", false), ("INT", true), ("TERM", true)] {
        let (child, process) = measuring(here.path());
        let id = child.id();
        signal(
            name,
            if to_all {
                format!("-{id}")
            } else {
                id.to_string()
            },
        );
        let output = child.wait_with_output().unwrap();
        assert_fails(&output, 130, "xsam: stopping");
        assert!(!text(&output.stderr).contains("cannot measure"));
        assert!(!is_running(&process));
        assert_eq!(left(here.path()), [""; 0]);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_a_killed_plan_has_left_is_removed_by_the_next() {
    let here = tempfile::tempdir().unwrap();
    let (mut other, _) = measuring(here.path());
    let of_other = left(here.path());
    let (mut child, process) = measuring(here.path());
    child.kill().unwrap();
    child.wait().unwrap();
    await_that(|| !is_running(&process));
    assert_eq!(left(here.path()).len(), 2);

    let (mut next, _) = measuring(here.path());
    let now = left(here.path());
    assert!(now.len() == 2 && now.contains(&of_other[0]), "{now:?}");
    for child in [&mut other, &mut next] {
        signal("TERM", child.id());
        child.wait().unwrap();
    }
    assert_eq!(left(here.path()), [""; 0]);
}

#[test]
fn measuring_is_for_plans_alone() {
    let here = tempfile::tempdir().unwrap();
    let alone = "`xsam plan --measure` is for `xsam plan` alone";
    fails(&here, "plan --measure", 1, alone);
}
