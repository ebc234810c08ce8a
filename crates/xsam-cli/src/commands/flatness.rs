//! `flatness`

use std::path::PathBuf;

use clap::Parser;
use xsam_lab::flatness::{FlatnessEvent, FlatnessReport, FlatnessSpec, flatness};
use xsam_lab::numbers::TERMINAL;
use xsam_lab::{Error, Tasks};
use xsam_report::draw_flatness;

use super::subject::{SampleArguments, SubjectArguments};
use crate::columns::aligned;
use crate::context::{Context, Outcome};
use crate::output::OutputArguments;
use crate::print;

/// How flat the minimum of a run is: curvature of its training loss, and by how much that rises nearby.
#[derive(Debug, Parser)]
#[command(
    name = "flatness",
    after_help = "Examples:\n  {program} flatness runs/sam --trace --sharpness\n  \
                  {program} flatness runs/sgd --compare runs/sam runs/xsam\n\n\
                  Looked at are training data as they are, without augmentation, with the labels that \
                  the run has learned. The more samples, the nearer to the whole training loss: \
                  eigenvalues over few of them are too large. The report is written to flatness.json in \
                  the run's directory."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    subject: SubjectArguments,

    #[command(flatten)]
    sample: SampleArguments,

    /// Other runs to look at in the same way, for a table of all.
    #[arg(long, value_name = "RUN", num_args = 1..)]
    compare: Vec<PathBuf>,

    /// How many of the largest eigenvalues of the Hessian.
    #[arg(long, value_name = "N", default_value_t = 5)]
    top: usize,

    /// The trace of the Hessian, with so many products.
    #[arg(long, value_name = "PRODUCTS", num_args = 0..=1, default_missing_value = "60")]
    trace: Option<usize>,

    /// The density of all eigenvalues.
    #[arg(long)]
    density: bool,

    /// By how much the loss rises within a distance, and how near each method's direction comes to the highest
    /// point.
    #[arg(long, value_name = "RHO", num_args = 0..=1, default_missing_value = "0.15")]
    sharpness: Option<f64>,

    /// Each layer by itself: largest eigenvalue and trace of its block.
    #[arg(long)]
    layers: bool,

    #[command(flatten)]
    output: OutputArguments,
}

pub(crate) fn run<L: Tasks>(arguments: Arguments, program: &Context<L>) -> Result<Outcome, Error> {
    let Arguments {
        subject,
        sample,
        compare,
        output,
        ..
    } = &arguments;
    let spec = FlatnessSpec {
        top: arguments.top,
        trace: arguments.trace,
        density: arguments.density,
        sharpness: arguments.sharpness,
        layers: arguments.layers,
        sample: sample.sample(),
    };
    let quiet = output.quiet || output.json;
    let mut reports = Vec::new();
    let runs = [&subject.run].into_iter().chain(compare);
    // All of them before the first is measured.
    for run in runs.clone() {
        subject.model(program, run)?.check()?;
    }
    for run in runs {
        let name = run.display().to_string();
        let mut listener = |event: FlatnessEvent<'_>| match event {
            FlatnessEvent::Stage(_) if quiet => {}
            FlatnessEvent::Stage(what) => print::note(format_args!("{name}: {what}")),
            FlatnessEvent::Warning(warning) => print::warning(None, &name, warning),
        };
        let mut report = flatness::<L>(&subject.model(program, run)?, &spec, &mut listener)?;
        let drawn = draw_flatness(&report)?;
        if !drawn.warnings.is_empty() {
            for warning in &drawn.warnings {
                listener(FlatnessEvent::Warning(warning));
            }
            report.warnings.extend(drawn.warnings);
            report.write()?;
        }
        if output.json {
            print::json(&report);
        } else {
            print::line(told(&report));
        }
        reports.push(report);
    }
    if reports.len() > 1 && !output.json {
        print::line(table(&reports));
    }
    Ok(Outcome::Done)
}

