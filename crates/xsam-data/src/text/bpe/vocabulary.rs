//! Characters, the pieces merged from them, and how words divide into pieces.

use std::collections::{BTreeSet, HashMap};

use super::{SPECIAL, UNK};

/// Ends every word. A blank, since no word has one: nothing in a text is mistaken for it.
pub(super) const END_OF_WORD: char = ' ';

/// Two pieces that are neighbours.
pub(super) type Pair = (u32, u32);

/// What a pair of pieces becomes, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

    /// In ascending order.
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

    /// The piece that is this text.
    pub(super) fn id(&self, piece: &str) -> Option<u32> {
        self.ids.get(piece).copied()
    }

    /// The characters of a word and its end, as ids.
    pub(super) fn characters(&self, word: &str) -> Vec<u32> {
        let id = |c: char| self.id(c.encode_utf8(&mut [0; 4])).unwrap_or(UNK);
        word.chars().chain([END_OF_WORD]).map(id).collect()
    }

    /// The pieces of a word: of all merges that apply the one learnt first is done, until none does.
    pub(super) fn encode(&self, word: &str) -> Vec<u32> {
        let mut pieces = self.characters(word);
        let pairs = |pieces: &[u32]| {
            let pairs = pieces.windows(2).map(|pair| (pair[0], pair[1]));
            let known = pairs.filter_map(|pair| Some((*self.merges.get(&pair)?, pair)));
            known.min()
        };
        while let Some((merge, pair)) = pairs(&pieces) {
            replace(&mut pieces, pair, merge.piece, |_, _| {});
        }
        pieces
    }
}

/// What happens to one occurrence of a pair when another pair is merged.
pub(super) enum Change {
    Gained,
    Lost,
}

/// Replaces every `pair` in `pieces` by a piece, from the left, and tells what becomes of the pairs that
/// they were in.
pub(super) fn replace(
    pieces: &mut Vec<u32>,
    pair: Pair,
    by: u32,
    mut changed: impl FnMut(Pair, Change),
) {
    let mut kept = 0;
    let mut at = 0;
    while at < pieces.len() {
        let found = pieces[at] == pair.0 && pieces.get(at + 1) == Some(&pair.1);
        if found {
            if kept > 0 {
                let before = pieces[kept - 1];
                changed((before, pair.0), Change::Lost);
                changed((before, by), Change::Gained);
            }
            if let Some(&after) = pieces.get(at + 2) {
                changed((pair.1, after), Change::Lost);
                changed((by, after), Change::Gained);
            }
        }
        pieces[kept] = if found { by } else { pieces[at] };
        kept += 1;
        at += 1 + usize::from(found);
    }
    pieces.truncate(kept);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

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
