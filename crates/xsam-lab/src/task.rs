//! What a run learns: a model, its batches, its loss, and how well it does.

use std::collections::BTreeMap;
use std::path::Path;

use burn::module::Module;
use burn::tensor::Tensor;
use serde_json::Value;

use crate::evaluation::evaluate;
use crate::fingerprint::Fingerprint;
use crate::minibatches::Batches;
use crate::scalars::scalar;
use crate::score::{Measured, Part, Score, Scores};
use crate::setup::Setup;
use crate::spec::{MethodSpec, Preset, Spec, SpecError, TaskSpec};
use crate::stop::StopSignal;
use crate::tally::Tally;
use crate::task_error::TaskError;

/// What a run learns. Everything random in it derives from the seed of the spec, the epoch and the step, so that a run
/// can be resumed and repeated to the bit.
///
/// [`new`](Self::new), [`model`](Self::model), [`steps`](Self::steps), [`batch`](Self::batch), [`loss`](Self::loss) and
/// [`held_out`](Self::held_out) are all that a task needs; with scores besides the loss it also has
/// [`scores`](Self::scores) and [`tally`](Self::tally). [`parts`](Self::parts) is for m-sharpness and micro-batches.
pub trait Task: Sized + Sync {
    /// Its sections of a spec.
    type Spec: TaskSpec;
    /// The module that is trained.
    type Model: Module + Sync;
    /// What the loss of a step is over.
    type Batch: Sync;
    /// What a forward pass gives besides the loss; `()` if nothing.
    type Output;

    /// The specs that come with a program of this task alone, if any do. The first one is what a comparison without a spec
    /// is of.
    const PRESETS: &'static [Preset] = &[];

    /// The scores that a model is told by, besides its loss. The first one that is not costly is what epochs are chosen
    /// by, and what runs are compared by if none is costly. By default there are none: models are told by their loss.
    fn scores() -> Vec<Score> {
        Vec::new()
    }

