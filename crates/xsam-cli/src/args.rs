//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Sharpness-aware training: train a model, compare methods, check this build's numbers.
#[derive(Debug, Parser)]
#[command(name = "xsam", version, about, max_term_width = 100)]
#[command(
    after_help = "Example:\n  xsam compare                 SGD, SAM and XSAM on noisy digits\n  \
                        xsam compare --set method.rho=0.3 --seeds 0,1"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Number of threads; all cores if not given.
    #[arg(long, global = true, value_name = "N", value_parser = threads)]
    pub(crate) threads: Option<usize>,
}

/// What `--device` is.
const DEVICES: &str = "Where to compute: cpu, webgpu, vulkan, cuda, rocm or metal; all but cpu need a build with the \
                       feature of that name";

fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n @ 1..=1024) => Ok(n),
        _ => Err("must be a number from 1 to 1024".to_owned()),
    }
}

fn number_of_jobs(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n @ 1..=256) => Ok(n),
        _ => Err("must be a number from 1 to 256".to_owned()),
    }
}

/// A field, with its section, and the values that are tried of it.
fn tuned(text: &str) -> Result<(String, Vec<String>), String> {
    let malformed = "must be a field and values to try, as in rho=0.05,0.1,0.2";
    let (field, values) = text.split_once('=').ok_or(malformed)?;
    let values: Vec<String> = values.split(',').map(|v| v.trim().to_owned()).collect();
    if field.trim().is_empty() || values.iter().any(String::is_empty) {
        return Err(malformed.to_owned());
    }
    let field = match field.trim() {
        field if field.contains('.') => field.to_owned(),
        field => format!("method.{field}"),
    };
    Ok((field, values))
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// One run: a model trained by one method from one seed.
    #[command(
        after_help = "Examples:\n  xsam train --set method.name=sam --set method.rho=0.3 \
                            --set train.epochs=20 --out runs/sam\n  \
                      xsam train --resume runs/sam\n\n\
                      Ctrl-C, SIGTERM and a terminal that is closed (not with nohup) end a run after the step it is at, \
                      or the batch of an evaluation, with a checkpoint. A run that was interrupted or killed goes on with --resume, and then equals one \
                      that was not, on the same number of threads. With --resume, --set may raise train.epochs \
                      (the schedule is then that of the longer run, also where its steps are a share of the \
                      epochs by default) and change what leaves the steps as they are: \
                      train.checkpoint_every, checkpoint_steps, keep_checkpoints, log_every, on_divergence and \
                      workers, and data.dir, if the data have been moved.\n\n\
                      spec.toml in the run's directory is what was asked for, and may be given again with other \
                      settings; run.json has what it came to.\n\n\
                      `tensorboard --logdir runs` shows all runs while they go."
    )]
    Train(RunArguments),
    /// Several methods and seeds on one data set: table, CSV, JSON and plots.
    #[command(
        after_help = "Examples:\n  xsam compare --preset digits-noise --methods sgd,asam --seeds 0,1,2,3,4\n  \
                      xsam compare spec.toml --methods sgd,sam,xsam --rho 0.1,0.2 --ascent-steps 1,3\n  \
                      xsam compare spec.toml --equal-compute --jobs 4\n  \
                      xsam compare spec.toml --tune rho=0.05,0.1,0.2 --tune optimizer.lr=0.02,0.05 \
                      --tune-seeds 10,11\n  \
                      xsam compare --resume runs/spec\n\n\
                      Without a spec it runs the preset digits-noise. Runs that are finished are not repeated, \
                      interrupted ones go on, and one in the way with another spec is refused: --resume with \
                      more --methods or --seeds adds to a comparison.\n\n\
                      Passes in the table are forward-backward passes of a run; a forward pass of a search for alpha \
                      counts as a third of one. p is that of a paired t-test, over the seeds, of the results after the \
                      last epoch against those of the first method."
    )]
    Compare(CompareArguments),
    /// One run of a comparison with --jobs, ordered on standard input.
    #[command(hide = true)]
    Job,
    /// The weights of a trained model in a file for PyTorch.
    #[command(
        after_help = "Example:\n  xsam export runs/sam --out model.safetensors\n\n\
                      The names are those of the model's PyTorch original:\n  \
                      model.load_state_dict(torch.load(\"model.pt\"))\n\n\
                      The logits are then the same for the same input. How the run has normalized \
                      its images, which depends on the data set, is not in the file."
    )]
    Export(ExportArguments),
    /// How flat the minimum of a run is: curvature of its training loss, and by how much that rises nearby.
    #[command(
        after_help = "Examples:\n  xsam flatness runs/sam --trace --sharpness\n  \
                      xsam flatness runs/sgd --compare runs/sam runs/xsam\n\n\
                      Looked at are training data as they are, without augmentation, with the labels that \
                      the run has learned. The more samples, the nearer to the whole training loss: \
                      eigenvalues over few of them are too large. The report is written to flatness.json in \
                      the run's directory."
    )]
    Flatness(FlatnessArguments),
    /// The loss around the weights of a run: along a line, in a plane, or in XSAM's own plane.
    #[command(
        after_help = "Examples:\n  xsam landscape runs/sam\n  xsam landscape runs/sam --along xsam\n  \
                      xsam landscape runs/sgd --to runs/sam\n\n\
                      Looked at are training data as they are, as in `xsam flatness`. Values are written to \
                      landscape/NAME.json and .csv in the run's directory, plots to .svg and .png. A landscape that \
                      was interrupted goes on where it was. In evaluation mode running statistics stay those of the \
                      run, except with --to, where they go along between the two."
    )]
    Landscape(LandscapeArguments),
    /// The report on a run or a comparison, made anew from what is in its directory.
    #[command(after_help = "Example:\n  xsam report runs/digits-noise\n\n\
                      `xsam train` and `xsam compare` write report.html at their end. This rebuilds it, say after \
                      `xsam flatness` or `xsam landscape`, whose results are then in it, or of a run that is still going \
                      on or was killed. The page is one file that needs no network.")]
    Report(ReportArguments),
    /// This build's numbers against reference cases, one line each.
    #[command(
        after_help = "Examples:\n  xsam verify --json\n  xsam verify --device cuda\n\n\
                      Exits with 1 if any case fails."
    )]
    Verify(VerifyArguments),
    /// Seconds a training step of a model and a method takes, on a random batch.
    #[command(
        after_help = "Examples:\n  xsam bench --model resnet18 --method sam --batch 64 --threads 2\n  \
                      xsam bench --model transformer --batch 32 --tokens 25\n\n\
                      Timed: the passes, the method's arithmetic, and the base optimizer: SGD with \
                      momentum and weight decay, or AdamW for the transformer. The method sgd is the \
                      base optimizer alone. Not timed: data, and XSAM's searches. A search is timed \
                      by itself, from the first to the last of its 21 forward passes. Two steps go \
                      untimed before the first."
    )]
    Bench(BenchArguments),
    /// What runs of each method will cost here: time, memory and money, before any is started.
    #[command(
        after_help = "Examples:\n  xsam plan --preset cifar10-resnet18 --methods sgd,sam,xsam\n  \
                      xsam plan spec.toml --price-per-hour 0.8 --currency EUR --runs-per-year 500\n  \
                      xsam plan spec.toml --json > fast.json    (on another machine)\n  \
                      xsam plan spec.toml --against fast.json\n\n\
                      Measured are real steps, searches, evaluations and checkpoints of a short run of each method, \
                      in a process of its own. The methods are those of [compare]; of a spec without one, sgd and \
                      the method of the spec. Without a spec it plans the preset digits-noise."
    )]
    Plan(PlanArguments),
    /// The data sets.
    Data(DataArguments),
}

