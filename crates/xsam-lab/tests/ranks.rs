//! A run that is shared out over ranks, which are threads here, is the run of one process.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::cell::RefCell;
use std::fs;
use std::path::Path;

use burn::module::{Module, Param};
use burn::tensor::{Tensor, TensorData};
use xsam::collective::ThreadRanks;
use xsam_lab::files::Existing;
use xsam_lab::plan::{PlanSpec, plan_on};
use xsam_lab::spec::{Compare, Spec, TaskSpec};
use xsam_lab::{
    Batches, Better, Error, Event, Metrics, Part, Place, Ranks, Rows, Run, RunSummary, Score,
    Setup, Status, StopSignal, Tally, Task, TaskError, Trained, scalar, sections, split,
};

sections! {
    struct Own {
        data: Nothing,
        model: Nothing,
    }

    struct Nothing {}
}

impl TaskSpec for Own {
    const BATCH_SIZE: Option<usize> = Some(8);
}

/// Rows in an epoch: three batches of eight, and one of three.
const ROWS: usize = 27;
const COLUMNS: usize = 4;

#[derive(Module, Debug)]
struct Line {
    weight: Param<Tensor<2>>,
}

#[derive(Debug)]
struct Fit {
    place: Place,
    rows: Rows<2>,
}

impl Task for Fit {
    type Spec = Own;
    type Model = Line;
    type Batch = Tensor<2>;
    type Output = Tensor<2>;

    fn scores() -> Vec<Score> {
        vec![Score::new(
            "hits",
            Better::Higher,
            "Predictions that are near",
        )]
    }

    fn new(setup: &Setup<'_, Own>) -> Result<Self, TaskError> {
        let value = |i: usize, j: usize| ((i * 7 + j * 13 + i * j) as f64 * 0.37).sin();
        let all = ROWS + 20 + 15;
        let values = (0..all).flat_map(|i| (0..COLUMNS).map(move |j| value(i, j)));
        let data = TensorData::new(values.collect::<Vec<_>>(), [all, COLUMNS]);
        let table = Tensor::<2>::from_data(data, setup.place.floats());
        Ok(Self {
            place: setup.place.clone(),
            rows: setup.rows(table, ROWS, 20),
        })
    }

    fn model(&self) -> Result<Line, TaskError> {
        let data = TensorData::new(vec![0.3, -0.2, 0.1], [COLUMNS - 1, 1]);
        let weight = Param::from_tensor(Tensor::from_data(data, self.place.floats()));
        Ok(Line { weight })
    }

    fn steps(&self) -> usize {
        self.rows.steps()
    }

    fn batch(&self, epoch: usize, step: usize) -> Result<Tensor<2>, TaskError> {
        Ok(self.rows.batch(epoch, step))
    }

    fn loss(&self, model: &Line, batch: &Tensor<2>, noise: Option<u64>) -> (Tensor<1>, Tensor<2>) {
        if noise.is_some() {
            let first = batch.to_data().iter::<f64>().next().unwrap();
            SEEN.with_borrow_mut(|seen| seen.push(first));
        }
        let features = batch.clone().narrow(1, 0, COLUMNS - 1);
        let wanted = batch.clone().narrow(1, COLUMNS - 1, 1);
        let errors = features.matmul(model.weight.val()).tanh() - wanted;
        (errors.clone().square().mean(), errors)
    }

    fn held_out(&self, part: Part) -> Result<Batches<'_, Tensor<2>>, TaskError> {
        // In batches of seven, of which the ranks have different numbers.
        let whole = self.rows.held_out(part).next().unwrap()?;
        let count = whole.dims()[0];
        let firsts = (0..count).step_by(7);
        Ok(Box::new(firsts.map(move |first| {
            Ok(whole.clone().slice(first..count.min(first + 7)))
        })))
    }

    fn tally(&self, batch: &Tensor<2>, errors: Tensor<2>) -> Result<Tally, TaskError> {
        let near = scalar(errors.abs().lower_elem(0.5).float().sum())?;
        Ok(Tally::new(self.size(batch), 0.0).with("hits", near))
    }

    fn parts(&self, batch: Tensor<2>, count: usize) -> Result<Vec<(Tensor<2>, f64)>, TaskError> {
        let rows = batch.dims()[0];
        let parts = split(rows, count);
        let mean = rows as f64 / parts.len() as f64;
        let part = |(first, size)| (batch.clone().narrow(0, first, size), size as f64 / mean);
        Ok(parts.into_iter().map(part).collect())
    }

    fn size(&self, batch: &Tensor<2>) -> usize {
        batch.dims()[0]
    }
}

