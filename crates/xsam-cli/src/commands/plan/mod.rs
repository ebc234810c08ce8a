//! `plan`

mod told;

use std::path::PathBuf;

use clap::Parser;
use xsam_lab::compare::Workers;
use xsam_lab::plan::{PlanSpec, plan, plan_on, serve_plan};
use xsam_lab::spec::{Compare, TaskSpec};
use xsam_lab::{Error, Tasks};

use super::MethodsArgument;
use crate::context::Outcome;
use crate::print::{self, OutputArguments};
use crate::ranks::RankArguments;
use crate::signals::{on_request, stop_on_interrupt};
use crate::source::{Otherwise, Source, SpecArguments};

/// What runs of each method will cost here: time, memory and money, before any is started.
#[derive(Debug, Parser)]
#[command(
    name = "plan",
    after_help = "Examples:\n  {program} plan spec.toml --methods sgd,sam,xsam\n  \
                  {program} plan spec.toml --price-per-hour 0.8 --currency EUR --runs-per-year 500\n  \
                  {program} plan spec.toml --json > fast.json    (on another machine)\n  \
                  {program} plan spec.toml --against fast.json\n  \
                  mpirun -n 2 {program} plan spec.toml    (of runs that are shared out over two ranks)\n\n\
                  Measured are real steps, searches, evaluations and checkpoints of a short run of each method, \
                  in a process of its own. The methods are those of [compare]; of a spec without one, sgd and \
                  the method of the spec. Without a spec it plans the first preset that comes with the program."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    spec: SpecArguments,

    #[command(flatten)]
    planned: MethodsArgument,

    /// Plans each method that ascends with each of these numbers of ascent steps.
    #[arg(long, value_name = "K,L,..", value_delimiter = ',')]
    ascent_steps: Vec<usize>,

    /// Steps that are measured of each method, at least 3; if not given, what 5 seconds give, and at least 12.
    #[arg(long, value_name = "N")]
    steps: Option<usize>,

    /// What an hour of this machine costs; of ranks, an hour of all machines that they are on.
    #[arg(long, value_name = "PRICE", allow_negative_numbers = true)]
    price_per_hour: Option<f64>,

    /// In what; it is printed with the price.
    #[arg(long, value_name = "NAME", requires = "price_per_hour")]
    currency: Option<String>,

    /// Runs of a method in a year, for what a year of each costs.
    #[arg(long, value_name = "N")]
    runs_per_year: Option<usize>,

    /// A plan of the same experiment from another machine, written by --json: what it costs to make the runs here
    /// and not there.
    #[arg(long, value_name = "PLAN.json")]
    against: Option<PathBuf>,

    /// Measures what is ordered on standard input in this process, for the one that plans.
    #[arg(long, hide = true)]
    measure: bool,

    #[command(flatten)]
    ranks: RankArguments,

    #[command(flatten)]
    output: OutputArguments,
}

pub(crate) fn run<L: Tasks>(arguments: Arguments) -> Result<Outcome, Error> {
    if arguments.measure {
        // Ctrl-C on a terminal reaches this process too, which says so by its exit code. Without, the other one says it.
        let _ = on_request(|_| std::process::exit(130));
        print::json(&serve_plan::<L>()?);
        return Ok(Outcome::Done);
    }
    let ranks = arguments.ranks.start()?;
    let source = arguments.spec.source::<L>(Otherwise::FirstPreset)?;
    let compare = methods(&source, arguments.planned.methods);
    let how = PlanSpec {
        steps: arguments.steps,
        ascent_steps: arguments.ascent_steps,
        price_per_hour: arguments.price_per_hour,
        currency: arguments.currency,
        runs_per_year: arguments.runs_per_year,
        against: arguments.against,
    };
    let quiet = arguments.output.is_silent() || !ranks.is_first();
    let mut listener = |label: &str| {
        if !quiet {
            print::note(format_args!("measuring {label}"));
        }
    };
    let (this, stop) = (Workers::this_program()?, stop_on_interrupt());
    let plan = match ranks.size() {
        1 => plan::<L>(&source.spec, &compare, &how, &this, &stop, &mut listener),
        _ => plan_on::<L>(&ranks, &source.spec, &compare, &how, &stop, &mut listener),
    };
    let Some(plan) = plan.map_err(|error| source.blame(error))? else {
        return Ok(Outcome::Interrupted);
    };
    if ranks.is_first() {
        print::result(arguments.output.json, &plan, || told::told(&plan));
    }
    Ok(Outcome::Done)
}

/// The methods that are named, or those of the comparison; of a spec without one, its own after sgd, from its own seed.
fn methods<S: TaskSpec>(source: &Source<S>, named: Vec<String>) -> Compare {
    let mut compare = source.compare.clone().unwrap_or_else(|| {
        let mut compare = Compare::default();
        if named.is_empty() {
            compare.methods = vec!["sgd".to_owned(), source.spec.method.name().to_owned()];
            compare.methods.dedup();
            compare.seeds = vec![source.spec.train.seed];
        }
        compare
    });
    if !named.is_empty() {
        compare.set_methods(&source.spec, named);
    }
    compare
}
