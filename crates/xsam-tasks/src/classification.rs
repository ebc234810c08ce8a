//! Telling classes of images apart.

use std::collections::BTreeMap;
use std::sync::Arc;

use burn::tensor::Tensor;
use xsam_data::{
    DatasetPrint, Images, Loader, LoaderConfig, Pipeline, Splits, batches, order, subset,
    with_label_noise,
};
use xsam_lab::{
    Batches, Fingerprint, LossByLogits, LossBySamples, Measured, Part, Place, SampleSizes, Score,
    Setup, Tally, Task, TaskError, scalar,
};
use xsam_models::{Model, ModelConfig};

use crate::batch::{Batch, shape};
use crate::data::{Loaded, changes, images, sizes};
use crate::spec::{OurSections, OurSpec};

/// Images in a batch when a model is evaluated. The result does not depend on it.
const EVALUATION_BATCH: usize = 500;

/// Batches that wait for their step or are being prepared. One would do if every step took the same
/// time.
const AHEAD: usize = 3;

/// The name of the score.
const ACCURACY: &str = "accuracy";

/// Images and a model that is to learn their classes.
#[derive(Debug)]
pub struct Classification {
    place: Place,
    config: ModelConfig,
    spec: OurSpec,
    pipeline: Pipeline,
    /// The training part is in the pipeline, with the noise of its labels.
    data: Arc<Loaded<Splits>>,
    changed_labels: usize,
}

impl Classification {
    fn smoothing(&self) -> f64 {
        self.spec.task.data.label_smoothing.unwrap_or_default()
    }

    fn batch_size(&self) -> usize {
        self.spec.train.batch_size.unwrap_or(1).max(1)
    }

    /// Those of the images that are chosen, as they are, in batches of this size.
    fn in_batches<'a>(
        &'a self,
        images: &'a Images,
        chosen: &[usize],
        size: usize,
        place: Place,
    ) -> Result<Batches<'a, Batch>, TaskError> {
        let chosen: Vec<Vec<usize>> = batches(chosen, size)?.map(<[usize]>::to_vec).collect();
        Ok(Box::new(chosen.into_iter().map(move |indices| {
            let normalization = &self.data.normalization;
            Ok(Batch::of(images, normalization, &indices, &place)?)
        })))
    }
}

impl Task for Classification {
    type Spec = OurSections;
    type Model = Model;
    type Batch = Batch;
    /// Logits `[batch, classes]`.
    type Output = Tensor<2>;

    fn scores() -> Vec<Score> {
        let meaning = "Share of images whose class is found; labels as they are, noise included";
        vec![Score::percent(ACCURACY, meaning)]
    }

    fn new(setup: &Setup<'_, OurSections>) -> Result<Self, TaskError> {
        let (spec, data) = (setup.spec, images(setup)?);
        let task = &spec.task;
        let sizes = data.sizes();
        task.check_data(sizes)?;
        let config = task.model_config(sizes)?;
        let mut train = data.train.clone();
        if let Some(n) = task.data.subset {
            train = subset(&train, n)?;
        }
        let seed = setup.seed();
        let (train, changed_labels) = with_label_noise(&train, task.data.label_noise, seed)?;
        let augmentation = task.augmentation.augmentation();
        let normalization = data.normalization.clone();
        Ok(Self {
            place: setup.place.clone(),
            config,
            spec: spec.clone(),
            pipeline: Pipeline::new(train, normalization, augmentation, seed)?,
            data,
            changed_labels,
        })
    }

    fn model(&self) -> Result<Model, TaskError> {
        Ok(self.config.init(self.spec.train.seed, &self.place.device)?)
    }

    fn steps(&self) -> usize {
        self.pipeline.images().len().div_ceil(self.batch_size())
    }

    fn batch(&self, epoch: usize, step: usize) -> Result<Batch, TaskError> {
        let batch = self.batches(epoch, step)?.next();
        batch.unwrap_or_else(|| Err(TaskError::new("the epoch has no such step")))
    }