thread_local! {
    /// The first number of every batch of a pass of training on this thread.
    static SEEN: RefCell<Vec<f64>> = const { RefCell::new(Vec::new()) };
}

fn spec(settings: &[&str]) -> Spec<Own> {
    let all = ["train.epochs=3", "method.rho=0.2", "train.precision=f64"];
    common::spec(&[&all, settings].concat())
}

fn alone(directory: &Path, settings: &[&str], existing: Existing, steps: usize) -> RunSummary {
    common::train::<Fit>(spec(settings), directory, existing, steps)
}

/// Trains on ranks; after so many steps the last one is asked to stop.
fn shared_out(
    size: usize,
    directory: &Path,
    settings: &[&str],
    existing: Existing,
    steps: usize,
) -> Vec<Result<RunSummary, Error>> {
    ThreadRanks::run(size, |collective| {
        let ranks = Ranks::new(collective.clone());
        let trained =
            Run::prepare_on::<Fit>(&ranks, spec(settings), directory, existing).and_then(|run| {
                let (stop, mut done) = (StopSignal::default(), 0);
                run.train(&stop, &mut |event| {
                    if let Event::Step { .. } = event {
                        done += 1;
                        if done == steps && ranks.rank() + 1 == size {
                            stop.stop();
                        }
                    }
                })
            });
        if let Err(error) = &trained
            && !error.is_of_all_ranks()
        {
            collective.abort(&error.to_string());
        }
        trained
    })
}

/// Weights, and what was measured in the epochs.
fn outcome(directory: &Path) -> Vec<f64> {
    let trained = Trained::<Fit>::load(directory).unwrap();
    let names = [
        "train_loss",
        "train_hits",
        "validation_loss",
        "validation_hits",
        "test_loss",
        "test_hits",
        "update_norm",
    ];
    // Of a method without a search there is no alpha.
    let alpha = |row: &Metrics| row.get("alpha").unwrap_or_default();
    let of_row = trained.rows.iter().flat_map(|row| {
        let named = names.map(|name| row.get(name).unwrap());
        named.into_iter().chain([alpha(row)])
    });
    let weight = trained.model.weight.val().into_data();
    weight.iter::<f64>().chain(of_row).collect()
}

fn assert_close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
    }
}

#[test]
fn a_batch_is_that_of_all_ranks() {
    let here = tempfile::tempdir().unwrap();
    let one = here.path().join("one");
    alone(&one, &[], Existing::Refuse, usize::MAX);
    let expected = outcome(&one);
    // Of the last batch's three rows four ranks have one each, and one has none.
    for size in 2..=4 {
        let many = here.path().join(size.to_string());
        let found = shared_out(size, &many, &[], Existing::Refuse, usize::MAX);
        assert_close(&outcome(&many), &expected);
        for summary in found {
            let summary = summary.unwrap();
            assert_eq!(
                (summary.status, summary.ranks),
                (Status::Finished, Some(size))
            );
        }
        assert_eq!(RunSummary::read(&many).unwrap().ranks, Some(size));
        let mut files: Vec<_> = fs::read_dir(&many)
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        files.retain(|name| !name.to_string_lossy().starts_with('.'));
        assert_eq!(files.len(), 6, "{files:?}");
    }
    // Micro-batches are parts of a rank's share, and no other result.
    let parts = here.path().join("parts");
    let settings = ["train.micro_batches=4"];
    for summary in shared_out(2, &parts, &settings, Existing::Refuse, usize::MAX) {
        summary.unwrap();
    }
    assert_close(&outcome(&parts), &expected);
}

