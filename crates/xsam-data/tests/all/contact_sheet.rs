//! Contact sheets, read back as pictures.

use std::fs;

use image::{ImageFormat, Rgb, RgbImage};
use xsam_data::{
    Augmentation, DataError, Images, Normalization, Pipeline, SheetLayout, contact_sheet, digits,
    write_contact_sheet,
};

/// Before the first cell, and above its picture: the caption.
const LEFT: u32 = 16;
const TOP: u32 = 16 + 8 + 3;
const GAP: u32 = 8;
const MARGIN: u32 = 16;

fn pipeline(pixels: Vec<u8>, shape: [usize; 3], augmentation: Augmentation) -> Pipeline {
    let n = pixels.len() / shape.iter().product::<usize>();
    let images = Images::new(pixels, vec![0; n], shape, vec!["cat".into()]).unwrap();
    let normalization = Normalization::measure(&images);
    Pipeline::new(images, normalization, augmentation, 1).unwrap()
}

fn layout(columns: usize, versions: usize, magnification: usize) -> SheetLayout {
    SheetLayout {
        columns,
        versions,
        magnification,
    }
}

fn sheet(pipeline: &Pipeline, indices: &[usize], layout: SheetLayout) -> RgbImage {
    let png = contact_sheet(pipeline, indices, layout).unwrap();
    let picture = image::load_from_memory_with_format(&png, ImageFormat::Png);
    picture.unwrap().into_rgb8()
}

/// The colours of a cell, which must be one a square.
fn cell(sheet: &RgbImage, [x, y]: [u32; 2], [width, height]: [u32; 2], side: u32) -> Vec<[u8; 3]> {
    let mut colours = Vec::new();
    for row in 0..height {
        for column in 0..width {
            let (left, top) = (x + column * side, y + row * side);
            let Rgb(colour) = *sheet.get_pixel(left, top);
            for (dx, dy) in (0..side).flat_map(|dx| (0..side).map(move |dy| (dx, dy))) {
                assert_eq!(sheet.get_pixel(left + dx, top + dy).0, colour);
            }
            colours.push(colour);
        }
    }
    colours
}

#[test]
fn the_range_of_all_images_is_spread_and_every_pixel_a_square() {
    let pixels = vec![0, 4, 8, 16, 16, 16, 16, 16];
    let pipeline = pipeline(pixels, [1, 2, 2], Augmentation::none());
    let sheet = sheet(&pipeline, &[0, 1], layout(2, 0, 5));
    assert_eq!(sheet.dimensions(), (3 * MARGIN + 2 * 10, TOP + 10 + MARGIN));
    let first = cell(&sheet, [LEFT, TOP], [2, 2], 5);
    assert_eq!(first, [[0; 3], [64; 3], [128; 3], [255; 3]]);
    let second = cell(&sheet, [LEFT + 10 + MARGIN, TOP], [2, 2], 5);
    assert_eq!(second, [[255; 3]; 4]);
}

#[test]
fn three_channels_are_colours_and_two_are_averaged() {
    let colours = pipeline(
        vec![0, 255, 10, 20, 30, 40],
        [3, 1, 2],
        Augmentation::none(),
    );
    let picture = sheet(&colours, &[0], layout(1, 0, 2));
    assert_eq!(
        cell(&picture, [LEFT, TOP], [2, 1], 2),
        [[0, 10, 30], [255, 20, 40]]
    );
    let greys = pipeline(vec![0, 255, 255, 255], [2, 1, 2], Augmentation::none());
    let picture = sheet(&greys, &[0], layout(1, 0, 2));
    assert_eq!(cell(&picture, [LEFT, TOP], [2, 1], 2), [[128; 3], [255; 3]]);
}

#[test]
fn versions_are_shown_as_the_network_sees_them_without_normalization() {
    let always = Augmentation {
        flip: 1.0,
        ..Augmentation::none()
    };
    let mirrored = pipeline(vec![0, 51, 102, 255], [1, 1, 4], always);
    let picture = sheet(&mirrored, &[0], layout(1, 2, 3));
    for version in 1..=2 {
        let left = LEFT + version * (4 * 3 + GAP);
        let expected = [[255; 3], [102; 3], [51; 3], [0; 3]];
        assert_eq!(cell(&picture, [left, TOP], [4, 1], 3), expected);
    }

    // What is cut out has the mean colour, here 100 of 0 to 200.
    let cut = Augmentation {
        cutout: 1,
        ..Augmentation::none()
    };
    let pixels = [0, 200].repeat(8);
    let picture = sheet(&pipeline(pixels, [1, 4, 4], cut), &[0], layout(1, 1, 3));
    let after = cell(&picture, [LEFT + 12 + GAP, TOP], [4, 4], 3);
    let before = cell(&picture, [LEFT, TOP], [4, 4], 3);
    let changed: Vec<_> = (0..16).filter(|&at| before[at] != after[at]).collect();
    assert_eq!(changed.len(), 1);
    assert_eq!(after[changed[0]], [128; 3]);
}

