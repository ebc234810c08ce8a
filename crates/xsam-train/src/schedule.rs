//! The learning rate of a step.

use std::f64::consts::PI;

use crate::spec::{ScheduleName, Spec};

/// Learning rate of a step in `epoch`, both counted from 0 and from the start of the run, for a resolved
/// spec.
pub(crate) fn learning_rate(spec: &Spec, epoch: usize, step: usize) -> f64 {
    let schedule = &spec.schedule;
    let lr = spec.optimizer.lr;
    if schedule.name == ScheduleName::InverseSqrt {
        return inverse_sqrt(lr, step + 1, schedule.warmup_steps.unwrap_or(1));
    }
    if epoch < schedule.warmup {
        return lr * (epoch + 1) as f64 / (schedule.warmup + 1) as f64;
    }
    let epoch = epoch - schedule.warmup;
    let epochs = spec.train.epochs - schedule.warmup;
    match schedule.name {
        ScheduleName::Constant | ScheduleName::InverseSqrt => lr,
        ScheduleName::Cosine => cosine(lr, epoch, epochs),
        ScheduleName::Step => {
            let (size, gamma) = (schedule.step_size, schedule.gamma);
            let reductions = epoch / size.unwrap_or(epochs).max(1);
            lr * gamma.unwrap_or(1.0).powf(reductions as f64)
        }
    }
}

/// Up to `lr` in a straight line, then down with the inverse square root of the step, counted from 1
/// (Vaswani et al. 2017, section 5.3).
fn inverse_sqrt(lr: f64, step: usize, warmup: usize) -> f64 {
    let (step, warmup) = (step as f64, warmup as f64);
    lr * (step / warmup).min((warmup / step).sqrt())
}

/// Half a cosine over `epochs`, from `lr` towards 0.
pub(crate) fn cosine(lr: f64, epoch: usize, epochs: usize) -> f64 {
    lr * (1.0 + (PI * epoch as f64 / epochs as f64).cos()) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(schedule: ScheduleName, warmup: usize) -> Vec<f64> {
        let mut spec = Spec::default();
        spec.schedule.name = schedule;
        spec.schedule.warmup = warmup;
        spec.schedule.step_size = Some(2);
        spec.schedule.gamma = Some(0.5);
        spec.train.epochs = 4 + warmup;
        spec.optimizer.lr = 0.8;
        (0..spec.train.epochs)
            .map(|epoch| (learning_rate(&spec, epoch, 7 * epoch) * 1e6).round() / 1e6)
            .collect()
    }

    #[test]
    fn schedules_take_their_course() {
        assert_eq!(rates(ScheduleName::Constant, 0), [0.8; 4]);
        assert_eq!(rates(ScheduleName::Step, 0), [0.8, 0.8, 0.4, 0.4]);
        assert_eq!(
            rates(ScheduleName::Cosine, 0),
            [0.8, 0.682843, 0.4, 0.117157]
        );
    }

    #[test]
    fn the_inverse_square_root_rises_and_falls_by_steps() {
        let mut spec = Spec::default();
        spec.schedule.name = ScheduleName::InverseSqrt;
        spec.schedule.warmup_steps = Some(4);
        spec.optimizer.lr = 0.8;
        let rates: Vec<f64> = [0, 1, 3, 15, 63]
            .map(|step| (learning_rate(&spec, 5, step) * 1e6).round() / 1e6)
            .to_vec();
        assert_eq!(rates, [0.2, 0.4, 0.8, 0.4, 0.2]);
    }

    #[test]
    fn warm_up_comes_before_the_whole_schedule() {
        let warm = rates(ScheduleName::Step, 3);
        assert_eq!(warm, [0.2, 0.4, 0.6, 0.8, 0.8, 0.4, 0.4]);
    }
}