#[test]
fn a_method_ascends_on_the_batch_of_the_step_before() {
    let here = tempfile::tempdir().unwrap();
    let settings = ["method.name=sampa"];
    let whole = here.path().join("whole");
    alone(&whole, &settings, Existing::Refuse, usize::MAX);

    let seen = SEEN.take();
    // One pass in the first step, then one on the batch of the step and one on the batch before, also from epoch to epoch.
    assert_eq!(seen.len(), 1 + 2 * (3 * 4 - 1));
    let batches: Vec<f64> = seen[1..].iter().step_by(2).copied().collect();
    let ascents: Vec<f64> = seen[2..].iter().step_by(2).copied().collect();
    assert_eq!(ascents[0], seen[0]);
    assert_eq!(ascents[1..], batches[..batches.len() - 1]);
    assert!(batches.windows(2).all(|pair| pair[0] != pair[1]));

    // Wherever it is interrupted it finds that batch again.
    for steps in [1, 4, 6] {
        let parts = here.path().join(steps.to_string());
        alone(&parts, &settings, Existing::Refuse, steps);
        alone(&parts, &settings, Existing::Resume, usize::MAX);
        assert_eq!(SEEN.take(), seen);
        assert_eq!(outcome(&parts), outcome(&whole));
    }
    // Ranks and micro-batches split both batches, of which the last one has fewer parts.
    let split = here.path().join("split");
    let settings = ["method.name=sampa", "train.micro_batches=5"];
    alone(&split, &settings, Existing::Refuse, usize::MAX);
    assert_close(&outcome(&split), &outcome(&whole));
    for size in [2, 4] {
        let many = here.path().join(format!("{size} ranks"));
        for summary in shared_out(size, &many, &settings[..1], Existing::Refuse, usize::MAX) {
            summary.unwrap();
        }
        assert_close(&outcome(&many), &outcome(&whole));
    }
}

#[test]
fn m_sharpness_is_that_of_one_process() {
    let here = tempfile::tempdir().unwrap();
    let [one, many, more] = ["one", "many", "more"].map(|name| here.path().join(name));
    // Where one part of a batch searches in one process all ranks do here, so there is no search. Of three rows there would be
    // three parts in one process, of four that count alike here.
    let settings = [
        "train.m_sharpness=4",
        "method.alpha=1.2",
        "train.batch_size=9",
    ];
    alone(&one, &settings, Existing::Refuse, usize::MAX);
    for (size, directory) in [(2, &many), (4, &more)] {
        for summary in shared_out(size, directory, &settings, Existing::Refuse, usize::MAX) {
            summary.unwrap();
        }
        assert_close(&outcome(directory), &outcome(&one));
    }
}

#[test]
fn ranks_stop_together_and_go_on_as_another_number() {
    let here = tempfile::tempdir().unwrap();
    let [whole, parts] = ["whole", "parts"].map(|name| here.path().join(name));
    alone(&whole, &[], Existing::Refuse, usize::MAX);
    for (size, existing, status) in [
        (2, Existing::Refuse, Status::Interrupted),
        (3, Existing::Resume, Status::Interrupted),
        (1, Existing::Resume, Status::Interrupted),
        (2, Existing::Resume, Status::Finished),
    ] {
        let steps = if status == Status::Finished {
            usize::MAX
        } else {
            3
        };
        for summary in shared_out(size, &parts, &[], existing, steps) {
            assert_eq!(summary.unwrap().status, status);
        }
    }
    assert_close(&outcome(&parts), &outcome(&whole));
}