fn told(report: &FlatnessReport) -> String {
    let mut text = format!(
        "{}: {}{}, {} parameters; training loss over {} samples in {} mode, {}\n",
        report.checkpoint.display(),
        report.model,
        match report.epochs {
            0 => String::new(),
            epochs => format!(" after {epochs} epochs"),
        },
        report.parameters,
        report.samples,
        report.mode,
        report.precision,
    );
    let mut rows = vec![["measured", "value", "error", ""].map(str::to_owned)];
    let mut row = |what: &str, value: f64, error: String, note: &str| {
        rows.push([what.to_owned(), number(value), error, note.to_owned()]);
    };
    row("loss", report.loss, String::new(), "");
    row("gradient norm", report.grad_norm, String::new(), "");
    let pairs = &report.eigenvalues.pairs;
    for (i, pair) in pairs.iter().enumerate() {
        let name = if i + 1 == pairs.len() {
            "smallest eigenvalue".to_owned()
        } else {
            format!("eigenvalue {}", i + 1)
        };
        let note = not_converged(pair.converged);
        row(&name, pair.value, short(pair.residual), &note);
    }
    if let Some(trace) = &report.trace {
        let error = trace.standard_error.map(short);
        row("trace", trace.value, error.unwrap_or_default(), "");
    }
    if let Some(sharpness) = &report.sharpness {
        let at = format!("at distance {}", sharpness.rho);
        row(
            "rise along the gradient",
            sharpness.ascent,
            String::new(),
            &at,
        );
        let (several, searched) = (sharpness.ascent_steps, sharpness.searched);
        row("rise after several steps", several, String::new(), &at);
        row("rise at XSAM's point", searched, String::new(), &at);
        row("highest rise found", sharpness.worst, String::new(), &at);
        let average = &sharpness.average;
        let error = average.standard_error.map(short);
        row(
            "average rise",
            average.value,
            error.unwrap_or_default(),
            &at,
        );
        if let Some(of_batches) = &report.m_sharpness {
            let error = of_batches.standard_error.map(short);
            let what = "rise along a batch's gradient";
            row(what, of_batches.value, error.unwrap_or_default(), &at);
        }
        let at = format!("at adaptive distance {}", sharpness.adaptive_rho);
        row("adaptive rise", sharpness.adaptive, String::new(), &at);
    }
    text.push_str(&aligned(&rows));
    text.push_str(&format!(
        "\nSecond derivatives are differences over {} to either side; twice that changes the product with the first \
         eigenvector by {} %.\n",
        short(report.step),
        short(100.0 * report.discretization),
    ));
    if let Some(found) = &report.directions {
        text.push_str(&format!(
            "\nLoss by distance: along the gradient at the weights (g0), at the ascent point of 1 step and of {} steps \
             (rho {}),\nalong XSAM's v(alpha), and the highest that a strong ascent found.\n",
            found.ascent_steps, found.rho
        ));
        let head = ["distance", "g0", "g1", "gk", "v(alpha)", "alpha", "highest"];
        let mut rows = vec![head.map(str::to_owned)];
        rows.extend(found.distances.iter().map(|at| {
            [
                at.distance,
                at.gradient,
                at.ascent_gradient,
                at.several_steps,
                at.searched,
                at.alpha,
                at.highest,
            ]
            .map(number)
        }));
        text.push_str(&aligned(&rows));
    }
    if let Some(density) = &report.density {
        let (low, high) = density.range();
        // Nearer to zero is rounding.
        let share = density.mass(f64::NEG_INFINITY, -1e-3 * high.abs());
        text.push_str(&format!(
            "\nDensity from {} probes: from {} to {}, {:.1} % of the eigenvalues below -0.1 % of the largest.\n",
            density.probes.len(),
            number(low),
            number(high),
            100.0 * share.value,
        ));
    }
    if let Some(layers) = &report.layers {
        let head = [
            "layer",
            "parameters",
            "largest eigenvalue",
            "trace",
            "error",
            "",
        ];
        let mut rows = vec![head.map(str::to_owned)];
        rows.extend(layers.iter().map(|layer| {
            let error = layer.trace.standard_error;
            [
                layer.name.clone(),
                layer.parameters.to_string(),
                number(layer.largest),
                number(layer.trace.value),
                error.map_or_else(String::new, short),
                not_converged(layer.converged),
            ]
        }));
        text.push('\n');
        text.push_str(&aligned(&rows));
    }
    text
}

fn not_converged(converged: bool) -> String {
    if converged { "" } else { "not converged" }.to_owned()
}

/// A row for each run.
fn table(reports: &[FlatnessReport]) -> String {
    let head = [
        "run",
        "loss",
        "largest",
        "smallest",
        "trace",
        "highest rise",
        "average rise",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(reports.iter().map(|report| {
        let pairs = &report.eigenvalues.pairs;
        let optional = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), number);
        [
            report.run.display().to_string(),
            number(report.loss),
            optional(pairs.first().map(|pair| pair.value)),
            optional(pairs.last().map(|pair| pair.value)),
            optional(report.trace.as_ref().map(|trace| trace.value)),
            optional(report.sharpness.as_ref().map(|sharpness| sharpness.worst)),
            optional(report.sharpness.as_ref().map(|s| s.average.value)),
        ]
    }));
    aligned(&rows)
}

/// Five significant digits.
fn number(value: f64) -> String {
    TERMINAL.significant(value, 5)
}

/// Two of them, for an error.
fn short(value: f64) -> String {
    TERMINAL.significant(value, 2)
}
