//! The report: what is on the page, and that it is a page.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{Runs, compared, read, report, summary, train};
use serde_json::{Value, json};
use xsam_lab::columns::columns;
use xsam_lab::files::Existing;
use xsam_lab::format::Format;
use xsam_lab::spec::About;
use xsam_lab::statistics::paired_t_test;
use xsam_lab::{Better, Error, Metrics, Part, RunSummary, Score, Status};

/// Runs of a second or less.
fn short() -> Runs {
    Runs::new(&[
        "data.subset=100",
        "train.epochs=3",
        "train.batch_size=50",
        "data.label_noise=0.4",
    ])
}

/// A comparison that has been run, in the folder of that name.
fn compare(runs: &Runs, name: &str, text: &str) -> PathBuf {
    let ((spec, compare), directory) = (runs.parse(text), runs.path(name));
    compared(&spec, &compare, &directory);
    directory
}

/// The page of a directory, checked to be well-formed, without `NaN`, and without anything to load.
fn page(directory: &Path) -> String {
    let path = report(directory).unwrap();
    assert_eq!(path, directory.join("report.html"));
    let html = fs::read_to_string(path).unwrap();
    check_markup(&html);
    // An error may speak of it, a value may not be it.
    let (before, after) = html
        .split_once("<ul class=\"notices\">")
        .unwrap_or((&html, "</ul>"));
    let (_, after) = after.split_once("</ul>").unwrap();
    assert!(!before.contains("NaN") && !after.contains("NaN"));
    for loads in ["http:", "https:", "src=\"/", "<link", "@import", "url("] {
        assert!(!html.contains(loads), "{loads}");
    }
    html
}

/// What a reader sees of a piece of markup.
fn unescaped(html: &str) -> String {
    let mut text = html.to_owned();
    for (entity, character) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#x27;", "'"),
        ("&#x2f;", "/"),
        ("&amp;", "&"),
    ] {
        text = text.replace(entity, character);
    }
    text
}

/// The cells of the row of a table that has this heading.
fn cells(html: &str, heading: &str) -> Vec<String> {
    let start = format!("<th scope=\"row\">{heading}</th>");
    let (_, row) = html
        .split_once(&start)
        .unwrap_or_else(|| panic!("no row {heading}"));
    let (row, _) = row.split_once("</tr>").unwrap();
    let cells = row.split("<td").skip(1);
    cells
        .map(|cell| {
            let (_, cell) = cell.split_once('>').unwrap();
            let (cell, _) = cell.split_once("</td>").unwrap();
            cell.replace("<small>", "").replace("</small>", "")
        })
        .collect()
}

