#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::Path;

use image::{DynamicImage, GrayImage, Luma, Rgb, RgbImage};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

const COUNTS: Counts = Counts {
    classes: 2,
    per_class: 3,
    test: 4,
};
/// Not in the order of their numbers.
const WNIDS: &str = "n02124075\nn01443537\n";
const WORDS: &[u8] = b"n00001740\tentity\nn01443537\tgoldfish, Carassius auratus\n\
                       n01443538\tcaf\xe9\nn02124075\tEgyptian cat\n";
const ANNOTATIONS: &str = "val_0.JPEG\tn02124075\t0\t32\t44\t62\n\
                           val_1.JPEG\tn01443537\t52\t55\t57\t59\n\
                           val_10.JPEG\tn01443537\t4\t0\t60\t55\n\
                           val_2.JPEG\tn02124075\t3\t3\t63\t63\n";

/// A JPEG of one grey value, in colour or in grey.
fn save(path: &Path, side: u32, value: u8, colour: bool) {
    let image: DynamicImage = match colour {
        true => RgbImage::from_pixel(side, side, Rgb([value; 3])).into(),
        false => GrayImage::from_pixel(side, side, Luma([value])).into(),
    };
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    image
        .save_with_format(path, image::ImageFormat::Jpeg)
        .unwrap();
}

/// A small one, in its published folder. The value of an image tells which it is.
fn folder() -> TempDir {
    let here = tempfile::tempdir().unwrap();
    let root = here.path().join("tiny-imagenet-200");
    for (class, wnid) in [(0, "n01443537"), (1, "n02124075")] {
        for index in 0..3 {
            let file = root.join(format!("train/{wnid}/images/{wnid}_{index}.JPEG"));
            save(&file, 64, 100 * class + 20 * index, index != 1);
        }
        fs::write(root.join(format!("train/{wnid}/{wnid}_boxes.txt")), "").unwrap();
    }
    for index in [0, 1, 2, 10] {
        let file = root.join(format!("val/images/val_{index}.JPEG"));
        save(&file, 64, 20 * index, true);
    }
    fs::write(root.join("wnids.txt"), WNIDS).unwrap();
    fs::write(root.join("words.txt"), WORDS).unwrap();
    fs::write(root.join("val/val_annotations.txt"), ANNOTATIONS).unwrap();
    fs::create_dir_all(root.join("test/images")).unwrap();
    here
}

fn load(dir: &Path) -> Result<Splits, DataError> {
    let validation = Validation::new(0.34, 0).unwrap();
    read(&Source::new(&FACTS, dir)?, validation, &COUNTS)
}

/// The first value of every image.
fn values(images: &crate::Images) -> Vec<u8> {
    let images = images.pixels().chunks_exact(images.pixels_per_image());
    images.map(|image| image[0]).collect()
}

#[test]
fn val_is_the_test_part_and_training_images_are_held_out() {
    let here = folder();
    let splits = load(here.path()).unwrap();
    assert_eq!(
        load(&here.path().join("tiny-imagenet-200")).unwrap(),
        splits
    );
    let sizes = Sizes {
        train: 4,
        validation: 2,
        test: 4,
        classes: 2,
        ..SIZES
    };
    assert_eq!(splits.sizes(), sizes);
    let names = ["goldfish, Carassius auratus", "Egyptian cat"];
    assert_eq!(splits.test.class_names(), names);
    assert_eq!(splits.test.labels(), [1, 0, 0, 1]);
    assert_eq!(values(&splits.test), [0, 20, 200, 40]);
    assert_eq!(splits.validation.class_counts(), [1, 1]);
    let mut all = [values(&splits.train), values(&splits.validation)].concat();
    all.sort_unstable();
    assert_eq!(all, [0, 20, 40, 100, 120, 140]);
}

#[test]
fn grey_images_become_rgb() {
    let here = folder();
    let splits = load(here.path()).unwrap();
    for part in [&splits.train, &splits.validation] {
        for index in 0..part.len() {
            let image = part.image(index).unwrap();
            assert!(image.iter().all(|value| *value == image[0]));
        }
    }
}

#[test]
fn without_words_classes_are_called_by_their_wnids() {
    let here = folder();
    fs::remove_file(here.path().join("tiny-imagenet-200/words.txt")).unwrap();
    let splits = load(here.path()).unwrap();
    assert_eq!(splits.train.class_names(), ["n01443537", "n02124075"]);
}

