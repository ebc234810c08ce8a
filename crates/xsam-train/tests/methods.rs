//! Every method by its name in a spec: fields, runs, interruptions.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;

use common::{interrupted, rows, train};
use xsam_train::{Existing, MethodName, Named, RunSummary, Search, SearchKind, Spec, Status};

fn spec(settings: &[&str]) -> Spec {
    let short = [
        "data.subset=120",
        "train.epochs=3",
        "train.batch_size=40",
        "train.keep_checkpoints=3",
    ];
    common::spec(&short, settings)
}

fn method(settings: &[&str]) -> Result<xsam_train::MethodSpec, String> {
    let resolved = spec(settings).resolved();
    resolved.map(|spec| spec.method).map_err(|e| e.to_string())
}

#[test]
fn a_resolved_spec_has_the_fields_of_its_method_and_no_others() {
    for name in MethodName::all() {
        let setting = format!("method.name={name}");
        let resolved = spec(&[&setting, "method.gamma=0.8", "method.look_every=3"])
            .resolved()
            .unwrap();
        let method = &resolved.method;
        assert_eq!(method.rho.is_some(), name != MethodName::Sgd);
        assert_eq!(method.gamma.is_some(), name == MethodName::Wsam);
        let looks = matches!(name, MethodName::LookSam | MethodName::LookXsam);
        assert_eq!(method.look_every, looks.then_some(3));
        assert_eq!(method.sigma.is_some(), name == MethodName::FriendlySam);
        // What a run writes down can be read, and is complete.
        let (read, _) = Spec::parse(&resolved.to_toml().unwrap(), &[]).unwrap();
        assert_eq!(read, resolved);
        assert_eq!(read.resolved().unwrap(), resolved);
    }
}

#[test]
fn fields_have_the_defaults_of_their_method() {
    let of = |settings: &[&str]| method(settings).unwrap();
    assert_eq!(of(&["method.name=msam"]).ascent_steps, Some(3));
    assert_eq!(of(&["method.name=lookbehind-sam"]).look_alpha, Some(0.5));
    assert_eq!(of(&["method.name=looksam"]).look_alpha, Some(0.7));
    assert_eq!(of(&["method.name=asam"]).rho, Some(0.5));
    let parabola = of(&["method.search_kind=parabola"]);
    assert_eq!(parabola.grid, Some(vec![0.0, 0.4, 0.8, 1.2, 1.6, 2.0]));
    assert_eq!(parabola.search_kind, Some(SearchKind::Parabola));
    let adaptive = of(&["method.search=adaptive", "method.search_longest=50"]);
    assert_eq!(adaptive.search, Some(Search::Adaptive));
    let steps = (adaptive.search_shortest, adaptive.search_longest);
    assert_eq!(steps, (Some(10), Some(50)));
    let friendly = of(&["method.friendly=true", "method.lambda=0.6"]);
    assert_eq!((friendly.sigma, friendly.lambda), (Some(1.0), Some(0.6)));
    let fixed = of(&["method.alpha=1.2", "method.search_kind=parabola"]);
    assert_eq!((fixed.search_kind, fixed.grid), (None, None));
}

#[test]
fn what_cannot_be_is_told_by_the_key_of_the_spec() {
    for (settings, key) in [
        (
            ["method.name=gsam", "method.gsam_alpha=-1"],
            "method.gsam_alpha",
        ),
        (["method.name=wsam", "method.gamma=1"], "method.gamma"),
        (
            ["method.name=looksam", "method.look_every=0"],
            "method.look_every",
        ),
        (
            ["method.name=looksam", "method.look_alpha=-1"],
            "method.look_alpha",
        ),
        (
            ["method.name=look-xsam", "method.look_every=0"],
            "method.look_every",
        ),
        (
            ["method.name=lookbehind-sam", "method.look_alpha=0"],
            "method.look_alpha",
        ),
        (
            ["method.name=friendly-sam", "method.lambda=1"],
            "method.lambda",
        ),
        (["method.friendly=true", "method.sigma=-1"], "method.sigma"),
        (
            ["method.search=adaptive", "method.search_longest=5"],
            "method.search_longest",
        ),
        (
            ["method.search_batches=0", "method.rho=0.1"],
            "method.search_batches",
        ),
        (
            ["method.name=sam", "method.m_sharpness=0"],
            "method.m_sharpness",
        ),
        (
            ["method.m_sharpness=2", "train.micro_batches=2"],
            "train.micro_batches",
        ),
        (
            ["method.name=sam", "train.micro_batches=0"],
            "train.micro_batches",
        ),
        (
            ["schedule.rho=linear", "schedule.rho_least=2"],
            "schedule.rho_least",
        ),
    ] {
        let error = method(&settings).unwrap_err();
        assert!(
            error.starts_with(&format!("`{key}`")),
            "{settings:?}: {error}"
        );
    }
    let error = Spec::parse("", &["method.name=gsma".to_owned()]).unwrap_err();
    assert!(
        error.to_string().contains("did you mean `gsam`?"),
        "{error}"
    );
}

