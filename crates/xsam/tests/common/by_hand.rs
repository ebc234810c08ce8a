//! The formulas in plain f64 arithmetic, on one quadratic.

/// f64 arithmetic in another order than the library's.
pub const ROUNDING: f64 = 1e-12;

pub const CURVATURE: [f64; 4] = [1.0, 4.0, 0.5, 9.0];
pub const START: [f64; 4] = [1.0, -0.5, 2.0, 0.25];

pub fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(a, b)| a * b).sum()
}

pub fn norm(x: &[f64]) -> f64 {
    dot(x, x).sqrt()
}

/// `x + a y`.
pub fn axpy(x: &[f64], a: f64, y: &[f64]) -> Vec<f64> {
    x.iter().zip(y).map(|(x, y)| x + a * y).collect()
}

pub fn times(a: f64, x: &[f64]) -> Vec<f64> {
    x.iter().map(|x| a * x).collect()
}

pub fn unit(x: &[f64]) -> Vec<f64> {
    x.iter().map(|a| a / norm(x)).collect()
}

/// The part of `x` orthogonal to `y`.
pub fn orthogonal(x: &[f64], y: &[f64]) -> Vec<f64> {
    axpy(x, -dot(x, y) / dot(y, y), y)
}

pub fn mean(vectors: &[Vec<f64>]) -> Vec<f64> {
    let sum = vectors[1..]
        .iter()
        .fold(vectors[0].clone(), |sum, x| axpy(&sum, 1.0, x));
    sum.iter().map(|x| x / vectors.len() as f64).collect()
}

pub fn quadratic(w: &[f64]) -> f64 {
    w.iter().zip(CURVATURE).map(|(w, a)| 0.5 * a * w * w).sum()
}

pub fn gradient(w: &[f64]) -> Vec<f64> {
    w.iter().zip(CURVATURE).map(|(w, a)| a * w).collect()
}

pub fn no_scaling(w: &[f64]) -> Vec<f64> {
    vec![1.0; w.len()]
}

pub fn elementwise(w: &[f64]) -> Vec<f64> {
    w.iter().map(|w| w.abs()).collect()
}

/// The ascent points from `w` on with scales `t(w)`, along the gradient without `less`.
pub fn points_without(
    less: &[f64],
    w: &[f64],
    rho: f64,
    k: usize,
    t: impl Fn(&[f64]) -> Vec<f64>,
) -> Vec<Vec<f64>> {
    let mut at = w.to_vec();
    let mut points = Vec::new();
    for _ in 0..k {
        let (g, t) = (axpy(&gradient(&at), -1.0, less), t(&at));
        let scaled: Vec<f64> = g.iter().zip(&t).map(|(g, t)| g * t).collect();
        let direction: Vec<f64> = scaled.iter().zip(&t).map(|(u, t)| u * t).collect();
        at = axpy(&at, rho / k as f64 / (norm(&scaled) + 1e-12), &direction);
        points.push(at.clone());
    }
    points
}

/// The ascent with scales `t(w)`, and where it leads.
pub fn ascend(w: &[f64], rho: f64, k: usize, t: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
    points_without(&[0.0; 4], w, rho, k, t).pop().unwrap()
}

/// XSAM's update at `w` after an ascent to `top`, with the position on the arc that the grid search finds, or
/// `fixed`.
pub fn along_the_arc(w: &[f64], top: &[f64], rho_max: f64, fixed: Option<f64>) -> (Vec<f64>, f64) {
    let (d, g) = (axpy(top, -1.0, w), gradient(top));
    let (v0, v1) = (unit(&d), unit(&g));
    let psi = dot(&v0, &v1).acos();
    let v = |alpha: f64| {
        let c0 = ((1.0 - alpha) * psi).sin() / psi.sin();
        let c1 = (alpha * psi).sin() / psi.sin();
        axpy(&times(c0, &v0), c1, &v1)
    };
    let alpha = fixed.unwrap_or_else(|| {
        let mut best = (f64::NEG_INFINITY, 0.0);
        for alpha in (0..=20).map(|i| f64::from(i) / 10.0) {
            let loss = quadratic(&axpy(w, rho_max, &v(alpha)));
            if loss > best.0 {
                best = (loss, alpha);
            }
        }
        best.1
    });
    (times(norm(&g), &v(alpha)), alpha)
}
