//! Hyper-parameters of a method, as they stand in a program and in a spec.

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
    /// The method's name.
    fn name(&self) -> &'static str;

    /// The names of the fields that a spec may have.
    fn fields(&self) -> &'static [&'static str];

    /// Rho and the number of ascent steps, of a method that ascends.
    fn ascents(&mut self) -> Option<(&mut f64, &mut usize)>;

    /// How often so many epochs of so many steps each go through the model: with an ascent in every step, of a method that
    /// ascends, unless it says otherwise.
    fn work(&mut self, epochs: usize, steps: usize) -> Work {
        let work = Work::new(epochs.saturating_mul(steps));
        match self.ascents() {
            Some((rho, ascent_steps)) => work.with_ascent(*rho, *ascent_steps, 1),
            None => work,
        }
    }

    /// Fills in defaults that depend on others, and leaves out what has no effect, if there are such.
    fn resolve(&mut self) {}
}

/// The config of a method: a type with its fields, their defaults, setters and form in a spec.
///
/// `ascent` gives the defaults of the fields that all methods with an ascent have; of one that is always plain `adaptive`
/// is left out. The field of an option is absent unless it is set. `listed` has what its [`Listed`] says otherwise.
macro_rules! method_config {
    (
        $(#[$meta:meta])*
        pub struct $name:ident ($method:literal) {
            ascent { rho: $rho:literal, ascent_steps: $steps:literal, adaptive: $adaptive:ident }
            $(fields { $($fields:tt)* })?
            $(options { $($options:tt)* })?
            $(listed { $($listed:tt)* })?
        }
    ) => {
        method_config! {
            @fields $(#[$meta])* $name $method $rho $steps
            fields {
                /// How the gradient is scaled before it becomes the direction of the ascent.
                with_adaptive adaptive: crate::ascent::Scaling = crate::ascent::Scaling::$adaptive;
                $($($fields)*)?
            }
            options { $($($options)*)? }
            listed { $($($listed)*)? }
        }
        method_config! { @ascent $name, |config| config.adaptive }
    };
    (
        $(#[$meta:meta])*
        pub struct $name:ident ($method:literal) {
            ascent { rho: $rho:literal, ascent_steps: $steps:literal }
        }
    ) => {
        method_config! { @fields $(#[$meta])* $name $method $rho $steps fields {} options {} listed {} }
        method_config! { @ascent $name, |_config| crate::ascent::Scaling::None }
    };
    (@ascent $name:ident, |$config:ident| $scaling:expr) => {
        impl $name {
            /// The ascent that these hyper-parameters describe.
            ///
            /// # Errors
            /// If one of them is out of range.
            pub(crate) fn ascent(&self) -> Result<crate::ascent::Ascent, crate::error::ConfigError> {
                let $config = self;
                let ascent = crate::ascent::Ascent {
                    rho: self.rho,
                    steps: self.ascent_steps,
                    scaling: $scaling,
                    mask: self.mask.0.clone(),
                };
                ascent.check()?;
                Ok(ascent)
            }
        }
    };
    (
        @fields $(#[$meta:meta])* $name:ident $method:literal $rho:literal $steps:literal
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
            /// Number of ascent steps, each `rho / ascent_steps` long.
            pub ascent_steps: usize,
            $($(#[$field_doc])* pub $field: $type,)*
            $(
                $(#[$option_doc])*
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $option: Option<$option_type>,
            )*
            #[serde(skip)]
            pub(crate) mask: crate::ascent::Mask,
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    rho: $rho,
                    ascent_steps: $steps,
                    $($field: $default,)*
                    $($option: None,)*
                    mask: crate::ascent::Mask::default(),
                }
            }
        }

        impl $name {
            /// The method's name.
            pub(super) const NAME: &'static str = $method;

            /// The defaults.
            pub fn new() -> Self {
                Self::default()
            }

            /// Sets the total ascent length.
            #[must_use]
            pub fn with_rho(mut self, rho: f64) -> Self {
                self.rho = rho;
                self
            }

            /// Sets the number of ascent steps, each `rho / steps` long.
            #[must_use]
            pub fn with_ascent_steps(mut self, steps: usize) -> Self {
                self.ascent_steps = steps;
                self
            }

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
                    "ascent_steps",
                    $(stringify!($field),)*
                    $(stringify!($option),)*
                ]
            }

            fn ascents(&mut self) -> Option<(&mut f64, &mut usize)> {
                Some((&mut self.rho, &mut self.ascent_steps))
            }

            $($listed)*
        }
    };
}

pub(super) use method_config;
