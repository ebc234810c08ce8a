//! Schedules around methods: which steps are a method's own, and how rho is found.

use crate::common::{
    Batch, Net, Point, assert_close, batch, bits, copy, momentum, net, optimizer, plain, recorded,
    resumed, step, trained,
};
use burn::module::Module;
use xsam::method::{MethodConfig, MethodSpec};
use xsam::{
    AdaptivePolicy, AscentOver, LookXsamConfig, LossBudget, MeasuredRho, SamConfig, SearchSchedule,
    SgdOnlyConfig, SharpnessAware, StepError, XsamConfig,
};

const LENGTH: u64 = 8;
const CURVATURE: [f64; 4] = [1.0, 3.0, 0.5, 2.0];
const START: [f64; 4] = [1.0, -0.5, 2.0, 0.3];

fn scheduled(config: impl MethodConfig) -> SharpnessAware {
    optimizer(config).with_length(LENGTH)
}

/// Which of so many steps have an ascent.
fn own(config: impl MethodConfig, steps: usize) -> Vec<bool> {
    let (mut optim, mut point) = (scheduled(config), Point::new(&START, 2));
    let mut own = Vec::new();
    for _ in 0..steps {
        let step = step(&mut optim, 0.05, point, |m: &Point| m.quadratic(&CURVATURE));
        own.push(step.report.ascent_loss.is_some());
        assert_eq!(
            step.report.passes.gradients,
            1 + usize::from(own[own.len() - 1])
        );
        point = step.model;
    }
    own
}

#[test]
fn a_method_acts_within_its_window_and_in_its_turn() {
    let sam = || SamConfig::new().with_rho(0.1);
    let which = |steps: &[usize]| (0..8).map(|i| steps.contains(&i)).collect::<Vec<_>>();
    assert_eq!(own(sam().with_window(0.5, 1.0), 8), which(&[4, 5, 6, 7]));
    assert_eq!(own(sam().with_window(0.25, 0.5), 8), which(&[2, 3]));
    assert_eq!(own(sam().with_every(3), 8), which(&[0, 3, 6]));
    let both = sam().with_window(0.25, 1.0).with_every(2);
    assert_eq!(own(both, 8), which(&[2, 4, 6]));
    // A training that goes on past its length stays as it is at the end.
    assert_eq!(own(sam().with_window(0.5, 1.0), 10)[8..], [false, false]);
    // A threshold above every norm leaves the first step, one below every norm all of them.
    let never = AdaptivePolicy::new().with_threshold(1e9, 1e9);
    assert_eq!(own(sam().with_policy(never), 8), which(&[0]));
    let always = AdaptivePolicy::new().with_threshold(-1e9, -1e9);
    assert_eq!(own(sam().with_policy(always), 8), vec![true; 8]);
}

#[test]
fn what_is_counted_is_what_is_done() {
    let configs: [MethodSpec; 6] = [
        SamConfig::new().with_window(0.3, 0.8).into(),
        SamConfig::new().with_every(3).into(),
        SamConfig::new().with_window(0.4, 1.0).with_every(4).into(),
        XsamConfig::new().with_window(0.5, 1.0).into(),
        XsamConfig::new()
            .with_every(2)
            .with_search(SearchSchedule::EverySteps(3))
            .into(),
        LookXsamConfig::new().with_window(0.2, 1.0).into(),
    ];
    for config in configs {
        let (epochs, per_epoch) = (6, 7);
        let mut optim = optimizer(&config).with_length((epochs * per_epoch) as u64);
        let mut point = Point::new(&START, 2);
        let (mut gradients, mut losses) = (0, 0);
        for _ in 0..epochs {
            optim.start_epoch();
            for _ in 0..per_epoch {
                let step = step(&mut optim, 0.01, point, |m: &Point| m.quadratic(&CURVATURE));
                gradients += step.report.passes.gradients;
                losses += step.report.passes.losses;
                point = step.model;
            }
        }
        let work = config.work(epochs, per_epoch);
        let counted = (work.gradient_passes(), work.search_passes());
        assert_eq!(counted, (gradients, losses), "{config:?}");
    }
}

