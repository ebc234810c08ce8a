//! Exact iterates of the family, worked out here in plain f64 arithmetic from the papers' formulas.

use crate::common::by_hand::{
    CURVATURE, ROUNDING, START, along_the_arc, ascend, axpy, dot, elementwise, gradient, mean,
    no_scaling, norm, orthogonal, points_without, times,
};
use crate::common::{Point, assert_close, step};
use xsam::method::MethodConfig;
use xsam::optim::FusedSgdConfig;
use xsam::{
    Friendly, FriendlySamConfig, GamConfig, GsamConfig, LookSamConfig, LookXsamConfig,
    LookbehindSamConfig, MomentumSamConfig, MsamConfig, Scaling, SearchSchedule, SharpnessAware,
    StableSamConfig, UsamConfig, WsamConfig, XsamConfig, ZSharpConfig,
};

const LR: f64 = 0.1;
const MOMENTUM: f64 = 0.9;
const DECAY: f64 = 1e-3;

/// Some steps of a method on the quadratic, around SGD with momentum and weight decay.
fn steps(config: impl MethodConfig, count: usize) -> Vec<f64> {
    steps_split(config, count, 2)
}

/// The same, with so many of the weights in the first of two parameters.
fn steps_split(config: impl MethodConfig, steps: usize, split: usize) -> Vec<f64> {
    let base = FusedSgdConfig::new()
        .with_momentum(MOMENTUM)
        .with_weight_decay(DECAY);
    let mut optim = SharpnessAware::new(base.init().unwrap(), config).unwrap();
    let mut point = Point::new(&START, split);
    for _ in 0..steps {
        point = step(&mut optim, LR, point, |m: &Point| m.quadratic(&CURVATURE)).model;
    }
    point.values()
}

/// SGD with momentum and weight decay.
struct Base {
    velocity: Vec<f64>,
}

impl Base {
    fn new() -> Self {
        Self {
            velocity: vec![0.0; START.len()],
        }
    }

    fn step(&mut self, w: &[f64], gradient: &[f64]) -> Vec<f64> {
        let decayed = axpy(gradient, DECAY, w);
        self.velocity = axpy(&decayed, MOMENTUM, &self.velocity);
        axpy(w, -LR, &self.velocity)
    }
}

/// Steps of the base optimizer with what `update` gives for the weights and the number of steps before.
fn by_hand(steps: usize, mut update: impl FnMut(&[f64], usize) -> Vec<f64>) -> Vec<f64> {
    let mut base = Base::new();
    (0..steps).fold(START.to_vec(), |w, step| {
        let gradient = update(&w, step);
        base.step(&w, &gradient)
    })
}

fn points(w: &[f64], rho: f64, k: usize) -> Vec<Vec<f64>> {
    points_without(&[0.0; 4], w, rho, k, no_scaling)
}

#[test]
fn gsam_takes_away_what_leaves_the_perturbed_loss() {
    for (k, alpha) in [(1, 0.4), (3, 0.05)] {
        let config = GsamConfig::new().with_rho(0.3).with_alpha(alpha);
        let config = config.with_ascent_steps(k);
        let expected = by_hand(2, |w, _| {
            let top = gradient(&ascend(w, 0.3, k, no_scaling));
            let across = orthogonal(&gradient(w), &top);
            assert!(dot(&across, &top).abs() < 1e-9 && norm(&across) > 0.01);
            axpy(&top, -alpha, &across)
        });
        assert_close(&steps(config, 2), &expected, ROUNDING);
    }
}

#[test]
fn wsam_weighs_the_sharpness() {
    for (k, gamma) in [(1, 0.9), (2, 0.3)] {
        let c = gamma / (1.0 - gamma);
        let config = WsamConfig::new().with_rho(0.3).with_gamma(gamma);
        let config = config.with_ascent_steps(k);
        let sharpness = |w: &[f64]| {
            let top = gradient(&ascend(w, 0.3, k, no_scaling));
            times(c, &axpy(&top, -1.0, &gradient(w)))
        };
        let coupled = by_hand(2, |w, _| axpy(&gradient(w), 1.0, &sharpness(w)));
        let config_coupled = config.clone().with_decoupled(false);
        assert_close(&steps(config_coupled, 2), &coupled, ROUNDING);

        let (mut base, mut w) = (Base::new(), START.to_vec());
        for _ in 0..2 {
            let sharpness = sharpness(&w);
            w = axpy(&base.step(&w, &gradient(&w)), -LR, &sharpness);
        }
        assert_close(&steps(config, 2), &w, ROUNDING);
        assert!(norm(&axpy(&w, -1.0, &coupled)) > 1e-3);
    }
}