/// Panics unless the page is well-formed as XML: tags in pairs, quoted attributes, known entities.
#[track_caller]
fn check_markup(html: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = html.strip_prefix("<!DOCTYPE html>").unwrap();
    while let Some((text, markup)) = rest.split_once('<') {
        check_entities(text);
        let (tag, after) = markup.split_once('>').unwrap();
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "before {}", start(after));
            continue;
        }
        let (tag, alone) = match tag.strip_suffix('/') {
            Some(tag) => (tag, true),
            None => (tag, false),
        };
        let (name, mut attributes) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric()), "{tag}");
        let mut known: Vec<&str> = Vec::new();
        while !attributes.trim().is_empty() {
            let (key, value) = attributes.trim_start().split_once("=\"").expect(tag);
            let (value, more) = value.split_once('"').expect(tag);
            let letters = |c: char| c.is_ascii_alphanumeric() || c == '-';
            assert!(!key.is_empty() && key.chars().all(letters), "{tag}");
            assert!(!known.contains(&key), "{tag}");
            known.push(key);
            check_entities(value);
            attributes = more;
        }
        if !alone {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

fn check_entities(text: &str) {
    for after in text.split('&').skip(1) {
        let (entity, _) = after
            .split_once(';')
            .unwrap_or_else(|| panic!("&{}", start(after)));
        let number = entity.strip_prefix("#x").unwrap_or("");
        let known = ["amp", "lt", "gt", "quot"].contains(&entity);
        assert!(known || number.len() == 2, "&{entity};");
    }
}

fn start(text: &str) -> String {
    text.chars().take(60).collect()
}

#[test]
fn the_numbers_are_those_of_the_files() {
    let runs = short();
    let text = "
        [compare]
        methods = ['sgd', 'xsam']
        seeds = [3, 4]
        [method]
        rho = 0.125
    ";
    let directory = compare(&runs, "c", text);
    let html = page(&directory);
    let compared: Value = read(directory.join("compare.json"));
    for (heading, key, factor, digits) in [
        ("test accuracy %, last epoch", "last", 100.0, 1),
        (
            "test accuracy %, best epoch on validation",
            "best",
            100.0,
            1,
        ),
        (
            "test accuracy %, mean of last 5",
            "mean_of_last_5",
            100.0,
            1,
        ),
        ("validation accuracy %, last epoch", "validation", 100.0, 1),
        (
            "training accuracy %, while learned",
            "train_accuracy",
            100.0,
            1,
        ),
        ("training loss, last epoch", "train_loss", 1.0, 3),
        ("alpha, last epoch", "alpha", 1.0, 2),
    ] {
        let told = |m: usize| match &compared["methods"][m]["spreads"][key] {
            Value::Null => "–".to_owned(),
            spread => {
                let value = |key: &str| factor * spread[key].as_f64().unwrap();
                let (mean, deviation) = (value("mean"), value("deviation"));
                format!("{mean:.digits$} ± {deviation:.digits$}")
            }
        };
        assert_eq!(cells(&html, heading), [told(0), told(1)], "{heading}");
    }
    assert_eq!(cells(&html, "rho"), ["–", "0.125"]);
    assert_eq!(cells(&html, "forward-backward passes"), ["6", "12"]);
    assert_eq!(cells(&html, "forward passes of searches"), ["0", "63"]);

    // The difference and its p value, from the runs.
    let accuracies = |label: &str| {
        [3, 4].map(|seed| {
            let run = summary(&directory.join(format!("{label}-seed{seed}")));
            100.0 * run.last.unwrap().get("test_accuracy").unwrap()
        })
    };
    let [sgd, xsam] = ["sgd", "xsam"].map(accuracies);
    let test = paired_t_test(&sgd, &xsam);
    let difference = (xsam[0] - sgd[0] + xsam[1] - sgd[1]) / 2.0;
    let cell = &cells(&html, "against sgd, paired over seeds")[1];
    assert!(
        cell.starts_with(&format!("{difference:+.1}").replace('-', "−")),
        "{cell}"
    );
    assert_eq!(cell.contains("p ="), test.is_some(), "{cell}");
    for (label, values) in [("sgd", sgd), ("xsam", xsam)] {
        for (seed, value) in [(3, values[0]), (4, values[1])] {
            let row = cells(&html, &format!("{label}, seed {seed}"));
            assert_eq!(row[0], format!("{value:.1}"));
            assert_eq!(row[6], "finished");
            assert!(html.contains(&format!(
                "<title>{label}, seed {seed}: {value:.1} %</title>"
            )));
        }
    }
    assert!(html.contains("The search for alpha"));
    // Nothing else was measured of the runs: no empty sections.
    for section in ["How flat", "The loss around"] {
        assert!(!html.contains(section));
    }
    let command = format!(
        "xsam compare {0}/spec.toml --out {0}-again",
        directory.display()
    );
    assert!(unescaped(&html).contains(&command));
    assert!(html.contains("rho = 0.125") && html.contains(env!("CARGO_PKG_VERSION")));
    // The same files make the same page.
    assert_eq!(page(&directory), html);
}

/// Writes a run with these values of a score on the test data, epoch by epoch.
fn write_run(directory: &Path, seed: u64, score: &Score, values: &[f64]) {
    fs::create_dir_all(directory).unwrap();
    let row = |(i, value): (usize, &f64)| -> Metrics {
        serde_json::from_value(json!({
            "epoch": i + 1, "lr": 0.1, "rho": 0, "train_loss": 1.5, score.column(Part::Train): 0.5,
            score.column(Part::Test): value, score.column(Part::Validation): value, "grad_norm": 1, "update_norm": 1, "gradient_passes": 4,
            "search_passes": 0, "seconds": 0.5
        }))
        .unwrap()
    };
    let rows: Vec<Metrics> = values.iter().enumerate().map(row).collect();
    let summary = RunSummary {
        status: Status::Finished,
        method: "sgd".to_owned(),
        seed,
        epochs: rows.len(),
        scores: vec![score.clone()],
        last: rows.last().cloned(),
        seconds_per_epoch: Some(0.5),
        ..RunSummary::default()
    };
    fs::write(
        directory.join("metrics.csv"),
        Metrics::csv(&columns(&summary.scores), &rows),
    )
    .unwrap();
    let text = serde_json::to_string(&summary).unwrap();
    fs::write(directory.join("run.json"), text).unwrap();
    let spec = "[method]\nname = \"sgd\"\n[train]\nepochs = 2\n";
    fs::write(directory.join("spec.toml"), spec).unwrap();
}

/// The page of a comparison of methods with these test accuracies from seeds 0, 1 ..
fn page_of(methods: &[(&str, &[f64])]) -> String {
    page_by(&Score::percent("accuracy", "Share of images"), methods)
}

/// The same of another score.
fn page_by(score: &Score, methods: &[(&str, &[f64])]) -> String {
    let parent = tempfile::tempdir().unwrap();
    let seeds = methods.iter().map(|(_, values)| values.len()).max();
    let folder = |label: &str, seed: usize| format!("{label}-seed{seed}");
    let described = methods.iter().map(|(label, values)| {
        let folders = (0..values.len()).map(|seed| folder(label, seed));
        json!({
            "label": label, "method": { "name": "sgd" }, "folders": folders.collect::<Vec<_>>()
        })
    });
    let described: Vec<Value> = described.collect();
    let seeds: Vec<usize> = (0..seeds.unwrap_or_default()).collect();
    let marker = json!({
        "format": Format::default(), "status": "finished", "seeds": seeds, "about": About::default(), "scores": [score],
        "columns": [],
        "methods": described, "failures": [], "files": []
    });
    fs::write(parent.path().join("compare.json"), marker.to_string()).unwrap();
    fs::write(parent.path().join("spec.toml"), "[train]\nepochs = 2\n").unwrap();
    for (label, values) in methods {
        for (seed, value) in values.iter().enumerate() {
            let run = parent.path().join(folder(label, seed));
            write_run(&run, seed as u64, score, &[0.5 * value, *value]);
        }
    }
    page(parent.path())
}

fn headline(html: &str) -> &str {
    let (_, rest) = html.split_once("<h1>").unwrap();
    rest.split_once("</h1>").unwrap().0
}

#[test]
fn the_headline_says_what_came_out() {
    let sgd: (&str, &[f64]) = ("sgd", &[0.90, 0.91, 0.92]);
    // Differences of 1, 2 and 3 points: t = 2 sqrt 3, p = 0.0742.
    let sam: (&str, &[f64]) = ("sam", &[0.91, 0.93, 0.95]);
    let html = page_of(&[sgd, sam]);
    assert_eq!(
        headline(&html),
        "sam is best with 93.0 % test accuracy, 2.0 points more than sgd (p = 0.074, 3 seeds). That may be chance."
    );
    assert_eq!(
        cells(&html, "against sgd, paired over seeds"),
        ["–", "+2.0 p = 0.074"]
    );
    assert_eq!(cells(&html, "test accuracy %, last epoch")[1], "93.0 ± 2.0");

    let html = page_of(&[sam, sgd]);
    assert_eq!(
        headline(&html),
        "No method is better than sam with 93.0 % test accuracy, 2.0 points more than sgd, the next (p = 0.074, 3 \
         seeds). That may be chance."
    );
    // Differences of 5, 5.1 and 5.2 points are no chance. Those from the next one are 4, 3.1 and 2.2: t = 5.97, p = 0.027,
    // which is the second of three.
    let xsam: (&str, &[f64]) = ("xsam", &[0.95, 0.961, 0.972]);
    let html = page_of(&[sgd, sam, xsam]);
    let told =
        "xsam is best with 96.1 % test accuracy, 5.1 points more than sgd (p &lt; 0.001, 3 seeds).";
    assert_eq!(headline(&html), told);
    assert!(html.contains("Next is sam with 93.0 %, 3.1 points behind (p = 0.054, 3 seeds)."));
    assert!(html.contains("corrected for the 3 pairs of methods that there are"));

    let html = page_of(&[("sgd", &[0.9]), ("sam", &[0.92])]);
    let told = "sam is best with 92.0 % test accuracy, 2.0 points more than sgd (1 seed).";
    assert_eq!(headline(&html), told);
    assert!(html.contains("From one seed nothing is known of chance"));
    assert_eq!(
        headline(&page_of(&[sgd])),
        "sgd reached 91.0 % test accuracy (3 seeds)."
    );
    // Paired by seeds that both have: 0.93 - 0.90 alone.
    let html = page_of(&[sgd, ("sam", &[0.93])]);
    assert!(headline(&html).contains("3.0 points more than sgd (1 seed)"));
    assert!(html.contains("4 of 6 runs are finished"));
    assert!(headline(&page_of(&[("sgd", &[])])).contains("No run has a test accuracy yet"));
}

#[test]
fn where_lower_is_better_the_lowest_is_best() {
    let perplexity = Score::new("perplexity", Better::Lower, "Perplexity").with_unit("bits");
    let sgd: (&str, &[f64]) = ("sgd", &[9.0, 9.1, 9.2]);
    let sam: (&str, &[f64]) = ("sam", &[8.0, 8.05, 8.15]);
    let html = page_by(&perplexity, &[sgd, sam]);
    assert_eq!(
        headline(&html),
        "sam is best with 8.067 bits test perplexity, 1.033 bits less than sgd (p &lt; 0.001, 3 seeds)."
    );
    assert_eq!(
        cells(&html, "against sgd, paired over seeds"),
        ["–", "−1.033 p &lt; 0.001"]
    );
    let row = cells(&html, "test perplexity in bits, last epoch");
    assert_eq!(row, ["9.100 ± 0.100", "8.067 ± 0.076"]);
    let html = page_by(&perplexity, &[sam, sgd]);
    assert!(headline(&html).starts_with("No method is better than sam with 8.067 bits"));
}

#[test]
fn results_of_an_older_release_are_refused() {
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("spec.toml"), "").unwrap();
    for file in ["run.json", "compare.json"] {
        let old = r#"{"status": "finished", "seeds": [0], "methods": []}"#;
        fs::write(here.path().join(file), old).unwrap();
        let error = report(here.path()).unwrap_err().to_string();
        let told = format!("{file} was written by an older xsam");
        assert!(error.contains(&told), "{error}");
    }
}

