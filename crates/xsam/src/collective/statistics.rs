//! Running statistics over ranks.

use std::collections::HashSet;

use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::tensor::{Tensor, TensorData};

use super::{Collective, CollectiveError};
use crate::method::parameters;

/// The model with the means over all ranks of its running statistics, or of any tensor that requires no gradient.
///
/// In training batch norm takes the statistics of the rank's share of a batch. For evaluation and checkpoints they are to be
/// those of all: call it on every rank before either. Since running statistics are moving averages, nothing is lost by going
/// on with the means. A tensor that is the same on all ranks stays as it is, to the last bit.
///
/// # Errors
/// If a rank is gone, or a tensor cannot be read from its device.
pub fn mean_statistics<M: Module>(model: M, ranks: &dyn Collective) -> Result<M, CollectiveError> {
    struct Mean<'a> {
        ranks: &'a dyn Collective,
        trained: HashSet<ParamId>,
        error: Option<CollectiveError>,
    }
    impl Mean<'_> {
        fn of<const D: usize>(&self, tensor: Tensor<D>) -> Result<Tensor<D>, CollectiveError> {
            let (shape, device) = (tensor.shape(), tensor.device());
            let dtype = tensor.dtype();
            let data = tensor.try_into_data();
            let data = data.map_err(|error| CollectiveError(error.to_string()))?;
            // In double precision: n equal numbers in single precision have themselves as their mean.
            let mut values: Vec<f64> = data.iter::<f64>().collect();
            self.ranks.sum_f64(&mut values)?;
            let size = self.ranks.size() as f64;
            for value in &mut values {
                *value /= size;
            }
            let data = TensorData::new(values, shape);
            Ok(Tensor::from_data(data, (&device, dtype)))
        }
    }
    impl ModuleMapper for Mean<'_> {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            if self.error.is_some() || self.trained.contains(&param.id) {
                return param;
            }
            param.map(|tensor| {
                let autodiff = tensor.is_autodiff();
                let plain = match autodiff {
                    true => tensor.clone().inner(),
                    false => tensor.clone(),
                };
                match (self.of(plain), autodiff) {
                    (Ok(mean), true) => Tensor::from_inner(mean),
                    (Ok(mean), false) => mean,
                    (Err(error), _) => {
                        self.error = Some(error);
                        tensor
                    }
                }
            })
        }
    }
    if ranks.size() == 1 {
        return Ok(model);
    }
    let mut mean = Mean {
        ranks,
        trained: parameters::trainable(&model),
        error: None,
    };
    // Updates that are pending are made first.
    let model = match parameters::checkpointing(&model) {
        Some(strategy) => parameters::independent(&model, strategy),
        None => model,
    };
    let model = model.map(&mut mean);
    match mean.error {
        Some(error) => Err(error),
        None => Ok(model),
    }
}