    /// The task of a spec, with its data.
    ///
    /// # Errors
    /// If the data cannot be had, or do not fit the spec.
    fn new(setup: &Setup<'_, Self::Spec>) -> Result<Self, TaskError>;

    /// The model with its initial values. Layers of Burn draw them from the device, which has been seeded with the seed of
    /// the run. The laboratory brings the model into the number format of the run.
    ///
    /// # Errors
    /// If there is none of these sizes.
    fn model(&self) -> Result<Self::Model, TaskError>;

    /// Steps in an epoch, of all epochs alike.
    fn steps(&self) -> usize;

    /// The batch of a step of an epoch, both counted from 0. It is on the device of [`Setup::place`].
    ///
    /// # Errors
    /// If it cannot be made.
    fn batch(&self, epoch: usize, step: usize) -> Result<Self::Batch, TaskError>;

    /// The mean loss of a batch, `[1]`, as a scalar. Dropout and other noise of a training pass follow from `noise`,
    /// where a model draws them by itself rather than from the device; without it, nothing is to be dropped.
    fn loss(
        &self,
        model: &Self::Model,
        batch: &Self::Batch,
        noise: Option<u64>,
    ) -> (Tensor<1>, Self::Output);

    /// The same loss in two, logits and what is lost by them, for methods that have to tell them apart (Functional SAM). By
    /// default a task does not tell, and its runs cannot be by such a method.
    fn by_logits() -> Option<LossByLogits<Self>> {
        None
    }

    /// Whether it trains in mixed precision: its model has weights in single precision and computes in the format of its inputs,
    /// as the layers of `xsam-models` and the operations of `xsam-kernels` do, and its batches are made in that of
    /// [`Place::inputs`](crate::Place::inputs). By default it is not, and `train.precision = "f16"` or `"bf16"` is an error.
    fn mixed_precision() -> bool {
        false
    }

    /// The same loss by samples, for methods that choose among the samples of a batch (ESAM). By default a task does not
    /// tell, and its runs cannot be by such a method.
    fn by_samples() -> Option<LossBySamples<Self>> {
        None
    }

    /// All of a part of the data as they are, in batches on the device of [`Setup::place`] without autodiff, which
    /// [`Place::inner`](crate::Place::inner) gives.
    ///
    /// # Errors
    /// If they cannot be made.
    fn held_out(&self, part: Part) -> Result<Batches<'_, Self::Batch>, TaskError>;

    /// What a held-out batch comes to with a model in evaluation mode. By default its [loss](Self::loss) and its
    /// [tally](Self::tally).
    ///
    /// # Errors
    /// If a value cannot be read.
    fn evaluated(&self, model: &Self::Model, batch: &Self::Batch) -> Result<Tally, TaskError> {
        let (loss, output) = self.loss(model, batch, None);
        Ok(self.tally(batch, output)?.with_mean_loss(scalar(loss)?))
    }

    /// How well a model in evaluation mode does on a part of the data; nothing if `stop` asks for an end before that is
    /// known. By default the batches are shared out over the [ranks](StopSignal::ranks) of a run.
    ///
    /// # Errors
    /// If a value cannot be read.
    fn score(
        &self,
        model: &Self::Model,
        part: Part,
        stop: &StopSignal,
    ) -> Result<Option<Measured>, TaskError> {
        let (ranks, scores) = (stop.ranks(), Self::scores());
        let batches = ranks.share(self.held_out(part)?);
        let totals = evaluate(batches, stop, |batch| self.evaluated(model, &batch?))?;
        let totals = ranks.totals(totals, &scores)?;
        Ok(totals.map(|totals| totals.measured(&scores)))
    }

    /// How it does on both parts after `epochs` epochs, with what else there is to say of it.
    ///
    /// # Errors
    /// As [`score`](Self::score).
    fn evaluate(
        &self,
        model: &Self::Model,
        _epochs: usize,
        stop: &StopSignal,
    ) -> Result<Option<Scores>, TaskError> {
        let Some(validation) = self.score(model, Part::Validation, stop)? else {
            return Ok(None);
        };
        let test = self.score(model, Part::Test, stop)?;
        Ok(test.map(|test| Scores::new(validation, test)))
    }

    /// What a batch has of the scores, from what its pass gave, in training at the weights of a step; its losses are left
    /// out. Without scores it is the number of items alone, over which the loss of the batch is a mean.
    ///
    /// # Errors
    /// If a value cannot be read.
    fn tally(&self, batch: &Self::Batch, _output: Self::Output) -> Result<Tally, TaskError> {
        Ok(Tally::new(self.size(batch), 0.0))
    }

    /// The batches of `epoch` from number `first` on, in their order. A task whose batches take long to prepare may
    /// prepare them ahead.
    ///
    /// # Errors
    /// If they cannot be made.
    fn batches(&self, epoch: usize, first: usize) -> Result<Batches<'_, Self::Batch>, TaskError> {
        let steps = first..self.steps();
        Ok(Box::new(steps.map(move |step| self.batch(epoch, step))))
    }

    /// A batch in `count` parts of about the same size, or as many as it can be split into, and for each the number of
    /// items that its loss is a mean over, divided by that of an average part.
    ///
    /// # Errors
    /// If the task has no such parts, which is so unless it says otherwise.
    fn parts(
        &self,
        _batch: Self::Batch,
        _count: usize,
    ) -> Result<Vec<(Self::Batch, f64)>, TaskError> {
        let message = "this task cannot split a batch: its author has not written `Task::parts`";
        Err(SpecError::new("train.micro_batches and m_sharpness", message).into())
    }

