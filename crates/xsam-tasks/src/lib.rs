#![doc = include_str!("../README.md")]
#![deny(clippy::disallowed_methods)]

mod batch;
mod bench;
mod classification;
mod data;
mod presets;
pub mod spec;
mod translation;
#[allow(
    clippy::disallowed_methods,
    reason = "cases are read as they were written"
)]
mod verify;

use xsam_lab::spec::Preset;
use xsam_lab::{Error, Tasks, Visitor};

pub use batch::Batch;
pub use bench::{
    BenchModel, BenchResult, BenchSpec, ImageBench, ProfileRow, RankCost, TransformerBench, bench,
    bench_on,
};
pub use classification::Classification;
pub use spec::{OurSections, OurSpec};
pub use translation::{Pairs, TrainingPairs, Translation};
pub use verify::{Case, CaseOutcome, Verdict, verify};
pub use xsam_models::Variant;

/// Our tasks: [`Translation`] of data that are text, [`Classification`] of others.
#[derive(Clone, Copy, Debug)]
pub struct OurTasks;

impl Tasks for OurTasks {
    type Spec = OurSections;

    const PRESETS: &'static [Preset] = presets::PRESETS;

    fn visit<V: Visitor<OurSections>>(spec: &OurSections, visitor: V) -> Result<V::Output, Error> {
        match spec.data.name.is_text() {
            true => visitor.visit::<Translation>(),
            false => visitor.visit::<Classification>(),
        }
    }
}
