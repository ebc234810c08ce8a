//! Data that have changed under a run.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{
    self, Comparison, Runs, Subject, Trained, export, flatness, landscape, parse, prepare, train,
};
use image::GrayImage;
use xsam_data::DatasetPrint;
use xsam_lab::files::{Existing, Terms};
use xsam_lab::flatness::{FlatnessReport, FlatnessSpec};
use xsam_lab::landscape::{Along, LandscapeSpec};
use xsam_lab::{Error, Sample, Status, StopSignal};
use xsam_report::draw_landscape;

const CHANGED: Terms = Terms {
    existing: Existing::Resume,
    changed_data: true,
};

/// An image that is told from all others.
fn write_image(path: &Path, number: u8) {
    let image = GrayImage::from_fn(8, 8, |x, y| [number ^ (x * 16 + y) as u8].into());
    image.save(path).unwrap();
}

/// Two classes with eight images to learn from each, two to choose by and two to report on.
fn write_images(data: &Path) {
    for (label, class) in ["cat", "dog"].into_iter().enumerate() {
        for (part, count) in [("train", 8), ("val", 3), ("test", 2)] {
            let folder = data.join(part).join(class);
            fs::create_dir_all(&folder).unwrap();
            for i in 0..count {
                let number = (100 * label + 10 * count + i) as u8;
                write_image(&folder.join(format!("{i}.png")), number);
            }
        }
    }
}

/// Data in a folder, and small runs on them.
fn on_images() -> (Runs, PathBuf) {
    let mut runs = Runs::new(&[
        "data.name=image-folder",
        "model.name=mlp",
        "model.width=8",
        "train.batch_size=4",
        "train.epochs=2",
        "method.name=sam",
    ]);
    let data = runs.path("data");
    runs.set(format!("data.dir={}", data.display()));
    write_images(&data);
    (runs, data)
}

/// The error of a run that is not to go on.
#[track_caller]
fn refused(runs: &Runs, settings: &[&str]) -> String {
    let told = [Existing::Resume, Existing::Recover].map(|existing| {
        let error = train(&runs.spec(settings), &runs.path("run"), existing).unwrap_err();
        assert!(matches!(error, Error::OtherData { .. }), "{error}");
        error.to_string()
    });
    assert_eq!(told[0], told[1]);
    told[0].clone()
}

#[test]
fn changed_images_are_noticed_and_told() {
    let (mut runs, data) = on_images();
    let longer = ["train.epochs=3"];
    runs.interrupted("run", &longer, 5);
    let before = runs.text("run/run.json");

    let extra = data.join("train/cat/9.png");
    write_image(&extra, 1);
    let error = refused(&runs, &longer);
    assert!(error.contains("train/cat has 9 images, not 8"), "{error}");
    assert!(error.contains("give --changed-data"), "{error}");
    fs::remove_file(&extra).unwrap();

    // Images that were swapped, of which there are as many as before.
    let (one, other) = (data.join("test/cat/0.png"), data.join("test/dog/0.png"));
    let (a, b) = (fs::read(&one).unwrap(), fs::read(&other).unwrap());
    fs::write(&one, &b).unwrap();
    fs::write(&other, &a).unwrap();
    let error = refused(&runs, &longer);
    assert!(error.contains("(the test part has other images"), "{error}");
    fs::write(&one, a).unwrap();
    fs::write(&other, b).unwrap();

    // A class that is called otherwise, so that the labels of both are others.
    let rename = |from: &str, to: &str| {
        for part in ["train", "val", "test"] {
            fs::rename(data.join(part).join(from), data.join(part).join(to)).unwrap();
        }
    };
    rename("cat", "zebra");
    let error = refused(&runs, &longer);
    let told = "class \"cat\" is gone; class \"zebra\" is new";
    assert!(error.contains(told), "{error}");
    rename("zebra", "cat");
    assert_eq!(runs.text("run/run.json"), before);

    // Other files of the same content are the same data, wherever they are.
    let moved = runs.path("moved");
    fs::rename(&data, &moved).unwrap();
    runs.set(format!("data.dir={}", moved.display()));
    let summary = runs.resume("run", &longer).unwrap();
    let reached = (summary.status, summary.warnings.len());
    assert_eq!(reached, (Status::Finished, 0));
    runs.run("whole", &longer);
    assert_eq!(runs.rows("run"), runs.rows("whole"));
}

#[test]
fn a_run_goes_on_with_changed_images_if_it_is_told_to_and_says_so() {
    let (runs, data) = on_images();
    let directory = runs.path("run");
    runs.run("run", &[]);
    write_image(&data.join("test/dog/9.png"), 1);
    let go_on = |settings: &[&str]| train(&runs.spec(settings), &directory, CHANGED);
    // Of a run that is over, nothing is learned from them.
    let over = go_on(&[]).unwrap();
    assert!(over.warnings.is_empty() && over.epochs == 2);
    let warning = "from epoch 3 on the data are not those of before: test/dog has 3 images, not 2";
    let summary = go_on(&["train.epochs=4"]).unwrap();
    assert_eq!(summary.warnings, [warning]);
    assert_eq!(common::summary(&directory), summary);
    let page = runs.page("run");
    assert!(page.contains("from epoch 3 on the data are not those of before"));

    // From there on these are its data.
    let longest = ["train.epochs=5"];
    let summary = runs.resume("run", &longest).unwrap();
    assert_eq!(summary.warnings, [warning]);

    // A model for two classes cannot go on with three.
    for part in ["train", "val", "test"] {
        fs::create_dir(data.join(part).join("emu")).unwrap();
        for i in 0..4 {
            write_image(&data.join(part).join(format!("emu/{i}.png")), 200 + i);
        }
    }
    let error = go_on(&longest).unwrap_err().to_string();
    assert!(error.contains("class \"emu\" is new"), "{error}");
    assert!(error.contains("the model does not fit them"), "{error}");
}

