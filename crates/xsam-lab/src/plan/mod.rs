//! What runs will cost, before they are started: time, memory and money of each method.

mod against;
mod child;
mod cost;
mod estimate;
mod log;
mod measure;
mod scratch;
mod timing;

use std::env::temp_dir;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::Table;

pub use against::Elsewhere;
pub use child::serve_plan;
pub use cost::{Change, Cost};
pub use estimate::{Counts, Estimate};
pub use measure::{MOST_TIMED, Measurement, measure};
pub use timing::Timing;

use measure::measure_on;
use scratch::Scratch;

use crate::error::Error;
use crate::method::check_ascent_steps;
use crate::place::check_device;
use crate::ranks::Ranks;
use crate::spec::{About, Compare, Experiment, Spec, SpecError, TaskSpec};
use crate::stop::StopSignal;
use crate::tasks::Tasks;

/// What is planned besides the experiment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlanSpec {
    /// Steps that are measured of each method, at least 3; if not given, what 5 seconds give, and at least 12.
    pub steps: Option<usize>,
    /// Numbers of ascent steps, in place of those of the comparison: each method that ascends is planned with each of
    /// them. If there is none, with its own.
    pub ascent_steps: Vec<usize>,
    /// What an hour of this machine costs.
    pub price_per_hour: Option<f64>,
    /// Currency of the price, as it is printed.
    pub currency: Option<String>,
    /// Runs of a method in a year.
    pub runs_per_year: Option<usize>,
    /// A plan of the same experiment from another machine, as JSON.
    pub against: Option<PathBuf>,
}

/// What runs cost on this machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The methods, in the order of the comparison.
    pub methods: Vec<MethodPlan>,
    /// Runs of each method in the comparison.
    pub seeds: usize,
    /// All runs of the comparison, one after the other.
    pub comparison: Cost,
    /// What an hour costs, if that was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_per_hour: Option<f64>,
    /// Currency of the price, as it is printed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// Runs of a method in a year, if that was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs_per_year: Option<usize>,
    /// Processors of the machine.
    pub processors: usize,
    /// Ranks that a run is shared out over, if there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranks: Option<usize>,
    /// Programs that ran or waited to run, on average over the minute before the measurements, where the system
    /// tells.
    pub load: Option<f64>,
    /// What evaluations do now and then besides, within a sentence.
    #[serde(default)]
    pub further: String,
    /// The same methods on the machine of another plan.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub against: Vec<Elsewhere>,
}

/// What runs of one method cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MethodPlan {
    /// Label of the method, unique in the comparison.
    pub label: String,
    /// The spec of its first run, as it is asked for.
    pub spec: Table,
    /// What is told of it.
    pub about: About,
    /// Times of this machine that the estimate is made of.
    pub measured: Measurement,
    /// How often each part comes to pass in a run.
    pub counts: Counts,
    /// The time of a run.
    pub estimate: Estimate,
    /// What a run costs.
    pub run: Cost,
    /// What the runs of a year cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub year: Option<Cost>,
    /// What it costs to take this method in place of the first one; of the first, nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
}

/// Reads the plan in a file, and sets itself beside what it has of `experiment`.
#[cfg(fuzzing)]
pub(crate) fn plan_against<S: TaskSpec>(
    path: &Path,
    experiment: Experiment<S>,
) -> Result<(), Error> {
    let there = against::read(path)?;
    against::same_experiment(&[("sgd".to_owned(), experiment)], &there)?;
    against::beside(&there, &there);
    Ok(())
}

impl MethodPlan {
    /// Forward-backward passes of a step, on average.
    pub fn passes_of_a_step(&self) -> f64 {
        let further = (self.measured.gradient_passes - 1) as f64 - self.measured.spared_passes;
        1.0 + further * self.counts.ascending as f64 / self.counts.steps.max(1) as f64
    }

    /// Seconds of a step, on average.
    pub fn seconds_of_a_step(&self) -> f64 {
        let step = self.measured.step.median_s;
        let share = self.counts.ascending as f64 / self.counts.steps.max(1) as f64;
        match self.measured.plain_step {
            Some(plain) => plain.median_s + share * (step - plain.median_s),
            None => step,
        }
    }
}

impl PlanSpec {
    fn check(&self) -> Result<(), SpecError> {
        measure::check_steps(self.steps)?;
        let price = self.price_per_hour.unwrap_or_default();
        let ok = price.is_finite() && price >= 0.0;
        SpecError::unless(ok, "price_per_hour", price, "finite and at least 0")?;
        for &steps in &self.ascent_steps {
            check_ascent_steps("ascent_steps", steps)?;
        }
        let runs = self.runs_per_year.unwrap_or(1);
        SpecError::unless(runs >= 1, "runs_per_year", runs, "at least 1")
    }

    /// The methods that are planned by their labels, with the spec of a run of each.
    fn methods<S: TaskSpec>(
        &self,
        spec: &Spec<S>,
        compare: &Compare,
    ) -> Result<Vec<(String, Experiment<S>)>, SpecError> {
        let mut compare = compare.clone();
        if !self.ascent_steps.is_empty() {
            compare.ascent_steps.clone_from(&self.ascent_steps);
        }
        let entries = compare.entries(spec).map_err(|mut error| {
            if !self.ascent_steps.is_empty() && error.key == "compare.ascent_steps" {
                error.key = "ascent_steps".to_owned();
            }
            error
        });
        let entries = entries?.into_iter();
        let seed = compare.seeds[0];
        let planned = entries.map(|entry| (entry.label, entry.candidates[0].run(seed)));
        Ok(planned.collect())
    }
}

