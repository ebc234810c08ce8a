//! The program as a person, or a machine, meets it.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use crate::common::{
    self, SHORT, assert_contains, assert_fails, assert_succeeds, command, fails, json, lines, read,
    set, start, succeeds, text, translation, xsam,
};
use serde_json::Value;

/// A comparison of four runs.
const COMPARE: &str = "compare --set method.rho=0.6 --methods sgd,sam --seeds 0,1 --out c";

#[cfg(not(feature = "mpi"))]
#[test]
fn processes_that_were_started_together_need_mpi() {
    let here = tempfile::tempdir().unwrap();
    let started = |size: &str| {
        let mut command = command(&here, &format!("train --out run --quiet {SHORT}"));
        let variables = [
            ("OMPI_COMM_WORLD_SIZE", size),
            ("OMPI_COMM_WORLD_RANK", "0"),
        ];
        command.envs(variables).output().unwrap()
    };
    let told = "2 processes were started together, and this build has no MPI: `cargo build --release --features mpi`";
    assert_fails(&started("2"), 2, told);
    assert!(!here.path().join("run").exists());
    assert_succeeds(&started("1"));
}

#[test]
fn help_has_an_example_everywhere() {
    let here = tempfile::tempdir().unwrap();
    for command in [
        "",
        "train",
        "compare",
        "verify",
        "bench",
        "eval",
        "export",
        "report",
        "flatness",
        "landscape",
        "plan",
        "data list",
        "data show",
        "data fetch",
        "data verify",
    ] {
        let help = text(&succeeds(&here, &format!("{command} --help")).stdout);
        let headings = ["Example:", "Examples:"];
        assert!(headings.iter().any(|h| help.contains(h)), "{command}");
    }
}

#[test]
fn help_lists_what_can_be_named() {
    let here = tempfile::tempdir().unwrap();
    for (command, words) in [
        ("train", "[possible values: cpu, webgpu, "),
        ("bench", "[possible values: mlp, "),
        ("verify", "[possible values: fast, precise, composed]"),
        ("data show", "[possible values: digits, "),
        ("compare", "digits-noise, cifar10-vgg11_bn, "),
    ] {
        let help = text(&xsam(&here, &format!("{command} --help")).stdout);
        // Lines are as long as the terminal is wide.
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_contains(&help, &[words]);
    }
}

#[test]
fn an_instruction_set_that_there_is_not_is_refused() {
    let here = tempfile::tempdir().unwrap();
    let on = |isa: &str| {
        let bench = "bench --model mlp --batch 2 --steps 1 --json";
        command(&here, bench).env("XSAM_ISA", isa).output().unwrap()
    };
    let portable = on("portable");
    assert_succeeds(&portable);
    assert_eq!(lines(&portable)[0]["kernels"], "fast (portable)");
    let foreign = match cfg!(target_arch = "x86_64") {
        true => "neon",
        false => "avx2",
    };
    for isa in ["sse9", foreign] {
        let refused = on(isa);
        assert_fails(&refused, 2, &format!("XSAM_ISA={isa}"));
        assert_fails(&refused, 2, "portable");
    }
}

