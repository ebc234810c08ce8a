//! What a run learns: a model for a kind of data, its batches, its loss, and how well it does.

pub(crate) mod classification;
mod translation;

use std::path::Path;
use std::time::Duration;

use burn::module::Module;
use burn::tensor::Tensor;

pub(crate) use classification::Classification;
pub(crate) use translation::{TOKENIZER, Translation};

use crate::error::Error;
use crate::evaluation::Score;
use crate::event::StopSignal;
use crate::summary::TrainingPairs;
use crate::trained::TrainedModel;

/// A kind of data and the models for it. What is random in it derives from the seed of the spec that it
/// was made of, the epoch and the step.
pub(crate) trait Task {
    type Model: Module;
    type Batch;
    /// What a forward pass gives besides the loss.
    type Output;

    /// The model that a run has trained, if it is of this kind.
    fn unpack(trained: TrainedModel) -> Option<Self::Model>;

    /// The model with its initial values.
    fn model(&self) -> Result<Self::Model, Error>;

    /// Steps in an epoch, of all epochs alike.
    fn steps(&self) -> usize;

    /// The batches of `epoch` from number `first` on, both counted from 0, in their order.
    fn batches(&self, epoch: usize, first: usize) -> Result<impl Batches<Self::Batch>, Error>;

    /// The mean loss of a batch. `seed` decides what is dropped: all passes of a step have the same.
    fn loss(
        &self,
        model: &Self::Model,
        batch: &Self::Batch,
        seed: u64,
    ) -> (Tensor<1>, Self::Output);

    /// A batch in `count` parts of about the same size, or as many as it can be split into, and for each the number
    /// of items that its loss is a mean over, divided by that of an average part.
    fn parts(&self, batch: Self::Batch, count: usize) -> Result<Vec<(Self::Batch, f64)>, Error>;

    /// What was right in a batch.
    fn hits(&self, batch: &Self::Batch, output: Self::Output) -> Result<Hits, Error>;

    /// Training labels that noise has changed.
    fn changed_labels(&self) -> usize {
        0
    }

    /// What becomes of the training pairs, of a task that has some.
    fn pairs(&self) -> Option<TrainingPairs> {
        None
    }

    /// What a person should know of the data before the first step, in sentences.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// Writes into the run's directory what the model is of no use without; of a run that `goes_on` from a checkpoint,
    /// checks that it is the same.
    fn keep(&self, _directory: &Path, _goes_on: bool) -> Result<(), Error> {
        Ok(())
    }

    /// Some of the training data as they are, without augmentation, in batches of about `batch`, and of each over how
    /// many items its loss is a mean; `seed` decides which.
    fn sample(&self, sizes: SampleSizes, seed: u64) -> Result<Vec<(Self::Batch, usize)>, Error>;

    /// The mean loss of a batch, with what `masks` decide dropped out, or nothing.
    fn plain_loss(&self, model: &Self::Model, batch: &Self::Batch, masks: Option<u64>)
    -> Tensor<1>;

    /// How a model in evaluation mode does after `epochs` epochs; nothing if `stop` asks for an end before that is known,
    /// which is heeded from batch to batch.
    fn scores(
        &self,
        model: &Self::Model,
        epochs: usize,
        stop: &StopSignal,
    ) -> Result<Option<Scores>, Error>;

    /// What the time of a step is in proportion to: images, or tokens of both sides with their padding.
    fn size(&self, batch: &Self::Batch) -> usize;

    /// The sizes of all batches of an epoch together.
    fn epoch_size(&self) -> Result<usize, Error>;

    /// The score of a sample of the test data, in batches as those of [`scores`](Self::scores), and which
    /// share it is of the work of scoring validation and test data, translations left aside.
    fn sampled_score(&self, model: &Self::Model) -> Result<(Score, f64), Error>;

    /// Translates a sample of the test data, and tells which share it is of the work of translating
    /// validation and test data; nothing of a task without translations.
    fn sampled_translation(&self, _model: &Self::Model) -> Result<Option<f64>, Error> {
        Ok(None)
    }
}

/// Where each of `count` parts of `items` items begins, and how many it has: all alike, or one more in the first
/// ones.
pub(crate) fn split(items: usize, count: usize) -> Vec<(usize, usize)> {
    let count = count.min(items).max(1);
    let begin = |i: usize| i * (items / count) + i.min(items % count);
    (0..count)
        .map(|i| (begin(i), begin(i + 1) - begin(i)))
        .collect()
}

/// How many samples are looked at, and how many at a time: images, or pairs of sentences.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SampleSizes {
    pub(crate) all: usize,
    pub(crate) batch: usize,
}

/// The batches of an epoch.
pub(crate) trait Batches<B>: Iterator<Item = Result<B, Error>> {
    /// How long the iterator has kept its caller waiting so far.
    fn waited(&self) -> Duration;
}

/// How many of the items of a batch, which its loss is the mean of, were right.
pub(crate) struct Hits {
    pub(crate) right: i64,
    pub(crate) of: usize,
}

/// How well a model does on the data that it does not learn from.
pub(crate) struct Scores {
    pub(crate) validation: Score,
    pub(crate) test: Score,
    /// Names and texts of files that tell more, for the run's directory.
    pub(crate) files: Vec<(&'static str, String)>,
    /// What a person should know of the evaluation, in sentences.
    pub(crate) warnings: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn parts_are_as_even_as_can_be() {
        assert_eq!(split(7, 3), [(0, 3), (3, 2), (5, 2)]);
        assert_eq!(split(6, 3), [(0, 2), (2, 2), (4, 2)]);
        assert_eq!(split(2, 3), [(0, 1), (1, 1)]);
        assert_eq!(split(4, 1), [(0, 4)]);
    }
}
