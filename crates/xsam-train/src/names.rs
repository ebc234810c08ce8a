//! Names in spec files: from text and back, with the nearest valid one where a name is wrong.

use std::fmt::Display;

use xsam_data::DatasetName;
use xsam_kernels::Kernels;

/// Below this similarity (Jaro-Winkler, 0 to 1) two words have nothing to do with each other.
const SIMILAR: f64 = 0.8;

/// Something that is chosen by name.
pub trait Named: Copy + Display + 'static {
    /// What the names are of, in words.
    const WHAT: &'static str;

    /// All there are.
    fn all() -> Vec<Self>;
}

/// The one of `names` that is most like `given`, if any is like it at all.
pub(crate) fn nearest<'a>(
    given: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    names
        .into_iter()
        .map(|name| (strsim::jaro_winkler(given, name), name))
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// `"; did you mean `x`?"` if there is an `x` like `given`, or nothing.
pub(crate) fn hint<'a>(given: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    nearest(given, names).map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

/// The thing that `text` names.
///
/// # Errors
/// Names the nearest valid name, and all of them.
pub fn parse<T: Named>(text: &str) -> Result<T, String> {
    let all = T::all();
    if let Some(found) = all.iter().find(|named| named.to_string() == text) {
        return Ok(*found);
    }
    let names: Vec<String> = all.iter().map(T::to_string).collect();
    let hint = hint(text, names.iter().map(String::as_str));
    let (what, names) = (T::WHAT, names.join(", "));
    Err(format!(
        "there is no {what} `{text}`{hint} (there are: {names})"
    ))
}

/// For `#[serde(with = "named")]`.
pub(crate) mod named {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::Named;

    pub(crate) fn serialize<T: Named, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }

    pub(crate) fn deserialize<'de, T: Named, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
        super::parse(&String::deserialize(from)?).map_err(D::Error::custom)
    }
}

impl Named for DatasetName {
    const WHAT: &'static str = "data set";

    fn all() -> Vec<Self> {
        Self::ALL.to_vec()
    }
}

impl Named for Kernels {
    const WHAT: &'static str = "choice of kernels";

    fn all() -> Vec<Self> {
        Self::ALL.to_vec()
    }
}

/// An enum whose variants have names in spec files.
macro_rules! named_enum {
    (
        $(#[$doc:meta])*
        pub enum $name:ident ($what:literal) {
            $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(match self {
                    $(Self::$variant => $text,)+
                })
            }
        }

        impl $crate::names::Named for $name {
            const WHAT: &'static str = $what;

            fn all() -> Vec<Self> {
                vec![$(Self::$variant),+]
            }
        }
    };
}

pub(crate) use named_enum;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::spec::ModelName;

    #[test]
    fn a_wrong_name_is_met_with_the_nearest() {
        let resnet = ModelName::Image(xsam_models::ModelName::Resnet18);
        assert_eq!(parse::<ModelName>("resnet18"), Ok(resnet));
        let error = parse::<ModelName>("resnet-18").unwrap_err();
        assert!(error.starts_with("there is no model `resnet-18`; did you mean `resnet18`?"));
        let error = parse::<ModelName>("qqq").unwrap_err();
        assert!(error.starts_with("there is no model `qqq` (there are: mlp,"));
    }
}
