//! A feature map in a stack, and its gradient while it is being added up.

use std::any::Any;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use burn::backend::Backend;
use burn::backend::tensor::FloatTensor;

/// A feature map as a primitive of its back end, and the sum of the gradients that it has got from the
/// layers that use it. Clones share both.
///
/// Of any back end, since Burn dispatches an operation by single tensors and not by lists of them. And
/// Burn's own sum of gradients takes a tensor a layer, whereas here a layer can add to what is there in
/// the same pass that computes its gradient.
#[derive(Clone, Debug, Default)]
pub(super) struct Link(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    map: OnceLock<Box<dyn Any + Send + Sync>>,
    sum: Mutex<Option<Box<dyn Any + Send>>>,
}

impl Link {
    /// Sets the map, once.
    pub(super) fn set_map<B: Backend>(&self, map: FloatTensor<B>) {
        self.0.map.get_or_init(|| Box::new(map));
    }

    /// The map.
    ///
    /// # Panics
    /// If it was set on another back end, or not at all.
    pub(super) fn map<B: Backend>(&self) -> FloatTensor<B> {
        let map = self.0.map.get().and_then(|map| map.downcast_ref());
        let Some(map) = map else {
            panic!("a feature map is used on another back end than it was made on");
        };
        FloatTensor::<B>::clone(map)
    }

    /// Takes the sum, if there is one.
    pub(super) fn take_sum<B: Backend>(&self) -> Option<FloatTensor<B>> {
        let mut sum = self.0.sum.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = sum.take()?.downcast::<FloatTensor<B>>().ok()?;
        Some(*sum)
    }

    pub(super) fn put_sum<B: Backend>(&self, sum: FloatTensor<B>) {
        *self.0.sum.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(sum));
    }
}
