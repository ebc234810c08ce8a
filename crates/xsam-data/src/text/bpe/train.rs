//! Learns which pairs to merge.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

use super::chain::{Chain, Pair};
use super::vocabulary::{END_OF_WORD, Vocabulary};

/// Pairs that occur less often are not merged: what occurs once is no pattern.
const FEWEST: u64 = 2;

/// Bytes that a piece may have. Without a bound a word of n characters that occurs twice can become n pieces that each
/// have one character more than the last, which take n^2 bytes.
const LONGEST: usize = 4096;

/// Learns at most `merges` merges from the words of `lines`; the alphabet is empty if there is none.
pub(super) fn train<'a>(lines: impl IntoIterator<Item = &'a str>, merges: usize) -> Vocabulary {
    let mut counts: HashMap<&str, u64> = HashMap::new();
    for word in lines.into_iter().flat_map(str::split_whitespace) {
        *counts.entry(word).or_default() += 1;
    }
    // Sorted, so that nothing depends on the order in a hash table.
    let counts: BTreeMap<&str, u64> = counts.into_iter().collect();
    let letters = counts.keys().flat_map(|word| word.chars());
    let end = (!counts.is_empty()).then_some(END_OF_WORD);
    let mut vocabulary = Vocabulary::new(letters.chain(end).collect());
    let words = counts
        .iter()
        .map(|(word, &count)| (vocabulary.characters(word), count));
    let mut pairs = Pairs::of(words);
    while vocabulary.merged().len() < merges {
        let Some(pair) = pairs.most_frequent() else {
            break;
        };
        if vocabulary.length(pair) > LONGEST {
            continue;
        }
        let Some(piece) = vocabulary.merge(pair) else {
            break;
        };
        pairs.merge(pair, piece);
    }
    vocabulary
}

/// How often neighbours occur, kept up to date while they are merged: the statistics of the paper's
/// algorithm without counting everything again for every merge.
struct Pairs {
    /// The words of the text, as far as they are merged.
    chain: Chain,
    /// Where each word begins, and how often it occurs.
    words: Vec<(usize, u64)>,
    known: HashMap<Pair, Occurrences>,
    /// The largest count first, of equal ones the smallest ids. It has an entry for every pair
    /// that is at least as large as its count: counts that fall are found out when their turn comes.
    queue: BinaryHeap<(u64, Reverse<Pair>)>,
}

#[derive(Default)]
struct Occurrences {
    count: u64,
    /// All places where the pair is, and perhaps some where it was.
    places: Vec<usize>,
}

impl Pairs {
    fn of(words: impl Iterator<Item = (impl IntoIterator<Item = u32>, u64)>) -> Self {
        let mut chain = Chain::default();
        let words: Vec<_> = words
            .map(|(characters, count)| (chain.push(characters), count))
            .collect();
        let mut known: HashMap<Pair, Occurrences> = HashMap::new();
        let ends = words.iter().skip(1).map(|&(next, _)| next);
        for (&(start, count), end) in words.iter().zip(ends.chain([chain.len()])) {
            for place in start..end {
                if let Some(pair) = chain.pair(place) {
                    known.entry(pair).or_default().add(count, place);
                }
            }
        }
        let queue = known.iter().map(|(&pair, now)| (now.count, Reverse(pair)));
        Self {
            queue: queue.collect(),
            chain,
            words,
            known,
        }
    }

    /// The pair to merge next, if one is frequent enough.
    fn most_frequent(&mut self) -> Option<Pair> {
        while let Some((count, Reverse(pair))) = self.queue.pop() {
            if count < FEWEST {
                return None;
            }
            let now = self.known.get(&pair).map_or(0, |pair| pair.count);
            if now == count {
                return Some(pair);
            }
            if now < count {
                self.queue.push((now, Reverse(pair)));
            }
        }
        None
    }

    /// Replaces the neighbours `pair` by `piece` in all words, from the left.
    fn merge(&mut self, pair: Pair, piece: u32) {
        let Some(mut merged) = self.known.remove(&pair) else {
            return;
        };
        merged.places.sort_unstable();
        let mut grown = Vec::new();
        for place in merged.places {
            // It is not, if what was there has become part of another piece, as the second pair of "aaa" has.
            if self.chain.pair(place) != Some(pair) {
                continue;
            }
            let count = self.count_at(place);
            let before = self.chain.before(place);
            self.chain.merge(place, piece);
            if let Some(left) = before
                && let Some(before) = self.chain.piece(left)
            {
                self.lose((before, pair.0), count);
                self.gain((before, piece), count, left);
                grown.push((before, piece));
            }
            if let Some(after) = self.chain.piece(self.chain.next(place)) {
                self.lose((pair.1, after), count);
                self.gain((piece, after), count, place);
                grown.push((piece, after));
            }
        }
        grown.sort_unstable();
        grown.dedup();
        let counted = |pair: &Pair| self.known.get(pair).map(|now| (now.count, Reverse(*pair)));
        self.queue.extend(grown.iter().filter_map(counted));
    }

    fn gain(&mut self, pair: Pair, count: u64, place: usize) {
        self.known.entry(pair).or_default().add(count, place);
    }

    fn lose(&mut self, pair: Pair, count: u64) {
        // The merged pair itself is no longer counted: where it overlaps, as in "aaa", it is also lost as a neighbour.
        if let Some(pair) = self.known.get_mut(&pair) {
            pair.count -= count;
        }
    }

    /// How often the word occurs that has this place.
    fn count_at(&self, place: usize) -> u64 {
        let words = self.words.partition_point(|&(start, _)| start <= place);
        words.checked_sub(1).map_or(0, |word| self.words[word].1)
    }
}

