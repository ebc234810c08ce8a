//! Directions, points, and what is marked among them.

use std::collections::HashSet;
use std::f64::consts::TAU;
use std::iter::{once, repeat};

use burn::module::ParamId;
use xsam::method::{MethodSpec, Objective, ParamVector};
use xsam_flatness::{
    DifferenceStep, Eigenpair, FlatnessError, Hessian, Lanczos, XsamPlane, between, evenly,
    filter_normalized, principal_directions,
};
use xsam_weights::cast;

use super::drawn::{Axis, Mark, Path, XsamPlaneReport};
use super::{Along, LandscapeEvent, LandscapeSpec};
use crate::checkpoint;
use crate::curvature::of_largest;
use crate::error::Error;
use crate::subject::{Scene, Subject};
use crate::task::Task;

/// Points along each axis of a line and of a plane.
const POINTS: [usize; 2] = [41, 25];
/// Distances in XSAM's plane: two thirds of them reach to the arc.
const DISTANCES: usize = 15;
/// How far XSAM's plane reaches, in units of rho_max.
const BEYOND: f64 = 1.5;
/// How far the plane of a trajectory reaches beyond it, in units of its size.
const MARGIN: f64 = 0.15;
/// The way to another model reaches beyond both by this share of it.
const OVERSHOOT: f64 = 0.25;
/// The paper's length of the ascent.
const RHO: f64 = 0.15;

/// Where the loss is to be taken.
pub(super) struct View {
    pub(super) directions: Vec<ParamVector>,
    /// Of each point the factors of the directions; the first axis runs fastest.
    pub(super) points: Vec<Vec<f64>>,
    pub(super) axes: Vec<Axis>,
    /// Whether the axes are distance and angle.
    pub(super) polar: bool,
    pub(super) loss: f64,
    pub(super) marks: Vec<Mark>,
    pub(super) paths: Vec<Path>,
    pub(super) plane: Option<XsamPlaneReport>,
}

