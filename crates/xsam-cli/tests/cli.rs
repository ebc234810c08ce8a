//! The program as a person, or a machine, meets it.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{SHORT, assert_fails, lines, text, xsam};
use serde_json::Value;

/// A comparison of four runs.
const COMPARE: [&str; 7] = [
    "compare",
    "--methods",
    "sgd,sam",
    "--seeds",
    "0,1",
    "--out",
    "c",
];

#[test]
fn help_has_an_example_everywhere() {
    let here = tempfile::tempdir().unwrap();
    for command in [
        &[][..],
        &["train"],
        &["compare"],
        &["verify"],
        &["bench"],
        &["eval"],
        &["export"],
        &["report"],
        &["flatness"],
        &["landscape"],
        &["plan"],
        &["data", "list"],
        &["data", "show"],
        &["data", "fetch"],
        &["data", "verify"],
    ] {
        let help = xsam(here.path(), &[command, &["--help"]].concat());
        assert!(help.status.success());
        let text = text(&help.stdout);
        let headings = ["Example:", "Examples:"];
        assert!(headings.iter().any(|h| text.contains(h)), "{command:?}");
    }
}

#[test]
fn help_lists_what_can_be_named() {
    let here = tempfile::tempdir().unwrap();
    for (arguments, words) in [
        (&["train"][..], "[possible values: cpu, webgpu, "),
        (&["bench"], "[possible values: mlp, "),
        (&["verify"], "[possible values: fast, precise, composed]"),
        (&["data", "show"], "[possible values: digits, "),
        (&["compare"], "digits-noise, digits-noise-rho, "),
    ] {
        let help = xsam(here.path(), &[arguments, &["--help"]].concat());
        // Lines are as long as the terminal is wide.
        let help = text(&help.stdout);
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(help.contains(words), "{words}: {help}");
    }
}

#[test]
fn an_instruction_set_that_there_is_not_is_refused() {
    let here = tempfile::tempdir().unwrap();
    let bench = ["bench", "--model", "mlp", "--batch", "2", "--steps", "1"];
    let on = |isa: &str| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_xsam"));
        let program = program.args(bench).arg("--json").env("XSAM_ISA", isa);
        program.current_dir(here.path()).output().unwrap()
    };
    let portable = on("portable");
    assert!(portable.status.success());
    let kernels = &lines(&portable)[0]["kernels"];
    assert_eq!(kernels, "fast (portable)");
    for isa in [
        "sse9",
        if cfg!(target_arch = "x86_64") {
            "neon"
        } else {
            "avx2"
        },
    ] {
        let refused = on(isa);
        assert_eq!(refused.status.code(), Some(2));
        let message = text(&refused.stderr);
        assert!(message.contains(&format!("XSAM_ISA={isa}")), "{message}");
        assert!(message.contains("portable"), "{message}");
    }
}

