//! What is asked of a data set by name, and what is refused before anything is read.

use std::path::PathBuf;

use xsam_data::{Dataset, DatasetName, Request, digits, load};

fn dir() -> Request {
    with(|_| {})
}

/// A request with a folder and one thing more.
fn with(change: impl FnOnce(&mut Request)) -> Request {
    let mut request = Request {
        dir: Some(PathBuf::from("photos")),
        ..Request::default()
    };
    change(&mut request);
    request
}

#[track_caller]
fn assert_refused(name: DatasetName, request: &Request, message: &str) {
    assert_eq!(request.check(name).unwrap_err().to_string(), message);
    assert_eq!(load(name, request).unwrap_err().to_string(), message);
}

#[test]
fn digits_are_built_in_and_take_nothing() {
    let name = DatasetName::Digits;
    let loaded = load(name, &Request::default()).unwrap();
    assert_eq!(loaded, Dataset::Images(digits().unwrap()));
    let built_in = "digits are built in, as they are: leave it out, or choose image-folder";
    let fixed = "the validation part of digits is fixed: leave it out";
    for (field, change, why) in [
        ("dir", (|_| {}) as fn(&mut Request), built_in),
        ("image_size", |of| of.image_size = Some(8), built_in),
        ("validation", |of| of.validation = Some(0.1), fixed),
        ("split_seed", |of| of.split_seed = Some(1), fixed),
    ] {
        let mut request = with(change);
        request.dir = request.dir.filter(|_| field == "dir");
        assert_refused(name, &request, &format!("{field}: {why}"));
    }
}

#[test]
fn published_data_are_looked_for_where_they_are_fetched_to() {
    let none = Request::default();
    for name in DatasetName::ALL {
        let folder = PathBuf::from(format!("data/{name}"));
        let own = matches!(name, DatasetName::ImageFolder | DatasetName::ParallelText);
        if name == DatasetName::Digits || own {
            assert_eq!(name.default_folder(), None);
            continue;
        }
        assert_eq!(name.default_folder(), Some(folder));
        assert_eq!(none.check(name), Ok(()));
        assert_eq!(dir().check(name), Ok(()));
    }
}

#[test]
fn your_own_data_need_a_folder_and_the_error_says_what_it_holds() {
    assert_refused(
        DatasetName::ImageFolder,
        &Request::default(),
        "dir: image-folder needs the folder, which holds train/CLASS/*.jpg, .jpeg or .png, and test",
    );
    let languages = Request {
        source: Some("de".to_owned()),
        target: Some("en".to_owned()),
        ..Request::default()
    };
    assert_refused(
        DatasetName::ParallelText,
        &languages,
        "dir: parallel-text needs the folder, which holds train.SOURCE, train.TARGET, and the same of \
         valid and test, a sentence a line",
    );
}

#[test]
fn text_has_languages_and_nothing_that_images_have() {
    let text = DatasetName::ParallelText;
    let needed = "parallel-text needs it: what its files end in, as `de` of train.de";
    assert_refused(text, &dir(), &format!("source: {needed}"));
    let source = with(|of| of.source = Some("de".to_owned()));
    assert_refused(text, &source, &format!("target: {needed}"));
    let out = "source: iwslt14-de-en is German to English: leave it out";
    assert_refused(DatasetName::Iwslt14DeEn, &source, out);
    let out = "source: cifar10 is of images: leave it out";
    assert_refused(DatasetName::Cifar10, &source, out);
    let share = with(|of| of.validation = Some(0.5));
    let out = "validation: iwslt14-de-en is text, in three parts of its own: leave it out";
    assert_refused(DatasetName::Iwslt14DeEn, &share, out);
}

#[test]
fn only_folders_of_images_have_a_size_to_choose() {
    let request = |size| with(|of| of.image_size = Some(size));
    assert_eq!(request(32).check(DatasetName::ImageFolder), Ok(()));
    let message = "image_size: 0 must be at least 1";
    assert_refused(DatasetName::ImageFolder, &request(0), message);
    let largest = Request::LARGEST_SIZE;
    assert_eq!(request(largest).check(DatasetName::ImageFolder), Ok(()));
    for size in [largest + 1, 100_000, usize::MAX] {
        let message = format!("image_size: {size} must be at most 16384");
        assert_refused(DatasetName::ImageFolder, &request(size), &message);
    }
    let message = "image_size: the images of cifar10 are 32x32: leave it out";
    assert_refused(DatasetName::Cifar10, &request(32), message);
    let message = "image_size: the images of tiny-imagenet are 64x64: leave it out";
    assert_refused(DatasetName::TinyImagenet, &request(0), message);
}

#[test]
fn a_share_for_validation_leaves_something_on_both_sides() {
    let request = |share| with(|of| of.validation = Some(share));
    for name in [DatasetName::Cifar10, DatasetName::ImageFolder] {
        assert_eq!(request(0.5).check(name), Ok(()));
        for share in [0.0, 1.0, -1.0, f64::NAN] {
            let message = format!("validation: {share} must be above 0 and below 1");
            assert_refused(name, &request(share), &message);
        }
    }
}
