//! Folders of images: the layout, what is read from it, and what is said of what is wrong.

use std::fs;
use std::path::Path;

use image::{DynamicImage, GrayImage, Luma, Rgb, RgbImage, Rgba, RgbaImage};
use tempfile::TempDir;
use xsam_data::{DataError, DatasetName, Request, Splits, load as load_by_name};

/// A picture whose pixels depend on where they are and on `seed`.
fn picture(width: u32, height: u32, seed: u8) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| Rgb([x as u8 * 7, y as u8 * 11, seed]))
}

fn save(directory: &TempDir, name: &str, image: impl Into<DynamicImage>) {
    let path = directory.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    image.into().save(path).unwrap();
}

/// Two classes of PNG files, 10 and 20 for training and 2 each for testing, all of 4x3 pixels.
fn folder() -> TempDir {
    let here = tempfile::tempdir().unwrap();
    for (part, class, n) in [
        ("train", "cat", 10),
        ("train", "ant", 20),
        ("test", "ant", 2),
        ("test", "cat", 2),
    ] {
        for i in (0..n).rev() {
            let name = format!("{part}/{class}/{i:02}.png");
            save(&here, &name, picture(4, 3, i));
        }
    }
    here
}

/// Reads what is in a folder, with all else as `request` has it.
fn read(directory: &Path, request: Request) -> Result<Splits, DataError> {
    let dir = Some(directory.to_owned());
    let data = load_by_name(DatasetName::ImageFolder, &Request { dir, ..request });
    data.map(|data| data.images().unwrap())
}

fn load(directory: &TempDir) -> Splits {
    read(directory.path(), Request::default()).unwrap()
}

fn sized(image_size: Option<usize>) -> Request {
    Request {
        image_size,
        ..Request::default()
    }
}

#[track_caller]
fn assert_refused(directory: &Path, image_size: Option<usize>, words: &[&str]) {
    let error = read(directory, sized(image_size)).unwrap_err().to_string();
    assert!(words.iter().all(|word| error.contains(word)), "{error}");
}

/// What `picture` has put into the blue channel of each image.
fn seeds(images: &xsam_data::Images) -> Vec<u8> {
    let plane = images.height() * images.width();
    let images = images.pixels().chunks_exact(images.pixels_per_image());
    images.map(|image| image[2 * plane]).collect()
}

#[test]
fn classes_and_files_are_in_the_order_of_their_names() {
    let here = folder();
    fs::write(here.path().join("train/.hidden"), "").unwrap();
    fs::write(here.path().join("train/ant/.hidden.png"), "").unwrap();
    fs::write(here.path().join("README"), "").unwrap();
    let splits = load(&here);
    let (train, test) = (&splits.train, &splits.test);
    assert_eq!(train.class_names(), ["ant", "cat"]);
    assert_eq!((train.channels(), train.height(), train.width()), (3, 3, 4));
    assert_eq!(test.labels(), [0, 0, 1, 1]);
    assert_eq!(seeds(test), [0, 1, 0, 1]);
    let image = test.image(1).unwrap();
    assert_eq!(image[..4], [0, 7, 14, 21], "red of the first row");
    assert_eq!(image[12..24], [0, 0, 0, 0, 11, 11, 11, 11, 22, 22, 22, 22]);
    assert!(train.labels().is_sorted());
    assert!(seeds(train)[..18].is_sorted() && seeds(train)[18..].is_sorted());
}

#[test]
fn a_tenth_of_every_class_is_held_out_and_always_the_same() {
    let here = folder();
    let splits = load(&here);
    assert_eq!(splits.train.class_counts(), [18, 9]);
    assert_eq!(splits.validation.class_counts(), [2, 1]);
    let known = |images: &xsam_data::Images| {
        let labels = images.labels().iter().copied();
        labels.zip(seeds(images)).collect::<Vec<_>>()
    };
    let mut all = [known(&splits.train), known(&splits.validation)].concat();
    all.sort_unstable();
    let ants = (0..20).map(|seed| (0, seed));
    assert!(
        all.into_iter()
            .eq(ants.chain((0..10).map(|seed| (1, seed))))
    );
    assert_eq!(load(&here), splits);
}

#[test]
fn the_images_held_out_by_default_never_change() {
    let held = load(&folder()).validation;
    assert_eq!(
        (held.labels(), seeds(&held)),
        (&[0, 0, 1][..], vec![3, 13, 2])
    );
}