#[test]
fn what_is_hostile_is_only_text() {
    let runs = short();
    let label = "<b onload=\"x\">&'s";
    let section = json!(label);
    let text = format!(
        "
        [compare]
        methods = ['sgd', {section}]
        seeds = [0]
        [compare.{section}]
        name = 'sam'
        "
    );
    let directory = compare(&runs, "it's <i>here<", &text);
    let run = directory.join(format!("{label}-seed0"));
    let error = "</script><script>alert(1)</script>";
    let mut summary: Value = read(run.join("run.json"));
    summary["status"] = json!("failed");
    summary["error"] = json!(error);
    fs::write(run.join("run.json"), summary.to_string()).unwrap();
    fs::write(run.join("flatness.json"), "{\"<u>\": 1}").unwrap();
    fs::create_dir(run.join("landscape")).unwrap();
    fs::write(
        run.join("landscape/\"><s>.svg"),
        "<svg onload=\"alert(1)\"></svg>",
    )
    .unwrap();
    fs::write(run.join("search.csv"), "epoch,step,alpha,loss\n1,1,0,<\n").unwrap();

    for directory in [&directory, &run] {
        let html = page(directory);
        for hostile in [
            "<b onload",
            "<script>alert",
            "<s>",
            "<i>",
            "<svg onload",
            "<u>",
        ] {
            assert!(!html.contains(hostile), "{hostile}");
        }
        let text = unescaped(&html);
        assert!(text.contains(error));
        assert!(text.contains("left out: ") && text.contains("flatness.json is damaged"));
        assert!(text.contains("search.csv is damaged") && text.contains("line 2"));
        assert!(
            text.contains(r"'\''s <i>here<"),
            "the command's path is quoted"
        );
    }
    assert!(unescaped(&page(&directory)).contains(&format!("{label}, seed 0 failed: ")));
    assert!(headline(&page(&run)).starts_with("sam failed after 3 of 3 epochs"));
}

