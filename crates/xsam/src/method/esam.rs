//! ESAM: SAM with fewer weights in the ascent, and fewer samples in the descent.

use std::collections::HashSet;

use burn::module::ParamId;

use super::config::{Bare, method_config};
use super::{Context, Method, Work};
use crate::ascent::{Ascent, Keep};
use crate::check;
use crate::error::{ConfigError, StepError};
use crate::objective::Evaluation;
use crate::random::Numbers;
use crate::update::Update;
use crate::vector::ParamVector;

method_config! {
    /// ESAM, efficient SAM (Du et al., ICLR 2022, arXiv 2110.03141, Algorithm 1).
    ///
    /// Two shortcuts, each by itself as good as SAM, as the paper finds. Stochastic weight perturbation moves some of the
    /// weights, chosen anew in every step. Sharpness-sensitive data selection takes the second gradient over those samples of
    /// the batch alone whose losses have risen most:
    ///
    /// ```text
    /// m                 for each parameter tensor 1 with probability beta, otherwise 0
    /// e = rho / beta m g_0 / |g_0|                 SAM's e on average
    /// B+                the ceil(gamma n) of the n samples with the largest l(theta_0 + e) - l(theta_0)
    /// g = gradient of the mean loss over B+, at theta_0 + e
    /// the base optimizer steps from theta_0 with g
    /// ```
    ///
    /// `beta = 1` and `gamma = 1` are SAM, bit for bit. A parameter tensor is chosen as a whole, as in the published code. The
    /// norm is that of all parameters, as in the paper, so that `|e|` differs from step to step; the published code takes the
    /// norm of the chosen ones. If none is chosen, which of few tensors happens now and then, there is no ascent, and the step
    /// is the base optimizer's. Of samples that have risen alike the first ones are chosen.
    ///
    /// What is chosen follows from the seed of [`with_replay_dropout`](crate::SharpnessAware::with_replay_dropout), or the
    /// number that the first step draws in its place, and from the step's number: it is the same on all ranks, and in a resumed
    /// run. Each rank, and each part of a batch in parts, chooses among its own samples.
    ///
    /// Steps are made by [`step_by_samples`](crate::SharpnessAware::step_by_samples), since a mean loss does not tell the
    /// samples apart; by the others they fail with [`StepError::NoSamples`], unless `gamma` is 1. Batch norm, in the pass over
    /// the chosen samples, normalises by these alone; so do dropout masks fall otherwise there than in the pass over all.
    ///
    /// | hyper-parameter | default | range | |
    /// |---|---|---|---|
    /// | `rho` | 0.15 | finite, >= 0 | length of the ascent with all weights; 0 is the base optimizer, bit for bit |
    /// | `beta` | 0.6 | > 0, <= 1 | share of the parameter tensors that are moved |
    /// | `gamma` | 0.5 | > 0, <= 1 | share of the samples that the second gradient is of |
    /// | `adaptive` | `None` | | adaptive ascent, as in ASAM |
    /// | `mask` | all | | the parameters that are perturbed, if they are chosen |
    ///
    /// Passes: `1 + gamma` forward-backward, and a forward pass. Full-size copies at the peak besides weights and base
    /// optimizer: 2 (ascent point, gradient), and the chosen samples. One read-back more than SAM, of the
    /// losses.
    ///
    /// ```
    /// use burn::optim::SgdConfig;
    /// use xsam::{EsamConfig, SharpnessAware};
    ///
    /// let config = EsamConfig::new().with_beta(0.5).with_gamma(0.75);
    /// let optim = SharpnessAware::new(SgdConfig::new().init(), config)?;
    /// assert_eq!(optim.method(), "esam");
    /// assert!(optim.needs_samples());
    /// # Ok::<(), xsam::ConfigError>(())
    /// ```
    pub struct EsamConfig ("esam") {
        ascent { rho: 0.15, adaptive: None }
        fields {
            /// Share of the parameter tensors that are moved.
            with_beta beta: f64 = 0.6;
            /// Share of the samples that the second gradient is of.
            with_gamma gamma: f64 = 0.5;
        }
        listed {
            fn work(&mut self, _epochs: usize, steps: usize) -> Work {
                Work::new(steps).with_ascent(self.rho, 1, 1).with_share(self.gamma)
            }
        }
    }
}

impl Bare for EsamConfig {
    fn bare(&self) -> Result<Box<dyn Method>, ConfigError> {
        check::share("beta", self.beta)?;
        check::share("gamma", self.gamma)?;
        Ok(Box::new(Esam {
            ascent: self.ascent()?,
            beta: self.beta,
            gamma: self.gamma,
        }))
    }
}

#[derive(Clone, Debug)]
struct Esam {
    ascent: Ascent,
    beta: f64,
    gamma: f64,
}

impl Esam {
    /// The parameters that are moved in this step.
    fn chosen(&self, seed: u64, of: &ParamVector) -> HashSet<ParamId> {
        let mut numbers = Numbers::of(seed);
        let ids = of.entries().iter().map(|(id, _)| *id);
        ids.filter(|_| numbers.unit() < self.beta).collect()
    }
}

impl Method for Esam {
    fn name(&self) -> &'static str {
        EsamConfig::NAME
    }

    fn needs_samples(&self) -> bool {
        self.gamma < 1.0
    }

    fn update(&mut self, start: Evaluation, step: &mut Context<'_>) -> Result<Update, StepError> {
        let chosen = self.chosen(step.seed, &start.gradient);
        let climb = self.ascent.begin(start, step.rho_factor, Keep::Gradient);
        let climb = climb.along_some(chosen, self.beta);
        let climb = match self.needs_samples() {
            true => climb.risen(self.gamma),
            false => climb,
        };
        let point = climb.top(step)?;
        Ok(Update::new(point.gradient, Some(point.norm)))
    }
}
