//! The vertex of a parabola: where a curve that is known at a few positions is likely to be highest.

/// The position of the highest point of the parabola through three points, given in the order of their positions,
/// the middle one the highest.
///
/// It lies between the outer ones. `None` if the points are on a line, or if one of them is not finite. With
/// unequal distances the formula is that of Brent's method (Brent 1973, Algorithms for Minimization without
/// Derivatives, chapter 5).
pub(super) fn vertex([(x0, y0), (x1, y1), (x2, y2)]: [(f64, f64); 3]) -> Option<f64> {
    let (left, right) = (x1 - x0, x2 - x1);
    let (rise, fall) = (y1 - y0, y1 - y2);
    let below = left * fall + right * rise;
    let vertex = x1 + 0.5 * (right * right * rise - left * left * fall) / below;
    // A comparison with NaN is false.
    (below > 0.0 && vertex.is_finite()).then(|| vertex.clamp(x0, x2))
}

/// The point of the highest finite value and its two neighbours by position, if it has one on either side with
/// a finite value.
pub(super) fn bracket(positions: &[f64], values: &[f64]) -> Option<[(f64, f64); 3]> {
    let mut points: Vec<(f64, f64)> = positions
        .iter()
        .copied()
        .zip(values.iter().copied())
        .filter(|(_, value)| value.is_finite())
        .collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    points.dedup_by(|a, b| a.0 == b.0);
    let mut top = 0;
    for (i, point) in points.iter().enumerate() {
        if point.1 > points[top].1 {
            top = i;
        }
    }
    let before = top.checked_sub(1)?;
    Some([points[before], points[top], *points.get(top + 1)?])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_parabola_is_found_from_any_three_of_its_points() {
        let curve = |x: f64| 3.0 - 2.0 * (x - 1.1).powi(2);
        let points = |x: [f64; 3]| x.map(|x| (x, curve(x)));
        for x in [[0.8, 1.2, 1.6], [0.9, 1.0, 2.0], [-3.0, 1.3, 1.4]] {
            assert!((vertex(points(x)).unwrap() - 1.1).abs() < 1e-12);
        }
    }

    #[test]
    fn there_is_none_on_a_line_or_without_numbers() {
        assert_eq!(vertex([(0.0, 1.0), (1.0, 1.0), (2.0, 1.0)]), None);
        assert_eq!(vertex([(0.0, f64::NAN), (1.0, 1.0), (2.0, 0.0)]), None);
        assert_eq!(
            vertex([(0.0, f64::NEG_INFINITY), (1.0, 1.0), (2.0, 0.0)]),
            None
        );
    }

    #[test]
    fn a_bracket_is_the_highest_point_between_its_neighbours() {
        let positions = [2.0, 0.0, 1.0, 3.0];
        assert_eq!(
            bracket(&positions, &[5.0, 1.0, 2.0, 4.0]),
            Some([(1.0, 2.0), (2.0, 5.0), (3.0, 4.0)])
        );
        // A neighbour that is not finite is passed over.
        assert_eq!(
            bracket(&positions, &[5.0, 1.0, f64::NAN, 4.0]),
            Some([(0.0, 1.0), (2.0, 5.0), (3.0, 4.0)])
        );
        assert_eq!(bracket(&positions, &[5.0, 6.0, 2.0, 4.0]), None);
        assert_eq!(bracket(&positions, &[1.0, 0.0, 0.5, 4.0]), None);
        assert_eq!(bracket(&[], &[]), None);
    }
}
