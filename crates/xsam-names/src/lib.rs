#![doc = include_str!("../README.md")]

use std::fmt::Display;
use std::str::FromStr;

#[doc(hidden)]
pub use serde;
use thiserror::Error;

/// Below this similarity (Jaro-Winkler, 0 to 1) two words have nothing to do with each other.
const SIMILAR: f64 = 0.8;

/// Something that is chosen by name. [`named_enum!`] makes enums that are; other types implement this trait and
/// [`Display`], and get the rest from [`parsed_by_name!`].
pub trait Named: Copy + Display + FromStr<Err = UnknownName> + 'static {
    /// What the names are of, in words.
    const WHAT: &'static str;

    /// Every value, in the order of its declaration.
    fn all() -> Vec<Self>;
}

/// A name that is none: the message has the nearest valid one, and all of them.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct UnknownName(String);

/// The thing that `text` names; what [`FromStr`] does for everything [`Named`].
///
/// # Errors
/// If there is none.
pub fn find<T: Named>(text: &str) -> Result<T, UnknownName> {
    let all = T::all();
    if let Some(found) = all.iter().find(|named| named.to_string() == text) {
        return Ok(*found);
    }
    let names: Vec<String> = all.iter().map(T::to_string).collect();
    let names = names.iter().map(String::as_str);
    Err(UnknownName(unknown(T::WHAT, text, names)))
}

/// That there is no `what` of the name `text`, but what there is.
pub fn unknown<'a>(what: &str, text: &str, names: impl Iterator<Item = &'a str> + Clone) -> String {
    let hint = hint(text, names.clone());
    let names = names.collect::<Vec<_>>().join(", ");
    format!("there is no {what} `{text}`{hint} (there are: {names})")
}

/// `"; did you mean `x`?"` if there is an `x` like `given`, of several the one that is most like it, or nothing.
pub fn hint<'a>(given: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let names = names.into_iter();
    let nearest = names
        .map(|name| (strsim::jaro_winkler(given, name), name))
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    nearest.map_or_else(String::new, |(_, name)| format!("; did you mean `{name}`?"))
}

/// An enum whose variants have names: what it is of in brackets, then each variant and its name. It is [`Named`], written
/// and parsed by name, and by serde as well; `ALL` lists it.
#[macro_export]
macro_rules! named_enum {
    (
        $(#[$attribute:meta])*
        pub enum $name:ident ($what:literal) {
            $($(#[$variant_attribute:meta])* $variant:ident = $text:expr,)+
        }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_attribute])* $variant,)+
        }

        impl $name {
            /// Every value, in the order of its declaration.
            pub const ALL: [Self; [$(stringify!($variant)),+].len()] = [$(Self::$variant),+];

            /// The name as specs and commands write it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl $crate::Named for $name {
            const WHAT: &'static str = $what;

            fn all() -> Vec<Self> {
                Self::ALL.to_vec()
            }
        }

        $crate::parsed_by_name!($name);
    };
}

/// Parses a type that is [`Named`] by its names, and has serde write and read it by them.
#[macro_export]
macro_rules! parsed_by_name {
    ($name:ident) => {
        impl ::std::str::FromStr for $name {
            type Err = $crate::UnknownName;

            fn from_str(text: &str) -> Result<Self, $crate::UnknownName> {
                $crate::find(text)
            }
        }

        impl $crate::serde::Serialize for $name {
            fn serialize<S: $crate::serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> $crate::serde::Deserialize<'de> for $name {
            fn deserialize<D: $crate::serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <String as $crate::serde::Deserialize>::deserialize(from)?;
                text.parse()
                    .map_err(<D::Error as $crate::serde::de::Error>::custom)
            }
        }
    };
}

#[cfg(test)]
mod tests {
    named_enum! {
        /// What learns.
        pub enum Model ("model") {
            /// One.
            Mlp = "mlp",
            /// Another.
            Resnet18 = "resnet18",
        }
    }

    #[test]
    fn names_round_trip() {
        for model in Model::ALL {
            assert_eq!(model.to_string().parse(), Ok(model));
        }
        assert_eq!(format!("{:>5}", Model::Mlp), "  mlp");
    }

    #[test]
    fn a_wrong_name_is_met_with_the_nearest() {
        let error = |name: &str| name.parse::<Model>().map_err(|error| error.to_string());
        assert_eq!(
            error("resnet-18"),
            Err("there is no model `resnet-18`; did you mean `resnet18`? (there are: mlp, resnet18)".into())
        );
        assert_eq!(
            error("qqq"),
            Err("there is no model `qqq` (there are: mlp, resnet18)".into())
        );
    }
}
