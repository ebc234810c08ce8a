//! The plane in which a trajectory runs, as far as it does.

use crate::check;
use nalgebra::DMatrix;
use xsam::ConfigError;
use xsam::method::ParamVector;

use crate::algorithm::eigenpairs;
use crate::error::FlatnessError;

/// Below this share of the largest one a principal value is rounding.
const NOTHING: f64 = 1e-10;

/// The directions in which points are spread most, and where the points lie in them.
#[derive(Clone, Debug)]
pub struct PrincipalDirections {
    /// Orthonormal directions, the one with the largest spread first.
    pub directions: Vec<ParamVector>,
    /// The share of each in the sum of the squared distances of the points from the origin.
    pub shares: Vec<f64>,
    /// Of each point its coordinates along the directions.
    pub coordinates: Vec<Vec<f64>>,
}

/// The principal directions of `points`, about the origin: for a trajectory, the differences of its checkpoints from
/// the last one (Li et al. 2018, arXiv 1712.09913, section 7). The origin is not moved to the mean of the points, so
/// that the plane goes through the last checkpoint.
///
/// Cost: a dot product for each pair of points, and a combination of all points for each direction.
///
/// # Errors
/// If `count` is 0, or the points span fewer dimensions.
pub fn principal_directions(
    points: &[ParamVector],
    count: usize,
) -> Result<PrincipalDirections, FlatnessError> {
    check::at_least_one("count", count)?;
    let n = points.len();
    if n == 0 {
        return Err(too_few(n, 0));
    }
    let mut products = DMatrix::zeros(n, n);
    for i in 0..n {
        for (j, product) in points[i].dots(&points[..=i])?.into_iter().enumerate() {
            products[(i, j)] = product;
            products[(j, i)] = product;
        }
    }
    let total = products.trace();
    if !total.is_finite() {
        return Err(FlatnessError::NotFinite {
            place: "in the points of the trajectory".to_owned(),
            loss: total,
        });
    }
    let (eigenvalues, eigenvectors) = eigenpairs(products);
    let least = NOTHING * eigenvalues.last().copied().unwrap_or(0.0);
    let chosen = eigenvalues.iter().zip(&eigenvectors).rev();
    let chosen = chosen.filter(|(eigenvalue, _)| **eigenvalue > least);
    let chosen: Vec<_> = chosen.take(count).collect();
    if chosen.len() < count {
        return Err(too_few(n, chosen.len()));
    }
    let directions = chosen.iter().map(|(eigenvalue, vector)| {
        let length = eigenvalue.sqrt();
        let terms = points.iter().zip(vector.iter());
        terms.fold(ParamVector::default(), |sum, (point, share)| {
            sum.combine(1.0, point, share / length)
        })
    });
    let along = |i: usize| {
        chosen
            .iter()
            .map(move |(value, vector)| vector[i] * value.sqrt())
    };
    Ok(PrincipalDirections {
        directions: directions.collect(),
        shares: chosen.iter().map(|(value, _)| *value / total).collect(),
        coordinates: (0..n).map(|i| along(i).collect()).collect(),
    })
}

fn too_few(points: usize, dimensions: usize) -> FlatnessError {
    let value = format!("{points} points that span {dimensions} dimensions");
    let range = "as many points in general position as directions are wanted";
    ConfigError::new("points", value, range).into()
}
