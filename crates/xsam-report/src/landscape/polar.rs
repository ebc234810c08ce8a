//! A function on a polar grid, at any point of the plane.

use std::f64::consts::TAU;

/// Values at distances, which are evenly apart from the first one on and of which the first is as far from zero as from
/// the second, and at angles that divide the circle.
pub(super) struct Polar<'a> {
    pub(super) distances: &'a [f64],
    pub(super) angles: usize,
    pub(super) centre: f64,
    /// Distances run fastest.
    pub(super) values: &'a [f64],
}

impl Polar<'_> {
    /// The value at a point, interpolated between the four around it; beyond the last distance that at the last.
    pub(super) fn at(&self, x: f64, y: f64) -> f64 {
        let n = self.distances.len();
        let (Some(step), true) = (self.distances.first(), self.angles > 0) else {
            return self.centre;
        };
        let ring = (x.hypot(y) / step).min(n as f64);
        let inner = (ring.floor() as usize).min(n - 1);
        let turn = y.atan2(x).rem_euclid(TAU) / TAU * self.angles as f64;
        let first = (turn.floor() as usize) % self.angles;
        let between = turn - turn.floor();
        let on_ring = |ring: usize| {
            let value = |angle: usize| match ring {
                0 => self.centre,
                _ => self.values[angle % self.angles * n + ring - 1],
            };
            mixed(value(first), value(first + 1), between)
        };
        mixed(on_ring(inner), on_ring(inner + 1), ring - inner as f64)
    }
}

/// What lies at a share of the way from `a` to `b`. At an end it is that end, even if the other one is not finite.
fn mixed(a: f64, b: f64, share: f64) -> f64 {
    match share {
        0.0 => a,
        1.0 => b,
        _ => a + share * (b - a),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plane_is_met_on_the_grid_and_between() {
        let distances: Vec<f64> = (1..=20).map(|i| 0.05 * f64::from(i)).collect();
        let angles = 360;
        let f = |x: f64, y: f64| 2.0 + 3.0 * x - y;
        let values: Vec<f64> = (0..angles)
            .flat_map(|i| {
                let angle = TAU * i as f64 / angles as f64;
                let at = move |r: &f64| f(r * angle.cos(), r * angle.sin());
                distances.iter().map(at).collect::<Vec<_>>()
            })
            .collect();
        let polar = Polar {
            distances: &distances,
            angles,
            centre: f(0.0, 0.0),
            values: &values,
        };
        for (x, y) in [
            (0.0, 0.0),
            (0.3, 0.1),
            (-0.52, 0.4),
            (0.01, -0.02),
            (0.7, -0.7),
        ] {
            let error = (polar.at(x, y) - f(x, y)).abs();
            assert!(error < 1e-3, "{x} {y}: {error}");
        }
        // Beyond the edge it is that of the edge.
        assert!((polar.at(2.0, 0.0) - f(1.0, 0.0)).abs() < 1e-9);
    }

    #[test]
    fn what_is_not_finite_reaches_no_farther_than_its_neighbours() {
        let values = [1.0, f64::NAN, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0];
        let polar = Polar {
            distances: &[1.0, 2.0],
            angles: 4,
            centre: 0.0,
            values: &values,
        };
        assert!(polar.at(2.0, 0.0).is_nan());
        assert!((polar.at(1.0, 0.0) - 1.0).abs() < 1e-12);
        assert!((polar.at(-2.0, 0.0) - 1.0).abs() < 1e-12);
    }
}
