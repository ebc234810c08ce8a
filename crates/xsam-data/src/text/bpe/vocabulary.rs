//! Characters, the pieces merged from them, and how words divide into pieces.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};

use super::chain::{Chain, Pair};
use crate::text::special::{SPECIAL, UNK};

/// Ends every word. A blank, since no word has one: nothing in a text is mistaken for it.
pub(super) const END_OF_WORD: char = ' ';

/// What a pair of pieces becomes, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Merge {
    /// Merges are done in the order they were learnt in.
    rank: usize,
    piece: u32,
}

/// The pieces by id, which follow from the alphabet and the merges in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Vocabulary {
    alphabet: Vec<char>,
    /// The pairs merged, in order.
    merged: Vec<Pair>,
    merges: HashMap<Pair, Merge>,
    /// By id, without the special ones.
    pieces: Vec<String>,
    ids: HashMap<String, u32>,
}

impl Vocabulary {
    /// The vocabulary of single characters.
    pub(super) fn new(alphabet: BTreeSet<char>) -> Self {
        let mut vocabulary = Self {
            alphabet: alphabet.into_iter().collect(),
            merged: Vec::new(),
            merges: HashMap::new(),
            pieces: Vec::new(),
            ids: HashMap::new(),
        };
        for index in 0..vocabulary.alphabet.len() {
            vocabulary.insert(vocabulary.alphabet[index].to_string());
        }
        vocabulary
    }

    /// Makes one piece of two, and says which. Neighbours that spell an earlier piece become that
    /// one: `aa` and `aaa` do if `aaaa` and `a` did.
    pub(super) fn merge(&mut self, pair: Pair) -> Option<u32> {
        let spelled = [self.piece(pair.0)?, self.piece(pair.1)?].concat();
        let piece = match self.ids.get(&spelled) {
            Some(&piece) => piece,
            None => self.insert(spelled),
        };
        let rank = self.merged.len();
        self.merged.push(pair);
        self.merges.insert(pair, Merge { rank, piece });
        Some(piece)
    }

    fn insert(&mut self, piece: String) -> u32 {
        let id = self.len() as u32;
        self.pieces.push(piece.clone());
        self.ids.insert(piece, id);
        id
    }

    /// The number of ids.
    pub(super) fn len(&self) -> usize {
        SPECIAL.len() + self.pieces.len()
    }

    /// The characters, in ascending order.
    pub(super) fn alphabet(&self) -> &[char] {
        &self.alphabet
    }

    /// The pairs merged, in order.
    pub(super) fn merged(&self) -> &[Pair] {
        &self.merged
    }

    /// The text of a piece; special ids have none.
    pub(super) fn piece(&self, id: u32) -> Option<&str> {
        let index = (id as usize).checked_sub(SPECIAL.len())?;
        self.pieces.get(index).map(String::as_str)
    }

    /// Bytes that two pieces have together.
    pub(super) fn length(&self, pair: Pair) -> usize {
        let length = |id| self.piece(id).map_or(0, str::len);
        length(pair.0) + length(pair.1)
    }

    /// The piece that is this text.
    pub(super) fn id(&self, piece: &str) -> Option<u32> {
        self.ids.get(piece).copied()
    }

    /// The characters of a word and its end, as ids.
    pub(super) fn characters(&self, word: &str) -> impl Iterator<Item = u32> {
        let id = |c: char| self.id(c.encode_utf8(&mut [0; 4])).unwrap_or(UNK);
        word.chars().chain([END_OF_WORD]).map(id)
    }

    /// The pieces of a word: of all merges that apply the one learnt first is done, wherever it applies, until none does.
    pub(super) fn encode(&self, word: &str) -> Vec<u32> {
        let mut chain = Chain::default();
        chain.push(self.characters(word));
        // The earliest merge first, its places from the left.
        let mut queue = BinaryHeap::new();
        let at = |chain: &Chain, place| Some(Reverse((self.rank(chain.pair(place)?)?, place)));
        queue.extend((0..chain.len()).filter_map(|place| at(&chain, place)));
        let mut merged = Vec::new();
        while let Some(&Reverse((rank, _))) = queue.peek() {
            let pair = self.merged[rank];
            while let Some(&Reverse((_, place))) = queue.peek().filter(|next| next.0.0 == rank) {
                queue.pop();
                // It is not, if what was there has become part of another piece.
                if chain.pair(place) == Some(pair) {
                    chain.merge(place, self.merges[&pair].piece);
                    merged.push(place);
                }
            }
            // What a merge makes possible waits until it is done everywhere, even if it was learnt earlier.
            for place in merged.drain(..) {
                queue.extend(chain.before(place).and_then(|left| at(&chain, left)));
                queue.extend(at(&chain, place));
            }
        }
        chain.pieces().collect()
    }

