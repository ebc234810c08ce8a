//! Training by several ranks, which are threads here.

use std::sync::{Arc, Mutex};

use burn::module::Param;
use burn::tensor::{Bytes, Tensor, TensorData};
use xsam::collective::{ThreadRanks, mean_statistics};
use xsam::{
    AscentOver, Collective, LookSamConfig, LossScale, PassPoint, SamConfig, SharpnessAware,
    StepError, StepReport, XsamConfig,
};

use crate::common::by_hand::{CURVATURE, START};
use crate::common::samples::{Samples, start};
use crate::common::{
    Batch, Net, Point, assert_close, batch, bits, copy, device, every_optimizer, momentum, net,
    optimizer, overflowing, recorded, resumed,
};

/// What the ranks' sums may differ by from those of one process, whose order is another.
const ORDER: f64 = 1e-6;

/// Weights after four steps in two epochs, and what was reported.
type Trained = (Vec<f64>, Vec<StepReport>);

fn train(
    mut optim: SharpnessAware,
    mut step: impl FnMut(&mut SharpnessAware, Point) -> (Point, StepReport),
) -> Trained {
    let mut model = start();
    let mut reports = Vec::new();
    for i in 0..4 {
        if i % 2 == 0 {
            optim.start_epoch();
        }
        let (stepped, report) = step(&mut optim, model);
        model = stepped;
        reports.push(report);
    }
    (model.values(), reports)
}

fn parts(count: usize) -> Vec<Samples> {
    let each = 24 / count;
    (0..count)
        .map(|i| Samples::new(i * each..(i + 1) * each))
        .collect()
}

/// The same training on every rank, each with its part of the batch.
fn by_ranks(size: usize, optim: &SharpnessAware, over: AscentOver) -> Vec<Trained> {
    let optim = Mutex::new(optim.clone());
    ThreadRanks::run(size, |ranks| {
        let share = &parts(size)[ranks.rank()];
        let optim = optim.lock().unwrap().clone();
        let optim = optim.with_collective(ranks, over).unwrap();
        train(optim, |optim, model| {
            let step = optim.step(0.1, model, |m: &Point| share.loss(m)).unwrap();
            (step.model, step.report)
        })
    })
}

fn assert_same(found: &Trained, expected: &Trained, size: usize, of: &SharpnessAware) {
    let to_the_bit = size == 2;
    if to_the_bit {
        assert_eq!(found.0, expected.0, "{of:?}");
    }
    assert_close(&found.0, &expected.0, ORDER);
    for (found, expected) in found.1.iter().zip(&expected.1) {
        let numbers = |report: &StepReport| {
            let known = |value: Option<f64>| value.unwrap_or(-1.0);
            [
                report.loss,
                report.grad_norm,
                report.update_norm,
                known(report.ascent_loss),
                known(report.ascent_grad_norm),
                known(report.alpha),
            ]
        };
        assert_close(&numbers(found), &numbers(expected), ORDER);
        assert_eq!(found.passes, expected.passes);
    }
}

#[test]
fn ascending_over_all_ranks_is_accumulation() {
    for size in 2..=4 {
        let parts = parts(size);
        for optim in every_optimizer() {
            let expected = train(optim.clone(), |optim, model| {
                let loss = |m: &Point, part: &Samples| part.loss(m);
                let step = optim.step_accumulated(0.1, model, &parts, loss).unwrap();
                (step.model, step.report)
            });
            let found = by_ranks(size, &optim, AscentOver::All);
            for rank in &found {
                assert_eq!(rank, &found[0], "{optim:?}");
            }
            assert_same(&found[0], &expected, size, &optim);
        }
    }
}

