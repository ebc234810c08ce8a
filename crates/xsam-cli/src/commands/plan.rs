//! `xsam plan`

use serde_json::json;
use xsam_train::{
    Change, Compare, Cost, Error, MethodPlan, Plan, PlanSpec, Preset, Timing, plan, serve_plan,
};

use super::{Outcome, Source, by_flag, compare, stop_on_interrupt};
use crate::args::PlanArguments;
use crate::columns::aligned;
use crate::{print, signals};

/// Fields and the flags that set them.
const FLAGS: [(&str, &str); 5] = [
    ("steps", "--steps"),
    ("price_per_hour", "--price-per-hour"),
    ("runs_per_year", "--runs-per-year"),
    ("ascent_steps", "--ascent-steps"),
    ("against", "--against"),
];

/// A load above which it is told that the machine was not idle: the last minute before has some of it in any
/// case, from the compiler or a plan.
const IDLE: f64 = 0.5;

pub(crate) fn run(arguments: PlanArguments) -> Result<Outcome, Error> {
    if arguments.measure {
        // Ctrl-C on a terminal reaches this process too, which says so by its exit code. Without, the other one says it.
        let _ = signals::on_request(|_| std::process::exit(130));
        print::json(&serve_plan()?);
        return Ok(Outcome::Done);
    }
    let source = source(&arguments)?;
    let compare = methods(&source);
    let how = PlanSpec {
        steps: arguments.steps,
        ascent_steps: arguments.ascent_steps,
        price_per_hour: arguments.price_per_hour,
        currency: arguments.currency,
        runs_per_year: arguments.runs_per_year,
        against: arguments.against,
    };
    let program = std::env::current_exe().map_err(|source| Error::File {
        action: "find",
        path: "xsam".into(),
        source,
    })?;
    let quiet = arguments.output.quiet || arguments.output.json;
    let mut listener = |label: &str| {
        if !quiet {
            print::note(format_args!("measuring {label}"));
        }
    };
    let stop = stop_on_interrupt(None);
    let plan = plan(&source.spec, &compare, &how, &program, &stop, &mut listener);
    let plan = plan.map_err(|error| match by_flag(error, &FLAGS) {
        Error::Spec { error, .. } if error.key.starts_with("--") => Error::from(error),
        error => source.blame(error),
    })?;
    let Some(plan) = plan else {
        return Ok(Outcome::Interrupted);
    };
    if arguments.output.json {
        print::json(&plan);
    } else {
        print::line(told(&plan));
    }
    Ok(Outcome::Done)
}

fn source(arguments: &PlanArguments) -> Result<Source, Error> {
    let mut settings = Vec::new();
    if !arguments.methods.is_empty() {
        settings.push(format!("compare.methods={}", json!(arguments.methods)));
    }
    settings.extend(arguments.settings.iter().cloned());
    if let Some(device) = &arguments.device {
        settings.push(format!("train.device={device}"));
    }
    let text = Preset::find(compare::DEFAULT)?.toml();
    let (file, preset) = (arguments.spec.as_deref(), arguments.preset.as_deref());
    Source::of(file, preset, text, &settings)
}

/// The methods of the comparison; of a spec without one, its own after sgd, from its own seed.
fn methods(source: &Source) -> Compare {
    source.compare.clone().unwrap_or_else(|| {
        let mut compare = Compare::default();
        compare.methods = vec!["sgd".to_owned(), source.spec.method.name.to_string()];
        compare.methods.dedup();
        compare.seeds = vec![source.spec.train.seed];
        compare
    })
}

fn told(plan: &Plan) -> String {
    let mut text = String::new();
    if let Some(first) = plan.methods.first() {
        let (measured, threads) = (&first.measured, threads(first.measured.threads));
        text = format!(
            "{}; {} parameters, {} steps an epoch; {threads}, {}.\n\n",
            first.spec.in_words(),
            measured.parameters,
            measured.steps_per_epoch,
            measured.kernels,
        );
    }
    text.push_str(&times(plan));
    text.push_str(&format!("\n{}\n", sureness(plan)));
    if plan.price_per_hour.is_some() || plan.runs_per_year.is_some() {
        text.push_str(&format!("\n{}", costs(plan)));
    }
    if !plan.against.is_empty() {
        text.push_str(&format!("\n{}", elsewhere(plan)));
    }
    let runs = plan.seeds * plan.methods.len();
    if runs > 1 {
        let all = cost(&plan.comparison, plan);
        text.push_str(&format!(
            "\nAll {runs} runs, {} of each: {all}.",
            plan.seeds
        ));
    }
    text
}

fn threads(threads: usize) -> String {
    match threads {
        1 => "1 thread".to_owned(),
        n => format!("{n} threads"),
    }
}