    /// Which merge a pair is.
    fn rank(&self, pair: Pair) -> Option<usize> {
        self.merges.get(&pair).map(|merge| merge.rank)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::random::{Purpose, Stream};

    /// A vocabulary of these merges.
    fn vocabulary(merges: &[(&str, &str)]) -> Vocabulary {
        let characters = merges.iter().flat_map(|(a, b)| a.chars().chain(b.chars()));
        let alphabet = characters.chain("abdelnorstw ".chars());
        let mut vocabulary = Vocabulary::new(alphabet.collect());
        for (left, right) in merges {
            let pair = [left, right].map(|piece| vocabulary.id(piece).unwrap());
            vocabulary.merge((pair[0], pair[1])).unwrap();
        }
        vocabulary
    }

    fn spelled(vocabulary: &Vocabulary, word: &str) -> Vec<String> {
        let pieces = vocabulary.encode(word);
        let text = |id: &u32| vocabulary.piece(*id).unwrap().to_owned();
        pieces.iter().map(text).collect()
    }

    #[test]
    fn a_word_never_seen_is_divided_as_in_the_paper() {
        // Sennrich et al., figure 2: the operations learnt from {low, lowest, newer, wider}, by
        // which the text says "lower" becomes "low er·".
        let merges = [("r", " "), ("l", "o"), ("lo", "w"), ("e", "r ")];
        assert_eq!(spelled(&vocabulary(&merges), "lower"), ["low", "er "]);
    }

    #[test]
    fn merges_are_done_in_their_order_and_from_the_left() {
        let merges = [("b", "d"), ("a", "b"), ("a", "a"), ("aa", "a")];
        let vocabulary = vocabulary(&merges);
        assert_eq!(spelled(&vocabulary, "abd"), ["a", "bd", " "]);
        assert_eq!(spelled(&vocabulary, "ab"), ["ab", " "]);
        assert_eq!(spelled(&vocabulary, "aaaaa"), ["aa", "aaa", " "]);
        assert_eq!(spelled(&vocabulary, ""), [" "]);
    }

    /// The pieces of a word as the paper has it: all pairs are looked through for every merge.
    fn looked_through_again_and_again(vocabulary: &Vocabulary, word: &str) -> Vec<u32> {
        let mut pieces: Vec<u32> = vocabulary.characters(word).collect();
        loop {
            let pairs = pieces.windows(2).map(|pair| (pair[0], pair[1]));
            let ranked = pairs.filter_map(|pair| Some((vocabulary.rank(pair)?, pair)));
            let Some((_, pair)) = ranked.min() else {
                return pieces;
            };
            let mut merged = Vec::new();
            for &id in &pieces {
                // The piece just made cannot be half of the pair: it is longer than both.
                if id == pair.1 && merged.last() == Some(&pair.0) {
                    merged.pop();
                    merged.push(vocabulary.merges[&pair].piece);
                } else {
                    merged.push(id);
                }
            }
            pieces = merged;
        }
    }

    #[test]
    fn words_divide_as_in_the_paper_whatever_the_merges() {
        for seed in 0..300 {
            let mut random = Stream::new(Purpose::Order, seed, 0);
            // Any merges in any order, also such as no training learns: a later one may bring back the pair of an
            // earlier one, or spell a piece that is there.
            let mut vocabulary = Vocabulary::new("abc ".chars().collect());
            for _ in 0..random.below(30) {
                let ids = vocabulary.len() - SPECIAL.len();
                let mut id = || (SPECIAL.len() + random.below(ids)) as u32;
                let pair = (id(), id());
                let length = |id| vocabulary.piece(id).unwrap().len();
                if length(pair.0) + length(pair.1) < 9 {
                    vocabulary.merge(pair).unwrap();
                }
            }
            for _ in 0..20 {
                let letters = (0..random.below(40)).map(|_| ["a", "b", "c", "x"][random.below(4)]);
                let word: String = letters.collect();
                let expected = looked_through_again_and_again(&vocabulary, &word);
                assert_eq!(vocabulary.encode(&word), expected, "{word} of {seed}");
            }
        }
    }

    #[test]
    fn a_word_without_end_takes_no_longer_than_its_letters() {
        // To look through all of it for every merge would take hours.
        let merges = [("a", "b"), ("b", "a"), ("ab", "ab"), ("abab", "abab")];
        let letters = (0..4_000_000_u64).map(|i| if i * i % 7 < 3 { 'a' } else { 'b' });
        let pieces = vocabulary(&merges).encode(&letters.collect::<String>());
        assert!(pieces.len() > 1_000_000);
    }

    #[test]
    fn two_ways_to_spell_a_piece_are_one_piece() {
        let mut vocabulary = vocabulary(&[("a", "a"), ("aa", "a")]);
        let len = vocabulary.len();
        let id = |piece: &str| vocabulary.id(piece).unwrap();
        let pair = (id("a"), id("aa"));
        let known = id("aaa");
        assert_eq!(vocabulary.merge(pair), Some(known));
        assert_eq!(vocabulary.len(), len);
        assert_eq!(
            vocabulary.merge((1, 5)),
            None,
            "special ids are never merged"
        );
        assert_eq!(vocabulary.merge((5, len as u32)), None);
    }
}
