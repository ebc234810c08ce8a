//! Pieces in a row, of which neighbours become one without moving the others.

/// Two pieces that are neighbours.
pub(super) type Pair = (u32, u32);

/// Marks a slot that begins no piece.
const INSIDE: u32 = 1 << 31;

/// Words as pieces, each in as many slots as it has characters.
///
/// The first slot of a piece is its id. Those that are left are marked, and the second and the last say besides how
/// many slots the piece takes, so that both of its neighbours are found at once. What is done to one place thus costs
/// the same in a word of any length. Between two words is a marked slot that says zero.
#[derive(Default)]
pub(super) struct Chain {
    slots: Vec<u32>,
}

impl Chain {
    /// Adds a word of single characters behind the others, and says where it begins.
    pub(super) fn push(&mut self, characters: impl IntoIterator<Item = u32>) -> usize {
        if !self.slots.is_empty() {
            self.slots.push(INSIDE);
        }
        let start = self.slots.len();
        self.slots.extend(characters);
        start
    }

    /// The number of slots, those between words included.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The piece that begins at `place` and the one behind it in the same word, if both are there.
    pub(super) fn pair(&self, place: usize) -> Option<Pair> {
        let left = self.piece(place)?;
        let right = self.piece(self.next(place))?;
        Some((left, right))
    }

    /// The piece that begins at `place`, if one does.
    pub(super) fn piece(&self, place: usize) -> Option<u32> {
        let slot = self.slots.get(place).copied();
        slot.filter(|slot| slot & INSIDE == 0)
    }

    /// Where the piece that begins at `place` is over.
    pub(super) fn next(&self, place: usize) -> usize {
        let second = self.slots.get(place + 1).copied().unwrap_or(0);
        let length = if second & INSIDE == 0 {
            0
        } else {
            second ^ INSIDE
        };
        place + length.max(1) as usize
    }

    /// Where the piece begins that ends before `place`, if there is one in the same word.
    pub(super) fn before(&self, place: usize) -> Option<usize> {
        let last = *self.slots.get(place.checked_sub(1)?)?;
        match (last & INSIDE == 0, last ^ INSIDE) {
            (true, _) => Some(place - 1),
            (false, 0) => None,
            (false, length) => place.checked_sub(length as usize),
        }
    }

    /// Makes one piece of that at `place` and the one behind it.
    pub(super) fn merge(&mut self, place: usize, piece: u32) {
        let right = self.next(place);
        let end = self.next(right);
        // A piece has far fewer characters than 2^31: their ids are kept as text, several times.
        let length = INSIDE | (end - place) as u32;
        self.slots[place] = piece;
        for inside in [place + 1, right, end - 1] {
            self.slots[inside] = length;
        }
    }

    /// The pieces of all words.
    pub(super) fn pieces(&self) -> impl Iterator<Item = u32> {
        self.slots.iter().copied().filter(|slot| slot & INSIDE == 0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn neighbours_are_found_after_any_merges_and_words_stay_apart() {
        let mut chain = Chain::default();
        assert_eq!(chain.push([10, 11, 12, 13, 14]), 0);
        assert_eq!(chain.push([20]), 6);
        assert_eq!(chain.push([30, 31]), 8);
        assert_eq!(chain.pair(4), None);
        assert_eq!(chain.pair(5), None);
        assert_eq!(chain.pair(6), None);
        assert_eq!([6, 8].map(|place| chain.before(place)), [None; 2]);
        chain.merge(1, 40); // 11 12
        assert_eq!(chain.pair(0), Some((10, 40)));
        assert_eq!(chain.pair(1), Some((40, 13)));
        assert_eq!(chain.pair(2), None, "it begins no piece any more");
        assert_eq!(chain.before(3), Some(1));
        chain.merge(3, 41); // 13 14
        assert_eq!(chain.pair(1), Some((40, 41)));
        assert_eq!(chain.pair(3), None);
        chain.merge(1, 42);
        assert_eq!(chain.pair(0), Some((10, 42)));
        assert!((2..5).all(|place| chain.piece(place).is_none()));
        chain.merge(0, 43);
        assert_eq!(chain.pair(0), None);
        assert_eq!(chain.before(0), None);
        chain.merge(8, 44);
        assert_eq!(chain.pieces().collect::<Vec<_>>(), [43, 20, 44]);
    }
}
