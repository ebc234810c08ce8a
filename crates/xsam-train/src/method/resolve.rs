//! The fields that a method has, and their defaults.

use xsam::Grid;

use crate::spec::{Adaptive, MethodName, MethodSpec, Search, SearchKind, SpecError};

/// No paper has more than some tens. Within a step nothing else is heeded.
const MOST_ASCENT_STEPS: usize = 1000;

/// Each is a forward pass, and nothing else is heeded within a search.
const MOST_POSITIONS: usize = 1000;

/// Refuses more ascent steps than could be of use.
pub(crate) fn check_ascent_steps(key: &str, steps: usize) -> Result<(), SpecError> {
    SpecError::within(key, steps, 1..=MOST_ASCENT_STEPS)
}

/// The method with the defaults of its fields filled in, and without those that it does not have.
pub(crate) fn resolved(spec: &MethodSpec) -> Result<MethodSpec, SpecError> {
    let mut out = MethodSpec::new(spec.name);
    let name = spec.name;
    if name == MethodName::Sgd {
        return Ok(out);
    }
    let (rho, steps, adaptive) = match name {
        MethodName::Asam => (0.5, 1, Adaptive::Elementwise),
        MethodName::LookbehindSam => (0.15, 2, Adaptive::None),
        MethodName::Msam => (0.15, 3, Adaptive::None),
        _ => (0.15, 1, Adaptive::None),
    };
    out.rho = Some(spec.rho.unwrap_or(rho));
    let steps = spec.ascent_steps.unwrap_or(steps);
    check_ascent_steps("method.ascent_steps", steps)?;
    out.ascent_steps = Some(steps);
    out.m_sharpness = spec.m_sharpness;
    match (name, spec.adaptive) {
        (MethodName::Sam, None | Some(Adaptive::None)) => {}
        (MethodName::Sam, Some(_)) => {
            let message = "sam ascends along the plain gradient: name = \"asam\" scales it";
            return Err(SpecError::new("method.adaptive", message));
        }
        (_, given) => out.adaptive = Some(given.unwrap_or(adaptive)),
    }
    match name {
        MethodName::Gsam => out.gsam_alpha = Some(spec.gsam_alpha.unwrap_or(0.4)),
        MethodName::Wsam => {
            out.gamma = Some(spec.gamma.unwrap_or(0.9));
            out.decoupled = Some(spec.decoupled.unwrap_or(true));
        }
        MethodName::LookSam => {
            out.look_every = Some(spec.look_every.unwrap_or(5));
            out.look_alpha = Some(spec.look_alpha.unwrap_or(0.7));
        }
        MethodName::LookbehindSam => out.look_alpha = Some(spec.look_alpha.unwrap_or(0.5)),
        MethodName::LookXsam => out.look_every = Some(spec.look_every.unwrap_or(5)),
        MethodName::FriendlySam
        | MethodName::Sgd
        | MethodName::Sam
        | MethodName::Asam
        | MethodName::Xsam
        | MethodName::Msam => {}
    }
    if name.searches() {
        out.friendly = spec.friendly.filter(|&yes| yes);
        search(spec, &mut out)?;
    }
    if name == MethodName::FriendlySam || out.friendly.is_some() {
        out.sigma = Some(spec.sigma.unwrap_or(1.0));
        out.lambda = Some(spec.lambda.unwrap_or(0.9));
    }
    Ok(out)
}

/// The fields of the search for alpha.
fn search(spec: &MethodSpec, out: &mut MethodSpec) -> Result<(), SpecError> {
    out.alpha = spec.alpha;
    if spec.alpha.is_some() {
        return match spec.search {
            None | Some(Search::Never) => Ok(()),
            Some(_) => {
                let message = "alpha is fixed and searched for: leave out one of alpha and search";
                Err(SpecError::new("method.search", message))
            }
        };
    }
    let search = spec.search.unwrap_or(Search::EveryEpoch);
    out.search = Some(search);
    if search == Search::Never {
        return Ok(());
    }
    let kind = spec.search_kind.unwrap_or(SearchKind::Grid);
    let grid = match kind {
        SearchKind::Grid => Grid::default(),
        SearchKind::Parabola => Grid::coarse(),
    };
    out.search_kind = Some(kind);
    out.rho_max = Some(spec.rho_max.unwrap_or(2.0 * out.rho.unwrap_or_default()));
    let positions = spec.grid.clone().unwrap_or_else(|| grid.alphas().to_vec());
    if positions.len() > MOST_POSITIONS {
        let count = positions.len();
        let message = format!("{count} positions are more than {MOST_POSITIONS}");
        return Err(SpecError::new("method.grid", message));
    }
    out.grid = Some(positions);
    out.search_batches = Some(spec.search_batches.unwrap_or(1));
    match search {
        Search::EverySteps => {
            let Some(steps) = spec.search_every else {
                let message = "search = \"every-steps\" needs it: the number of steps";
                return Err(SpecError::new("method.search_every", message));
            };
            out.search_every = Some(steps);
        }
        Search::Adaptive => {
            out.search_shortest = Some(spec.search_shortest.unwrap_or(10));
            out.search_longest = Some(spec.search_longest.unwrap_or(1000));
            out.search_tolerance = Some(spec.search_tolerance.unwrap_or(0.1));
        }
        Search::EveryEpoch | Search::Never => {}
    }
    Ok(())
}
