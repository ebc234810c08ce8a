//! Steps of the image classifiers.

use burn::tensor::Tensor;
use xsam_models::{ClassifierName, Model, ModelConfig, ModelError, Variant, cast, reference};

use super::trainee::Timed;
use super::{LEARNING_RATE, SEED, check_values};
use xsam_lab::spec::{OptimizerSpec, SpecError};
use xsam_lab::{Error, Place, TaskError};

use crate::batch::Batch;

/// An image classifier and the images it is given.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageBench {
    /// The model whose steps are timed.
    pub name: ClassifierName,
    /// How large it is.
    pub variant: Variant,
    /// Height and width of an image.
    pub image_size: usize,
    /// Channels of an image.
    pub channels: usize,
    /// Number of classes, the length of the logits.
    pub classes: usize,
}

impl Default for ImageBench {
    fn default() -> Self {
        Self {
            name: ClassifierName::Resnet18,
            variant: Variant::default(),
            image_size: 32,
            channels: 3,
            classes: 10,
        }
    }
}

fn at_fault(error: ModelError) -> SpecError {
    SpecError::new(error.field().unwrap_or_default(), error.to_string())
}

impl ImageBench {
    /// How large the model is.
    pub(super) fn resolved(&self) -> Result<Variant, SpecError> {
        self.name.resolved(&self.variant).map_err(at_fault)
    }

    fn config(&self) -> ModelConfig {
        ModelConfig {
            name: self.name,
            channels: self.channels,
            image_size: self.image_size,
            classes: self.classes,
            variant: self.variant.clone(),
        }
    }
}

impl Timed for ImageBench {
    type Model = Model;
    type Batch = Batch;

    fn check(&self, batch: usize) -> Result<(), SpecError> {
        self.config().check().map_err(at_fault)?;
        // What has passed the check cannot overflow without the batch.
        let image = self.channels * self.image_size * self.image_size;
        check_values(batch, image, "images")
    }

    /// SGD with momentum and weight decay.
    fn optimizer(&self) -> OptimizerSpec {
        OptimizerSpec {
            lr: LEARNING_RATE,
            momentum: Some(0.9),
            weight_decay: 1e-3,
            ..OptimizerSpec::default()
        }
    }

    fn start(&self, batch: usize, place: &Place) -> Result<(Model, Batch), Error> {
        let model = self.config().init(SEED, &place.device);
        let model = cast(model.map_err(TaskError::from)?, place.dtype);
        let shape = [self.channels, self.image_size, self.image_size];
        let images = reference::images(SEED, batch * shape.iter().product::<usize>());
        let targets = reference::targets(SEED, batch, self.classes);
        Ok((model, Batch::new(images, shape, targets, place)))
    }

    fn logits(model: &Model, batch: &Batch, _masks: u64) -> Tensor<2> {
        batch.logits(model)
    }

    fn loss(logits: Tensor<2>, batch: &Batch) -> Tensor<1> {
        batch.loss_of(logits, 0.0).0
    }

    fn losses(model: &Model, batch: &Batch, _masks: u64) -> Tensor<1> {
        batch.losses(model, 0.0).0
    }

    fn chosen(batch: &Batch, numbers: &[usize]) -> Batch {
        batch.chosen(numbers)
    }
}