/// What a command that trains is told.
#[derive(Args, Debug)]
pub(crate) struct RunArguments {
    /// Spec file of the experiment; every field has a default.
    #[arg(value_name = "SPEC.toml", conflicts_with_all = ["preset", "resume"])]
    pub(crate) spec: Option<PathBuf>,

    /// A spec that comes with the program, such as cifar100-resnet18, or one of its methods, such as
    /// cifar100-resnet18-xsam. A name that is none of them lists them all.
    #[arg(long, value_name = "NAME", conflicts_with = "resume")]
    pub(crate) preset: Option<String>,

    /// Changes a field of the spec (repeatable). A text needs no quotation marks, whatever it looks like.
    #[arg(long = "set", value_name = "SECTION.FIELD=VALUE")]
    pub(crate) settings: Vec<String>,

    /// Begins with the weights in this file, in place of those that the seed gives: .safetensors, or a state
    /// dict by torch.save, with the names of the model's PyTorch original. A key or a prefix around it is
    /// taken off, and told.
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    pub(crate) init: Option<PathBuf>,

    /// Directory for the results; under runs/ if not given.
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    pub(crate) out: Option<PathBuf>,

    /// Goes on with the interrupted results in this directory.
    #[arg(long, value_name = "DIR", conflicts_with = "overwrite")]
    pub(crate) resume: Option<PathBuf>,