#[test]
fn wrong_words_are_wrong_usage() {
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("bad.toml"), "[method]\nrho = -1\n").unwrap();
    fs::write(here.path().join("worse.toml"), "[method\n").unwrap();
    fs::write(here.path().join("fine.toml"), "[train]\nepochs = 1\n").unwrap();
    let twice = "[compare]\nrho = [0.1, 0.1]\n";
    fs::write(here.path().join("twice.toml"), twice).unwrap();
    for (arguments, message) in [
        (&["trian"][..], "train"),
        (&["train", "--set", "method.rhoo=1"], "did you mean `rho`?"),
        (
            &["train", "--set", "method.rho=nan"],
            "`method.rho`: NaN must be finite",
        ),
        (&["train", "--set", "method.grid=[]"], "`method.grid`"),
        (
            &[
                "train",
                "--set",
                "method.name=sam",
                "--set",
                "method.ascent_steps=0",
            ],
            "at least 1",
        ),
        (&["train", "bad.toml"], "bad.toml: `method.rho`"),
        (&["train", "worse.toml"], "worse.toml: not valid TOML"),
        (
            &["train", "missing.toml"],
            "cannot read the spec missing.toml",
        ),
        (
            &["train", "--preset", "digits"],
            "did you mean `digits-noise`?",
        ),
        (
            &["train", "--device", "cudda"],
            "there is no device `cudda`; did you mean `cuda`?",
        ),
        (
            &["train", "--device", "1e5"],
            "'--device <DEVICE>': there is no device `1e5`",
        ),
        (
            &["compare", "--methods", "1e5,nan"],
            "`--methods`: there is no method `1e5`",
        ),
        (
            &["train", "--set", "train.epochs=1000000000000"],
            "`train.epochs`: 1000000000000 must be at most",
        ),
        (
            &["bench", "--steps", "9000000000000000000"],
            "`--steps`: 9000000000000000000 must be at most 1000000",
        ),
        (
            &["bench", "--width", "16384"],
            "`--width`: resnet18 of these sizes has",
        ),
        (
            &["bench", "--ascent", "1000000000"],
            "`--ascent`: 1000000000 must be at most 1000",
        ),
        (
            &["train", "--threads", "0"],
            "'--threads <N>': 0 is not in 1..=1024",
        ),
        (&["train", "--resume", "nowhere"], "nowhere"),
        (
            &["train", "--resume", "x", "--overwrite"],
            "cannot be used with",
        ),
        (
            &["compare", "--methods", "sam,xsamm"],
            "did you mean `xsam`?",
        ),
        (&["compare", "--seeds", "a"], "invalid"),
        // The flag that was typed; or the key, where it was not the flag.
        (
            &["compare", "--seeds", "1,2,1"],
            "xsam: `--seeds`: `1` is there twice",
        ),
        (
            &["compare", "--set", "compare.seeds=[1,1]"],
            "xsam: `compare.seeds`: `1` is there twice",
        ),
        (
            &["compare", "fine.toml", "--ascent-steps", "2,2"],
            "xsam: `--ascent-steps`: `2` is there twice",
        ),
        (
            &["compare", "twice.toml"],
            "xsam: twice.toml: `compare.rho`: `0.1` is there twice",
        ),
        (
            &["compare", "--tune", "rhoo=1"],
            "`--tune rhoo`: there is no such field; did you mean `rho`?",
        ),
        (
            &["compare", "--tune", "train.seed=1"],
            "`--tune train.seed`: cannot be tuned (fields can be of: method,",
        ),
        (
            &["compare", "--tune", "rho=0.1,x"],
            "`--tune rho`: invalid type",
        ),
        (
            &["compare", "--tune-seeds", "1"],
            "`--tune-seeds`: is of no use without values",
        ),
        (
            &["verify", "--precision", "f16"],
            "there is no precision `f16`",
        ),
        (
            &["bench", "--model", "resnet-18"],
            "'--model <NAME>': there is no model `resnet-18`; did you mean `resnet18`?",
        ),
        (
            &["bench", "--method", "xsma"],
            "for '--method <NAME>'\n  [possible values: sgd, sam, asam, xsam, look-xsam, gsam, wsam, looksam, friendly-sam, msam, \
             lookbehind-sam]\n\n  tip: a similar value exists: 'xsam'",
        ),
        (
            &["bench", "--batch", "0"],
            "`--batch`: 0 must be at least 1",
        ),
        (
            &["bench", "--kernels", "fats"],
            "'--kernels <NAME>': there is no choice of kernels `fats`; did you mean `fast`?",
        ),
        (
            &["verify", "--kernels", "x"],
            "'--kernels <NAME>': there is no",
        ),
        (
            &["train", "--set", "data.name=image-folder"],
            "`data.dir`: image-folder needs the folder",
        ),
        (
            &["data", "show", "image-folder"],
            "`--dir`: image-folder needs",
        ),
        (
            &["data", "show", "--dir", "."],
            "`--dir`: digits are built in",
        ),
        (&["bench", "--steps", "many"], "invalid value 'many'"),
        (
            &["plan", "--price-per-hour", "-1"],
            "xsam: `--price-per-hour`: -1 must be finite and at least 0",
        ),
        (&["plan", "--steps", "0"], "`--steps`: 0 must be at least 3"),
        (
            &["plan", "--runs-per-year", "0"],
            "`--runs-per-year`: 0 must be at least 1",
        ),
        (
            &["plan", "--ascent-steps", "0"],
            "`--ascent-steps`: 0 must be at least 1",
        ),
        (&["plan", "--currency", "EUR"], "--price-per-hour"),
        (&["plan", "--methods", "sam,xsamm"], "did you mean `xsam`?"),
        (&["plan", "bad.toml"], "bad.toml: `method.rho`"),
        (
            &["bench", "--ascent", "0"],
            "`--ascent`: 0 must be at least 1",
        ),
        (
            &["bench", "--method", "sgd", "--ascent", "2"],
            "sgd does not ascend",
        ),
        (
            &["bench", "--model", "vgg11_bn", "--image-size", "8"],
            "needs at least 32",
        ),
        (
            &["bench", "--model", "densenet121", "--width", "8"],
            "fixed width",
        ),
        (
            &["bench", "--model", "transfomer"],
            "did you mean `transformer`?",
        ),
        (
            &["bench", "--model", "transformer", "--image-size", "8"],
            "`--image-size`: transformer has none",
        ),
        (
            &["bench", "--model", "transformer", "--vocabulary", "2"],
            "vocabulary = 2 is outside",
        ),
        (
            &["bench", "--model", "transformer", "--tokens", "0"],
            "`--tokens`: 0 must be at least 1",
        ),
        (
            &["bench", "--model", "mlp", "--tokens", "8"],
            "`--tokens`: mlp has none",
        ),
        (&["data", "show", "digit"], "did you mean `digits`?"),
        (&["data", "show", "--index", "99999"], "must be below 1200"),
    ] {
        assert_fails(&xsam(here.path(), arguments), 2, message);
    }
    // A path, not a number; and a name among values to try.
    let init = ["compare", "--set", "train.init=1e5"];
    assert_fails(&xsam(here.path(), &init), 1, "cannot read 1e5");
    let tuned = ["compare", "--tune", "optimizer.name=1e5,nan"];
    let message = "there is no optimizer `1e5`";
    assert_fails(&xsam(here.path(), &tuned), 2, message);
    assert!(!here.path().join("runs").exists());
}