    /// Some of the training data as they are, without augmentation, in batches of about `sizes.batch`, and of each over
    /// how many items its loss is a mean; `seed` decides which. By default as many batches of the first epoch as have that
    /// many items, of whatever size they are.
    ///
    /// # Errors
    /// If they cannot be made.
    fn sample(
        &self,
        sizes: SampleSizes,
        seed: u64,
    ) -> Result<Vec<(Self::Batch, usize)>, TaskError> {
        let steps = self.steps();
        let size = self.size(&self.batch(0, 0)?).max(1);
        let wanted = sizes.all.div_ceil(size).clamp(1, steps.max(1));
        // As far apart as can be, and not always the same ones.
        let first = seed as usize % steps.max(1);
        let chosen = (0..wanted).map(|i| (first + i * steps / wanted) % steps.max(1));
        chosen
            .map(|step| {
                let batch = self.batch(0, step)?;
                let size = self.size(&batch);
                Ok((batch, size))
            })
            .collect()
    }

    /// What the time of a step is in proportion to: items of a batch, or tokens. By default all batches are alike, and of
    /// one item.
    fn size(&self, _batch: &Self::Batch) -> usize {
        1
    }

    /// The sizes of all batches of an epoch together. By default all are of the size of the first one.
    ///
    /// # Errors
    /// If they cannot be known.
    fn epoch_size(&self) -> Result<usize, TaskError> {
        Ok(self.steps() * self.size(&self.batch(0, 0)?))
    }

    /// Scores a sample of the test data, and says which share it is of the work of scoring all, what
    /// [`sampled_further`](Self::sampled_further) is of left aside. By default all is scored.
    ///
    /// # Errors
    /// As [`score`](Self::score).
    fn sampled_score(&self, model: &Self::Model) -> Result<(Measured, f64), TaskError> {
        let stop = StopSignal::default();
        let begun = self.score(model, Part::Validation, &stop)?;
        let score = self.score(model, Part::Test, &stop)?.or(begun);
        let score = score.ok_or_else(|| TaskError::new("an evaluation gave no score"))?;
        Ok((score, 1.0))
    }

    /// Does for a sample of the test data what an evaluation does now and then besides, and says which share that is of all
    /// of it; nothing of a task without such work.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate).
    fn sampled_further(&self, _model: &Self::Model) -> Result<Option<f64>, TaskError> {
        Ok(None)
    }

    /// What guessing comes to on the test data: its loss, and its scores as far as they are known. A run that is no better
    /// has collapsed, which comparisons tell. By default it is not known, and a run has collapsed if its training loss has
    /// not fallen.
    fn chance(&self) -> Option<Tally> {
        None
    }

    /// What a person should know of the data before the first step, in sentences.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// What else the run's `run.json` says of its data, by name.
    fn facts(&self) -> BTreeMap<String, Value> {
        BTreeMap::new()
    }

    /// Writes into the run's directory what the model is of no use without; of a run that `goes_on` from a checkpoint,
    /// checks that it is the same.
    ///
    /// # Errors
    /// If it cannot be written, or is not the same.
    fn keep(&self, _directory: &Path, _goes_on: bool) -> Result<(), TaskError> {
        Ok(())
    }

    /// What the data are, so that others in their place are noticed; nothing if that is not looked at.
    ///
    /// # Errors
    /// If the data cannot be had.
    fn fingerprint(_setup: &Setup<'_, Self::Spec>) -> Result<Option<Fingerprint>, TaskError> {
        Ok(None)
    }

    /// Checks that a spec fits its data, as far as that takes no time, before the runs of a comparison are begun.
    ///
    /// # Errors
    /// Names the key whose value cannot be, and what could.
    fn check(_setup: &Setup<'_, Self::Spec>) -> Result<(), TaskError> {
        Ok(())
    }

    /// In what the data `now` differ from those that there were, in a few phrases, and whether the model fits them.
    fn changes(_was: &Fingerprint, _now: &Fingerprint) -> (Vec<String>, bool) {
        (vec!["they are others".to_owned()], true)
    }