#[test]
fn what_cannot_be_shared_out_is_told_before_the_first_step() {
    let here = tempfile::tempdir().unwrap();
    let refused = |settings: &[&str]| {
        let directory = here.path().join("run");
        let found = shared_out(2, &directory, settings, Existing::Overwrite, usize::MAX);
        // Of two that find it the later one is ended by the other.
        let mut errors = found.into_iter().map(Result::unwrap_err);
        let error = errors.find(Error::is_usage).unwrap();
        error.to_string()
    };
    let error = refused(&["train.m_sharpness=3"]);
    assert!(
        error.contains("3 must be a multiple of the number of ranks, which is 2"),
        "{error}"
    );
    let error = refused(&["train.m_sharpness=2", "method.name=looksam"]);
    assert!(error.contains("looksam, as it is here, keeps"), "{error}");

    // Results that are there are refused on the first rank, and the others do not wait for it.
    let directory = here.path().join("there");
    alone(&directory, &[], Existing::Refuse, usize::MAX);
    let mut found = shared_out(2, &directory, &[], Existing::Refuse, usize::MAX).into_iter();
    assert!(matches!(found.next().unwrap(), Err(Error::Exists { .. })));
    let other = found.next().unwrap().unwrap_err().to_string();
    assert!(other.contains("exists: give --resume"), "{other}");
}

#[test]
fn a_task_says_whether_it_trains_in_half_precision() {
    let here = tempfile::tempdir().unwrap();
    for format in ["f16", "bf16"] {
        let spec = spec(&[&format!("train.precision={format}")]);
        let run = Run::prepare::<Fit>(spec, &here.path().join("run"), Existing::Refuse);
        let error = run.unwrap_err().to_string();
        assert!(
            error.contains(format) && error.contains("mixed_precision"),
            "{error}"
        );
    }
}

#[test]
fn runs_that_are_shared_out_are_planned() {
    let spec = spec(&["train.epochs=10", "method.search=every-epoch"]);
    let mut compare = Compare::default();
    compare.methods = vec!["sgd".to_owned(), "xsam".to_owned()];
    let how = PlanSpec {
        steps: Some(6),
        ..PlanSpec::default()
    };
    let planned = |stop: &StopSignal| {
        ThreadRanks::run(2, |collective| {
            let ranks = Ranks::new(collective);
            // Another one is asked to stop than the one that writes.
            let asked = if ranks.is_first() {
                StopSignal::default()
            } else {
                stop.clone()
            };
            plan_on::<Fit>(&ranks, &spec, &compare, &how, &asked, &mut |_| {}).unwrap()
        })
    };
    let plans = planned(&StopSignal::default());
    for plan in plans {
        let plan = plan.unwrap();
        assert_eq!(plan.ranks, Some(2));
        let [sgd, xsam] = &plan.methods[..] else {
            panic!("{plan:?}");
        };
        assert_eq!(sgd.measured.gradient_passes, 1);
        assert_eq!(xsam.measured.gradient_passes, 2);
        assert_eq!(xsam.counts.searches, 10);
        assert!(
            xsam.measured
                .search
                .is_some_and(|search| search.median_s > 0.0)
        );
        assert!(xsam.measured.step.count >= 3);
    }
    let stopped = StopSignal::default();
    stopped.stop();
    assert!(planned(&stopped).iter().all(Option::is_none));
}

#[test]
fn an_error_of_the_optimizer_is_one_of_all_ranks() {
    let here = tempfile::tempdir().unwrap();
    let directory = here.path().join("run");
    let settings = ["optimizer.lr=1e300", "train.epochs=2"];
    for error in shared_out(3, &directory, &settings, Existing::Refuse, usize::MAX) {
        let error = error.unwrap_err();
        assert!(matches!(error, Error::Step { .. }), "{error}");
    }
    assert_eq!(RunSummary::read(&directory).unwrap().status, Status::Failed);

    // Gone back to the start, and on with half the rate: on all of them.
    let again = [
        "optimizer.lr=2e154",
        "train.on_divergence=restore",
        "train.epochs=1",
    ];
    let found = shared_out(2, &directory, &again, Existing::Overwrite, usize::MAX);
    let restored =
        |found: &Result<RunSummary, Error>| found.as_ref().map(|s| s.restored).unwrap_or(99);
    let counts: Vec<usize> = found.iter().map(restored).collect();
    assert_eq!(counts[0], counts[1]);
    assert!(counts[0] > 0);
}
