//! Landscapes: the loss along lines and in planes through the weights.

mod direction;
mod principal;
mod scan;
mod xsam_plane;

pub use direction::{between, filter_normalized};
pub use principal::{PrincipalDirections, principal_directions};
pub use scan::{evenly, scan};
pub use xsam_plane::XsamPlane;