/// Changes something in a good folder: what is said of it.
fn message(change: impl FnOnce(&Path)) -> String {
    let here = folder();
    let root = here.path().join("tiny-imagenet-200");
    change(&root);
    let message = load(here.path()).unwrap_err().to_string();
    let root = format!("{}/", root.display());
    message
        .replace(&root, "")
        .replace(here.path().to_str().unwrap(), "DIR")
}

#[test]
fn what_is_missing_is_named_and_how_to_get_it() {
    for name in [
        "wnids.txt",
        "val/val_annotations.txt",
        "train",
        "val/images",
        "train/n01443537",
    ] {
        let message = message(|root| fs::rename(root.join(name), root.join("elsewhere")).unwrap());
        let missing = if name.ends_with("7") {
            "train/n01443537/images"
        } else {
            name
        };
        assert_eq!(
            message,
            format!(
                "there is no {missing}; the folder of tiny-imagenet holds wnids.txt, words.txt, \
                 train/WNID/images/*.JPEG, val/images/*.JPEG and val/val_annotations.txt, in it or \
                 in its tiny-imagenet-200; `xsam data fetch \
                 tiny-imagenet` gets them, into data/tiny-imagenet unless --dir says otherwise"
            )
        );
    }
    let nowhere = load(Path::new("/nowhere/at/all")).unwrap_err().to_string();
    assert!(
        nowhere.starts_with("there is no /nowhere/at/all; "),
        "{nowhere}"
    );
}

#[test]
fn images_in_excess_or_not_there_are_named() {
    let image = "train/n01443537/images/n01443537_2.JPEG";
    let found = message(|root| fs::remove_file(root.join(image)).unwrap());
    let expected = "train/n01443537/images holds 2 images and must hold 3";
    assert_eq!(found, expected);
    let found = message(|root| save(&root.join("val/images/val_3.JPEG"), 64, 0, true));
    assert_eq!(found, "val/images holds 5 images and must hold 4");
    let found = message(|root| {
        let at = |name| root.join("val/images").join(name);
        fs::rename(at("val_10.JPEG"), at("val_3.JPEG")).unwrap();
    });
    assert_eq!(
        found,
        "val/val_annotations.txt, line 3: there is no image `val_10.JPEG`"
    );
    let found = message(|root| fs::write(root.join("val/images/list.txt"), "").unwrap());
    assert_eq!(
        found,
        "val/images/list.txt is not a .JPEG: move it out of there"
    );
    let found = message(|root| fs::create_dir(root.join("train/n01443538")).unwrap());
    let reason = "is not of a class in wnids.txt: move it out of there";
    assert_eq!(found, format!("train/n01443538 {reason}"));
    let here = folder();
    let root = here.path().join("tiny-imagenet-200");
    for hidden in ["train/.DS_Store", "val/images/.DS_Store"] {
        fs::write(root.join(hidden), "").unwrap();
    }
    load(here.path()).unwrap();
}

#[test]
fn images_that_are_damaged_or_of_another_size_are_named() {
    let image = "train/n01443537/images/n01443537_2.JPEG";
    let found = message(|root| save(&root.join(image), 65, 0, false));
    assert_eq!(found, format!("{image} is 65x65 pixels and must be 64x64"));
    let found = message(|root| {
        let bytes = fs::read(root.join(image)).unwrap();
        fs::write(root.join(image), &bytes[..bytes.len() - 2]).unwrap();
    });
    let reason = "is damaged, or not an image: the end is missing";
    assert_eq!(found, format!("{image} {reason}"));
}

#[test]
fn a_line_that_is_wrong_is_named_with_its_file() {
    let write = |name: &'static str, text: &'static [u8]| {
        message(move |root| fs::write(root.join(name), text).unwrap())
    };
    assert_eq!(
        write("wnids.txt", b"n01443537\n../../etc\n"),
        "wnids.txt, line 2: `../../etc` is not n and eight digits"
    );
    assert_eq!(
        write("words.txt", b"n01443537\tgoldfish\n"),
        "words.txt, line 2: the file ends without words for n02124075"
    );
    assert_eq!(
        write("val/val_annotations.txt", b"val_0.JPEG\n"),
        "val/val_annotations.txt, line 1: the line has no tab"
    );
}

fn known() -> Vec<String> {
    wnids(WNIDS.as_bytes(), 2).unwrap()
}

#[test]
fn every_wrong_line_of_wnids_is_refused() {
    for (text, message) in [
        ("n01443537", "line 2: the file ends after 1 of 2 names"),
        (
            "n01443537\nn01443537",
            "line 2: `n01443537` is also on line 1",
        ),
    ] {
        let fault = wnids(text.as_bytes(), 2).unwrap_err();
        assert_eq!(fault.to_string(), message);
    }
    for wnid in ["n0144353", "x01443537", "n0144353\u{0663}"] {
        let fault = wnids(format!("n01443537\n{wnid}").as_bytes(), 2).unwrap_err();
        let message = format!("line 2: `{wnid}` is not n and eight digits");
        assert_eq!(fault.to_string(), message);
    }
}

