//! Landscapes: the loss along lines and in planes through the weights.
//!
//! A landscape is directions and the losses at some points of the space that they span: [`scan`] takes the losses, by
//! several workers at a time. Directions are [`filter_normalized`] random ones, eigenvectors that
//! [`Lanczos`](crate::Lanczos) has found, the way [`between`] two models, the [`principal_directions`] of a
//! trajectory, or the axes of [`XsamPlane`].

mod direction;
mod principal;
mod scan;
mod xsam_plane;

pub use direction::{between, filter_normalized};
pub use principal::{PrincipalDirections, principal_directions};
pub use scan::{evenly, scan};
pub use xsam_plane::XsamPlane;