#[test]
fn ascending_by_rank_is_m_sharpness() {
    for size in 2..=4 {
        let parts = parts(size);
        let m_sharpness = |optim: &SharpnessAware| {
            train(optim.clone(), |optim, model| {
                let loss = |m: &Point, part: &Samples| part.loss(m);
                let step = optim.step_m_sharpness(0.1, model, &parts, loss).unwrap();
                (step.model, step.report)
            })
        };
        let mut refused = 0;
        for optim in every_optimizer() {
            let one = Mutex::new(optim.clone());
            let tried = ThreadRanks::run(2, |ranks| {
                let one = one.lock().unwrap().clone();
                one.with_collective(ranks, AscentOver::Rank).map(drop)
            });
            if let Err(error) = &tried[0] {
                assert_eq!(error.field, "ascent_over");
                refused += 1;
                continue;
            }
            // Where one part searches here, all ranks do there.
            if optim.method() == "xsam" {
                continue;
            }
            let expected = m_sharpness(&optim);
            let found = by_ranks(size, &optim, AscentOver::Rank);
            for rank in &found {
                assert_eq!(rank.0, found[0].0, "{optim:?}");
            }
            assert_same(&found[0], &expected, size, &optim);
        }
        assert!(refused > 0);
        for alpha in [0.0, 0.7, 1.3] {
            let optim =
                SharpnessAware::new(momentum(), XsamConfig::new().with_alpha(alpha)).unwrap();
            let expected = m_sharpness(&optim);
            let found = by_ranks(size, &optim, AscentOver::Rank);
            assert_same(&found[0], &expected, size, &optim);
        }
    }
}

#[test]
fn a_search_by_rank_compares_means_over_the_ranks() {
    let parts = [CURVATURE, [5.0, 0.5, 1.0, 2.0]];
    let own = |part: &[f64; 4]| {
        let mut optim = optimizer(XsamConfig::new());
        let step = optim.step(0.0, Point::new(&START, 2), |m: &Point| m.quadratic(part));
        step.unwrap().report.search.unwrap()
    };
    let each = parts.each_ref().map(own);
    let means: Vec<f64> = each[0]
        .losses
        .iter()
        .zip(&each[1].losses)
        .map(|(a, b)| (a + b) / 2.0)
        .collect();
    let found = ThreadRanks::run(2, |ranks| {
        let part = parts[ranks.rank()];
        let optim = optimizer(XsamConfig::new());
        let mut optim = optim.with_collective(ranks, AscentOver::Rank).unwrap();
        let step = optim.step(0.1, Point::new(&START, 2), |m: &Point| m.quadratic(&part));
        let step = step.unwrap();
        (
            step.report.alpha,
            step.report.search.unwrap(),
            step.model.values(),
        )
    });
    assert_close(&found[0].1.losses, &means, 1e-12);
    assert_eq!(found[0].0, found[0].1.best());
    assert_eq!(found[0], found[1]);
}

#[test]
fn a_search_waits_until_every_rank_has_an_arc() {
    let line = [0.0, 0.0, 0.0, 3.0];
    for without in [line, [0.0; 4]] {
        let found = ThreadRanks::run(2, |ranks| {
            let rank = ranks.rank();
            let optim = optimizer(XsamConfig::new());
            let mut optim = optim.with_collective(ranks, AscentOver::Rank).unwrap();
            let mut searched = Vec::new();
            for step in 0..3 {
                let part = if step < 2 && rank == 1 {
                    without
                } else {
                    CURVATURE
                };
                let step = optim.step(0.01, Point::new(&START, 2), |m: &Point| m.quadratic(&part));
                searched.push(step.unwrap().report.search.is_some());
            }
            searched
        });
        assert_eq!(found, [[false, false, true], [false, false, true]]);
    }
}

/// What a record comes to in a step that goes on from it.
fn resumed_step(record: &Bytes, model: &Net, batch: &Batch) -> Vec<Vec<u64>> {
    let optim = SharpnessAware::new(momentum(), XsamConfig::new()).unwrap();
    let mut optim = resumed(optim, record);
    let step = optim
        .step(0.05, copy(model), |m: &Net| m.loss(batch))
        .unwrap();
    bits(&step.model)
}