    /// With --resume, of a run whose latest checkpoint is damaged: goes on from the latest one that is whole.
    #[arg(long, requires = "resume")]
    pub(crate) recover: bool,

    /// With --resume: goes on although the data are not those of before. What has changed is then among the warnings of
    /// the run and in the report.
    #[arg(long, requires = "resume")]
    pub(crate) changed_data: bool,

    /// Replaces earlier results in the directory.
    #[arg(long)]
    pub(crate) overwrite: bool,

    #[arg(long, value_name = "DEVICE", help = DEVICES)]
    pub(crate) device: Option<String>,

    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

#[derive(Args, Debug)]
pub(crate) struct OutputArguments {
    /// No progress, only the result, and what to be warned of.
    #[arg(long, short)]
    pub(crate) quiet: bool,

    /// For machines: one JSON object a line.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct CompareArguments {
    #[command(flatten)]
    pub(crate) run: RunArguments,

    /// The methods, or labels of sections [compare.LABEL], in the order of the table.
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    pub(crate) methods: Vec<String>,

    /// The seeds; each method runs once from each.
    #[arg(long, value_name = "M,N,..", value_delimiter = ',')]
    pub(crate) seeds: Vec<u64>,

    /// Values of rho: a row for each and every method that has it.
    #[arg(long, value_name = "R,S,..", value_delimiter = ',')]
    pub(crate) rho: Vec<f64>,

    /// Numbers of ascent steps: a row for each and every method that ascends.
    #[arg(long, value_name = "K,L,..", value_delimiter = ',')]
    pub(crate) ascent_steps: Vec<usize>,

    /// Gives methods with fewer passes an epoch more epochs, until all have as many passes as the costliest one has
    /// in the epochs of the spec. The learning rate's schedule is stretched to them.
    #[arg(long)]
    pub(crate) equal_compute: bool,

    /// Chooses a hyper-parameter for each method that has it: the value with the highest validation accuracy after
    /// the last epoch, or BLEU. Repeated, all combinations. A field without a section is one of the method.
    #[arg(long, value_name = "FIELD=V,W,..", value_parser = tuned)]
    pub(crate) tune: Vec<(String, Vec<String>)>,

    /// The seeds that are tuned on; those of the comparison if not given.
    #[arg(long, value_name = "M,N,..", value_delimiter = ',')]
    pub(crate) tune_seeds: Vec<u64>,

    /// So many runs at a time, each in a process with its share of the threads.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = number_of_jobs)]
    pub(crate) jobs: usize,
}

#[derive(Args, Debug)]
pub(crate) struct ReportArguments {
    /// Directory of a run or of a comparison.
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,

    /// For machines: one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ExportArguments {
    /// Directory of a run, for its latest checkpoint, or a folder in its checkpoint/.
    #[arg(value_name = "RUN|CHECKPOINT")]
    pub(crate) from: PathBuf,

    /// The file; ends in .safetensors, .pt or .pth.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,

    /// Replaces the file if it exists.
    #[arg(long)]
    pub(crate) overwrite: bool,

    /// For machines: one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What is measured of a trained model.
#[derive(Args, Debug)]
pub(crate) struct SubjectArguments {
    /// Directory of a run, for its latest checkpoint; a folder in its checkpoint/; or a file of weights for PyTorch
    /// (.safetensors, or a state dict by torch.save), with the spec of its model and data.
    #[arg(value_name = "RUN|CHECKPOINT|FILE")]
    pub(crate) run: PathBuf,

    /// Spec of the model and the data of a file of weights.
    #[arg(long, value_name = "SPEC.toml", conflicts_with = "preset")]
    pub(crate) spec: Option<PathBuf>,

