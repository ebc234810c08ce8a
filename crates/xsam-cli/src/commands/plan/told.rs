//! A plan in words and tables.

use xsam_lab::numbers::{self, TERMINAL};
use xsam_lab::plan::{Change, Cost, MethodPlan, Plan};

use crate::columns::aligned;

/// A load above which it is told that the machine was not idle: the last minute before has some of it in any
/// case, from the compiler or a plan.
const IDLE: f64 = 0.5;

pub(super) fn told(plan: &Plan) -> String {
    let mut text = String::new();
    if let Some(first) = plan.methods.first() {
        let measured = &first.measured;
        let threads = numbers::count(measured.threads, "thread", "threads");
        let shared_out = plan.ranks.map(|ranks| format!("{ranks} ranks of "));
        text = format!(
            "{}; {} parameters, {} steps an epoch; {}{threads}, {}.\n\n",
            first.about.words,
            measured.parameters,
            measured.steps_per_epoch,
            shared_out.unwrap_or_default(),
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
        let seeds = plan.seeds;
        text.push_str(&format!("\nAll {runs} runs, {seeds} of each: {all}."));
    }
    text
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
    let rows = plan.methods.iter().map(|method| {
        let (measured, estimate) = (&method.measured, &method.estimate);
        let step = &measured.step;
        // Of two kinds of steps the mean, whose quartiles say nothing.
        let half_of_them = match measured.plain_step {
            Some(_) => none(),
            None => format!("{}..{}", seconds(step.low_s), seconds(step.high_s)),
        };
        [
            method.label.clone(),
            match method.passes_of_a_step() {
                whole if whole.fract() == 0.0 => whole.to_string(),
                mean => seconds(mean),
            },
            seconds(method.seconds_of_a_step()),
            half_of_them,
            measured
                .search
                .map_or_else(none, |search| seconds(search.median_s)),
            seconds(estimate.epoch_s),
            TERMINAL.duration(estimate.total_s),
            format!("{:.2}", method.change.map_or(1.0, |change| change.ratio)),
            percent(estimate.search_share),
            percent(estimate.evaluation_share),
            TERMINAL.fixed(measured.peak_mb, 0),
        ]
    });
    aligned(&head, rows)
}

/// How sure the times are.
fn sureness(plan: &Plan) -> String {
    let margin = |method: &MethodPlan| method.estimate.margin_s / method.estimate.total_s;
    let methods = plan.methods.iter();
    let margins = methods.map(|method| format!("{} {}", method.label, percent(margin(method))));
    let margins: Vec<String> = margins.collect();
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
    if plan.ranks.is_some() {
        text.push_str(
            "\nThe peak of memory is the first rank's, in which all methods up to the row were measured.",
        );
    }
    let mut methods = plan.methods.iter();
    let further = methods.find_map(|method| method.measured.further.as_ref());
    if let Some(timing) = further {
        text.push_str(&format!(
            "\n{} takes about {} s.",
            numbers::capital(&plan.further),
            seconds(timing.median_s),
        ));
    }
    text.push_str(&sharpness(plan).unwrap_or_default());
    text
}

/// What it costs to measure the sharpness, if that is done.
fn sharpness(plan: &Plan) -> Option<String> {
    let measuring = plan.methods.iter();
    let measuring = measuring.filter_map(|method| Some((method, method.measured.sharpness?)));
    let told: Vec<String> = measuring
        .map(|(method, timing)| {
            format!(
                "{} {} x {} s, {} of a run",
                method.label,
                method.counts.measurements,
                seconds(timing.median_s),
                percent(method.estimate.sharpness_share),
            )
        })
        .collect();
    (!told.is_empty()).then(|| format!("\nMeasuring the sharpness takes: {}.", told.join("; ")))
}

/// A row for each method: what its runs cost, and what a change from the first method costs.
fn costs(plan: &Plan) -> String {
    let first = plan.methods.first().map_or("", |method| &method.label);
    let head = [
        "method",
        "a run",
        "a year",
        "against",
        "more a run",
        "more a year",
    ];
    let rows = plan.methods.iter().map(|method| {
        let change = method.change.as_ref();
        let [run, year] = change.map_or([none(), none()], |change| more(change, plan));
        [
            method.label.clone(),
            cost(&method.run, plan),
            method.year.map_or_else(none, |year| cost(&year, plan)),
            method.change.map_or_else(none, |_| first.to_owned()),
            run,
            year,
        ]
    });
    let runs = plan.runs_per_year.map(|runs| format!("{runs} runs a year"));
    let price = plan
        .price_per_hour
        .map(|price| format!("{} an hour", money(price, plan)));
    let given: Vec<String> = [runs, price].into_iter().flatten().collect();
    format!("{}:\n{}", given.join(", "), aligned(&head, rows))
}

/// A row for each method that is in another plan, too.
fn elsewhere(plan: &Plan) -> String {
    let head = [
        "method",
        "a run there",
        "a run here",
        "ratio",
        "more a run here",
        "more a year",
    ];
    let rows = plan.against.iter().map(|there| {
        let mut methods = plan.methods.iter();
        let here = methods.find(|method| method.label == there.label);
        let [run, year] = more(&there.change, plan);
        [
            there.label.clone(),
            cost(&there.run, plan),
            here.map_or_else(none, |here| cost(&here.run, plan)),
            format!("{:.2}", there.change.ratio),
            run,
            year,
        ]
    });
    let table = aligned(&head, rows);
    format!("Here, and on the machine of the other plan:\n{table}")
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
    let time = TERMINAL.duration(3600.0 * cost.hours);
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
    numbers::percent(share, 1)
}

/// Seconds to three digits.
fn seconds(seconds: f64) -> String {
    numbers::plain(seconds, 3)
}