#[test]
fn wrong_words_are_wrong_usage() {
    let here = tempfile::tempdir().unwrap();
    for (file, spec) in [
        ("bad.toml", "[method]\nrho = -1\n"),
        ("worse.toml", "[method\n"),
        ("fine.toml", "[train]\nepochs = 1\n"),
        ("twice.toml", "[compare]\nrho = [0.1, 0.1]\n"),
    ] {
        fs::write(here.path().join(file), spec).unwrap();
    }
    for (line, message) in [
        ("trian", "train"),
        ("train --set method.rhoo=1", "did you mean `rho`?"),
        (
            "train --set method.rho=nan",
            "`method.rho`: NaN must be finite",
        ),
        ("train --set method.grid=[]", "`method.grid`"),
        (
            "train --set method.name=sam --set method.ascent_steps=0",
            "at least 1",
        ),
        ("train bad.toml", "bad.toml: `method.rho`"),
        ("train worse.toml", "worse.toml: not valid TOML"),
        ("train missing.toml", "cannot read the spec missing.toml"),
        ("train --preset digits", "did you mean `digits-noise`?"),
        (
            "train --device cudda",
            "there is no device `cudda`; did you mean `cuda`?",
        ),
        (
            "train --device 1e5",
            "'--device <DEVICE>': there is no device `1e5`",
        ),
        (
            "compare --methods 1e5,nan",
            "`--methods`: there is no method `1e5`",
        ),
        (
            "train --set train.epochs=1000000000000",
            "`train.epochs`: 1000000000000 must be at most",
        ),
        (
            "bench --steps 9000000000000000000",
            "`--steps`: 9000000000000000000 must be at most 1000000",
        ),
        (
            "bench --width 16384",
            "`--width`: resnet18 of these sizes has",
        ),
        (
            "bench --ascent 1000000000",
            "`--ascent`: 1000000000 must be at most 1000",
        ),
        ("train --threads 0", "'--threads <N>': 0 is not in 1..=1024"),
        ("train --resume nowhere", "nowhere"),
        ("train --resume x --overwrite", "cannot be used with"),
        ("compare --methods sam,xsamm", "did you mean `xsam`?"),
        ("compare --seeds a", "invalid"),
        // The flag that was typed; or the key, where it was not the flag.
        (
            "compare --seeds 1,2,1",
            "xsam: `--seeds`: `1` is there twice",
        ),
        (
            "compare --set compare.seeds=[1,1]",
            "xsam: `compare.seeds`: `1` is there twice",
        ),
        (
            "compare fine.toml --ascent-steps 2,2",
            "xsam: `--ascent-steps`: `2` is there twice",
        ),
        (
            "compare twice.toml",
            "xsam: twice.toml: `compare.rho`: `0.1` is there twice",
        ),
        (
            "compare --tune rhoo=1",
            "`--tune rhoo`: there is no such field; did you mean `rho`?",
        ),
        (
            "compare --tune train.seed=1",
            "`--tune train.seed`: cannot be tuned (of [train], these can: init, m_sharpness)",
        ),
        ("compare --tune rho=0.1,x", "`--tune rho`: invalid type"),
        (
            "compare --tune-seeds 1",
            "`--tune-seeds`: is of no use without values",
        ),
        ("verify --precision f61", "there is no precision `f61`"),
        (
            "verify --precision f16",
            "f16 has too few digits to measure with",
        ),
        (
            "bench --model resnet-18",
            "'--model <NAME>': there is no model `resnet-18`; did you mean `resnet18`?",
        ),
        (
            "bench --method xsma",
            "for '--method <NAME>'\n  [possible values: sgd, sam, asam, xsam, look-xsam, gsam, wsam, looksam, friendly-sam, msam, \
             lookbehind-sam, stable-sam, usam, momentum-sam, zsharp, gam, functional-sam, sampa, esam, bsam]\n\n  tip: a similar value exists: 'xsam'",
        ),
        ("bench --batch 0", "`--batch`: 0 must be at least 1"),
        (
            "bench --kernels fats",
            "'--kernels <NAME>': there is no choice of kernels `fats`; did you mean `fast`?",
        ),
        ("verify --kernels x", "'--kernels <NAME>': there is no"),
        (
            "train --set data.name=image-folder",
            "`data.dir`: image-folder needs the folder",
        ),
        ("data show image-folder", "`--dir`: image-folder needs"),
        ("data show --dir .", "`--dir`: digits are built in"),
        ("bench --steps many", "invalid value 'many'"),
        (
            "plan --price-per-hour -1",
            "xsam: `--price-per-hour`: -1 must be finite and at least 0",
        ),
        ("plan --steps 0", "`--steps`: 0 must be at least 3"),
        (
            "plan --runs-per-year 0",
            "`--runs-per-year`: 0 must be at least 1",
        ),
        (
            "plan --ascent-steps 0",
            "`--ascent-steps`: 0 must be at least 1",
        ),
        ("plan --currency EUR", "--price-per-hour"),
        ("plan --methods sam,xsamm", "did you mean `xsam`?"),
        ("plan bad.toml", "bad.toml: `method.rho`"),
        ("bench --ascent 0", "`--ascent`: 0 must be at least 1"),
        ("bench --method sgd --ascent 2", "sgd does not ascend"),
        ("bench --model vgg11_bn --image-size 8", "needs at least 32"),
        ("bench --model densenet121 --width 8", "fixed width"),
        ("bench --model transfomer", "did you mean `transformer`?"),
        (
            "bench --model transformer --image-size 8",
            "`--image-size`: transformer has none",
        ),
        (
            "bench --model transformer --vocabulary 2",
            "vocabulary = 2 is outside",
        ),
        (
            "bench --model transformer --tokens 0",
            "`--tokens`: 0 must be at least 1",
        ),
        ("bench --model mlp --tokens 8", "`--tokens`: mlp has none"),
        ("data show digit", "did you mean `digits`?"),
        ("data show --index 99999", "must be below 1200"),
        // A name among values to try.
        (
            "compare --tune optimizer.name=1e5,nan",
            "there is no optimizer `1e5`",
        ),
    ] {
        fails(&here, line, 2, message);
    }
    // A path, not a number.
    fails(&here, "compare --set train.init=1e5", 1, "cannot read 1e5");
    assert!(!here.path().join("runs").exists());
}

