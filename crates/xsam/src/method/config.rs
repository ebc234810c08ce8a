//! Hyper-parameters of a method, as they stand in a program and in a spec.

use super::schedule::Schedule;
use super::{Method, Work};
use crate::error::ConfigError;

/// Hyper-parameters of a method.
///
/// A config takes any value: all are checked when the method is built. A box of a config and a reference to one are
/// configs as well, so that a method can be chosen at run time:
///
/// ```
/// use burn::optim::SgdConfig;
/// use xsam::method::MethodConfig;
/// use xsam::{SamConfig, SharpnessAware, XsamConfig};
///
/// let searching = std::env::args().count() > 1;
/// let config: Box<dyn MethodConfig> = match searching {
///     true => Box::new(XsamConfig::new()),
///     false => Box::new(SamConfig::new()),
/// };
/// let optim = SharpnessAware::new(SgdConfig::new().init(), config)?;
/// # Ok::<(), xsam::ConfigError>(())
/// ```
///
/// By a name, as in a spec, it is a [`MethodSpec`](super::MethodSpec).
pub trait MethodConfig {
    /// Checks the hyper-parameters and makes the method.
    ///
    /// # Errors
    /// Names the field that is out of range, its value and its range.
    fn build(&self) -> Result<Box<dyn Method>, ConfigError>;
}

/// A config of this crate that builds its method without the schedule around it.
pub(super) trait Bare {
    /// Checks the hyper-parameters of the method itself and makes it.
    ///
    /// # Errors
    /// Names the field that is out of range, its value and its range.
    fn bare(&self) -> Result<Box<dyn Method>, ConfigError>;
}

impl<T: MethodConfig + ?Sized> MethodConfig for Box<T> {
    fn build(&self) -> Result<Box<dyn Method>, ConfigError> {
        (**self).build()
    }
}

impl<T: MethodConfig + ?Sized> MethodConfig for &T {
    fn build(&self) -> Result<Box<dyn Method>, ConfigError> {
        (**self).build()
    }
}

/// What the config of every method of this crate says of itself.
pub(super) trait Listed: MethodConfig {
    /// The name that specs and reports give the method.
    fn name(&self) -> &'static str;

    /// The names of the fields that a spec may have.
    fn fields(&self) -> &'static [&'static str];

    /// Rho, of a method that leaves the weights.
    fn rho(&mut self) -> Option<&mut f64> {
        None
    }

    /// The number of ascent steps, of a method that ascends.
    fn ascent_steps(&mut self) -> Option<&mut usize> {
        None
    }

    /// Whether its `every` is its own, and no schedule's.
    fn looks_back(&self) -> bool {
        false
    }

    /// Whether momentum and decay of the weights are its own, and the base optimizer should have none.
    fn has_own_momentum(&self) -> bool {
        false
    }

    /// What stands around the method.
    fn schedule(&self) -> Schedule {
        Schedule::default()
    }

    /// How often so many steps of the method, in so many epochs, go through the model: with an ascent in every step, of a
    /// method that ascends, unless it says otherwise.
    fn work(&mut self, _epochs: usize, steps: usize) -> Work {
        let work = Work::new(steps);
        let rho = self.rho().map(|rho| *rho);
        match rho.zip(self.ascent_steps()) {
            Some((rho, ascent_steps)) => work.with_ascent(rho, *ascent_steps, 1),
            None => work,
        }
    }

    /// Fills in defaults that depend on others, and leaves out what has no effect, if there are such.
    fn resolve(&mut self) {}
}