#[test]
fn all_ranks_have_the_same_bits_after_fifty_steps() {
    for (size, over) in [
        (2, AscentOver::All),
        (3, AscentOver::All),
        (3, AscentOver::Rank),
    ] {
        let start = net();
        let batches: Vec<_> = (0..size).map(|_| batch()).collect();
        let models = ThreadRanks::run(size, |ranks| {
            let batch = &batches[ranks.rank()];
            let optim = SharpnessAware::new(momentum(), XsamConfig::new()).unwrap();
            let optim = optim.with_clip_norm(1.0).unwrap();
            let mut optim = optim.with_collective(ranks.clone(), over).unwrap();
            let mut model = copy(&start);
            for i in 0..50 {
                if i % 10 == 0 {
                    optim.start_epoch();
                }
                model = optim
                    .step(0.05, model, |m: &Net| m.loss(batch))
                    .unwrap()
                    .model;
            }
            let own = bits(&model.norm);
            let model = mean_statistics(model, &*ranks).unwrap();
            (
                own,
                bits(&model.norm),
                bits(&model),
                resumed_step(&recorded(&optim), &model, &batches[0]),
            )
        });
        for rank in &models[1..] {
            assert_ne!(
                rank.0, models[0].0,
                "the statistics of a rank's share are its own"
            );
            assert_eq!((&rank.1, &rank.2), (&models[0].1, &models[0].2));
            assert_eq!(rank.3, models[0].3, "a record serves all ranks");
        }
        let mean: Vec<f64> = (0..8)
            .map(|i| {
                models
                    .iter()
                    .map(|rank| f64::from_bits(rank.0[2][i]))
                    .sum::<f64>()
                    / size as f64
            })
            .collect();
        let found: Vec<f64> = models[0].1[2]
            .iter()
            .map(|bits| f64::from_bits(*bits))
            .collect();
        assert_close(&found, &mean, 1e-6);
    }
}

#[test]
fn a_run_goes_on_with_another_number_of_ranks() {
    let one = optimizer(XsamConfig::new());
    let steps = |mut optim: SharpnessAware, mut model: Point, share: &Samples| {
        for _ in 0..3 {
            optim.start_epoch();
            model = optim
                .step(0.1, model, |m: &Point| share.loss(m))
                .unwrap()
                .model;
        }
        (recorded(&optim), model)
    };
    let (record, model) = steps(one.clone(), start(), &Samples::new(0..24));
    let values = model.values();
    let (_, expected) = steps(
        resumed(one.clone(), &record),
        model.clone(),
        &Samples::new(0..24),
    );
    let (parts, one) = (parts(2), Mutex::new(one));
    let found = ThreadRanks::run(2, |ranks| {
        let share = &parts[ranks.rank()];
        let optim = resumed(one.lock().unwrap().clone(), &record);
        let optim = optim.with_collective(ranks, AscentOver::All).unwrap();
        steps(optim, model.clone(), share).1.values()
    });
    assert_ne!(values, expected.values());
    for found in found {
        assert_close(&found, &expected.values(), 1e-6);
    }
}

/// What each rank's second step of three comes to, where `spoiled` makes the loss of rank 1 there; the third succeeds.
fn with_a_failure(
    over: AscentOver,
    config: impl Fn() -> SharpnessAware + Sync,
    spoiled: impl Fn(&Point, PassPoint) -> Option<Tensor<1>> + Sync,
) -> Vec<StepError> {
    let parts = parts(2);
    let found = ThreadRanks::run(2, |ranks| {
        let rank = ranks.rank();
        let share = &parts[rank];
        let mut optim = config().with_collective(ranks, over).unwrap();
        let mut model = start();
        let mut failed = None;
        for i in 0..3 {
            let before = (model.values(), recorded(&optim));
            let result = optim.step_with_point(0.1, model, |m: &Point, point| {
                let spoiled = (rank == 1 && i == 1).then(|| spoiled(m, point)).flatten();
                spoiled.unwrap_or_else(|| share.loss(m))
            });
            model = match result {
                Ok(step) => step.model,
                Err(failure) => {
                    assert_eq!(i, 1);
                    let (model, error) = failure.into_parts();
                    assert_eq!(model.values(), before.0);
                    assert_eq!(recorded(&optim)[..], before.1[..]);
                    failed = Some(error);
                    model
                }
            };
        }
        (model.values(), failed.unwrap())
    });
    assert_eq!(found[0].0, found[1].0);
    found.into_iter().map(|(_, error)| error).collect()
}

