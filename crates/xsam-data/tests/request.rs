//! What is asked of a data set by name, and what is refused before anything is read.
#![allow(missing_docs, clippy::unwrap_used)]

use std::path::PathBuf;

use xsam_data::{DatasetName, Request, digits, load};

fn dir() -> Request {
    Request {
        dir: Some(PathBuf::from("photos")),
        ..Request::default()
    }
}

#[track_caller]
fn assert_refused(name: DatasetName, request: &Request, message: &str) {
    assert_eq!(request.check(name).unwrap_err().to_string(), message);
    assert_eq!(load(name, request).unwrap_err().to_string(), message);
}

#[test]
fn digits_are_built_in_and_take_nothing() {
    let name = DatasetName::Digits;
    assert_eq!(load(name, &Request::default()).unwrap(), digits().unwrap());
    let built_in = "digits are built in, as they are: leave it out, or choose image-folder";
    assert_refused(name, &dir(), &format!("dir: {built_in}"));
    let request = Request {
        image_size: Some(8),
        ..Request::default()
    };
    assert_refused(name, &request, &format!("image_size: {built_in}"));
    let fixed = "the validation part of digits is fixed: leave it out";
    let request = Request {
        validation: Some(0.1),
        ..Request::default()
    };
    assert_refused(name, &request, &format!("validation: {fixed}"));
    let request = Request {
        split_seed: Some(1),
        ..Request::default()
    };
    assert_refused(name, &request, &format!("split_seed: {fixed}"));
}

#[test]
fn the_others_need_a_folder_and_say_what_it_holds() {
    let none = Request::default();
    for name in DatasetName::ALL {
        if name == DatasetName::Digits {
            continue;
        }
        assert_eq!(dir().check(name), Ok(()));
        let message = none.check(name).unwrap_err().to_string();
        let start = format!("dir: {name} needs the folder, which holds {}", name.holds());
        assert!(message.starts_with(&start), "{message}");
        match name.source() {
            Some(source) => assert!(message.ends_with(source), "{message}"),
            None => assert_eq!(name, DatasetName::ImageFolder),
        }
    }
    assert_refused(
        DatasetName::ImageFolder,
        &none,
        "dir: image-folder needs the folder, which holds train/CLASS/*.jpg, .jpeg or .png, and test",
    );
}

#[test]
fn only_folders_of_images_have_a_size_to_choose() {
    let request = |size| Request {
        image_size: Some(size),
        ..dir()
    };
    assert_eq!(request(32).check(DatasetName::ImageFolder), Ok(()));
    let message = "image_size: 0 must be at least 1";
    assert_refused(DatasetName::ImageFolder, &request(0), message);
    let message = "image_size: the images of cifar10 are 32x32: leave it out";
    assert_refused(DatasetName::Cifar10, &request(32), message);
    let message = "image_size: the images of tiny-imagenet are 64x64: leave it out";
    assert_refused(DatasetName::TinyImagenet, &request(0), message);
}

#[test]
fn a_share_for_validation_leaves_something_on_both_sides() {
    let request = |share| Request {
        validation: Some(share),
        ..dir()
    };
    for name in [DatasetName::Cifar10, DatasetName::ImageFolder] {
        assert_eq!(request(0.5).check(name), Ok(()));
        for share in [0.0, 1.0, -1.0, f64::NAN] {
            let message = format!("validation: {share} must be above 0 and below 1");
            assert_refused(name, &request(share), &message);
        }
    }
}
