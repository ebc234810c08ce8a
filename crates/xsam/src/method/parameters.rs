//! Between modules and vectors: reading a module's gradients and weights as a [`ParamVector`], and
//! moving a module along one.
//!
//! Parts for those who look at a loss around the weights of a model: an [`Objective`](super::Objective) of
//! their own is made of them.

use std::collections::{HashMap, HashSet};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamGroup, ParamId};
use burn::optim::GradientsParams;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::tensor::{GradientCheckpointingStrategy, Gradients, Tensor};

use crate::combination::combination;
use crate::number::Number;
use crate::vector::ParamVector;

/// The gradients of all parameters that have one, as vectors of `module`, from which the loss was computed.
pub fn gradient_vector<M: Module>(module: &M, gradients: Gradients) -> ParamVector {
    vector_of(module, GradientsParams::from_grads(gradients, module))
}

/// The gradients that `module`'s parameters have in `gradients`.
pub(crate) fn vector_of<M: Module>(module: &M, gradients: GradientsParams) -> ParamVector {
    struct Take {
        gradients: GradientsParams,
        entries: Vec<(ParamId, Tensor<1>)>,
    }
    impl ModuleVisitor for Take {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.gradients.remove::<D>(param.id) {
                self.entries.push((param.id, flat(gradient)));
            }
        }
    }
    let mut take = Take {
        gradients,
        entries: Vec::new(),
    };
    module.visit(&mut take);
    ParamVector::new(take.entries)
}

/// The vector as gradients for a Burn optimizer: every tensor in its parameter's shape and on its device, where Burn
/// would otherwise take the parameter to the gradient's.
pub(crate) fn gradients_params<M: Module>(module: &M, vector: &ParamVector) -> GradientsParams {
    struct Give<'a> {
        tensors: HashMap<ParamId, &'a Tensor<1>>,
        out: GradientsParams,
    }
    impl ModuleVisitor for Give<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(tensor) = self.tensors.get(&param.id) {
                let tensor = (*tensor).clone().to_device(&param.lazy_device());
                let shaped = tensor.reshape::<D, _>(param.lazy_shape());
                self.out.register(param.id, shaped);
            }
        }
    }
    let mut give = Give {
        tensors: vector.by_id(),
        out: GradientsParams::new(),
    };
    module.visit(&mut give);
    give.out
}

/// The weights of the parameters that have an entry in `like`. Shares the tensors.
pub fn weight_vector<M: Module>(module: &M, like: &ParamVector) -> ParamVector {
    struct Read {
        wanted: HashSet<ParamId>,
        entries: Vec<(ParamId, Tensor<1>)>,
    }
    impl ModuleVisitor for Read {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if self.wanted.contains(&param.id) {
                self.entries.push((param.id, flat(param.base().inner())));
            }
        }
    }
    let mut read = Read {
        wanted: like.entries().iter().map(|(id, _)| *id).collect(),
        entries: Vec::new(),
    };
    module.visit(&mut read);
    ParamVector::new(read.entries)
}

/// The weights of the parameters that require a gradient. Shares the tensors.
pub(crate) fn trained_weights<M: Module>(module: &M) -> ParamVector {
    struct Read(Vec<(ParamId, Tensor<1>)>);
    impl ModuleVisitor for Read {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let tensor = param.base();
            if tensor.is_require_grad() {
                self.0.push((param.id, flat(tensor.inner())));
            }
        }
    }
    let mut read = Read(Vec::new());
    module.visit(&mut read);
    ParamVector::new(read.0)
}

/// The module moved by the sum of `factor * vector` over `terms`.
///
/// Runs off the tape: the moved parameters are leaves with the requirement for gradients and the
/// checkpointing strategy that they had. Parameters without an entry stay as they are. Cost: one pass over
/// the terms, and a full-size copy.
pub fn displaced<M, N>(module: M, terms: &[(N, &ParamVector)]) -> M
where
    M: Module,
    N: Clone + Into<Number>,
{
    struct Move<'a> {
        terms: Vec<(Number, HashMap<ParamId, &'a Tensor<1>>)>,
    }
    impl ModuleMapper for Move<'_> {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let id = param.id;
            let terms: Vec<(Number, &Tensor<1>)> = self
                .terms
                .iter()
                .filter_map(|(factor, by_id)| Some((factor.clone(), *by_id.get(&id)?)))
                .collect();
            if terms.is_empty() {
                return param;
            }
            param.map(|weight| {
                let tracked = weight.is_require_grad();
                let autodiff = weight.is_autodiff();
                let strategy = weight.gradient_checkpointing_strategy();
                let (shape, device) = (weight.shape(), weight.device());
                let terms: Vec<(Number, Tensor<D>)> = terms
                    .into_iter()
                    .map(|(factor, step)| {
                        let step = step.clone().to_device(&device);
                        (factor, step.reshape(shape.clone()))
                    })
                    .collect();
                let value = combination((&1.0.into(), weight.inner()), &terms);
                if !autodiff {
                    return value;
                }
                let mut value = Tensor::from_inner(value);
                if let Some(strategy) = strategy {
                    value = value.with_gradient_checkpointing_strategy(strategy);
                }
                value.set_require_grad(tracked)
            })
        }
    }
    module.map(&mut Move {
        terms: terms
            .iter()
            .map(|(factor, vector)| (factor.clone().into(), vector.by_id()))
            .collect(),
    })
}

