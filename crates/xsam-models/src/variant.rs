//! What an architecture leaves open.

use std::fmt::Display;

use xsam_names::named_enum;

use crate::ModelError;
use crate::error::{unless, within};

named_enum! {
    /// What the classes are told from, of a model that has a vector for each patch of an image.
    pub enum Pooling ("pooling") {
        /// A vector of its own, which attends to the patches.
        ClassToken = "class-token",
        /// The mean over the patches.
        Mean = "mean",
    }
}

/// What an architecture leaves open; `None` for its default. Each leaves some of it open, or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variant {
    /// Its width: channels, hidden units or columns of a vector, as its [name](crate::ClassifierName) says.
    pub width: Option<usize>,
    /// Its depth: blocks, or of a residual net all convolutions but the projections, and the linear layer.
    pub depth: Option<usize>,
    /// Height and width of the patches that an image is cut into, in pixels.
    pub patch: Option<usize>,
    /// Heads of every attention.
    pub heads: Option<usize>,
    /// What the classes are told from.
    pub pooling: Option<Pooling>,
}

/// What [`Variant::width`], [`Variant::depth`], [`Variant::patch`] and [`Variant::heads`] may be.
const MOST: [(&str, usize); 4] = [
    ("width", 16_384),
    ("depth", 1024),
    ("patch", 16_384),
    ("heads", 16_384),
];

impl Variant {
    /// The same, with what is open by `defaults` alone: what is not given is as there.
    pub(crate) fn resolved(&self, defaults: &Self, model: &str) -> Result<Self, ModelError> {
        let counts = |of: &Self| [of.width, of.depth, of.patch, of.heads];
        let mut resolved = counts(defaults);
        for (((field, most), given), value) in MOST.into_iter().zip(counts(self)).zip(&mut resolved)
        {
            let Some(given) = given else {
                continue;
            };
            refuse_closed(field, given, value.is_some(), model)?;
            within(field, given, 1..=most)?;
            *value = Some(given);
        }
        if let Some(pooling) = self.pooling {
            refuse_closed("pooling", pooling, defaults.pooling.is_some(), model)?;
        }
        let [width, depth, patch, heads] = resolved;
        Ok(Self {
            width,
            depth,
            patch,
            heads,
            pooling: self.pooling.or(defaults.pooling),
        })
    }
}

fn refuse_closed(
    field: &'static str,
    given: impl Display,
    open: bool,
    model: &str,
) -> Result<(), ModelError> {
    unless(open, field, || {
        let why = match field {
            "width" | "depth" => format!("has a fixed {field}"),
            _ => format!("has no {field}"),
        };
        format!("{field} = {given} is given, but {model} {why}; leave it out")
    })
}