#[test]
fn captions_are_as_wide_as_their_image_at_most() {
    let data = pipeline(vec![9; 3 * 16], [1, 4, 4], Augmentation::none());
    let ink = |picture: &RgbImage, columns: std::ops::Range<u32>| {
        let above = columns.flat_map(|x| (0..TOP).map(move |y| (x, y)));
        above
            .filter(|&(x, y)| picture.get_pixel(x, y).0 != [255; 3])
            .count()
    };
    let wide = sheet(&data, &[0], layout(1, 0, 10));
    assert!(ink(&wide, LEFT..LEFT + 40) > 0);
    // Room for one character of 8, not for two.
    let narrow = sheet(&data, &[0, 1], layout(2, 0, 3));
    assert!(ink(&narrow, LEFT..LEFT + 8) > 0);
    assert_eq!(ink(&narrow, LEFT + 8..LEFT + 12 + MARGIN), 0);
    assert_ne!(
        contact_sheet(&data, &[0], layout(1, 0, 10)),
        contact_sheet(&data, &[1], layout(1, 0, 10))
    );
}

#[test]
fn captions_of_any_characters_can_be_drawn() {
    let names = vec!["Größe \u{1F408}\u{7f}\n".to_owned()];
    let images = Images::new(vec![1; 4], vec![0], [1, 2, 2], names).unwrap();
    let normalization = Normalization::measure(&images);
    let data = Pipeline::new(images, normalization, Augmentation::none(), 1).unwrap();
    contact_sheet(&data, &[0], layout(1, 0, 100)).unwrap();
}

#[test]
fn impossible_sheets_are_refused() {
    let data = pipeline(vec![9; 16], [1, 4, 4], Augmentation::none());
    let refused = |indices: &[usize], layout| {
        let error = contact_sheet(&data, indices, layout).unwrap_err();
        error.to_string()
    };
    let one = layout(1, 0, 1);
    assert_eq!(refused(&[0], layout(0, 0, 1)), "columns must be at least 1");
    assert_eq!(
        refused(&[0], layout(1, 0, 0)),
        "magnification must be at least 1"
    );
    assert_eq!(
        refused(&[], one),
        "the number of images on a contact sheet must be at least 1"
    );
    assert_eq!(refused(&[0, 1], one), "image 1 does not exist, there are 1");
    for huge in [
        layout(1, usize::MAX, 1),
        layout(1, 0, usize::MAX),
        layout(1, 5000, 1000),
    ] {
        assert!(refused(&[0], huge).contains("too large"));
    }
    // More columns than images are no harm.
    assert_eq!(
        contact_sheet(&data, &[0], layout(usize::MAX, 0, 1)),
        contact_sheet(&data, &[0], one)
    );
}

#[test]
fn a_sheet_replaces_a_file_when_it_is_whole_and_leaves_nothing_beside() {
    let data = digits().unwrap();
    let none = Augmentation::none();
    let pipeline = Pipeline::new(data.train, data.normalization, none, 1).unwrap();
    let layout = SheetLayout::new(pipeline.images(), 4, 0);
    assert_eq!(layout.magnification, 15);
    let here = tempfile::tempdir().unwrap();
    let path = here.path().join("sheet.png");
    fs::write(&path, "before").unwrap();
    let error = write_contact_sheet(&path, &pipeline, &[5000], layout);
    assert!(matches!(error, Err(DataError::Index { .. })));
    assert_eq!(fs::read(&path).unwrap(), b"before");

    write_contact_sheet(&path, &pipeline, &[0, 1], layout).unwrap();
    let written = fs::read(&path).unwrap();
    assert_eq!(written, contact_sheet(&pipeline, &[0, 1], layout).unwrap());
    assert_eq!(fs::read_dir(here.path()).unwrap().count(), 1);

    let nowhere = here.path().join("missing/sheet.png");
    let error = write_contact_sheet(&nowhere, &pipeline, &[0], layout).unwrap_err();
    assert!(error.to_string().starts_with("cannot write "));
    // A folder is in the way.
    fs::create_dir(here.path().join("folder")).unwrap();
    let folder = here.path().join("folder");
    assert!(write_contact_sheet(&folder, &pipeline, &[0], layout).is_err());
    assert_eq!(fs::read_dir(here.path()).unwrap().count(), 2);
}
