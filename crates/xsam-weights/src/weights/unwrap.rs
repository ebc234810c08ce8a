//! What scripts and wrappers of PyTorch put around a state dict.

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
    loop {
        let mut others = tensors.keys().filter(|name| *name != AVERAGED).peekable();
        let is_average = others.peek().is_some() && others.all(|name| name.starts_with("module."));
        if is_average && tensors.remove(AVERAGED).is_some() {
            found.push(Unwrapped::Averaged);
        }
        let is_common = |prefix: &&&str| tensors.keys().all(|name| name.starts_with(**prefix));
        let Some(prefix) = WRAPPERS.iter().find(is_common) else {
            return (tensors, found);
        };
        let bare = |(name, tensor): (String, _)| (name[prefix.len()..].to_owned(), tensor);
        tensors = tensors.into_iter().map(bare).collect();
        found.push(Unwrapped::Prefix((*prefix).to_owned()));
    }
}

/// The prefix common to all names without which most of them are names of a model; empty if taking off none is as good.
pub(super) fn prefix<'a>(tensors: &'a Tensors, entries: &[Entry]) -> &'a str {
    let known = |prefix: &str| {
        let named = |entry: &&Entry| tensors.contains_key(&format!("{prefix}{}", entry.name));
        entries.iter().filter(named).count()
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
