//! Which model, how large, and the check that it can be built.

use std::ops::RangeInclusive;

use burn::tensor::Device;
use xsam_weights::state::parameter_count;

use crate::classifier::Sizes;
use crate::error::{not_too_large, unless, within};
use crate::{ClassifierName, Model, ModelError, Pooling, Variant, init};

/// Image channels a model may take.
const CHANNELS: RangeInclusive<usize> = 1..=1024;
/// Classes a model may tell apart.
const CLASSES: RangeInclusive<usize> = 1..=1_000_000;
/// No known data set has larger images; a larger number is a mistake.
const LARGEST_IMAGE: usize = 16_384;

/// A model and its sizes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelConfig {
    /// Name of the architecture.
    pub name: ClassifierName,
    /// Channels of an image.
    pub channels: usize,
    /// Height and width of an image.
    pub image_size: usize,
    /// Number of classes, the length of the logits.
    pub classes: usize,
    /// What the architecture leaves open.
    pub variant: Variant,
}

impl ModelConfig {
    /// A model of default width and depth.
    pub fn new(name: ClassifierName, channels: usize, image_size: usize, classes: usize) -> Self {
        Self {
            name,
            channels,
            image_size,
            classes,
            variant: Variant::default(),
        }
    }

    /// The same with another width.
    #[must_use]
    pub fn with_width(mut self, width: usize) -> Self {
        self.variant.width = Some(width);
        self
    }

    /// Checks every field, and that the model is not too large as a whole. Allocates nothing.
    ///
    /// # Errors
    ///
    /// Names the first field that cannot be, its value and its range.
    pub fn check(&self) -> Result<(), ModelError> {
        self.zeroed(&Device::flex()).map(drop)
    }

    fn check_fields(&self) -> Result<(), ModelError> {
        let model = self.name;
        within("channels", self.channels, CHANNELS)?;
        within("classes", self.classes, CLASSES)?;
        within("image_size", self.image_size, 1..=LARGEST_IMAGE)?;
        let (size, min) = (self.image_size, model.smallest_image());
        unless(size >= min, "image_size", || {
            format!("image_size = {size} is too small for {model}, which needs at least {min}")
        })
    }

    /// The sizes of the model, if it can be.
    fn sizes(&self) -> Result<Sizes, ModelError> {
        self.check_fields()?;
        let Variant {
            width,
            depth,
            patch,
            heads,
            pooling,
        } = self.name.resolved(&self.variant)?;
        // What is open has a default, so the rest is never used.
        let sizes = Sizes {
            channels: self.channels,
            image_size: self.image_size,
            classes: self.classes,
            width: width.unwrap_or(1),
            depth: depth.unwrap_or(1),
            patch: patch.unwrap_or(1),
            heads: heads.unwrap_or(1),
            pooling: pooling.unwrap_or(Pooling::Mean),
        };
        self.name.check(sizes)?;
        Ok(sizes)
    }

    /// Builds the model on `device` with PyTorch's default initial values, or those that its
    /// [name](ClassifierName) tells.
    ///
    /// Equal seeds give equal bits on every device. To train the model, `device` must have autodiff
    /// enabled, or [`Module::train`](burn::module::Module::train) be called on the result.
    ///
    /// # Errors
    ///
    /// Those of [`check`](Self::check).
    pub fn init(&self, seed: u64, device: &Device) -> Result<Model, ModelError> {
        let initial = |tensor: &_, rng: &mut _| self.name.initial(tensor, rng);
        Ok(init::seeded(self.zeroed(device)?, seed, initial)?)
    }

    /// Number of learned values of the model. Nothing as large is allocated for it.
    ///
    /// # Errors
    ///
    /// Those of [`check`](Self::check).
    pub fn parameters(&self) -> Result<usize, ModelError> {
        Ok(parameter_count(&self.zeroed(&Device::flex())?))
    }

    /// The model before it has its initial values, if it can be.
    fn zeroed(&self, device: &Device) -> Result<Model, ModelError> {
        let model = self.name.zeroed(self.sizes()?, device);
        let scaled = self.name.default_width().map(|_| "width");
        not_too_large(model, self.name.as_str(), scaled)
    }
}
