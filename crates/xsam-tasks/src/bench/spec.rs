//! What is timed, and what comes of it.

use serde::Serialize;
use xsam_kernels::Kernels;
use xsam_lab::spec::{DeviceName, MethodSpec, Precision};

use super::{ImageBench, ProfileRow, RankCost, TransformerBench};

/// What [`bench()`](super::bench) times, and how often.
#[derive(Clone, Debug, PartialEq)]
pub struct BenchSpec {
    /// The model and what it is given.
    pub model: BenchModel,
    /// The method. The fields of its search (`alpha`, `search`, `grid`, `rho_max`) are not used.
    pub method: MethodSpec,
    /// Images in the batch, or pairs of sentences.
    pub batch: usize,
    /// Timed steps, after two that are not.
    pub steps: usize,
    /// The number format: mixed precision where it is a half one.
    pub precision: Precision,
    /// The kernels that compute.
    pub kernels: Kernels,
    /// Where to compute.
    pub device: DeviceName,
    /// Whether to tell, from as many further steps, what takes their time.
    pub profile: bool,
}

impl Default for BenchSpec {
    fn default() -> Self {
        Self {
            model: BenchModel::Images(ImageBench::default()),
            method: MethodSpec::default(),
            batch: 32,
            steps: 10,
            device: DeviceName::Cpu,
            precision: Precision::F32,
            kernels: Kernels::Fast,
            profile: false,
        }
    }
}

/// A model whose steps are timed, and what it is given.
#[derive(Clone, Debug, PartialEq)]
pub enum BenchModel {
    /// An image classifier, trained by SGD with momentum and weight decay.
    Images(ImageBench),
    /// The Transformer, trained by AdamW.
    Transformer(TransformerBench),
}

/// What a step costs, as [`bench()`](super::bench) found it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BenchResult {
    /// `xsam`, to tell these lines from those of another program.
    pub side: &'static str,
    /// Name of the model.
    pub model: String,
    /// Name of the method.
    pub method: String,
    /// Images in the batch, or pairs of sentences.
    pub batch: usize,
    /// Width of a model that can be scaled.
    pub width: Option<usize>,
    /// Its depth, if that is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<usize>,
    /// Tokens of each sentence, if that is what the batch is made of.
    pub tokens: Option<usize>,
    /// Ascent steps of a method that ascends.
    pub ascent_steps: Option<usize>,
    /// Median seconds of a step.
    pub median_s: f64,
    /// Least seconds of a step.
    pub min_s: f64,
    /// Seconds of one search of 21 candidates, measured directly: from its first forward pass to
    /// its last, the making of the candidates between them included. Nothing for a method that does
    /// not search.
    pub search_s: Option<f64>,
    /// How often the optimizer has read numbers from the device in the last timed step. On a processor each is read at once.
    pub read_backs: u64,
    /// Most memory the process has held up to the last timed step, in 10^6 bytes; nothing where the
    /// system does not tell.
    pub peak_rss_mb: Option<f64>,
    /// Number of threads that compute.
    pub threads: usize,
    /// The number format that it computed in.
    pub precision: Precision,
    /// The kernels that computed, with the instruction set that they found, as in `fast (avx2)`, or the device, as in
    /// `composed (cuda)`.
    pub kernels: String,
    /// What it costs besides because it is shared out, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared_out: Option<RankCost>,
    /// What takes the time of a step, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<Vec<ProfileRow>>,
}
