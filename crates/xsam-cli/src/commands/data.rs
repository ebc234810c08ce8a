//! `xsam data`

use serde_json::json;
use xsam_data::{DatasetName, Sizes, ascii};
use xsam_train::{DataSpec, Error, Named, SpecError, parse_name};

use super::{Outcome, by_flag};
use crate::args::{DataArguments, DataCommand, ShowArguments};
use crate::columns::aligned;
use crate::print;

/// Fields of the spec and the flags of `show` that set them.
const FLAGS: [(&str, &str); 2] = [("data.dir", "--dir"), ("data.image_size", "--image-size")];

pub(crate) fn run(arguments: DataArguments) -> Result<Outcome, Error> {
    match arguments.command {
        DataCommand::List { json } => list(json),
        DataCommand::Show(arguments) => show(&arguments)?,
    }
    Ok(Outcome::Done)
}

fn list(as_json: bool) {
    let heads = ["name", "train", "validation", "test", "image", "classes"];
    let mut rows = vec![heads.map(str::to_owned)];
    let mut words = vec!["what it is", ""];
    for name in DatasetName::all() {
        let (sizes, what) = (name.sizes(), name.description());
        if as_json {
            print::json(&json!({
                "name": name.to_string(), "train": sizes.map(|s| s.train),
                "validation": sizes.map(|s| s.validation), "test": sizes.map(|s| s.test),
                "image": sizes.map(|s| [s.channels, s.height, s.width]),
                "classes": sizes.map(|s| s.classes), "description": what,
            }));
            continue;
        }
        let cell = |cell: fn(Sizes) -> String| sizes.map_or_else(|| "-".to_owned(), cell);
        rows.push([
            name.to_string(),
            cell(|s| s.train.to_string()),
            cell(|s| s.validation.to_string()),
            cell(|s| s.test.to_string()),
            cell(|s| format!("{}x{}x{}", s.channels, s.height, s.width)),
            cell(|s| s.classes.to_string()),
        ]);
        words.push(what);
    }
    if as_json {
        return;
    }
    // Words are not a column: those stand to the right.
    for (line, words) in aligned(&rows).lines().zip(words) {
        print::line(format!("{line}  {words}").trim_end());
    }
}

fn show(arguments: &ShowArguments) -> Result<(), Error> {
    let usage = |key: &str, message: String| {
        let key = key.to_owned();
        Error::from(SpecError { key, message })
    };
    let name: DatasetName = parse_name(&arguments.name).map_err(|message| usage("", message))?;
    let data = DataSpec {
        name,
        dir: arguments.dir.clone(),
        image_size: arguments.image_size,
        ..DataSpec::default()
    };
    let splits = data.load().map_err(|error| by_flag(error, &FLAGS))?;
    let images = match arguments.split.as_str() {
        "validation" => &splits.validation,
        "test" => &splits.test,
        _ => &splits.train,
    };
    let (first, count) = (arguments.index, arguments.count);
    if first >= images.len() {
        let message = format!(
            "{first} must be below {}, the number of images",
            images.len()
        );
        return Err(usage("--index", message));
    }
    for index in first..images.len().min(first.saturating_add(count)) {
        let label = &images.class_names()[images.labels()[index]];
        if arguments.json {
            print::json(&json!({
                "index": index, "label": label, "pixels": images.image(index)?,
            }));
        } else {
            print::line(format!(
                "{name}, {} image {index}: {label}",
                arguments.split
            ));
            print::line(ascii(images, index)?);
        }
    }
    Ok(())
}
