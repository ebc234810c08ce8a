//! `xsam data show`

use std::ops::Range;
use std::path::Path;

use serde_json::json;
use xsam_data::text::SentencePairs;
use xsam_data::{
    Dataset, DatasetName, Images, Pipeline, SheetLayout, Splits, ascii, write_contact_sheet,
};
use xsam_train::{Error, Spec};

use super::{named, usage};
use crate::args::ShowArguments;
use crate::commands::by_flag;
use crate::print;

/// Fields of the spec and the flags that set them.
const FLAGS: [(&str, &str); 4] = [
    ("data.dir", "--dir"),
    ("data.image_size", "--image-size"),
    ("data.source", "--source"),
    ("data.target", "--target"),
];

/// Cells side by side on a contact sheet, as many as fit a screen.
const CELLS: usize = 10;

pub(super) fn run(arguments: &ShowArguments) -> Result<(), Error> {
    let (mut spec, _) = Spec::parse("", &arguments.settings)?;
    spec.data.name = named(&arguments.name)?;
    spec.data.dir.clone_from(&arguments.dir);
    spec.data.image_size = arguments.image_size;
    spec.data.source.clone_from(&arguments.source);
    spec.data.target.clone_from(&arguments.target);
    let by_flag = |error| by_flag(error, &FLAGS);
    let spec = spec
        .data_resolved()
        .map_err(|error| by_flag(error.into()))?;
    let name = spec.data.name;
    match (spec.data.load().map_err(by_flag)?, &arguments.sheet) {
        (Dataset::Text(text), None) => {
            let pairs = part(arguments, text.train, text.validation, text.test);
            show_pairs(name, &pairs, arguments)
        }
        (Dataset::Text(_), Some(_)) => {
            let message = format!("{name} is of text, and a contact sheet is of images");
            Err(usage("--sheet", message))
        }
        (Dataset::Images(data), None) => {
            let images = part(arguments, data.train, data.validation, data.test);
            show_images(name, &images, arguments)
        }
        (Dataset::Images(data), Some(path)) => write_sheet(path, &spec, data, arguments),
    }
}

/// The part that is asked for.
fn part<T>(arguments: &ShowArguments, train: T, validation: T, test: T) -> T {
    match arguments.split.as_str() {
        "validation" => validation,
        "test" => test,
        _ => train,
    }
}

/// What is asked for of so many images or pairs.
fn range(arguments: &ShowArguments, len: usize, what: &str) -> Result<Range<usize>, Error> {
    let (first, count) = (arguments.index, arguments.count);
    if first >= len {
        let message = format!("{first} must be below {len}, the number of {what}");
        return Err(usage("--index", message));
    }
    Ok(first..len.min(first.saturating_add(count)))
}

fn show_images(name: DatasetName, images: &Images, arguments: &ShowArguments) -> Result<(), Error> {
    for index in range(arguments, images.len(), "images")? {
        let label = &images.class_names()[images.labels()[index]];
        if arguments.json {
            print::json(&json!({
                "index": index, "label": label, "pixels": images.image(index)?,
            }));
        } else {
            let split = &arguments.split;
            print::line(format!("{name}, {split} image {index}: {label}"));
            print::line(ascii(images, index)?);
        }
    }
    Ok(())
}

fn show_pairs(
    name: DatasetName,
    pairs: &SentencePairs,
    arguments: &ShowArguments,
) -> Result<(), Error> {
    let range = range(arguments, pairs.len(), "pairs")?;
    let sides = pairs.source().iter().zip(pairs.target().iter());
    let shown = sides.enumerate().skip(range.start).take(range.len());
    for (index, (source, target)) in shown {
        if arguments.json {
            print::json(&json!({ "index": index, "source": source, "target": target }));
        } else {
            let split = &arguments.split;
            print::line(format!(
                "{name}, {split} pair {index}\n{source}\n{target}\n"
            ));
        }
    }
    Ok(())
}

/// Writes the images as they are and as they are augmented in the first epochs.
fn write_sheet(
    path: &Path,
    spec: &Spec,
    data: Splits,
    arguments: &ShowArguments,
) -> Result<(), Error> {
    let images = part(arguments, data.train, data.validation, data.test);
    let indices: Vec<usize> = range(arguments, images.len(), "images")?.collect();
    let versions = arguments.versions;
    let columns = (CELLS / versions.saturating_add(1)).max(1);
    let layout = SheetLayout::new(&images, columns, versions);
    let augmentation = spec.augmentation.augmentation();
    let pipeline = Pipeline::new(images, data.normalization, augmentation, spec.train.seed)?;
    write_contact_sheet(path, &pipeline, &indices, layout)?;
    if arguments.json {
        print::json(&json!({ "sheet": path, "images": indices.len(), "versions": versions }));
    } else {
        let (images, path) = (indices.len(), path.display());
        print::line(format!(
            "{images} images, each in {versions} epochs: {path}"
        ));
    }
    Ok(())
}
