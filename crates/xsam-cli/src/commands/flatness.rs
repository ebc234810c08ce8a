//! `flatness`

use std::path::PathBuf;

use clap::Parser;
use xsam_lab::flatness::{FlatnessEvent, FlatnessReport, FlatnessSpec, flatness};
use xsam_lab::numbers::TERMINAL;
use xsam_lab::{Error, Tasks};
use xsam_report::draw_flatness;

use super::subject::{SampleArguments, SubjectArguments};
use crate::columns::aligned;
use crate::context::Outcome;
use crate::print::{self, OutputArguments};

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

pub(crate) fn run<L: Tasks>(arguments: Arguments) -> Result<Outcome, Error> {
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
    let quiet = output.is_silent();
    let mut reports = Vec::new();
    let runs = [&subject.run].into_iter().chain(compare);
    // All of them before the first is measured.
    for run in runs.clone() {
        subject.model::<L>(run)?.check()?;
    }
    for run in runs {
        let name = run.display().to_string();
        let mut listener = |event: FlatnessEvent<'_>| match event {
            FlatnessEvent::Stage(_) if quiet => {}
            FlatnessEvent::Stage(what) => print::note(format_args!("{name}: {what}")),
            FlatnessEvent::Warning(warning) => print::warning(None, &name, warning),
        };
        let mut report = flatness::<L>(&subject.model::<L>(run)?, &spec, &mut listener)?;
        let drawn = draw_flatness(&report)?;
        if !drawn.warnings.is_empty() {
            for warning in &drawn.warnings {
                listener(FlatnessEvent::Warning(warning));
            }
            report.warnings.extend(drawn.warnings);
            report.write()?;
        }
        print::result(output.json, &report, || told(&report));
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
    text.push_str(&aligned(
        &["measured", "value", "error", ""],
        values(report),
    ));
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
        let rows = found.distances.iter().map(|at| {
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
        });
        text.push_str(&aligned(&head, rows));
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
        let rows = layers.iter().map(|layer| {
            [
                layer.name.clone(),
                layer.parameters.to_string(),
                number(layer.largest),
                number(layer.trace.value),
                error(layer.trace.standard_error),
                not_converged(layer.converged),
            ]
        });
        text.push('\n');
        text.push_str(&aligned(&head, rows));
    }
    text
}

/// What was measured of the whole model: name, value, error and a note.
fn values(report: &FlatnessReport) -> Vec<[String; 4]> {
    let row = |what: &str, value: f64, error: String, note: &str| {
        [what.to_owned(), number(value), error, note.to_owned()]
    };
    let plain = |what: &str, value: f64, note: &str| row(what, value, String::new(), note);
    let mut rows = vec![
        plain("loss", report.loss, ""),
        plain("gradient norm", report.grad_norm, ""),
    ];
    let pairs = &report.eigenvalues.pairs;
    rows.extend(pairs.iter().zip(1..).map(|(pair, number)| {
        let name = match number == pairs.len() {
            true => "smallest eigenvalue".to_owned(),
            false => format!("eigenvalue {number}"),
        };
        let note = not_converged(pair.converged);
        row(&name, pair.value, short(pair.residual), &note)
    }));
    let trace = report.trace.iter();
    rows.extend(trace.map(|trace| row("trace", trace.value, error(trace.standard_error), "")));
    if let Some(found) = &report.sharpness {
        let at = format!("at distance {}", found.rho);
        rows.extend([
            plain("rise along the gradient", found.ascent, &at),
            plain("rise after several steps", found.ascent_steps, &at),
            plain("rise at XSAM's point", found.searched, &at),
            plain("highest rise found", found.worst, &at),
        ]);
        let of_batches = report.m_sharpness.as_ref();
        let of_batches = of_batches.map(|rise| ("rise along a batch's gradient", rise));
        let average = ("average rise", &found.average);
        rows.extend(
            [average]
                .into_iter()
                .chain(of_batches)
                .map(|(what, rise)| row(what, rise.value, error(rise.standard_error), &at)),
        );
        let at = format!("at adaptive distance {}", found.adaptive_rho);
        rows.push(plain("adaptive rise", found.adaptive, &at));
    }
    rows
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
    let optional = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), number);
    let rows = reports.iter().map(|report| {
        let (pairs, rises) = (&report.eigenvalues.pairs, report.sharpness.as_ref());
        [
            report.run.display().to_string(),
            number(report.loss),
            optional(pairs.first().map(|pair| pair.value)),
            optional(pairs.last().map(|pair| pair.value)),
            optional(report.trace.as_ref().map(|trace| trace.value)),
            optional(rises.map(|rises| rises.worst)),
            optional(rises.map(|rises| rises.average.value)),
        ]
    });
    aligned(&head, rows)
}

/// A standard error, if there is one.
fn error(of: Option<f64>) -> String {
    of.map_or_else(String::new, short)
}

fn number(value: f64) -> String {
    TERMINAL.significant(value, 5)
}

/// Two of them, for an error.
fn short(value: f64) -> String {
    TERMINAL.significant(value, 2)
}
