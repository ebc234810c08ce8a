//! The plane in which a trajectory runs, as far as it does.

use crate::check;
use nalgebra::{DMatrix, SymmetricEigen};
use xsam::ConfigError;
use xsam::method::ParamVector;

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
    let eigen = SymmetricEigen::new(products);
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
    let largest = order.first().map_or(0.0, |&i| eigen.eigenvalues[i]);
    let spread = |i: &&usize| eigen.eigenvalues[**i] > NOTHING * largest;
    let chosen: Vec<usize> = order.iter().filter(spread).take(count).copied().collect();
    if chosen.len() < count {
        return Err(too_few(n, chosen.len()));
    }
    let directions = chosen.iter().map(|&k| {
        let length = eigen.eigenvalues[k].sqrt();
        let column = eigen.eigenvectors.column(k);
        let terms = points.iter().zip(column.iter());
        terms.fold(ParamVector::default(), |sum, (point, share)| {
            sum.combine(1.0, point, share / length)
        })
    });
    Ok(PrincipalDirections {
        directions: directions.collect(),
        shares: chosen
            .iter()
            .map(|&k| eigen.eigenvalues[k] / total)
            .collect(),
        coordinates: (0..n)
            .map(|i| {
                let along = |&k: &usize| eigen.eigenvectors[(i, k)] * eigen.eigenvalues[k].sqrt();
                chosen.iter().map(along).collect()
            })
            .collect(),
    })
}

fn too_few(points: usize, dimensions: usize) -> FlatnessError {
    let value = format!("{points} points that span {dimensions} dimensions");
    let range = "as many points in general position as directions are wanted";
    ConfigError::new("points", value, range).into()
}