#[test]
fn a_step_fails_on_all_ranks_or_on_none() {
    let at_the_weights = |point: PassPoint| point == PassPoint::Weights;
    let nan = |m: &Point| m.joined().sum() * f64::NAN;
    let sam = || optimizer(SamConfig::new());
    // A mean is no number on any rank.
    let errors = with_a_failure(AscentOver::All, sam, |m, at| {
        at_the_weights(at).then(|| nan(m))
    });
    for error in errors {
        assert!(matches!(error, StepError::NonFiniteLoss { .. }), "{error}");
    }
    let at_the_ascent_point = |m: &Point, at: PassPoint| (!at_the_weights(at)).then(|| nan(m));
    for over in [AscentOver::All, AscentOver::Rank] {
        let scalar = with_a_failure(over, sam, |m, _| Some(m.joined()));
        assert_eq!(scalar[0], StepError::OtherRank { rank: 1 });
        assert_eq!(scalar[1], StepError::LossNotScalar { elements: 5 });
    }
    let errors = with_a_failure(AscentOver::Rank, sam, at_the_ascent_point);
    assert_eq!(errors[0], StepError::OtherRank { rank: 1 });
    assert!(
        matches!(errors[1], StepError::NonFiniteLoss { .. }),
        "{}",
        errors[1]
    );
    // In the search, which the others are in as well.
    let searching = || {
        let every = xsam::SearchSchedule::EverySteps(1);
        optimizer(XsamConfig::new().with_search(every))
    };
    for over in [AscentOver::All, AscentOver::Rank] {
        let errors = with_a_failure(over, searching, |m, at| {
            matches!(at, PassPoint::Candidate(3)).then(|| m.joined())
        });
        assert_eq!(errors[0], StepError::OtherRank { rank: 1 });
        assert_eq!(errors[1], StepError::LossNotScalar { elements: 5 });
    }
}

#[test]
fn a_rank_that_is_not_asked_for_a_step_fails_alone() {
    let found = ThreadRanks::run(2, |ranks| {
        let rate = if ranks.rank() == 0 { f64::NAN } else { 0.1 };
        let optim = optimizer(SamConfig::new());
        let mut optim = optim.with_collective(ranks, AscentOver::All).unwrap();
        let loss = |m: &Point| m.quadratic(&CURVATURE);
        let failure = optim.step(rate, Point::new(&START, 2), loss).unwrap_err();
        failure.into_parts().1
    });
    assert!(matches!(found[0], StepError::LearningRate(_)));
    assert_eq!(found[1], StepError::OtherRank { rank: 0 });
}

#[test]
fn ranks_that_differ_are_told_so() {
    let step = |ranks: Arc<dyn Collective>, model: Point, over| {
        let optim = optimizer(SamConfig::new()).with_collective(ranks, over);
        let loss = |m: &Point| m.joined().square().sum();
        optim
            .unwrap()
            .step(0.1, model, loss)
            .unwrap_err()
            .error()
            .to_string()
    };
    let weights = ThreadRanks::run(3, |ranks| {
        let mut values = START;
        values[0] += if ranks.rank() == 2 { 1e-9 } else { 0.0 };
        step(ranks, Point::new(&values, 2), AscentOver::All)
    });
    for error in weights {
        assert!(
            error.contains("the weights of rank 2 have the norm"),
            "{error}"
        );
        assert!(error.contains("same weights"), "{error}");
    }
    let sizes = ThreadRanks::run(2, |ranks| {
        let split = 1 + ranks.rank();
        step(ranks, Point::new(&START, split), AscentOver::Rank)
    });
    for error in sizes {
        assert!(error.contains("a model with other parameters"), "{error}");
    }
}

#[test]
fn ranks_that_make_different_calls_are_told_so() {
    let found = ThreadRanks::run(2, |ranks| {
        let parts = vec![CURVATURE; 1 + ranks.rank()];
        let optim = optimizer(SamConfig::new());
        let mut optim = optim.with_collective(ranks, AscentOver::All).unwrap();
        let loss = |m: &Point, part: &[f64; 4]| m.quadratic(part);
        let step = optim.step_m_sharpness(0.1, Point::new(&START, 2), &parts, loss);
        step.unwrap_err().error().to_string()
    });
    assert!(
        found[0].contains("rank 0 is at the end of a step, rank 1 in a pass"),
        "{}",
        found[0]
    );
    assert!(
        found[1].contains("rank 1 is in a pass, rank 0 at the end of a step"),
        "{}",
        found[1]
    );
}

