//! Batch norm on the Flex back end: the kernels in `f32`, the composition otherwise.

use burn::backend::{Flex, TensorMetadata};

use super::stack::{self, StackGradients, StackKernels};
use super::{BatchNormOps, Channels, InputGradients, Normalised, Saved, SavedTail, composed};
use crate::cpu::batch_norm as cpu;
use crate::flex::{Flat, takes, tensor};
use crate::optional::Optional;
use crate::profile::Timer;

impl Channels<Flex> {
    fn tensors(&self) -> [&Flat; 4] {
        [&self.weight, &self.bias, &self.mean, &self.variance]
    }
}

/// The dimensions of a tensor like this one with so many channels.
fn dims(x: &Flat, channels: usize) -> cpu::Dims {
    let shape = x.shape();
    cpu::Dims {
        images: shape[0],
        channels,
        plane: (2..shape.num_dims()).map(|d| shape[d]).product(),
    }
}

/// A tensor, whose values lie side by side, as some of the channels.
fn part(x: &Flat) -> cpu::Part<'_> {
    cpu::Part {
        data: x.storage(),
        channels: x.shape()[1],
    }
}

/// The kernel's forward pass over maps one behind the other, if it runs on these.
fn forward(
    maps: &[Flat],
    channels: &Channels<Flex>,
    residual: Option<&Flat>,
    relu: bool,
) -> Option<Normalised<Flex>> {
    let per_channel = channels.tensors();
    if !takes(maps.iter().chain(per_channel).chain(residual)) {
        return None;
    }
    let [weight, bias, mean, variance] = per_channel.map(Flat::to_contiguous);
    let maps: Vec<Flat> = maps.iter().map(Flat::to_contiguous).collect();
    let parts: Vec<cpu::Part<'_>> = maps.iter().map(part).collect();
    let residual = residual.map(Flat::to_contiguous);
    let mut shape = maps[0].shape();
    shape[1] = weight.shape()[0];
    let result = cpu::forward(cpu::Forward {
        dims: dims(&maps[0], shape[1]),
        parts: &parts,
        weight: weight.storage(),
        bias: bias.storage(),
        epsilon: channels.epsilon,
        known: [mean.storage(), variance.storage()],
        residual: residual.as_ref().map(|residual| residual.storage()),
        relu,
    });
    Some(Normalised {
        output: tensor(result.output, shape),
        mean: tensor(result.mean, weight.shape()),
        variance: tensor(result.variance, weight.shape()),
    })
}

/// The kernel's backward pass, if it runs on these: it adds the gradients of the maps to `sums`, and returns that of the
/// residual, behind the ReLU, too.
fn backward(
    gradient: &Flat,
    maps: &[Flat],
    (channels, given): (&Channels<Flex>, bool),
    tail: &SavedTail<Flex>,
    sums: &mut Vec<Option<Flat>>,
) -> Option<(StackGradients<Flex>, Option<Flat>)> {
    let output = match tail {
        SavedTail::ResidualRelu(output) => Some(output),
        _ => None,
    };
    let per_channel = channels.tensors();
    let tensors = maps.iter().chain(per_channel).chain([gradient]);
    if !takes(tensors.chain(output).chain(sums.iter().flatten())) {
        return None;
    }
    let gradient = gradient.to_contiguous();
    let [weight, bias, mean, variance] = per_channel.map(Flat::to_contiguous);
    let maps: Vec<Flat> = maps.iter().map(Flat::to_contiguous).collect();
    let parts: Vec<cpu::Part<'_>> = maps.iter().map(part).collect();
    let output = output.map(Flat::to_contiguous);
    let pass = cpu::Backward {
        dims: dims(&maps[0], weight.shape()[0]),
        gradient: gradient.storage(),
        parts: &parts,
        weight: weight.storage(),
        bias: bias.storage(),
        mean: mean.storage(),
        variance: variance.storage(),
        epsilon: channels.epsilon,
        given,
        mask: match (tail, &output) {
            (_, Some(output)) => cpu::Mask::FromOutput(output.storage()),
            (SavedTail::Relu, None) => cpu::Mask::FromInput,
            _ => cpu::Mask::None,
        },
    };
    // All sums are results of this function, which lie side by side.
    let targets = sums
        .iter_mut()
        .map(|sum| sum.as_mut().map(Flat::storage_mut));
    let gradients = cpu::backward(pass, targets.collect());
    let mut new = gradients.parts.into_iter();
    let of_map = |(sum, map): (Option<Flat>, &Flat)| match sum {
        Some(sum) => sum,
        None => tensor(new.next().unwrap_or_default(), map.shape()),
    };
    let all = StackGradients {
        maps: sums.drain(..).zip(&maps).map(of_map).collect(),
        weight: tensor(gradients.weight, weight.shape()),
        bias: tensor(gradients.bias, weight.shape()),
    };
    let masked = gradients
        .masked
        .map(|masked| tensor(masked, maps[0].shape()));
    Some((all, masked))
}

impl BatchNormOps for Flex {
    fn normalise(
        x: Flat,
        channels: Channels<Self>,
        residual: Optional<Self>,
        relu: bool,
    ) -> Normalised<Self> {
        let _timer = Timer::start("batch norm, forward");
        let residual = residual.get();
        let result = forward(std::slice::from_ref(&x), &channels, residual.as_ref(), relu);
        result.unwrap_or_else(|| composed::forward(x, channels, Optional::new(residual), relu))
    }

    fn normalise_backward(gradient: Flat, saved: Saved<Self>) -> InputGradients<Self> {
        let _timer = Timer::start("batch norm, backward");
        let Saved {
            x,
            channels,
            given,
            tail,
        } = &saved;
        let maps = std::slice::from_ref(x);
        let result = backward(&gradient, maps, (channels, *given), tail, &mut vec![None]);
        let Some((mut gradients, masked)) = result else {
            return composed::backward(gradient, saved);
        };
        InputGradients {
            x: gradients.maps.swap_remove(0),
            weight: gradients.weight,
            bias: gradients.bias,
            residual: Optional::new(match tail {
                SavedTail::Residual => Some(gradient),
                _ => masked,
            }),
        }
    }
}

impl StackKernels for Flex {
    fn stack_forward(maps: Vec<Flat>, channels: Channels<Self>, relu: bool) -> Normalised<Self> {
        let _timer = Timer::start("batch norm, forward");
        let result = forward(&maps, &channels, None, relu);
        result.unwrap_or_else(|| stack::composed_forward(maps, channels, relu))
    }

    fn stack_backward(
        gradient: Flat,
        maps: Vec<Flat>,
        channels: Channels<Self>,
        relu: bool,
        mut sums: Vec<Option<Flat>>,
    ) -> StackGradients<Self> {
        let _timer = Timer::start("batch norm, backward");
        let tail = SavedTail::of_stack(relu);
        match backward(&gradient, &maps, (&channels, false), &tail, &mut sums) {
            Some((gradients, _)) => gradients,
            None => stack::composed_backward(gradient, maps, channels, relu, sums),
        }
    }
}
