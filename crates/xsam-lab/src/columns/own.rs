//! The laboratory's own columns: what it measures of any task, besides losses and scores.

use std::sync::LazyLock;

use xsam::StepReport;

use super::{Column, OverSeeds};

/// What a step measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step<'a> {
    pub(crate) report: &'a StepReport,
    pub(crate) lr: f64,
    /// What the step took, with its data.
    pub(crate) seconds: f64,
    /// Of that, what it waited for its data.
    pub(crate) waited: f64,
}

type OfStep = fn(&Step<'_>) -> Option<f64>;

/// Where the value of an epoch comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source {
    /// The mean over the steps that have it.
    Mean(OfStep),
    /// That of the last step that has it.
    Last(OfStep),
    /// The sum over the steps.
    Sum(OfStep),
    /// Whoever measures it sets it in the row.
    Set,
}

impl Source {
    /// The value of a step, if it is one of steps.
    pub(crate) fn of(self, step: &Step<'_>) -> Option<f64> {
        match self {
            Self::Mean(of) | Self::Last(of) | Self::Sum(of) => of(step),
            Self::Set => None,
        }
    }
}

/// The columns in the order of the files, each with its source. Losses and scores come behind the first
/// [`BEFORE_SCORES`] of them.
pub(crate) static OWN: LazyLock<Vec<(Column, Source)>> = LazyLock::new(own);

/// What a run is told to do, rather than what came of it.
pub(super) const BEFORE_SCORES: usize = 2;

fn own() -> Vec<(Column, Source)> {
    use OverSeeds::Plotted;
    use Source::{Last, Mean, Set, Sum};
    let column = Column::new;
    vec![
        column("lr", "learning rate", 5, "Learning rate of the last step")
            .chart("Learning rate")
            .value(Last(|step| Some(step.lr))),
        column("rho", "rho", 3, "Total length of the ascent in the last step; 0 without one")
            .value(Last(|step| Some(step.report.rho))),
        column("alpha", "alpha", 2, "Position on the arc, in the last step that had one")
            .short("alpha")
            .chart("Position on the arc")
            .over_seeds(Plotted)
            .value(Last(|step| step.report.alpha)),
        column("psi", "psi", 3, "Angle between displacement and gradient at the ascent point, mean over the steps")
            .unit("radians")
            .chart("Angle of displacement and ascent gradient")
            .over_seeds(Plotted)
            .value(Mean(|step| step.report.psi)),
        column("ascent_loss", "loss at the ascent point", 3, "Mean loss at the ascent point")
            .chart("Loss")
            .value(Mean(|step| step.report.ascent_loss)),
        column("grad_norm", "gradient norm", 3, "Mean norm of the gradient at the weights")
            .chart("Norm of the gradient")
            .value(Mean(|step| Some(step.report.grad_norm))),
        column(
            "ascent_grad_norm",
            "gradient norm at the ascent point",
            3,
            "Mean norm of the gradient at the ascent point",
        )
        .chart("Norm of the gradient")
        .value(Mean(|step| step.report.ascent_grad_norm)),
        column("update_norm", "norm of the update", 3, "Mean norm of what the base optimizer received")
            .value(Mean(|step| Some(step.report.update_norm))),
        column(
            "lambda_max",
            "largest eigenvalue",
            2,
            "Largest eigenvalue of the Hessian of the training loss after the epoch, on a fixed sample without augmentation",
        )
        .chart("Sharpness: largest eigenvalue of the Hessian")
        .group("sharpness")
        .over_seeds(Plotted)
        .value(Set),
        column(
            "lambda_max_residual",
            "residual of the largest eigenvalue",
            4,
            "Its residual: the Hessian has an eigenvalue that is no farther from it",
        )
        .group("sharpness")
        .value(Set),
        column(
            "highest_rise",
            "highest rise of the loss",
            4,
            "By how much the loss of that sample is higher at the highest point found within `train.measure_rho`",
        )
        .chart("Sharpness: highest rise of the loss")
        .group("sharpness")
        .over_seeds(Plotted)
        .value(Set),
        column("ascended", "steps that ascended", 1, "Share of the steps that had an ascent")
            .unit("%")
            .value(Mean(|step| Some(f64::from(u8::from(step.report.ascent_loss.is_some()))))),
        column("gradient_passes", "forward-backward passes of the epoch", 0, "Forward-backward passes")
            .group("")
            .value(Sum(|step| Some(step.report.passes.gradient_passes()))),
        column(
            "search_passes",
            "forward passes of its searches",
            0,
            "Forward passes without a gradient: of searches for alpha, or by which samples are chosen",
        )
            .group("")
            .value(Sum(|step| Some(step.report.passes.losses as f64))),
        // Times and memory, which differ from run to run of the same spec, come last.
        column("seconds", "time of the steps", 2, "Time for the steps, evaluation not included")
            .unit("s")
            .group("")
            .rounded(4)
            .value(Sum(|step| Some(step.seconds))),
        column("waited", "time waited for data", 2, "Of that, the time for which the steps waited for their data")
            .unit("s")
            .group("")
            .rounded(4)
            .value(Sum(|step| Some(step.waited))),
        column(
            "peak_mb",
            "peak memory",
            0,
            "The most memory that the process has had so far, in 10^6 bytes, where the system tells",
        )
        .unit("MB")
        .group("memory")
        .rounded(1)
        .value(Set),
    ]
}
