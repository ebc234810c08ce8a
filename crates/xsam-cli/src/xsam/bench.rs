//! `xsam bench`

use xsam_cli::clap::builder::PossibleValuesParser;
use xsam_cli::clap::{self, Parser};
use xsam_cli::{Outcome, RankArguments, TaskError, aligned, named, print};
use xsam_kernels::Kernels;
use xsam_lab::numbers::{count, percent};
use xsam_lab::spec::{DeviceName, MethodSpec, Precision, SpecError, method_named};
use xsam_tasks::spec::ModelName;
use xsam_tasks::{
    BenchModel, BenchResult, BenchSpec, ImageBench, ProfileRow, TransformerBench, Variant, bench_on,
};

/// Seconds a training step of a model and a method takes, on a random batch.
#[derive(Debug, Parser)]
#[command(
    name = "bench",
    after_help = "Examples:\n  {program} bench --model resnet18 --method sam --batch 64 --threads 2\n  \
                  {program} bench --model transformer --batch 32 --tokens 25\n\n\
                  Timed: the passes, the method's arithmetic, and the base optimizer: SGD with \
                  momentum and weight decay, or AdamW for the transformer. The method sgd is the \
                  base optimizer alone. Not timed: data, and XSAM's searches. A search is timed \
                  by itself, from the first to the last of its 21 forward passes. Two steps go \
                  untimed before the first.\n\n\
                  Under mpirun or srun, in a build with the feature mpi, the batch is shared out."
)]
pub(crate) struct Arguments {
    /// The model whose steps are timed.
    #[arg(long, value_name = "NAME", default_value = "resnet18", value_parser = named::<ModelName>())]
    model: ModelName,

    /// The method that makes the steps.
    #[arg(long, value_name = "NAME", default_value = "xsam", value_parser = PossibleValuesParser::new(MethodSpec::NAMES))]
    method: String,

    /// Images in the batch, or pairs of sentences.
    #[arg(long, value_name = "N", default_value_t = 32)]
    batch: usize,

    /// Width of a model that can be scaled; the model's own if not given.
    #[arg(long, value_name = "N")]
    width: Option<usize>,

    /// Depth of a model that can be deeper; the model's own if not given.
    #[arg(long, value_name = "N")]
    depth: Option<usize>,

    /// Height and width of the patches of vit and mixer; 4 if not given.
    #[arg(long, value_name = "PIXELS")]
    patch: Option<usize>,

    /// Heads of vit; one for 64 columns if not given.
    #[arg(long, value_name = "N")]
    heads: Option<usize>,

    /// Ascent steps of a method that ascends; 1 if not given.
    #[arg(id = "method.ascent_steps", long = "ascent", value_name = "K")]
    ascent: Option<usize>,

    /// Timed steps, after those that warm up.
    #[arg(long, value_name = "N", default_value_t = 10)]
    steps: usize,

    /// Height and width of an image; 32 if not given.
    #[arg(long, value_name = "PIXELS")]
    image_size: Option<usize>,

    /// Channels of an image; 3 if not given.
    #[arg(long, value_name = "N")]
    channels: Option<usize>,

    /// Number of classes of images; 10 if not given.
    #[arg(long, value_name = "N")]
    classes: Option<usize>,

    /// Tokens of each sentence, for the transformer; 25 if not given.
    #[arg(long, value_name = "N")]
    tokens: Option<usize>,

    /// Number of different tokens, for the transformer; 8000 if not given.
    #[arg(long, value_name = "N")]
    vocabulary: Option<usize>,

    /// Where to compute; all but cpu need a build with the feature of that name.
    #[arg(id = "train.device", long = "device", value_name = "DEVICE", default_value = "cpu",
          value_parser = named::<DeviceName>())]
    device: DeviceName,

    /// Number format; with a half one, f16 or bf16, weights are in f32.
    #[arg(id = "train.precision", long = "precision", value_name = "FORMAT", default_value = "f32",
          value_parser = named::<Precision>())]
    precision: Precision,

    /// What computes: our kernels, or Burn's operations alone.
    #[arg(long, value_name = "NAME", default_value = "fast", value_parser = named::<Kernels>())]
    kernels: Kernels,

    /// Also what takes the time: seconds by kind of operation.
    #[arg(long)]
    profile: bool,

    /// For machines: one JSON object.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    ranks: RankArguments,
}