#[test]
fn what_else_is_known_of_a_run_is_on_its_page() {
    let runs = short();
    let (summary, run) = (runs.run("run", &[]), runs.path("run"));
    let html = page(&run);
    let last = summary.last.unwrap();
    assert_eq!(
        cells(&html, "training loss")[0],
        format!("{:.4}", last.get("train_loss").unwrap())
    );
    let accuracy = 100.0 * last.get("test_accuracy").unwrap();
    assert_eq!(cells(&html, "test accuracy %")[0], format!("{accuracy:.2}"));
    let told = format!("xsam reached {accuracy:.1} % test accuracy after 3 epochs.");
    assert_eq!(headline(&html), told);
    assert!(html.contains("The search for alpha"));
    fs::remove_file(run.join("search.csv")).unwrap();
    assert!(!page(&run).contains("The search for alpha"));

    let searches =
        "epoch,step,alpha,loss\n1,1,0,2.5\n1,1,1,3.5\n1,1,2,NaN\n3,1,0,2\n3,1,1,1.5\n3,1,2,1.75\n";
    fs::write(run.join("search.csv"), searches).unwrap();
    let metrics = runs.text("run/metrics.csv");
    let columns = ["peak_mb", "100.5", "200.0", "321.4"];
    let metrics = metrics.lines().zip(columns);
    let metrics: Vec<String> = metrics
        .map(|(line, field)| {
            let (rest, _) = line.rsplit_once(',').unwrap();
            format!("{rest},{field}\n")
        })
        .collect();
    fs::write(run.join("metrics.csv"), metrics.concat()).unwrap();
    let measured = json!({
        "epochs": 3, "samples": 64, "mode": "evaluation", "loss": 0.5, "trace": {"value": 292.12, "standard_error": 3.25},
        "eigenvalues": {"pairs": [{"value": 19.612, "residual": 0.1, "converged": true},
                                  {"value": -0.0681, "residual": 0.1, "converged": false}]}
    });
    fs::write(run.join("flatness.json"), measured.to_string()).unwrap();
    fs::create_dir(run.join("landscape")).unwrap();
    fs::write(run.join("landscape/xsam.svg"), "<svg/>").unwrap();
    let html = page(&run);
    assert!(
        html.contains("epoch 1: loss 2.500 to 3.500")
            && html.contains("epoch 3: loss 1.500 to 2.000")
    );
    assert!(html.contains("321 MB"));
    let row = cells(&html, "seed 0");
    assert_eq!(row[..3], ["19.6", "−0.0681 not converged", "292 ± 3.2"]);
    assert_eq!(row[3..7], ["–"; 4]);
    assert!(html.contains("over 64 samples in evaluation mode, after 3 epochs"));
    assert!(
        html.contains("src=\"data:image/svg+xml,%3Csvg/%3E\"") || html.contains("%3Csvg&#x2f;%3E")
    );
}

