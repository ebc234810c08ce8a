//! The `[method]` section: which gradient is taken.

use serde::{Deserialize, Serialize};

use super::optional_name;
use crate::names::{named, named_enum};

named_enum! {
    /// The methods.
    #[derive(Default)]
    pub enum MethodName ("method") {
        /// The base optimizer alone.
        Sgd = "sgd",
        /// SAM.
        Sam = "sam",
        /// ASAM.
        Asam = "asam",
        /// XSAM.
        #[default]
        Xsam = "xsam",
        /// Efficient XSAM: a step of XSAM now and then.
        LookXsam = "look-xsam",
        /// GSAM.
        Gsam = "gsam",
        /// WSAM.
        Wsam = "wsam",
        /// LookSAM.
        LookSam = "looksam",
        /// Friendly-SAM.
        FriendlySam = "friendly-sam",
        /// Multi-step averaged SAM.
        Msam = "msam",
        /// Lookbehind-SAM.
        LookbehindSam = "lookbehind-sam",
    }
}

impl MethodName {
    /// Whether alpha is searched for.
    pub(crate) fn searches(self) -> bool {
        matches!(self, Self::Xsam | Self::LookXsam)
    }
}

named_enum! {
    /// Scaling of the ascent.
    pub enum Adaptive ("convention for adaptive ascent") {
        /// Plain gradient ascent.
        None = "none",
        /// Scales `|w|`.
        Elementwise = "elementwise",
        /// Scales `|w| + 0.01` for weights, 1 for biases.
        Weights = "weights",
    }
}

named_enum! {
    /// When alpha is searched for.
    pub enum Search ("search schedule") {
        /// In the first step of every epoch.
        EveryEpoch = "every-epoch",
        /// Every `search_every` steps.
        EverySteps = "every-steps",
        /// As often as alpha moves.
        Adaptive = "adaptive",
        /// Never.
        Never = "never",
    }
}

named_enum! {
    /// How alpha is searched for.
    pub enum SearchKind ("kind of search") {
        /// At the positions of the grid.
        Grid = "grid",
        /// There, and where a parabola through the best and its neighbours is highest.
        Parabola = "parabola",
    }
}

/// `[method]`: the method. Fields that a method does not have are left out of the resolved spec.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MethodSpec {
    /// Which one.
    #[serde(with = "named")]
    pub name: MethodName,
    /// Total ascent length; 0.15, for asam 0.5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rho: Option<f64>,
    /// xsam, look-xsam: distance at which the search compares losses; twice rho.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rho_max: Option<f64>,
    /// Number of ascent steps; 1, for lookbehind-sam 2, for msam 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ascent_steps: Option<usize>,
    /// Scaling of the ascent; none, for asam elementwise.
    #[serde(with = "optional_name", skip_serializing_if = "Option::is_none")]
    pub adaptive: Option<Adaptive>,
    /// m-sharpness: the number of parts of a batch that have an ascent of their own each; one for the whole batch if
    /// not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub m_sharpness: Option<usize>,
    /// xsam, look-xsam: position on the arc, fixed; searched for if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alpha: Option<f64>,
    /// xsam, look-xsam: when alpha is searched for; every epoch.
    #[serde(with = "optional_name", skip_serializing_if = "Option::is_none")]
    pub search: Option<Search>,
    /// Number of steps from one search to the next, for `search = "every-steps"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search_every: Option<usize>,
    /// The fewest steps from one search to the next, for `search = "adaptive"`; 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search_shortest: Option<usize>,
    /// The most; 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search_longest: Option<usize>,
    /// How far alpha may move and count as still; 0.1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search_tolerance: Option<f64>,
    /// How alpha is searched for; at the positions of the grid.
    #[serde(with = "optional_name", skip_serializing_if = "Option::is_none")]
    pub search_kind: Option<SearchKind>,
    /// Over the batches of how many steps a search is averaged; 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search_batches: Option<usize>,
    /// Positions that a search tries; 0, 0.1, .., 2, with a parabola 0, 0.4, .., 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grid: Option<Vec<f64>>,
    /// xsam, look-xsam: whether the ascent is that of friendly-sam; no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub friendly: Option<bool>,
    /// friendly-sam, friendly ascents: how much of the moving average is taken out of the direction; 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sigma: Option<f64>,
    /// friendly-sam, friendly ascents: how much of the moving average is left after a step; 0.9.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lambda: Option<f64>,
    /// gsam: how much of the orthogonal part is taken away; 0.4.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gsam_alpha: Option<f64>,
    /// wsam: weight of the sharpness; 0.9.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gamma: Option<f64>,
    /// wsam: whether the sharpness goes past the base optimizer; yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decoupled: Option<bool>,
    /// looksam, look-xsam: every which step is a whole one; 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub look_every: Option<usize>,
    /// looksam: how much of the kept part is added, 0.7; lookbehind-sam: how much of the way is gone, 0.5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub look_alpha: Option<f64>,
}

impl MethodSpec {
    /// The method with all its defaults.
    pub fn new(name: MethodName) -> Self {
        Self {
            name,
            ..Self::default()
        }
    }
}