/// Every method, and the ways to make its steps that have state or order of their own.
fn variants() -> Vec<Vec<String>> {
    let mut variants: Vec<Vec<String>> = MethodName::all()
        .into_iter()
        .map(|name| vec![format!("method.name={name}")])
        .collect();
    for variant in [
        &["method.name=wsam", "method.decoupled=false"][..],
        &["method.name=look-xsam", "method.look_every=2"],
        &["method.friendly=true", "method.adaptive=elementwise"],
        &["method.search_kind=parabola", "method.search_batches=2"],
        &["method.search=adaptive", "method.search_shortest=2"],
        &["method.m_sharpness=3", "schedule.rho=linear"],
        &[
            "method.name=looksam",
            "method.m_sharpness=2",
            "method.look_every=2",
        ],
        &[
            "train.micro_batches=3",
            "method.search=every-steps",
            "method.search_every=2",
        ],
    ] {
        variants.push(variant.iter().map(|s| (*s).to_owned()).collect());
    }
    variants
}

#[test]
fn a_run_of_every_method_that_is_interrupted_goes_on_as_if_nothing_had_been() {
    let parent = tempfile::tempdir().unwrap();
    for (i, settings) in variants().iter().enumerate() {
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        let spec = spec(&settings);
        let whole = parent.path().join(format!("{i}-whole"));
        let summary = train(&spec, &whole, Existing::Refuse).unwrap();
        assert_eq!(summary.status, Status::Finished, "{settings:?}");
        let parts = parent.path().join(format!("{i}-parts"));
        interrupted(&spec, &parts, Existing::Refuse, 1);
        interrupted(&spec, &parts, Existing::Resume, 3);
        train(&spec, &parts, Existing::Resume).unwrap();
        assert_eq!(rows(&parts), rows(&whole), "{settings:?}");
        let searched = |directory: &Path| fs::read_to_string(directory.join("search.csv")).ok();
        assert_eq!(searched(&parts), searched(&whole), "{settings:?}");
    }
}

#[test]
fn parts_of_a_batch_are_as_the_whole_batch() {
    let parent = tempfile::tempdir().unwrap();
    let run = |name: &str, settings: &[&str]| {
        let directory = parent.path().join(name);
        // Batches of 40, 40 and 31, which no number of parts divides; nothing that looks at a batch as a whole.
        let plain = ["data.subset=111", "model.name=mlp", "train.epochs=1"];
        let spec = spec(&[&plain[..], settings].concat());
        train(&spec, &directory, Existing::Refuse).unwrap()
    };
    let whole = run("whole", &["method.name=sam"]);
    let parts = run("parts", &["method.name=sam", "train.micro_batches=3"]);
    let loss = |summary: &RunSummary| summary.last.as_ref().unwrap().train_loss;
    let (a, b) = (loss(&whole), loss(&parts));
    assert!((a - b).abs() < 1e-5 * a, "{a} and {b}");
    assert_eq!(whole.gradient_passes, parts.gradient_passes);

    let each = run("each", &["method.name=sam", "method.m_sharpness=3"]);
    assert!((loss(&each) - a).abs() > 1e-5 * a);
    assert_eq!(each.gradient_passes, whole.gradient_passes);
}
