//! `compare`

mod queue;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Parser;
use clap::builder::RangedU64ValueParser;
use serde_json::json;
use xsam_lab::compare::{
    Comparison, ComparisonSummary, JobListener, Launcher, LauncherError, Workers,
};
use xsam_lab::json::Exact;
use xsam_lab::spec::{Compare, Preset, Purpose, Spec, SpecError, TaskSpec, Values};
use xsam_lab::{Error, Status, Tasks};
use xsam_report::{draw_comparison, report};

use super::train::TrainingArguments;
use super::{MethodsArgument, interrupted};
use crate::context::{Outcome, threads};
use crate::job_progress::JobProgress;
use crate::print::{self, OutputArguments};
use crate::progress::Progress;
use crate::signals::stop_below;
use crate::source::Otherwise;
use crate::table;
use queue::{Queue, QueueArguments};

/// Several methods and seeds on one task: table, CSV, JSON and plots.
#[derive(Debug, Parser)]
#[command(
    name = "compare",
    after_help = "Examples:\n  {program} compare spec.toml --methods sgd,asam --seeds 0,1,2,3,4\n  \
                  {program} compare spec.toml --methods sgd,sam,xsam --sweep rho=0.05,0.1,0.2,0.4\n  \
                  {program} compare spec.toml --methods xsam --sweep rho=0.1,0.2 --sweep rho_max=0.1,0.2,0.4\n  \
                  {program} compare spec.toml --sweep data.label_noise=0,0.2,0.4\n  \
                  {program} compare spec.toml --equal-compute --jobs 4\n  \
                  {program} compare spec.toml --tune rho=0.05,0.1,0.2 --tune optimizer.lr=0.02,0.05 \
                  --tune-seeds 10,11\n  \
                  {program} compare --resume runs/spec\n  \
                  {program} compare spec.toml --jobs 16 --launch \"srun -N1 -n1 -c4 --exact\"\n  \
                  {program} compare spec.toml --run-index 3\n  \
                  {program} compare --resume runs/spec --collect\n\n\
                  Without a spec it runs the first preset that comes with the program. Runs that are finished are \
                  not repeated, interrupted ones go on, and one in the way with another spec is refused: --resume \
                  with more --methods or --seeds adds to a comparison.\n\n\
                  Passes in the table are forward-backward passes of a run; a forward pass of a search for alpha \
                  counts as a third of one. p is that of a paired t-test, over the seeds, of the results after the \
                  last epoch against those of the first method."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    training: TrainingArguments,

    #[command(flatten)]
    compared: MethodsArgument,

    /// The seeds; each method runs once from each.
    #[arg(
        id = "compare.seeds",
        long = "seeds",
        value_name = "M,N,..",
        value_delimiter = ','
    )]
    seeds: Vec<u64>,

    /// Compares each method that has a field with each of these values of it, in place of what the spec sweeps. A field
    /// without a section is one of the method; a method that lacks it runs once. Given twice, all combinations.
    #[arg(id = "compare.sweep", long = "sweep", value_name = "FIELD=V,W,..", value_parser = tried)]
    sweep: Vec<(String, Vec<String>)>,

    /// Values of rho that are swept: short for --sweep rho=R,S,..
    #[arg(
        id = "compare.rho",
        long = "rho",
        value_name = "R,S,..",
        value_delimiter = ','
    )]
    rho: Vec<f64>,

    /// Numbers of ascent steps that are swept: short for --sweep ascent_steps=K,L,..
    #[arg(
        id = "compare.ascent_steps",
        long = "ascent-steps",
        value_name = "K,L,..",
        value_delimiter = ','
    )]
    ascent_steps: Vec<usize>,

    /// Gives methods with fewer passes an epoch more epochs, until all have as many passes as the costliest one has
    /// in the epochs of the spec. The learning rate's schedule is stretched to them.
    #[arg(id = "compare.equal_compute", long = "equal-compute")]
    equal_compute: bool,

    /// Chooses a hyper-parameter for each method that has it: the value with the best score on the validation data
    /// after the last epoch. Repeated, all combinations. A field without a section is one of the method.
    #[arg(id = "compare.tune", long = "tune", value_name = "FIELD=V,W,..", value_parser = tried)]
    tune: Vec<(String, Vec<String>)>,

    /// The seeds that are tuned on; those of the comparison if not given.
    #[arg(
        id = "compare.tune_seeds",
        long = "tune-seeds",
        value_name = "M,N,..",
        value_delimiter = ','
    )]
    tune_seeds: Vec<u64>,

    /// Tunes by successive halving: after each of these seeds the worse half of a method's values is left out.
    #[arg(id = "compare.halving", long = "halving")]
    halving: bool,

    /// So many runs at a time, up to 256, each in a process with its share of the threads; one if not given, or one for
    /// each --launch.
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=256))]
    jobs: Option<usize>,

    /// Starts the process of each run by this command, in front of which it is written: "srun -N1 -n1 -c4 --exact",
    /// "ssh node1". Given several times, runs have them in turn. A run then has as many threads as --threads says, or
    /// else as it finds processors.
    #[arg(long, value_name = "COMMAND", value_parser = launcher)]
    launch: Vec<Launcher>,

    #[command(flatten)]
    queue: QueueArguments,
}

