//! The instruction set that the kernels run on.

use std::env;
use std::fmt;
use std::sync::OnceLock;

use pulp::{Arch, Simd, WithSimd};
use xsam_names::named_enum;

/// The environment variable that chooses one.
const VARIABLE: &str = "XSAM_ISA";

named_enum! {
    /// Instruction sets that the kernels know.
    #[non_exhaustive]
    pub enum InstructionSet ("instruction set") {
        /// Whatever every processor of the architecture has, a number at a time.
        Portable = "portable",
        /// AVX2 and FMA, 8 numbers at a time.
        Avx2 = "avx2",
        /// AVX-512 (F, BW, CD, DQ and VL), 16 numbers at a time.
        Avx512 = "avx512",
        /// Neon, 4 numbers at a time.
        Neon = "neon",
    }
}

impl InstructionSet {
    fn of(arch: Arch) -> Self {
        match arch {
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Arch::V4(_) => Self::Avx512,
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Arch::V3(_) => Self::Avx2,
            #[cfg(target_arch = "aarch64")]
            Arch::Neon(_) => Self::Neon,
            _ => Self::Portable,
        }
    }

    fn arch(self) -> Option<Arch> {
        match self {
            Self::Portable => Some(Arch::Scalar),
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Self::Avx2 => pulp::x86::V3::try_new().map(Arch::V3),
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Self::Avx512 => pulp::x86::V4::try_new().map(Arch::V4),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => pulp::aarch64::Neon::try_new().map(Arch::Neon),
            #[allow(unreachable_patterns, reason = "those of other architectures")]
            _ => None,
        }
    }
}

/// `XSAM_ISA` asks for what this processor does not have, or for nothing that there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstructionSetError(String);

impl fmt::Display for InstructionSetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InstructionSetError {}

/// The instruction set that the kernels run on: the best one that the processor has, or that which the environment
/// variable `XSAM_ISA` names when the first kernel runs. With another one results differ by rounding; with the same one,
/// and as many threads, they are the same bits on every processor.
pub fn instruction_set() -> InstructionSet {
    InstructionSet::of(arch())
}

/// Checks that `XSAM_ISA`, if it is there, names an instruction set that this processor has.
///
/// # Errors
/// If it does not. The kernels then run on the best one that there is.
pub fn check_instruction_set() -> Result<(), InstructionSetError> {
    chosen().1.clone()
}

/// What the kernels are dispatched to.
#[inline]
pub(crate) fn arch() -> Arch {
    chosen().0
}

/// What kernels are dispatched to whose vectors run along `channels`: where they would fill half a panel of AVX-512 or less,
/// AVX2, which does not compute the other half.
pub(crate) fn arch_for(channels: usize) -> Arch {
    match arch() {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        Arch::V4(v4) if channels <= 16 => Arch::V3(*v4),
        arch => arch,
    }
}

/// Numbers in a vector: for what is laid out before any kernel runs.
pub(crate) fn lanes(arch: Arch) -> usize {
    struct Lanes;

    impl WithSimd for Lanes {
        type Output = usize;

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> usize {
            S::F32_LANES
        }
    }

    arch.dispatch(Lanes)
}

type Chosen = (Arch, Result<(), InstructionSetError>);

fn chosen() -> &'static Chosen {
    static CHOSEN: OnceLock<Chosen> = OnceLock::new();
    CHOSEN.get_or_init(|| match asked() {
        Ok(arch) => (arch, Ok(())),
        Err(error) => (Arch::new(), Err(error)),
    })
}

fn asked() -> Result<Arch, InstructionSetError> {
    let asked = env::var_os(VARIABLE).filter(|asked| !asked.is_empty());
    let asked = asked.map(|asked| asked.to_string_lossy().into_owned());
    asked.map_or_else(|| Ok(Arch::new()), |asked| named(&asked))
}

/// What the value of [`VARIABLE`] names.
fn named(asked: &str) -> Result<Arch, InstructionSetError> {
    let what = match asked.parse::<InstructionSet>().map(InstructionSet::arch) {
        Ok(Some(arch)) => return Ok(arch),
        Ok(None) => "is an instruction set that this processor does not have",
        Err(_) => "is no instruction set that the kernels know",
    };
    let here = InstructionSet::ALL.into_iter();
    let here = here.filter(|isa| isa.arch().is_some());
    let here = here.map(InstructionSet::as_str).collect::<Vec<_>>();
    Err(InstructionSetError(format!(
        "{VARIABLE}={asked}: {what}; it has {}",
        here.join(", ")
    )))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_there_is_not_is_told() {
        let unknown = named("sse9").unwrap_err().to_string();
        assert!(unknown.contains("XSAM_ISA=sse9") && unknown.contains("portable"));
        #[cfg(target_arch = "x86_64")]
        assert!(
            named("neon")
                .unwrap_err()
                .to_string()
                .contains("does not have")
        );
    }

    #[test]
    fn the_best_one_is_there() {
        assert!(InstructionSet::of(Arch::new()).arch().is_some());
        assert!(named("portable").is_ok());
    }
}