impl Occurrences {
    fn add(&mut self, count: u64, place: usize) {
        self.count += count;
        self.places.push(place);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::random::{Purpose, Stream};

    /// The merges learnt, as text.
    fn learnt(vocabulary: &Vocabulary) -> Vec<[&str; 2]> {
        let piece = |id| vocabulary.piece(id).unwrap();
        let merged = vocabulary.merged().iter();
        merged.map(|&(a, b)| [piece(a), piece(b)]).collect()
    }

    /// The algorithm as in the paper: everything is counted again for every merge.
    fn counted_again_and_again(lines: &[String], merges: usize) -> Vocabulary {
        let words = || lines.iter().flat_map(|line| line.split_whitespace());
        let letters = words().flat_map(str::chars);
        let mut vocabulary = Vocabulary::new(letters.chain([END_OF_WORD]).collect());
        let characters = |word| vocabulary.characters(word).collect();
        let mut words: Vec<Vec<u32>> = words().map(characters).collect();
        for _ in 0..merges {
            let mut counts: BTreeMap<Pair, u64> = BTreeMap::new();
            for word in &words {
                // Overlapping occurrences count, as they do in the paper.
                for pair in word.windows(2) {
                    *counts.entry((pair[0], pair[1])).or_default() += 1;
                }
            }
            let best = counts
                .iter()
                .max_by_key(|&(&pair, &count)| (count, Reverse(pair)));
            let Some((&pair, _)) = best.filter(|&(_, &count)| count >= FEWEST) else {
                break;
            };
            let piece = vocabulary.merge(pair).unwrap();
            for word in &mut words {
                let mut merged = Vec::new();
                for &id in word.iter() {
                    // The piece just made cannot be half of the pair: it is longer than both.
                    if id == pair.1 && merged.last() == Some(&pair.0) {
                        merged.pop();
                        merged.push(piece);
                    } else {
                        merged.push(id);
                    }
                }
                *word = merged;
            }
        }
        vocabulary
    }

    #[test]
    fn the_example_of_the_paper_comes_out() {
        // Sennrich et al., algorithm 1: its vocabulary, and what its program prints for ten merges
        // but for the choice among equally frequent pairs.
        let line = [
            "low ".repeat(5),
            "lower ".repeat(2),
            "newest ".repeat(6),
            "widest ".repeat(3),
        ];
        let vocabulary = train([line.concat().as_str()], 10);
        let expected = [
            ["e", "s"],   // 9
            ["t", " "],   // 9, and not "es", "t"
            ["es", "t "], // 9
            ["l", "o"],   // 7
            ["lo", "w"],  // 7
            ["e", "w"],   // 6, as are the next two
            ["n", "ew"],
            ["new", "est "],
            ["low", " "],  // 5
            ["d", "est "], // 3
        ];
        assert_eq!(learnt(&vocabulary), expected);
    }

    #[test]
    fn counts_kept_up_to_date_are_those_counted_again() {
        for seed in 0..60 {
            let mut random = Stream::new(Purpose::Order, seed, 0);
            // Few letters, so that pairs overlap.
            let letters = ["a", "b", "c", "ä", " "];
            let letters = &letters[4 - (seed as usize % 3 + 1)..];
            let lines: Vec<String> = (0..20)
                .map(|_| {
                    (0..40)
                        .map(|_| letters[random.below(letters.len())])
                        .collect()
                })
                .collect();
            for merges in [1, 7, 200] {
                let quick = train(lines.iter().map(String::as_str), merges);
                assert_eq!(quick, counted_again_and_again(&lines, merges), "{lines:?}");
            }
        }
    }

    #[test]
    fn training_ends_when_no_pair_occurs_twice() {
        let vocabulary = train(["ab ab", "xyz"], usize::MAX);
        assert_eq!(learnt(&vocabulary), [["a", "b"], ["ab", " "]]);
        let none = train([" "], 10);
        assert!(none.alphabet().is_empty() && none.merged().is_empty());
    }

    #[test]
    fn words_are_encoded_as_training_left_them() {
        let lines = ["banana bandana cabana ananas", "banana bans aaaaaaa aaaaa"];
        let vocabulary = train(lines, 12);
        let mut pairs: HashMap<&str, Vec<u32>> = HashMap::new();
        for word in lines.iter().flat_map(|line| line.split(' ')) {
            let mut state = Chain::default();
            state.push(vocabulary.characters(word));
            for &pair in vocabulary.merged() {
                let spelled = [pair.0, pair.1].map(|id| vocabulary.piece(id).unwrap());
                let piece = vocabulary.id(&spelled.concat()).unwrap();
                for place in 0..state.len() {
                    if state.pair(place) == Some(pair) {
                        state.merge(place, piece);
                    }
                }
            }
            pairs.insert(word, state.pieces().collect());
        }
        for (word, pieces) in pairs {
            assert_eq!(vocabulary.encode(word), pieces, "{word}");
        }
    }

    #[test]
    fn a_word_that_would_become_ever_longer_pieces_becomes_no_longer_ones_than_allowed() {
        // Letters that descend: of equally frequent pairs the last one is the first, with all that it has become.
        let letters = (0..20_000)
            .rev()
            .filter_map(|i| char::from_u32(0x20000 + i));
        let word: String = letters.collect();
        let vocabulary = train([word.as_str(), word.as_str()], usize::MAX);
        let pieces = (0..vocabulary.len() as u32).filter_map(|id| vocabulary.piece(id));
        let lengths: Vec<usize> = pieces.map(str::len).collect();
        assert!(lengths.iter().all(|&length| length <= LONGEST));
        assert!(lengths.iter().any(|&length| length + 4 > LONGEST));
    }
}