#[test]
fn a_run_prints_its_result_and_is_not_overwritten() {
    let here = tempfile::tempdir().unwrap();
    let train = |more: &[&str]| {
        xsam(
            here.path(),
            &[&["train", "--out", "run"], &SHORT[..], more].concat(),
        )
    };
    let output = train(&[]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("test accuracy: last epoch"));
    assert!(text(&output.stderr).contains("epoch 2/2: loss"));

    assert_fails(&train(&[]), 2, "run exists: give --resume");
    assert!(train(&["--overwrite", "--quiet"]).stderr.is_empty());
    let resumed = xsam(here.path(), &["train", "--resume", "run"]);
    assert!(resumed.status.success(), "{}", text(&resumed.stderr));
    let other = xsam(
        here.path(),
        &["train", "--resume", "run", "--set", "optimizer.lr=0.1"],
    );
    assert_fails(&other, 2, "optimizer.lr: 0.05, not 0.1");
    let longer = xsam(
        here.path(),
        &["train", "--resume", "run", "--set", "train.epochs=3"],
    );
    assert!(longer.status.success(), "{}", text(&longer.stderr));
    assert!(text(&longer.stderr).contains("going on after epoch 2"));
    assert!(text(&longer.stderr).contains("epoch 3/3: loss"));

    fs::create_dir(here.path().join("mine")).unwrap();
    fs::write(here.path().join("mine/spec.toml"), "precious").unwrap();
    let foreign = [&["train", "--out", "mine", "--overwrite"], &SHORT[..]].concat();
    assert_fails(&xsam(here.path(), &foreign), 2, "was not written by xsam");
    let kept = fs::read_to_string(here.path().join("mine/spec.toml")).unwrap();
    assert_eq!(kept, "precious");
}

#[test]
fn machines_get_one_object_a_line() {
    let here = tempfile::tempdir().unwrap();
    let output = xsam(here.path(), &[&["train", "--json"], &SHORT[..]].concat());
    let lines = lines(&output);
    let events: Vec<&str> = lines
        .iter()
        .filter_map(|line| line["event"].as_str())
        .collect();
    assert_eq!(events, ["started", "epoch", "epoch", "ended"]);
    assert_eq!(lines[3]["summary"]["status"], "finished");
    assert!(lines[1]["metrics"]["alpha"].is_number());
    assert!(output.stderr.is_empty());
    assert!(
        here.path()
            .join("runs/digits-cnn-xsam-seed0/metrics.csv")
            .exists()
    );
}