impl View {
    pub(super) fn new<T: Task>(
        spec: &LandscapeSpec,
        scene: &Scene<'_, T>,
        listener: &mut dyn FnMut(LandscapeEvent<'_>),
    ) -> Result<Self, Error> {
        let mut surface = scene.surface()?;
        listener(LandscapeEvent::Stage("directions"));
        let dimensions = spec.dimensions();
        let points = spec.points.unwrap_or(POINTS[dimensions - 1]);
        let around = repeat(around(spec.radius.unwrap_or(1.0), points));
        match &spec.along {
            Along::Random => {
                let (loss, gradient) = weights(&mut surface)?;
                let seed = spec.sample.seed;
                let direction = |i| filter_normalized(&scene.model, &gradient, seed, i as u64);
                let directions = (0..dimensions).map(direction).collect::<Result<_, _>>()?;
                let names = (1..=dimensions).map(|i| format!("random direction {i}"));
                Ok(Self::straight(loss, directions, names, around))
            }
            Along::Eigenvectors => {
                let mut hessian = Hessian::new(&mut surface, None, DifferenceStep::Auto)?;
                let largest = Lanczos {
                    tolerance: 1e-2,
                    ..of_largest(dimensions, spec.sample.seed)
                };
                let found = largest.run(&mut hessian)?.pairs;
                let along = |(i, pair): (usize, Eigenpair)| {
                    let name = format!("along eigenvector {i} ({:.4})", pair.value);
                    (name, pair.vector)
                };
                let (names, directions): (Vec<String>, _) = (1..).zip(found).map(along).unzip();
                Ok(Self::straight(hessian.loss, directions, names, around))
            }
            Along::Trajectory => trajectory(scene, &weights(&mut surface)?, spec, points),
            Along::To(path) => {
                let other = Subject {
                    spec: path.is_file().then(|| scene.trained.spec.clone()),
                    device: Some(scene.trained.spec.train.device),
                    ..Subject::run(path)
                };
                let other = other.load::<T>()?;
                let way = between(&scene.model, &other.model)?;
                let (loss, gradient) = weights(&mut surface)?;
                let overshoot = spec.radius.unwrap_or(OVERSHOOT);
                let values = evenly(-overshoot, 1.0 + overshoot, points);
                let name = format!("share of the way to {}", path.display());
                let [learned, statistics] = divided(way, &gradient);
                let mut view = Self::straight(loss, vec![learned], once(name), once(values));
                view.directions.push(statistics);
                for point in &mut view.points {
                    // Beyond the models a variance could come out below zero.
                    point.push(point[0].clamp(0.0, 1.0));
                }
                view.marks
                    .push(Mark::new(path.display().to_string(), [1.0, 0.0]));
                Ok(view)
            }
            Along::Xsam => xsam(scene, &mut surface, spec),
        }
    }

    /// Along straight axes through the weights, with the coordinates of the points along each.
    fn straight(
        loss: f64,
        directions: Vec<ParamVector>,
        names: impl IntoIterator<Item = String>,
        values: impl IntoIterator<Item = Vec<f64>>,
    ) -> Self {
        let axes = names.into_iter().zip(values);
        let axes: Vec<Axis> = axes.map(|(name, values)| Axis { name, values }).collect();
        let points = match axes.as_slice() {
            [x] => x.values.iter().map(|&x| vec![x]).collect(),
            [x, y, ..] => {
                let row = |&y: &f64| x.values.iter().map(move |&x| vec![x, y]);
                y.values.iter().flat_map(row).collect()
            }
            [] => Vec::new(),
        };
        Self {
            directions,
            points,
            axes,
            polar: false,
            loss,
            marks: vec![Mark::new("the weights", [0.0, 0.0])],
            paths: Vec::new(),
            plane: None,
        }
    }
}

/// What a way has of the parameters that `gradient` has, and what it has of others: running statistics.
fn divided(way: ParamVector, gradient: &ParamVector) -> [ParamVector; 2] {
    let learned: HashSet<ParamId> = gradient.entries().iter().map(|(id, _)| *id).collect();
    let (mut inside, mut outside) = (way.clone(), way);
    inside.retain(|id| learned.contains(&id));
    outside.retain(|id| !learned.contains(&id));
    [inside, outside]
}

/// Loss and gradient at the weights.
fn weights(surface: &mut impl Objective) -> Result<(f64, ParamVector), FlatnessError> {
    let here = surface.evaluate()?;
    Ok((here.loss.value()?, here.gradient))
}

/// Coordinates as far to both sides of zero.
fn around(radius: f64, points: usize) -> Vec<f64> {
    evenly(-radius, radius, points)
}

/// Coordinates that reach over all of `values` and zero, with some room.
fn over(values: impl Iterator<Item = f64>, points: usize) -> Vec<f64> {
    let (low, high) = values.fold((0.0, 0.0), |(low, high): (f64, f64), v| {
        (low.min(v), high.max(v))
    });
    let room = MARGIN * (high - low);
    evenly(low - room, high + room, points)
}

/// The plane in which the run has come to its weights, as far as its checkpoints say.
fn trajectory<T: Task>(
    scene: &Scene<'_, T>,
    (loss, gradient): &(f64, ParamVector),
    spec: &LandscapeSpec,
    points: usize,
) -> Result<View, Error> {
    let (trained, dimensions) = (scene.trained, spec.dimensions());
    let mut ways = Vec::new();
    let here_is = checkpoint::reached_by(&trained.checkpoint);
    for (place, path) in checkpoint::kept(&trained.run)? {
        if Some(place) >= here_is {
            break;
        }
        checkpoint::open(&path)?;
        let model = checkpoint::weights(&path, trained.model.clone())?;
        let model = cast(model, scene.dtype);
        // Running statistics are not on the way that the optimizer takes.
        let [learned, _] = divided(between(&scene.model, &model)?, gradient);
        ways.push(learned);
    }
    if ways.len() < dimensions.max(2) {
        return Err(Error::FewCheckpoints {
            path: trained.run.clone(),
            found: ways.len() + 1,
        });
    }
    let principal = principal_directions(&ways, dimensions)?;
    let values = (0..dimensions).map(|k| match spec.radius {
        Some(radius) => around(radius, points),
        None => over(principal.coordinates.iter().map(|c| c[k]), points),
    });
    let name =
        |(k, share): (usize, &f64)| format!("principal direction {k} ({:.1} %)", 100.0 * share);
    let names = (1..).zip(&principal.shares).map(name);
    let mut view = View::straight(*loss, principal.directions, names, values);
    if dimensions == 2 {
        let mut way: Vec<[f64; 2]> = principal.coordinates.iter().map(|c| [c[0], c[1]]).collect();
        way.push([0.0, 0.0]);
        view.paths.push(Path {
            label: "checkpoints".to_owned(),
            dots: true,
            points: way,
        });
    }
    Ok(view)
}

/// The distance of XSAM's search.
fn rho_max(method: &MethodSpec) -> Option<f64> {
    match method {
        MethodSpec::Xsam(config) => config.rho_max,
        MethodSpec::LookXsam(config) => config.rho_max,
        _ => None,
    }
}

/// XSAM's plane in polar coordinates, with all that XSAM does in it.
fn xsam<T: Task>(
    scene: &Scene<'_, T>,
    surface: &mut impl Objective,
    spec: &LandscapeSpec,
) -> Result<View, Error> {
    let method = &scene.trained.spec.method;
    let rho = spec.rho.or(method.rho()).filter(|rho| *rho > 0.0);
    let rho = rho.unwrap_or(RHO);
    // The run's only if it was asked for: the default goes with rho.
    let asked = rho_max(&scene.trained.asked).filter(|_| rho_max(method).is_some());
    let rho_max = spec.rho_max.or(asked).unwrap_or(2.0 * rho);
    let steps = spec.ascent_steps.or(method.ascent_steps()).unwrap_or(1);
    let plane = XsamPlane::new(surface, rho, rho_max, steps)?;

    let radius = spec.radius.unwrap_or(BEYOND * rho_max);
    let count = spec.points.unwrap_or(DISTANCES);
    // The weights themselves are one point, whatever the angle.
    let distances: Vec<f64> = (1..=count)
        .map(|i| radius * i as f64 / count as f64)
        .collect();
    let angles: Vec<f64> = (0..4 * count)
        .map(|i| TAU * i as f64 / (4 * count) as f64)
        .collect();
    let ring = |&angle: &f64| {
        let at = move |&distance: &f64| XsamPlane::coordinates(distance, angle).to_vec();
        distances.iter().map(at).collect::<Vec<_>>()
    };
    let arc = (0..=40).map(|i| plane.on_arc(rho_max, f64::from(i) / 20.0));
    let path = |label: &str, points| Path {
        label: label.to_owned(),
        dots: false,
        points,
    };
    let ascent = XsamPlane::coordinates(rho, 0.0);
    let found = plane.on_arc(rho_max, plane.alpha);
    Ok(View {
        points: angles.iter().flat_map(ring).collect(),
        axes: vec![
            Axis {
                name: "distance from the weights".to_owned(),
                values: distances,
            },
            Axis {
                name: "angle from v0, towards v1".to_owned(),
                values: angles,
            },
        ],
        polar: true,
        loss: plane.loss,
        marks: vec![
            Mark::new("theta_0", [0.0, 0.0]),
            Mark::new("ascent point", ascent),
            Mark::new("SAM's direction (alpha 1)", plane.on_arc(rho_max, 1.0)),
            Mark::new(format!("XSAM's (alpha {})", plane.alpha), found),
        ],
        paths: vec![
            path("ascent", vec![[0.0, 0.0], ascent]),
            path("arc of rho_max, alpha 0 to 2", arc.collect()),
        ],
        plane: Some(XsamPlaneReport {
            rho,
            rho_max,
            ascent_steps: steps,
            psi: plane.psi,
            ascent_loss: plane.ascent_loss,
            alpha: plane.alpha,
            alphas: plane.search.alphas.clone(),
            losses: plane.search.losses.clone(),
        }),
        directions: plane.axes.to_vec(),
    })
}