    /// The same, from a spec that comes with the program.
    #[arg(long, value_name = "NAME")]
    pub(crate) preset: Option<String>,

    /// Changes a field of that spec (repeatable).
    #[arg(long = "set", value_name = "SECTION.FIELD=VALUE")]
    pub(crate) settings: Vec<String>,

    /// Training samples: images, or pairs of sentences.
    #[arg(long, value_name = "N", default_value_t = 1024)]
    pub(crate) samples: usize,

    /// Samples in a batch; the result does not depend on it, but for --training with batch norm.
    #[arg(long, value_name = "N", default_value_t = 128)]
    pub(crate) batch: usize,

    /// The model as in training: statistics of the batch, dropout.
    #[arg(long)]
    pub(crate) training: bool,

    /// Where to compute; where the run did if not given.
    #[arg(long, value_name = "DEVICE")]
    pub(crate) device: Option<String>,

    /// Number format: f32 or f64; the run's if not given.
    #[arg(long, value_name = "FORMAT")]
    pub(crate) precision: Option<String>,

    /// Decides which samples, and all that is random.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,

    /// Measures although the data are not those that the run was trained on. What has changed is then in the results.
    #[arg(long)]
    pub(crate) changed_data: bool,
}

#[derive(Args, Debug)]
pub(crate) struct FlatnessArguments {
    #[command(flatten)]
    pub(crate) subject: SubjectArguments,

    /// Other runs to look at in the same way, for a table of all.
    #[arg(long, value_name = "RUN", num_args = 1..)]
    pub(crate) compare: Vec<PathBuf>,

    /// How many of the largest eigenvalues of the Hessian.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) top: usize,

    /// The trace of the Hessian, with so many products.
    #[arg(long, value_name = "PRODUCTS", num_args = 0..=1, default_missing_value = "60")]
    pub(crate) trace: Option<usize>,

    /// The density of all eigenvalues.
    #[arg(long)]
    pub(crate) density: bool,

    /// By how much the loss rises within a distance, and how near each method's direction comes to the highest
    /// point.
    #[arg(long, value_name = "RHO", num_args = 0..=1, default_missing_value = "0.15")]
    pub(crate) sharpness: Option<f64>,

    /// Each layer by itself: largest eigenvalue and trace of its block.
    #[arg(long)]
    pub(crate) layers: bool,

    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

/// What a landscape is taken along.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum AlongName {
    /// Random directions with the norms of the model's filters.
    Random,
    /// The eigenvectors of the largest eigenvalues of the Hessian.
    Eigenvectors,
    /// The principal directions of the run's checkpoints.
    Trajectory,
    /// XSAM's plane, of displacement and ascent gradient, in polar coordinates.
    Xsam,
}

#[derive(Args, Debug)]
pub(crate) struct LandscapeArguments {
    #[command(flatten)]
    pub(crate) subject: SubjectArguments,

    /// The directions.
    #[arg(long, value_name = "DIRECTIONS", default_value = "random")]
    pub(crate) along: AlongName,

    /// The line from the weights to those of another run, instead.
    #[arg(long, value_name = "RUN|CHECKPOINT|FILE", conflicts_with = "along")]
    pub(crate) to: Option<PathBuf>,

    /// A line instead of a plane.
    #[arg(long)]
    pub(crate) line: bool,

    /// Points along each axis: 41 on a line, 25 in a plane if not given. In XSAM's plane so many distances, 15 if
    /// not given, in four times as many directions.
    #[arg(long, value_name = "N")]
    pub(crate) points: Option<usize>,

    /// How far it reaches: in norms of the filters along random directions, a share of the way beyond both ends with
    /// --to, otherwise a distance.
    #[arg(long, value_name = "R")]
    pub(crate) radius: Option<f64>,

    /// Length of the ascent in XSAM's plane; the run's if not given, or 0.15.
    #[arg(long)]
    pub(crate) rho: Option<f64>,

    /// Distance of the arc in XSAM's plane; the one that was asked of the run if not given, or twice rho.
    #[arg(long)]
    pub(crate) rho_max: Option<f64>,

    /// Steps of the ascent in XSAM's plane; the run's if not given, or 1.
    #[arg(long, value_name = "K")]
    pub(crate) ascent_steps: Option<usize>,

