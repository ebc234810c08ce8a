//! Steps of the image classifiers.

use burn::tensor::{Tensor, TensorData};
use xsam_models::{ClassifierName, ImageClassifier, Model, ModelConfig, cast, reference};

use super::{LEARNING_RATE, SEED, check_values};
use xsam_lab::spec::{OptimizerSpec, SpecError};
use xsam_lab::{Error, Place, TaskError};

use crate::batch::Batch;
use crate::loss::cross_entropy;

/// An image classifier and the images it is given.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageBench {
    /// The model.
    pub name: ClassifierName,
    /// Its width, if it can be scaled and is not to have the one that is its own.
    pub width: Option<usize>,
    /// Height and width of an image.
    pub image_size: usize,
    /// Channels of an image.
    pub channels: usize,
    /// Number of classes.
    pub classes: usize,
}

impl Default for ImageBench {
    fn default() -> Self {
        Self {
            name: ClassifierName::Resnet18,
            width: None,
            image_size: 32,
            channels: 3,
            classes: 10,
        }
    }
}

/// SGD with momentum and weight decay.
pub(super) fn optimizer() -> OptimizerSpec {
    OptimizerSpec {
        lr: LEARNING_RATE,
        momentum: Some(0.9),
        weight_decay: 1e-3,
        ..OptimizerSpec::default()
    }
}

impl ImageBench {
    /// The width of the model, if it can be scaled.
    pub(super) fn resolved_width(&self) -> Option<usize> {
        self.width.or(self.name.default_width())
    }

    fn config(&self) -> ModelConfig {
        ModelConfig {
            name: self.name,
            channels: self.channels,
            image_size: self.image_size,
            classes: self.classes,
            width: self.resolved_width(),
        }
    }

    pub(super) fn check(&self, batch: usize) -> Result<(), SpecError> {
        self.config().check().map_err(|error| {
            SpecError::new(error.field().unwrap_or_default(), error.to_string())
        })?;
        // What has passed the check cannot overflow without the batch.
        let image = self.channels * self.image_size * self.image_size;
        check_values(batch, image, "images")
    }

    /// The model, and its loss on the batch.
    pub(super) fn start(
        &self,
        batch: usize,
        place: &Place,
    ) -> Result<(Model, impl Fn(&Model, usize) -> Tensor<1> + use<>), Error> {
        let model = self.config().init(SEED, &place.device);
        let model = cast(model.map_err(TaskError::from)?, place.dtype);
        let shape = [batch, self.channels, self.image_size, self.image_size];
        let images = reference::images(SEED, shape.iter().product());
        let targets = reference::targets(SEED, batch, self.classes);
        let Batch { images, targets } = Batch::new(TensorData::new(images, shape), targets, place);
        let loss = move |model: &Model, _| {
            let logits = model.forward(images.clone());
            cross_entropy(logits, targets.clone())
        };
        Ok((model, loss))
    }
}
