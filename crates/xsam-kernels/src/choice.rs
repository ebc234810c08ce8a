//! Which kernels run.

use std::sync::atomic::{AtomicU8, Ordering};

use xsam_names::named_enum;

named_enum! {
    /// Which kernels run on the Flex back end in `f32`; elsewhere Burn's own operations always do.
    #[derive(Default)]
    pub enum Kernels ("choice of kernels") {
        /// The fastest that there are.
        #[default]
        Fast = "fast",
        /// As [`Fast`](Self::Fast), but convolutions are computed from their definition throughout.
        ///
        /// Winograd's F(4x4, 3x3), which 3x3 convolutions of stride 1 otherwise go through if they are
        /// wide enough, takes about half the time and is 2 to 4 times as far from the exact result.
        Precise = "precise",
        /// Burn's own operations, as on every other back end.
        Composed = "composed",
    }
}

static CHOSEN: AtomicU8 = AtomicU8::new(0);

/// Chooses the kernels of the whole process. A graph that was recorded before may run backward on
/// others than it ran forward.
pub fn set_kernels(kernels: Kernels) {
    CHOSEN.store(kernels as u8, Ordering::Relaxed);
}

/// The kernels that are chosen: [`Kernels::Fast`] at first.
pub fn kernels() -> Kernels {
    Kernels::ALL[usize::from(CHOSEN.load(Ordering::Relaxed))]
}