    /// Replaces a landscape of the same name that has other settings.
    #[arg(long)]
    pub(crate) overwrite: bool,

    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

#[derive(Args, Debug)]
pub(crate) struct VerifyArguments {
    /// Reads the cases from the .json files of this directory, instead of the embedded ones.
    #[arg(long, value_name = "DIR")]
    pub(crate) cases: Option<PathBuf>,

    #[arg(long, value_name = "DEVICE", help = DEVICES, default_value = "cpu")]
    pub(crate) device: String,

    /// Number format: f32 or f64.
    #[arg(long, value_name = "FORMAT", default_value = "f32")]
    pub(crate) precision: String,

    /// Kernels: fast, precise or composed.
    #[arg(long, value_name = "NAME", default_value = "fast")]
    pub(crate) kernels: String,

    /// For machines: one JSON object a case.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct BenchArguments {
    /// The model: one for images, or transformer.
    #[arg(long, value_name = "NAME", default_value = "resnet18")]
    pub(crate) model: String,

    /// The method.
    #[arg(long, value_name = "NAME", default_value = "xsam")]
    pub(crate) method: String,

    /// Images in the batch, or pairs of sentences.
    #[arg(long, value_name = "N", default_value_t = 32)]
    pub(crate) batch: usize,

    /// Width of a model that can be scaled; the model's own if not given.
    #[arg(long, value_name = "N")]
    pub(crate) width: Option<usize>,

    /// Ascent steps of a method that ascends; 1 if not given.
    #[arg(long, value_name = "K")]
    pub(crate) ascent: Option<usize>,

    /// Timed steps.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) steps: usize,

    /// Height and width of an image; 32 if not given.
    #[arg(long, value_name = "PIXELS")]
    pub(crate) image_size: Option<usize>,

    /// Channels of an image; 3 if not given.
    #[arg(long, value_name = "N")]
    pub(crate) channels: Option<usize>,

    /// Number of classes of images; 10 if not given.
    #[arg(long, value_name = "N")]
    pub(crate) classes: Option<usize>,

    /// Tokens of each sentence, for the transformer; 25 if not given.
    #[arg(long, value_name = "N")]
    pub(crate) tokens: Option<usize>,

    /// Number of different tokens, for the transformer; 8000 if not given.
    #[arg(long, value_name = "N")]
    pub(crate) vocabulary: Option<usize>,

    #[arg(long, value_name = "DEVICE", help = DEVICES, default_value = "cpu")]
    pub(crate) device: String,

    /// Kernels: fast, precise or composed.
    #[arg(long, value_name = "NAME", default_value = "fast")]
    pub(crate) kernels: String,

    /// Also what takes the time: seconds by kind of operation.
    #[arg(long)]
    pub(crate) profile: bool,

    /// For machines: one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct PlanArguments {
    /// Spec file of the experiment; every field has a default.
    #[arg(value_name = "SPEC.toml", conflicts_with = "preset")]
    pub(crate) spec: Option<PathBuf>,

    /// A spec that comes with the program, or one of its methods, as for `xsam train`.
    #[arg(long, value_name = "NAME")]
    pub(crate) preset: Option<String>,

    /// Changes a field of the spec (repeatable). A text needs no quotation marks, whatever it looks like.
    #[arg(long = "set", value_name = "SECTION.FIELD=VALUE")]
    pub(crate) settings: Vec<String>,

    /// The methods, or labels of sections [compare.LABEL], in the order of the table.
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    pub(crate) methods: Vec<String>,

    /// Plans each method that ascends with each of these numbers of ascent steps.
    #[arg(long, value_name = "K,L,..", value_delimiter = ',')]
    pub(crate) ascent_steps: Vec<usize>,

    /// Steps that are measured of each method, at least 3; if not given, at least 12 in at least 5 seconds.
    #[arg(long, value_name = "N")]
    pub(crate) steps: Option<usize>,

    /// What an hour of this machine costs.
    #[arg(long, value_name = "PRICE", allow_negative_numbers = true)]
    pub(crate) price_per_hour: Option<f64>,

    /// In what; it is printed with the price.
    #[arg(long, value_name = "NAME", requires = "price_per_hour")]
    pub(crate) currency: Option<String>,