#[test]
fn a_run_that_diverged_says_so() {
    let runs = short();
    let run = runs.path("run");
    let diverging = runs.spec(&["optimizer.lr=1e30"]);
    let error = train(&diverging, &run, Existing::Refuse).unwrap_err();
    assert!(matches!(error, Error::Step { .. }));
    let html = unescaped(&page(&run));
    assert!(html.contains(&format!("It failed: {error}")), "{error}");
    assert!(headline(&html).contains("failed"));
}

#[test]
fn a_directory_without_results_is_wrong_usage() {
    let here = tempfile::tempdir().unwrap();
    for directory in [here.path().to_owned(), here.path().join("missing")] {
        let error = report(&directory).unwrap_err();
        assert!(error.is_usage() && error.to_string().contains("holds no results"));
    }
    fs::write(here.path().join("compare.json"), "{}").unwrap();
    let error = report(here.path()).unwrap_err();
    assert!(error.to_string().contains("compare.json is damaged"));
    assert!(!here.path().join("report.html").exists());
}

/// The first of these programs that there is.
fn chromium() -> Option<&'static str> {
    let runs = |program: &&str| Command::new(program).arg("--version").output().is_ok();
    ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find(runs)
}

/// A picture of a page, in a window of this width.
fn picture(browser: &str, page: &Path, width: u32, dark: bool) -> image::RgbImage {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.png");
    let flag = |name: &str, path: &Path| format!("--{name}={}", path.display());
    let output = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
        ])
        .arg(format!("--window-size={width},2400"))
        .arg(format!(
            "--blink-settings=preferredColorScheme={}",
            u8::from(!dark)
        ))
        .arg(flag("user-data-dir", &folder.path().join("profile")))
        .arg(flag("screenshot", &file))
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let picture = image::open(&file).unwrap_or_else(|error| panic!("{error}: {said}"));
    picture.to_rgb8()
}

