//! A method that is written outside the crate, from its public parts, as CONTRIBUTING describes.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use common::{Point, assert_close, optimizer};
use xsam::{
    Ascent, ConfigError, Context, Evaluation, Keep, Method, MethodConfig, Objective, StepError,
    StepReport, Update,
};

/// Hands on the mean of the gradients at the weights and at the ascent point.
struct HalfwayConfig {
    rho: f64,
}

impl MethodConfig for HalfwayConfig {
    fn build(&self) -> Result<Box<dyn Method>, ConfigError> {
        let ascent = Ascent::new(self.rho);
        ascent.check()?;
        Ok(Box::new(Halfway { ascent }))
    }
}

#[derive(Clone, Debug)]
struct Halfway {
    ascent: Ascent,
}

impl Method for Halfway {
    fn name(&self) -> &'static str {
        "halfway"
    }

    fn update(
        &mut self,
        start: Evaluation,
        objective: &mut dyn Objective,
        context: &Context,
        report: &mut StepReport,
    ) -> Result<Update, StepError> {
        let first = start.gradient.clone();
        let (factor, keep) = (context.rho_factor, Keep::Gradient);
        let point = self.ascent.climb(start, objective, factor, keep, report)?;
        let mean = first.combine(0.5, &point.gradient, 0.5);
        Ok(Update::new(mean, None))
    }
}

#[test]
fn it_steps_records_and_reports_like_any_other() {
    let curvature = [2.0, 6.0];
    let mut optim = optimizer(HalfwayConfig { rho: 0.5 });
    let start = Point::new(&[3.0, 4.0 / 3.0], 1);
    let loss = |m: &Point| m.quadratic(&curvature);
    let step = optim.step(0.1, start, loss).unwrap();

    // Gradient (6, 8), of norm 10; the ascent leads to (3.3, 1.733); the gradient there is (6.6, 10.4).
    let expected = [3.0 - 0.1 * 6.3, 4.0 / 3.0 - 0.1 * 9.2];
    assert_close(&step.model.values(), &expected, 1e-9);
    assert_close(&[step.report.update_norm], &[6.3f64.hypot(9.2)], 1e-9);
    assert_eq!(optim.to_record().unwrap().method(), "halfway");
    assert!(HalfwayConfig { rho: f64::NAN }.build().is_err());
}
