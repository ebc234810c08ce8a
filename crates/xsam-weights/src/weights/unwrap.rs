//! What scripts and wrappers of PyTorch put around a state dict.

use std::collections::HashSet;
use std::fmt;

use super::tensor::Tensors;
use crate::state::Entry;

/// What wrappers put before all names.
const WRAPPERS: [&str; 2] = ["module.", "_orig_mod."];
/// What an averaged model has beside `module.`: over how many models it is the average.
const AVERAGED: &str = "n_averaged";

/// Something around a state dict that was taken off.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unwrapped {
    /// The state dict is the entry with this key. The file's other entries are left out.
    Key(String),
    /// The model is an average of several. How many there were is left out.
    Averaged,
    /// All names began with this prefix.
    Prefix(String),
}

impl fmt::Display for Unwrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => write!(f, "the weights are those under the key `{key}`"),
            Self::Averaged => write!(f, "the weights are an average, `{AVERAGED}` is left out"),
            Self::Prefix(prefix) => write!(f, "the prefix `{prefix}` is taken off all names"),
        }
    }
}

/// The tensors without what wrappers of PyTorch put around them, and what that was.
pub(super) fn unwrapped(mut tensors: Tensors) -> (Tensors, Vec<Unwrapped>) {
    let mut found = Vec::new();
    // A name may be as long as its file and consist of prefixes: names are made anew once, and not for each.
    let mut taken = 0;
    loop {
        let bare = tensors.keys().map(|name| &name[taken..]);
        let mut others = bare.filter(|name| *name != AVERAGED).peekable();
        let is_average = others.peek().is_some() && others.all(|name| name.starts_with("module."));
        let all = tensors.len();
        tensors.retain(|name, _| !is_average || name[taken..] != *AVERAGED);
        if tensors.len() < all {
            found.push(Unwrapped::Averaged);
        }
        let is_common = |prefix: &&&str| {
            tensors
                .keys()
                .all(|name| name[taken..].starts_with(**prefix))
        };
        let Some(prefix) = WRAPPERS.iter().find(is_common) else {
            break;
        };
        found.push(Unwrapped::Prefix((*prefix).to_owned()));
        taken += prefix.len();
    }
    if taken > 0 {
        let bare = |(name, tensor): (String, _)| (name[taken..].to_owned(), tensor);
        tensors = tensors.into_iter().map(bare).collect();
    }
    (tensors, found)
}

/// The prefix common to all names without which most of them are names of a model; empty if taking off none is as good.
pub(super) fn prefix<'a>(tensors: &'a Tensors, entries: &[Entry]) -> &'a str {
    let longest = entries.iter().map(|entry| entry.name.len()).max();
    let longest = longest.unwrap_or_default();
    let known = |prefix: &str| {
        let bare = tensors.keys().map(|name| &name[prefix.len()..]);
        let bare: HashSet<&str> = bare.filter(|name| name.len() <= longest).collect();
        // Of most prefixes of a name that has no end nothing is left that could be one of the model.
        match bare.is_empty() {
            true => 0,
            false => entries
                .iter()
                .filter(|entry| bare.contains(&*entry.name))
                .count(),
        }
    };
    let mut best = ("", known(""));
    // Of names in their order, what the first and the last have in common all have.
    let (Some((first, _)), Some((last, _))) = (tensors.first_key_value(), tensors.last_key_value())
    else {
        return best.0;
    };
    let common = first.bytes().zip(last.bytes()).take_while(|(a, b)| a == b);
    for (end, _) in common.enumerate().filter(|(_, (byte, _))| *byte == b'.') {
        let prefix = &first[..=end];
        let known = known(prefix);
        if known > best.1 {
            best = (prefix, known);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use burn::module::ParamId;

    use super::*;
    use crate::state::Kind;
    use crate::weights::tensor::WeightTensor;

    fn tensors(names: impl IntoIterator<Item = String>) -> Tensors {
        let tensor = WeightTensor {
            shape: Vec::new(),
            dtype: "F32".to_owned(),
            values: None,
        };
        let named = |name| (name, tensor.clone());
        names.into_iter().map(named).collect()
    }

    fn entry(name: &str) -> Entry {
        Entry {
            name: name.to_owned(),
            shape: Vec::new(),
            kind: Kind::Weight,
            id: ParamId::from(1),
        }
    }

    #[test]
    fn wrappers_within_one_another_are_taken_off() {
        let names = [
            "_orig_mod.module.a",
            "_orig_mod.module.b",
            "_orig_mod.n_averaged",
        ];
        let (bare, found) = unwrapped(tensors(names.map(str::to_owned)));
        assert_eq!(bare.keys().collect::<Vec<_>>(), ["a", "b"]);
        let taken = ["_orig_mod.", "module."].map(|text| Unwrapped::Prefix(text.to_owned()));
        let [first, second] = taken;
        assert_eq!(found, [first, Unwrapped::Averaged, second]);
    }

    /// A name may be as long as its file. What took time by the square of that would not come to an end here.
    #[test]
    fn names_without_end_take_no_time_without_end() {
        const MANY: usize = 300_000;
        let (bare, found) = unwrapped(tensors(["module.".repeat(MANY) + "a"]));
        assert_eq!(
            (bare.keys().next().unwrap().as_str(), found.len()),
            ("a", MANY)
        );
        let dots = ".".repeat(MANY);
        let long = tensors(["a", "b", "c.d"].map(|end| format!("{dots}{end}")));
        let entries = ["b", "c.d"].map(entry);
        assert_eq!(prefix(&long, &entries), dots);
        assert_eq!(prefix(&long, &[entry("x")]), "");
    }
}
