//! XSAM in some steps, and what it turned the gradient by in the others.

use super::config::{Bare, method_config};
use super::xsam::{Xsam, XsamConfig, xsam_config};
use super::{Context, Method, MethodState};
use crate::check;
use crate::error::{ConfigError, RecordError, StepError};
use crate::number::Number;
use crate::objective::Evaluation;
use crate::readings::Readings;
use crate::update::Update;
use crate::vector::{ParamVector, Reductions};

xsam_config! {
    /// Efficient XSAM: a step of XSAM now and then, and between them plain gradients, turned as XSAM turned its own.
    ///
    /// LookSAM's idea (arXiv 2203.02714) for XSAM's direction. A step of XSAM turns the gradient by an angle
    /// towards a direction, and changes its length; all three change slowly from step to step, and cost nothing to use again:
    ///
    /// ```text
    /// every K-th step, from the first:  u, XSAM's update;   phi = angle(g_0, u),   s = |u| / |g_0|
    ///                                   r = the part of u / |u| orthogonal to g_0
    ///                                   the base optimizer steps with u
    /// between:                          r' = the part of r orthogonal to the gradient g of this step
    ///                                   the base optimizer steps with s |g| (cos(phi) g / |g| + sin(phi) r' / |r'|)
    /// ```
    ///
    /// Where LookSAM has a factor to tune, here the angle is the one measured. Were the gradient the same in
    /// the steps between, so would be the update. `K = 1` is XSAM. Friendly ascent averages the gradients of XSAM's steps.
    ///
    /// | hyper-parameter | default | range | |
    /// |---|---|---|---|
    /// | `every` | 5 | >= 1 | `K` |
    /// | all others | | as in [`XsamConfig`] | |
    ///
    /// Passes: `1 + k / K` forward-backward on average, and XSAM's searches, which wait for a step of XSAM. Full-size copies
    /// at the peak besides weights and base optimizer: 4 (`r`, which stays, and XSAM's 3, the displacement of a single plain
    /// step being `g_0`); 5 with several or scaled ascent steps. State: `r`, `phi`, `s`, and XSAM's.
    ///
    /// ```
    /// use burn::optim::SgdConfig;
    /// use xsam::{LookXsamConfig, SharpnessAware};
    ///
    /// let config = LookXsamConfig::new().with_rho(0.1).with_every(4);
    /// let optim = SharpnessAware::new(SgdConfig::new().init(), config)?;
    /// assert_eq!(optim.method(), "look-xsam");
    /// # Ok::<(), xsam::ConfigError>(())
    /// ```
    pub struct LookXsamConfig ("look-xsam") {
        every { |config| config.interval() }
        looks_back { 5 }
    }
}

impl From<XsamConfig> for LookXsamConfig {
    /// A step of `xsam` in every fifth. An `every` of its own, for which the base optimizer would step alone, is left out.
    fn from(xsam: XsamConfig) -> Self {
        Self {
            rho: xsam.rho,
            ascent_steps: xsam.ascent_steps,
            adaptive: xsam.adaptive,
            parabola: xsam.parabola,
            search_batches: xsam.search_batches,
            rho_max: xsam.rho_max,
            alpha: xsam.alpha,
            search: xsam.search,
            grid: xsam.grid,
            friendly: xsam.friendly,
            percentile: xsam.percentile,
            mask: xsam.mask,
            from: xsam.from,
            until: xsam.until,
            every: None,
            policy: xsam.policy,
            loss_budget: xsam.loss_budget,
            measured: xsam.measured,
        }
    }
}

impl Bare for LookXsamConfig {
    fn bare(&self) -> Result<Box<dyn Method>, ConfigError> {
        check::at_least_one("every", self.interval())?;
        Ok(Box::new(LookXsam {
            xsam: self.xsam()?,
            every: self.interval() as u64,
            turn: None,
        }))
    }
}

#[derive(Clone, Debug)]
struct LookXsam {
    xsam: Xsam,
    every: u64,
    turn: Option<Turn>,
}

