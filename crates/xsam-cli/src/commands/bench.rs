//! `xsam bench`

use xsam_train::{
    BenchResult, BenchSpec, Error, MethodSpec, ModelSpec, ProfileRow, SpecError, parse_name,
};

use super::{Outcome, by_flag};
use crate::args::BenchArguments;
use crate::columns::aligned;
use crate::print;

/// Fields of the spec and the flags that set them.
const FLAGS: [(&str, &str); 3] = [
    ("batch", "--batch"),
    ("steps", "--steps"),
    ("method.ascent_steps", "--ascent"),
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
        model: ModelSpec {
            width: arguments.width,
            ..ModelSpec::new(parse_name(&arguments.model).map_err(usage("--model"))?)
        },
        method,
        batch: arguments.batch,
        image_size: arguments.image_size,
        channels: arguments.channels,
        classes: arguments.classes,
        steps: arguments.steps,
        kernels: parse_name(&arguments.kernels).map_err(usage("--kernels"))?,
        profile: arguments.profile,
    })
}

fn report(spec: &BenchSpec, result: &BenchResult) -> String {
    let width = result.width.map(|width| format!(" of width {width}"));
    let ascent = match result.ascent_steps {
        None => String::new(),
        Some(1) => " with 1 ascent step".to_owned(),
        Some(steps) => format!(" with {steps} ascent steps"),
    };
    let mut lines = vec![
        format!(
            "{}{}, {}{ascent}, batch {} of {}x{}x{}",
            result.model,
            width.unwrap_or_default(),
            result.method,
            result.batch,
            spec.channels,
            spec.image_size,
            spec.image_size
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