/// How many pixels have this colour, but for smoothing at edges.
fn count(picture: &image::RgbImage, colour: [u8; 3]) -> usize {
    let near =
        |pixel: &&image::Rgb<u8>| pixel.0.iter().zip(colour).all(|(a, b)| a.abs_diff(b) <= 2);
    picture.pixels().filter(near).count()
}

#[test]
fn a_browser_draws_it() {
    let Some(browser) = chromium() else {
        eprintln!("skipped: there is no chromium here");
        return;
    };
    let runs = short();
    let text = "
        [compare]
        methods = ['sgd', 'sam', 'xsam']
        seeds = [0, 1]
    ";
    let page = report(&compare(&runs, "c", text)).unwrap();
    // Paper, and the colours of the methods in light and dark.
    let light = [[255, 255, 255], [28, 33, 39], [0, 114, 178], [213, 94, 0]];
    let dark = [
        [20, 23, 26],
        [232, 234, 237],
        [79, 168, 224],
        [240, 130, 74],
    ];
    for (width, is_dark) in [(1200, false), (1200, true), (390, false), (390, true)] {
        let picture = picture(browser, &page, width, is_dark);
        assert_eq!(picture.width(), width);
        let pixels = (picture.width() * picture.height()) as usize;
        let [paper, methods @ ..] = if is_dark { dark } else { light };
        let share = count(&picture, paper) as f64 / pixels as f64;
        assert!((0.5..0.97).contains(&share), "{share} of {width} is paper");
        for colour in methods {
            let found = count(&picture, colour);
            assert!(found > 300, "{found} pixels of {colour:?} at width {width}");
        }
    }
}

/// A row of a method: its values of swept fields, and its test accuracies.
type SweptRow<'a> = (&'a str, &'a [(&'a str, f64)], &'a [f64]);

