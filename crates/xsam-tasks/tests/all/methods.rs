//! Every method by its name in a spec: fields, runs, interruptions.

use std::fs;

use crate::common::{Runs, assert_refused, parse, resolved, settings};
use xsam::{Friendly, SearchSchedule, XsamConfig};
use xsam_lab::spec::MethodSpec;
use xsam_lab::{RunSummary, Status};

fn short() -> Runs {
    Runs::new(&[
        "data.subset=120",
        "train.epochs=3",
        "train.batch_size=40",
        "train.keep_checkpoints=3",
    ])
}

#[test]
fn a_resolved_spec_has_the_fields_of_its_method_and_no_others() {
    for name in MethodSpec::NAMES {
        let setting = format!("method.name={name}");
        let plain = ["optimizer.momentum=0", "optimizer.weight_decay=0"];
        let plain = &plain[..if *name == "bsam" { 2 } else { 0 }];
        // Beside other methods the section has the fields of all of them.
        let beside = ["method.gamma=0.8", "method.every=3", "compare.seeds=[0]"];
        let settings = [&[setting.as_str()], &beside[..], plain].concat();
        let resolved = resolved(&settings).unwrap();
        let text = resolved.to_toml().unwrap();
        let written = text.parse::<toml::Table>().unwrap();
        let has = |field: &str| written["method"].get(field).cloned();
        assert_eq!(has("rho").is_some(), *name != "sgd");
        let has_gamma = ["wsam", "esam"].contains(name);
        assert_eq!(has("gamma"), has_gamma.then(|| 0.8.into()));
        let unscheduled = ["sgd", "momentum-sam", "bsam", "sampa"].contains(name);
        assert_eq!(has("every"), (!unscheduled).then(|| 3.into()));
        assert_eq!(has("sigma").is_some(), *name == "friendly-sam");
        // What a run writes down can be read, and is complete.
        let (read, _) = parse(&text, &[]).unwrap();
        assert_eq!(read, resolved);
        assert_eq!(read.resolved().unwrap(), resolved);
    }
}

#[test]
fn fields_have_the_defaults_of_their_method() {
    let of = |settings: &[&str]| resolved(settings).unwrap().method;
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
    assert_refused(
        &[],
        "
        method.name=gsam and method.alpha=-1 => `method.alpha`
        method.name=wsam and method.gamma=1 => `method.gamma`
        method.name=looksam and method.every=0 => `method.every`
        method.name=looksam and method.alpha=-1 => `method.alpha`
        method.name=look-xsam and method.every=0 => `method.every`
        method.name=lookbehind-sam and method.alpha=0 => `method.alpha`
        method.name=friendly-sam and method.lambda=1 => `method.lambda`
        method.friendly={sigma=-1} and method.rho=0.1 => `method.friendly.sigma`
        method.search={adaptive={longest=5}} and method.rho=0.1 => `method.search.adaptive.longest`
        method.search_batches=0 and method.rho=0.1 => `method.search_batches`
        method.name=sam and train.m_sharpness=0 => `train.m_sharpness`
        method.name=zsharp and method.percentile=1 => `method.percentile`
        method.name=gam and method.ascent_steps=2 => `method.ascent_steps`
        method.measured={rise=0.1,share=0.1} and method.rho=0.1 => `method.measured`
        method.measured={} and method.rho=0.1 => `method.measured`
        method.name=functional-sam and train.m_sharpness=2 => `train.m_sharpness`
        method.name=sampa and train.m_sharpness=2 => `train.m_sharpness`
        method.name=sampa and method.lambda=2 => `method.lambda`
        method.name=bsam and method.rho=0.1 => `optimizer.weight_decay`
        method.name=bsam and optimizer.momentum=0.5 => `optimizer.momentum`
        method.name=bsam and optimizer.name=adam => `optimizer.name`
        method.name=bsam and method.samples=0 and optimizer.weight_decay=0 => `method.samples`
        method.name=esam and method.gamma=0 => `method.gamma`
        method.name=esam and method.beta=2 => `method.beta`
        method.name=esam and train.m_sharpness=2 => `train.m_sharpness`
        train.m_sharpness=2 and train.micro_batches=2 => `train.micro_batches`
        method.name=sam and train.micro_batches=0 => `train.micro_batches`
        schedule.rho=linear and schedule.rho_least=2 => `schedule.rho_least`
        method.name=gsma => `method.name`: there is no method `gsma`; did you mean `gsam`?
        ",
    );
}

