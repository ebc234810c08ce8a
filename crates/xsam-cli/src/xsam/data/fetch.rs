//! `xsam data fetch` and `xsam data verify`

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use serde_json::json;
use xsam_cli::clap::{self, Args};
use xsam_cli::{Outcome, TaskError, named, print, stop_on_interrupt};
use xsam_data::DatasetName;
use xsam_data::fetch::{Fetch, FetchError, Progress, Stage, State};
use xsam_lab::spec::SpecError;

/// How often a line tells how far it is, where there is no terminal.
const PAUSE: Duration = Duration::from_secs(10);

#[derive(Args, Debug)]
pub(super) struct FetchArguments {
    /// The data set to fetch.
    #[arg(value_parser = named::<DatasetName>())]
    name: DatasetName,

    /// The folder that it becomes; data/NAME if not given.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,

    /// Asks for every file under this address first, by its published name.
    #[arg(long, value_name = "URL")]
    mirror: Option<String>,

    /// Keeps the archive beside the folder.
    #[arg(long)]
    keep_archive: bool,

    /// No progress, only the result.
    #[arg(long, short)]
    quiet: bool,

    /// For machines: one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(super) struct VerifyArguments {
    /// The data set to verify.
    #[arg(value_parser = named::<DatasetName>())]
    name: DatasetName,

    /// Its folder; data/NAME if not given.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,

    /// For machines: one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &FetchArguments) -> Result<Outcome, TaskError> {
    let name = arguments.name;
    let folder = folder(name, arguments.dir.as_deref());
    let stop = stop_on_interrupt();
    let fetch = Fetch {
        mirror: arguments.mirror.clone(),
        keep_archive: arguments.keep_archive,
        cancel: Some(stop.flag()),
        ..Fetch::new(name, &folder).map_err(failed)?
    };
    let was_there = fetch.state()? == State::Complete;
    let mut display = Display::new(arguments.json || arguments.quiet);
    match fetch.run(&mut |progress| display.show(&progress)) {
        Ok(()) => {}
        Err(error @ FetchError::Cancelled) => {
            display.clear();
            print::error(error);
            return Ok(Outcome::Interrupted);
        }
        Err(error) => return Err(failed(error)),
    }
    display.clear();
    let value = json!({ "name": name.as_str(), "folder": folder, "fetched": !was_there });
    print::result(arguments.json, &value, || {
        let already = if was_there { " already" } else { "" };
        format!("{name} is in {}{already}", folder.display())
    });
    Ok(Outcome::Done)
}

pub(super) fn verify(arguments: &VerifyArguments) -> Result<Outcome, TaskError> {
    let name = arguments.name;
    let folder = folder(name, arguments.dir.as_deref());
    let mut display = Display::new(arguments.json);
    let fetch = Fetch::new(name, &folder).map_err(failed)?;
    let verified = fetch.verify(&mut |progress| display.show(&progress))?;
    display.clear();
    let (name, files, bytes) = (name.as_str(), verified.files, verified.bytes);
    let value = json!({ "name": name, "folder": folder, "files": files, "bytes": bytes });
    print::result(arguments.json, &value, || {
        let folder = folder.display();
        format!("{folder}: {files} files, {bytes} bytes, all as fetched")
    });
    Ok(Outcome::Done)
}

/// Wrong usage if what the error says is to be done before it can be fetched.
fn failed(error: FetchError) -> TaskError {
    match error {
        FetchError::ByHand { .. } | FetchError::Mirror { .. } => {
            SpecError::new("", error.to_string()).into()
        }
        error => error.into(),
    }
}

/// Where the data set is to be. What has no place of its own is not fetched.
fn folder(name: DatasetName, dir: Option<&Path>) -> PathBuf {
    let dir = dir.map(Path::to_owned).or_else(|| name.default_folder());
    dir.unwrap_or_else(|| PathBuf::from(name.as_str()))
}

/// What a person sees of a fetch: a bar on a terminal, lines elsewhere.
enum Display {
    Quiet,
    Bar(ProgressBar),
    Lines {
        /// What the last line told of, and when.
        last: Option<(String, Instant)>,
    },
}

impl Display {
    fn new(quiet: bool) -> Self {
        if quiet {
            Self::Quiet
        } else if print::is_terminal() {
            let bar = ProgressBar::new(0).with_style(style(true));
            bar.enable_steady_tick(Duration::from_millis(200));
            Self::Bar(bar)
        } else {
            Self::Lines { last: None }
        }
    }

    fn show(&mut self, progress: &Progress<'_>) {
        match self {
            Self::Quiet => {}
            Self::Bar(bar) => {
                bar.set_message(what(progress));
                bar.set_style(style(progress.total.is_some()));
                if let Some(total) = progress.total {
                    bar.set_length(total);
                }
                bar.set_position(progress.bytes);
            }
            Self::Lines { last } => {
                let what = what(progress);
                let is_told =
                    |(before, at): &(String, Instant)| *before == what && at.elapsed() < PAUSE;
                if !last.as_ref().is_some_and(is_told) {
                    let bytes = HumanBytes(progress.bytes);
                    let of = |total| format!(" of {}", HumanBytes(total));
                    let of = progress.total.map(of);
                    print::note(format_args!("{what}: {bytes}{}", of.unwrap_or_default()));
                    *last = Some((what, Instant::now()));
                }
            }
        }
    }

    fn clear(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

/// The file and what is done with it.
fn what(progress: &Progress<'_>) -> String {
    let file = progress.file;
    match &progress.stage {
        Stage::Downloading => format!("downloading {file}"),
        Stage::Verifying => format!("checking {file}"),
        Stage::Unpacking => format!("unpacking {file}"),
        Stage::Waiting { reason, delay } => {
            let seconds = delay.as_secs_f64();
            format!("{file}: {reason}; trying again in {seconds:.0} s")
        }
        _ => file.to_owned(),
    }
}

/// Without a total there is no bar to fill. The fallback is for a template that is wrong, which would
/// be an error at run time for a matter of looks.
fn style(total: bool) -> ProgressStyle {
    let template = match total {
        true => "{wide_msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta} left",
        false => "{wide_msg} {bytes} {bytes_per_sec}",
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
