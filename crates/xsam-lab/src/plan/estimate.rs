//! From the parts of a run to the whole.

use serde::{Deserialize, Serialize};

use super::measure::Measurement;
use super::timing::Timing;
use crate::spec::{Spec, TaskSpec};

/// How often the parts of a run come to pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Epochs of a run.
    pub epochs: usize,
    /// Steps of a run.
    pub steps: usize,
    /// Those of them that ascend.
    pub ascending: usize,
    /// Steps of a run that search for alpha.
    pub searches: usize,
    /// Evaluations on validation and test data.
    pub evaluations: usize,
    /// Those of them with further work, such as translating.
    pub further: usize,
    /// Measurements of the sharpness.
    pub measurements: usize,
    /// Checkpoints that a run writes.
    pub checkpoints: usize,
}

impl Counts {
    /// Of a resolved spec whose epochs have so many steps.
    pub(super) fn of<S: TaskSpec>(spec: &Spec<S>, steps_per_epoch: usize) -> Self {
        let train = &spec.train;
        let work = spec.method.work(train.epochs, steps_per_epoch);
        // What is done every so many epochs is done after the last one, too.
        let times = |every: usize| train.epochs.div_ceil(every);
        let further = spec.task.further_every(train);
        Self {
            epochs: train.epochs,
            steps: work.steps,
            ascending: work.ascending,
            searches: work.searches,
            evaluations: times(train.evaluate_every),
            further: further.map_or(0, |every| {
                times(common_multiple(train.evaluate_every, every))
            }),
            measurements: train.measure_every.map_or(0, times),
            checkpoints: times(train.checkpoint_every),
        }
    }
}

/// The least common multiple of two numbers above 0, as far as it can be counted.
fn common_multiple(a: usize, b: usize) -> usize {
    let (mut divisor, mut rest) = (a, b);
    while rest > 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    (a / divisor).saturating_mul(b)
}

/// The time of a run, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Seconds of a whole run.
    pub total_s: f64,
    /// Twice its standard error: the measurements of its parts do not tell it better.
    pub margin_s: f64,
    /// Of an epoch, what `seconds` is in `metrics.csv`: its steps with their data and searches.
    pub epoch_s: f64,
    /// Share of searches in all of it, from 0 to 1.
    pub search_share: f64,
    /// Share of evaluations, all of them included.
    pub evaluation_share: f64,
    /// Share of measurements of the sharpness.
    pub sharpness_share: f64,
}