#[test]
fn a_run_of_every_method_that_is_interrupted_goes_on_as_if_nothing_had_been() {
    let runs = short();
    let plain = MethodSpec::NAMES.iter();
    let variant = |name: &&str| match *name {
        "bsam" => "method.name=bsam and optimizer.weight_decay=0".to_owned(),
        name => format!("method.name={name}"),
    };
    let mut variants: Vec<String> = plain.map(variant).collect();
    // And the ways to make their steps that have state or order of their own.
    let others = [
        "method.name=wsam and method.decoupled=false",
        "method.name=look-xsam and method.every=2",
        "method.friendly={} and method.adaptive=elementwise",
        "method.parabola=true and method.search_batches=2",
        "method.search={adaptive={shortest=2}}",
        "train.m_sharpness=3 and schedule.rho=linear",
        "method.name=looksam and train.m_sharpness=2 and method.every=2",
        "train.micro_batches=3 and method.search={every-steps=2}",
    ];
    variants.extend(others.map(str::to_owned));
    for variant in variants {
        let settings = settings(&variant);
        let (whole, parts) = (format!("{variant}, whole"), format!("{variant}, in parts"));
        let summary = runs.run(&whole, &settings);
        assert_eq!(summary.status, Status::Finished, "{variant}");
        runs.interrupted(&parts, &settings, 1);
        runs.interrupted(&parts, &settings, 3);
        runs.resume(&parts, &settings).unwrap();
        assert_eq!(runs.rows(&parts), runs.rows(&whole), "{variant}");
        let searched = |run: &str| fs::read_to_string(runs.path(run).join("search.csv")).ok();
        assert_eq!(searched(&parts), searched(&whole), "{variant}");
    }
}

#[test]
fn parts_of_a_batch_are_as_the_whole_batch() {
    let runs = short();
    let run = |name: &str, settings: &[&str]| {
        // Batches of 40, 40 and 31, which no number of parts divides; nothing that looks at a batch as a whole.
        let plain = ["data.subset=111", "model.name=mlp", "train.epochs=1"];
        runs.run(name, &[&plain[..], settings].concat())
    };
    let loss = |summary: &RunSummary| summary.last.as_ref().unwrap().get("train_loss").unwrap();
    let both = |method: &str| {
        let whole = run(&format!("{method} whole"), &[method]);
        let parts = run(
            &format!("{method} in parts"),
            &[method, "train.micro_batches=3"],
        );
        let (a, b) = (loss(&whole), loss(&parts));
        assert!((a - b).abs() < 1e-5 * a, "{method}: {a} and {b}");
        assert_eq!(whole.gradient_passes, parts.gradient_passes);
        whole
    };
    let functional = both("method.name=functional-sam");
    let whole = both("method.name=sam");
    let a = loss(&whole);
    assert!((loss(&functional) - a).abs() > 1e-5 * a);

    // All samples, told apart: the mean of their losses is the loss of the batch.
    let by_samples = ["method.name=esam", "method.beta=1", "method.gamma=0.999"];
    let apart = run(
        "esam",
        &[&by_samples[..], &["train.micro_batches=3"]].concat(),
    );
    assert!((loss(&apart) - a).abs() < 1e-5 * a);
    let some = run("half", &["method.name=esam", "method.beta=1"]);
    assert!((loss(&some) - a).abs() > 1e-5 * a);
    // Three steps of a pass and a half each, and a forward pass.
    assert_eq!((some.gradient_passes, some.search_passes), (5, 3));

    let each = run("each", &["method.name=sam", "train.m_sharpness=3"]);
    assert!((loss(&each) - a).abs() > 1e-5 * a);
    assert_eq!(each.gradient_passes, whole.gradient_passes);
}