#[test]
fn before_its_time_a_method_is_the_base_optimizer() {
    let batch = batch();
    let start = net();
    let mut late = SharpnessAware::new(momentum(), XsamConfig::new().with_window(0.5, 1.0))
        .unwrap()
        .with_length(8);
    let mut base = SharpnessAware::new(momentum(), SgdOnlyConfig::new()).unwrap();
    let here = trained(&mut late, copy(&start), &batch, 4);
    let there = trained(&mut base, start, &batch, 4);
    assert_eq!(bits(&here), bits(&there));
    let (here, there) = (
        trained(&mut late, here, &batch, 1),
        trained(&mut base, there, &batch, 1),
    );
    assert_ne!(bits(&here), bits(&there));
}

#[test]
fn a_budget_is_the_rise_to_first_order() {
    let sigma = 0.45;
    let config = SamConfig::new().with_rho(0.5);
    let config = config.with_loss_budget(LossBudget::new(sigma).with_last(0.5));
    let (mut optim, mut point) = (scheduled(config), Point::new(&START, 2));
    let mut ceilings = 0;
    for number in 0..=8 {
        let step = step(&mut optim, 0.2, point, |m: &Point| m.quadratic(&CURVATURE));
        let left: f64 = if number <= 4 {
            1.0
        } else {
            (1.0 + (std::f64::consts::PI * f64::from(number - 4) / 4.0).cos()) / 2.0
        };
        let expected = (sigma * left / step.report.grad_norm).min(0.5);
        assert!((step.report.rho - expected).abs() < 1e-9, "{number}");
        ceilings += usize::from(expected == 0.5);
        point = step.model;
    }
    assert!(ceilings > 0 && ceilings < 5, "{ceilings}");
    // With nothing left of it the base optimizer is alone.
    let step = step(&mut optim, 0.2, point, |m: &Point| m.quadratic(&CURVATURE));
    assert_eq!(step.report.passes.gradients, 1);
}

#[test]
fn the_search_goes_as_far_as_the_budget_shortens_rho() {
    // On a quadratic with the same curvature in all directions a search at twice the distance sees other losses.
    let losses = |config: XsamConfig| {
        let mut optim = scheduled(config.with_grid(vec![0.0, 1.0, 2.0]));
        let point = Point::new(&START, 2);
        let step = step(&mut optim, 0.05, point, |m: &Point| m.quadratic(&CURVATURE));
        (step.report.rho, step.report.search.unwrap().losses)
    };
    let (rho, found) = losses(
        XsamConfig::new()
            .with_rho(0.5)
            .with_loss_budget(LossBudget::new(0.1)),
    );
    let (_, expected) = losses(XsamConfig::new().with_rho(rho));
    assert!(rho < 0.1);
    assert_close(&found, &expected, 1e-9);
}

#[test]
fn a_measured_rho_goes_where_the_rise_is_as_wanted() {
    let config = SamConfig::new().with_rho(0.01);
    let config = config.with_measured(MeasuredRho::of_share(0.1).with_bounds(0.1, 100.0));
    let (mut optim, mut point) = (optimizer(config), Point::new(&START, 2));
    let mut rise = 0.0;
    for _ in 0..200 {
        let step = step(&mut optim, 0.0, point, |m: &Point| m.quadratic(&CURVATURE));
        let loss = step.report.loss;
        rise = (step.report.ascent_loss.unwrap() - loss) / loss;
        point = step.model;
    }
    assert!((rise - 0.1).abs() < 1e-3, "{rise}");
}

/// With all of it around, of which there is state.
fn everything() -> Vec<MethodSpec> {
    let policy = AdaptivePolicy::new().with_threshold(0.0, -0.5);
    let measured = MeasuredRho::of_share(0.3);
    vec![
        SamConfig::new()
            .with_every(2)
            .with_measured(measured)
            .into(),
        XsamConfig::new()
            .with_window(0.1, 0.9)
            .with_policy(policy)
            .with_search(SearchSchedule::EverySteps(2))
            .with_loss_budget(LossBudget::new(0.05))
            .into(),
        LookXsamConfig::new()
            .with_every(2)
            .with_policy(policy)
            .with_measured(measured)
            .into(),
    ]
}

