//! A method that is written outside the crate, from its public parts, as CONTRIBUTING describes.

use crate::common::{Point, assert_close, optimizer, plain};
use xsam::method::{Ascent, Context, Evaluation, Keep, Method, MethodConfig, Update};
use xsam::{ConfigError, SharpnessAware, StepError};

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

    fn update(&mut self, start: Evaluation, step: &mut Context<'_>) -> Result<Update, StepError> {
        let first = start.gradient.clone();
        let point = self.ascent.climb(start, step, Keep::Gradient)?;
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

/// Hands on the longest gradient on the way up: a method that looks at every ascent point.
#[derive(Clone, Debug)]
struct Longest {
    ascent: Ascent,
}

impl Method for Longest {
    fn name(&self) -> &'static str {
        "longest"
    }

    fn update(&mut self, start: Evaluation, step: &mut Context<'_>) -> Result<Update, StepError> {
        let mut longest = (start.norm.clone(), start.gradient.clone());
        let mut climb = self.ascent.begin(start, step.rho_factor, Keep::Gradient);
        while climb.step(step)? {
            let here = climb.here();
            if here.norm.value()? > longest.0.value()? {
                longest = (here.norm.clone(), here.gradient.clone());
            }
        }
        climb.finish(step)?;
        Ok(Update::new(longest.1, Some(longest.0)))
    }
}

#[test]
fn a_method_can_look_at_every_ascent_point() {
    let mut ascent = Ascent::new(2.0);
    ascent.steps = 2;
    let mut optim = SharpnessAware::from_method(plain(), Box::new(Longest { ascent }));
    // The gradient of x - x^3 / 2 is 1 - 3 x^2 / 2: 5/8 at 1/2.
    let loss = |m: &Point| {
        let x = m.first.val();
        (x.clone() - x.clone() * x.clone() * x * 0.5).sum() + m.second.val().sum() * 0.0
    };
    let step = optim.step(1.0, Point::new(&[0.5, 0.0], 1), loss).unwrap();
    // Up to 3/2, where it is -19/8; and back down to 1/2, where it is 5/8 again.
    assert_eq!(step.report.passes.gradients, 3);
    assert_close(&step.model.values(), &[0.5 + 2.375, 0.0], 1e-9);
}