#[test]
fn another_share_or_seed_can_be_asked_for() {
    let here = folder();
    let request = |validation, split_seed| {
        let request = Request {
            validation,
            split_seed,
            ..Request::default()
        };
        read(here.path(), request)
    };
    let default = load(&here);
    assert_eq!(request(None, None).unwrap(), default);
    assert_eq!(request(Some(0.1), None).unwrap(), default);
    assert_eq!(request(None, Some(10)).unwrap(), default);
    let other = request(None, Some(11)).unwrap();
    assert_eq!(other.validation.class_counts(), [2, 1]);
    assert_ne!(other, default);
    let half = request(Some(0.5), None).unwrap();
    assert_eq!(half.validation.class_counts(), [10, 5]);

    for (class, seed) in [("ant", 100), ("cat", 101)] {
        save(&here, &format!("val/{class}/a.png"), picture(4, 3, seed));
    }
    assert_eq!(seeds(&request(None, None).unwrap().validation), [100, 101]);
    for (share, seed) in [(Some(0.1), None), (None, Some(10))] {
        let message = request(share, seed).unwrap_err().to_string();
        let end = "val is the validation part: leave validation and split_seed out, or move it out \
                   of there";
        assert!(message.ends_with(end), "{message}");
    }
}

#[test]
fn the_other_parts_may_have_their_other_names() {
    for name in ["val", "valid"] {
        let here = folder();
        let expected = load(&here);
        let at = |part: &str| here.path().join(part);
        fs::rename(at("test"), at(name)).unwrap();
        assert_eq!(load(&here), expected, "in place of test");

        save(&here, "test/ant/a.png", picture(4, 3, 100));
        save(&here, "test/cat/a.png", picture(4, 3, 101));
        let splits = load(&here);
        assert_eq!(splits.train.class_counts(), [20, 10]);
        assert_eq!(splits.validation, expected.test);
        assert_eq!(seeds(&splits.test), [100, 101]);
    }
}

#[test]
fn every_kind_of_image_becomes_rgb() {
    let here = folder();
    let luma = GrayImage::from_fn(4, 3, |x, _| Luma([x as u8 * 50]));
    let wide: image::ImageBuffer<Luma<u16>, Vec<u16>> =
        image::ImageBuffer::from_fn(4, 3, |x, _| Luma([x as u16 * 257 * 50]));
    let clear = RgbaImage::from_pixel(4, 3, Rgba([1, 2, 3, 0]));
    save(&here, "test/ant/02.png", luma.clone());
    save(&here, "test/ant/03.png", wide);
    save(&here, "test/ant/04.png", clear);
    save(&here, "test/ant/05.JPG", luma);
    save(
        &here,
        "test/ant/06.jpeg",
        RgbImage::from_pixel(4, 3, Rgb([200, 10, 60])),
    );
    // A wrong name does not change what is in the file.
    let path = |name: &str| here.path().join("test/ant").join(name);
    fs::copy(path("02.png"), path("07.jpg")).unwrap();

    let test = load(&here).test;
    let grey = [[0, 50, 100, 150]; 9].concat();
    for index in [2, 3, 7] {
        assert_eq!(test.image(index).unwrap(), grey, "{index}");
    }
    assert_eq!(test.image(4).unwrap(), [[1; 12], [2; 12], [3; 12]].concat());
    let near = |index: usize, expected: &[u8], by: u8| {
        let pairs = test.image(index).unwrap().iter().zip(expected);
        assert!(
            pairs.clone().all(|(a, b)| a.abs_diff(*b) <= by),
            "{pairs:?}"
        );
    };
    near(5, &grey, 12);
    near(6, &[[200; 12], [10; 12], [60; 12]].concat(), 4);
}

#[test]
fn images_are_resized_to_a_square_if_asked() {
    let here = folder();
    for name in ["train/cat/90.png", "test/cat/90.png"] {
        save(&here, name, RgbImage::from_pixel(9, 5, Rgb([9, 80, 250])));
    }
    save(&here, "test/cat/91.png", picture(6, 6, 3));
    assert_refused(
        here.path(),
        None,
        &["90.png is 9x5 pixels", "first one 4x3", "image_size"],
    );
    let splits = read(here.path(), sized(Some(6))).unwrap();
    let test = &splits.test;
    assert_eq!((test.height(), test.width()), (6, 6));
    assert_eq!(
        test.image(4).unwrap(),
        [[9; 36], [80; 36], [250; 36]].concat()
    );
    assert_eq!(
        test.image(5).unwrap()[..6],
        [0, 7, 14, 21, 28, 35],
        "as it was"
    );
}

