//! Specs: defaults, settings, and what is said of wrong ones.

use std::path::Path;

use crate::common::{OurTasks, Spec, assert_refused, parse, resolved, settings, table};
use xsam::{
    LookSamConfig, LookXsamConfig, SamConfig, Scaling, SearchSchedule, WsamConfig, XsamConfig,
};
use xsam_lab::spec::{
    Compare, DeviceName, MethodSpec, Preset, Purpose, SpecError, TaskSpec, Values,
};
use xsam_lab::{Kernels, Tasks};
use xsam_names::Named;
use xsam_tasks::OurSections;
use xsam_tasks::spec::AugmentationSpec;

fn preset(name: &str) -> Result<Preset, SpecError> {
    Preset::find(name, OurTasks::PRESETS)
}

fn config_of(spec: Spec) -> XsamConfig {
    match spec.method {
        MethodSpec::Xsam(config) => config,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_field_has_a_default_and_the_papers_where_it_has_one() {
    let spec = resolved(&[]).unwrap();
    assert_eq!((spec.train.epochs, spec.train.batch_size), (200, Some(125)));
    assert_eq!(
        (spec.optimizer.lr, spec.optimizer.momentum),
        (0.05, Some(0.9))
    );
    assert_eq!(spec.optimizer.weight_decay, 1e-3);
    let method = config_of(spec);
    assert_eq!((method.rho, method.rho_max), (0.15, Some(0.30)));
    assert_eq!(method.search, Some(SearchSchedule::EveryEpoch));
    assert_eq!(method.grid.unwrap().len(), 21);
}

#[test]
fn a_resolved_spec_survives_its_file() {
    for asked in [
        "method.name=xsam",
        "method.name=sgd",
        "method.name=asam and method.adaptive=weights",
        "method.search={every-steps=7}",
        "method.alpha=0.5 and optimizer.name=adamw and schedule.name=step",
        "model.name=densenet121 and data.name=digits and data.subset=100",
    ] {
        let spec = resolved(&settings(asked)).unwrap();
        let text = spec.to_toml().unwrap();
        let (again, _) = parse(&text, &[]).unwrap();
        assert_eq!(again, spec);
        assert_eq!(again.clone().resolved().unwrap(), spec);
        assert!(spec.differences(&again).unwrap().is_empty());
    }
}

#[test]
fn image_folders_are_told_where_they_are() {
    let folder = "data.name=image-folder and data.dir=a/b and data.image_size=32";
    let more = "train.kernels=precise and data.subset=7";
    let spec = resolved(&[settings(folder), settings(more)].concat()).unwrap();
    assert_eq!(spec.task.data.dir.as_deref(), Some("a/b".as_ref()));
    assert_eq!(
        (spec.task.data.image_size, spec.train.kernels),
        (Some(32), Kernels::Precise)
    );
    let text = spec.to_toml().unwrap();
    assert!(text.contains("kernels = \"precise\""), "{text}");
    assert_eq!(parse(&text, &[]).unwrap().0, spec);

    assert_refused(
        &[],
        "
        data.name=image-folder => `data.dir`: image-folder needs the folder
        data.dir=a/b => `data.dir`: digits are built in
        data.image_size=32 => `data.image_size`: digits are built in
        data.name=image-folder and data.dir=a/b and data.image_size=0 => `data.image_size`: 0 must be at least 1
        train.kernels=exact => `train.kernels`: there is no choice of kernels `exact` (there are: fast, precise, composed)
        ",
    );
}

#[test]
fn how_training_images_are_divided_is_part_of_the_spec() {
    let cifar = ["data.name=cifar10", "data.dir=a", "model.name=resnet18"];
    let spec = resolved(&cifar).unwrap();
    assert_eq!(
        (spec.task.data.validation, spec.task.data.split_seed),
        (Some(0.1), Some(10))
    );
    assert_eq!(parse(&spec.to_toml().unwrap(), &[]).unwrap().0, spec);
    // A folder may have a validation part of its own: that is known when it is read.
    let folder = resolved(&["data.name=image-folder", "data.dir=a"]).unwrap();
    assert_eq!(folder.task.data.validation, None);

    let fixed = "data.validation=0.2 => `data.validation`: the validation part of digits is fixed";
    assert_refused(&[], fixed);
    assert_refused(
        &cifar,
        "
        data.validation=1.0 => `data.validation`: 1 must be above 0 and below 1
        data.image_size=64 => `data.image_size`: the images of cifar10 are 32x32
        ",
    );
    // Where `xsam data fetch` puts it.
    let found = resolved(&cifar[..1]).unwrap().task.data.dir.unwrap();
    assert_eq!(found, Path::new("data/cifar10"));
}

#[test]
fn a_resolved_spec_has_no_field_that_does_nothing() {
    let unused = ["method.alpha=1", "method.grid=[0, 7]", "schedule.gamma=0.5"];
    let text = resolved(&unused).unwrap().to_toml().unwrap();
    assert!(!text.contains("grid") && !text.contains("gamma"), "{text}");
    let sgd = "method.name=sgd and method.rho=0.3 => `method.rho`: sgd has no fields";
    assert_refused(&[], sgd);
}

/// A default that depends on another field is computed when it is used: a spec that is written and read again is as
/// free to follow as one that never was in a file.
#[test]
fn a_default_that_depends_on_another_field_follows_it() {
    for (asked, change) in table(
        "
        method.rho=0.3 => method.rho=0.6
        method.rho=0.3 and method.rho_max=0.5 => method.rho=0.6
        method.name=asam => method.name=lookbehind-sam
        method.name=sgd => method.name=sam
        method.name=sam and method.rho=0.3 => method.name=gsam
        method.name=msam => method.name=gsam
        method.name=looksam => method.name=lookbehind-sam
        method.alpha=1 => method.name=look-xsam
        method.friendly={} => method.name=look-xsam
        schedule.name=step => train.epochs=12
        schedule.name=inverse-sqrt => schedule.name=cosine
        schedule.rho=linear => schedule.rho=constant
        optimizer.name=adam => optimizer.name=sgd
        data.name=cifar10 => data.name=tiny-imagenet
        data.name=cifar10 => data.name=mnist
        data.name=cifar10 => data.name=digits
        data.name=tiny-imagenet => augmentation.crop_padding=8
        model.name=cnn => model.name=resnet18
        => method.rho=0.6
        => method.name=asam
        => method.parabola=true
        => data.name=iwslt14-de-en and model.name=transformer
        data.name=iwslt14-de-en and model.name=transformer => data.name=digits and model.name=cnn
        data.name=iwslt14-de-en and model.name=transformer => model.width=64
        data.name=iwslt14-de-en and model.name=transformer => train.batch_size=32
        data.name=iwslt14-de-en and model.name=transformer => \
            data.name=parallel-text and data.dir=d and data.source=a and data.target=b
        ",
    ) {
        let [asked, change] = [asked, change].map(settings);
        let (spec, _) = parse("", &asked).unwrap();
        let (changed, _) = parse(&spec.to_toml().unwrap(), &change).unwrap();
        let fresh = resolved(&[&asked[..], &change].concat()).unwrap();
        assert_eq!(changed.resolved().unwrap(), fresh, "{asked:?}, {change:?}");
    }
    let of = |settings: &[&str]| config_of(resolved(settings).unwrap()).rho_max;
    assert_eq!(of(&["method.rho=0.6"]), Some(1.2));
    assert_eq!(of(&["method.rho=0.6", "method.rho_max=0.5"]), Some(0.5));
}

#[test]
fn rows_of_several_rhos_search_at_twice_their_own() {
    let preset = preset("digits-noise").unwrap();
    let reach = |settings: &[&str]| {
        let settings: Vec<String> = settings.iter().map(|s| (*s).to_owned()).collect();
        let (spec, compare): (Spec, _) = preset.parse(&settings).unwrap();
        let entries = compare.unwrap().entries(&spec).unwrap();
        let resolved = entries.iter().map(|entry| {
            let method = config_of(entry.spec(0).resolved().unwrap());
            (method.rho, method.rho_max.unwrap())
        });
        resolved.collect::<Vec<_>>()
    };
    let xsam = "compare.methods=['xsam']";
    let all = [(0.15, 0.3), (0.3, 0.6), (0.6, 1.2), (1.2, 2.4)];
    assert_eq!(reach(&[xsam]), all);
    // What is set for all methods is not swept by the preset.
    assert_eq!(reach(&[xsam, "method.rho=0.6"]), [(0.6, 1.2)]);
    let rhos = "compare.sweep.rho=[0.3, 0.6]";
    assert_eq!(reach(&[xsam, rhos]), [(0.3, 0.6), (0.6, 1.2)]);
    assert_eq!(reach(&[xsam, "method.rho=0.2"]), [(0.2, 0.4)]);
    let asked = "compare.xsam.rho_max=1";
    assert_eq!(reach(&[xsam, rhos, asked]), [(0.3, 1.0), (0.6, 1.0)]);
    // What is tuned is asked for, and what is not follows.
    let tuned = [
        "compare.methods=['xsam']",
        "method.rho=0.6",
        "compare.tune.rho=[0.1, 0.2]",
    ];
    let (spec, compare): (Spec, _) = preset.parse(&tuned.map(str::to_owned)).unwrap();
    let entries = compare.unwrap().entries(&spec).unwrap();
    assert_eq!(entries[0].candidates.len(), 2);
    let first = config_of(entries[0].spec(0).resolved().unwrap());
    assert_eq!((first.rho, first.rho_max), (0.1, Some(0.2)));
}

#[test]
fn a_text_is_a_text_whatever_it_looks_like() {
    let texts = "20240101 | 1e5 | true | nan | inf | -inf | 2024-01-01 | 0x10 | 1,2 | [1] | [a, b] | {a = 1} | 1#2 | \
                 a b | it's";
    for text in texts.split(" | ") {
        let settings = [
            format!("data.dir={text}"),
            format!("data.source={text}"),
            format!("train.init={text}"),
        ];
        let (spec, _) = Spec::parse("", &settings).unwrap();
        assert_eq!(spec.task.data.dir.as_deref(), Some(Path::new(text)));
        assert_eq!(spec.task.data.source.as_deref(), Some(text));
        assert_eq!(spec.train.init.as_deref(), Some(Path::new(text)));
        // And in the file that it is written to.
        let (again, _) = Spec::parse(&spec.to_toml().unwrap(), &[]).unwrap();
        assert_eq!(again, spec);
    }
    // In quotation marks it is what is between them.
    for (quoted, path) in [("\"a b \"", "a b "), ("'1e5'", "1e5"), (r#""\u00e9""#, "é")] {
        let (spec, _) = parse("", &[&format!("data.dir={quoted}")]).unwrap();
        assert_eq!(spec.task.data.dir.as_deref(), Some(Path::new(path)));
    }
    // A name that there is not is not a number either.
    let error = parse("", &["method.name=1e5"]).unwrap_err();
    assert!(error.contains("there is no method `1e5`"), "{error}");
    let error = parse("", &["compare.a.adaptive=true"]).unwrap_err();
    assert!(error.contains("unknown variant `true`"), "{error}");
    // Numbers, lists and truth values are what they were.
    let plain = "method.rho=1 and method.grid=[0, 1] and method.parabola=false";
    let method = config_of(resolved(&settings(plain)).unwrap());
    assert_eq!((method.rho, method.parabola), (1.0, false));
    assert_eq!(method.grid, Some(vec![0.0, 1.0]));
    for (field, value, written) in [
        ("model.norm", "post", "\"post\""),
        ("optimizer.name", "sgd", "\"sgd\""),
        ("method.adaptive", "weights", "\"weights\""),
        ("method.search", "every-epoch", "\"every-epoch\""),
        ("rho", "0.1", "0.1"),
        ("method.grid", "[0.5]", "[0.5]"),
        ("schedule.warmup", "2", "2"),
    ] {
        let mut compare = Compare::default();
        compare.tune =
            Values::of::<OurSections>(Purpose::Tune, field, &[value.to_owned()]).unwrap();
        let text = compare.to_toml(&Spec::default()).unwrap();
        assert!(text.contains(&format!("= [{written}]")), "{field}: {text}");
    }
    let tried = ["every-epoch", "{ every-steps = 2 }"].map(str::to_owned);
    let tune = Values::of::<OurSections>(Purpose::Tune, "search", &tried).unwrap();
    let listed = "compare.tune.search=['every-epoch', { every-steps = 2 }]";
    let (_, compare) = parse("", &[listed]).unwrap();
    assert_eq!(compare.unwrap().tune, tune);
}

#[test]
fn labels_may_look_like_numbers_and_have_dots() {
    let settings = [
        "compare.methods=['1e5', 'nan', '2024-01-01', '0.5']",
        "compare.1e5.name=sam",
        "compare.nan={name='sam', rho=0.2}",
        "compare.2024-01-01.name=sgd",
        "compare.\"0.5\".name=xsam",
        "compare.'0.5'.rho=0.5",
    ];
    let (spec, compare) = parse("", &settings).unwrap();
    let compare = compare.unwrap();
    let entries = compare.entries(&spec).unwrap();
    let labels: Vec<&str> = entries.iter().map(|entry| &*entry.label).collect();
    assert_eq!(labels, ["1e5", "nan", "2024-01-01", "0.5"]);
    let last = entries[3].spec(0).method;
    assert_eq!((last.name(), last.rho()), ("xsam", Some(0.5)));
    let written = compare.to_toml(&spec).unwrap();
    assert_eq!(parse(&written, &[]).unwrap(), (spec, Some(compare)));
}

#[test]
fn sections_nested_without_end_are_refused() {
    let nested = |depth: usize| format!("method.{}=1", vec!["rho"; depth].join("."));
    for (depth, expected) in [(2, "`method.rho`"), (100, "parts"), (30_000, "parts")] {
        let error = parse("", &[&nested(depth)]).unwrap_err().to_string();
        assert!(error.contains(expected), "{depth}: {error}");
    }
    let file = nested(30_000).replace("=1", " = 1");
    let error = parse(&file, &[]).unwrap_err().to_string();
    assert!(error.contains("recursion limit"), "{error}");
}

#[test]
fn sizes_that_nobody_could_mean_are_refused_before_there_is_anything_of_them() {
    assert_refused(
        &[],
        "
        model.width=1000000000 => `model.width`: width = 1000000000 is outside 1..=16384
        model.width=16384 => `model.width`: cnn of these sizes has 24160223242 parameters, more than
        train.epochs=1000000000000 => `train.epochs`: 1000000000000 must be at most 4294967295
        method.ascent_steps=1000000000 => `method.ascent_steps`: 1000000000 must be at most 1000
        data.workers=1000000000 => `data.workers`: 1000000000 must be at most 64
        data.subset=1000000000 => `data.subset`: 1000000000 must be from 1 to
        schedule.warmup=1000000000 => `schedule.warmup`: 1000000000 must be below
        ",
    );
    assert_refused(
        &TEXT,
        "
        model.width=32768 => `model.width`: a Transformer of these
        model.layers=1000000000 => `model.layers`: encoder_layers
        model.feed_forward=1000000000 => `model.feed_forward`:
        model.heads=1000000000 => `model.heads`: heads = 1000000000
        translation.merges=1000000000 => `translation.merges`: 1000000000 must be from 1 to 2^20
        ",
    );
    let many = |field: &str, count: usize| {
        let values: Vec<String> = (1..=count).map(|value| value.to_string()).collect();
        format!("{field}=[{}]", values.join(","))
    };
    let [rhos, steps] = ["compare.rho", "compare.ascent_steps"].map(|field| many(field, 1000));
    let [rho, rho_max] = ["compare.tune.rho", "compare.tune.rho_max"].map(|field| many(field, 101));
    let [rho_few, lr] =
        ["compare.tune.rho", "compare.tune.optimizer.lr"].map(|field| many(field, 90));
    let [few, swept] = ["compare.rho", "compare.ascent_steps"].map(|field| many(field, 60));
    let [tuned, seeds] = [
        many("compare.tune.rho", 100),
        many("compare.tune_seeds", 400),
    ];
    let grid = many("method.grid", 1001);
    let table = format!(
        "
        {rhos} and {steps} => `compare`: 9000000 runs are more than 100000
        {rho} and {rho_max} => `compare.tune`: 10201 combinations are more than 10000
        {rho_few} and {lr} => `compare`: 24300 combinations of all methods are more than 10000
        {few} and {swept} => `compare`: 10800 combinations of all methods are more than 10000
        {tuned} and {seeds} => `compare.tune`: 120000 runs to choose by are more than 100000
        {grid} => `method.grid`: 1001 positions must be at most 1000
        "
    );
    assert_refused(&[], &table);
}

#[test]
fn unknown_keys_are_met_with_the_nearest() {
    assert_refused(
        &[],
        "
        method.rhoo=0.3 => `method.rhoo`: there is no such field; did you mean `rho`?
        optimiser.lr=0.3 => `optimiser`: there is no such section; did you mean `optimizer`?
        method.name=xsan => `method.name`: there is no method `xsan`; did you mean `xsam`?
        data.name=digit => `data.name`: there is no data set `digit`; did you mean `digits`?
        train.device=vulcan => `train.device`: there is no device `vulcan`; did you mean `vulkan`? \
            (there are: cpu, webgpu, vulkan, cuda, rocm, metal)
        ",
    );
    let error = preset("digit-noise").unwrap_err().to_string();
    assert!(error.contains("did you mean `digits-noise`?"), "{error}");
}

#[test]
fn a_spec_names_devices_that_this_build_need_not_have() {
    for device in DeviceName::all() {
        let spec = resolved(&[&format!("train.device={device}")]).unwrap();
        assert_eq!(spec.train.device, device);
        let (again, _) = Spec::parse(&spec.to_toml().unwrap(), &[]).unwrap();
        assert_eq!(again.resolved().unwrap(), spec);
    }
}

#[test]
fn impossible_values_name_the_key() {
    assert_refused(
        &[],
        r#"
        method.rho=-0.1 => `method.rho`: -0.1 must be finite and at least 0
        method.rho=nan => `method.rho`: NaN must be finite
        method.rho=abc => `method.rho`: invalid type: string
        method.rho_max=0 => `method.rho_max`: 0 must be
        method.ascent_steps=0 => `method.ascent_steps`: 0 must be at least 1
        method.ascent_steps=-1 => `method.ascent_steps`: invalid value
        method.grid=[] => `method.grid`: [] must be a list of at least one
        method.grid=[nan] => `method.grid`: NaN must be finite
        method.alpha=inf => `method.alpha`: inf must be finite
        method.search=every-steps => `method.search`: is now search = { every-steps = 20 }
        method.search=every-step => `method.search`: invalid value: string "every-step", expected "every-epoch"
        method.search={every-steps=0} => `method.search.every-steps`: 0 must be at least 1
        method.search={adaptive={short=1}} => `method.search`: unknown field `short`, expected one of `shortest`
        data.label_noise=1.5 => `data.label_noise`: 1.5 must be from 0 to 1
        data.label_noise=nan => `data.label_noise`: NaN must be
        data.subset=0 => `data.subset`: 0 must be from 1 to 1200
        optimizer.lr=0 => `optimizer.lr`: 0 must be finite and above 0
        optimizer.momentum=1 => `optimizer.momentum`: 1 must be
        optimizer.weight_decay=-1 => `optimizer.weight_decay`: -1 must be
        optimizer.clip_norm=0 => `optimizer.clip_norm`: 0 must be
        train.epochs=0 => `train.epochs`: 0 must be at least 1
        train.batch_size=0 => `train.batch_size`: 0 must be at least 1
        train.batch_size=1.5 => `train.batch_size`: invalid type
        schedule.warmup=200 => `schedule.warmup`: 200 must be below
        model.width=0 => `model.width`: width = 0
        model.name=vgg11_bn => `model`: image_size = 8 is too small
        train=3 => `train=3`: must be section.field=value
        rho => `rho`: must be section.field=value
        method.name=sam and method.adaptive=elementwise => `method.adaptive`: sam has no such field (it has: rho, ascent_steps, from, until, every, policy, loss_budget, measured)
        "#,
    );
    for (text, expected) in [
        ("[train", "not valid TOML"),
        ("train = 3", "`train`: must be a section"),
    ] {
        let error = parse(text, &[]).unwrap_err();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn a_comparison_is_of_methods_and_seeds() {
    let text = "
        [method]
        rho = 0.3
        [compare]
        methods = ['sgd', 'xsam', 'three']
        seeds = [4, 7]
        [compare.three]
        name = 'xsam'
        ascent_steps = 3
        rho = 0.6
    ";
    let (spec, compare) = parse(text, &[]).unwrap();
    let compare = compare.unwrap();
    let entries = compare.entries(&spec).unwrap();
    let resolved = |i: usize| entries[i].spec(4).resolved().unwrap();
    let method = |i: usize| resolved(i).method;
    assert_eq!(
        entries.iter().map(|e| e.label.as_str()).collect::<Vec<_>>(),
        ["sgd", "xsam", "three"]
    );
    assert_eq!(compare.seeds, [4, 7]);
    assert_eq!([4, 7].map(|seed| entries[1].spec(seed).train.seed), [4, 7]);
    assert_eq!((method(0).name(), method(0).rho()), ("sgd", None));
    assert_eq!((method(1).name(), method(1).rho()), ("xsam", Some(0.3)));
    assert_eq!(
        (method(2).rho(), method(2).ascent_steps()),
        (Some(0.6), Some(3))
    );

    let (spec, compare) = parse(text, &[]).unwrap();
    let compare = compare.unwrap();
    let written = compare.to_toml(&spec).unwrap();
    assert_eq!(parse(&written, &[]).unwrap(), (spec, Some(compare)));

    let how = [
        "compare.rho=[0.1, 0.2]",
        "compare.ascent_steps=[1, 2]",
        "compare.tune_seeds=[9]",
        "compare.tune.alpha=[0.5]",
        "compare.tune.optimizer.name=['sgd', 'adam']",
    ];
    let (spec, compare) = parse(text, &how).unwrap();
    let compare = compare.unwrap();
    let written = compare.to_toml(&spec).unwrap();
    assert_eq!(parse(&written, &[]).unwrap(), (spec, Some(compare)));
    let how = [
        "compare.equal_compute=true",
        "compare.sweep={rho_max=[0.5, 1], optimizer={name=['sgd', 'adam']}}",
    ];
    let (spec, compare) = parse(text, &how).unwrap();
    let compare = compare.unwrap();
    let written = compare.to_toml(&spec).unwrap();
    assert_eq!(parse(&written, &[]).unwrap(), (spec, Some(compare)));

    // What is set on the command line holds for all methods.
    let (spec, compare) = parse(text, &["method.rho=0.1", "compare.seeds=[1]"]).unwrap();
    let compare = compare.unwrap();
    let entries = compare.entries(&spec).unwrap();
    assert_eq!(entries[2].spec(1).method.rho(), Some(0.1));
    assert_eq!(compare.seeds, [1]);
}

#[test]
fn methods_that_are_compared_have_of_the_section_what_they_have() {
    let text = "
        [method]
        gamma = 0.8
        adaptive = 'elementwise'
        every = 3
        alpha = 1.2
        [compare]
        methods = ['sgd', 'sam', 'asam', 'wsam', 'looksam', 'look-xsam']
    ";
    let (spec, compare) = parse(text, &[]).unwrap();
    assert_eq!(spec.method.name(), "xsam");
    let entries = compare.clone().unwrap().entries(&spec).unwrap();
    let method = |i: usize| entries[i].spec(0).method;
    assert_eq!(method(1), SamConfig::new().with_every(3).into());
    // Its own rho is not that of the section's method.
    assert_eq!(method(2).rho(), Some(0.5));
    let adaptive = Scaling::Elementwise;
    let wsam = WsamConfig::new().with_gamma(0.8).with_every(3);
    let wsam = wsam.with_adaptive(adaptive);
    assert_eq!(method(3), wsam.into());
    // Another alpha, and another `every`.
    let looksam = LookSamConfig::new().with_adaptive(adaptive);
    assert_eq!(method(4), looksam.into());
    let look_xsam = LookXsamConfig::new().with_alpha(1.2);
    assert_eq!(method(5), look_xsam.with_adaptive(adaptive).into());
    let written = compare.as_ref().unwrap().to_toml(&spec).unwrap();
    assert_eq!(parse(&written, &[]).unwrap(), (spec, compare));

    let error = |text: &str| {
        let parsed = parse(text, &[]);
        parsed.and_then(|(spec, compare)| {
            let entries = compare.unwrap_or_default().entries(&spec);
            entries.map_err(|error| error.to_string())
        })
    };
    let without = text.replace("'wsam', ", "");
    let error_of = |text: &str| error(text).unwrap_err();
    assert_eq!(
        error_of(&without),
        "`method.gamma`: none of the methods has it"
    );
    // Nothing is compared.
    let alone = "[method]\ngamma = 0.8";
    assert!(error_of(alone).starts_with("`method.gamma`: xsam has no such field (it has: rho,"));
    let unknown = text.replace("gamma", "gama");
    assert!(error_of(&unknown).starts_with("`method.gama`: there is no such field"));
    let of_another = "[compare.sam]\ngamma = 0.8";
    assert!(error_of(of_another).starts_with("`compare.sam.gamma`: sam has no such field"));
}

#[test]
fn a_label_may_have_an_ascent_for_each_part() {
    let text = "
        [compare]
        methods = ['sam', 'parts']
        [compare.parts]
        name = 'sam'
        train = { m_sharpness = 4 }
    ";
    let (spec, compare) = parse(text, &[]).unwrap();
    let compare = compare.unwrap();
    let entries = compare.entries(&spec).unwrap();
    let parts = entries.iter().map(|entry| entry.spec(0).train.m_sharpness);
    assert_eq!(parts.collect::<Vec<_>>(), [None, Some(4)]);
    let written = compare.to_toml(&spec).unwrap();
    assert_eq!(parse(&written, &[]).unwrap(), (spec, Some(compare)));
    let epochs = text.replace("m_sharpness", "epochs");
    let error = parse(&epochs, &[]).unwrap_err();
    assert!(error.starts_with("`compare.parts.train.epochs`: there is no such field"));
}

#[test]
fn what_is_written_otherwise_now_is_told_how() {
    for (old, now) in table(
        "
        search_every=7 => search = { every-steps = 20 }
        search_shortest=7 => search = { adaptive = { shortest = 10 } }
        search_longest=7 => search = { adaptive = { longest = 1000 } }
        search_tolerance=0.2 => search = { adaptive = { tolerance = 0.1 } }
        search_kind=parabola => parabola = true
        gsam_alpha=0.3 => alpha
        look_alpha=0.3 => alpha
        look_every=3 => every
        m_sharpness=3 => train.m_sharpness
        friendly=true => friendly = { sigma = 1.0, lambda = 0.9 }
        friendly=false => left out
        scaling=3 => adaptive
        ",
    ) {
        let (field, value) = old.split_once('=').unwrap();
        let value = value.replace("parabola", "'x'");
        for (key, setting) in [
            (format!("method.{field}"), format!("method.{old}")),
            (format!("compare.own.{field}"), format!("compare.own.{old}")),
            (
                format!("compare.tune.method.{field}"),
                format!("compare.tune.{field}=[{value}]"),
            ),
        ] {
            let error = parse("", &[&setting, "compare.own.name=look-xsam"]).unwrap_err();
            let told = format!("`{key}`: is now {now}");
            assert!(error.starts_with(&told), "{error}");
        }
    }
}

#[test]
fn what_stands_in_another_section_now_is_told_where() {
    for (old, new) in OurSections::RENAMED {
        let (section, field) = old.split_once('.').unwrap();
        let told = format!("`{old}`: is now {new}");
        let set = parse("", &[&format!("{old}=1")]).unwrap_err();
        let written = parse(&format!("[{section}]\n{field} = 1"), &[]).unwrap_err();
        assert_eq!((&set, &written), (&told, &told));
        // There is such a field.
        let (section, field) = new.split_once('.').unwrap();
        let parsed = parse(&format!("[{section}]\n{field} = []"), &[]).unwrap_err();
        assert!(parsed.contains("invalid type"), "{parsed}");
    }
    assert_eq!(OurSections::RENAMED.len(), 4);
}

#[test]
fn a_comparison_that_cannot_be_says_why() {
    assert_refused(
        &[],
        r#"
        compare.methods=[] => `compare.methods`: must name at least one
        compare.methods=['sam', 'sam'] => `compare.methods`: `sam` is there twice
        compare.methods=['xsamm'] => `compare.methods`: there is no method `xsamm`; did you
        compare.methods=['../x'] => `compare.methods`: `../x` cannot be the name of a folder
        compare.methods=["a\nb"] => `compare.methods`: `a\nb` cannot be the name of a folder
        compare.methods=["\u001b[2J"] => `compare.methods`: `\u{1b}[2J` cannot be the name of a folder
        compare.seeds=[] => `compare.seeds`: must name at least one
        compare.seeds=['a'] => `compare.seeds`: invalid type: string "a", expected u64
        compare.seed=[1] => `compare.seed`: there is no such field
        compare.xsam.rhoo=1 => `compare.xsam.rhoo`: there is no such field; did you mean `rho`?
        compare.xsam.rho=-1 => `method.rho`: -1 must be
        compare.rho=0.1 => `compare.rho`: invalid type: floating point `0.1`, expected a sequence
        compare.rho=[0.1, 0.1] => `compare.rho`: `0.1` is there twice
        compare.ascent_steps=[1, 0] => `method.ascent_steps`: 0 must be at least 1 (in sam-k0)
        compare.equal_compute=1 => `compare.equal_compute`: invalid type: integer `1`, expected a boolean
        compare.tune_seeds=[1] => `compare.tune_seeds`: is of no use without values
        compare.tune.rhoo=[1] => `compare.tune.method.rhoo`: there is no such field; did you mean `rho`?
        compare.tune.rho=0.1 => `compare.tune.method.rho`: must be a list of values to try
        compare.tune.rho=['x'] => `compare.tune.method.rho`: invalid type
        compare.tune.rho=[-1] => `compare.tune`: no combination of the values is possible: sam with rho = -1: `method.rho`
        compare.tune.optimiser.lr=[1] => `compare.tune.optimiser`: cannot be tuned; did you mean `optimizer`?
        compare.tune.train.seed=[1] => `compare.tune.train.seed`: cannot be tuned (of [train], these can: init,
        compare.tune.name=['sam'] => `compare.tune.method.name`: cannot be tuned
        compare.tune.schedule.gamma=[0.1] => `compare.tune.schedule.gamma`: none of the methods has it
        compare.methods=['sgd'] and compare.rho=[1] => `compare.rho`: none of the methods has it
        compare.tune.rho=[1] and compare.rho=[1] => `compare.rho`: is both swept and tuned
        compare.sweep=[1] => `compare.sweep`: must be a section, [compare.sweep], not a array
        compare.sweep.rhoo=[1] => `compare.sweep.method.rhoo`: there is no such field; did you mean `rho`?
        compare.sweep.rho=0.1 => `compare.sweep.method.rho`: must be a list of values to try
        compare.sweep.rho=[0.1, 0.1] => `compare.sweep.method.rho`: `0.1` is there twice
        compare.sweep.rho=[1, 1.0] => `compare.sweep.method.rho`: `1` is there twice
        compare.sweep.rho=[0.1, -1] => `method.rho`: -1 must be finite and at least 0 (in sam-rho-1)
        compare.sweep.name=['sam'] => `compare.sweep.method.name`: cannot be swept: methods are compared by naming them
        compare.sweep.optimiser.lr=[1] => `compare.sweep.optimiser`: cannot be swept; did you mean `optimizer`?
        compare.sweep.train.seed=[1] => `compare.sweep.train.seed`: cannot be swept: seeds are in compare.seeds
        compare.sweep.data.workers=[1] => `compare.sweep.data.workers`: cannot be swept: it leaves the steps of a run
        compare.sweep.schedule.gamma=[0.1] => `compare.sweep.schedule.gamma`: none of the methods has it
        compare.methods=['sgd'] and compare.sweep.rho=[1] => `compare.sweep.method.rho`: none of the methods has it
        compare.tune.rho=[1] and compare.sweep.rho=[1] => `compare.sweep.rho`: is both swept and tuned
        compare.sweep.rho=[1] and compare.rho=[1] => `compare.rho`: is in [compare.sweep] as well
        compare.tune.rho=[1] and compare.tune.method.rho=[1] => `compare.tune.method.rho`: is there with its section and without
        "#,
    );
    let both = [
        "compare.methods=['sam-k2', 'sam']",
        "compare.sam-k2={name='sam', ascent_steps=2}",
    ];
    assert_refused(
        &both,
        "compare.ascent_steps=[1] => `compare.methods`: `sam-k2` and `sam` would both be `sam-k1`: leave out one of them",
    );
}

#[test]
fn augmentation_is_the_papers_for_its_data_and_off_for_others() {
    let augmentation = |settings: &[&str]| {
        let spec = resolved(settings).unwrap().task.augmentation;
        (
            spec.crop_padding.unwrap(),
            spec.resized_crop.unwrap(),
            spec.flip.unwrap(),
            spec.cutout.unwrap(),
            spec.erasing.unwrap(),
        )
    };
    assert_eq!(augmentation(&[]), (0, 1.0, 0.0, 0, 0.0));
    assert_eq!(
        augmentation(&["data.name=cifar100"]),
        (4, 1.0, 0.5, 16, 0.0)
    );
    let tiny = "data.name=tiny-imagenet";
    assert_eq!(augmentation(&[tiny]), (0, 0.8, 0.5, 0, 0.5));
    // One crop takes the place of the other.
    let padded = augmentation(&[tiny, "augmentation.crop_padding=8"]);
    assert_eq!((padded.0, padded.1), (8, 1.0));
    let resized = augmentation(&["data.name=cifar10", "augmentation.resized_crop=0.5"]);
    assert_eq!((resized.0, resized.1), (0, 0.5));

    let both = "augmentation.crop_padding=4 and augmentation.resized_crop=0.5 \
                => `augmentation`: crop_padding = 4 and resized_crop exclude";
    assert_refused(&[tiny], both);
    assert_refused(
        &[],
        "
        augmentation.cutout=9 => `augmentation.cutout`: 9 is outside 0..=8 for images of 8x8 pixels
        augmentation.flip=1.5 => `augmentation.flip`: 1.5 must be from 0 to 1
        augmentation.resized_crop=0 => `augmentation.resized_crop`: 0 must be above 0 and at most 1
        ",
    );
}

/// Settings for text that is nowhere.
const TEXT: [&str; 5] = [
    "data.name=parallel-text",
    "data.dir=text",
    "data.source=de",
    "data.target=en",
    "model.name=transformer",
];

#[test]
fn text_has_a_translation_and_no_images() {
    let spec = resolved(&TEXT).unwrap();
    let (data, translation) = (&spec.task.data, &spec.task.translation);
    assert_eq!(
        (spec.train.batch_size, data.batch_tokens),
        (None, Some(4096))
    );
    assert_eq!(data.label_smoothing, Some(0.1));
    assert_eq!(
        (translation.merges, translation.beam),
        (Some(10_000), Some(5))
    );
    assert_eq!(
        (spec.task.model.width, spec.task.model.feed_forward),
        (Some(512), Some(1024))
    );
    assert_eq!(spec.task.augmentation, AugmentationSpec::default());

    let with = |setting| resolved(&[&TEXT[..], &[setting]].concat());
    let pairs = with("train.batch_size=32").unwrap();
    assert_eq!(pairs.train.batch_size, Some(32));
    assert_eq!(pairs.task.data.batch_tokens, None);
    with("schedule.name=step").unwrap();
    assert_refused(
        &TEXT,
        "
        model.name=cnn => `model.name`: cnn tells classes of images apart, and parallel-text is
        augmentation.flip=0.5 => `augmentation`: parallel-text is text: leave the section out
        data.label_noise=0.1 => `data.label_noise`: parallel-text is text, which has no labels
        data.validation=0.1 => `data.validation`: parallel-text is text, in three parts of its
        data.workers=2 => `data.workers`: parallel-text is text
        data.batch_tokens=100 => `data.batch_tokens`: 100 must be at least translation.max_length
        model.heads=5 => `model.heads`: heads = 5 does not divide dim = 512
        model.dropout=1 => `model.dropout`: dropout = 1 is outside its range
        model.layers=0 => `model.layers`: encoder_layers = 0 is outside 1..=1024
        translation.beam=0 => `translation.beam`: 0 must be from 1 to 1000
        translation.bleu=14a => `translation.bleu`: there is no tokenization for BLEU `14a`
        ",
    );
    assert_refused(
        &[],
        "
        model.layers=2 => `model.layers`: is of the transformer, not of cnn: leave it out
        translation.beam=5 => `translation`: digits is of images: leave the section out
        data.batch_tokens=9 => `data.batch_tokens`: digits is of images
        model.name=transformer => `model.name`: transformer translates, and digits is of images
        data.source=de => `data.source`: digits is of images: leave it out
        ",
    );
}

#[test]
fn the_inverse_square_root_warms_up_by_steps() {
    let name = "schedule.name=inverse-sqrt";
    let warmup = |settings: &[&str]| resolved(settings).unwrap().schedule.warmup_steps;
    assert_eq!(warmup(&[name]), Some(4000));
    assert_eq!(warmup(&["schedule.warmup_steps=9"]), None);
    assert_refused(
        &[name],
        "
        schedule.warmup=2 => `schedule.warmup`: inverse-sqrt warms up
        schedule.by=epoch => `schedule.by`: inverse-sqrt goes by steps
        schedule.warmup_steps=0 => `schedule.warmup_steps`: 0 must be at least 1
        ",
    );
}

/// Each method with each combination that it has, rho outermost, in labels that are told apart.
#[test]
fn a_sweep_is_a_row_for_each_value_that_a_method_has() {
    let rows = |settings: &[&str]| {
        let (spec, compare) = parse("", settings).unwrap();
        let entries = compare.unwrap().entries(&spec).unwrap();
        let rows = entries.iter().map(|entry| {
            let resolved = entry.spec(0).resolved().unwrap();
            (entry.label.clone(), entry.method.clone(), resolved)
        });
        rows.collect::<Vec<_>>()
    };
    let labels = |settings: &[&str]| {
        let rows = rows(settings).into_iter();
        rows.map(|(label, ..)| label).collect::<Vec<_>>()
    };
    let methods = "compare.methods=['sgd', 'sam', 'xsam']";
    let grid = [
        methods,
        "compare.sweep.rho=[0.1, 0.2]",
        "compare.sweep.rho_max=[0.5, 1.0]",
    ];
    let found = rows(&grid);
    let expected = [
        "sgd",
        "sam-rho0.1",
        "sam-rho0.2",
        "xsam-rho0.1-rho_max0.5",
        "xsam-rho0.1-rho_max1",
        "xsam-rho0.2-rho_max0.5",
        "xsam-rho0.2-rho_max1",
    ];
    assert_eq!(labels(&grid), expected);
    let (_, method, last) = found.last().unwrap();
    assert_eq!(method, "xsam");
    let config = config_of(last.clone());
    assert_eq!((config.rho, config.rho_max), (0.2, Some(1.0)));
    // A condition is one of all methods.
    let noise = [methods, "compare.sweep.data.label_noise=[0, 0.4]"];
    let found = rows(&noise);
    assert_eq!(found.len(), 6);
    assert_eq!(found[1].0, "sgd-data.label_noise0.4");
    assert_eq!(found[1].2.task.data.label_noise, 0.4);
    // The short forms are the same.
    let short = [
        "compare.methods=['sam']",
        "compare.rho=[0.1]",
        "compare.ascent_steps=[1, 3]",
    ];
    let long = [
        "compare.methods=['sam']",
        "compare.sweep.rho=[0.1]",
        "compare.sweep.ascent_steps=[1, 3]",
    ];
    assert_eq!(rows(&short), rows(&long));
    assert_eq!(labels(&short), ["sam-rho0.1-k1", "sam-rho0.1-k3"]);
    let texts = [
        "compare.methods=['sgd']",
        "compare.sweep.train.init=['a/b.pt', 'c.pt']",
    ];
    assert_eq!(
        labels(&texts),
        ["sgd-train.inita_b.pt", "sgd-train.initc.pt"]
    );
}

#[test]
fn a_label_is_no_path() {
    for label in ["../x", "/x", "a/b", ".x", "a\\b", "a\u{7}b", " "] {
        let quoted = serde_json::to_string(label).unwrap();
        let methods = format!("compare.methods=['sgd', {quoted}]");
        let named = format!("compare.{quoted}.name='sam'");
        let (spec, compare) = parse("", &[&methods, &named]).unwrap();
        let error = compare.unwrap().entries(&spec).unwrap_err().to_string();
        assert!(error.contains("cannot be the name of a folder"), "{error}");
    }
}

/// Commands that start processes elsewhere are flags alone.
#[test]
fn a_spec_starts_nothing() {
    for section in ["compare", "train", "data", "model"] {
        for field in ["launch", "launchers", "command"] {
            let error = parse("", &[&format!("{section}.{field}=['touch x']")]).unwrap_err();
            let error = error.to_string();
            assert!(error.contains(&format!("`{section}.{field}`")), "{error}");
        }
    }
}
