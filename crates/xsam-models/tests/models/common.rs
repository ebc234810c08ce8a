//! What several tests need.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use xsam_models::state;

pub(super) fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f64> {
    tensor.to_data().iter::<f64>().collect()
}

/// All float tensors of a model, to the bit.
pub(super) fn bits<M: Module>(model: &M) -> Vec<u64> {
    let values = state::values(model).into_iter();
    let values = values.flat_map(|(_, values)| values);
    values.map(f64::to_bits).collect()
}

/// The gradients by name; none for a parameter that has none.
pub(super) fn gradients<M: Module>(model: &M, loss: Tensor<1>) -> Vec<(String, Option<Vec<f64>>)> {
    struct Reader(GradientsParams, Vec<Option<Vec<f64>>>);
    impl ModuleVisitor for Reader {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let gradient = self.0.get::<D>(param.id);
            let gradient = gradient.inspect(|gradient| assert_eq!(gradient.dims(), param.dims()));
            self.1.push(gradient.map(|gradient| values(&gradient)));
        }
    }
    let gradients = GradientsParams::from_grads(loss.backward(), model);
    let mut reader = Reader(gradients, Vec::new());
    model.visit(&mut reader);
    let names = state::entries(model).into_iter().map(|entry| entry.name);
    names.zip(reader.1).collect()
}
