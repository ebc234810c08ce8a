//! Where the time of a step goes.

use serde::Serialize;
use xsam_kernels::OperationTime;

/// What is not an operation of the kernels: linear layers, the graph, the program itself.
const ALL_ELSE: &str = "all else";

/// One kind of operation in a step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProfileRow {
    /// What is computed, and in which direction; the last row is for all that is no operation of the
    /// kernels.
    pub operation: &'static str,
    /// How often in a step; nothing in the last row.
    pub calls: Option<usize>,
    /// Seconds in a step, on average over the steps.
    pub seconds: f64,
    /// Part of the step's time, from 0 to 1.
    pub share: f64,
}

/// The profile of `steps` steps that took `seconds` in all: the longest operation first.
pub(super) fn rows(times: &[OperationTime], steps: usize, seconds: f64) -> Vec<ProfileRow> {
    let row = |operation, calls: Option<usize>, time: f64| ProfileRow {
        operation,
        calls: calls.map(|calls| calls / steps.max(1)),
        seconds: time / steps.max(1) as f64,
        share: time / seconds,
    };
    let mut rows: Vec<ProfileRow> = times
        .iter()
        .map(|t| row(t.operation, Some(t.calls), t.time.as_secs_f64()))
        .collect();
    rows.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    let known: f64 = times.iter().map(|t| t.time.as_secs_f64()).sum();
    rows.push(row(ALL_ELSE, None, seconds - known));
    rows
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_rows_of_a_profile_add_up_to_the_step() {
        let time = |operation, calls, ms| OperationTime {
            operation,
            calls,
            time: Duration::from_millis(ms),
        };
        let rows = rows(&[time("a", 4, 100), time("b", 2, 300)], 2, 0.5);
        let found: Vec<_> = rows.iter().map(|r| (r.operation, r.calls)).collect();
        assert_eq!(found, [("b", Some(1)), ("a", Some(2)), (ALL_ELSE, None)]);
        let seconds: f64 = rows.iter().map(|r| r.seconds).sum();
        let share: f64 = rows.iter().map(|r| r.share).sum();
        assert!((seconds - 0.25).abs() < 1e-12 && (share - 1.0).abs() < 1e-12);
    }
}
