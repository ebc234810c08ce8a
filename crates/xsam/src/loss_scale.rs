//! Loss scaling, for gradients in a number format whose range is small.

use crate::check;
use crate::error::ConfigError;

/// The largest scale: beyond it nothing that half precision can hold is still lost below its range.
const LARGEST: f64 = 16_777_216.0;

/// Multiplies the loss before every backward pass, and divides the gradient by as much after it (mixed
/// precision: Micikevicius et al. 2018, arXiv 1710.03740).
///
/// Where activations are in half precision, small gradients vanish on their way back through the network;
/// those of a loss that is scaled do not. Too large a scale overflows instead: the gradient is not finite
/// although the loss is. A [`dynamic`](Self::dynamic) scale is then halved and *that pass* made again, be it the one
/// at the weights, at an ascent point, or any other of the step: no batch is lost, and no ascent is made along
/// a gradient that has overflowed. After `growth_interval` steps in a row without an overflow it is doubled.
///
/// Norms, reports and everything that a method computes are of the gradient proper. Scaling by a power of two rounds
/// nothing; a dynamic scale that begins with one stays one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LossScale {
    scale: f64,
    /// Steps without an overflow before the scale is doubled; `None` if it is fixed.
    growth_interval: Option<u64>,
    /// Steps since the last overflow or growth.
    good_steps: u64,
    /// Whether a pass of the step that is being made has overflowed.
    overflowed: bool,
}

impl LossScale {
    /// A scale that begins at 65,536 and finds its own way: halved where it overflows, doubled after 2,000 steps
    /// without an overflow.
    pub fn dynamic() -> Self {
        Self {
            scale: 65_536.0,
            growth_interval: Some(2000),
            good_steps: 0,
            overflowed: false,
        }
    }

    /// A scale that stays what it is. A gradient that overflows is an error.
    ///
    /// # Errors
    /// If `scale` is not finite or not above 0.
    pub fn fixed(scale: f64) -> Result<Self, ConfigError> {
        check::positive("loss_scale", scale)?;
        Ok(Self {
            scale,
            growth_interval: None,
            ..Self::dynamic()
        })
    }

    /// Sets the scale that a dynamic one begins with.
    ///
    /// # Errors
    /// If `scale` is below 1 or not finite.
    pub fn with_start(mut self, scale: f64) -> Result<Self, ConfigError> {
        let ok = scale.is_finite() && scale >= 1.0;
        ConfigError::unless(ok, "loss_scale", scale, "finite and at least 1")?;
        self.scale = scale;
        Ok(self)
    }

    /// Sets after how many steps without an overflow a dynamic scale is doubled.
    ///
    /// # Errors
    /// If it is 0, or the scale is fixed.
    pub fn with_growth_interval(mut self, steps: usize) -> Result<Self, ConfigError> {
        check::at_least_one("growth_interval", steps)?;
        let (ok, range) = (
            self.growth_interval.is_some(),
            "left alone where the scale is fixed",
        );
        ConfigError::unless(ok, "growth_interval", steps, range)?;
        self.growth_interval = Some(steps as u64);
        Ok(self)
    }

    /// What the loss is multiplied with now.
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// Takes a smaller scale after an overflow; `false` if there is none to take.
    pub(crate) fn back_off(&mut self) -> bool {
        let can = self.growth_interval.is_some() && self.scale > 1.0;
        if can {
            self.scale = (self.scale / 2.0).max(1.0);
            self.overflowed = true;
        }
        can
    }

    /// Counts a step that has been made.
    pub(crate) fn step(&mut self) {
        if std::mem::take(&mut self.overflowed) {
            self.good_steps = 0;
            return;
        }
        self.good_steps += 1;
        if self.growth_interval == Some(self.good_steps) {
            self.good_steps = 0;
            self.scale = (self.scale * 2.0).min(LARGEST).max(self.scale);
        }
    }

    /// The scale, and whether a pass of the step that is being made has overflowed.
    pub(crate) fn in_step(&self) -> (f64, bool) {
        (self.scale, self.overflowed)
    }

    /// Takes the scale that all ranks have come to in a step.
    pub(crate) fn agree(&mut self, scale: f64, overflowed: bool) {
        if self.growth_interval.is_some() {
            (self.scale, self.overflowed) = (scale, overflowed);
        }
    }

    /// What must survive a restart.
    pub(crate) fn state(&self) -> (f64, u64) {
        (self.scale, self.good_steps)
    }

    /// Takes up a state of [`state`](Self::state).
    pub(crate) fn load_state(&mut self, (scale, good_steps): (f64, u64)) {
        if self.growth_interval.is_some() {
            (self.scale, self.good_steps) = (scale, good_steps);
        }
    }
}
