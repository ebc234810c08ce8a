//! The ids that are no piece of text.

/// The id that fills up the rows of a batch.
pub const PAD: u32 = 0;
/// The id that begins a sentence.
pub const BOS: u32 = 1;
/// The id that ends a sentence.
pub const EOS: u32 = 2;
/// The id of a character that was not in the training text.
pub const UNK: u32 = 3;

/// How the special ids are written, for people.
pub(super) const SPECIAL: [&str; 4] = ["<pad>", "<s>", "</s>", "<unk>"];