/// The page of a sweep over these fields.
fn page_of_sweep(fields: &[(&str, &[f64])], rows: &[SweptRow<'_>]) -> String {
    let parent = tempfile::tempdir().unwrap();
    let score = Score::percent("accuracy", "Share of images");
    let label = |of: &str, values: &[(&str, f64)]| {
        let values = values.iter().map(|(name, value)| format!("-{name}{value}"));
        format!("{of}{}", values.collect::<String>())
    };
    let described = rows.iter().map(|(of, values, scores)| {
        let label = label(of, values);
        let folders = (0..scores.len()).map(|seed| format!("{label}-seed{seed}"));
        let folders: Vec<String> = folders.collect();
        let values: serde_json::Map<String, Value> =
            values.iter().map(|&(name, value)| (name.to_owned(), json!(value))).collect();
        json!({
            "label": label, "of": of, "values": values, "method": { "name": "sgd" }, "folders": folders
        })
    });
    let described: Vec<Value> = described.collect();
    let fields = fields
        .iter()
        .map(|(name, values)| json!({ "name": name, "values": values, "is_condition": false }));
    let fields: Vec<Value> = fields.collect();
    let marker = json!({
        "format": Format::default(), "status": "finished", "seeds": [0, 1, 2], "about": About::default(),
        "scores": [score], "columns": [], "methods": described, "failures": [], "files": [],
        "sweep": { "fields": fields, "chosen_by": "validation", "slices": [] }
    });
    fs::write(parent.path().join("compare.json"), marker.to_string()).unwrap();
    fs::write(parent.path().join("spec.toml"), "[train]\nepochs = 2\n").unwrap();
    for (of, values, scores) in rows {
        for (seed, value) in scores.iter().enumerate() {
            let run = parent
                .path()
                .join(format!("{}-seed{seed}", label(of, values)));
            write_run(&run, seed as u64, &score, &[0.5 * value, *value]);
        }
    }
    page(parent.path())
}

#[test]
fn a_sweep_is_drawn_over_its_field() {
    let html = page_of_sweep(
        &[("rho", &[0.1, 0.2, 0.4])],
        &[
            ("sgd", &[], &[0.70, 0.71, 0.69]),
            ("sam", &[("rho", 0.1)], &[0.80, 0.81, 0.79]),
            ("sam", &[("rho", 0.2)], &[0.90, 0.91, 0.90]),
            ("sam", &[("rho", 0.4)], &[0.10, 0.50, 0.11]),
        ],
    );
    let told = "Best against best, sam at rho 0.2 (90.3 %) is ahead of sgd (70.0 %) by 20.3 points";
    assert!(headline(&html).starts_with(told), "{}", headline(&html));
    assert!(html.contains("Within a point of its best over rho: sam at 0.2."));
    assert!(html.contains("To tell a difference of a point between sam-rho0.2 and sgd takes"));
    assert!(html.contains("<h2>Over rho</h2>"));
    // One line for the method, a dashed one for that without the field, and ticks at the values.
    assert_eq!(html.matches("Test accuracy over rho: ").count(), 1);
    assert!(
        html.contains("<title>rho 0.4\nsgd: 70.0 (69.0 to 71.0)\nsam: 23.7 (10.0 to 50.0)</title>")
    );
    assert!(html.contains("<span class=\"key c0 dashed\"></span>sgd"));
    assert_eq!(
        cells(&html, "sam"),
        ["0.2", "90.3 ± 0.6", "at 0.2", "0.4", "66.7 points"]
    );
    assert_eq!(cells(&html, "sam-rho0.2 − sgd")[5], "5");
    assert_eq!(cells(&html, "against sgd, paired over seeds").len(), 4);
    // Curves are those of the best, and none of the others.
    assert!(!html.contains("<span class=\"key c1\"></span>sam-rho0.1</li>"));
}

#[test]
fn a_sweep_over_two_fields_is_a_map() {
    let rho = |rho: f64, k: f64| [("rho", rho), ("k", k)];
    let html = page_of_sweep(
        &[("rho", &[0.1, 0.2]), ("k", &[1.0, 2.0])],
        &[
            ("sgd", &[], &[0.70, 0.71, 0.69]),
            ("sam", &rho(0.1, 1.0), &[0.80, 0.81, 0.79]),
            ("sam", &rho(0.1, 2.0), &[0.90, 0.92, 0.91]),
            ("sam", &rho(0.2, 1.0), &[0.905, 0.91, 0.909]),
            ("sam", &rho(0.2, 2.0), &[0.60, 0.61, 0.62]),
            ("asam", &[("rho", 0.1)], &[0.80, 0.81, 0.80]),
            ("asam", &[("rho", 0.2)], &[0.85, 0.86, 0.85]),
        ],
    );
    assert!(html.contains("<h2>Over rho and k</h2>"));
    assert_eq!(html.matches("class=\"hit cell\"").count(), 4 + 2);
    assert_eq!(html.matches("class=\"frame best\"").count(), 2);
    // The one beside it, across the corner.
    assert_eq!(html.matches("class=\"frame near\"").count(), 1);
    assert!(html.contains("<title>rho 0.1, k 2\n91.0 ± 1.0</title>"));
    assert!(headline(&html).starts_with("Best against best, sam at rho 0.1 and k 2 (91.0 %)"));
    assert!(html.contains("Within a point of its best over rho and k: sam at 2 of 4 combinations"));
}
