//! Every method by its name in a spec: fields, runs, interruptions.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;

use common::{Spec, interrupted, rows, train};
use xsam::{Friendly, SearchSchedule, XsamConfig};
use xsam_lab::files::Existing;
use xsam_lab::spec::MethodSpec;
use xsam_lab::{RunSummary, Status};

fn spec(settings: &[&str]) -> Spec {
    let short = [
        "data.subset=120",
        "train.epochs=3",
        "train.batch_size=40",
        "train.keep_checkpoints=3",
    ];
    common::spec(&short, settings)
}

fn method(settings: &[&str]) -> Result<xsam_lab::spec::MethodSpec, String> {
    let resolved = spec(settings).resolved();
    resolved.map(|spec| spec.method).map_err(|e| e.to_string())
}

#[test]
fn a_resolved_spec_has_the_fields_of_its_method_and_no_others() {
    for name in MethodSpec::NAMES {
        let setting = format!("method.name={name}");
        // Beside other methods the section has the fields of all of them.
        let beside = ["method.gamma=0.8", "method.every=3", "compare.seeds=[0]"];
        let settings = [&[setting.as_str()], &beside[..]].concat();
        let resolved = spec(&settings).resolved().unwrap();
        let text = resolved.to_toml().unwrap();
        let written = text.parse::<toml::Table>().unwrap();
        let has = |field: &str| written["method"].get(field).cloned();
        assert_eq!(has("rho").is_some(), *name != "sgd");
        assert_eq!(has("gamma"), (*name == "wsam").then(|| 0.8.into()));
        let looks = ["looksam", "look-xsam"].contains(name);
        assert_eq!(has("every"), looks.then(|| 3.into()));
        assert_eq!(has("sigma").is_some(), *name == "friendly-sam");
        // What a run writes down can be read, and is complete.
        let (read, _) = Spec::parse(&text, &[]).unwrap();
        assert_eq!(read, resolved);
        assert_eq!(read.resolved().unwrap(), resolved);
    }
}

#[test]
fn fields_have_the_defaults_of_their_method() {
    let of = |settings: &[&str]| method(settings).unwrap();
    assert_eq!(of(&["method.name=msam"]).ascent_steps(), Some(3));
    for (name, alpha) in [("lookbehind-sam", 0.5), ("looksam", 0.7), ("gsam", 0.4)] {
        let method = toml::Table::try_from(of(&[&format!("method.name={name}")])).unwrap();
        assert_eq!(method["alpha"], alpha.into(), "{name}");
    }
    assert_eq!(of(&["method.name=asam"]).rho(), Some(0.5));
    let xsam = |settings: &[&str]| match of(settings) {
        MethodSpec::Xsam(config) => config,
        other => panic!("{other:?}"),
    };
    let parabola = xsam(&["method.parabola=true"]);
    assert_eq!(parabola.grid, Some(vec![0.0, 0.4, 0.8, 1.2, 1.6, 2.0]));
    let text = "method.search={adaptive={longest=50}}";
    for (text, expected) in [
        ("method.search=adaptive", 1000),
        ("method.search={adaptive={}}", 1000),
        (text, 50),
    ] {
        let SearchSchedule::Adaptive {
            shortest, longest, ..
        } = xsam(&[text]).search.unwrap()
        else {
            panic!("{text}");
        };
        assert_eq!((shortest, longest), (10, expected));
    }
    let friendly = xsam(&["method.friendly={lambda=0.6}"]).friendly;
    let expected = Friendly {
        lambda: 0.6,
        ..Friendly::default()
    };
    assert_eq!(friendly, Some(expected));
    let fixed = xsam(&["method.alpha=1.2", "method.parabola=true"]);
    assert_eq!((fixed.parabola, fixed.grid), (false, None));
    // An alpha and a search: it is where alpha begins.
    let begins = xsam(&["method.alpha=1.2", "method.search=every-epoch"]);
    let config = XsamConfig::new().with_alpha(1.2);
    assert_eq!(
        begins,
        config.with_search(SearchSchedule::EveryEpoch).resolved()
    );
}

#[test]
fn what_cannot_be_is_told_by_the_key_of_the_spec() {
    for (settings, key) in [
        (["method.name=gsam", "method.alpha=-1"], "method.alpha"),
        (["method.name=wsam", "method.gamma=1"], "method.gamma"),
        (["method.name=looksam", "method.every=0"], "method.every"),
        (["method.name=looksam", "method.alpha=-1"], "method.alpha"),
        (["method.name=look-xsam", "method.every=0"], "method.every"),
        (
            ["method.name=lookbehind-sam", "method.alpha=0"],
            "method.alpha",
        ),
        (
            ["method.name=friendly-sam", "method.lambda=1"],
            "method.lambda",
        ),
        (
            ["method.friendly={sigma=-1}", "method.rho=0.1"],
            "method.friendly.sigma",
        ),
        (
            ["method.search={adaptive={longest=5}}", "method.rho=0.1"],
            "method.search.adaptive.longest",
        ),
        (
            ["method.search_batches=0", "method.rho=0.1"],
            "method.search_batches",
        ),
        (
            ["method.name=sam", "train.m_sharpness=0"],
            "train.m_sharpness",
        ),
        (
            ["train.m_sharpness=2", "train.micro_batches=2"],
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
    let mut variants: Vec<Vec<String>> = MethodSpec::NAMES
        .iter()
        .map(|name| vec![format!("method.name={name}")])
        .collect();
    for variant in [
        &["method.name=wsam", "method.decoupled=false"][..],
        &["method.name=look-xsam", "method.every=2"],
        &["method.friendly={}", "method.adaptive=elementwise"],
        &["method.parabola=true", "method.search_batches=2"],
        &["method.search={adaptive={shortest=2}}"],
        &["train.m_sharpness=3", "schedule.rho=linear"],
        &[
            "method.name=looksam",
            "train.m_sharpness=2",
            "method.every=2",
        ],
        &["train.micro_batches=3", "method.search={every-steps=2}"],
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
    let loss = |summary: &RunSummary| summary.last.as_ref().unwrap().get("train_loss").unwrap();
    let (a, b) = (loss(&whole), loss(&parts));
    assert!((a - b).abs() < 1e-5 * a, "{a} and {b}");
    assert_eq!(whole.gradient_passes, parts.gradient_passes);

    let each = run("each", &["method.name=sam", "train.m_sharpness=3"]);
    assert!((loss(&each) - a).abs() > 1e-5 * a);
    assert_eq!(each.gradient_passes, whole.gradient_passes);
}