#[test]
fn what_is_not_in_the_layout_is_named() {
    let here = folder();
    let at = |name: &str| here.path().join(name);
    let refused = |words: &[&str]| assert_refused(here.path(), None, words);

    assert_refused(
        &at("nowhere"),
        None,
        &["there is no", "nowhere;", "DIR/train/CLASS"],
    );
    assert_refused(&at("train/cat"), None, &["there is no", "cat/train"]);
    assert_refused(&at("train/cat/00.png"), None, &["there is no", "00.png;"]);

    fs::write(at("train/list.txt"), "").unwrap();
    refused(&["list.txt is not a class folder"]);
    fs::remove_file(at("train/list.txt")).unwrap();

    fs::write(at("train/cat/00.gif"), "").unwrap();
    refused(&["00.gif is neither .jpg, .jpeg nor .png"]);
    fs::remove_file(at("train/cat/00.gif")).unwrap();

    fs::create_dir(at("train/cat/more.png")).unwrap();
    refused(&["cannot read", "more.png"]);
    fs::remove_dir(at("train/cat/more.png")).unwrap();

    fs::create_dir(at("train/dog")).unwrap();
    fs::create_dir(at("test/dog")).unwrap();
    refused(&["dog holds no images"]);
    save(&here, "train/dog/0.png", picture(4, 3, 0));
    refused(&["test/dog holds no images"]);
    fs::remove_dir(at("test/dog")).unwrap();
    refused(&["test lacks the class `dog` of train"]);
    fs::remove_dir_all(at("train/dog")).unwrap();
    save(&here, "test/dog/0.png", picture(4, 3, 0));
    refused(&["test/dog is of a class that train does not have"]);

    fs::remove_dir_all(at("test")).unwrap();
    refused(&["there is no", "test;", "DIR/val"]);
    fs::create_dir(at("test")).unwrap();
    fs::remove_dir_all(at("train")).unwrap();
    fs::create_dir(at("train")).unwrap();
    refused(&["train holds no class folders"]);
    save(&here, "train/cat/0.png", picture(4, 3, 0));
    save(&here, "test/cat/0.png", picture(4, 3, 0));
    refused(&["of 1 training images none can be held out"]);
    save(&here, "train/cat/1.png", picture(4, 3, 0));
    load(&here);
}

#[test]
fn damaged_images_are_named() {
    let here = folder();
    save(&here, "test/cat/whole.jpg", picture(40, 30, 9));
    let at = |name: &str| here.path().join("test/cat").join(name);
    let jpeg = fs::read(at("whole.jpg")).unwrap();
    fs::remove_file(at("whole.jpg")).unwrap();
    let png = fs::read(at("00.png")).unwrap();
    let mut flipped = png.clone();
    flipped[png.len() - 20] ^= 1;
    for (name, bytes) in [
        ("x.png", &b""[..]),
        ("x.png", b"not an image"),
        ("x.png", &png[..png.len() / 2]),
        ("x.png", &flipped),
        ("x.jpg", &jpeg[..jpeg.len() / 4]),
        ("x.jpg", &jpeg[..jpeg.len() / 2]),
        ("x.jpg", &jpeg[..jpeg.len() - 2]),
        ("x.jpg", b"GIF89a"),
    ] {
        fs::write(at(name), bytes).unwrap();
        assert_refused(here.path(), Some(4), &[name, "is damaged, or not an image"]);
        fs::remove_file(at(name)).unwrap();
    }
    // What follows the end is no harm.
    fs::write(at("x.jpg"), [&jpeg[..], b"more"].concat()).unwrap();
    read(here.path(), sized(Some(4))).unwrap();
    // Of several it is always the first.
    for name in ["b.png", "c.png", "d.png"] {
        fs::write(at(name), "").unwrap();
    }
    for _ in 0..20 {
        assert_refused(here.path(), Some(4), &["b.png"]);
    }
}