#[test]
fn a_parameter_that_one_rank_has_no_gradient_of_counts_as_zero_there() {
    for over in [AscentOver::All, AscentOver::Rank] {
        let found = ThreadRanks::run(2, |ranks| {
            let both = ranks.rank() == 1;
            let optim = SharpnessAware::new(momentum(), SamConfig::new().with_rho(0.0)).unwrap();
            let mut optim = optim.with_collective(ranks, over).unwrap();
            let mut model = Point::new(&START, 2);
            for _ in 0..3 {
                let loss = |m: &Point| {
                    let first = m.first.val().square().sum();
                    match both {
                        true => first + m.second.val().square().sum(),
                        false => first,
                    }
                };
                model = optim.step(0.1, model, loss).unwrap().model;
            }
            model.values()
        });
        let mut one = SharpnessAware::new(momentum(), SamConfig::new().with_rho(0.0)).unwrap();
        let mut model = Point::new(&START, 2);
        for _ in 0..3 {
            let loss =
                |m: &Point| m.first.val().square().sum() + m.second.val().square().sum() * 0.5;
            model = one.step(0.1, model, loss).unwrap().model;
        }
        assert_close(&found[0], &model.values(), 1e-12);
        assert_eq!(found[0], found[1]);
    }
}

#[test]
fn ranks_come_to_one_loss_scale() {
    for over in [AscentOver::All, AscentOver::Rank] {
        let found = ThreadRanks::run(2, |ranks| {
            let rank = ranks.rank();
            let scale = LossScale::dynamic().with_start(1024.0).unwrap();
            let optim = optimizer(SamConfig::new()).with_loss_scale(scale);
            let mut optim = optim.with_collective(ranks, over).unwrap();
            let mut model = Point::new(&START, 2).in_single();
            for _ in 0..2 {
                let loss = |m: &Point| match rank {
                    0 => m.quadratic(&CURVATURE),
                    _ => overflowing(m.quadratic(&CURVATURE)),
                };
                model = optim.step(0.1, model, loss).unwrap().model;
            }
            (optim.loss_scale(), bits(&model))
        });
        assert_eq!(found[0].0, Some(128.0));
        assert_eq!(found[0], found[1]);
    }
}

#[test]
fn one_rank_is_no_collective() {
    let mut both = [optimizer(XsamConfig::new()), optimizer(XsamConfig::new())];
    let [alone, _] = &mut both;
    let loss = |m: &Point| m.quadratic(&CURVATURE);
    let expected = alone.step(0.1, Point::new(&START, 2), loss).unwrap();
    let found = ThreadRanks::run(1, |ranks| {
        let config = LookSamConfig::new();
        assert!(
            optimizer(config)
                .with_collective(ranks.clone(), AscentOver::Rank)
                .is_err()
        );
        let optim = optimizer(XsamConfig::new());
        let mut optim = optim.with_collective(ranks, AscentOver::Rank).unwrap();
        let step = optim.step(0.1, Point::new(&START, 2), loss).unwrap();
        (step.model.values(), step.report)
    });
    assert_eq!(found[0], (expected.model.values(), expected.report));
}

#[test]
fn statistics_that_are_the_same_everywhere_stay_so() {
    let values = [0.1, 1.0 / 3.0, 1e-30, -7.7];
    let found = ThreadRanks::run(3, |ranks| {
        let data = TensorData::new(values.map(|value| value as f32).to_vec(), [4]);
        let frozen = Tensor::<1>::from_data(data, &device()).set_require_grad(false);
        let model = Point {
            first: Param::initialized(burn::module::ParamId::new(), frozen),
            second: Point::new(&START, 2).second,
        };
        let before = bits(&model);
        (bits(&mean_statistics(model, &*ranks).unwrap()), before)
    });
    for (after, before) in found {
        assert_eq!(after, before);
    }
}

#[test]
fn ranks_that_end_take_the_others_along() {
    let found = ThreadRanks::run(2, |ranks| match ranks.rank() {
        0 => {
            ranks.abort("the disk is full");
            Ok(())
        }
        _ => ranks.sum_f64(&mut [1.0]),
    });
    assert_eq!(
        found[1].as_ref().unwrap_err().to_string(),
        "the disk is full"
    );
    let sent = ThreadRanks::run(3, |ranks| {
        let mut bytes = [ranks.rank() as u8; 4];
        ranks.broadcast(1, &mut bytes).map(|()| bytes)
    });
    assert!(sent.into_iter().all(|bytes| bytes == Ok([1; 4])));
}