    /// The model that the weights of a run are loaded into. By default that of the task, which loads the data; a task that
    /// can tell the sizes of its model from the fingerprint of the data, where there is one, has no need of them.
    ///
    /// # Errors
    /// If it cannot be made.
    fn model_of(
        setup: &Setup<'_, Self::Spec>,
        _data: Option<&Fingerprint>,
    ) -> Result<Self::Model, TaskError> {
        let task = Self::new(setup)?;
        setup.place.device.seed(setup.seed());
        task.model()
    }
}

/// The [loss](Task::loss) of a task in two.
#[derive(Debug)]
pub struct LossByLogits<T: Task> {
    /// The logits of a batch, `[items, classes]`: rows are what the loss is a mean over. Of the noise as [`Task::loss`].
    pub logits: fn(&T, &T::Model, &T::Batch, Option<u64>) -> Tensor<2>,
    /// The mean loss, `[1]`, and what else a pass gives, from the logits of a batch.
    #[allow(clippy::type_complexity, reason = "it is what `Task::loss` gives")]
    pub loss: fn(&T, Tensor<2>, &T::Batch) -> (Tensor<1>, T::Output),
}

/// The [loss](Task::loss) of a task by samples.
#[derive(Debug)]
pub struct LossBySamples<T: Task> {
    /// The loss of each sample of a batch, `[samples]`, whose mean is that of the batch; and what else a pass gives. Of the
    /// noise as [`Task::loss`].
    #[allow(clippy::type_complexity, reason = "it is what `Task::loss` gives")]
    pub losses: fn(&T, &T::Model, &T::Batch, Option<u64>) -> (Tensor<1>, T::Output),
    /// The samples of a batch that have these numbers, in ascending order from 0, as a batch.
    pub chosen: fn(&T, &T::Batch, &[usize]) -> T::Batch,
}

/// Refuses what a task does not do: half precision, and methods that have to be told more than its loss.
pub(crate) fn check<T: Task>(spec: &Spec<T::Spec>) -> Result<(), SpecError> {
    let precision = spec.train.precision;
    if precision.is_half() && !T::mixed_precision() {
        let message = format!(
            "this task does not train in {precision}: use f32, or give the task a `mixed_precision`"
        );
        return Err(SpecError::new("train.precision", message));
    }
    check_method::<T>(&spec.method)
}

/// Refuses a method that has to be told more of a loss than the task tells.
fn check_method<T: Task>(method: &MethodSpec) -> Result<(), SpecError> {
    let (what, by) = if method.needs_logits() && T::by_logits().is_none() {
        ("logits and loss apart", "by_logits")
    } else if method.needs_samples() && T::by_samples().is_none() {
        ("the loss of each sample", "by_samples")
    } else {
        return Ok(());
    };
    let message = format!(
        "`{}` has to be told {what}, which this task does not do: choose another method, or give the task a `{by}`",
        method.name()
    );
    Err(SpecError::new("method.name", message))
}

/// Where each of `count` parts of `items` items begins, and how many it has: all alike, or one more in the first
/// ones.
pub fn split(items: usize, count: usize) -> Vec<(usize, usize)> {
    let count = count.min(items).max(1);
    let begin = |i: usize| i * (items / count) + i.min(items % count);
    (0..count)
        .map(|i| (begin(i), begin(i + 1) - begin(i)))
        .collect()
}

/// How many samples are looked at, and how many at a time.
#[derive(Clone, Copy, Debug)]
pub struct SampleSizes {
    /// Number of training samples.
    pub all: usize,
    /// Number of samples in a batch.
    pub batch: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_as_even_as_can_be() {
        assert_eq!(split(7, 3), [(0, 3), (3, 2), (5, 2)]);
        assert_eq!(split(6, 3), [(0, 2), (2, 2), (4, 2)]);
        assert_eq!(split(2, 3), [(0, 1), (1, 1)]);
        assert_eq!(split(4, 1), [(0, 4)]);
    }
}