    /// Runs of a method in a year, for what a year of each costs.
    #[arg(long, value_name = "N")]
    pub(crate) runs_per_year: Option<usize>,

    /// A plan of the same experiment from another machine, written by --json: what it costs to make the runs here
    /// and not there.
    #[arg(long, value_name = "PLAN.json")]
    pub(crate) against: Option<PathBuf>,

    #[arg(long, value_name = "DEVICE", help = DEVICES)]
    pub(crate) device: Option<String>,

    /// Measures what is ordered on standard input in this process, for the one that plans.
    #[arg(long, hide = true)]
    pub(crate) measure: bool,

    #[command(flatten)]
    pub(crate) output: OutputArguments,
}

#[derive(Args, Debug)]
pub(crate) struct DataArguments {
    #[command(subcommand)]
    pub(crate) command: DataCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    /// The data sets and their sizes.
    #[command(after_help = "Example:\n  xsam data list")]
    List {
        /// For machines: one JSON object a data set.
        #[arg(long)]
        json: bool,
    },
    /// Downloads a published data set, checks it and unpacks it.
    #[command(after_help = "Example:\n  xsam data fetch cifar10\n  \
                            xsam data fetch fashion-mnist --mirror http://mirror.example/files\n\n\
                      An interrupted download goes on where it was. The folder gets its name when \
                      everything is in it and has the published checksum.")]
    Fetch(FetchArguments),
    /// Reads all of a fetched data set and compares it with what was fetched.
    #[command(after_help = "Example:\n  xsam data verify cifar10")]
    Verify(VerifyDataArguments),
    /// Some images of a data set, as characters or as a picture; or pairs of sentences.
    #[command(
        after_help = "Example:\n  xsam data show digits --split test --index 7 --count 2\n  \
                            xsam data show cifar10 --count 12 --sheet augmented.png\n  \
                            xsam data show image-folder --dir photos --image-size 32"
    )]
    Show(ShowArguments),
}

#[derive(Args, Debug)]
pub(crate) struct FetchArguments {
    /// The data set.
    pub(crate) name: String,

    /// The folder that it becomes; data/NAME if not given.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,

    /// Asks for every file under this address first, by its published name.
    #[arg(long, value_name = "URL")]
    pub(crate) mirror: Option<String>,

    /// Keeps the archive beside the folder.
    #[arg(long)]
    pub(crate) keep_archive: bool,

    /// No progress, only the result.
    #[arg(long, short)]
    pub(crate) quiet: bool,

    /// For machines: one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct VerifyDataArguments {
    /// The data set.
    pub(crate) name: String,

    /// Its folder; data/NAME if not given.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,

    /// For machines: one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ShowArguments {
    /// The data set.
    #[arg(default_value = "digits")]
    pub(crate) name: String,

    /// Where it is, unless it is built in; data/NAME for published data if not given.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,

    /// Height and width to which the images of image-folder are resized.
    #[arg(long, value_name = "PIXELS")]
    pub(crate) image_size: Option<usize>,

    /// The language that parallel-text is to be translated from.
    #[arg(long, value_name = "ENDING")]
    pub(crate) source: Option<String>,

    /// The language that parallel-text is to be translated into.
    #[arg(long, value_name = "ENDING")]
    pub(crate) target: Option<String>,

    /// The part: train, validation or test.
    #[arg(long, default_value = "train", value_parser = ["train", "validation", "test"])]
    pub(crate) split: String,

    /// The first image or pair.
    #[arg(long, default_value_t = 0)]
    pub(crate) index: usize,

    /// How many.
    #[arg(long, default_value_t = 3)]
    pub(crate) count: usize,

    /// Writes the images as a picture, a PNG file: each as it is and as it is augmented.
    #[arg(long, value_name = "FILE")]
    pub(crate) sheet: Option<PathBuf>,

    /// Augmented versions of each image on the sheet, those of the first epochs.
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub(crate) versions: usize,

    /// Changes a field of the spec, such as augmentation.flip=1 or train.seed=7 (repeatable).
    #[arg(long = "set", value_name = "SECTION.FIELD=VALUE")]
    pub(crate) settings: Vec<String>,

    /// For machines: one JSON object an image, with its label and pixels.
    #[arg(long)]
    pub(crate) json: bool,
}