#[test]
fn a_resumed_schedule_goes_on_where_it_was() {
    let batch: Batch = batch();
    for config in everything() {
        let new = || {
            let optim = SharpnessAware::new(momentum(), &config).unwrap();
            optim.with_length(12)
        };
        let mut optim = new();
        let model: Net = trained(&mut optim, net(), &batch, 5);
        let bytes = recorded(&optim);
        let weights = model.valid().into_record();
        let expected = bits(&trained(&mut optim, model, &batch, 7));
        let model = net().try_load_record(weights).unwrap();
        let found = bits(&trained(&mut resumed(new(), &bytes), model, &batch, 7));
        assert_eq!(found, expected, "{config:?}");
    }
}

#[test]
fn what_depends_on_the_length_says_so() {
    let shares: [(&str, MethodSpec); 3] = [
        ("from", SamConfig::new().with_window(0.5, 1.0).into()),
        (
            "policy",
            SamConfig::new().with_policy(AdaptivePolicy::new()).into(),
        ),
        (
            "loss_budget",
            SamConfig::new()
                .with_loss_budget(LossBudget::new(0.1))
                .into(),
        ),
    ];
    for (name, config) in shares {
        let mut optim = optimizer(config);
        let point = Point::new(&START, 2);
        let failed = optim.step(0.1, point, |m: &Point| m.quadratic(&CURVATURE));
        let error = StepError::from(failed.unwrap_err());
        assert_eq!(error, StepError::NoLength { field: name });
    }
    // Turns need none.
    let point = Point::new(&START, 2);
    let mut optim = optimizer(SamConfig::new().with_every(2));
    optim
        .step(0.1, point, |m: &Point| m.quadratic(&CURVATURE))
        .unwrap();
}

#[test]
fn values_out_of_range_are_refused_by_name() {
    let sam = SamConfig::new;
    for (name, config) in [
        ("from", sam().with_window(1.5, 1.0)),
        ("until", sam().with_window(0.0, f64::NAN)),
        ("every", sam().with_every(0)),
        (
            "policy.first",
            sam().with_policy(AdaptivePolicy::new().with_threshold(f64::INFINITY, 0.0)),
        ),
        (
            "loss_budget.sigma",
            sam().with_loss_budget(LossBudget::new(0.0)),
        ),
        (
            "loss_budget.last",
            sam().with_loss_budget(LossBudget::new(0.1).with_last(2.0)),
        ),
        (
            "measured.share",
            sam().with_measured(MeasuredRho::of_share(-1.0)),
        ),
        (
            "measured.least",
            sam().with_measured(MeasuredRho::of_share(1.0).with_bounds(0.0, 2.0)),
        ),
        (
            "measured.most",
            sam().with_measured(MeasuredRho::of_share(1.0).with_bounds(0.5, 0.9)),
        ),
    ] {
        let error = SharpnessAware::new(plain(), config).unwrap_err();
        assert_eq!(error.field, name);
    }
}

#[test]
fn ranks_that_ascend_by_themselves_cannot_keep_a_schedule_of_their_own() {
    let refused = |config: MethodSpec| {
        let over = xsam::collective::ThreadRanks::run(2, |ranks| {
            optimizer(&config)
                .with_collective(ranks, AscentOver::Rank)
                .is_err()
        });
        over.into_iter().all(|refused| refused)
    };
    assert!(refused(
        SamConfig::new().with_policy(AdaptivePolicy::new()).into()
    ));
    assert!(refused(
        SamConfig::new()
            .with_measured(MeasuredRho::of_share(0.1))
            .into()
    ));
    assert!(!refused(SamConfig::new().with_every(2).into()));
}
