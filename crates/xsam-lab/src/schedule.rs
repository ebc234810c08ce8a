//! The learning rate of a step.

use std::f64::consts::PI;

use crate::spec::{ScheduleBy, ScheduleName, Spec};

/// Learning rate of the step `step`, counted from 0 and from the start of a run whose epochs have `steps` of
/// them, for a resolved spec.
pub(crate) fn learning_rate<S>(spec: &Spec<S>, step: usize, steps: usize) -> f64 {
    let schedule = &spec.schedule;
    let lr = spec.optimizer.lr;
    if schedule.name == ScheduleName::InverseSqrt {
        return inverse_sqrt(lr, step + 1, schedule.warmup_steps.unwrap_or(1));
    }
    let steps = steps.max(1);
    let (epoch, warmup) = (step / steps, schedule.warmup);
    // In epochs, the time that has passed.
    let (time, rise) = match schedule.by {
        Some(ScheduleBy::Step) => (
            step as f64 / steps as f64,
            (step + 1) as f64 / (warmup * steps + 1) as f64,
        ),
        _ => (epoch as f64, (epoch + 1) as f64 / (warmup + 1) as f64),
    };
    if epoch < warmup {
        return lr * rise;
    }
    let time = time - warmup as f64;
    let epochs = spec.train.epochs - warmup;
    match schedule.name {
        ScheduleName::Constant | ScheduleName::InverseSqrt => lr,
        ScheduleName::Cosine => cosine(lr, time, epochs),
        ScheduleName::Step => {
            let (size, gamma) = (schedule.step_size, schedule.gamma);
            let reductions = (epoch - warmup) / size.unwrap_or(epochs).max(1);
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

/// Half a cosine over `epochs`, from `lr` towards 0, after the time `epoch`.
pub fn cosine(lr: f64, epoch: f64, epochs: usize) -> f64 {
    lr * (1.0 + (PI * epoch / epochs as f64).cos()) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toy::Spec;

    /// Learning rates of so many of the steps, of which an epoch has `of`, where it is 0.8 at its highest.
    fn rates<const N: usize>(steps: [usize; N], of: usize, edit: impl Fn(&mut Spec)) -> [f64; N] {
        let mut spec = Spec::default();
        spec.optimizer.lr = 0.8;
        edit(&mut spec);
        steps.map(|step| (learning_rate(&spec, step, of) * 1e6).round() / 1e6)
    }

    fn by_epoch(name: ScheduleName, warmup: usize) -> impl Fn(&mut Spec) {
        move |spec| {
            spec.schedule.name = name;
            spec.schedule.warmup = warmup;
            spec.schedule.step_size = Some(2);
            spec.schedule.gamma = Some(0.5);
            spec.train.epochs = 4 + warmup;
        }
    }

    #[test]
    fn schedules_take_their_course() {
        // The last of the steps of each epoch.
        let steps = [6, 13, 20, 27];
        for (name, expected) in [
            (ScheduleName::Constant, [0.8; 4]),
            (ScheduleName::Step, [0.8, 0.8, 0.4, 0.4]),
            (ScheduleName::Cosine, [0.8, 0.682843, 0.4, 0.117157]),
        ] {
            assert_eq!(rates(steps, 7, by_epoch(name, 0)), expected, "{name}");
        }
    }

    #[test]
    fn warm_up_comes_before_the_whole_schedule() {
        let steps = [6, 13, 20, 27, 34, 41, 48];
        let warm = rates(steps, 7, by_epoch(ScheduleName::Step, 3));
        assert_eq!(warm, [0.2, 0.4, 0.6, 0.8, 0.8, 0.4, 0.4]);
    }

    #[test]
    fn the_inverse_square_root_rises_and_falls_by_steps() {
        let rates = rates([0, 1, 3, 15, 63], 5, |spec| {
            spec.schedule.name = ScheduleName::InverseSqrt;
            spec.schedule.warmup_steps = Some(4);
        });
        assert_eq!(rates, [0.2, 0.4, 0.8, 0.4, 0.2]);
    }

    #[test]
    fn by_steps_a_schedule_moves_within_an_epoch() {
        let rates = |name| {
            rates([0, 1, 2, 3, 4, 5, 6, 7, 8], 3, |spec| {
                spec.schedule.name = name;
                spec.schedule.by = Some(ScheduleBy::Step);
                spec.schedule.warmup = 1;
                spec.schedule.step_size = Some(1);
                spec.schedule.gamma = Some(0.5);
                spec.train.epochs = 3;
            })
        };
        let rise = [0.2, 0.4, 0.6];
        // 0.4 (1 + cos(pi i / 6)).
        let fall = [0.8, 0.74641, 0.6, 0.4, 0.2, 0.05359];
        assert_eq!(rates(ScheduleName::Cosine)[..], [&rise[..], &fall].concat());
        let steps = [&rise[..], &[0.8; 3], &[0.4; 3]].concat();
        assert_eq!(rates(ScheduleName::Step)[..], steps);
    }
}
