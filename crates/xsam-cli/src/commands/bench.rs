//! `xsam bench`

use xsam_train::{
    BenchModel, BenchResult, BenchSpec, Error, ImageBench, MethodSpec, ModelName, ProfileRow,
    SpecError, TransformerBench, parse_name,
};

use super::{Outcome, by_flag};
use crate::args::BenchArguments;
use crate::columns::aligned;
use crate::print;

/// Fields of the spec and the flags that set them.
const FLAGS: [(&str, &str); 10] = [
    ("batch", "--batch"),
    ("tokens", "--tokens"),
    ("steps", "--steps"),
    ("train.device", "--device"),
    ("method.ascent_steps", "--ascent"),
    ("width", "--width"),
    ("image_size", "--image-size"),
    ("channels", "--channels"),
    ("classes", "--classes"),
    ("vocabulary", "--vocabulary"),
];

pub(crate) fn run(arguments: BenchArguments) -> Result<Outcome, Error> {
    let spec = spec(&arguments)?;
    let result = xsam_train::bench(&spec).map_err(|error| by_flag(error, &FLAGS))?;
    if arguments.json {
        print::json(&result);
    } else {
        print::line(report(&spec, &result));
    }
    Ok(Outcome::Done)
}

fn spec(arguments: &BenchArguments) -> Result<BenchSpec, SpecError> {
    let usage = |key: &str| {
        let key = key.to_owned();
        move |message| SpecError { key, message }
    };
    let mut method = MethodSpec::new(parse_name(&arguments.method).map_err(usage("--method"))?);
    method.ascent_steps = arguments.ascent;
    Ok(BenchSpec {
        model: model(arguments)?,
        method,
        batch: arguments.batch,
        steps: arguments.steps,
        device: parse_name(&arguments.device).map_err(usage("--device"))?,
        kernels: parse_name(&arguments.kernels).map_err(usage("--kernels"))?,
        profile: arguments.profile,
    })
}

fn model(arguments: &BenchArguments) -> Result<BenchModel, SpecError> {
    let model: ModelName = parse_name(&arguments.model).map_err(|message| SpecError {
        key: "--model".to_owned(),
        message,
    })?;
    let of_images = [
        ("--width", arguments.width),
        ("--image-size", arguments.image_size),
        ("--channels", arguments.channels),
        ("--classes", arguments.classes),
    ];
    let of_sentences = [
        ("--tokens", arguments.tokens),
        ("--vocabulary", arguments.vocabulary),
    ];
    let none_of =
        |flags: &[(&str, Option<usize>)]| match flags.iter().find(|(_, value)| value.is_some()) {
            None => Ok(()),
            Some((flag, _)) => Err(SpecError {
                key: (*flag).to_owned(),
                message: format!("{model} has none: leave it out, or choose another model"),
            }),
        };
    match model {
        ModelName::Image(name) => {
            none_of(&of_sentences)?;
            let default = ImageBench::default();
            Ok(BenchModel::Images(ImageBench {
                name,
                width: arguments.width,
                image_size: arguments.image_size.unwrap_or(default.image_size),
                channels: arguments.channels.unwrap_or(default.channels),
                classes: arguments.classes.unwrap_or(default.classes),
            }))
        }
        ModelName::Transformer => {
            none_of(&of_images)?;
            let default = TransformerBench::default();
            Ok(BenchModel::Transformer(TransformerBench {
                tokens: arguments.tokens.unwrap_or(default.tokens),
                vocabulary: arguments.vocabulary.unwrap_or(default.vocabulary),
            }))
        }
    }
}

fn report(spec: &BenchSpec, result: &BenchResult) -> String {
    let width = result.width.map(|width| format!(" of width {width}"));
    let ascent = match result.ascent_steps {
        None => String::new(),
        Some(1) => " with 1 ascent step".to_owned(),
        Some(steps) => format!(" with {steps} ascent steps"),
    };
    let batch = match &spec.model {
        BenchModel::Images(images) => {
            let size = images.image_size;
            format!("{} of {}x{size}x{size}", result.batch, images.channels)
        }
        BenchModel::Transformer(sentences) => {
            let (pairs, tokens) = (result.batch, sentences.tokens);
            format!(
                "{pairs} pairs of {tokens} tokens of {}",
                sentences.vocabulary
            )
        }
    };
    let mut lines = vec![
        format!(
            "{}{}, {}{ascent}, batch {batch}",
            result.model,
            width.unwrap_or_default(),
            result.method,
        ),
        format!(
            "step         {} s median, {} s least, of {}",
            seconds(result.median_s),
            seconds(result.min_s),
            spec.steps
        ),
    ];
    if let Some(search) = result.search_s {
        lines.push(format!(
            "search       {} s for 21 candidates",
            seconds(search)
        ));
    }
    if let Some(peak) = result.peak_rss_mb {
        lines.push(format!("peak memory  {peak:.0} MB"));
    }
    lines.push(format!("threads      {}", result.threads));
    lines.push(format!("kernels      {}", result.kernels));
    if let Some(rows) = &result.profile {
        lines.push(format!("\n{}", profile(rows)));
    }
    lines.join("\n")
}

fn profile(rows: &[ProfileRow]) -> String {
    let mut table = vec![[
        "operation".to_owned(),
        "calls a step".to_owned(),
        "ms a step".to_owned(),
        "share".to_owned(),
    ]];
    table.extend(rows.iter().map(|row| {
        [
            row.operation.to_owned(),
            row.calls
                .map_or_else(|| "-".to_owned(), |calls| calls.to_string()),
            format!("{:.3}", 1e3 * row.seconds),
            format!("{:.1} %", 100.0 * row.share),
        ]
    }));
    aligned(&table).trim_end().to_owned()
}

/// To the millisecond, or to three digits below one.
fn seconds(value: f64) -> String {
    if value >= 0.1 {
        format!("{value:.3}")
    } else {
        format!("{value:.6}")
    }
}
