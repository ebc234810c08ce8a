//! A model and another module that its loss goes through.

use burn::module::{Devices, Module, ModuleMapper, ModuleVisitor, ParamGroup};
use burn::tensor::{Device, GradientCheckpointingStrategy};

use crate::method::parameters;

/// A model, and another module that its loss goes through: a GAN's critic, a teacher.
///
/// A step runs the model several times, and only the pass at the weights updates running statistics. That is seen to for
/// the model that is handed in. Another module that the closure captures has its statistics moved by every pass, twice in
/// a step of SAM and 23 times in one that searches, and so has a clone of it, which shares them. Handed in together with
/// the model its statistics, too, move once a step, and not at all in a step that fails:
///
/// ```
/// use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
/// use burn::tensor::{Device, Distribution, Tensor};
/// use xsam::optim::FusedSgdConfig;
/// use xsam::{Accompanied, SharpnessAware, XsamConfig};
///
/// let device = Device::flex().autodiff();
/// let generator = LinearConfig::new(4, 4).init(&device);
/// let critic = BatchNormConfig::new(4).init(&device);
/// let noise = Tensor::<2>::random([16, 4], Distribution::Default, &device);
///
/// let mut optim = SharpnessAware::new(FusedSgdConfig::new().init()?, XsamConfig::new())?;
/// let both = Accompanied::new(generator, critic);
/// let step = optim.step(0.1, both, |both: &Accompanied<Linear, BatchNorm>| {
///     both.companion().forward(both.model().forward(noise.clone())).mean()
/// })?;
/// let (generator, critic) = step.model.into_parts();
/// # let _: (Linear, BatchNorm) = (generator, critic);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The companion's weights require no gradient meanwhile and stay as they are; [`into_parts`](Self::into_parts) gives it
/// back trainable as it was. Several companions are a tuple. To visitors, mappers and records this is the model alone:
/// parameters keep their names, and parameter groups, masks and the optimizer's records are those without a companion.
///
/// What does not depend on the model need not be in the closure at all: outputs of a teacher are better taken once,
/// before the step. Where a module's statistics are not to move, let the closure capture `module.valid().train()`,
/// which has its own.
#[derive(Clone, Debug)]
pub struct Accompanied<M, C> {
    model: M,
    companion: C,
    /// The companion's parameters that require a gradient where it is by itself.
    trainable: ParamGroup,
    /// The companion's checkpointing strategy, which a module loses when it leaves training mode.
    strategy: GradientCheckpointingStrategy,
}

impl<M: Module, C: Module> Accompanied<M, C> {
    /// The model that is trained, and what its loss goes through besides.
    pub fn new(model: M, companion: C) -> Self {
        let trainable = parameters::trainable(&companion);
        Self {
            model,
            strategy: parameters::checkpointing(&companion).unwrap_or_default(),
            companion: companion.no_grad(),
            trainable: ParamGroup::from_ids(trainable.into_iter().collect()),
        }
    }

    /// The model that is trained.
    pub fn model(&self) -> &M {
        &self.model
    }

    /// The companion; its parameters require no gradient.
    pub fn companion(&self) -> &C {
        &self.companion
    }

    /// The model, and the companion as trainable as it was handed in.
    pub fn into_parts(self) -> (M, C) {
        let companion = self.companion.set_require_grad_group(self.trainable, true);
        (self.model, companion)
    }

    fn both(self, model: impl FnOnce(M) -> M, companion: impl FnOnce(C) -> C) -> Self {
        Self {
            model: model(self.model),
            companion: companion(self.companion),
            ..self
        }
    }
}

impl<M: Module, C: Module> Module for Accompanied<M, C> {
    fn collect_devices(&self, devices: Devices) -> Devices {
        self.companion
            .collect_devices(self.model.collect_devices(devices))
    }

    fn fork(self, device: &Device) -> Self {
        self.both(
            |model| model.fork(device),
            |companion| companion.fork(device),
        )
    }

    fn to_device(self, device: &Device) -> Self {
        self.both(
            |model| model.to_device(device),
            |companion| companion.to_device(device),
        )
    }

    fn train(self) -> Self {
        let strategy = self.strategy;
        self.both(Module::train, |companion| {
            parameters::with_strategy(companion.train(), strategy)
        })
    }

    fn valid(&self) -> Self {
        Self {
            model: self.model.valid(),
            companion: self.companion.valid(),
            ..self.clone()
        }
    }

    fn materialize(self) -> Self {
        self.both(Module::materialize, Module::materialize)
    }

    fn visit<Visitor: ModuleVisitor>(&self, visitor: &mut Visitor) {
        self.model.visit(visitor);
    }

    fn map<Mapper: ModuleMapper>(self, mapper: &mut Mapper) -> Self {
        self.both(|model| model.map(mapper), |companion| companion)
    }
}