/// A row for each method: the time of a run, and what it is made of.
fn times(plan: &Plan) -> String {
    let head = [
        "method",
        "passes",
        "s/step",
        "half of them",
        "s/search",
        "s/epoch",
        "run",
        "ratio",
        "searches",
        "evaluations",
        "peak MB",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(plan.methods.iter().map(|method| {
        let (measured, estimate) = (&method.measured, &method.estimate);
        let step = &measured.step;
        // Of two kinds of steps the mean, whose quartiles say nothing.
        let half_of_them = match measured.plain_step {
            Some(_) => none(),
            None => format!("{}..{}", significant(step.low_s), significant(step.high_s)),
        };
        [
            method.label.clone(),
            match method.passes_of_a_step() {
                whole if whole.fract() == 0.0 => whole.to_string(),
                mean => significant(mean),
            },
            significant(method.seconds_of_a_step()),
            half_of_them,
            measured
                .search
                .map_or_else(none, |search| significant(search.median_s)),
            significant(estimate.epoch_s),
            duration(estimate.total_s),
            format!("{:.2}", method.change.map_or(1.0, |change| change.ratio)),
            percent(estimate.search_share),
            percent(estimate.evaluation_share),
            measured
                .peak_mb
                .map_or_else(none, |peak| format!("{peak:.0}")),
        ]
    }));
    aligned(&rows)
}

/// How sure the times are.
fn sureness(plan: &Plan) -> String {
    let margin = |method: &MethodPlan| method.estimate.margin_s / method.estimate.total_s;
    let margins: Vec<String> = plan
        .methods
        .iter()
        .map(|method| format!("{} {}", method.label, percent(margin(method))))
        .collect();
    let steps = plan.methods.iter().map(|method| {
        let step = &method.measured.step;
        step.count * step.in_a_row
    });
    let steps = match (steps.clone().min(), steps.max()) {
        (Some(least), Some(most)) if least != most => format!("{least} to {most}"),
        (least, _) => least.unwrap_or_default().to_string(),
    };
    let mut text = format!(
        "Medians of {steps} steps after a warm-up. By their spread the time of a run is sure to (twice the standard \
         error)\n{}, as long as the machine is as fast as it was meanwhile.",
        margins.join(", ")
    );
    if let Some(load) = plan.load.filter(|load| *load > IDLE) {
        text.push_str(&format!(
            " It was not idle: in the minute before,\n{load:.1} programs ran or waited for its {} processors. Without \
             them a run takes less.",
            plan.processors
        ));
    }
    let translation = |timing: &Timing| format!("{} s", significant(timing.median_s));
    let translations = plan
        .methods
        .iter()
        .find_map(|method| method.measured.translation.as_ref());
    if let Some(timing) = translations {
        text.push_str(&format!(
            "\nTo translate the validation and test data takes about {}, if translations are as long as the right \
             ones.",
            translation(timing)
        ));
    }
    text
}

/// A row for each method: what its runs cost, and what a change from the first method costs.
fn costs(plan: &Plan) -> String {
    let first = plan
        .methods
        .first()
        .map_or("", |method| method.label.as_str());
    let mut rows = vec![
        [
            "method",
            "a run",
            "a year",
            "against",
            "more a run",
            "more a year",
        ]
        .map(str::to_owned),
    ];
    rows.extend(plan.methods.iter().map(|method| {
        let [run, year] = method
            .change
            .as_ref()
            .map_or([none(), none()], |c| more(c, plan));
        [
            method.label.clone(),
            cost(&method.run, plan),
            method.year.map_or_else(none, |year| cost(&year, plan)),
            method.change.map_or_else(none, |_| first.to_owned()),
            run,
            year,
        ]
    }));
    let runs = plan.runs_per_year.map(|runs| format!("{runs} runs a year"));
    let price = plan
        .price_per_hour
        .map(|price| format!("{} an hour", money(price, plan)));
    let given: Vec<String> = [runs, price].into_iter().flatten().collect();
    format!("{}:\n{}", given.join(", "), aligned(&rows))
}

/// A row for each method that is in another plan, too.
fn elsewhere(plan: &Plan) -> String {
    let mut rows = vec![
        [
            "method",
            "a run there",
            "a run here",
            "ratio",
            "more a run here",
            "more a year",
        ]
        .map(str::to_owned),
    ];
    for there in &plan.against {
        let here = plan
            .methods
            .iter()
            .find(|method| method.label == there.label);
        let [run, year] = more(&there.change, plan);
        rows.push([
            there.label.clone(),
            cost(&there.run, plan),
            here.map_or_else(none, |here| cost(&here.run, plan)),
            format!("{:.2}", there.change.ratio),
            run,
            year,
        ]);
    }
    format!(
        "Here, and on the machine of the other plan:\n{}",
        aligned(&rows)
    )
}

fn more(change: &Change, plan: &Plan) -> [String; 2] {
    let signed = |cost_of: &Cost| {
        let sign = if cost_of.hours < 0.0 { "-" } else { "+" };
        let amount = Cost {
            hours: cost_of.hours.abs(),
            money: cost_of.money.map(f64::abs),
        };
        format!("{sign}{}", cost(&amount, plan))
    };
    [
        signed(&change.run),
        change.year.as_ref().map_or_else(none, signed),
    ]
}

fn cost(cost: &Cost, plan: &Plan) -> String {
    let time = duration(3600.0 * cost.hours);
    match cost.money {
        None => time,
        Some(amount) => format!("{time}, {}", money(amount, plan)),
    }
}

fn money(amount: f64, plan: &Plan) -> String {
    let amount = match amount.abs() {
        small if small < 1.0 => format!("{amount:.3}"),
        _ => format!("{amount:.2}"),
    };
    match &plan.currency {
        None => amount,
        Some(currency) => format!("{amount} {currency}"),
    }
}

fn none() -> String {
    "-".to_owned()
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// In the unit that a person would say it in.
fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.1} s"),
        s if s < 2.0 * 3600.0 => format!("{:.1} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

/// Seconds to three digits.
fn significant(seconds: f64) -> String {
    if seconds <= 0.0 {
        return "0".to_owned();
    }
    let digits = 2 - seconds.log10().floor() as i32;
    format!("{seconds:.*}", digits.max(0) as usize)
}