/// A model with the same weights whose running statistics are its own.
///
/// Clones of a Burn module share their running statistics, even the updates that are still pending;
/// leaving and entering training mode is what separates them. That drops the checkpointing
/// `strategy`, so it is put back: give that of [`checkpointing`]. No tensor is copied.
pub fn independent<M: Module>(model: &M, strategy: GradientCheckpointingStrategy) -> M {
    with_strategy(model.valid().train(), strategy)
}

/// The module, whose parameters have no checkpointing strategy, with `strategy`.
pub(crate) fn with_strategy<M: Module>(module: M, strategy: GradientCheckpointingStrategy) -> M {
    struct Restore(GradientCheckpointingStrategy);
    impl ModuleMapper for Restore {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|t| {
                if t.is_autodiff() {
                    t.with_gradient_checkpointing_strategy(self.0)
                } else {
                    t
                }
            })
        }
    }
    match strategy == GradientCheckpointingStrategy::default() {
        true => module,
        false => module.map(&mut Restore(strategy)),
    }
}

/// The checkpointing strategy of the module's parameters; `None` if none is on an autodiff device.
pub fn checkpointing<M: Module>(module: &M) -> Option<GradientCheckpointingStrategy> {
    struct First(Option<GradientCheckpointingStrategy>);
    impl ModuleVisitor for First {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if self.0.is_none() {
                self.0 = param.base().gradient_checkpointing_strategy();
            }
        }
    }
    let mut first = First(None);
    module.visit(&mut first);
    first.0
}

/// The parameters that `group` matches.
pub fn members<M: Module>(module: &M, group: &ParamGroup) -> HashSet<ParamId> {
    let matching = |id: ParamId, path: &str| group.matches(&id, Some(path)).then_some(());
    select(module, matching).into_keys().collect()
}

/// The parameters that `group` matches, of those that require a gradient.
pub(crate) fn trainable_members<M: Module>(module: &M, group: &ParamGroup) -> HashSet<ParamId> {
    let trainable = trainable(module);
    let mut members = members(module, group);
    members.retain(|id| trainable.contains(id));
    members
}

/// The parameters that require a gradient.
pub(crate) fn trainable<M: Module>(module: &M) -> HashSet<ParamId> {
    struct Trainable(HashSet<ParamId>);
    impl ModuleVisitor for Trainable {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if param.base().is_require_grad() {
                self.0.insert(param.id);
            }
        }
    }
    let mut trainable = Trainable(HashSet::new());
    module.visit(&mut trainable);
    trainable.0
}

/// All parameters and running statistics.
pub(crate) fn ids<M: Module>(module: &M) -> HashSet<ParamId> {
    select(module, |_, _| Some(())).into_keys().collect()
}

/// Gives the parameters that have none yet their initial values, in their order.
pub(crate) fn initialize<M: Module>(module: &M) {
    struct Initialize;
    impl ModuleVisitor for Initialize {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if !param.is_initialized() {
                param.base();
            }
        }
    }
    module.visit(&mut Initialize);
}

/// The parameters that are called a bias: `bias`, or `beta` in Burn's normalisation layers.
pub fn biases<M: Module>(module: &M) -> HashSet<ParamId> {
    let called_bias =
        |_, path: &str| matches!(path.rsplit('.').next(), Some("bias" | "beta")).then_some(());
    select(module, called_bias).into_keys().collect()
}

/// The learning rate of each parameter.
pub(crate) fn learning_rates<M: Module>(
    module: &M,
    lr: &ModuleLearningRate,
) -> HashMap<ParamId, f64> {
    select(module, |id, path| Some(lr.lr_from_param(id, Some(path))))
}

/// The parameters that something is known of, by id and path.
fn select<M: Module, T>(
    module: &M,
    known: impl Fn(ParamId, &str) -> Option<T>,
) -> HashMap<ParamId, T> {
    struct Select<F, T> {
        path: Vec<String>,
        known: F,
        found: HashMap<ParamId, T>,
    }
    impl<T, F: Fn(ParamId, &str) -> Option<T>> ModuleVisitor for Select<F, T> {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(found) = (self.known)(param.id, &self.path.join(".")) {
                self.found.insert(param.id, found);
            }
        }
    }
    let mut select = Select {
        path: Vec::new(),
        known,
        found: HashMap::new(),
    };
    module.visit(&mut select);
    select.found
}

fn flat<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    let length = tensor.shape().num_elements();
    tensor.reshape([length])
}