/// What XSAM made of a gradient.
#[derive(Clone, Debug)]
struct Turn {
    /// `r`.
    towards: ParamVector,
    /// `phi`, in radians.
    angle: Number,
    /// `s`.
    stretch: Number,
}

impl Turn {
    /// From `gradient` to `update`, both with their norms, which are not zero.
    fn between(
        (gradient, gradient_norm): (&ParamVector, &Number),
        (update, update_norm): (&ParamVector, &Number),
        readings: &Readings,
    ) -> Result<Self, StepError> {
        let cosine = readings.dot(gradient, update)? / (gradient_norm * update_norm);
        let back = -&cosine / gradient_norm;
        let towards = update.clone().combine(1.0 / update_norm, gradient, back);
        // Sine and cosine together lose no digits where the angle is near 0, as the cosine alone does.
        Ok(Self {
            angle: readings.norm(&towards)?.atan2(&cosine),
            towards,
            stretch: update_norm / gradient_norm,
        })
    }

    /// The gradient of another step, turned likewise.
    fn of(
        &self,
        gradient: ParamVector,
        norm: &Number,
        readings: &Readings,
    ) -> Result<Update, StepError> {
        let kept = self.towards.clone().beside(&gradient);
        let asked = Reductions::default().dot(&kept, &gradient);
        let [along, square] = readings.take(asked.dot(&kept, &kept))?;
        let share = &along / (norm * norm);
        let rest = (&square - along * &share).max(0.0).sqrt();
        let (sine, cosine) = (self.angle.sin(), self.angle.cos());
        let length = &self.stretch * norm;
        // Where nothing orthogonal is left but rounding, which counts in squares here, there is nothing to turn towards.
        if !(&rest * &rest).exceeds(kept.rounding() * square) {
            return Ok(Update::new(gradient.scale(&self.stretch), Some(length)));
        }
        let towards = &length * sine / rest;
        let own = &length * cosine / norm - &towards * share;
        let turned = gradient.combine(own, &kept, towards);
        Ok(Update::new(turned, Some(length)))
    }
}

impl Method for LookXsam {
    fn name(&self) -> &'static str {
        LookXsamConfig::NAME
    }

    fn update(&mut self, start: Evaluation, step: &mut Context<'_>) -> Result<Update, StepError> {
        if !step.number.is_multiple_of(self.every) {
            self.xsam.pass_over(step);
            return match &self.turn {
                Some(turn) if start.norm.exceeds(0.0) => {
                    turn.of(start.gradient, &start.norm, &step.readings)
                }
                _ => Ok(Update::new(start.gradient, Some(start.norm))),
            };
        }
        let (gradient, norm) = (start.gradient.clone(), start.norm.clone());
        let (update, turned) = self.xsam.turned(start, step)?;
        let update_norm = match &update.norm {
            Some(norm) => norm.clone(),
            None => step.readings.norm(&update.gradient)?,
        };
        // Of several parts of a batch the last one's turn is kept.
        self.turn = match turned && norm.exceeds(0.0) && update_norm.exceeds(0.0) {
            true => {
                let (from, to) = ((&gradient, &norm), (&update.gradient, &update_norm));
                Some(Turn::between(from, to, &step.readings)?)
            }
            false => None,
        };
        Ok(update)
    }

    fn start_epoch(&mut self) {
        self.xsam.start_epoch();
    }

    fn keeps_gradients(&self) -> bool {
        true
    }

    fn state(&self) -> MethodState {
        let state = self.xsam.state();
        match &self.turn {
            Some(turn) => state
                .with_vector("towards", turn.towards.clone())
                .with_number("angle", &turn.angle)
                .with_number("stretch", &turn.stretch),
            None => state,
        }
    }

    fn load_state(&mut self, state: &MethodState) -> Result<(), RecordError> {
        let turn = match state.vector("towards") {
            Some(towards) => Some(Turn {
                towards: towards.clone(),
                angle: state.scalar::<f64>("angle")?.into(),
                stretch: state.scalar::<f64>("stretch")?.into(),
            }),
            None => None,
        };
        self.xsam.load_state(state)?;
        self.turn = turn;
        Ok(())
    }
}
