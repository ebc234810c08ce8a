//! Measuring in a process of its own: one method's peak of memory is not another's.

use std::io::{self, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use super::measure::Measurement;
use crate::error::Error;
use crate::spec::Spec;

/// Exit code of wrong usage.
const USAGE: i32 = 2;

/// What `program plan --measure` finds of the spec, a resolved one, with as many threads as this process has.
pub(super) fn measure(
    program: &Path,
    label: &str,
    spec: &Spec,
    steps: Option<usize>,
) -> Result<Measurement, Error> {
    let failed = |reason: String, usage| Error::Measuring {
        label: label.to_owned(),
        reason,
        usage,
    };
    let mut command = Command::new(program);
    command.args(["plan", "--measure", "--threads"]);
    command.arg(rayon::current_num_threads().to_string());
    if let Some(steps) = steps {
        command.arg("--steps").arg(steps.to_string());
    }
    let text = spec.to_toml()?;
    let output = output(&mut command, &text)
        .map_err(|error| failed(format!("{}: {error}", program.display()), false))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.trim();
        let reason = match said.strip_prefix("xsam: ").unwrap_or(said) {
            "" => format!("its process ended with {}", output.status),
            said => said.to_owned(),
        };
        return Err(failed(reason, output.status.code() == Some(USAGE)));
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|error| failed(format!("what its process said: {error}"), false))
}

fn output(command: &mut Command, input: &str) -> io::Result<Output> {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn()?;
    write(&mut child, input)?;
    child.wait_with_output()
}

/// Writes what the process reads before it does anything else, and closes it.
fn write(child: &mut Child, input: &str) -> io::Result<()> {
    match child.stdin.take() {
        // A process that has ended already says why.
        Some(mut stdin) => match stdin.write_all(input.as_bytes()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            _ => Ok(()),
        },
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_process_that_fails_is_told_with_the_method() {
        let spec = Spec::default();
        let said = |program: &str| {
            let error = measure(Path::new(program), "sam", &spec, None).unwrap_err();
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