/// A launcher that this machine has.
fn launcher(text: &str) -> Result<Launcher, LauncherError> {
    let launcher: Launcher = text.parse()?;
    launcher.find()?;
    Ok(launcher)
}

/// A field and the values that are tried of it.
fn tried(text: &str) -> Result<(String, Vec<String>), String> {
    let malformed = "must be a field and values to try, as in rho=0.05,0.1,0.2";
    let (field, values) = text.split_once('=').ok_or(malformed)?;
    let values: Vec<String> = values.split(',').map(|v| v.trim().to_owned()).collect();
    if field.trim().is_empty() || values.iter().any(String::is_empty) {
        return Err(malformed.to_owned());
    }
    Ok((field.trim().to_owned(), values))
}

impl Arguments {
    /// Changes the section `[compare]` to what the flags say.
    fn apply<S: TaskSpec>(&self, spec: &Spec<S>, compare: &mut Compare) -> Result<(), SpecError> {
        if !self.compared.methods.is_empty() {
            compare.set_methods(spec, self.compared.methods.clone());
        }
        given(&mut compare.seeds, &self.seeds);
        given(&mut compare.tune_seeds, &self.tune_seeds);
        compare.equal_compute |= self.equal_compute;
        compare.halving |= self.halving;
        compare.tune_instead(values::<S>(Purpose::Tune, "--tune", &self.tune)?);
        if !(self.sweep.is_empty() && self.rho.is_empty() && self.ascent_steps.is_empty()) {
            compare.sweep = values::<S>(Purpose::Sweep, "--sweep", &self.sweep)?;
            compare.rho.clone_from(&self.rho);
            compare.ascent_steps.clone_from(&self.ascent_steps);
        }
        Ok(())
    }
}

/// What a flag says that is given for each field.
fn values<S: TaskSpec>(
    purpose: Purpose,
    flag: &str,
    given: &[(String, Vec<String>)],
) -> Result<Values, SpecError> {
    let mut all = Values::default();
    for (field, values) in given {
        let of = Values::of::<S>(purpose, field, values).map_err(|error| SpecError {
            key: format!("{flag} {field}"),
            ..error
        })?;
        all.extend(of);
    }
    Ok(all)
}

/// Changes a list to the values of a flag, if there are any.
fn given<T: Clone>(list: &mut Vec<T>, values: &[T]) {
    if !values.is_empty() {
        *list = values.to_vec();
    }
}

