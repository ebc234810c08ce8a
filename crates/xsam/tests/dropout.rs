//! Dropout masks, and what else passes draw at random. In a file, and so a process, of its own: masks are drawn from the
//! device's random numbers, which the tests of one process share.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::cell::RefCell;

use burn::nn::DropoutConfig;
use burn::tensor::{Distribution, Tensor};
use common::{
    Net, Point, alone, batch, bits, copy, device, every_optimizer, net, optimizer, overflowing,
    recorded, resumed, step,
};
use xsam::{
    EsamConfig, FunctionalSamConfig, LossScale, SearchSchedule, SgdOnlyConfig, SharpnessAware,
    XsamConfig,
};

type Mask = Vec<f64>;

fn mask(model: &Net) -> Mask {
    let ones = Tensor::<2>::ones([8, 8], &device());
    let mask = model.dropout.forward(ones).into_data();
    mask.iter::<f64>().collect()
}

/// A loss without a mask.
fn head(model: &Net) -> Tensor<1> {
    model.last.weight.val().square().sum()
}

/// The masks of all passes of so many steps, step by step.
fn masks(optim: &mut SharpnessAware, steps: usize) -> Vec<Vec<Mask>> {
    let mut model = Net::new(&device(), 0.5);
    let mut found = Vec::new();
    for _ in 0..steps {
        let seen = RefCell::new(Vec::new());
        let step = step(optim, 0.1, model, |m: &Net| {
            seen.borrow_mut().push(mask(m));
            head(m)
        });
        let passes = step.report.passes;
        let seen = seen.into_inner();
        assert_eq!(seen.len(), passes.gradients + passes.losses);
        model = step.model;
        found.push(seen);
    }
    found
}

fn all_differ(masks: &[Mask]) -> bool {
    let earlier = |(i, mask): (usize, &Mask)| masks[..i].contains(mask);
    !masks.iter().enumerate().any(earlier)
}

#[test]
fn all_passes_of_a_step_have_the_same_masks_unless_asked_otherwise() {
    let _alone = alone();
    for new in every_optimizer() {
        for mut optim in [new.clone(), new.clone().with_replay_dropout(7)] {
            let steps = masks(&mut optim, 3);
            for step in &steps {
                assert!(step.iter().all(|mask| mask == &step[0]), "{optim:?}");
            }
            let firsts: Vec<_> = steps.iter().map(|step| step[0].clone()).collect();
            assert!(all_differ(&firsts), "{optim:?}");
        }
        let fresh = masks(&mut new.clone().with_fresh_dropout(), 2).concat();
        assert!(all_differ(&fresh), "{new:?}");
    }
    // The first step searches.
    let xsam = masks(&mut optimizer(XsamConfig::new()), 2);
    assert_eq!([xsam[0].len(), xsam[1].len()], [2 + 21, 2]);
}

#[test]
fn passes_by_logits_have_the_same_masks() {
    let _alone = alone();
    let mut optim = optimizer(FunctionalSamConfig::new().with_ascent_steps(2));
    let mut model = Net::new(&device(), 0.5);
    for _ in 0..2 {
        let seen = RefCell::new(Vec::new());
        let logits = |m: &Net, (): &()| {
            seen.borrow_mut().push(mask(m));
            m.last.weight.val()
        };
        let loss = |logits: Tensor<2>, (): &()| logits.square().sum();
        let step = optim.step_by_logits(0.1, model, &[()], logits, loss);
        model = step.unwrap().model;
        let seen = seen.into_inner();
        assert_eq!(seen.len(), 3);
        assert!(seen.iter().all(|mask| mask == &seen[0]));
    }
}

#[test]
fn passes_by_samples_have_the_same_masks() {
    let _alone = alone();
    let mut optim = optimizer(EsamConfig::new().with_beta(1.0));
    let mut model = Net::new(&device(), 0.5);
    for _ in 0..2 {
        let seen = RefCell::new(Vec::new());
        let losses = |m: &Net, samples: &Vec<usize>| {
            seen.borrow_mut().push(mask(m));
            let losses = m.last.weight.val().square().sum_dim(1).squeeze_dim::<1>(1);
            losses.narrow(0, 0, samples.len())
        };
        let chosen = |_: &Vec<usize>, some: &[usize]| some.to_vec();
        let samples = Vec::from_iter(0..8);
        let step = optim.step_by_samples(0.1, model, &[samples], losses, chosen);
        model = step.unwrap().model;
        let seen = seen.into_inner();
        assert_eq!(seen.len(), 3);
        assert!(seen.iter().all(|mask| mask == &seen[0]));
    }
}

#[test]
fn the_devices_seed_decides_the_masks() {
    let _alone = alone();
    let seeded = |seed| {
        device().seed(seed);
        masks(&mut optimizer(XsamConfig::new()), 2)
    };
    let one = seeded(1);
    assert_eq!(seeded(1), one);
    assert_ne!(seeded(2)[0][0], one[0][0]);
    // Where a seed is given it decides.
    let given = |seed| {
        device().seed(seed);
        let mut optim = optimizer(XsamConfig::new()).with_replay_dropout(7);
        masks(&mut optim, 2)
    };
    assert_eq!(given(1), given(2));
}

fn spread(alphas: &[f64]) -> f64 {
    let most = alphas.iter().copied().fold(f64::MIN, f64::max);
    most - alphas.iter().copied().fold(f64::MAX, f64::min)
}

fn searching() -> SharpnessAware {
    let config = XsamConfig::new().with_rho(0.5);
    optimizer(config.with_search(SearchSchedule::EverySteps(1)))
}

