//! The search for alpha: where it finds it, when it runs, and what it costs.

use std::cell::Cell;

use crate::common::by_hand::{axpy, dot, times, unit};
use crate::common::{self, Point, coarse, optimizer, recorded, resumed};
use xsam::method::{MethodConfig, MethodSpec};
use xsam::{
    LookXsamConfig, SamConfig, SearchReport, SearchSchedule, SharpnessAware, StepReport, XsamConfig,
};

/// One step at a learning rate of 0, so that the weights stay.
fn step(optim: &mut SharpnessAware, start: &[f64], curvature: &[f64]) -> StepReport {
    let loss = |m: &Point| m.quadratic(curvature);
    common::step(optim, 0.0, Point::new(start, 1), loss).report
}

/// The position of the maximum on the arc to a thousandth, by the formulas, in the plane of SAM's step.
fn finest(start: &[f64], curvature: &[f64], rho: f64) -> f64 {
    let gradient =
        |w: &[f64]| -> Vec<f64> { w.iter().zip(curvature).map(|(w, a)| a * w).collect() };
    let v0 = unit(&gradient(start));
    let v1 = unit(&gradient(&axpy(start, rho, &v0)));
    let psi = dot(&v0, &v1).acos();
    let loss = |alpha: f64| {
        let (c0, c1) = (((1.0 - alpha) * psi).sin(), (alpha * psi).sin());
        let v = axpy(&times(c0 / psi.sin(), &v0), c1 / psi.sin(), &v1);
        let w = axpy(start, 2.0 * rho, &v);
        0.5 * dot(&w, &gradient(&w))
    };
    let alphas = (0..=2000).map(|i| f64::from(i) / 1000.0);
    alphas.max_by(|a, b| loss(*a).total_cmp(&loss(*b))).unwrap()
}

/// Quadratics in the plane with their weights, of which the highest point of the arc is known to lie inside of it.
fn surfaces() -> Vec<([f64; 2], [f64; 2], f64)> {
    let mut surfaces = Vec::new();
    for a in [2.0, 4.0, 9.0, 25.0] {
        for x in [0.3, 0.6, 1.0, 2.0] {
            for y in [-0.5, 0.1, 0.4] {
                let (start, curvature) = ([x, y], [1.0, a]);
                let best = finest(&start, &curvature, 0.5);
                if (0.25..1.75).contains(&best) {
                    surfaces.push((start, curvature, best));
                }
            }
        }
    }
    assert!(surfaces.len() > 10, "{}", surfaces.len());
    surfaces
}

#[test]
fn a_coarse_grid_with_a_parabola_finds_the_maximum_of_the_fine_one() {
    for (start, curvature, best) in surfaces() {
        let xsam = || XsamConfig::new().with_rho(0.5);
        let coarse = xsam().with_parabola(true);
        let found = step(&mut optimizer(coarse), &start, &curvature);
        let fine = step(&mut optimizer(xsam()), &start, &curvature);
        assert_eq!((found.passes.losses, fine.passes.losses), (7, 21));
        let (found_alpha, fine_alpha) = (found.alpha.unwrap(), fine.alpha.unwrap());
        // Half a step of the fine grid: what that grid may be off by itself.
        let off = (found_alpha - best).abs();
        assert!(off < 0.05, "{found_alpha} is not {best}");
        assert!((found_alpha - fine_alpha).abs() < 0.1);
        let search = found.search.unwrap();
        assert_eq!(search.alphas.len(), 7);
        assert_eq!(search.best(), Some(found_alpha));
    }
}

#[test]
fn a_maximum_at_the_end_of_the_grid_is_not_refined() {
    // v0 and the gradient at the ascent point are above the highest curvature's direction on the arc's far side.
    for parabola in [false, true] {
        let config = XsamConfig::new().with_rho(0.1).with_grid(coarse());
        let mut optim = optimizer(config.with_parabola(parabola));
        let report = step(&mut optim, &[3.0, 1.0], &[1.0, 4.0]);
        assert_eq!((report.alpha, report.passes.losses), (Some(2.0), 6));
    }
}