/// The config of a method: a type with its fields, their defaults, setters and form in a spec.
///
/// `ascent` gives the defaults of the fields that all methods with an ascent have; of one that is always plain `adaptive`
/// is left out, of one whose number of steps is its own `ascent_steps`. All of them have the fields of a [`Schedule`]; one that has an `every` of its own says so by `looks_back`. The
/// field of an option is absent unless it is set. `listed` has what its [`Listed`] says otherwise.
macro_rules! method_config {
    (
        $(#[$meta:meta])*
        pub struct $name:ident ($method:literal) {
            ascent { rho: $rho:literal, ascent_steps: $steps:literal, adaptive: $adaptive:ident }
            $(looks_back { $looks_back:literal })?
            $(fields { $($fields:tt)* })?
            $(options { $($options:tt)* })?
            $(listed { $($listed:tt)* })?
        }
    ) => {
        method_config! {
            @fields $(#[$meta])* $name $method $rho steps { ascent_steps: $steps }
            fields {
                /// How the gradient is scaled before it becomes the direction of the ascent.
                with_adaptive adaptive: crate::ascent::Scaling = crate::ascent::Scaling::$adaptive;
                $($($fields)*)?
            }
            options { $($($options)*)? }
            listed { $($($listed)*)? }
        }
        method_config! { @ascent $name, |config| config.ascent_steps, config.adaptive }
        method_config! { @schedule $name $($looks_back)? }
    };
    (
        $(#[$meta:meta])*
        pub struct $name:ident ($method:literal) {
            ascent { rho: $rho:literal, adaptive: $adaptive:ident }
            $(fields { $($fields:tt)* })?
            $(listed { $($listed:tt)* })?
        }
    ) => {
        method_config! {
            @fields $(#[$meta])* $name $method $rho steps {}
            fields {
                /// How the gradient is scaled before it becomes the direction of the ascent.
                with_adaptive adaptive: crate::ascent::Scaling = crate::ascent::Scaling::$adaptive;
                $($($fields)*)?
            }
            options {}
            listed { $($($listed)*)? }
        }
        method_config! { @ascent $name, |config| 1, config.adaptive }
        method_config! { @schedule $name }
    };
    (
        $(#[$meta:meta])*
        pub struct $name:ident ($method:literal) {
            ascent { rho: $rho:literal, ascent_steps: $steps:literal }
        }
    ) => {
        method_config! {
            @fields $(#[$meta])* $name $method $rho steps { ascent_steps: $steps } fields {} options {} listed {}
        }
        method_config! { @ascent $name, |config| config.ascent_steps, crate::ascent::Scaling::None }
        method_config! { @schedule $name }
    };
    (@ascent $name:ident, |$config:ident| $steps:expr, $scaling:expr) => {
        impl $name {
            /// The ascent that these hyper-parameters describe.
            ///
            /// # Errors
            /// If one of them is out of range.
            pub(crate) fn ascent(&self) -> Result<crate::ascent::Ascent, crate::error::ConfigError> {
                let $config = self;
                let ascent = crate::ascent::Ascent {
                    rho: $config.rho,
                    steps: $steps,
                    scaling: $scaling,
                    mask: self.mask.0.clone(),
                };
                ascent.check()?;
                Ok(ascent)
            }
        }
    };
    (@schedule $name:ident) => {
        impl $name {
            const LOOKS_BACK: bool = false;
        }

        method_config! { @schedule $name, |config| config.every }
    };
    (@schedule $name:ident $looks_back:literal) => {
        impl $name {
            const LOOKS_BACK: bool = true;

            /// Every which step the method does its whole work in.
            pub(crate) fn interval(&self) -> usize {
                self.every.unwrap_or($looks_back)
            }
        }

        method_config! { @schedule $name, |_config| None }
    };
    (@schedule $name:ident, |$config:ident| $every:expr) => {
        impl crate::method::MethodConfig for $name {
            fn build(&self) -> Result<Box<dyn crate::method::Method>, crate::error::ConfigError> {
                use crate::method::config::{Bare as _, Listed as _};
                self.schedule().around(self.bare()?)
            }
        }

        impl $name {
            fn around(&self) -> crate::method::schedule::Schedule {
                let $config = self;
                crate::method::schedule::Schedule {
                    from: self.from,
                    until: self.until,
                    every: $every,
                    policy: self.policy,
                    loss_budget: self.loss_budget,
                    measured: self.measured,
                }
            }
        }
    };
    (
        @fields $(#[$meta:meta])* $name:ident $method:literal $rho:literal
        steps { $($steps_field:ident: $steps:literal)? }
        fields { $($(#[$field_doc:meta])* $set:ident $field:ident: $type:ty = $default:expr;)* }
        options { $($(#[$option_doc:meta])* $set_option:ident $option:ident: $option_type:ty;)* }
        listed { $($listed:tt)* }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        #[non_exhaustive]
        pub struct $name {
            /// Total length of the ascent.
            pub rho: f64,
            $(
                /// Number of ascent steps, each `rho / ascent_steps` long.
                pub $steps_field: usize,
            )?
            $($(#[$field_doc])* pub $field: $type,)*
            $(
                $(#[$option_doc])*
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $option: Option<$option_type>,
            )*
            /// The share of the training, from 0 to 1, after which steps are the method's own; before it the base optimizer
            /// steps alone. From the first step if not given.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub from: Option<f64>,
            /// The share of the training after which the base optimizer steps alone again; to the end if not given.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub until: Option<f64>,
            /// Every which step is the method's own, from the first on, and the base optimizer steps alone between; every one
            /// if not given. Of a method that looks back, every which step it does its whole work in; 5.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub every: Option<usize>,
            /// Leaves those of these steps to the base optimizer in which the gradient is small.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub policy: Option<crate::method::schedule::AdaptivePolicy>,
            /// Rho by a rise of the loss, with `rho` as its ceiling.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub loss_budget: Option<crate::method::schedule::LossBudget>,
            /// Rho by the rise of the loss that was measured, with `rho` to begin with.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub measured: Option<crate::method::schedule::MeasuredRho>,
            #[serde(skip)]
            pub(crate) mask: crate::ascent::Mask,
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    rho: $rho,
                    $($steps_field: $steps,)?
                    $($field: $default,)*
                    $($option: None,)*
                    from: None,
                    until: None,
                    every: None,
                    policy: None,
                    loss_budget: None,
                    measured: None,
                    mask: crate::ascent::Mask::default(),
                }
            }
        }

        impl $name {
            pub(super) const NAME: &'static str = $method;

            /// A config in which every field has its default.
            pub fn new() -> Self {
                Self::default()
            }

            /// Sets the total ascent length.
            #[must_use]
            pub fn with_rho(mut self, rho: f64) -> Self {
                self.rho = rho;
                self
            }

            $(
                /// Sets the number of ascent steps, each `rho / steps` long.
                #[must_use]
                pub fn with_ascent_steps(mut self, steps: usize) -> Self {
                    self.$steps_field = steps;
                    self
                }
            )?

            /// Perturbs only the parameters that `mask` matches. The base optimizer still steps all
            /// of them. A mask that matches none that is trained is an error at the first step.
            #[must_use]
            pub fn with_mask(mut self, mask: burn::module::ParamGroup) -> Self {
                self.mask.0 = Some(mask);
                self
            }

            $(
                $(#[$field_doc])*
                #[must_use]
                pub fn $set(mut self, $field: $type) -> Self {
                    self.$field = $field;
                    self
                }
            )*

            /// Makes steps the method's own from a share of the training to another, both from 0 to 1: in the others the base
            /// optimizer steps alone. The optimizer has to know the training's length then; see
            /// [`SharpnessAware::with_length`](crate::SharpnessAware::with_length).
            ///
            /// `from` 0.8 is sharpness-aware training late (Zhou et al., ICLR 2025, arXiv 2410.10373).
            #[must_use]
            pub fn with_window(mut self, from: f64, until: f64) -> Self {
                (self.from, self.until) = (Some(from), Some(until));
                self
            }

            /// Makes one step in `every` the method's own, and lets the base optimizer step alone between; a method that looks
            /// back does its whole work in them.
            #[must_use]
            pub fn with_every(mut self, every: usize) -> Self {
                self.every = Some(every);
                self
            }

            /// Leaves steps to the base optimizer in which the gradient is small. The optimizer has to know the training's
            /// length; see [`SharpnessAware::with_length`](crate::SharpnessAware::with_length).
            #[must_use]
            pub fn with_policy(mut self, policy: crate::method::schedule::AdaptivePolicy) -> Self {
                self.policy = Some(policy);
                self
            }

            /// Finds rho by a rise of the loss, with `rho` as its ceiling. The optimizer has to know the training's length;
            /// see [`SharpnessAware::with_length`](crate::SharpnessAware::with_length).
            #[must_use]
            pub fn with_loss_budget(mut self, budget: crate::method::schedule::LossBudget) -> Self {
                self.loss_budget = Some(budget);
                self
            }

            /// Lets rho, which begins as it is, follow the rise of the loss that is measured.
            #[must_use]
            pub fn with_measured(mut self, measured: crate::method::schedule::MeasuredRho) -> Self {
                self.measured = Some(measured);
                self
            }

            $(
                $(#[$option_doc])*
                #[must_use]
                pub fn $set_option(mut self, $option: $option_type) -> Self {
                    self.$option = Some($option);
                    self
                }
            )*
        }

        impl crate::method::config::Listed for $name {
            fn name(&self) -> &'static str {
                Self::NAME
            }

            fn fields(&self) -> &'static [&'static str] {
                &[
                    "rho",
                    $(stringify!($steps_field),)?
                    $(stringify!($field),)*
                    $(stringify!($option),)*
                    "from",
                    "until",
                    "every",
                    "policy",
                    "loss_budget",
                    "measured",
                ]
            }

            fn rho(&mut self) -> Option<&mut f64> {
                Some(&mut self.rho)
            }

            $(
                fn ascent_steps(&mut self) -> Option<&mut usize> {
                    Some(&mut self.$steps_field)
                }
            )?

            fn schedule(&self) -> crate::method::schedule::Schedule {
                self.around()
            }

            fn looks_back(&self) -> bool {
                Self::LOOKS_BACK
            }

            $($listed)*
        }
    };
}

pub(super) use method_config;
