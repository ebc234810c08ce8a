//! The methods of this crate by their names.

use super::{Method, MethodConfig, MethodSpec, Work, XsamConfig};
use crate::error::ConfigError;

/// Makes [`MethodSpec`] of the list of methods. Variants are named as the methods are, in capitals.
macro_rules! methods {
    ($($variant:ident($module:ident::$config:ident),)+) => {
        $(pub use $module::$config;)+

        /// A method of this crate, told by its `name`, with its hyper-parameters: what a program reads from a file.
        ///
        /// ```
        /// use xsam::method::{MethodConfig, MethodSpec};
        /// use xsam::XsamConfig;
        ///
        /// let mut spec = MethodSpec::from(XsamConfig::new().with_rho(0.3));
        /// assert_eq!((spec.name(), spec.rho()), ("xsam", Some(0.3)));
        /// assert!(spec.set_rho(0.2));
        /// assert_eq!(spec.build()?.name(), "xsam");
        /// # Ok::<(), xsam::ConfigError>(())
        /// ```
        ///
        /// In a file it has the fields of its config and no others, beside `name`; all have defaults.
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(tag = "name", rename_all = "kebab-case")]
        #[non_exhaustive]
        #[allow(missing_docs, reason = "each is a method and its config, which says what it is")]
        pub enum MethodSpec {
            $($variant($config),)+
        }

        impl MethodSpec {
            /// The names of all methods.
            pub const NAMES: &'static [&'static str] = &[$($config::NAME),+];

            /// The method of that name, with its defaults; `None` if there is none.
            pub fn named(name: &str) -> Option<Self> {
                match name {
                    $($config::NAME => Some(Self::$variant($config::default())),)+
                    _ => None,
                }
            }

            /// The same method with the hyper-parameters of `fields`, which do not tell a name, and its defaults for the
            /// others.
            ///
            /// # Errors
            /// If there is a field that the method does not have, or a value is of another type.
            pub fn with_fields<'de, D: serde::Deserializer<'de>>(
                &self,
                fields: D,
            ) -> Result<Self, D::Error> {
                use serde::Deserialize as _;
                match self {
                    $(Self::$variant(_) => $config::deserialize(fields).map(Self::$variant),)+
                }
            }

            fn config(&self) -> &dyn Listed {
                match self {
                    $(Self::$variant(config) => config,)+
                }
            }

            fn config_mut(&mut self) -> &mut dyn Listed {
                match self {
                    $(Self::$variant(config) => config,)+
                }
            }
        }

        $(
            impl From<$config> for MethodSpec {
                fn from(config: $config) -> Self {
                    Self::$variant(config)
                }
            }
        )+
    };
}

pub(super) use methods;

impl MethodSpec {
    /// The name that specs and reports give the method.
    pub fn name(&self) -> &'static str {
        self.config().name()
    }

    /// The names of the fields that it has in a file, besides `name`.
    pub fn fields(&self) -> &'static [&'static str] {
        self.config().fields()
    }

    /// How far a method leaves the weights: the total ascent length, as a rule. None of one that stays there.
    pub fn rho(&self) -> Option<f64> {
        self.clone().config_mut().rho().copied()
    }

    /// The number of ascent steps, of a method that ascends.
    pub fn ascent_steps(&self) -> Option<usize> {
        self.clone().config_mut().ascent_steps().copied()
    }

    /// Sets how far the method leaves the weights. `false` if it does not: it is as it was.
    pub fn set_rho(&mut self, rho: f64) -> bool {
        let field = self.config_mut().rho().map(|field| *field = rho);
        field.is_some()
    }

    /// Sets the number of ascent steps. `false` if the method does not ascend: it is as it was.
    pub fn set_ascent_steps(&mut self, steps: usize) -> bool {
        let field = self.config_mut().ascent_steps();
        let field = field.map(|field| *field = steps);
        field.is_some()
    }

    /// Whether it looks back in the steps between those in which it does its whole work: its `every` is another one than that
    /// of the other methods, which leave these steps to the base optimizer.
    pub fn looks_back(&self) -> bool {
        self.config().looks_back()
    }

    /// Whether momentum and decay of the weights are its own: the base optimizer should be SGD without them.
    pub fn has_own_momentum(&self) -> bool {
        self.config().has_own_momentum()
    }

    /// Whether its steps have to be told logits and loss apart:
    /// [`step_by_logits`](crate::SharpnessAware::step_by_logits) makes them.
    pub fn needs_logits(&self) -> bool {
        self.build().is_ok_and(|method| method.needs_logits())
    }

    /// Whether its pass at the ascent point is to be on the batch of the step before.
    pub fn ascends_on_the_batch_before(&self) -> bool {
        self.build()
            .is_ok_and(|method| method.ascends_on_the_batch_before())
    }

    /// Whether its steps have to be told the loss of each sample:
    /// [`step_by_samples`](crate::SharpnessAware::step_by_samples) makes them.
    pub fn needs_samples(&self) -> bool {
        self.build().is_ok_and(|method| method.needs_samples())
    }

    /// How often so many epochs of so many steps each go through the model. With an adaptive policy it is what is to be
    /// expected.
    pub fn work(&self, epochs: usize, steps: usize) -> Work {
        let (own, own_epochs) = self.config().schedule().own(epochs, steps);
        Work {
            steps: epochs.saturating_mul(steps),
            ..self.clone().config_mut().work(own_epochs, own)
        }
    }

    /// What the hyper-parameters come to: defaults that depend on others are filled in, and what has no effect is left
    /// out.
    #[must_use]
    pub fn resolved(&self) -> Self {
        let mut resolved = self.clone();
        resolved.config_mut().resolve();
        resolved
    }
}

impl MethodConfig for MethodSpec {
    fn build(&self) -> Result<Box<dyn Method>, ConfigError> {
        self.config().build()
    }
}

impl Default for MethodSpec {
    fn default() -> Self {
        Self::Xsam(XsamConfig::new())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde::Deserialize as _;
    use serde::de::value::{Error, MapDeserializer};

    use super::*;

    #[test]
    fn the_name_in_a_file_is_the_methods_own() {
        for name in MethodSpec::NAMES {
            let spec = MethodSpec::named(name).unwrap();
            assert_eq!(spec.name(), *name);
            assert_eq!(spec.build().unwrap().name(), *name);
            let fields = MapDeserializer::<_, Error>::new([("name", *name)].into_iter());
            assert_eq!(MethodSpec::deserialize(fields).unwrap(), spec);
            assert_eq!(spec.rho().is_some(), spec.fields().contains(&"rho"));
        }
        assert_eq!(MethodSpec::named("adam"), None);
    }
}