#[test]
fn every_wrong_line_of_words_is_refused() {
    for (text, message) in [
        (&b"n00001740 entity\n"[..], "line 1: the line has no tab"),
        (
            b"n00001740\tentity\n\nn01443537\tfish\n",
            "line 2: the line has no tab",
        ),
        (b"n01443537\t \n", "line 1: there are no words"),
        (b"n01443537\tcaf\xe9\n", "line 1: the line is not UTF-8"),
        (
            b"n01443537\tfish\nn01443537\tfish\n",
            "line 2: the class has words on another line too",
        ),
        (b"", "line 1: the file ends without words for n01443537"),
    ] {
        let fault = words(text, &known()).unwrap_err();
        assert_eq!(fault.to_string(), message);
    }
}

#[test]
fn every_wrong_line_of_annotations_is_refused() {
    let first = "a.JPEG\tn02124075\t0\t1\t2\t3\n";
    let of = |text: &str| annotations(text.as_bytes(), &known(), 2);
    let good = format!("{first}b.JPEG\tn01443537\t0\t1\t2\t3\r\n\n");
    let expected = [("a.JPEG".to_owned(), 1), ("b.JPEG".to_owned(), 0)];
    assert_eq!(of(&good).unwrap(), expected);
    for (line, reason) in [
        ("b.JPEG", "the line has no tab"),
        ("b.JPEG n02124075", "the line has 2 fields and must have 6"),
        (
            "b.JPEG n02124075 0 1 2",
            "the line has 5 fields and must have 6",
        ),
        (
            "b.JPEG n02124075 0 1 2 3 4",
            "the line has 7 fields and must have 6",
        ),
        ("b.JPEG n02124075 0 1 x 3", "`x` is not a number of pixels"),
        (
            "b.JPEG n02124075 0 -1 2 3",
            "`-1` is not a number of pixels",
        ),
        (
            "b.JPEG n02124076 0 1 2 3",
            "the class `n02124076` is not in wnids.txt",
        ),
        ("a.JPEG n02124075 0 1 2 3", "`a.JPEG` is also on line 1"),
        ("", "the file ends after 1 of 2 lines"),
        ("\n\nb.JPEG", "the line has no tab"),
    ] {
        let line = line.replace(' ', "\t");
        let fault = of(&format!("{first}{line}\n")).unwrap_err();
        assert_eq!(fault.to_string(), format!("line 2: {reason}"));
    }
    let three = good.replace("\r\n\n", "\nc.JPEG\tn01443537\t0\t1\t2\t3\n");
    let fault = of(&three).unwrap_err();
    assert_eq!(fault.to_string(), "line 3: there are more than 2 lines");
}

proptest! {
    #[test]
    fn no_changed_line_makes_it_panic(at: prop::sample::Index, bytes: Vec<u8>, lose in 0_usize..9) {
        for good in [WNIDS.as_bytes(), WORDS, ANNOTATIONS.as_bytes()] {
            let at = at.index(good.len());
            let mut changed = good.to_vec();
            changed.splice(at..good.len().min(at + lose), bytes.iter().copied());
            if let Ok(found) = wnids(&changed, 2) {
                prop_assert!(found.is_sorted() && found.iter().all(|wnid| wnid.len() == 9));
            }
            if let Ok(found) = words(&changed, &known()) {
                prop_assert!(found.len() == 2 && found.iter().all(|words| !words.is_empty()));
            }
            if let Ok(found) = annotations(&changed, &known(), 4) {
                prop_assert!(found.len() == 4 && found.iter().all(|(_, label)| *label < 2));
            }
        }
    }

    #[test]
    fn annotations_are_read_as_written(
        written in prop::collection::hash_map(r"[a-z0-9]{1,9}\.JPEG", 0_usize..2, 0..9),
        corners: [u32; 4],
    ) {
        let [a, b, c, d] = corners;
        let line = |(file, label): (&String, &usize)| {
            format!("{file}\t{}\t{a}\t{b}\t{c}\t{d}\n", known()[*label])
        };
        let text: String = written.iter().map(line).collect();
        let found = annotations(text.as_bytes(), &known(), written.len());
        prop_assert_eq!(found, Ok(written.into_iter().collect()));
    }
}
