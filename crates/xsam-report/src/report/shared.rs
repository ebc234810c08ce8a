//! Sections that the page of a run and that of a comparison share.

use std::path::{Path, PathBuf};

use super::curves::Drawing;
use super::flatness::{self, Measured};
use super::page::{Block, Code, Section};
use super::pictures;
use super::source::RunSource;
use xsam_lab::spec::About;
use xsam_lab::{Status, layout};

pub(super) fn searches(drawings: impl IntoIterator<Item = Drawing>) -> Section {
    Section::new(
        "The search for alpha",
        "The loss at distance rho_max along the arc, in the first search of some epochs. The dot is the highest point, \
         away from which the method steps.",
        vec![Block::Curves(drawings.into_iter().collect())],
    )
}

/// What the commands `flatness` and `landscape` have left of the runs.
pub(super) fn measured(runs: &[(String, &RunSource)]) -> [Section; 2] {
    let measured = runs
        .iter()
        .filter_map(|(name, run)| Some((name.clone(), run.measured.as_ref()?)));
    let measured: Vec<(String, &Measured)> = measured.collect();
    let over = format!(
        "Eigenvalues and trace of the Hessian of the training loss, and by how much that loss rises within a distance of \
         the weights: the smaller, the flatter. By the command flatness, over {}.",
        flatness::measured_over(&measured),
    );
    let landscapes = runs.iter().map(|(name, run)| (name, &*run.landscapes));
    [
        Section::new(
            "How flat the minima are",
            over,
            vec![
                Block::Table(flatness::table(&measured)),
                Block::Pictures(flatness::pictures(&measured)),
            ],
        ),
        Section::new(
            "The loss around the weights",
            "By the command landscape.",
            vec![Block::Pictures(pictures::of_runs(landscapes))],
        ),
    ]
}

/// How to do it again: command, versions and spec, and what that came to, of a run.
pub(super) fn again(
    (program, command): (&str, &str),
    directory: &Path,
    about: &About,
    text: &str,
    came_to: Option<String>,
    ranks: Option<usize>,
) -> Section {
    let train = &about.train;
    let [file, out] = [directory.join(layout::SPEC), beside(directory)].map(|path| quoted(&path));
    let code = |folded, text: &str| {
        let text = text.trim_end().to_owned();
        Block::Code(Code { folded, text })
    };
    let launcher = ranks.map(|ranks| format!("mpirun -n {ranks} "));
    let launcher = launcher.unwrap_or_default();
    let command = format!("{launcher}{program} {command} {file} --out {out}");
    let mut blocks = vec![code(None, &command), code(Some(layout::SPEC), text)];
    blocks.extend(came_to.map(|text| code(Some("What it came to"), &text)));
    let with = format!(
        "xsam {} with Burn's back end for {}, {} kernels, {}{}. The same numbers come out on the same kind of processor \
         with the same number of threads{}.",
        env!("CARGO_PKG_VERSION"),
        train.device,
        train.kernels,
        train.precision,
        match ranks {
            Some(ranks) => format!(", on {ranks} ranks"),
            None => String::new(),
        },
        if ranks.is_some() { " and ranks" } else { "" },
    );
    Section::new("Do it again", with, blocks)
}

/// How a run stands.
pub(super) fn state(status: Status) -> &'static str {
    match status {
        Status::Running => "not finished",
        Status::Finished => "finished",
        Status::Interrupted => "interrupted",
        Status::Failed => "failed",
    }
}

/// `DIR-again`; `run-again` here if the path ends without a name.
fn beside(directory: &Path) -> PathBuf {
    match directory.file_name() {
        Some(name) => directory.with_file_name(format!("{}-again", name.to_string_lossy())),
        None => "run-again".into(),
    }
}

/// A path as a word of a command line.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./+,:@%".contains(c);
    match !text.is_empty() && !text.starts_with('-') && text.chars().all(plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_words_of_a_command_line() {
        for (path, word) in [
            ("runs/digits-noise/spec.toml", "runs/digits-noise/spec.toml"),
            ("my runs/a", "'my runs/a'"),
            ("it's $HOME", r"'it'\''s $HOME'"),
        ] {
            assert_eq!(quoted(Path::new(path)), word);
        }
        assert_eq!(beside(Path::new("runs/a")), Path::new("runs/a-again"));
        assert_eq!(beside(Path::new("runs/..")), Path::new("run-again"));
    }
}