pub(crate) fn run(arguments: Arguments) -> Result<Outcome, TaskError> {
    let ranks = arguments.ranks.start()?;
    let spec = spec(&arguments)?;
    let result = bench_on(&ranks, &spec)?;
    if !ranks.is_first() {
        return Ok(Outcome::Done);
    }
    print::result(arguments.json, &result, || report(&spec, &result));
    Ok(Outcome::Done)
}

fn spec(arguments: &Arguments) -> Result<BenchSpec, SpecError> {
    let usage = |key: &str, message| SpecError::new(key, message);
    let mut method = method_named(&arguments.method).map_err(|m| usage("method", m))?;
    if let Some(steps) = arguments.ascent
        && !method.set_ascent_steps(steps)
    {
        let name = method.name();
        let message = format!("{name} does not ascend: leave it out, or choose another method");
        return Err(usage("method.ascent_steps", message));
    }
    Ok(BenchSpec {
        model: model(arguments)?,
        method,
        batch: arguments.batch,
        steps: arguments.steps,
        device: arguments.device,
        precision: arguments.precision,
        kernels: arguments.kernels,
        profile: arguments.profile,
    })
}

fn model(arguments: &Arguments) -> Result<BenchModel, SpecError> {
    let model = arguments.model;
    let of_images = [
        ("width", arguments.width),
        ("depth", arguments.depth),
        ("patch", arguments.patch),
        ("heads", arguments.heads),
        ("image_size", arguments.image_size),
        ("channels", arguments.channels),
        ("classes", arguments.classes),
    ];
    let of_sentences = [
        ("tokens", arguments.tokens),
        ("vocabulary", arguments.vocabulary),
    ];
    let none_of =
        |fields: &[(&str, Option<usize>)]| match fields.iter().find(|(_, value)| value.is_some()) {
            None => Ok(()),
            Some((field, _)) => {
                let message = format!("{model} has none: leave it out, or choose another model");
                Err(SpecError::new(*field, message))
            }
        };
    match model {
        ModelName::Image(name) => {
            none_of(&of_sentences)?;
            let default = ImageBench::default();
            Ok(BenchModel::Images(ImageBench {
                name,
                variant: Variant {
                    width: arguments.width,
                    depth: arguments.depth,
                    patch: arguments.patch,
                    heads: arguments.heads,
                    pooling: None,
                },
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
    let ascent = result.ascent_steps;
    let ascent = ascent.map(|n| format!(" with {}", count(n, "ascent step", "ascent steps")));
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
            "{}{}, {}{}, batch {batch}",
            result.model,
            width.unwrap_or_default(),
            result.method,
            ascent.unwrap_or_default(),
        ),
        format!(
            "step         {} s median, {} s least, of {}",
            seconds(result.median_s),
            seconds(result.min_s),
            spec.steps
        ),
    ];
    let search = |search| format!("search       {} s for 21 candidates", seconds(search));
    lines.extend(result.search_s.map(search));
    if spec.device != DeviceName::Cpu {
        lines.push(format!("read-backs   {} in a step", result.read_backs));
    }
    let peak = |peak| format!("peak memory  {peak:.0} MB");
    lines.extend(result.peak_rss_mb.map(peak));
    lines.push(format!("threads      {}", result.threads));
    lines.push(format!(
        "kernels      {}, {}",
        result.kernels, result.precision
    ));
    lines.extend(result.shared_out.as_ref().map(|cost| {
        format!(
            "ranks        {}, which speak to each other for {} s of a step: {:.1} MB in {:.0} calls",
            cost.ranks,
            seconds(cost.seconds),
            cost.bytes / 1e6,
            cost.calls
        )
    }));
    let profile = |rows: &Vec<ProfileRow>| format!("\n{}", profile(rows));
    lines.extend(result.profile.as_ref().map(profile));
    lines.join("\n")
}

fn profile(rows: &[ProfileRow]) -> String {
    let rows = rows.iter().map(|row| {
        let calls = row.calls.map(|calls| calls.to_string());
        [
            row.operation.to_owned(),
            calls.unwrap_or_else(|| "-".to_owned()),
            format!("{:.3}", 1e3 * row.seconds),
            percent(row.share, 1),
        ]
    });
    let head = ["operation", "calls a step", "ms a step", "share"];
    aligned(&head, rows).trim_end().to_owned()
}

/// To the millisecond, or to three digits below one.
fn seconds(value: f64) -> String {
    if value >= 0.1 {
        format!("{value:.3}")
    } else {
        format!("{value:.6}")
    }
}