#[test]
fn a_vertex_that_is_not_higher_is_not_taken() {
    let (start, curvature, _) = surfaces()[0];
    let config = XsamConfig::new().with_rho(0.5).with_grid(coarse());
    let grid = step(&mut optimizer(config.clone()), &start, &curvature);
    // The last of the calls, 0 and 1 for gradients and six for the grid, is the vertex.
    for value in [-1e3, f64::NAN] {
        let calls = Cell::new(0);
        let mut optim = optimizer(config.clone().with_parabola(true));
        let loss = |m: &Point| {
            let loss = m.quadratic(&curvature);
            match calls.replace(calls.get() + 1) {
                8 => loss * 0.0 + value,
                _ => loss,
            }
        };
        let report = common::step(&mut optim, 0.0, Point::new(&start, 1), loss).report;
        assert_eq!(calls.get(), 2 + 6 + 1);
        assert_eq!(report.alpha, grid.alpha);
        assert_eq!(report.search.unwrap().skipped, usize::from(value.is_nan()));
    }
}

#[test]
fn an_averaged_search_finds_the_maximum_of_the_mean_curve() {
    let batches = [[1.0, 9.0], [6.0, 1.0], [1.0, 4.0]];
    let start = [0.6, 0.4];
    let mut optim = optimizer(XsamConfig::new().with_rho(0.5).with_search_batches(3));
    let mut sums = vec![0.0; 21];
    let mut alone = Vec::new();
    let mut found = Vec::new();
    for (i, curvature) in batches.iter().enumerate() {
        let report = step(&mut optim, &start, curvature);
        let search = report.search.unwrap();
        assert_eq!((search.batches, report.passes.losses), (i + 1, 21));
        sums = axpy(&sums, 1.0, &search.losses);
        alone.push(search.best());
        let mean = SearchReport::new(search.alphas, sums.clone());
        assert_eq!(report.alpha, mean.best());
        found.push(report.alpha);
    }
    // The mean's maximum is not that of the last batch, nor is it where the search began.
    assert_ne!(found[2], alone[2]);
    assert_ne!(found[2], found[0]);
    let after = step(&mut optim, &start, &batches[0]);
    assert_eq!((after.search, after.alpha), (None, found[2]));
}

/// The numbers of the steps that search, and over how many batches.
fn searches(
    config: impl MethodConfig,
    steps: usize,
    curvature: impl Fn(usize) -> [f64; 2],
) -> Vec<(usize, usize)> {
    let mut optim = optimizer(config);
    let mut searches = Vec::new();
    for i in 0..steps {
        let report = step(&mut optim, &[0.6, 0.4], &curvature(i));
        if let Some(search) = report.search {
            searches.push((i, search.batches));
        }
    }
    searches
}

fn adaptive(shortest: usize, longest: usize) -> XsamConfig {
    let search = SearchSchedule::Adaptive {
        shortest,
        longest,
        tolerance: 0.05,
    };
    XsamConfig::new().with_rho(0.5).with_search(search)
}

fn numbers(searches: Vec<(usize, usize)>) -> Vec<usize> {
    searches.into_iter().map(|(step, _)| step).collect()
}

#[test]
fn an_adaptive_schedule_spaces_out_where_alpha_stays_and_comes_back_where_it_moves() {
    let change = |i| if i < 16 { [1.0, 9.0] } else { [6.0, 1.0] };
    // The first search moves alpha from 1; the one in step 23 sees the change.
    let expected = [0, 1, 3, 7, 15, 23, 27, 35];
    assert_eq!(numbers(searches(adaptive(1, 8), 40, change)), expected);
    // It begins with the shortest distance.
    let still = |_| [1.0, 9.0];
    assert_eq!(numbers(searches(adaptive(3, 3), 10, still)), [0, 3, 6, 9]);
    let moving = |i| if i % 2 == 0 { [1.0, 9.0] } else { [6.0, 1.0] };
    let expected = [0, 1, 2, 3, 4];
    assert_eq!(numbers(searches(adaptive(1, 8), 5, moving)), expected);
}

#[test]
fn searches_over_several_batches_keep_to_the_schedule() {
    let still = |_| [1.0, 9.0];
    let batches = |config: XsamConfig| config.with_search_batches(2);
    let pairs = |begun: &[usize]| -> Vec<_> {
        let pair = |&step: &usize| [(step, 1), (step + 1, 2)];
        begun.iter().flat_map(pair).collect()
    };
    let found = searches(batches(adaptive(1, 4)), 14, still);
    assert_eq!(found, pairs(&[0, 2, 5, 10]));
    let every = |n| XsamConfig::new().with_search(SearchSchedule::EverySteps(n));
    let found = searches(batches(every(4)), 7, still);
    assert_eq!(found, pairs(&[0, 4]));
    // What is due in the middle of a search begins at its end.
    let expected = [(0, 1), (1, 2), (2, 3), (3, 1), (4, 2), (5, 3)];
    for n in [1, 2] {
        let found = searches(every(n).with_search_batches(3), 6, still);
        assert_eq!(found, expected, "{n}");
    }
}