#[test]
fn looksam_adds_what_it_kept() {
    for (k, every) in [(1, 2), (2, 3)] {
        let config = LookSamConfig::new()
            .with_rho(0.3)
            .with_ascent_steps(k)
            .with_every(every)
            .with_alpha(0.6);
        let mut kept = Vec::new();
        let expected = by_hand(5, |w, step| {
            let own = gradient(w);
            if step % every == 0 {
                let top = gradient(&ascend(w, 0.3, k, no_scaling));
                kept = orthogonal(&top, &own);
                return top;
            }
            axpy(&own, 0.6 * norm(&own) / norm(&kept), &kept)
        });
        assert_close(&steps(config, 5), &expected, ROUNDING);
    }
}

#[test]
fn friendly_sam_ascends_without_the_average() {
    let adaptive = (Scaling::Elementwise, elementwise as fn(&[f64]) -> Vec<f64>);
    let plain = (Scaling::None, no_scaling as fn(&[f64]) -> Vec<f64>);
    for (k, sigma, lambda, (scaling, t)) in [
        (1, 1.0, 0.9, plain),
        (2, 0.7, 0.6, plain),
        (2, 0.7, 0.6, adaptive),
    ] {
        let config = FriendlySamConfig::new()
            .with_rho(0.3)
            .with_ascent_steps(k)
            .with_adaptive(scaling)
            .with_sigma(sigma)
            .with_lambda(lambda);
        let mut average = vec![0.0; 4];
        let expected = by_hand(3, |w, _| {
            average = axpy(&times(lambda, &average), 1.0 - lambda, &gradient(w));
            let points = points_without(&times(sigma, &average), w, 0.3, k, t);
            gradient(&points[k - 1])
        });
        assert_close(&steps(config, 3), &expected, ROUNDING);
    }
}

#[test]
fn msam_takes_the_mean_of_the_gradients_on_the_way() {
    for k in [2, 3] {
        let config = MsamConfig::new().with_rho(0.3).with_ascent_steps(k);
        let expected = by_hand(2, |w, _| {
            let gradients: Vec<_> = points(w, 0.3, k).iter().map(|at| gradient(at)).collect();
            mean(&gradients)
        });
        assert_close(&steps(config, 2), &expected, ROUNDING);
    }
}

#[test]
fn stable_sam_has_the_length_of_the_gradient_at_the_weights() {
    for k in [1, 3] {
        let config = StableSamConfig::new().with_rho(0.3).with_ascent_steps(k);
        let expected = by_hand(2, |w, _| {
            let top = gradient(&ascend(w, 0.3, k, no_scaling));
            times(norm(&gradient(w)) / norm(&top), &top)
        });
        assert_close(&steps(config, 2), &expected, ROUNDING);
    }
}

#[test]
fn unnormalized_sam_goes_as_far_as_the_gradient_says() {
    for k in [1, 3] {
        let config = UsamConfig::new().with_rho(0.06).with_ascent_steps(k);
        let expected = by_hand(2, |w, _| {
            let climb = |w: Vec<f64>, _| axpy(&w, 0.06 / k as f64, &gradient(&w));
            gradient(&(0..k).fold(w.to_vec(), climb))
        });
        assert_close(&steps(config, 2), &expected, ROUNDING);
    }
}

/// Sizes of the standard scores of a parameter's gradient.
fn standard_scores(gradient: &[f64]) -> Vec<f64> {
    let count = gradient.len() as f64;
    let mean = gradient.iter().sum::<f64>() / count;
    let square = gradient.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / count;
    let score = |g: &f64| (g - mean).abs() / (square.sqrt() + 1e-8);
    gradient.iter().map(score).collect()
}

#[test]
fn zsharp_ascends_along_what_stands_out() {
    for (k, percentile) in [(1, 0.5), (2, 0.7), (1, 0.0)] {
        let config = ZSharpConfig::new()
            .with_rho(0.3)
            .with_percentile(percentile)
            .with_ascent_steps(k);
        let expected = by_hand(2, |w, _| {
            let climb = |at: Vec<f64>, _| {
                let gradient = gradient(&at);
                let scores = [
                    standard_scores(&gradient[..1]),
                    standard_scores(&gradient[1..]),
                ];
                let scores = scores.concat();
                let mut sorted = scores.clone();
                sorted.sort_by(f64::total_cmp);
                let rank = (percentile * 3.0).ceil() as usize;
                let kept = |(g, score): (&f64, &f64)| if *score >= sorted[rank] { *g } else { 0.0 };
                let direction: Vec<f64> = gradient.iter().zip(&scores).map(kept).collect();
                axpy(&at, 0.3 / k as f64 / norm(&direction), &direction)
            };
            gradient(&(0..k).fold(w.to_vec(), climb))
        });
        assert_close(&steps_split(config, 2, 1), &expected, ROUNDING);
    }
}

