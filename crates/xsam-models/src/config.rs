//! Which model, how large, and the check that it can be built.

use std::ops::RangeInclusive;

use burn::tensor::Device;
use thiserror::Error;

use crate::classifier::Sizes;
use crate::range::{OutOfRange, within};
use crate::{Model, ModelName, init};
use xsam_weights::state::{StateError, parameter_count};

/// Image channels a model may take.
const CHANNELS: RangeInclusive<usize> = 1..=1024;
/// Classes a model may tell apart.
const CLASSES: RangeInclusive<usize> = 1..=1_000_000;
/// Values of [`ModelConfig::width`].
const WIDTHS: RangeInclusive<usize> = 1..=16_384;
/// No known data set has larger images; a larger number is a mistake.
const LARGEST_IMAGE: usize = 16_384;

/// The most parameters that are tried to be stored: 8 GiB in single precision.
pub(crate) const MOST_PARAMETERS: usize = 1 << 31;

/// Why a model cannot be built.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ModelError {
    /// A field is outside its range.
    #[error("{field} = {value} is outside {min}..={max}")]
    OutOfRange {
        /// The field of [`ModelConfig`].
        field: &'static str,
        /// Its value.
        value: usize,
        /// The least value allowed.
        min: usize,
        /// The greatest value allowed.
        max: usize,
    },
    /// A width is given for a model that has only one.
    #[error("width = {width} is given, but {model} has a fixed width; leave it out")]
    FixedWidth {
        /// The model.
        model: ModelName,
        /// The width given.
        width: usize,
    },
    /// The pooling of the model would leave nothing of the image.
    #[error("image_size = {image_size} is too small for {model}, which needs at least {min}")]
    ImageTooSmall {
        /// The model.
        model: ModelName,
        /// The image size given.
        image_size: usize,
        /// The least image size of the model.
        min: usize,
    },
    /// Every field is in its range, but together they ask for too much memory.
    #[error("{model} of these sizes has {parameters} parameters, more than {max}")]
    TooLarge {
        /// The model.
        model: ModelName,
        /// Its number of parameters.
        parameters: usize,
        /// The most parameters allowed.
        max: usize,
    },
    /// The initial values could not be stored.
    #[error(transparent)]
    State(#[from] StateError),
}

impl ModelError {
    /// The field of [`ModelConfig`] that is at fault, where it is one: of a model that is too large its width.
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::OutOfRange { field, .. } => Some(field),
            Self::FixedWidth { .. } => Some("width"),
            Self::ImageTooSmall { .. } => Some("image_size"),
            Self::TooLarge { model, .. } => model.default_width().map(|_| "width"),
            Self::State(_) => None,
        }
    }
}

impl From<OutOfRange> for ModelError {
    fn from(error: OutOfRange) -> Self {
        let OutOfRange {
            field,
            value,
            min,
            max,
        } = error;
        Self::OutOfRange {
            field,
            value,
            min,
            max,
        }
    }
}

/// A model and its sizes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelConfig {
    /// Which model.
    pub name: ModelName,
    /// Channels of an image.
    pub channels: usize,
    /// Height and width of an image.
    pub image_size: usize,
    /// Number of classes.
    pub classes: usize,
    /// Width of a model that can be scaled; `None` for its default.
    pub width: Option<usize>,
}

impl ModelConfig {
    /// A model of default width.
    pub fn new(name: ModelName, channels: usize, image_size: usize, classes: usize) -> Self {
        Self {
            name,
            channels,
            image_size,
            classes,
            width: None,
        }
    }

    /// The same with another width.
    #[must_use]
    pub fn with_width(mut self, width: usize) -> Self {
        self.width = Some(width);
        self
    }

    /// Checks every field, and that the model is not too large as a whole. Allocates nothing.
    ///
    /// # Errors
    ///
    /// Names the first field that cannot be, its value and its range.
    pub fn check(&self) -> Result<(), ModelError> {
        self.check_fields()?;
        self.zeroed(&Device::flex()).map(drop)
    }

    fn check_fields(&self) -> Result<(), ModelError> {
        let model = self.name;
        within("channels", self.channels, CHANNELS)?;
        within("classes", self.classes, CLASSES)?;
        within("image_size", self.image_size, 1..=LARGEST_IMAGE)?;
        if let Some(width) = self.width {
            if model.default_width().is_none() {
                return Err(ModelError::FixedWidth { model, width });
            }
            within("width", width, WIDTHS)?;
        }
        let min = model.smallest_image();
        if self.image_size < min {
            return Err(ModelError::ImageTooSmall {
                model,
                image_size: self.image_size,
                min,
            });
        }
        Ok(())
    }

    /// Builds the model on `device` with PyTorch's default initial values.
    ///
    /// Equal seeds give equal bits on every device. To train the model, `device` must have autodiff
    /// enabled, or [`Module::train`](burn::module::Module::train) be called on the result.
    ///
    /// # Errors
    ///
    /// Those of [`check`](Self::check).
    pub fn init(&self, seed: u64, device: &Device) -> Result<Model, ModelError> {
        self.check_fields()?;
        Ok(init::seeded(self.zeroed(device)?, seed)?)
    }

    /// Number of learned values of the model. Nothing as large is allocated for it.
    ///
    /// # Errors
    ///
    /// Those of [`check`](Self::check).
    pub fn parameters(&self) -> Result<usize, ModelError> {
        self.check_fields()?;
        Ok(parameter_count(&self.zeroed(&Device::flex())?))
    }

    /// The model before it has its initial values, which takes no room to speak of: Burn's layers make their tensors at
    /// first use.
    fn zeroed(&self, device: &Device) -> Result<Model, ModelError> {
        let sizes = Sizes {
            channels: self.channels,
            image_size: self.image_size,
            classes: self.classes,
            // Every scalable model has a default, so 1 is never used.
            width: self.width.or(self.name.default_width()).unwrap_or(1),
        };
        let model = self.name.zeroed(sizes, device);
        let parameters = parameter_count(&model);
        if parameters > MOST_PARAMETERS {
            return Err(ModelError::TooLarge {
                model: self.name,
                parameters,
                max: MOST_PARAMETERS,
            });
        }
        Ok(model)
    }
}
