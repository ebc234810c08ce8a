//! The learning rate of an epoch.

use std::f64::consts::PI;

use crate::spec::{ScheduleName, Spec};

/// Learning rate of `epoch`, counted from 0, for a resolved spec.
pub(crate) fn learning_rate(spec: &Spec, epoch: usize) -> f64 {
    let schedule = &spec.schedule;
    let lr = spec.optimizer.lr;
    if epoch < schedule.warmup {
        return lr * (epoch + 1) as f64 / (schedule.warmup + 1) as f64;
    }
    let epoch = epoch - schedule.warmup;
    let epochs = spec.train.epochs - schedule.warmup;
    match schedule.name {
        ScheduleName::Constant => lr,
        ScheduleName::Cosine => cosine(lr, epoch, epochs),
        ScheduleName::Step => {
            let (size, gamma) = (schedule.step_size, schedule.gamma);
            let reductions = epoch / size.unwrap_or(epochs).max(1);
            lr * gamma.unwrap_or(1.0).powf(reductions as f64)
        }
    }
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
            .map(|epoch| (learning_rate(&spec, epoch) * 1e6).round() / 1e6)
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
    fn warm_up_comes_before_the_whole_schedule() {
        let warm = rates(ScheduleName::Step, 3);
        assert_eq!(warm, [0.2, 0.4, 0.6, 0.8, 0.8, 0.4, 0.4]);
    }
}
