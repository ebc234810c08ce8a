//! What a model of images is: a module, and what is known of it.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;
use xsam_weights::state::Entry;

use crate::ModelError;
use crate::variant::{Pooling, Variant};

/// A module that tells classes of images apart.
pub trait ImageClassifier: Module {
    /// Logits `[batch, classes]` of images `[batch, channels, height, width]`.
    ///
    /// # Panics
    ///
    /// If the images have another number of channels, or another size where the model fixes it.
    fn forward(&self, images: Tensor<4>) -> Tensor<2>;
}

/// What is known of a model, and how it is made.
pub(crate) trait Architecture: ImageClassifier {
    /// Its name in a spec file.
    const NAME: &'static str;

    /// The width if none is given, or `None` if it is fixed.
    const WIDTH: Option<usize>;

    /// Height and width of the smallest image that leaves at least one position after pooling.
    const SMALLEST_IMAGE: usize = 1;

    /// What it leaves open besides its width, by default: nothing.
    fn besides(_width: usize) -> Variant {
        Variant::default()
    }

    /// Refuses sizes that do not go together.
    fn check(_sizes: Sizes) -> Result<(), ModelError> {
        Ok(())
    }

    /// What a tensor holds at first, drawn from a generator of its own; nothing for PyTorch's default.
    fn initial(_tensor: &Entry, _rng: &mut ChaCha8Rng) -> Option<Vec<f64>> {
        None
    }

    /// The model before it has its initial values.
    fn zeroed(sizes: Sizes, device: &Device) -> Self;
}

/// What a model is made for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) channels: usize,
    pub(crate) image_size: usize,
    pub(crate) classes: usize,
    /// Of a model that can be scaled, as the rest.
    pub(crate) width: usize,
    pub(crate) depth: usize,
    pub(crate) patch: usize,
    pub(crate) heads: usize,
    pub(crate) pooling: Pooling,
}