    fn batches(&self, epoch: usize, first: usize) -> Result<Batches<'_, Batch>, TaskError> {
        let images = self.pipeline.images().len();
        let mut order = order(images, self.spec.train.seed, epoch as u64);
        order.drain(..images.min(first * self.batch_size()));
        let config = LoaderConfig {
            batch_size: self.batch_size(),
            workers: self.spec.task.data.workers.unwrap_or_default(),
            ahead: AHEAD,
        };
        let loader = Loader::new(&self.pipeline, epoch as u64, order, config)?;
        let shape = shape(self.pipeline.images());
        Ok(Box::new(loader.map(move |batch| {
            let batch = batch?;
            Ok(Batch::new(batch.pixels, shape, batch.labels, &self.place))
        })))
    }

    fn loss(&self, model: &Model, batch: &Batch, _noise: Option<u64>) -> (Tensor<1>, Tensor<2>) {
        batch.loss(model, self.smoothing())
    }

    fn by_logits() -> Option<LossByLogits<Self>> {
        Some(LossByLogits {
            logits: |_, model, batch, _| batch.logits(model),
            loss: |task, logits, batch| batch.loss_of(logits, task.smoothing()),
        })
    }

    fn mixed_precision() -> bool {
        true
    }

    fn by_samples() -> Option<LossBySamples<Self>> {
        Some(LossBySamples {
            losses: |task, model, batch, _| batch.losses(model, task.smoothing()),
            chosen: |_, batch, numbers| batch.chosen(numbers),
        })
    }

    fn parts(&self, batch: Batch, count: usize) -> Result<Vec<(Batch, f64)>, TaskError> {
        let parts = batch.parts(count);
        let average = batch.size() as f64 / parts.len() as f64;
        let weighed = parts.into_iter().map(|part| {
            let share = part.size() as f64 / average;
            (part, share)
        });
        Ok(weighed.collect())
    }

    fn tally(&self, batch: &Batch, logits: Tensor<2>) -> Result<Tally, TaskError> {
        let tally = Tally::new(batch.size(), 0.0);
        Ok(tally.counted(ACCURACY, batch.correct(logits.inner()))?)
    }

    /// That of whoever names the most frequent class of the test data, and spreads probability evenly.
    fn chance(&self) -> Option<Tally> {
        let test = &self.data.test;
        let most = test.class_counts().into_iter().max().unwrap_or_default();
        let (items, loss) = (test.len(), (test.classes() as f64).ln());
        let tally = Tally::new(items, items as f64 * loss).with(ACCURACY, most as f64);
        (items > 0).then_some(tally)
    }

    fn facts(&self) -> BTreeMap<String, serde_json::Value> {
        BTreeMap::from_iter([("changed_labels".to_owned(), self.changed_labels.into())])
    }

    fn sample(&self, sizes: SampleSizes, seed: u64) -> Result<Vec<(Batch, usize)>, TaskError> {
        let images = self.pipeline.images();
        let mut chosen = order(images.len(), seed, 0);
        chosen.truncate(sizes.all);
        let batches = self.in_batches(images, &chosen, sizes.batch, self.place.clone())?;
        let sized = |batch: Batch| {
            let size = batch.size();
            (batch, size)
        };
        batches.map(|batch| batch.map(sized)).collect()
    }

    fn held_out(&self, part: Part) -> Result<Batches<'_, Batch>, TaskError> {
        let images = match part {
            Part::Train => self.pipeline.images(),
            Part::Validation => &self.data.validation,
            Part::Test => &self.data.test,
        };
        let all: Vec<usize> = (0..images.len()).collect();
        self.in_batches(images, &all, EVALUATION_BATCH, self.place.inner())
    }

    fn evaluated(&self, model: &Model, batch: &Batch) -> Result<Tally, TaskError> {
        let (loss, logits) = batch.loss(model, 0.0);
        Ok(self.tally(batch, logits)?.with_mean_loss(scalar(loss)?))
    }

    fn size(&self, batch: &Batch) -> usize {
        batch.size()
    }

    fn epoch_size(&self) -> Result<usize, TaskError> {
        Ok(self.pipeline.images().len())
    }

    fn sampled_score(&self, model: &Model) -> Result<(Measured, f64), TaskError> {
        let batch = self.held_out(Part::Test)?.next().transpose()?;
        let tally = batch.map(|batch| self.evaluated(model, &batch));
        let totals = tally.transpose()?.unwrap_or_default().read()?;
        let all = self.data.validation.len() + self.data.test.len();
        let share = totals.items as f64 / all.max(1) as f64;
        Ok((totals.measured(&Self::scores()), share))
    }

    fn fingerprint(setup: &Setup<'_, OurSections>) -> Result<Option<Fingerprint>, TaskError> {
        Ok(images(setup)?.print(DatasetPrint::of_images))
    }

    fn check(setup: &Setup<'_, OurSections>) -> Result<(), TaskError> {
        Ok(setup.spec.task.check_data(images(setup)?.sizes())?)
    }

    fn changes(was: &Fingerprint, now: &Fingerprint) -> (Vec<String>, bool) {
        changes(was, now)
    }

    fn model_of(
        setup: &Setup<'_, OurSections>,
        data: Option<&Fingerprint>,
    ) -> Result<Model, TaskError> {
        let spec = setup.spec;
        let known = data.and_then(sizes);
        let sizes = match known.or_else(|| spec.task.data.name.sizes()) {
            Some(sizes) => sizes,
            None => images(setup)?.sizes(),
        };
        let config = spec.task.model_config(sizes)?;
        Ok(config.init(spec.train.seed, &setup.place.device)?)
    }
}