impl Estimate {
    pub(super) fn of(measured: &Measurement, counts: &Counts) -> Self {
        let saved = counts.checkpoints;
        let ascending = match measured.plain_step {
            Some(_) => counts.ascending,
            None => counts.steps,
        };
        // The first four are what `metrics.csv` counts.
        let parts = [
            (Some(measured.epoch_start), counts.epochs),
            (Some(measured.step), ascending),
            (measured.plain_step, counts.steps - ascending),
            (measured.search, counts.searches),
            (Some(measured.evaluation), counts.evaluations),
            (measured.further, counts.further),
            (measured.sharpness, counts.measurements),
            (Some(measured.records), counts.epochs - saved),
            (Some(measured.checkpoint), saved),
        ];
        let of_parts = |value: fn(&Timing) -> f64| {
            parts.map(|(part, times)| part.as_ref().map_or(0.0, value) * times as f64)
        };
        let seconds = of_parts(|part| part.median_s);
        let errors = of_parts(Timing::standard_error);
        let of_epochs: f64 = seconds[..4].iter().sum();
        let [_, _, _, searches, evaluations, further, sharpness, ..] = seconds;
        let total_s = measured.setup_s + seconds.iter().sum::<f64>();
        Self {
            total_s,
            // The parts were measured apart.
            margin_s: 2.0 * errors.iter().map(|error| error * error).sum::<f64>().sqrt(),
            epoch_s: of_epochs / counts.epochs.max(1) as f64,
            search_share: searches / total_s,
            evaluation_share: (evaluations + further) / total_s,
            sharpness_share: sharpness / total_s,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::toy::{Spec, parsed};

    pub(in crate::plan) fn timing(median_s: f64) -> Timing {
        Timing {
            median_s,
            low_s: median_s,
            high_s: median_s,
            count: 9,
            in_a_row: 1,
        }
    }

    pub(in crate::plan) fn measurement() -> Measurement {
        Measurement {
            parameters: 10,
            steps_per_epoch: 4,
            gradient_passes: 2,
            spared_passes: 0.0,
            search_passes: 21,
            setup_s: 7.0,
            epoch_start: timing(0.5),
            step: timing(2.0),
            plain_step: None,
            search: Some(timing(10.0)),
            evaluation: timing(3.0),
            further: None,
            sharpness: Some(timing(4.0)),
            records: timing(0.25),
            checkpoint: timing(1.25),
            peak_mb: Some(100.0),
            threads: 2,
            kernels: "fast".to_owned(),
        }
    }

    fn spec<S: ToString>(settings: &[S]) -> Spec {
        parsed(settings).0.resolved().unwrap()
    }

    #[test]
    fn parts_are_counted_as_a_run_makes_them() {
        let spec1 = spec(&[
            "train.epochs=10",
            "train.evaluate_every=4",
            "train.measure_every=4",
            "train.checkpoint_every=3",
        ]);
        let counts = Counts::of(&spec1, 7);
        // After epochs 4, 8 and 10; 3, 6, 9 and 10.
        assert_eq!((counts.evaluations, counts.checkpoints), (3, 4));
        assert_eq!(counts.measurements, 3);
        assert_eq!((counts.epochs, counts.steps, counts.searches), (10, 70, 10));
        assert_eq!(counts.further, 0);
        let counts = |settings: &[&str]| Counts::of(&spec(settings), 7);
        assert_eq!(counts(&[]).measurements, 0);
        let every = ["method.search={every-steps=20}", "train.epochs=3"];
        assert_eq!(counts(&every).searches, 2);
        assert_eq!(counts(&["method.search=never"]).searches, 0);
        assert_eq!(counts(&["method.alpha=1.2"]).searches, 0);
        assert_eq!(counts(&["method.name=sam"]).searches, 0);

        let further = [
            "data.further_every=10",
            "train.epochs=10",
            "train.evaluate_every=2",
        ];
        assert_eq!(counts(&further).further, 1);
        // After epochs 6 and 10: after 3 and 9 nothing is evaluated.
        let often = [&further[..], &["data.further_every=3"]].concat();
        assert_eq!(counts(&often).further, 2);
    }

    /// As a run finds them, epoch by epoch.
    #[test]
    fn what_is_counted_in_one_go_is_what_counting_one_by_one_gives() {
        for epochs in 1..=30 {
            for (evaluate, further, save) in
                [(1, 1, 1), (4, 6, 7), (6, 4, 40), (3, 9, 30), (7, 5, 2)]
            {
                let settings = [
                    format!("train.epochs={epochs}"),
                    format!("train.evaluate_every={evaluate}"),
                    format!("train.checkpoint_every={save}"),
                    format!("data.further_every={further}"),
                ];
                let spec = spec(&settings);
                let train = &spec.train;
                let all = 1..=epochs;
                let evaluated = all.clone().filter(|epoch| train.is_due(evaluate, *epoch));
                let worked = evaluated.clone();
                let worked = worked.filter(|epoch| train.is_due(further, *epoch));
                let saved = all.filter(|epoch| train.is_due(save, *epoch));
                let counts = Counts::of(&spec, 7);
                assert_eq!(counts.evaluations, evaluated.count());
                assert_eq!(counts.further, worked.count());
                assert_eq!(counts.checkpoints, saved.count());
            }
        }
    }

    /// One by one they would never be counted.
    #[test]
    fn a_run_of_very_many_epochs_is_counted_at_once() {
        let epochs = u32::MAX as usize;
        let longest = "method.search={adaptive={longest=10}}".to_owned();
        let many = [format!("train.epochs={epochs}"), longest];
        let counts = Counts::of(&spec(&many), 1_000_000);
        assert_eq!((counts.epochs, counts.evaluations), (epochs, epochs));
        assert_eq!(counts.steps, epochs * 1_000_000);
        assert_eq!(counts.searches, epochs * 100_000);
    }

    #[test]
    fn a_run_is_the_sum_of_its_parts() {
        let counts = Counts {
            epochs: 5,
            steps: 20,
            ascending: 20,
            searches: 5,
            evaluations: 2,
            further: 0,
            measurements: 0,
            checkpoints: 1,
        };
        let mut measured = measurement();
        let estimate = Estimate::of(&measured, &counts);
        // 7 + 5 * 0.5 + 20 * 2 + 5 * 10 + 2 * 3 + 4 * 0.25 + 1.25.
        assert_eq!(estimate.total_s, 107.75);
        assert_eq!(estimate.epoch_s, (2.5 + 40.0 + 50.0) / 5.0);
        assert_eq!(estimate.search_share, 50.0 / 107.75);
        assert_eq!(estimate.evaluation_share, 6.0 / 107.75);
        assert_eq!(estimate.margin_s, 0.0);
        assert_eq!(estimate.sharpness_share, 0.0);
        let measuring = Counts {
            measurements: 3,
            ..counts
        };
        let estimate = Estimate::of(&measured, &measuring);
        assert_eq!((estimate.total_s, estimate.epoch_s), (119.75, 18.5));
        assert_eq!(estimate.sharpness_share, 12.0 / 119.75);

        // Every other step does not ascend, and takes half of the time.
        measured.plain_step = Some(timing(1.0));
        let half = Counts {
            ascending: 10,
            ..counts
        };
        assert_eq!(Estimate::of(&measured, &half).total_s, 97.75);
        measured.plain_step = None;

        measured.step.high_s = 3.0;
        let error = measured.step.standard_error();
        let estimate = Estimate::of(&measured, &counts);
        assert!(error > 0.0 && (estimate.margin_s - 40.0 * error).abs() < 1e-12);
    }
}
