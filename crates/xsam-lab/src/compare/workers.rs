//! Runs of a comparison in parallel, each in a process of its own.
//!
//! A process and not a thread: the number of threads that share a tensor operation, on which the order of its
//! sums depends, belongs to the process, and what ends one run does not end the others.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::Outcome;
use super::job::{Job, JobEvent, Order};
use crate::error::Error;
use crate::json;
use crate::spec::TaskSpec;
use crate::stop::StopSignal;
use crate::summary::Status;

/// Time from one look at the stop signal to the next.
const ATTENTION: Duration = Duration::from_millis(50);

/// Lines of its standard error by which it is told why a process has failed.
const LAST_WORDS: usize = 5;

/// How runs are made in parallel.
#[derive(Clone, Debug)]
pub struct Workers {
    /// How many at a time.
    pub count: usize,
    /// A program that does what [`serve`](super::serve) does.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

/// Listens to the runs of a comparison.
pub type JobListener<'a, S> = dyn FnMut(&Job<S>, &JobEvent) + 'a;

/// The process of a run.
struct Worker {
    child: Child,
    /// Closed, it ends the process.
    input: ChildStdin,
    last_words: JoinHandle<String>,
    /// How the run has ended, by its own account.
    status: Option<Status>,
}

/// A line of a process, or nothing more to come.
type Message = (usize, Option<String>);

impl Workers {
    /// The program that is running.
    ///
    /// # Errors
    /// If the system does not say which it is.
    pub fn this_program() -> Result<PathBuf, Error> {
        let found = std::env::current_exe();
        found.map_err(Error::file("find", Path::new("the running program")))
    }

    /// Makes the runs. If `stop` asks for an end, all are asked to stop after the step or batch they are at.
    pub(super) fn perform<S: TaskSpec>(
        &self,
        jobs: &[Job<S>],
        order: &dyn Fn(&Job<S>) -> Order<S>,
        stop: &StopSignal,
        listener: &mut JobListener<'_, S>,
    ) -> Result<Outcome, Error> {
        let mut outcome = Outcome::default();
        let (sender, receiver) = mpsc::channel();
        let mut waiting = jobs.iter().enumerate();
        let mut running: BTreeMap<usize, Worker> = BTreeMap::new();
        let mut asked = false;
        loop {
            while !stop.is_set()
                && running.len() < self.count.max(1)
                && let Some((i, job)) = waiting.next()
            {
                running.insert(i, self.start(&order(job), i, sender.clone())?);
            }
            if stop.is_set() && !asked {
                asked = true;
                // A process that is gone cannot be asked; that is told when its output ends.
                for worker in running.values_mut() {
                    let _ = worker.input.write_all(b"stop\n");
                }
            }
            if running.is_empty() {
                break;
            }
            match receiver.recv_timeout(ATTENTION) {
                Ok((i, Some(line))) => {
                    if let (Some(worker), Ok(event)) = (running.get_mut(&i), json::parse(&line)) {
                        if let JobEvent::Ended(summary) = &event {
                            worker.status = Some(summary.status);
                        }
                        listener(&jobs[i], &event);
                    }
                }
                Ok((i, None)) => {
                    if let Some(worker) = running.remove(&i) {
                        match worker.end(stop)? {
                            Ended::Finished => {}
                            Ended::Interrupted => {
                                // Ctrl-C on a terminal reaches every process; this one was the first to say so.
                                outcome.stopped = true;
                                stop.stop();
                            }
                            Ended::Failed(reason) => {
                                outcome.fail(&jobs[i], &reason);
                                listener(&jobs[i], &JobEvent::Failed(reason));
                            }
                        }
                    }
                }
                Err(_) => {}
            }
        }
        outcome.stopped |= waiting.next().is_some();
        Ok(outcome)
    }

    fn start<S: TaskSpec>(
        &self,
        order: &Order<S>,
        i: usize,
        sender: Sender<Message>,
    ) -> Result<Worker, Error> {
        let failed = |error| Error::file("start", &self.program)(error);
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        let pipes = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = pipes.spawn().map_err(failed)?;
        let missing = || failed(std::io::ErrorKind::BrokenPipe.into());
        let mut input = child.stdin.take().ok_or_else(missing)?;
        let output = child.stdout.take().ok_or_else(missing)?;
        let errors = child.stderr.take().ok_or_else(missing)?;

        thread::spawn(move || {
            let lines = BufReader::new(output).lines();
            for line in lines.map_while(Result::ok) {
                // Nobody waits for it any more: the comparison has failed.
                if sender.send((i, Some(line))).is_err() {
                    return;
                }
            }
            let _ = sender.send((i, None));
        });
        let last_words = thread::spawn(move || last_lines(errors));

        let order = json::line(order).map_err(|error| failed(error.into()))?;
        // If it is gone already, its end tells why.
        let _ = writeln!(input, "{order}");
        Ok(Worker {
            child,
            input,
            last_words,
            status: None,
        })
    }
}

/// How the process of a run has ended.
enum Ended {
    Finished,
    Interrupted,
    Failed(String),
}

impl Worker {
    fn end(mut self, stop: &StopSignal) -> Result<Ended, Error> {
        let status = self.child.wait();
        let status = status.map_err(Error::file("wait for", Path::new("the process of a run")))?;
        let words = self.last_words.join().unwrap_or_default();
        Ok(match self.status {
            Some(Status::Finished) => Ended::Finished,
            Some(Status::Interrupted) => Ended::Interrupted,
            // Before its first step there is nothing to interrupt gently.
            _ if stop.is_set() => Ended::Interrupted,
            _ if words.is_empty() => Ended::Failed(format!("its process ended with {status}")),
            _ if status.code().is_some() => Ended::Failed(words),
            _ => Ended::Failed(format!("its process ended with {status}: {words}")),
        })
    }
}

/// The last lines of what a process says, without the program's name.
fn last_lines(errors: impl Read) -> String {
    let mut last: Vec<String> = Vec::new();
    for line in BufReader::new(errors).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        last.push(line.strip_prefix("xsam: ").unwrap_or(&line).to_owned());
        if last.len() > LAST_WORDS {
            last.remove(0);
        }
    }
    last.join("\n").trim().to_owned()
}