/// Masks lift the loss, in each step otherwise, and have no part in where it is highest.
#[test]
fn searches_at_fixed_weights_find_one_alpha_whatever_the_masks() {
    let _alone = alone();
    let dropout = DropoutConfig::new(0.5).init();
    let start = Point::new(&[1.0, -0.5, 2.0], 1);
    let alphas = |mut optim: SharpnessAware, lifted: f64| -> Vec<f64> {
        let search = |_| {
            let step = step(&mut optim, 0.0, start.clone(), |m: &Point| {
                let mask = dropout.forward(m.joined().ones_like().repeat_dim(0, 20));
                m.quadratic(&[1.0, 4.0, 0.5]) + mask.mean() * lifted
            });
            step.report.alpha.unwrap()
        };
        (0..8).map(search).collect()
    };
    let without = alphas(searching(), 0.0);
    assert_eq!(spread(&without), 0.0);
    assert_eq!(alphas(searching(), 10.0), without);
    let given = searching().with_replay_dropout(7);
    assert_eq!(alphas(given, 10.0), without);
    let fresh = alphas(searching().with_fresh_dropout(), 10.0);
    assert!(spread(&fresh) > 0.3, "{fresh:?}");
}

/// The same step, made again: weights, batch and state are the same.
#[test]
fn a_search_that_is_repeated_finds_the_same_curve() {
    let _alone = alone();
    let batch = batch();
    let curves = |mut optim: SharpnessAware| -> Vec<(Vec<f64>, f64)> {
        let loss = |m: &Net| m.loss(&batch);
        let model = step(&mut optim, 0.1, Net::new(&device(), 0.5), loss).model;
        let search = |_| {
            let report = step(&mut optim.clone(), 0.1, copy(&model), loss).report;
            (report.search.unwrap().losses, report.alpha.unwrap())
        };
        (0..8).map(search).collect()
    };
    let shared = curves(searching());
    assert!(shared.iter().all(|curve| curve == &shared[0]));
    let fresh = curves(searching().with_fresh_dropout());
    let alphas: Vec<f64> = fresh.iter().map(|(_, alpha)| *alpha).collect();
    assert!(spread(&alphas) > 0.3, "{alphas:?}");
}

#[test]
fn each_part_of_a_batch_has_the_same_masks_in_every_pass() {
    let _alone = alone();
    let parts = [0_usize, 1, 2];
    let seen = RefCell::new(vec![Vec::new(); parts.len()]);
    let loss = |m: &Net, part: &usize| {
        seen.borrow_mut()[*part].push(mask(m));
        head(m)
    };
    let check = || {
        let seen = seen.replace(vec![Vec::new(); parts.len()]);
        for part in &seen {
            assert!(part.iter().all(|mask| mask == &part[0]));
        }
        let firsts: Vec<_> = seen.iter().map(|part| part[0].clone()).collect();
        assert!(all_differ(&firsts));
        firsts
    };
    for mut optim in every_optimizer() {
        let model = Net::new(&device(), 0.5);
        let step = optim.step_accumulated(0.1, model, &parts, loss).unwrap();
        let accumulated = check();
        optim
            .step_m_sharpness(0.1, step.model, &parts, loss)
            .unwrap();
        assert!(all_differ(&[accumulated, check()].concat()));
    }
}

#[test]
fn a_pass_that_is_repeated_has_the_masks_of_the_first() {
    let _alone = alone();
    let scale = LossScale::dynamic().with_start(512.0).unwrap();
    let mut optim = optimizer(XsamConfig::new()).with_loss_scale(scale);
    let seen = RefCell::new(Vec::new());
    let step = step(&mut optim, 0.1, Net::new(&device(), 0.5), |m: &Net| {
        seen.borrow_mut().push(mask(m));
        overflowing(head(m))
    });
    // Twice too large at the weights.
    assert_eq!(step.report.passes.gradients, 2 + 2);
    let seen = seen.into_inner();
    assert!(seen.iter().all(|mask| mask == &seen[0]));
}

#[test]
fn a_resumed_run_has_the_masks_of_an_uninterrupted_one() {
    let _alone = alone();
    let mut optim = optimizer(XsamConfig::new());
    masks(&mut optim, 2);
    let bytes = recorded(&optim);
    let expected = masks(&mut optim, 2);
    let on = |optim: SharpnessAware| masks(&mut resumed(optim, &bytes), 2);
    let new = || optimizer(XsamConfig::new());
    assert_eq!(on(new()), expected);
    // What an optimizer was told stays its own.
    assert_ne!(on(new().with_replay_dropout(7)), expected);
    assert!(all_differ(&on(new().with_fresh_dropout()).concat()));
}

/// The weights of a module are drawn when they are first looked at: by the first step, as a rule.
#[test]
fn weights_that_a_step_is_first_to_draw_are_those_of_the_seed() {
    let _alone = alone();
    let device = device();
    device.seed(3);
    let expected = bits(&Net::new(&device, 0.5));
    let new = || optimizer(SgdOnlyConfig::new());
    let (fresh, replayed) = (new().with_fresh_dropout(), new().with_replay_dropout(7));
    for mut optim in [new(), fresh, replayed] {
        device.seed(3);
        let model = step(&mut optim, 0.0, Net::new(&device, 0.5), head).model;
        assert_eq!(bits(&model), expected, "{optim:?}");
    }
}

/// What a loop draws between steps goes on, and does not repeat itself.
#[test]
fn a_loop_that_draws_between_steps_gets_other_numbers_each_time() {
    let _alone = alone();
    let mut optim = optimizer(XsamConfig::new());
    let mut model = net();
    let mut drawn = Vec::new();
    for _ in 0..4 {
        let noise = Tensor::<1>::random([8], Distribution::Default, &device()).into_data();
        drawn.push(noise.iter::<f64>().collect::<Vec<_>>());
        model = step(&mut optim, 0.1, model, head).model;
    }
    assert!(all_differ(&drawn));
}
