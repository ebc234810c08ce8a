//! Stacks of feature maps on the Flex back end.

use burn::backend::{Flex, TensorMetadata};

use super::super::flex::{dims, part};
use super::{
    Link, Normalised, StackInputs, StackKernels, StackOps, StackSlopes, composed_backward,
    composed_forward,
};
use crate::cpu::batch_norm as cpu;
use crate::flex::{Flat, takes, tensor};
use crate::profile::Timer;

impl StackOps for Flex {
    fn normalise_stack(_: Flat, links: Vec<Link>, inputs: StackInputs<Self>) -> Normalised<Self> {
        let maps = links.iter().map(Link::map::<Self>);
        Self::stack_forward(maps.collect(), inputs)
    }
}

impl StackKernels for Flex {
    fn stack_forward(maps: Vec<Flat>, inputs: StackInputs<Self>) -> Normalised<Self> {
        let _timer = Timer::start("batch norm, forward");
        let per_channel = [&inputs.weight, &inputs.bias, &inputs.mean, &inputs.variance];
        if !takes(maps.iter().chain(per_channel)) {
            return composed_forward::<Self>(maps, inputs);
        }
        let [weight, bias, mean, variance] = per_channel.map(Flat::to_contiguous);
        let maps: Vec<Flat> = maps.iter().map(Flat::to_contiguous).collect();
        let parts: Vec<cpu::Part<'_>> = maps.iter().map(part).collect();
        let channels = weight.shape()[0];
        let result = cpu::forward(cpu::Forward {
            dims: dims(&maps[0], channels),
            parts: &parts,
            weight: weight.storage(),
            bias: bias.storage(),
            epsilon: inputs.epsilon,
            known: [mean.storage(), variance.storage()],
            residual: None,
            relu: inputs.relu,
        });
        let mut shape = maps[0].shape();
        shape[1] = channels;
        Normalised {
            output: tensor(result.output, shape),
            mean: tensor(result.mean, weight.shape()),
            variance: tensor(result.variance, weight.shape()),
        }
    }

    fn stack_backward(
        gradient: Flat,
        maps: Vec<Flat>,
        inputs: StackInputs<Self>,
        mut sums: Vec<Option<Flat>>,
    ) -> StackSlopes<Self> {
        let _timer = Timer::start("batch norm, backward");
        let per_channel = [&inputs.weight, &inputs.bias, &inputs.mean, &inputs.variance];
        let tensors = maps.iter().chain(per_channel).chain([&gradient]);
        if !takes(tensors.chain(sums.iter().flatten())) {
            return composed_backward::<Self>(gradient, maps, inputs, sums);
        }
        let gradient = gradient.to_contiguous();
        let [weight, bias, mean, variance] = per_channel.map(Flat::to_contiguous);
        let maps: Vec<Flat> = maps.iter().map(Flat::to_contiguous).collect();
        let parts: Vec<cpu::Part<'_>> = maps.iter().map(part).collect();
        let targets = sums.iter_mut().map(|sum| match sum {
            // All sums are results of this function, which lie side by side.
            Some(sum) => cpu::Target::Sum(sum.storage_mut()),
            None => cpu::Target::New,
        });
        let slopes = cpu::backward(
            cpu::Backward {
                dims: dims(&maps[0], weight.shape()[0]),
                gradient: gradient.storage(),
                parts: &parts,
                weight: weight.storage(),
                bias: bias.storage(),
                mean: mean.storage(),
                variance: variance.storage(),
                epsilon: inputs.epsilon,
                given: false,
                mask: if inputs.relu {
                    cpu::Mask::FromInput
                } else {
                    cpu::Mask::None
                },
            },
            targets.collect(),
        );
        let mut new = slopes.parts.into_iter();
        let slope = |(sum, map): (Option<Flat>, &Flat)| match sum {
            Some(sum) => sum,
            None => tensor(new.next().unwrap_or_default(), map.shape()),
        };
        StackSlopes {
            maps: sums.into_iter().zip(&maps).map(slope).collect(),
            weight: tensor(slopes.weight, weight.shape()),
            bias: tensor(slopes.bias, weight.shape()),
        }
    }
}