#[test]
fn a_comparison_prints_its_table_and_writes_its_files() {
    let here = tempfile::tempdir().unwrap();
    let output = xsam(here.path(), &[&COMPARE[..], &SHORT].concat());
    let table = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    for word in [
        "digits with 40 % label noise",
        "last epoch",
        "best on validation",
        "± ",
    ] {
        assert!(table.contains(word), "{table}");
    }
    assert!(text(&output.stderr).contains("[4/4] sam, seed 1"));
    for file in [
        "methods.csv",
        "runs.csv",
        "compare.json",
        "test-accuracy.svg",
    ] {
        assert!(here.path().join("c").join(file).exists(), "{file}");
    }
    assert_fails(
        &xsam(here.path(), &[&COMPARE[..], &SHORT].concat()),
        2,
        "c exists",
    );
    let resumed = xsam(here.path(), &["compare", "--resume", "c", "--json"]);
    let lines = lines(&resumed);
    assert_eq!(lines.len(), 1, "nothing was left to run");
    assert_eq!(lines[0]["summary"]["methods"][1]["runs"], 2);
}

#[test]
fn verify_judges_other_peoples_cases() {
    let here = tempfile::tempdir().unwrap();
    let cases = here.path().join("cases");
    fs::create_dir(&cases).unwrap();
    let none = xsam(here.path(), &["verify", "--cases", "cases"]);
    assert_fails(&none, 1, "holds no case");
    assert_fails(
        &xsam(here.path(), &["verify", "--cases", "nowhere"]),
        1,
        "nowhere",
    );

    let case = include_str!("../../xsam-tasks/cases/mlp-sam.json");
    fs::write(cases.join("good.json"), case).unwrap();
    fs::write(cases.join("later.json"), r#"{"kind": "landscape"}"#).unwrap();
    let output = xsam(here.path(), &["verify", "--cases", "cases", "--json"]);
    assert!(output.status.success());
    let verdicts: Vec<Value> = lines(&output);
    assert_eq!(verdicts[0]["name"], "good");
    assert_eq!(
        (&verdicts[0]["verdict"], &verdicts[0]["steps"]),
        (&"pass".into(), &8.into())
    );
    assert!(verdicts[0]["worst"].as_f64() < verdicts[0]["tolerance"].as_f64());
    assert_eq!(verdicts[1]["verdict"], "skipped");

    fs::write(cases.join("broken.json"), &case[..case.len() / 2]).unwrap();
    fs::write(
        cases.join("off.json"),
        case.replacen("\"loss\": ", "\"loss\": 1", 1),
    )
    .unwrap();
    let output = xsam(here.path(), &["verify", "--cases", "cases"]);
    assert_eq!(output.status.code(), Some(1));
    let report = text(&output.stdout);
    assert!(
        report.contains("broken  FAIL     is not a case"),
        "{report}"
    );
    assert!(report.contains("loss of step 1"), "{report}");
    assert!(report.contains("1 passed, 2 failed, 1 skipped"), "{report}");
}

/// Steps of a millisecond or so.
const TINY: [&str; 10] = [
    "bench",
    "--image-size",
    "8",
    "--batch",
    "4",
    "--steps",
    "2",
    "--threads",
    "1",
    "--model",
];

#[test]
fn a_step_can_be_timed_by_machines() {
    let here = tempfile::tempdir().unwrap();
    let bench = |more: &[&str]| {
        let output = xsam(here.path(), &[&TINY[..], more, &["--json"]].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
        let lines = lines(&output);
        assert_eq!(lines.len(), 1);
        lines[0].clone()
    };
    let line = bench(&["small_cnn", "--ascent", "2"]);
    for (field, value) in [
        ("side", Value::from("xsam")),
        ("model", "small_cnn".into()),
        ("method", "xsam".into()),
        ("batch", 4.into()),
        ("width", 8.into()),
        ("ascent_steps", 2.into()),
        ("threads", 1.into()),
    ] {
        assert_eq!(line[field], value, "{line}");
    }
    let sets = ["avx512", "avx2", "neon", "portable"];
    let fast = sets.map(|set| Value::from(format!("fast ({set})")));
    assert!(fast.contains(&line["kernels"]), "{line}");
    assert!(line["search_s"].is_number());
    assert!(0.0 < line["min_s"].as_f64().unwrap());
    assert!(line["min_s"].as_f64() <= line["median_s"].as_f64());
    let linux = cfg!(target_os = "linux");
    assert_eq!(line["peak_rss_mb"].is_number(), linux, "{line}");

    let line = bench(&["mlp", "--method=sgd", "--channels=1", "--classes=3"]);
    assert_eq!(
        (&line["width"], &line["method"]),
        (&32.into(), &"sgd".into())
    );
    let line = bench(&["mlp", "--kernels", "composed"]);
    assert_eq!(line["kernels"], "composed");
    let line = bench(&["mlp", "--kernels", "precise"]);
    assert!(line["kernels"].as_str().unwrap().starts_with("precise ("));
    let line = bench(&["mlp", "--method=sgd"]);
    assert_eq!(line["tokens"], Value::Null);
    // There, and null: a reader need not ask whether they are.
    for field in ["ascent_steps", "search_s"] {
        assert_eq!(line.get(field), Some(&Value::Null), "{line}");
    }
}

#[test]
fn a_step_can_be_timed_by_people() {
    let here = tempfile::tempdir().unwrap();
    let output = xsam(here.path(), &[&TINY[..], &["small_cnn"]].concat());
    let report = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    for words in [
        "small_cnn of width 8",
        "batch 4",
        "s median",
        "21 candidates",
    ] {
        assert!(report.contains(words), "{report}");
    }
    let output = xsam(
        here.path(),
        &[&TINY[..], &["small_cnn", "--method=asam"]].concat(),
    );
    assert!(!text(&output.stdout).contains("candidates"));
}

#[test]
fn data_can_be_looked_at() {
    let here = tempfile::tempdir().unwrap();
    let list = xsam(here.path(), &["data", "list"]);
    assert!(
        text(&list.stdout)
            .contains("digits          1200         297    300    1x8x8       10  handwritten")
    );
    assert!(
        text(&list.stdout)
            .contains("image-folder       -           -      -        -        -  your own")
    );
    let show = xsam(
        here.path(),
        &["data", "show", "--split", "test", "--count", "2"],
    );
    assert_eq!(text(&show.stdout).matches("digits, test image").count(), 2);
    let json = xsam(here.path(), &["data", "show", "--count", "1", "--json"]);
    assert_eq!(lines(&json)[0]["pixels"].as_array().unwrap().len(), 64);
}

#[test]
fn augmented_images_are_drawn_side_by_side() {
    let here = tempfile::tempdir().unwrap();
    let show = |more: &[&str]| {
        let arguments = [
            "data",
            "show",
            "digits",
            "--count",
            "4",
            "--sheet",
            "sheet.png",
        ];
        xsam(here.path(), &[&arguments[..], more].concat())
    };
    let written = show(&["--versions", "2", "--set", "augmentation.crop_padding=2"]);
    assert!(written.status.success(), "{}", text(&written.stderr));
    assert!(text(&written.stdout).contains("4 images, each in 2 epochs: sheet.png"));
    let picture = image::open(here.path().join("sheet.png")).unwrap();
    // Two rows of two images, each in three cells of 8x8 pixels magnified 15 times.
    let (width, height) = (picture.width(), picture.height());
    assert!(width > 2 * 3 * 120 && height > 120, "{width}x{height}");
    let plain = fs::read(here.path().join("sheet.png")).unwrap();
    show(&[
        "--versions",
        "2",
        "--set",
        "augmentation.crop_padding=2",
        "--set",
        "train.seed=1",
    ]);
    assert_ne!(fs::read(here.path().join("sheet.png")).unwrap(), plain);
    let wrong = show(&["--set", "augmentation.cutout=9"]);
    assert_fails(&wrong, 2, "`augmentation.cutout`: 9 is outside 0..=8");
    let nowhere = ["data", "show", "--sheet", "no/where.png"];
    assert_fails(&xsam(here.path(), &nowhere), 1, "cannot write no/where.png");
}

#[test]
fn what_cannot_be_fetched_is_told() {
    let here = tempfile::tempdir().unwrap();
    let data = |arguments: &[&str]| xsam(here.path(), &[&["data"], arguments].concat());
    assert_fails(&data(&["fetch", "cifar"]), 2, "did you mean `cifar10`?");
    assert_fails(&data(&["fetch", "digits"]), 2, "it is built in");
    let by_hand = data(&["fetch", "iwslt14-de-en"]);
    assert_fails(&by_hand, 2, "train.de, train.en, valid.de, valid.en");
    let mirror = data(&["fetch", "mnist", "--mirror", "ftp://nowhere"]);
    assert_fails(&mirror, 2, "is not a URL of http or https");
    let missing = data(&["verify", "mnist"]);
    assert_fails(&missing, 1, "data/mnist does not hold a fetched data set");
    fs::create_dir_all(here.path().join("data/mnist")).unwrap();
    fs::write(here.path().join("data/mnist/mine"), "mine").unwrap();
    let occupied = data(&["fetch", "mnist"]);
    assert_fails(
        &occupied,
        1,
        "data/mnist is there and was not made by a fetch",
    );
    let train = xsam(here.path(), &["train", "--set", "data.name=cifar10"]);
    assert_fails(&train, 1, "`xsam data fetch cifar10` gets them");
}

#[test]
fn text_is_shown_in_pairs_and_translated() {
    let here = tempfile::tempdir().unwrap();
    let folder = here.path().join("text");
    fs::create_dir_all(&folder).unwrap();
    for part in ["train", "valid", "test"] {
        for (language, words) in [
            ("de", ["ein hund", "eine katze"]),
            ("en", ["a dog", "a cat"]),
        ] {
            let lines = words
                .map(|words| format!("{words} {part}\n"))
                .concat()
                .repeat(5);
            fs::write(folder.join(format!("{part}.{language}")), lines).unwrap();
        }
    }
    let show = [
        "data",
        "show",
        "parallel-text",
        "--dir",
        "text",
        "--source",
        "de",
    ];
    assert_fails(&xsam(here.path(), &show), 2, "--target");
    let show = [&show[..], &["--target", "en", "--count", "1"]].concat();
    let shown = xsam(here.path(), &show);
    assert_eq!(
        text(&shown.stdout).trim(),
        "parallel-text, train pair 0\nein hund train\na dog train"
    );
    let json = xsam(here.path(), &[&show[..], &["--json"]].concat());
    assert_eq!(lines(&json)[0]["target"], "a dog train");
    let sheet = xsam(here.path(), &[&show[..], &["--sheet", "a.png"]].concat());
    assert_fails(&sheet, 2, "--sheet");

    let settings = [
        "data.name=parallel-text",
        "data.dir=text",
        "data.source=de",
        "data.target=en",
        "model.name=transformer",
        "model.width=16",
        "model.layers=1",
        "train.epochs=2",
        "optimizer.name=adam",
        "optimizer.lr=0.001",
    ];
    let settings: Vec<&str> = settings.iter().flat_map(|s| ["--set", s]).collect();
    let train = xsam(
        here.path(),
        &[&["train", "--out", "run"], &settings[..]].concat(),
    );
    assert!(train.status.success(), "{}", text(&train.stderr));
    assert!(
        text(&train.stdout).contains("BLEU of the last epoch"),
        "{}",
        text(&train.stdout)
    );
    for file in ["tokenizer.json", "translations.txt", "bleu.json"] {
        assert!(here.path().join("run").join(file).exists(), "{file}");
    }
    let compare = xsam(
        here.path(),
        &[&COMPARE[..], &settings, &["--set", "data.label_noise=0"]].concat(),
    );
    assert!(compare.status.success(), "{}", text(&compare.stderr));
    assert!(
        text(&compare.stdout).contains("test BLEU"),
        "{}",
        text(&compare.stdout)
    );
    let plan = [
        "plan",
        "--methods",
        "sgd",
        "--steps",
        "3",
        "--json",
        "--set",
        "data.label_noise=0",
    ];
    let plan = xsam(here.path(), &[&plan[..], &settings].concat());
    assert!(plan.status.success(), "{}", text(&plan.stderr));
    let method = &lines(&plan)[0]["methods"][0];
    assert_eq!(method["counts"]["further"], 1);
    assert!(
        method["measured"]["further"]["median_s"]
            .as_f64()
            .is_some_and(|s| s > 0.0)
    );
}

/// 20 + 4 images of two colours, 6x5 pixels.
fn photos(directory: &Path) {
    for (part, n) in [("train", 10), ("test", 2)] {
        for (class, colour) in [("blue", [10, 20, 200]), ("red", [220, 30, 20])] {
            let folder = directory.join("photos").join(part).join(class);
            fs::create_dir_all(&folder).unwrap();
            for i in 0..n {
                let pixel = image::Rgb(colour.map(|value| value + i));
                let picture = image::RgbImage::from_pixel(6, 5, pixel);
                picture.save(folder.join(format!("{i}.png"))).unwrap();
            }
        }
    }
}

#[test]
fn a_folder_of_images_is_learned_like_any_data_set() {
    let here = tempfile::tempdir().unwrap();
    photos(here.path());
    let folder = [
        "--set",
        "data.name=image-folder",
        "--set",
        "data.dir=photos",
    ];
    let short = ["--set", "train.epochs=2", "--set", "train.batch_size=4"];
    let run = |command: &[&str], more: &[&str]| {
        let arguments = [command, &folder, &short, more].concat();
        xsam(here.path(), &arguments)
    };
    let size = ["--set", "data.image_size=8"];

    let oblong = run(&["train"], &[]);
    assert_fails(&oblong, 2, "`data.image_size`: the images are 6x5 pixels");
    let many = run(&["train"], &["--set", "data.subset=19", size[0], size[1]]);
    assert_fails(&many, 2, "`data.subset`: 19 must be from 1 to 18");
    let small = run(
        &["train"],
        &["--set", "model.name=vgg11_bn", size[0], size[1]],
    );
    assert_fails(&small, 2, "`model`: image_size = 8 is too small");
    let range = "`data.image_size`: 100000 must be at most 16384";
    let huge = run(&["train"], &["--set", "data.image_size=100000"]);
    assert_fails(&huge, 2, range);
    let nowhere = run(&["compare"], &["--set", "data.dir=nowhere"]);
    assert_fails(&nowhere, 1, "there is no nowhere; expected are");
    assert!(!here.path().join("runs").exists());

    let train = run(&["train", "--out", "run", "--json"], &size);
    assert!(train.status.success(), "{}", text(&train.stderr));
    let events = lines(&train);
    assert_eq!(events[0]["steps"], 5, "18 images in batches of 4");
    assert_eq!(events[0]["spec"]["data"]["dir"], "photos");
    let resumed = xsam(here.path(), &["train", "--resume", "run"]);
    assert!(resumed.status.success(), "{}", text(&resumed.stderr));

    let more = [
        &size[..],
        &["--set", "data.subset=8", "--set", "train.kernels=composed"],
    ];
    let compare = [
        "compare",
        "--methods",
        "sgd,xsam",
        "--seeds",
        "0,1",
        "--out",
        "c",
    ];
    let compared = run(&compare, &more.concat());
    let table = text(&compared.stdout);
    assert!(compared.status.success(), "{}", text(&compared.stderr));
    assert!(
        table.contains("image-folder photos with 40 % label noise"),
        "{table}"
    );
    let spec = fs::read_to_string(here.path().join("c/xsam-seed1/spec.toml")).unwrap();
    assert!(spec.contains("kernels = \"composed\""), "{spec}");

    let show = [
        "data",
        "show",
        "image-folder",
        "--dir",
        "photos",
        "--split",
        "test",
    ];
    let json = xsam(
        here.path(),
        &[&show[..], &["--json", "--count", "1"]].concat(),
    );
    let image = &lines(&json)[0];
    assert_eq!(image["label"], "blue");
    assert_eq!(image["pixels"].as_array().unwrap().len(), 3 * 6 * 5);

    fs::write(here.path().join("photos/test/red/9.png"), "no").unwrap();
    let damaged = xsam(here.path(), &show);
    assert_fails(&damaged, 1, "9.png is damaged, or not an image");
}

#[test]
fn a_reader_that_goes_away_does_not_end_a_run() {
    let here = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_xsam"))
        .args([&["train", "--json", "--out", "run"], &SHORT[..]].concat())
        .current_dir(here.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}

/// Disks, interrupts: what only happens outside.
#[cfg(unix)]
mod unix {
    use std::io::{BufRead, BufReader};

    use super::*;

    #[test]
    fn an_interrupt_finishes_the_step_and_writes_what_there_is() {
        let here = tempfile::tempdir().unwrap();
        for signal in ["-INT", "-TERM"] {
            let name = format!("run{signal}");
            let mut child = Command::new(env!("CARGO_BIN_EXE_xsam"))
                .args(["train", "--out", &name, "--set", "train.epochs=2000"])
                .current_dir(here.path())
                .stderr(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            // Once an epoch is told the run is under way.
            let mut progress = BufReader::new(child.stderr.take().unwrap()).lines();
            assert!(
                progress
                    .next()
                    .unwrap()
                    .unwrap()
                    .contains("Z epoch 1/2000: loss")
            );
            let id = child.id().to_string();
            assert!(
                Command::new("kill")
                    .args([signal, &id])
                    .status()
                    .unwrap()
                    .success()
            );
            let rest: Vec<String> = progress.map_while(Result::ok).collect();
            assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
            assert!(
                rest.last().unwrap().contains("xsam train --resume"),
                "{rest:?}"
            );
            let run = here.path().join(&name);
            let summary = fs::read_to_string(run.join("run.json")).unwrap();
            assert!(summary.contains(r#""status": "interrupted""#), "{summary}");
            let metrics = fs::read_to_string(run.join("metrics.csv")).unwrap();
            assert!(metrics.lines().count() >= 2);
        }
    }

    #[test]
    fn a_disk_that_cannot_be_written_is_an_error() {
        let here = tempfile::tempdir().unwrap();
        // A file where a directory should be, and a device that is always full.
        fs::write(here.path().join("file"), "").unwrap();
        let under_a_file = [&["train", "--out", "file/run"], &SHORT[..]].concat();
        assert_fails(&xsam(here.path(), &under_a_file), 1, "file/run");

        let full = here.path().join("full");
        fs::create_dir(&full).unwrap();
        std::os::unix::fs::symlink("/dev/full", full.join("run.json.tmp")).unwrap();
        fs::write(full.join("run.json"), "{}").unwrap();
        let resume = [&["train", "--out", "full", "--resume", "full"], &SHORT[..]].concat();
        let output = xsam(here.path(), &resume);
        assert_ne!(output.status.code(), Some(0));
    }
}

#[test]
fn weights_are_exported_once() {
    let here = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| xsam(here.path(), arguments);
    assert_fails(
        &run(&["export", "run", "--out", "m.pt"]),
        1,
        "cannot open the directory run",
    );
    assert_fails(&run(&["export", ".", "--out", "m.pt"]), 2, ". is not a run");
    photos(here.path());
    let settings = [
        "data.name=image-folder",
        "data.dir=photos",
        "data.image_size=8",
        "train.epochs=2",
    ];
    let settings = settings.map(|setting| ["--set", setting]).concat();
    let trained = run(&[&["train", "--quiet", "--out", "run"], &settings[..]].concat());
    assert!(trained.status.success(), "{}", text(&trained.stderr));

    assert_fails(
        &run(&["export", "run", "--out", "m.bin"]),
        2,
        "m.bin must end in",
    );
    let people = run(&["export", "run", "--out", "m.pt"]);
    assert!(people.status.success(), "{}", text(&people.stderr));
    assert!(text(&people.stdout).starts_with("cnn after 2 epochs in m.pt: 17 tensors, "));
    assert_fails(
        &run(&["export", "run", "--out", "m.pt"]),
        2,
        "m.pt exists: give --overwrite",
    );

    let folder = "run/checkpoint/epoch-00002";
    let machine = run(&["export", folder, "--out", "m.pt", "--overwrite", "--json"]);
    let lines = lines(&machine);
    assert_eq!(lines.len(), 1);
    assert_eq!(
        (&lines[0]["model"], &lines[0]["epochs"]),
        (&"cnn".into(), &2.into())
    );
    let size = fs::metadata(here.path().join("m.pt")).unwrap().len();
    assert_eq!(lines[0]["bytes"], size);

    // A run that begins with these weights and hardly moves ends with their score.
    let again = [
        "train",
        "--init",
        "m.pt",
        "--out",
        "again",
        "--set",
        "optimizer.lr=1e-12",
    ];
    let again = run(&[&again[..], &settings[..]].concat());
    assert!(again.status.success(), "{}", text(&again.stderr));
    let score = |directory: &str| {
        let summary = fs::read_to_string(here.path().join(directory).join("run.json")).unwrap();
        let summary: Value = serde_json::from_str(&summary).unwrap();
        summary["last"]["train_loss"].as_f64().unwrap()
    };
    assert!(
        score("again") < score("run"),
        "{} {}",
        score("again"),
        score("run")
    );
    let other = [
        "train",
        "--init",
        "m.pt",
        "--out",
        "other",
        "--set",
        "model.width=8",
    ];
    let other = run(&[&other[..], &settings[..]].concat());
    assert_fails(
        &other,
        1,
        "misshapen: conv1.weight is [16, 3, 3, 3], not [8, 3, 3, 3]",
    );
}
