//! Runs of a comparison in parallel, each in a process of its own, here or wherever a launcher starts it.
//!
//! A process and not a thread: the number of threads that share a tensor operation, on which the order of its
//! sums depends, belongs to the process, and what ends one run does not end the others.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::job::{Job, JobEvent, Order};
use super::{Launcher, Outcome};
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
    /// What starts the program, in turn; it is started here if there is none.
    pub launchers: Vec<Launcher>,
    /// A program that does what [`serve`](super::serve) does.
    pub program: PathBuf,
    /// Arguments the program is started with.
    pub arguments: Vec<OsString>,
}

/// Listens to the runs of a comparison.
pub type JobListener<'a, S> = dyn FnMut(&Job<S>, &JobEvent) + 'a;

/// A run that is to be tried.
struct Attempt {
    job: usize,
    /// How its process has died, if it was tried before.
    death: Option<String>,
}

/// The process of a run.
struct Worker {
    attempt: Attempt,
    child: Child,
    /// Closed, it ends the process.
    input: ChildStdin,
    last_words: JoinHandle<String>,
    /// The number of its launcher.
    launcher: Option<usize>,
    /// The machine that it is on, by its own account.
    host: Option<String>,
    /// How the run has ended, by its own account.
    end: Option<Result<Status, String>>,
}

/// What comes from a place: a line of the process there, or nothing more.
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

    /// Makes the runs. The `order` for one says whether it was begun by a process that has died. If `stop` asks for an end,
    /// all are asked to stop after the step or batch they are at.
    pub(super) fn perform<S: TaskSpec>(
        &self,
        jobs: &[Job<S>],
        order: &dyn Fn(&Job<S>, bool) -> Order<S>,
        stop: &StopSignal,
        listener: &mut JobListener<'_, S>,
    ) -> Result<Outcome, Error> {
        let mut outcome = Outcome::default();
        let (sender, receiver) = mpsc::channel();
        let attempt = |job| Attempt { job, death: None };
        let mut waiting: VecDeque<Attempt> = (0..jobs.len()).map(attempt).collect();
        // The one that has been free for longest is next: a run whose process has died has another launcher, if there is one.
        let mut free: VecDeque<usize> = (0..self.count.max(1)).collect();
        let mut running: BTreeMap<usize, Worker> = BTreeMap::new();
        let mut reached = BTreeSet::new();
        let mut asked = false;
        loop {
            while !stop.is_set()
                && let Some(place) = free.pop_front()
            {
                let Some(attempt) = waiting.pop_front() else {
                    free.push_front(place);
                    break;
                };
                let order = json::line(&order(&jobs[attempt.job], attempt.death.is_some()));
                let order =
                    order.map_err(|error| Error::file("start", &self.program)(error.into()))?;
                let worker = self.start(&order, attempt, place, sender.clone())?;
                running.insert(place, worker);
            }
            if stop.is_set() && !asked {
                asked = true;
                running.values_mut().for_each(Worker::stop);
            }
            if running.is_empty() {
                break;
            }
            let Ok((place, line)) = receiver.recv_timeout(ATTENTION) else {
                continue;
            };
            let Some(line) = line else {
                if let Some(worker) = running.remove(&place) {
                    free.push_back(place);
                    let reached = worker.launcher.is_none_or(|of| reached.contains(&of));
                    let (Attempt { job: i, death }, ended) = self.end(worker, reached, stop)?;
                    let job = &jobs[i];
                    match ended {
                        Ended::Finished => {
                            let told = |death| format!("{}: {death}; it went on", job.name());
                            outcome.warnings.extend(death.map(told));
                        }
                        Ended::Interrupted => {
                            // Ctrl-C on a terminal reaches every process, and a queue that ends a job asks all that is in
                            // it; this one was the first to say so.
                            outcome.stopped = true;
                            stop.stop();
                        }
                        Ended::Died(reason) if death.is_none() => {
                            listener(job, &JobEvent::Died(reason.clone()));
                            let death = Some(reason);
                            waiting.push_front(Attempt { job: i, death });
                        }
                        Ended::Failed(reason) | Ended::Died(reason) => {
                            let before = death.map(|death| format!("{death}; tried again: "));
                            let reason = before.unwrap_or_default() + &reason;
                            outcome.fail(job, &reason);
                            listener(job, &JobEvent::Failed(reason));
                        }
                    }
                }
                continue;
            };
            // A login shell may say something too.
            let (Some(worker), Ok(event)) = (running.get_mut(&place), json::parse(&line)) else {
                continue;
            };
            match &event {
                JobEvent::Launched { host } => {
                    worker.host = Some(host.clone());
                    reached.extend(worker.launcher);
                }
                JobEvent::Ended(summary) => worker.end = Some(Ok(summary.status)),
                JobEvent::Failed(reason) => worker.end = Some(Err(reason.clone())),
                _ => {}
            }
            // That it has failed is told when it is over.
            if !matches!(event, JobEvent::Failed(_)) {
                listener(&jobs[worker.attempt.job], &event);
            }
        }
        outcome.stopped |= !waiting.is_empty();
        Ok(outcome)
    }

    /// Starts a process in one of the places that there are for them.
    fn start(
        &self,
        order: &str,
        attempt: Attempt,
        place: usize,
        sender: Sender<Message>,
    ) -> Result<Worker, Error> {
        let launcher = place.checked_rem(self.launchers.len());
        let mut command = match launcher.map(|of| &self.launchers[of]) {
            None => Command::new(&self.program),
            Some(Launcher { program, arguments }) => {
                let mut command = Command::new(program);
                command.args(arguments).arg(&self.program);
                // Ctrl-C on a terminal would end the launcher before the run is asked to stop.
                #[cfg(unix)]
                std::os::unix::process::CommandExt::process_group(&mut command, 0);
                command
            }
        };
        let started = PathBuf::from(command.get_program());
        let failed = |error| Error::file("start", &started)(error);
        let pipes = command
            .args(&self.arguments)
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
                if sender.send((place, Some(line))).is_err() {
                    return;
                }
            }
            let _ = sender.send((place, None));
        });
        let last_words = thread::spawn(move || last_lines(errors));

        // If it is gone already, its end tells why.
        let _ = writeln!(input, "{order}");
        Ok(Worker {
            attempt,
            child,
            input,
            last_words,
            launcher,
            host: None,
            end: None,
        })
    }

    /// How a process has ended that says no more. Its launcher may not have `reached` any machine yet.
    fn end(
        &self,
        worker: Worker,
        reached: bool,
        stop: &StopSignal,
    ) -> Result<(Attempt, Ended), Error> {
        let Worker {
            attempt,
            mut child,
            input,
            last_words,
            launcher,
            host,
            end,
        } = worker;
        // A launcher may wait for the end of what it hands on.
        drop(input);
        let status = child.wait();
        let status = status.map_err(Error::file("wait for", Path::new("the process of a run")))?;
        let words = last_words.join().unwrap_or_default();
        let launcher = launcher.map(|of| &self.launchers[of]);
        let ended = match (end, launcher) {
            (Some(Ok(Status::Finished)), _) => Ended::Finished,
            (Some(Ok(Status::Interrupted)), _) => Ended::Interrupted,
            // Before its first step there is nothing to interrupt gently.
            _ if stop.is_set() => Ended::Interrupted,
            (Some(Err(reason)), _) => Ended::Failed(reason),
            (_, Some(launcher)) if !reached => {
                return Err(Error::Launch {
                    launcher: launcher.to_string(),
                    status: status.to_string(),
                    words,
                    program: self.program.clone(),
                });
            }
            (_, launcher) => Ended::Died(death(launcher, host.as_deref(), status, &words)),
        };
        Ok((attempt, ended))
    }
}