#[test]
fn a_run_prints_its_result_and_is_not_overwritten() {
    let here = tempfile::tempdir().unwrap();
    let train = format!("train --out run {SHORT}");
    let output = succeeds(&here, &train);
    assert_contains(&text(&output.stdout), &["test accuracy: last epoch"]);
    assert_contains(&text(&output.stderr), &["epoch 2/2: loss"]);

    fails(&here, &train, 2, "run exists: give --resume");
    let quiet = xsam(&here, &format!("{train} --overwrite --quiet"));
    assert!(quiet.stderr.is_empty());
    succeeds(&here, "train --resume run");
    let other = "train --resume run --set optimizer.lr=0.1";
    fails(&here, other, 2, "optimizer.lr: 0.05, not 0.1");
    let longer = succeeds(&here, "train --resume run --set train.epochs=3");
    let told = ["going on after epoch 2", "epoch 3/3: loss"];
    assert_contains(&text(&longer.stderr), &told);

    let mine = here.path().join("mine/spec.toml");
    fs::create_dir(here.path().join("mine")).unwrap();
    fs::write(&mine, "precious").unwrap();
    let foreign = format!("train --out mine --overwrite {SHORT}");
    fails(&here, &foreign, 2, "was not written by xsam");
    assert_eq!(read(mine), "precious");
}

#[test]
fn machines_get_one_object_a_line() {
    let here = tempfile::tempdir().unwrap();
    let output = xsam(&here, &format!("train --json {SHORT}"));
    let lines = lines(&output);
    let events = lines.iter().map(|line| &line["event"]);
    assert!(
        events.eq(["started", "epoch", "epoch", "ended"]),
        "{lines:?}"
    );
    assert_eq!(lines[3]["summary"]["status"], "finished");
    assert!(lines[1]["metrics"]["alpha"].is_number());
    assert!(output.stderr.is_empty());
    let run = here.path().join("runs/digits-cnn-xsam-seed0");
    assert!(run.join("metrics.csv").exists());
}

#[test]
fn a_comparison_prints_its_table_and_writes_its_files() {
    let here = tempfile::tempdir().unwrap();
    let compare = format!("{COMPARE} {SHORT}");
    let output = succeeds(&here, &compare);
    assert_contains(
        &text(&output.stdout),
        &[
            "digits with 40 % label noise",
            "last epoch",
            "best on validation",
            "± ",
        ],
    );
    assert_contains(&text(&output.stderr), &["[4/4] sam, seed 1"]);
    for file in [
        "methods.csv",
        "runs.csv",
        "compare.json",
        "test-accuracy.svg",
    ] {
        assert!(here.path().join("c").join(file).exists(), "{file}");
    }
    fails(&here, &compare, 2, "c exists");
    let lines = lines(&xsam(&here, "compare --resume c --json"));
    assert_eq!(lines.len(), 1, "nothing was left to run");
    assert_eq!(lines[0]["summary"]["methods"][1]["runs"], 2);
}

