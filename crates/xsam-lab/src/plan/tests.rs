#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use super::against::{beside, read, same_experiment};
use super::estimate::tests::{measurement, timing};
use super::*;
use crate::toy::{NoTask, Spec};

fn spec(settings: &[&str]) -> (Spec, Compare) {
    let settings: Vec<String> = settings.iter().map(|s| (*s).to_owned()).collect();
    let (spec, compare) = Spec::parse("", &settings).unwrap();
    (spec, compare.unwrap_or_default())
}

fn planned(how: &PlanSpec, settings: &[&str]) -> Plan {
    let (spec, compare) = spec(settings);
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
    let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} {b}");
    near(sgd.run.money.unwrap(), 2.0 * 94.5 / 3600.0);
    near(xsam.year.unwrap().hours, 100.0 * 234.5 / 3600.0);
    let change = xsam.change.unwrap();
    near(change.ratio, 234.5 / 94.5);
    near(
        change.year.unwrap().money.unwrap(),
        100.0 * 2.0 * 140.0 / 3600.0,
    );
    // Three seeds of both.
    near(plan.comparison.hours, 3.0 * (94.5 + 234.5) / 3600.0);
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
    let found: Vec<_> = plan
        .methods
        .iter()
        .map(|method| (method.label.as_str(), of_method(method, "ascent_steps")))
        .collect();
    let expected = [
        ("sgd", None),
        ("sam-k1", Some("1")),
        ("sam-k3", Some("3")),
        ("xsam-k1", Some("1")),
        ("xsam-k3", Some("3")),
    ];
    let expected = expected.map(|(label, steps)| (label, steps.map(str::to_owned)));
    assert_eq!(found, expected);
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
    let (spec, compare) = spec(&["compare.methods=[\"sgd\"]"]);
    let error = how.methods(&spec, &compare).unwrap_err().to_string();
    assert!(
        error.contains("`ascent_steps`: none of the methods has it"),
        "{error}"
    );
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_measured() {
    let (spec, compare) = spec(&[]);
    let refused = |how: PlanSpec| {
        let nothing = &mut |_: &str| panic!("nothing is to be measured");
        let (program, stop) = (Path::new("xsam"), StopSignal::default());
        let error = plan::<NoTask>(&spec, &compare, &how, program, &stop, nothing).unwrap_err();
        assert!(error.is_usage(), "{error}");
        error.to_string()
    };
    for price in [-1.0, f64::NAN, f64::INFINITY] {
        let said = refused(PlanSpec {
            price_per_hour: Some(price),
            ..PlanSpec::default()
        });
        assert!(said.contains("must be finite and at least 0"), "{said}");
    }
    for steps in [0, 2] {
        let said = refused(PlanSpec {
            steps: Some(steps),
            ..PlanSpec::default()
        });
        assert!(said.contains("`steps`: "), "{said}");
    }
    let said = refused(PlanSpec {
        runs_per_year: Some(0),
        ..PlanSpec::default()
    });
    assert!(said.contains("`runs_per_year`: 0 must be at least 1"));
    let said = refused(PlanSpec {
        ascent_steps: vec![0],
        ..PlanSpec::default()
    });
    assert!(said.contains("ascent_steps"), "{said}");
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
        let (spec, compare) = spec(settings);
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
