//! Sharpness-aware training for any [Burn](https://burn.dev) model.
//!
//! Networks that settle in flat minima of the loss generalise better. Sharpness-aware minimization
//! finds them by taking the gradient not at the weights but at a point nearby where the loss is
//! higher. XSAM (eXplicit Sharpness-Aware Minimization, Chen and Zhou, ICLR 2026, arXiv 2603.10048)
//! searches for the direction of the highest loss and steps away from it.
//!
//! [`SharpnessAware`] wraps any Burn optimizer. Instead of gradients its
//! [`step`](SharpnessAware::step) gets the forward pass, which it runs as often as the method needs.
//!
//! | method | config | forward-backward passes a step | choose it |
//! |---|---|---|---|
//! | `xsam` | [`XsamConfig`] | k + 1, and 21 forward passes an epoch | as a rule |
//! | `sam` | [`SamConfig`] | k + 1 | as the customary baseline |
//! | `asam` | [`AsamConfig`] | k + 1 | if layers differ much in the scale of their weights |
//! | `sgd` | [`SgdOnlyConfig`] | 1 | as the baseline without sharpness-awareness |
//!
//! (`k` is the number of ascent steps, 1 by default.) All take rho, the total length of the ascent:
//! the one hyper-parameter to tune, on validation data.
//!
//! New methods can be written outside this crate as well: [`Method`] is the interface, [`Ascent`],
//! [`Plane`] and [`ParamVector`] are the parts.
//!
//! Not to be confused with X-SAM (arXiv 2601.10251), which corrects SAM by an eigenvector of the
//! Hessian, or with the Segment Anything Model.

mod ascent;
mod check;
mod error;
mod method;
mod objective;
mod plane;
mod record;
mod report;
mod rho;
mod search;
mod sharpness_aware;
mod vector;
mod walk;

pub use ascent::{Ascent, AscentPoint, Keep, Scaling};
pub use error::{ConfigError, Place, RecordError, StepError, StepFailure};
pub use method::{
    AsamConfig, CloneMethod, Context, Method, MethodConfig, MethodState, SamConfig, SgdOnlyConfig,
    Update, XsamConfig,
};
pub use objective::{Evaluation, Objective, Passes};
pub use plane::Plane;
pub use record::SharpnessAwareRecord;
pub use report::StepReport;
pub use rho::RhoSchedule;
pub use search::{Grid, SearchReport, SearchSchedule};
pub use sharpness_aware::{LossOutput, SharpnessAware, Step};
pub use vector::ParamVector;

/// The README's example is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
