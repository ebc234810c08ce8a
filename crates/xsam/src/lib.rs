#![doc = include_str!("../README.md")]
//!
//! # A step
//!
//! The closure may return `(loss, output)`: `step.output` is that of the pass at the weights. That pass, and no other,
//! updates running statistics. All passes of a step draw the same dropout masks. A step that fails changes nothing: the
//! model is in the error. Clipping, a schedule of rho, fresh dropout masks and loss scaling are the `with_` methods of
//! [`SharpnessAware`]. A `with_` of a config takes any value, all of which are checked when the optimizer is built; one of
//! the optimizer, which is built by then, checks its value at once. A loss that goes through a second module (a GAN's critic, a teacher) takes both, as
//! [`Accompanied`].
//!
//! # Which method
//!
//! | method | config | forward-backward passes a step | choose it |
//! |---|---|---|---|
//! | `xsam` | [`XsamConfig`] | k + 1, and 21 forward passes an epoch | as a rule |
//! | `sam` | [`SamConfig`] | k + 1 | as the customary baseline |
//! | `asam` | [`AsamConfig`] | k + 1 | if layers differ much in the scale of their weights |
//! | `look-xsam` | [`LookXsamConfig`] | 1 + k / K, and XSAM's searches | if twice the time of the base optimizer is too much |
//! | `looksam` | [`LookSamConfig`] | 1 + k / K | likewise, without searches |
//! | `gsam` | [`GsamConfig`] | k + 1 | to make the surrogate gap small |
//! | `wsam` | [`WsamConfig`] | k + 1 | to weigh sharpness against loss |
//! | `friendly-sam` | [`FriendlySamConfig`] | k + 1 | to ascend along what is peculiar to the batch |
//! | `msam` | [`MsamConfig`] | k + 1, k > 1 | if several ascent steps are to count alike |
//! | `lookbehind-sam` | [`LookbehindSamConfig`] | k + 1, k > 1 | if a large rho with several ascent steps is unstable |
//! | `momentum-sam` | [`MomentumSamConfig`] | 1 | if there is no time for more than the base optimizer's pass |
//! | `stable-sam` | [`StableSamConfig`] | k + 1 | if the length of the gradient is to stay that at the weights |
//! | `usam` | [`UsamConfig`] | k + 1 | to ascend as far as the gradient is long |
//! | `zsharp` | [`ZSharpConfig`] | k + 1 | to ascend along what stands out of the gradient |
//! | `functional-sam` | [`FunctionalSamConfig`] | k + 1 | to leave the derivative by the logits as it is |
//! | `sampa` | [`SampaConfig`] | 2 | to ascend along the gradient of the step before |
//! | `gam` | [`GamConfig`] | 4 | to make the largest gradient nearby small |
//! | `esam` | [`EsamConfig`] | 1 + gamma, and a forward pass | if the loss can be told by samples |
//! | `bsam` | [`BsamConfig`] | 2 | for a scale of every weight, around plain SGD |
//! | `sgd` | [`SgdOnlyConfig`] | 1 | as the baseline without sharpness-awareness |
//!
//! (`k` is the number of ascent steps, 1 by default; every `K`-th step of a method that looks back is a whole one.) All but
//! the last take rho, the total length of the ascent: the one hyper-parameter to tune, on validation data. The paper of
//! each, its formulas and hyper-parameters with defaults and ranges, and the full-size copies that it holds stand at its
//! config.
//!
//! Any method takes a batch in parts: [`step_accumulated`](SharpnessAware::step_accumulated) is a step on a batch that is
//! too large for memory, [`step_m_sharpness`](SharpnessAware::step_m_sharpness) gives each part an ascent of its own. A
//! closure that wants to know which pass it is in has [`step_with_point`](SharpnessAware::step_with_point), a model that
//! lives in a struct [`step_mut`](SharpnessAware::step_mut). [`LossScale`] is for activations in half precision.
//!
//! Several processes train one model together with [`with_collective`](SharpnessAware::with_collective): a [`Collective`], which
//! the crate `xsam-mpi` has over MPI, sums gradients and losses over them.
//!
//! Base optimizers that pass over memory once are in [`optim`]; Burn's own work as well.
//!
//! Models that train in Burn's own loop, `SupervisedTraining`, do so sharpness-aware with three more lines: the feature
//! `train` has the module `train` for it. The crate's examples have one of them.
//!
//! # What a step costs besides its passes
//!
//! Vectors of the weights' size that are read and written outside the forward and backward passes, on
//! the Flex back end in `f32`, with SGD with momentum and weight decay of [`optim`] and a single ascent
//! step:
//!
//! | | reads | writes | |
//! |---|---|---|---|
//! | `sgd` | 4 | 2 | norm of the gradient 1 + 0; update 3 + 2, in place |
//! | `sam` | 7 | 3 | besides: ascent point 2 + 1, norm of its gradient 1 + 0 |
//! | `asam` | 9 | 4 | as `sam`; scaled direction 2 + 1 |
//! | `xsam` | 11 | 4 | as `sam`; angle 2 + 0, direction 2 + 1 in the gradient's place |
//!
//! A candidate of a search is 3 + 1, a gradient that is clipped 1 + 1, Adam's update 4 + 3. A further
//! ascent step is 3 + 1, and with XSAM 2 + 1 more for the displacement. (ResNet-18 has 11 million
//! weights, 45 MB: XSAM's 15 come to some 0.7 GB.)
//!
//! New methods can be written outside this crate as well: [`method`] has the interface and the parts, and tells the
//! methods of this crate by their names.
//!
//! Not to be confused with X-SAM (arXiv 2601.10251), which corrects SAM by an eigenvector of the
//! Hessian, or with the Segment Anything Model.

mod accompanied;
mod ascent;
mod attempt;
mod by_logits;
mod by_samples;
mod check;
pub mod collective;
mod combination;
mod error;
mod joined;
mod loss_scale;
pub mod method;
mod number;
mod objective;
pub mod optim;
mod pass;
mod plane;
mod random;
mod read;
mod readings;
mod record;
mod report;
mod rho;
mod search;
mod sharpness_aware;
mod step;
#[cfg(feature = "train")]
pub mod train;
mod update;
mod vector;

pub use accompanied::Accompanied;
pub use ascent::Scaling;
pub use collective::{AscentOver, Collective};
pub use error::{ConfigError, PassPoint, RecordError, StepError, StepFailure};
pub use loss_scale::LossScale;
pub use method::{
    AdaptivePolicy, AsamConfig, BsamConfig, EsamConfig, Friendly, FriendlySamConfig,
    FunctionalSamConfig, GamConfig, GsamConfig, LookSamConfig, LookXsamConfig, LookbehindSamConfig,
    LossBudget, MeasuredRho, MomentumSamConfig, MsamConfig, SamConfig, SampaConfig, SgdOnlyConfig,
    StableSamConfig, UsamConfig, WsamConfig, XsamConfig, ZSharpConfig,
};
pub use pass::LossOutput;
pub use readings::ReadBacks;
pub use record::SharpnessAwareRecord;
#[doc(hidden)]
pub use record::open_pack;
pub use report::StepReport;
pub use rho::RhoSchedule;
pub use search::{SearchReport, SearchSchedule};
pub use sharpness_aware::SharpnessAware;
pub use step::Step;
