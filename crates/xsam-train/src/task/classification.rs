//! Telling classes of images apart.

use std::time::Duration;

use burn::tensor::{Tensor, TensorData};
use xsam_data::{
    Images, Loader, LoaderConfig, Pipeline, Sizes, Splits, batches, order, subset, with_label_noise,
};
use xsam_kernels::cross_entropy;
use xsam_models::{ImageClassifier, Model, ModelConfig, cast};

use super::{Batches, Hits, SampleSizes, Scores, Task};
use crate::device::{Batch, Place};
use crate::error::Error;
use crate::evaluation::{Score, Tally, count, evaluate, scalar};
use crate::event::StopSignal;
use crate::loss::correct;
use crate::spec::{Spec, TrainSpec};
use crate::trained::TrainedModel;

/// Images in a batch when a model is evaluated. The result does not depend on it.
const EVALUATION_BATCH: usize = 500;

/// Batches that wait for their step or are being prepared. One would do if every step took the same
/// time.
const AHEAD: usize = 3;

/// Images and a model that is to learn their classes.
#[derive(Debug)]
pub(crate) struct Classification {
    place: Place,
    config: ModelConfig,
    train: TrainSpec,
    pipeline: Pipeline,
    /// The training part is in the pipeline, with the noise of its labels.
    data: Splits,
    changed_labels: usize,
}

impl Classification {
    /// The task of a resolved spec, from all of its data.
    pub(crate) fn new(spec: &Spec, data: Splits, place: Place) -> Result<Self, Error> {
        let sizes = data.sizes();
        spec.check_data(sizes)?;
        let config = spec.classifier_config(sizes)?;
        let mut train = data.train.clone();
        if let Some(n) = spec.data.subset {
            train = subset(&train, n)?;
        }
        let seed = spec.train.seed;
        let (train, changed_labels) = with_label_noise(&train, spec.data.label_noise, seed)?;
        let augmentation = spec.augmentation.augmentation();
        let normalization = data.normalization.clone();
        Ok(Self {
            place,
            config,
            train: spec.train.clone(),
            pipeline: Pipeline::new(train, normalization, augmentation, seed)?,
            data,
            changed_labels,
        })
    }

    fn batch_size(&self) -> usize {
        batch_size(&self.train)
    }

    /// How a model in evaluation mode does on these of the images.
    fn tally(&self, model: &Model, images: &Images, indices: &[usize]) -> Result<Tally, Error> {
        let place = self.place.inner();
        let batch = place.batch(images, &self.data.normalization, indices)?;
        let logits = model.forward(batch.images);
        let loss = cross_entropy(logits.clone(), batch.targets.clone(), 0.0);
        Ok(Tally {
            loss: scalar(loss)? * indices.len() as f64,
            right: count(correct(logits, batch.targets))?,
            of: indices.len(),
        })
    }

    fn shape(&self, images: usize) -> [usize; 4] {
        let Sizes {
            channels,
            height,
            width,
            ..
        } = self.data.sizes();
        [images, channels, height, width]
    }
}

fn batch_size(train: &TrainSpec) -> usize {
    train.batch_size.unwrap_or(1).max(1)
}

/// Steps in an epoch of so many images.
pub(crate) fn steps(train: &TrainSpec, images: usize) -> usize {
    images.div_ceil(batch_size(train))
}

impl Task for Classification {
    type Model = Model;
    type Batch = Batch;
    /// Logits `[batch, classes]`.
    type Output = Tensor<2>;

    fn unpack(trained: TrainedModel) -> Option<Model> {
        match trained {
            TrainedModel::Classifier(model) => Some(model),
            TrainedModel::Translator(..) => None,
        }
    }

    fn model(&self) -> Result<Model, Error> {
        let model = self.config.init(self.train.seed, &self.place.device)?;
        Ok(cast(model, self.place.dtype))
    }

    fn steps(&self) -> usize {
        steps(&self.train, self.pipeline.images().len())
    }

