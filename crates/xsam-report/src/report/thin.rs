//! Of very many points as many as can be seen.

use crate::plot::Point;

/// So many pieces of a curve are told apart on the paper: it is not as wide as this in points.
pub(super) const PIECES: usize = 500;

/// The points of a curve, but of each piece of it only the lowest and the highest if there are more points than are seen.
/// Its ends stay.
pub(super) fn thinned(points: &[Point]) -> Vec<Point> {
    if points.len() <= 2 * PIECES {
        return points.to_vec();
    }
    let mut kept = vec![points[0]];
    for piece in points[1..points.len() - 1].chunks(points.len().div_ceil(PIECES)) {
        // Of equals the first.
        let mean = |i: &usize| piece[*i].mean;
        let lowest = (0..piece.len()).min_by(|a, b| mean(a).total_cmp(&mean(b)));
        let highest = (0..piece.len())
            .rev()
            .max_by(|a, b| mean(a).total_cmp(&mean(b)));
        let (a, b) = (lowest.min(highest), lowest.max(highest));
        kept.extend(a.map(|i| piece[i]));
        kept.extend(b.filter(|_| a != b).map(|i| piece[i]));
    }
    kept.push(points[points.len() - 1]);
    kept
}

/// At most so many of them, evenly apart, with the first and the last.
pub(super) fn spread_out<T: Copy>(all: &[T], most: usize) -> Vec<T> {
    let wanted = most.min(all.len());
    let gaps = wanted.saturating_sub(1).max(1);
    let at = |i: usize| (i * all.len().saturating_sub(1) + gaps / 2) / gaps;
    (0..wanted).map(|i| all[at(i)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_choice_has_both_ends() {
        let all: Vec<usize> = (1..=60).collect();
        assert_eq!(spread_out(&all, 7), [1, 11, 21, 31, 40, 50, 60]);
        assert_eq!(spread_out(&all[..2], 7), [1, 2]);
        assert_eq!(spread_out(&all[..1], 7), [1]);
        assert!(spread_out::<usize>(&[], 7).is_empty());
    }

    #[test]
    fn a_thinned_curve_keeps_its_ends_and_its_peaks() {
        let places = |points: &[Point]| points.iter().map(|p| p.x).collect::<Vec<_>>();
        let few: Vec<Point> = (0..1000).map(|i| Point::at(i as f64, 0.0)).collect();
        assert_eq!(places(&thinned(&few)), places(&few));

        let value = |i: usize| match i {
            77_777 => 9.0,
            5_000 => -9.0,
            i => (i % 7) as f64,
        };
        let many: Vec<Point> = (0..100_000)
            .map(|i| Point::at(i as f64, value(i)))
            .collect();
        let kept = thinned(&many);
        assert!(kept.len() <= 2 * PIECES + 2);
        assert!(kept.is_sorted_by(|a, b| a.x < b.x));
        for place in [0.0, 5_000.0, 77_777.0, 99_999.0] {
            assert!(kept.iter().any(|point| point.x == place), "{place}");
        }
    }
}