#[test]
fn gam_goes_down_the_largest_gradient_nearby() {
    for alpha in [1.0, 0.3] {
        let config = GamConfig::new().with_rho(0.3).with_alpha(alpha);
        let expected = by_hand(2, |w, _| {
            let along = |at: &[f64], direction: &[f64]| axpy(at, 0.3 / norm(direction), direction);
            let first = gradient(w);
            let change = axpy(&gradient(&along(w, &first)), -1.0, &first);
            let adversary = along(w, &change);
            let there = gradient(&adversary);
            let beyond = gradient(&along(&adversary, &there));
            axpy(&first, alpha, &axpy(&beyond, -1.0, &there))
        });
        assert_close(&steps(config, 2), &expected, ROUNDING);
    }
}

#[test]
fn momentum_sam_looks_ahead_along_the_momentum() {
    let config = MomentumSamConfig::new().with_rho(0.3).with_momentum(0.7);
    let mut velocity: Vec<f64> = Vec::new();
    let expected = by_hand(4, |w, step| {
        let at = match step {
            0 => w.to_vec(),
            _ => axpy(w, -0.3 / norm(&velocity), &velocity),
        };
        let gradient = gradient(&at);
        velocity = match step {
            0 => gradient.clone(),
            _ => axpy(&gradient, 0.7, &velocity),
        };
        gradient
    });
    assert_close(&steps(config, 4), &expected, ROUNDING);
}

#[test]
fn lookbehind_sam_descends_with_every_gradient_and_goes_back() {
    for (k, alpha) in [(1, 0.5), (2, 0.5), (3, 0.2), (2, 1.0)] {
        let config = LookbehindSamConfig::new()
            .with_rho(0.3)
            .with_ascent_steps(k)
            .with_alpha(alpha);
        let (mut base, mut slow) = (Base::new(), START.to_vec());
        for _ in 0..2 {
            let mut fast = slow.clone();
            for at in points(&slow, 0.3, k) {
                fast = base.step(&fast, &gradient(&at));
            }
            slow = axpy(&slow, alpha, &axpy(&fast, -1.0, &slow));
        }
        assert_close(&steps(config, 2), &slow, ROUNDING);
    }
}

/// XSAM with this alpha, or with a search in every step.
fn at_or_searching(xsam: XsamConfig, alpha: Option<f64>) -> XsamConfig {
    match alpha {
        Some(alpha) => xsam.with_alpha(alpha),
        None => xsam.with_search(SearchSchedule::EverySteps(1)),
    }
}

/// What XSAM turned `own` by: direction, angle, stretch.
fn turn(own: &[f64], update: &[f64]) -> (Vec<f64>, f64, f64) {
    let cosine = dot(own, update) / norm(own) / norm(update);
    let towards = orthogonal(&times(1.0 / norm(update), update), own);
    (towards, cosine.acos(), norm(update) / norm(own))
}

#[test]
fn look_xsam_turns_the_gradients_between() {
    for (k, alpha) in [(1, Some(1.4)), (2, Some(0.3)), (1, None)] {
        let xsam = XsamConfig::new().with_rho(0.3).with_ascent_steps(k);
        let xsam = at_or_searching(xsam, alpha);
        let mut kept = None;
        let expected = by_hand(5, |w, step| {
            let own = gradient(w);
            if step % 2 == 0 {
                let top = ascend(w, 0.3, k, no_scaling);
                let (update, _) = along_the_arc(w, &top, 0.6, alpha);
                kept = Some(turn(&own, &update));
                return update;
            }
            let (towards, angle, stretch) = kept.clone().unwrap();
            let across = orthogonal(&towards, &own);
            let length = stretch * norm(&own);
            let along = times(length * angle.cos() / norm(&own), &own);
            axpy(&along, length * angle.sin() / norm(&across), &across)
        });
        let config = LookXsamConfig::from(xsam).with_every(2);
        // The arc cosines by hand lose digits.
        assert_close(&steps(config, 5), &expected, 1e-9);
    }
}

#[test]
fn xsam_goes_with_adaptive_and_with_friendly_ascent() {
    for (k, alpha) in [(1, Some(0.4)), (2, Some(1.7)), (2, None)] {
        let xsam = XsamConfig::new()
            .with_rho(0.3)
            .with_rho_max(0.5)
            .with_ascent_steps(k);
        let xsam = at_or_searching(xsam, alpha);
        let expected = by_hand(2, |w, _| {
            let top = ascend(w, 0.3, k, elementwise);
            along_the_arc(w, &top, 0.5, alpha).0
        });
        let config = xsam.clone().with_adaptive(Scaling::Elementwise);
        assert_close(&steps(config, 2), &expected, ROUNDING);

        let mut average = vec![0.0; 4];
        let expected = by_hand(3, |w, _| {
            average = axpy(&times(0.6, &average), 0.4, &gradient(w));
            let points = points_without(&times(0.8, &average), w, 0.3, k, no_scaling);
            along_the_arc(w, &points[k - 1], 0.5, alpha).0
        });
        let friendly = Friendly {
            sigma: 0.8,
            lambda: 0.6,
        };
        assert_close(&steps(xsam.with_friendly(friendly), 3), &expected, ROUNDING);
    }
}