    fn batches(&self, epoch: usize, first: usize) -> Result<impl Batches<Batch>, Error> {
        let images = self.pipeline.images().len();
        let mut order = order(images, self.train.seed, epoch as u64);
        order.drain(..images.min(first * self.batch_size()));
        let config = LoaderConfig {
            batch_size: self.batch_size(),
            workers: self.train.workers.unwrap_or_default(),
            ahead: AHEAD,
        };
        Ok(Loading {
            loader: Loader::new(&self.pipeline, epoch as u64, order, config)?,
            task: self,
        })
    }

    fn loss(&self, model: &Model, batch: &Batch, _seed: u64) -> (Tensor<1>, Tensor<2>) {
        let logits = model.forward(batch.images.clone());
        let smoothing = self.train.label_smoothing.unwrap_or_default();
        let loss = cross_entropy(logits.clone(), batch.targets.clone(), smoothing);
        (loss, logits)
    }

    fn parts(&self, batch: Batch, count: usize) -> Result<Vec<(Batch, f64)>, Error> {
        let parts = batch.parts(count);
        let average = self.size(&batch) as f64 / parts.len() as f64;
        let weighed = parts.into_iter().map(|part| {
            let share = self.size(&part) as f64 / average;
            (part, share)
        });
        Ok(weighed.collect())
    }

    fn hits(&self, batch: &Batch, logits: Tensor<2>) -> Result<Hits, Error> {
        let targets = batch.targets.clone().inner();
        Ok(Hits {
            of: targets.dims()[0],
            right: count(correct(logits.inner(), targets))?,
        })
    }

    fn changed_labels(&self) -> usize {
        self.changed_labels
    }

    fn sample(&self, sizes: SampleSizes, seed: u64) -> Result<Vec<(Batch, usize)>, Error> {
        let images = self.pipeline.images();
        let mut chosen = order(images.len(), seed, 0);
        chosen.truncate(sizes.all);
        let batches = batches(&chosen, sizes.batch)?.map(|indices| {
            let normalization = self.pipeline.normalization();
            let batch = self.place.batch(images, normalization, indices)?;
            Ok((batch, indices.len()))
        });
        batches.collect()
    }

    fn plain_loss(&self, model: &Model, batch: &Batch, _masks: Option<u64>) -> Tensor<1> {
        self.loss(model, batch, 0).0
    }

    fn scores(
        &self,
        model: &Model,
        _epochs: usize,
        stop: &StopSignal,
    ) -> Result<Option<Scores>, Error> {
        let score = |part: &Images| {
            let order: Vec<usize> = (0..part.len()).collect();
            let batches = batches(&order, EVALUATION_BATCH)?;
            evaluate(batches, stop, |indices| self.tally(model, part, indices))
        };
        let Some(validation) = score(&self.data.validation)? else {
            return Ok(None);
        };
        let test = score(&self.data.test)?;
        Ok(test.map(|test| Scores {
            validation,
            test,
            files: Vec::new(),
            warnings: Vec::new(),
        }))
    }

    fn size(&self, batch: &Batch) -> usize {
        batch.targets.dims()[0]
    }

    fn epoch_size(&self) -> Result<usize, Error> {
        Ok(self.pipeline.images().len())
    }

    fn sampled_score(&self, model: &Model) -> Result<(Score, f64), Error> {
        let test = &self.data.test;
        let sample: Vec<usize> = (0..test.len().min(EVALUATION_BATCH)).collect();
        let batch = batches(&sample, EVALUATION_BATCH)?.next();
        let tally = batch.map(|indices| self.tally(model, test, indices));
        let score = tally.transpose()?.unwrap_or_default().score();
        let all = self.data.validation.len() + test.len();
        Ok((score, sample.len() as f64 / all.max(1) as f64))
    }
}

/// The loader's batches, as tensors.
struct Loading<'a> {
    loader: Loader,
    task: &'a Classification,
}

impl Iterator for Loading<'_> {
    type Item = Result<Batch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(match self.loader.next()? {
            Ok(batch) => {
                let shape = self.task.shape(batch.labels.len());
                let pixels = TensorData::new(batch.pixels, shape);
                Ok(self.task.place.tensors(pixels, batch.labels))
            }
            Err(error) => Err(error.into()),
        })
    }
}

impl Batches<Batch> for Loading<'_> {
    fn waited(&self) -> Duration {
        self.loader.waited()
    }
}