#[test]
fn verify_judges_other_peoples_cases() {
    let here = tempfile::tempdir().unwrap();
    let cases = here.path().join("cases");
    fs::create_dir(&cases).unwrap();
    fails(&here, "verify --cases cases", 1, "holds no case");
    fails(&here, "verify --cases nowhere", 1, "nowhere");

    let write = |name: &str, text: &str| fs::write(cases.join(name), text).unwrap();
    let case = include_str!("../../../xsam-tasks/cases/mlp-sam.json");
    write("good.json", case);
    write("later.json", r#"{"kind": "landscape"}"#);
    let verdicts = lines(&succeeds(&here, "verify --cases cases --json"));
    assert_eq!(verdicts[0]["name"], "good");
    assert_eq!(
        (&verdicts[0]["verdict"], &verdicts[0]["steps"]),
        (&"pass".into(), &8.into())
    );
    assert!(verdicts[0]["worst"].as_f64() < verdicts[0]["tolerance"].as_f64());
    assert_eq!(verdicts[1]["verdict"], "skipped");

    write("broken.json", &case[..case.len() / 2]);
    write("off.json", &case.replacen("\"loss\": ", "\"loss\": 1", 1));
    let output = xsam(&here, "verify --cases cases");
    assert_eq!(output.status.code(), Some(1));
    assert_contains(
        &text(&output.stdout),
        &[
            "broken  FAIL     is not a case",
            "loss of step 1",
            "1 passed, 2 failed, 1 skipped",
        ],
    );
}

/// Steps of a millisecond or so.
const TINY: &str = "bench --image-size 8 --batch 4 --steps 2 --threads 1 --model";

#[test]
fn a_step_can_be_timed_by_machines() {
    let here = tempfile::tempdir().unwrap();
    let bench = |more: &str| {
        let lines = lines(&succeeds(&here, &format!("{TINY} {more} --json")));
        assert_eq!(lines.len(), 1);
        lines[0].clone()
    };
    let line = bench("small_cnn --ascent 2");
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

    let line = bench("mlp --method=sgd --channels=1 --classes=3");
    assert_eq!(
        (&line["width"], &line["method"]),
        (&32.into(), &"sgd".into())
    );
    let line = bench("mlp --kernels composed");
    assert_eq!(line["kernels"], "composed");
    let line = bench("mlp --kernels precise");
    assert!(line["kernels"].as_str().unwrap().starts_with("precise ("));
    let line = bench("mlp --method=sgd");
    assert_eq!(line["tokens"], Value::Null);
    // There, and null: a reader need not ask whether they are.
    for field in ["ascent_steps", "search_s"] {
        assert_eq!(line.get(field), Some(&Value::Null), "{line}");
    }
}

#[test]
fn a_step_can_be_timed_by_people() {
    let here = tempfile::tempdir().unwrap();
    let report = text(&succeeds(&here, &format!("{TINY} small_cnn")).stdout);
    let words = ["small_cnn of width 8", "batch 4", "s median"];
    assert_contains(&report, &words);
    assert_contains(&report, &["21 candidates"]);
    let output = xsam(&here, &format!("{TINY} small_cnn --method=asam"));
    assert!(!text(&output.stdout).contains("candidates"));
}

#[test]
fn data_can_be_looked_at() {
    let here = tempfile::tempdir().unwrap();
    assert_contains(
        &text(&xsam(&here, "data list").stdout),
        &[
            "digits          1200         297    300    1x8x8       10  handwritten",
            "image-folder       -           -      -        -        -  your own",
        ],
    );
    let show = xsam(&here, "data show --split test --count 2");
    assert_eq!(text(&show.stdout).matches("digits, test image").count(), 2);
    let json = xsam(&here, "data show --count 1 --json");
    assert_eq!(lines(&json)[0]["pixels"].as_array().unwrap().len(), 64);
}

#[test]
fn augmented_images_are_drawn_side_by_side() {
    let here = tempfile::tempdir().unwrap();
    let sheet = here.path().join("sheet.png");
    let show = "data show digits --count 4 --sheet sheet.png";
    let two = format!("{show} --versions 2 --set augmentation.crop_padding=2");
    let told = text(&succeeds(&here, &two).stdout);
    assert_contains(&told, &["4 images, each in 2 epochs: sheet.png"]);
    let picture = image::open(&sheet).unwrap();
    // Two rows of two images, each in three cells of 8x8 pixels magnified 15 times.
    let (width, height) = (picture.width(), picture.height());
    assert!(width > 2 * 3 * 120 && height > 120, "{width}x{height}");
    let plain = fs::read(&sheet).unwrap();
    xsam(&here, &format!("{two} --set train.seed=1"));
    assert_ne!(fs::read(&sheet).unwrap(), plain);
    let wrong = format!("{show} --set augmentation.cutout=9");
    let outside = "`augmentation.cutout`: 9 is outside 0..=8";
    fails(&here, &wrong, 2, outside);
    let nowhere = "data show --sheet no/where.png";
    fails(&here, nowhere, 1, "cannot write no/where.png");
}

#[test]
fn what_cannot_be_fetched_is_told() {
    let here = tempfile::tempdir().unwrap();
    fs::create_dir_all(here.path().join("data/mnist")).unwrap();
    fs::write(here.path().join("data/mnist/mine"), "mine").unwrap();
    for (line, code, message) in [
        ("data fetch cifar", 2, "did you mean `cifar10`?"),
        ("data fetch digits", 2, "it is built in"),
        (
            "data fetch iwslt14-de-en",
            2,
            "train.de, train.en, valid.de, valid.en",
        ),
        (
            "data fetch fashion-mnist --mirror ftp://nowhere",
            2,
            "is not a URL of http or https",
        ),
        (
            "data verify fashion-mnist",
            1,
            "data/fashion-mnist does not hold a fetched data set",
        ),
        (
            "data fetch mnist",
            1,
            "data/mnist is there and was not made by a fetch",
        ),
        (
            "train --set data.name=cifar10",
            1,
            "`xsam data fetch cifar10` gets them",
        ),
    ] {
        fails(&here, line, code, message);
    }
}

#[test]
fn text_is_shown_in_pairs_and_translated() {
    let here = tempfile::tempdir().unwrap();
    let settings = translation(&here);
    let show = "data show parallel-text --dir text --source de";
    fails(&here, show, 2, "--target");
    let show = format!("{show} --target en --count 1");
    let shown = text(&xsam(&here, &show).stdout);
    let pair = "parallel-text, train pair 0\nein hund train\na dog train";
    assert_eq!(shown.trim(), pair);
    let json = xsam(&here, &format!("{show} --json"));
    assert_eq!(lines(&json)[0]["target"], "a dog train");
    fails(&here, &format!("{show} --sheet a.png"), 2, "--sheet");

    let train = succeeds(&here, &format!("train --out run {settings}"));
    assert_contains(&text(&train.stdout), &["BLEU of the last epoch"]);
    for file in ["tokenizer.json", "translations.txt", "bleu.json"] {
        assert!(here.path().join("run").join(file).exists(), "{file}");
    }
    let settings = format!("{settings} --set data.label_noise=0");
    let compare = succeeds(&here, &format!("{COMPARE} {settings}"));
    assert_contains(&text(&compare.stdout), &["test BLEU"]);
    let plan = format!("plan --methods sgd --steps 3 --json {settings}");
    let method = &lines(&succeeds(&here, &plan))[0]["methods"][0];
    assert_eq!(method["counts"]["further"], 1);
    let seconds = method["measured"]["further"]["median_s"].as_f64();
    assert!(seconds.is_some_and(|s| s > 0.0));
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
    let short = set("data.name=image-folder data.dir=photos train.epochs=2 train.batch_size=4");
    let small = format!("{short} --set data.image_size=8");

    for (line, code, message) in [
        (
            format!("train {short}"),
            2,
            "`data.image_size`: the images are 6x5 pixels",
        ),
        (
            format!("train {small} --set data.subset=19"),
            2,
            "`data.subset`: 19 must be from 1 to 18",
        ),
        (
            format!("train {small} --set model.name=vgg11_bn"),
            2,
            "`model`: image_size = 8 is too small",
        ),
        (
            format!("train {short} --set data.image_size=100000"),
            2,
            "`data.image_size`: 100000 must be at most 16384",
        ),
        (
            format!("compare {short} --set data.dir=nowhere"),
            1,
            "there is no nowhere; expected are",
        ),
    ] {
        fails(&here, &line, code, message);
    }
    assert!(!here.path().join("runs").exists());

    let events = lines(&succeeds(&here, &format!("train {small} --out run --json")));
    assert_eq!(events[0]["steps"], 5, "18 images in batches of 4");
    assert_eq!(events[0]["spec"]["data"]["dir"], "photos");
    succeeds(&here, "train --resume run");

    let more = set("data.subset=8 train.kernels=composed");
    let compare = format!(
        "compare --set method.rho=0.6 --methods sgd,xsam --seeds 0,1 --out c {small} {more}"
    );
    let table = text(&succeeds(&here, &compare).stdout);
    assert_contains(&table, &["image-folder photos with 40 % label noise"]);
    let spec = read(here.path().join("c/xsam-seed1/spec.toml"));
    assert_contains(&spec, &["kernels = \"composed\""]);

    let show = "data show image-folder --dir photos --split test";
    let image = &lines(&xsam(&here, &format!("{show} --json --count 1")))[0];
    assert_eq!(image["label"], "blue");
    assert_eq!(image["pixels"].as_array().unwrap().len(), 3 * 6 * 5);

    fs::write(here.path().join("photos/test/red/9.png"), "no").unwrap();
    fails(&here, show, 1, "9.png is damaged, or not an image");
}

#[test]
fn a_reader_that_goes_away_does_not_end_a_run() {
    let here = tempfile::tempdir().unwrap();
    let mut command = command(&here, &format!("train --json --out run {SHORT}"));
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
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
        for signal in ["INT", "TERM"] {
            let line = format!("train --out run-{signal} --set train.epochs=2000");
            let mut child = start(&here, &line);
            // Once an epoch is told the run is under way.
            let mut progress = BufReader::new(child.stderr.take().unwrap()).lines();
            let first = progress.next().unwrap().unwrap();
            assert_contains(&first, &["Z epoch 1/2000: loss"]);
            common::signal(signal, child.id());
            let rest: Vec<String> = progress.map_while(Result::ok).collect();
            assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
            assert_contains(rest.last().unwrap(), &["xsam train --resume"]);
            let run = here.path().join(format!("run-{signal}"));
            common::assert_status(&run.join("run.json"), "interrupted");
            assert!(read(run.join("metrics.csv")).lines().count() >= 2);
        }
    }

    #[test]
    fn a_disk_that_cannot_be_written_is_an_error() {
        let here = tempfile::tempdir().unwrap();
        // A file where a directory should be, and a device that is always full.
        fs::write(here.path().join("file"), "").unwrap();
        let under_a_file = format!("train --out file/run {SHORT}");
        fails(&here, &under_a_file, 1, "file/run");

        let full = here.path().join("full");
        fs::create_dir(&full).unwrap();
        std::os::unix::fs::symlink("/dev/full", full.join("run.json.tmp")).unwrap();
        fs::write(full.join("run.json"), "{}").unwrap();
        let resume = format!("train --out full --resume full {SHORT}");
        assert_ne!(xsam(&here, &resume).status.code(), Some(0));
    }
}

