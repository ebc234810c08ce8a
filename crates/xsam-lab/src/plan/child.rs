//! Measuring in a process of its own: one method's peak of memory is not another's.

use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::{self, sleep};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::measure::{Measurement, measure};
use super::scratch::Scratch;
use crate::error::Error;
use crate::json;
use crate::lock::Lock;
use crate::process::{INTERRUPTED, order, watch};
use crate::spec::{Spec, TaskSpec};
use crate::stop::StopSignal;
use crate::tasks::Tasks;

/// Exit code of wrong usage.
const USAGE: i32 = 2;

/// The run that is measured, among the temporary files.
pub(super) const RUN: &str = "run";

/// Time from one look at the process and the stop signal to the next.
const ATTENTION: Duration = Duration::from_millis(20);

/// What the process is told.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound = "S: TaskSpec")]
struct Order<S> {
    spec: Spec<S>,
    steps: Option<usize>,
    /// For temporary files, which are removed by whoever gives the order.
    directory: PathBuf,
}

/// Measures the run that is ordered on standard input: what a process that [`plan`](super::plan()) starts has to do.
///
/// Ends the process when the one that has ordered it is gone.
///
/// # Errors
/// If there is no order, and those of [`measure`].
pub fn serve_plan<L: Tasks>() -> Result<Measurement, Error> {
    let (order, input): (Order<L::Spec>, _) = order("xsam plan --measure", "xsam plan")?;
    watch(input, StopSignal::default());
    let _lock = Lock::share(&order.directory)?;
    measure::<L>(&order.spec, order.steps, &order.directory.join(RUN))
}

/// What `program plan --measure` finds of the spec with as many threads as this process has; nothing if
/// `stop` asks for an end, or the process was asked.
pub(super) fn ordered<S: TaskSpec>(
    program: &Path,
    label: &str,
    spec: &Spec<S>,
    steps: Option<usize>,
    stop: &StopSignal,
) -> Result<Option<Measurement>, Error> {
    let failed = |reason: String, usage| Error::Measuring {
        label: label.to_owned(),
        reason,
        usage,
    };
    let scratch = Scratch::new()?;
    let order = Order {
        spec: spec.clone(),
        steps,
        directory: scratch.directory.path().to_owned(),
    };
    let unable = |error| failed(format!("{}: {error}", program.display()), false);
    let output = output(program, &order, stop).map_err(unable)?;
    // Ctrl-C on a terminal reaches both processes, of which either may be the first to notice.
    if stop.is_set() || output.status.code() == Some(INTERRUPTED) {
        return Ok(None);
    }
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.trim();
        let name = program.file_stem().unwrap_or_default().to_string_lossy();
        let reason = match said.strip_prefix(&format!("{name}: ")).unwrap_or(said) {
            "" => format!("its process ended with {}", output.status),
            said => said.to_owned(),
        };
        return Err(failed(reason, output.status.code() == Some(USAGE)));
    }
    let found = json::parse(&String::from_utf8_lossy(&output.stdout));
    let unclear = |error| failed(format!("what its process said: {error}"), false);
    Ok(Some(found.map_err(unclear)?))
}

/// What the process says and how it ends. It ends at once if `stop` asks for it.
fn output<S: TaskSpec>(program: &Path, order: &Order<S>, stop: &StopSignal) -> io::Result<Output> {
    let threads = rayon::current_num_threads().to_string();
    let mut command = Command::new(program);
    let command = command.args(["plan", "--measure", "--threads", &threads]);
    let pipes = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = pipes.spawn()?;
    // Closed, it ends the process.
    let mut input = child.stdin.take().ok_or(ErrorKind::BrokenPipe)?;
    match writeln!(input, "{}", json::line(order)?) {
        // A process that has ended already says why.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => return Err(error),
        _ => {}
    }
    let process = thread::spawn(move || child.wait_with_output());
    while !stop.is_set() && !process.is_finished() {
        sleep(ATTENTION);
    }
    drop(input);
    let ended = process.join();
    ended.unwrap_or_else(|_| Err(ErrorKind::Other.into()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::toy::Spec;

    #[test]
    fn a_process_that_fails_is_told_with_the_method() {
        let (spec, stop) = (Spec::default(), StopSignal::default());
        let said = |program: &str| {
            let error = ordered(Path::new(program), "sam", &spec, None, &stop).unwrap_err();
            assert!(!error.is_usage());
            error.to_string()
        };
        assert!(said("/nowhere/xsam").starts_with("cannot measure sam: /nowhere/xsam: "));
        #[cfg(unix)]
        {
            let silent = said("/bin/false");
            assert!(
                silent.contains("sam: its process ended with exit status: 1"),
                "{silent}"
            );
            // It prints its arguments, which are no measurement.
            assert!(said("/bin/echo").contains("what its process said"));
        }
    }
}
