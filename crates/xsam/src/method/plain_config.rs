//! The configs of methods around which there is no schedule.

/// The config of a method whose steps need what the one before has left: a type with its fields, the first of them `rho`, their
/// defaults, setters and form in a spec. `listed` has what its [`Listed`](super::config::Listed) says otherwise.
macro_rules! plain_config {
    (
        $(#[$meta:meta])*
        pub struct $name:ident ($method:literal) {
            fields { $($(#[$doc:meta])* $set:ident $field:ident: $type:ty = $default:expr;)* }
            $(listed { $($listed:tt)* })?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$doc])* pub $field: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl $name {
            pub(super) const NAME: &'static str = $method;

            /// A config in which every field has its default.
            pub fn new() -> Self {
                Self::default()
            }

            $(
                $(#[$doc])*
                #[must_use]
                pub fn $set(mut self, $field: $type) -> Self {
                    self.$field = $field;
                    self
                }
            )*
        }

        impl crate::method::config::Listed for $name {
            fn name(&self) -> &'static str {
                Self::NAME
            }

            fn fields(&self) -> &'static [&'static str] {
                &[$(stringify!($field)),*]
            }

            fn rho(&mut self) -> Option<&mut f64> {
                Some(&mut self.rho)
            }

            $($($listed)*)?
        }
    };
}

pub(super) use plain_config;
