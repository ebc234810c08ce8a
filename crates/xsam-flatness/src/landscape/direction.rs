//! Directions in which a landscape is looked at.

use std::collections::HashMap;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Shape, Tensor};
use xsam::ConfigError;
use xsam::method::{ParamVector, parameters};

use crate::error::FlatnessError;
use crate::random::{Elements, random_vector};

/// A random direction each of whose filters has the norm of the model's own, so that landscapes of networks whose
/// weights differ in scale can be compared (Li et al., "Visualizing the Loss Landscape of Neural Nets", 2018,
/// arXiv 1712.09913, section 4).
///
/// A filter is what makes one output: a slice along the first dimension of a parameter, or a column of the weights of
/// Burn's `Linear`. Parameters of one dimension (biases, scales of norms) are not moved, as is customary. Of the
/// parameters of `like`, normally a gradient; `seed` and `index` decide the direction.
///
/// # Errors
/// If no parameter has more than one dimension, or all such weights are zero.
pub fn filter_normalized<M: Module>(
    model: &M,
    like: &ParamVector,
    seed: u64,
    index: u64,
) -> Result<ParamVector, FlatnessError> {
    let layouts = layouts(model);
    let weights = parameters::weight_vector(model, like);
    let weights: HashMap<ParamId, &Tensor<1>> =
        weights.entries().iter().map(|(id, t)| (*id, t)).collect();
    let random = random_vector(like, Elements::Normal, seed, index);
    let scaled = random.entries().iter().map(|(id, direction)| {
        let scaled = match (layouts.get(id), weights.get(id)) {
            (Some(layout), Some(weight)) => layout.scaled(direction.clone(), (*weight).clone()),
            _ => direction.zeros_like(),
        };
        (*id, scaled)
    });
    let direction = ParamVector::new(scaled.collect());
    if direction.norm()? > 0.0 {
        return Ok(direction);
    }
    let range = "weights with at least two dimensions that are not all zero";
    Err(ConfigError::new("model", "no filter", range).into())
}

/// How the filters of a parameter lie.
struct Layout {
    rows: usize,
    columns: usize,
    /// Whether filters are columns, not rows.
    by_column: bool,
}

/// Those of each parameter that has any.
fn layouts<M: Module>(model: &M) -> HashMap<ParamId, Layout> {
    #[derive(Default)]
    struct Visitor {
        containers: Vec<String>,
        found: HashMap<ParamId, Layout>,
    }
    impl ModuleVisitor for Visitor {
        fn enter_module(&mut self, _name: &str, container: &str) {
            self.containers.push(container.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.containers.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let shape = param.lazy_shape();
            let rows = shape[0];
            if D < 2 || rows == 0 {
                return;
            }
            // The struct that the parameter is a field of.
            let mut structs = self.containers.iter().rev();
            let owner = structs.find(|container| container.starts_with("Struct:"));
            let layout = Layout {
                rows,
                columns: shape.num_elements() / rows,
                by_column: D == 2 && owner.is_some_and(|owner| owner == "Struct:Linear"),
            };
            self.found.insert(param.id, layout);
        }
    }
    let mut visitor = Visitor::default();
    model.visit(&mut visitor);
    visitor.found
}

impl Layout {
    /// The direction with the norms of the weights' filters.
    fn scaled(&self, direction: Tensor<1>, weight: Tensor<1>) -> Tensor<1> {
        let across = usize::from(!self.by_column);
        let shape = [self.rows, self.columns];
        let norms = |x: Tensor<2>| x.powi_scalar(2).sum_dim(across).sqrt();
        let direction = direction.reshape(shape);
        let length = norms(direction.clone());
        // A filter of zeros has no direction either.
        let nothing = length.clone().equal_elem(0.0);
        let factors = norms(weight.reshape(shape)) / length.mask_fill(nothing, 1.0);
        (direction * factors).reshape([self.rows * self.columns])
    }
}

/// The way from one model to another of the same shapes, running statistics included: added to the first it gives the
/// second. Parameters are paired in the order of the module, since two models never have the same identities.
///
/// # Errors
/// If the models do not have the same number of tensors in the same shapes.
pub fn between<M: Module>(from: &M, to: &M) -> Result<ParamVector, FlatnessError> {
    // What Burn keeps aside of running statistics is taken in.
    let (from, to) = (floats(&from.valid()), floats(&to.valid()));
    let shapes = |floats: &[Float]| floats.iter().map(|(_, s, _)| s.clone()).collect::<Vec<_>>();
    if shapes(&from) != shapes(&to) {
        let value = format!("{} tensors", to.len());
        let range = "a model whose tensors have the shapes of the first one's, in its order";
        return Err(ConfigError::new("to", value, range).into());
    }
    let way = from.into_iter().zip(to);
    let way = way.map(|((id, _, from), (_, _, to))| (id, to.cast(from.dtype()) - from));
    Ok(ParamVector::new(way.collect()))
}

/// Identity, shape and values of a tensor.
type Float = (ParamId, Shape, Tensor<1>);

/// All float tensors of a model without autodiff.
fn floats<M: Module>(model: &M) -> Vec<Float> {
    struct Visitor(Vec<Float>);
    impl ModuleVisitor for Visitor {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let tensor = param.val();
            let shape = tensor.shape();
            let count = shape.num_elements();
            self.0.push((param.id, shape, tensor.reshape([count])));
        }
    }
    let mut visitor = Visitor(Vec::new());
    model.visit(&mut visitor);
    visitor.0
}