#[test]
fn weights_are_exported_once() {
    let here = tempfile::tempdir().unwrap();
    let export = "export run --out m.pt";
    fails(&here, export, 1, "cannot open the directory run");
    fails(&here, "export . --out m.pt", 2, ". is not a run");
    photos(here.path());
    let settings = set("data.name=image-folder data.dir=photos data.image_size=8 train.epochs=2");
    succeeds(&here, &format!("train --quiet --out run {settings}"));

    fails(&here, "export run --out m.bin", 2, "m.bin must end in");
    let people = text(&succeeds(&here, export).stdout);
    let told = "cnn after 2 epochs in m.pt: 17 tensors, ";
    assert!(people.starts_with(told), "{people}");
    fails(&here, export, 2, "m.pt exists: give --overwrite");

    let folder = "run/checkpoint/epoch-00002";
    let machine = xsam(
        &here,
        &format!("export {folder} --out m.pt --overwrite --json"),
    );
    let lines = lines(&machine);
    assert_eq!(lines.len(), 1);
    assert_eq!(
        (&lines[0]["model"], &lines[0]["epochs"]),
        (&"cnn".into(), &2.into())
    );
    let size = fs::metadata(here.path().join("m.pt")).unwrap().len();
    assert_eq!(lines[0]["bytes"], size);

    // A run that begins with these weights and hardly moves ends with their score.
    let init = format!("train --init m.pt {settings}");
    let again = format!("{init} --out again --set optimizer.lr=1e-12");
    succeeds(&here, &again);
    let [again, run] = ["again", "run"].map(|run| {
        let summary = json(here.path().join(run).join("run.json"));
        summary["last"]["train_loss"].as_f64().unwrap()
    });
    assert!(again < run, "{again} {run}");
    let other = format!("{init} --out other --set model.width=8");
    let misshapen = "misshapen: conv1.weight is [16, 3, 3, 3], not [8, 3, 3, 3]";
    fails(&here, &other, 1, misshapen);
}
