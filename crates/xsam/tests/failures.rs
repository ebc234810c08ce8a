//! Input that is not as it should be: the error says what, and nothing changes.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::cell::Cell;

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use common::{Net, Point, batch, bits, device, every_method, momentum, optimizer};
use xsam::{Place, SamConfig, SharpnessAware, StepError};

#[test]
fn a_failed_step_changes_nothing() {
    let device = device();
    let batch = batch(&device);
    for method in every_method() {
        let mut optim = SharpnessAware::from_method(momentum(), method);
        let mut model = Net::new(&device, 0.0);
        // Two steps that succeed, so that there is state to be spoilt; every second one of LookSAM ascends.
        for _ in 0..2 {
            model = optim
                .step(0.1, model, |m: &Net| m.loss(&batch))
                .unwrap()
                .model;
        }
        let weights = bits(&model);
        let record = optim.to_record().unwrap().into_bytes().unwrap();

        let last_call = if optim.method() == "sgd" { 0 } else { 1 };
        for fails_at in 0..=last_call {
            let calls = Cell::new(0);
            let result = optim.step(0.1, model, |m: &Net| {
                let loss = m.loss(&batch);
                match calls.replace(calls.get() + 1) {
                    call if call == fails_at => loss * f64::INFINITY,
                    _ => loss,
                }
            });
            let (back, error) = result.unwrap_err().into_parts();
            let place = match fails_at {
                0 => Place::Weights,
                n => Place::AscentPoint(n),
            };
            assert!(matches!(error, StepError::NonFiniteLoss { place: p, .. } if p == place));
            assert_eq!(bits(&back), weights);
            let now = optim.to_record().unwrap().into_bytes().unwrap();
            assert_eq!(&now[..], &record[..]);
            model = back;
        }
    }
}

#[test]
fn a_gradient_that_is_not_finite_is_an_error() {
    // The root's gradient at 0 is infinite, its value is not.
    let result = optimizer(SamConfig::new()).step(0.1, Point::new(&[0.0, 1.0], 1), |m: &Point| {
        m.joined().sqrt().sum()
    });
    let error = StepError::from(result.unwrap_err());
    assert_eq!(
        error,
        StepError::NonFiniteGradient {
            place: Place::Weights,
            loss: 1.0
        }
    );
}

#[test]
fn a_loss_without_use_is_an_error() {
    let point = || Point::new(&[1.0, 2.0], 1);
    let mut optim = optimizer(SamConfig::new());
    let mut error = |loss: fn(&Point) -> Tensor<1>, point: Point| {
        let failure = optim.step(0.1, point, loss).unwrap_err();
        failure.error().clone()
    };
    let vector = error(|m| m.joined(), point());
    assert_eq!(vector, StepError::LossNotScalar { elements: 2 });
    let detached = error(|m| m.joined().sum().detach(), point());
    assert_eq!(detached, StepError::LossNotTracked);
    let inner = error(|m| m.joined().sum().inner(), point());
    assert_eq!(inner, StepError::LossNotTracked);
    let frozen = error(|m| m.joined().sum(), point().no_grad());
    assert_eq!(frozen, StepError::LossNotTracked);
    let plain = error(|m| m.joined().sum(), point().valid());
    assert_eq!(plain, StepError::NotAutodiff);
    let elsewhere = error(
        |_| Param::from_tensor(Tensor::<1>::from_floats([1.0], &device())).val() * 2.0,
        point(),
    );
    assert_eq!(elsewhere, StepError::NoGradient);
}

#[test]
fn a_learning_rate_out_of_range_is_an_error() {
    for lr in [f64::NAN, f64::INFINITY, -0.1] {
        let mut optim = optimizer(SamConfig::new());
        let result = optim.step(lr, Point::new(&[1.0, 2.0], 1), |m: &Point| m.joined().sum());
        assert!(matches!(
            result.unwrap_err().error(),
            StepError::LearningRate(_)
        ));
    }
}

#[test]
fn an_optimizer_can_go_to_another_thread_and_an_error_anywhere() {
    fn sendable<T: Send>(_: &T) {}
    fn error<T: std::error::Error + Send + Sync + 'static>() {}
    sendable(&optimizer(SamConfig::new()));
    error::<StepError>();
    error::<xsam::StepFailure<Net>>();
    error::<xsam::RecordError>();
}
