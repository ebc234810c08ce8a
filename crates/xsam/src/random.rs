//! The random numbers that passes draw from the device's generator: dropout masks, as a rule.

use burn::module::Module;
use burn::tensor::{Device, Distribution, Tensor};

use crate::error::StepError;
use crate::method::parameters;
use crate::read::read;

/// 2^64 / golden ratio: as a multiplier it spreads consecutive numbers over all seeds, as any odd one does.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

/// How many fractions a number is made of. In half precision each has 11 bits.
const FRACTIONS: usize = 8;

/// Which random numbers the passes of a step draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Randomness {
    /// All of them the same, which follow from a number of the caller's.
    Given(u64),
    /// All of them the same, which follow from a number that the first step draws from the device's generator.
    ///
    /// The state of a generator can neither be read nor put back, so a seed must take its place. It is drawn once and
    /// not in every step: what is drawn must be read back.
    Drawn(Option<u64>),
    /// Each of them fresh ones.
    Fresh,
}

impl Randomness {
    /// With the number that the passes of `model` need, drawn if there is none yet.
    pub(crate) fn begun<M: Module>(self, model: &M) -> Result<Self, StepError> {
        if self == Self::Fresh {
            return Ok(self);
        }
        // Weights that are still to be drawn come before anything else, as they do without a method; and the first pass
        // must not draw what the others do not.
        parameters::initialize(model);
        match (self, model.devices().first()) {
            (Self::Drawn(None), Some(device)) => Ok(Self::Drawn(Some(draw(device)?))),
            _ => Ok(self),
        }
    }

    /// The number that all random numbers follow from, if it was drawn.
    pub(crate) fn drawn(self) -> Option<u64> {
        match self {
            Self::Drawn(number) => number,
            Self::Given(_) | Self::Fresh => None,
        }
    }

    /// The number that what a method draws in step `step` follows from: the same on all ranks and in a resumed run.
    pub(crate) fn of_step(self, step: u64) -> u64 {
        let number = match self {
            Self::Given(number) | Self::Drawn(Some(number)) => number,
            // Masks are fresh ones by request; what a method draws can be repeated all the same.
            Self::Drawn(None) | Self::Fresh => 0,
        };
        number ^ step.wrapping_mul(SPREAD)
    }

    /// What begins every pass over part `part` of the batch in step `step`.
    pub(crate) fn replay<M: Module>(self, model: &M, step: u64, part: usize) -> Option<Replay> {
        let (Self::Given(number) | Self::Drawn(Some(number))) = self else {
            return None;
        };
        Some(Replay {
            devices: model.devices(),
            seed: number ^ step.wrapping_mul(SPREAD).wrapping_add(part as u64),
        })
    }
}

/// A number from the device's generator. One read-back.
fn draw(device: &Device) -> Result<u64, StepError> {
    // Fractions, since every back end has them in every type.
    let fractions =
        Tensor::<1>::random([FRACTIONS], Distribution::Default, &device.clone().inner());
    let data = read(vec![fractions])?;
    let drawn = data.iter().flat_map(|data| data.iter::<f64>());
    Ok(drawn.fold(0, |number: u64, fraction| {
        (number.rotate_left(23) ^ fraction.to_bits()).wrapping_mul(SPREAD)
    }))
}

/// Repeats the random numbers of the first pass in every later one.
#[derive(Clone, Debug)]
pub(crate) struct Replay {
    devices: Vec<Device>,
    seed: u64,
}

impl Replay {
    pub(crate) fn rewind(replay: Option<&Self>) {
        if let Some(Self { devices, seed }) = replay {
            for device in devices {
                device.seed(*seed);
            }
        }
    }
}

/// Numbers that follow from a seed, the same on every machine: splitmix64, from a hash of the seed on. (From neighbouring
/// seeds themselves it would give one sequence, begun at neighbouring places.)
#[derive(Clone, Debug)]
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn of(seed: u64) -> Self {
        Self(Self(seed).next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(SPREAD);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in `[0, 1)`, a multiple of 2^-53.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 * 2f64.powi(-53)
    }

    /// So many of mean 0 and variance 1, normally distributed: by Box and Muller, two of each pair of numbers.
    pub(crate) fn normal(&mut self, count: usize) -> Vec<f64> {
        let mut values = Vec::with_capacity(count + 1);
        while values.len() < count {
            // Above 0, so that its logarithm is finite.
            let radius = (-2.0 * libm::log(1.0 - self.unit())).sqrt();
            let (sine, cosine) = libm::sincos(2.0 * std::f64::consts::PI * self.unit());
            values.extend([radius * cosine, radius * sine]);
        }
        values.truncate(count);
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_splitmix64s() {
        // The first ones of the generator's published code from seed 1234567.
        let mut numbers = Numbers(1_234_567);
        assert_eq!(numbers.next(), 6_457_827_717_110_365_317);
        assert_eq!(numbers.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn normal_numbers_have_the_moments_of_their_distribution() {
        let values = Numbers::of(1).normal(9_999);
        assert_eq!(values.len(), 9_999);
        let moment = |power| values.iter().map(|x| f64::powi(*x, power)).sum::<f64>() / 9_999.0;
        for (power, expected) in [(1, 0.0), (2, 1.0), (3, 0.0), (4, 3.0)] {
            let found = moment(power);
            assert!((found - expected).abs() < 0.15, "{found} of {expected}");
        }
    }

    #[test]
    fn steps_draw_numbers_of_their_own() {
        let randomness = Randomness::Given(7);
        let first = |step| {
            let mut numbers = Numbers::of(randomness.of_step(step));
            [(); 4].map(|()| numbers.unit())
        };
        let steps: Vec<f64> = (0..64).flat_map(first).collect();
        assert_eq!(steps[..4], first(0));
        for (i, a) in steps.iter().enumerate() {
            assert!((0.0..1.0).contains(a));
            assert!(steps[..i].iter().all(|b| a != b));
        }
        let mean = steps.iter().sum::<f64>() / steps.len() as f64;
        assert!((mean - 0.5).abs() < 0.1, "{mean}");
    }
}
