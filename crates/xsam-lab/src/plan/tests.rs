#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use super::against::{beside, read, same_experiment};
use super::estimate::tests::{measurement, timing};
use super::*;
use crate::toy::{NoTask, parsed};

fn planned(how: &PlanSpec, settings: &[&str]) -> Plan {
    let (spec, compare) = parsed(settings);
    let methods = how.methods(&spec, &compare).unwrap();
    let of_method = |(label, experiment): (String, Experiment<_>)| {
        let mut measured = measurement();
        if experiment.spec.method.name() == "sgd" {
            measured.step = timing(1.0);
            measured.search = None;
        }
        (label, experiment, measured)
    };
    Plan::new(
        how,
        compare.seeds.len(),
        methods.into_iter().map(of_method).collect(),
    )
    .unwrap()
}

#[test]
fn methods_are_priced_against_the_first() {
    let how = PlanSpec {
        price_per_hour: Some(2.0),
        runs_per_year: Some(100),
        ..PlanSpec::default()
    };
    let settings = ["compare.methods=[\"sgd\",\"xsam\"]", "train.epochs=10"];
    let plan = planned(&how, &settings);
    let [sgd, xsam] = &plan.methods[..] else {
        panic!("{plan:?}");
    };
    // 7 + 10 (0.5 + 4 s + 3 + 1.25), with steps of 1 and 2 seconds and 10 searches of 10.
    assert_eq!((sgd.estimate.total_s, xsam.estimate.total_s), (94.5, 234.5));
    assert_eq!((sgd.counts.steps, sgd.counts.searches), (40, 0));
    assert_eq!(sgd.change, None);
    let change = xsam.change.unwrap();
    let more = change.year.unwrap().money.unwrap();
    for (found, expected) in [
        (sgd.run.money.unwrap(), 2.0 * 94.5 / 3600.0),
        (xsam.year.unwrap().hours, 100.0 * 234.5 / 3600.0),
        (change.ratio, 234.5 / 94.5),
        (more, 100.0 * 2.0 * 140.0 / 3600.0),
        // Three seeds of both.
        (plan.comparison.hours, 3.0 * (94.5 + 234.5) / 3600.0),
    ] {
        assert!((found - expected).abs() < 1e-9, "{found}, not {expected}");
    }
}

/// A field of the method that is planned, as text.
fn of_method(method: &MethodPlan, field: &str) -> Option<String> {
    Some(method.spec["method"].get(field)?.to_string())
}

#[test]
fn methods_that_ascend_are_planned_with_each_number_of_steps() {
    let how = PlanSpec {
        ascent_steps: vec![1, 3],
        ..PlanSpec::default()
    };
    let plan = planned(&how, &["method.rho=0.2"]);
    assert_eq!(plan.methods.len(), 5);
    for (method, (label, steps)) in plan.methods.iter().zip([
        ("sgd", None),
        ("sam-k1", Some("1")),
        ("sam-k3", Some("3")),
        ("xsam-k1", Some("1")),
        ("xsam-k3", Some("3")),
    ]) {
        assert_eq!(method.label, label);
        assert_eq!(of_method(method, "ascent_steps").as_deref(), steps);
    }
    let rho = of_method(&plan.methods[2], "rho");
    assert_eq!(rho.as_deref(), Some("0.2"));

    // In place of those of the comparison, be they a list or in labels.
    let labels = |settings: &[&str]| {
        let plan = planned(&how, settings);
        let labels = plan.methods.iter().map(|method| method.label.clone());
        labels.collect::<Vec<_>>()
    };
    let list = ["compare.methods=[\"sam\"]", "compare.rho=[0.1]"];
    let list = [&list[..], &["compare.ascent_steps=[2, 5]"]].concat();
    assert_eq!(labels(&list), ["sam-rho0.1-k1", "sam-rho0.1-k3"]);
    let own = [
        "compare.methods=[\"sgd\",\"sam-k2\"]",
        "compare.sam-k2.name=sam",
        "compare.sam-k2.ascent_steps=2",
    ];
    assert_eq!(labels(&own), ["sgd", "sam-k1", "sam-k3"]);
    let (spec, compare) = parsed(&["compare.methods=[\"sgd\"]"]);
    let error = how.methods(&spec, &compare).unwrap_err().to_string();
    assert!(
        error.contains("`ascent_steps`: none of the methods has it"),
        "{error}"
    );
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_measured() {
    let (spec, compare) = parsed::<&str>(&[]);
    let plain = PlanSpec::default;
    let price = |price| PlanSpec {
        price_per_hour: Some(price),
        ..plain()
    };
    let steps = |steps| PlanSpec {
        steps: Some(steps),
        ..plain()
    };
    let no_runs = PlanSpec {
        runs_per_year: Some(0),
        ..plain()
    };
    let no_ascent = PlanSpec {
        ascent_steps: vec![0],
        ..plain()
    };
    for (how, told) in [
        (price(-1.0), "must be finite and at least 0"),
        (price(f64::NAN), "must be finite and at least 0"),
        (price(f64::INFINITY), "must be finite and at least 0"),
        (steps(0), "`steps`: "),
        (steps(2), "`steps`: "),
        (no_runs, "`runs_per_year`: 0 must be at least 1"),
        (no_ascent, "ascent_steps"),
    ] {
        let nothing = &mut |_: &str| panic!("nothing is to be measured");
        let (program, stop) = (Path::new("xsam"), StopSignal::default());
        let error = plan::<NoTask>(&spec, &compare, &how, program, &stop, nothing).unwrap_err();
        assert!(error.is_usage(), "{error}");
        assert!(error.to_string().contains(told), "{error}");
    }
}

#[test]
fn a_plan_is_compared_with_one_of_another_machine() {
    let settings = ["compare.methods=[\"sgd\",\"sam\"]", "train.epochs=10"];
    let slow = planned(&PlanSpec::default(), &settings);
    let text = serde_json::to_string(&slow).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("plan.json");
    std::fs::write(&path, &text).unwrap();
    let slow = read(&path).unwrap();
    assert_eq!(serde_json::to_string(&slow).unwrap(), text);

    let how = PlanSpec {
        runs_per_year: Some(10),
        ..PlanSpec::default()
    };
    let mut fast = planned(&how, &settings);
    fast.methods[0].run = Cost::of(slow.methods[0].run.hours / 4.0, None);
    let beside = beside(&fast, &slow);
    assert_eq!((beside.len(), beside[0].label.as_str()), (2, "sgd"));
    assert_eq!(
        (beside[0].change.ratio, beside[1].change.ratio),
        (0.25, 1.0)
    );
    let year = beside[0].change.year.unwrap().hours;
    assert!((year + 7.5 * slow.methods[0].run.hours).abs() < 1e-12);

    // Where the data are does not matter, how many epochs there are does.
    let refused = |settings: &[&str]| {
        let (spec, compare) = parsed(settings);
        let methods = PlanSpec::default().methods(&spec, &compare).unwrap();
        same_experiment(&methods, &slow).map_err(|error| error.to_string())
    };
    assert_eq!(
        refused(&["train.epochs=10", "train.kernels=precise"]),
        Ok(())
    );
    let said = refused(&["train.epochs=11"]).unwrap_err();
    assert!(said.contains("train.epochs of sgd is 10, not 11"), "{said}");
    let said = refused(&["compare.methods=[\"asam\"]"]).unwrap_err();
    assert!(said.contains("none of the methods"), "{said}");

    std::fs::write(&path, "{}").unwrap();
    assert!(read(&path).unwrap_err().to_string().contains("plan.json"));
}