pub(crate) fn run<L: Tasks>(arguments: Arguments) -> Result<Outcome, Error> {
    let training = &arguments.training;
    let source = training.source::<L>(Otherwise::FirstPreset)?;
    let spec = &source.spec;
    let mut compare = source.compare.clone().unwrap_or_default();
    arguments.apply(spec, &mut compare)?;
    let directory = directory::<L>(training);

    if let Some(task) = arguments.queue.task() {
        let queue = Queue {
            source: &source,
            compare: &compare,
            directory: &directory,
            training,
        };
        return queue.run::<L>(task);
    }
    let comparison = Comparison::<L>::prepare(spec, &compare, &directory, training.terms())
        .map_err(|error| source.blame(error))?;
    let output = &training.output;
    let launchers = arguments.launch.len();
    let count = arguments.jobs.unwrap_or(launchers.max(1));
    let summary = if count > 1 || launchers > 0 {
        let mut progress = JobProgress::new(output, comparison.runs());
        let stop = stop_below(progress.bars());
        let show: &mut JobListener<'_, L::Spec> = &mut |job, event| progress.show(job, event);
        comparison.run_parallel(&workers(count, arguments.launch.clone())?, &stop, show)?
    } else {
        let mut progress = Progress::new(output, comparison.runs());
        let stop = stop_below(progress.bars());
        comparison.run(&stop, &mut |event| progress.show(&event))?
    };
    let status = summary.status;
    present(summary, &directory, output, None)?;
    Ok(match status {
        Status::Finished => Outcome::Done,
        Status::Failed => Outcome::Failed,
        Status::Running | Status::Interrupted => interrupted("compare", &directory),
    })
}

/// Draws what there is of a comparison, and prints its table. `missing` are the numbers of runs that nobody has made yet, of
/// one that is collected.
fn present(
    mut summary: ComparisonSummary,
    directory: &Path,
    output: &OutputArguments,
    missing: Option<&[usize]>,
) -> Result<(), Error> {
    let drawn = draw_comparison(directory)?;
    summary.files.extend(drawn.files);
    summary.warnings.extend(drawn.warnings);
    summary.write(directory)?;
    let file = report(directory, print::name())?;
    let name = file.file_name().unwrap_or_default();
    summary.files.push(name.to_string_lossy().into_owned());

    if output.json {
        let (path, summary) = (directory.display().to_string(), Exact(&summary));
        let mut line = json!({ "event": "comparison", "directory": path, "summary": summary });
        if let Some(missing) = missing {
            line["missing"] = missing.into();
        }
        print::json(&line);
    } else {
        if let Some(tuning) = &summary.tuning {
            print::line(table::candidates(tuning));
        }
        print::line(table::heading(&summary));
        print::line(table::methods(&summary));
        let told = table::conclusion(&summary);
        if !told.is_empty() {
            print::line(told);
        }
        let (path, files) = (directory.display(), summary.files.join(", "));
        print::line(format!("In {path}: {files}"));
    }
    for warning in &summary.warnings {
        print::warning(None, "", warning);
    }
    for failure in &summary.failures {
        print::error(failure);
    }
    Ok(())
}

/// Processes of this program. Here they share its threads among them.
fn workers(count: usize, launchers: Vec<Launcher>) -> Result<Workers, Error> {
    let threads = match launchers.is_empty() {
        true => Some((rayon::current_num_threads() / count).max(1)),
        false => threads(),
    };
    let threads = threads.map(|threads| ["--threads".to_owned(), threads.to_string()]);
    let words = ["job".to_owned()];
    let words = words.into_iter().chain(threads.into_iter().flatten());
    Ok(Workers {
        count,
        launchers,
        program: Workers::this_program()?,
        arguments: words.map(OsString::from).collect(),
    })
}

fn directory<L: Tasks>(training: &TrainingArguments) -> PathBuf {
    training.directory().unwrap_or_else(|| {
        let stem = training.spec.spec.as_deref().and_then(Path::file_stem);
        let preset = training.spec.options.preset.as_deref();
        let first = L::PRESETS.first().map(Preset::name);
        let name = match stem {
            Some(stem) => stem.to_string_lossy(),
            None => preset.or(first).unwrap_or("comparison").into(),
        };
        Path::new("runs").join(&*name)
    })
}