#[test]
fn an_epoch_that_starts_in_the_middle_of_a_search_has_its_own_after_it() {
    let mut optim = optimizer(XsamConfig::new().with_search_batches(2));
    let mut batches = Vec::new();
    for i in 0..6 {
        if i == 1 {
            optim.start_epoch();
        }
        let search = step(&mut optim, &[0.6, 0.4], &[1.0, 9.0]).search;
        batches.push(search.map(|search| search.batches));
    }
    assert_eq!(batches, [Some(1), Some(2), Some(1), Some(2), None, None]);
}

#[test]
fn look_xsam_searches_in_its_steps_of_xsam() {
    let still = |_| [1.0, 9.0];
    let look = |xsam| LookXsamConfig::from(xsam).with_every(3);
    let every = |n| XsamConfig::new().with_search(SearchSchedule::EverySteps(n));
    // Due in 0, 2, 4, ..: what is due in a step between is made in the next one of XSAM.
    assert_eq!(numbers(searches(look(every(2)), 10, still)), [0, 3, 6, 9]);
    assert_eq!(numbers(searches(look(every(6)), 10, still)), [0, 6]);
    let found = searches(look(every(9).with_search_batches(2)), 13, still);
    assert_eq!(found, [(0, 1), (3, 2), (9, 1), (12, 2)]);
}

#[test]
fn passes_are_counted() {
    let count = |config: &dyn MethodConfig| {
        let calls = Cell::new(0);
        let loss = |m: &Point| {
            calls.set(calls.get() + 1);
            m.quadratic(&[1.0, 9.0])
        };
        let point = Point::new(&[0.6, 0.4], 1);
        let passes = common::step(&mut optimizer(config), 0.1, point, loss)
            .report
            .passes;
        assert_eq!(calls.get(), passes.gradients + passes.losses);
        (passes.gradients, passes.losses)
    };
    assert_eq!(count(&SamConfig::new().with_ascent_steps(4)), (5, 0));
    assert_eq!(count(&XsamConfig::new()), (2, 21));
    assert_eq!(count(&XsamConfig::new().with_ascent_steps(2)), (3, 21));
    assert_eq!(count(&XsamConfig::new().with_alpha(1.1)), (2, 0));
    assert_eq!(count(&LookXsamConfig::default()), (2, 21));
}

/// A loop that never tells of an epoch searches once, for good: the report says so.
#[test]
fn a_thousand_steps_without_an_epoch_are_told() {
    let point = Point::new(&[1.0, -0.5], 1);
    let point = || point.clone();
    let loss = |m: &Point| m.quadratic(&[1.0, 4.0]);
    let run = |optim: &mut SharpnessAware, steps: usize| {
        let told = (0..steps).map(|_| {
            let step = common::step(optim, 0.0, point(), loss);
            step.report.steps_without_epoch
        });
        told.collect::<Vec<_>>()
    };
    let configs: [MethodSpec; 2] = [
        XsamConfig::new().into(),
        LookXsamConfig::default().with_every(3).into(),
    ];
    for config in configs {
        let mut optim = optimizer(&config);
        let told = run(&mut optim, 1001);
        assert!(told[..999].iter().all(Option::is_none));
        assert_eq!(told[999..], [Some(1000), Some(1001)]);
        // It survives a restart.
        let mut resumed = resumed(optimizer(&config), &recorded(&optim));
        assert_eq!(run(&mut resumed, 1), [Some(1002)]);
        // Of a batch in parts it is one step.
        let parts = [(), ()];
        let step = resumed.step_m_sharpness(0.0, point(), &parts, |m: &Point, _: &()| loss(m));
        assert_eq!(step.unwrap().report.steps_without_epoch, Some(1003));
        // An epoch ends it.
        resumed.start_epoch();
        assert_eq!(run(&mut resumed, 1), [None]);
        // Told once is not told for ever.
        assert_eq!(run(&mut resumed, 999)[998], Some(1000));
    }
    // Where no search waits for an epoch there is nothing to tell.
    for config in [
        XsamConfig::new().with_alpha(1.2),
        XsamConfig::new().with_search(SearchSchedule::EverySteps(100)),
    ] {
        let told = run(&mut optimizer(config), 1001);
        assert!(told.iter().all(Option::is_none));
    }
}