/// Plans the runs of `compare` on the experiment `spec`: measures a few steps of each method in a process of its
/// own, one after the other, and says what whole runs cost. `listener` is told what is measured.
///
/// `program` is the running program or one like it, which measures: it is started as `program plan --measure`, does what [`serve_plan`]
/// does, and prints the [`Measurement`] as JSON. If `stop` asks for an end before all is measured, that process is ended
/// at once, and there is no plan. Temporary files are removed in any case; those of a plan that was killed, by the next.
///
/// # Errors
/// If a spec or a value of `how` cannot be, this build or this machine does not have the device, the other plan cannot be read or is of another experiment, or a method
/// cannot be measured.
pub fn plan<L: Tasks>(
    spec: &Spec<L::Spec>,
    compare: &Compare,
    how: &PlanSpec,
    program: &Path,
    stop: &StopSignal,
    listener: &mut dyn FnMut(&str),
) -> Result<Option<Plan>, Error> {
    check_device(spec.train.device, spec.train.precision)?;
    scratch::sweep(&temp_dir());
    planned(spec, compare, how, |label, asked| {
        listener(label);
        child::ordered(program, label, asked, how.steps, stop)
    })
}

/// The same of runs that are shared out over `ranks`, all of which call it and get the plan. They measure in this process:
/// the peak of memory of a method is also that of those before it.
///
/// # Errors
/// As [`plan`], and if a run cannot be shared out over so many. One that fails takes no leave of the others, which wait for
/// it: end them.
pub fn plan_on<L: Tasks>(
    ranks: &Ranks,
    spec: &Spec<L::Spec>,
    compare: &Compare,
    how: &PlanSpec,
    stop: &StopSignal,
    listener: &mut dyn FnMut(&str),
) -> Result<Option<Plan>, Error> {
    let plan = planned(spec, compare, how, |label, asked| {
        listener(label);
        let scratch = ranks.is_first().then(Scratch::new).transpose()?;
        let own = scratch.as_ref().map(|scratch| scratch.directory.path());
        let own = own.map_or_else(Vec::new, |path| {
            path.to_string_lossy().into_owned().into_bytes()
        });
        let all = ranks.gather(own)?;
        let first = all.first().map(|path| String::from_utf8_lossy(path));
        let run = Path::new(first.as_deref().unwrap_or_default()).join(child::RUN);
        measure_on::<L>(ranks, asked, how.steps, &run, stop)
    });
    Ok(plan?.map(|plan| Plan {
        ranks: (ranks.size() > 1).then_some(ranks.size()),
        ..plan
    }))
}

/// A plan by what `measure` finds of each method; nothing where it finds nothing.
fn planned<S: TaskSpec>(
    spec: &Spec<S>,
    compare: &Compare,
    how: &PlanSpec,
    mut measure: impl FnMut(&str, &Spec<S>) -> Result<Option<Measurement>, Error>,
) -> Result<Option<Plan>, Error> {
    how.check()?;
    let methods = how.methods(spec, compare)?;
    let there = how.against.as_deref().map(against::read).transpose()?;
    if let Some(there) = &there {
        against::same_experiment(&methods, there)?;
    }
    let load = load();
    let mut measured = Vec::new();
    for (label, experiment) in methods {
        let Some(found) = measure(&label, &experiment.asked)? else {
            return Ok(None);
        };
        measured.push((label, experiment, found));
    }
    let mut plan = Plan::new(how, compare.seeds.len(), measured)?;
    plan.load = load;
    if let Some(there) = there {
        plan.against = against::beside(&plan, &there);
    }
    Ok(Some(plan))
}

impl Plan {
    fn new<S: TaskSpec>(
        how: &PlanSpec,
        seeds: usize,
        measured: Vec<(String, Experiment<S>, Measurement)>,
    ) -> Result<Self, SpecError> {
        let runs = how.runs_per_year;
        let mut methods: Vec<MethodPlan> = Vec::with_capacity(measured.len());
        for (label, Experiment { asked, spec }, measured) in measured {
            let counts = Counts::of(&spec, measured.steps_per_epoch);
            let estimate = Estimate::of(&measured, &counts);
            let run = Cost::of(estimate.total_s / 3600.0, how.price_per_hour);
            let first = methods.first();
            let change = first.map(|first| Change::of(first.run, run, runs));
            methods.push(MethodPlan {
                label,
                about: spec.about(),
                spec: asked.to_table()?,
                measured,
                counts,
                estimate,
                run,
                year: runs.map(|runs| run.times(runs as f64)),
                change,
            });
        }
        let hours: f64 = methods.iter().map(|method| method.run.hours).sum();
        Ok(Self {
            methods,
            seeds,
            comparison: Cost::of(seeds as f64 * hours, how.price_per_hour),
            price_per_hour: how.price_per_hour,
            currency: how.currency.clone(),
            runs_per_year: runs,
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            ranks: None,
            load: None,
            further: S::FURTHER.to_owned(),
            against: Vec::new(),
        })
    }

    /// The method of that label.
    fn method(&self, label: &str) -> Option<&MethodPlan> {
        self.methods.iter().find(|method| method.label == label)
    }
}

/// The load of the last minute, which Linux tells.
fn load() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    text.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests;
