//! `xsam data`

use serde_json::json;
use xsam_data::{DatasetName, ascii};
use xsam_train::{Error, Named, SpecError, parse_name};

use super::Outcome;
use crate::args::{DataArguments, DataCommand, ShowArguments};
use crate::print;

pub(crate) fn run(arguments: DataArguments) -> Result<Outcome, Error> {
    match arguments.command {
        DataCommand::List { json } => list(json),
        DataCommand::Show(arguments) => show(&arguments)?,
    }
    Ok(Outcome::Done)
}

fn list(as_json: bool) {
    if !as_json {
        print::line("name     train  validation  test  image  classes  what it is");
    }
    for name in DatasetName::all() {
        let (sizes, what) = (name.sizes(), name.description());
        let image = format!("{}x{}x{}", sizes.channels, sizes.height, sizes.width);
        if as_json {
            print::json(&json!({
                "name": name.to_string(), "train": sizes.train, "validation": sizes.validation,
                "test": sizes.test, "image": [sizes.channels, sizes.height, sizes.width],
                "classes": sizes.classes, "description": what,
            }));
        } else {
            print::line(format!(
                "{name:7}  {:5}  {:10}  {:4}  {image:5}  {:7}  {what}",
                sizes.train, sizes.validation, sizes.test, sizes.classes
            ));
        }
    }
}

fn show(arguments: &ShowArguments) -> Result<(), Error> {
    let usage = |key: &str, message: String| {
        let key = key.to_owned();
        Error::from(SpecError { key, message })
    };
    let name: DatasetName = parse_name(&arguments.name).map_err(|message| usage("", message))?;
    let splits = name.load()?;
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
