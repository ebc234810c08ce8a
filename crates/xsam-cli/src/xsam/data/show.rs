//! `xsam data show`

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde_json::json;
use xsam_cli::clap::builder::PossibleValuesParser;
use xsam_cli::clap::{self, Args};
use xsam_cli::{TaskError, named, print};
use xsam_data::text::SentencePairs;
use xsam_data::{
    Dataset, DatasetName, Images, Pipeline, SheetLayout, Splits, ascii, write_contact_sheet,
};
use xsam_lab::Part;
use xsam_lab::spec::SpecError;
use xsam_tasks::OurSpec;

/// Cells side by side on a contact sheet, as many as fit a screen.
const CELLS: usize = 10;

#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The data set to look into.
    #[arg(default_value = "digits", value_parser = named::<DatasetName>())]
    name: DatasetName,

    /// Where it is, unless it is built in; data/NAME for published data if not given.
    #[arg(id = "data.dir", long = "dir", value_name = "DIR")]
    dir: Option<PathBuf>,

    /// Height and width to which the images of image-folder are resized.
    #[arg(id = "data.image_size", long = "image-size", value_name = "PIXELS")]
    image_size: Option<usize>,

    /// The language that parallel-text is to be translated from.
    #[arg(id = "data.source", long = "source", value_name = "ENDING")]
    source: Option<String>,

    /// The language that parallel-text is to be translated into.
    #[arg(id = "data.target", long = "target", value_name = "ENDING")]
    target: Option<String>,

    /// The part to look into.
    #[arg(long, default_value = "train", value_parser = PossibleValuesParser::new(Part::ALL.map(Part::name)))]
    split: String,

    /// The first image or pair.
    #[arg(long, default_value_t = 0)]
    index: usize,

    /// How many samples are shown.
    #[arg(long, default_value_t = 3)]
    count: usize,

    /// Writes the images as a picture, a PNG file: each as it is and as it is augmented.
    #[arg(long, value_name = "FILE")]
    sheet: Option<PathBuf>,

    /// Augmented versions of each image on the sheet, those of the first epochs.
    #[arg(long, value_name = "N", default_value_t = 4)]
    versions: usize,

    /// Changes a field of the spec, such as augmentation.flip=1 or train.seed=7 (repeatable).
    #[arg(long = "set", value_name = "SECTION.FIELD=VALUE")]
    settings: Vec<String>,

    /// For machines: one JSON object an image, with its label and pixels.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), TaskError> {
    let (mut spec, _) = OurSpec::parse("", &arguments.settings)?;
    spec.task.data.name = arguments.name;
    spec.task.data.dir.clone_from(&arguments.dir);
    spec.task.data.image_size = arguments.image_size;
    spec.task.data.source.clone_from(&arguments.source);
    spec.task.data.target.clone_from(&arguments.target);
    spec.task.resolve_data()?;
    let name = spec.task.data.name;
    match (spec.task.data.load()?, &arguments.sheet) {
        (Dataset::Text(text), None) => {
            let pairs = part(arguments, text.train, text.validation, text.test);
            show_pairs(name, &pairs, arguments)
        }
        (Dataset::Text(_), Some(_)) => {
            let message = format!("{name} is of text, and a contact sheet is of images");
            Err(usage("sheet", message))
        }
        (Dataset::Images(data), None) => {
            let images = part(arguments, data.train, data.validation, data.test);
            show_images(name, &images, arguments)
        }
        (Dataset::Images(data), Some(path)) => write_sheet(path, &spec, data, arguments),
    }
}

/// The part that is asked for.
fn part<T>(arguments: &Arguments, train: T, validation: T, test: T) -> T {
    match &*arguments.split {
        "train" => train,
        "validation" => validation,
        _ => test,
    }
}

/// A wrong value of the argument `key`.
fn usage(key: &str, message: String) -> TaskError {
    SpecError::new(key, message).into()
}

/// What is asked for of so many images or pairs.
fn range(arguments: &Arguments, len: usize, what: &str) -> Result<Range<usize>, TaskError> {
    let (first, count) = (arguments.index, arguments.count);
    if first >= len {
        let message = format!("{first} must be below {len}, the number of {what}");
        return Err(usage("index", message));
    }
    Ok(first..len.min(first.saturating_add(count)))
}

fn show_images(name: DatasetName, images: &Images, arguments: &Arguments) -> Result<(), TaskError> {
    for index in range(arguments, images.len(), "images")? {
        let label = &images.class_names()[images.labels()[index]];
        if arguments.json {
            let pixels = images.image(index)?;
            print::json(&json!({ "index": index, "label": label, "pixels": pixels }));
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
    arguments: &Arguments,
) -> Result<(), TaskError> {
    let range = range(arguments, pairs.len(), "pairs")?;
    let sides = pairs.source().iter().zip(pairs.target().iter());
    let shown = sides.enumerate().skip(range.start).take(range.len());
    for (index, (source, target)) in shown {
        let value = json!({ "index": index, "source": source, "target": target });
        print::result(arguments.json, &value, || {
            let split = &arguments.split;
            format!("{name}, {split} pair {index}\n{source}\n{target}\n")
        });
    }
    Ok(())
}

/// Writes the images as they are and as they are augmented in the first epochs.
fn write_sheet(
    path: &Path,
    spec: &OurSpec,
    data: Splits,
    arguments: &Arguments,
) -> Result<(), TaskError> {
    let images = part(arguments, data.train, data.validation, data.test);
    let indices: Vec<usize> = range(arguments, images.len(), "images")?.collect();
    let versions = arguments.versions;
    let columns = (CELLS / versions.saturating_add(1)).max(1);
    let layout = SheetLayout::new(&images, columns, versions);
    let augmentation = spec.task.augmentation.augmentation();
    let pipeline = Pipeline::new(images, data.normalization, augmentation, spec.train.seed)?;
    write_contact_sheet(path, &pipeline, &indices, layout)?;
    let images = indices.len();
    let value = json!({ "sheet": path, "images": images, "versions": versions });
    print::result(arguments.json, &value, || {
        format!(
            "{images} images, each in {versions} epochs: {}",
            path.display()
        )
    });
    Ok(())
}
