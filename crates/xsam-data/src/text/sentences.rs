//! Sentences in one piece of memory.

/// Sentences in their order.
///
/// They take the memory of their text and a byte for each, so that lines without a word, of which a file can hold as many
/// as it has bytes, take no more than they do there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sentences {
    /// Each with a line feed behind it. None has one inside: they are lines of files.
    text: String,
    len: usize,
}

impl Sentences {
    pub(super) fn push(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
        self.len += 1;
    }

    /// The number of sentences.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The sentences. To skip one takes the time to look through it.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.text.split_terminator('\n')
    }

    /// The first `n`, or all if there are fewer.
    pub(super) fn first(&self, n: usize) -> Self {
        let mut first = Self::default();
        self.iter().take(n).for_each(|line| first.push(line));
        first
    }
}
