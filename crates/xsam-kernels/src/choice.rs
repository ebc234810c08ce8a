//! Which kernels run.

use std::str::FromStr;
use std::sync::atomic::{AtomicU8, Ordering};

/// Which kernels run on the Flex back end in `f32`; elsewhere Burn's own operations always do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kernels {
    /// The fastest that there are.
    #[default]
    Fast,
    /// As [`Fast`](Self::Fast), but convolutions are computed from their definition throughout.
    ///
    /// Winograd's F(4x4, 3x3), which 3x3 convolutions of stride 1 otherwise go through if they are
    /// wide enough, takes about half the time and is 2 to 4 times as far from the exact result.
    Precise,
    /// Burn's own operations, as on every other back end.
    Composed,
}

impl Kernels {
    /// All that can be chosen.
    pub const ALL: [Self; 3] = [Self::Fast, Self::Precise, Self::Composed];
}

impl std::fmt::Display for Kernels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Fast => "fast",
            Self::Precise => "precise",
            Self::Composed => "composed",
        })
    }
}

impl FromStr for Kernels {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|kernels| kernels.to_string() == text)
            .ok_or_else(|| format!("`{text}` is none of fast, precise, composed"))
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