/// How the process of a run has ended.
enum Ended {
    Finished,
    Interrupted,
    /// The run has, by its own account.
    Failed(String),
    /// The process, without a word of the run.
    Died(String),
}

/// What is known of the death of a process: who has seen it, and where it was.
fn death(
    launcher: Option<&Launcher>,
    host: Option<&str>,
    status: ExitStatus,
    words: &str,
) -> String {
    let mut told = match (launcher, host) {
        (None, _) => format!("its process ended with {status}"),
        (Some(launcher), None) => format!("`{launcher}` ended with {status}"),
        (Some(launcher), Some(host)) => {
            format!("its process on {host} died: `{launcher}` ended with {status}")
        }
    };
    if !words.is_empty() {
        told = format!("{told}: {words}");
    }
    told
}

impl Worker {
    /// Asks the process to stop. One that is gone cannot be asked; that is told when its output ends.
    fn stop(&mut self) {
        let _ = self.input.write_all(b"stop\n");
        // A launcher may wait for a place in a queue.
        if self.launcher.is_some() && self.host.is_none() {
            terminate(&mut self.child);
        }
    }
}

/// Asks a launcher, and what it has started here, to end.
#[cfg(unix)]
fn terminate(launcher: &mut Child) {
    use nix::sys::signal::{Signal, killpg};
    use nix::unistd::Pid;

    // It leads a group of its own, which is not another one's before its end has been waited for.
    if let Ok(group) = i32::try_from(launcher.id()) {
        let _ = killpg(Pid::from_raw(group), Signal::SIGTERM);
    }
}

#[cfg(not(unix))]
fn terminate(launcher: &mut Child) {
    let _ = launcher.kill();
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