#[test]
fn a_run_without_a_checkpoint_begins_anew_on_the_data_that_are_there() {
    let (runs, data) = on_images();
    let run = prepare(runs.spec(&[]), &runs.path("run"), Existing::Refuse);
    drop(run.unwrap());
    write_image(&data.join("train/cat/9.png"), 1);
    let summary = runs.resume("run", &[]).unwrap();
    assert!(summary.warnings.is_empty());
    runs.run("whole", &[]);
    assert_eq!(runs.rows("run"), runs.rows("whole"));
}

/// What is measured in no time.
fn sample() -> Sample {
    Sample {
        samples: 8,
        ..Sample::default()
    }
}

fn measured(subject: &Subject) -> Result<FlatnessReport, Error> {
    let spec = FlatnessSpec {
        top: 1,
        sample: sample(),
        ..FlatnessSpec::default()
    };
    flatness(subject, &spec, &mut |_| {})
}

#[test]
fn what_is_measured_on_changed_data_says_so() {
    let (runs, data) = on_images();
    let directory = runs.path("run");
    runs.run("run", &[]);
    let subject = Subject::run(&directory);
    let mut line = LandscapeSpec {
        along: Along::Random,
        dimensions: 1,
        points: Some(3),
        sample: sample(),
        ..LandscapeSpec::default()
    };
    let take = |subject: &Subject, line: &LandscapeSpec| {
        landscape(subject, line, &StopSignal::default(), &mut |_| {})
    };
    assert!(measured(&subject).unwrap().warnings.is_empty());
    take(&subject, &line).unwrap();

    write_image(&data.join("train/dog/9.png"), 1);
    for error in [
        measured(&subject).map(drop),
        take(&subject, &line).map(drop),
    ] {
        let error = error.unwrap_err();
        assert!(matches!(error, Error::OtherData { .. }), "{error}");
    }
    let subject = Subject {
        changed_data: true,
        ..subject
    };
    let told = "measured on other data than it was trained on: train/dog has 9 images, not 8";
    assert_eq!(measured(&subject).unwrap().warnings, [told]);
    // Points of the one are not mixed with points of the other.
    let error = take(&subject, &line).unwrap_err();
    assert!(matches!(error, Error::OtherLandscape { .. }), "{error}");
    line.existing = Existing::Overwrite;
    let taken = take(&subject, &line).unwrap();
    assert_eq!(taken.warnings, [told]);
    draw_landscape(&taken).unwrap();
    let page = runs.page("run");
    assert!(page.contains("measured on other data than it was trained on"));
    assert!(page.contains("landscape random-line: taken on other data"));
}

#[test]
fn a_comparison_is_not_finished_on_other_data_than_it_was_begun_on() {
    let (runs, data) = on_images();
    let directory = runs.path("c");
    let settings = ["compare.methods=['sgd', 'sam']", "compare.seeds=[0]"];
    let (_, compare) = parse("[compare]", &settings).unwrap();
    let (spec, compare) = (runs.spec(&[]), compare.unwrap());
    let prepare = |terms: Terms| Comparison::prepare(&spec, &compare, &directory, terms);
    let comparison = prepare(Existing::Refuse.into()).unwrap();
    comparison.run(&StopSignal::default(), &mut |_| {}).unwrap();
    drop(comparison);
    fs::remove_dir_all(directory.join("sam-seed0")).unwrap();

    write_image(&data.join("train/dog/9.png"), 1);
    let comparison = prepare(Existing::Resume.into()).unwrap();
    let refused = comparison.run(&StopSignal::default(), &mut |_| {});
    let error = refused.unwrap_err().to_string();
    assert!(error.contains("sgd-seed0 was made from"), "{error}");
    assert!(error.contains("train/dog has 9 images, not 8"), "{error}");
    assert!(!directory.join("sam-seed0").exists());
    drop(comparison);

    let comparison = prepare(CHANGED).unwrap();
    let summary = comparison.run(&StopSignal::default(), &mut |_| {}).unwrap();
    assert_eq!(summary.status, Status::Finished);
    let told = "1 of 2 runs were made from other data than are there now: train/dog has 9";
    assert!(summary.warnings[0].starts_with(told), "{summary:?}");
    let page = runs.page("c");
    assert!(page.contains("1 of 2 runs were made from other data than are there now"));
}

#[test]
fn a_trained_model_needs_no_data_to_be_loaded() {
    let (runs, data) = on_images();
    let directory = runs.path("run");
    runs.run("run", &[]);
    fs::remove_dir_all(&data).unwrap();
    let trained = Trained::load(&directory).unwrap();
    let data: DatasetPrint = trained.data.unwrap().get().unwrap();
    assert_eq!(data.sizes().unwrap().classes, 2);
    export(&directory, &runs.path("w.pt"), false).unwrap();
}

#[test]
fn a_sweep_over_what_the_data_are_is_refused() {
    let (runs, _) = on_images();
    let text = "
        [compare]
        methods = ['sgd']
        [compare.sweep.data]
        image_size = [8, 4]
    ";
    let (spec, compare) = runs.parse(text);
    let directory = runs.path("c");
    let error = Comparison::prepare(&spec, &compare, &directory, Existing::Refuse).unwrap_err();
    let told = "`compare.sweep`: its values make other data: those of all runs";
    assert!(error.to_string().starts_with(told), "{error}");
    assert!(!directory.exists());
}
