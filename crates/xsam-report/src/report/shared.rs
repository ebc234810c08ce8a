//! Sections that the page of a run and that of a comparison share.

use std::path::Path;

use super::curves::Drawing;
use super::flatness::{self, Measured};
use super::page::{Block, Code, Section};
use super::pictures::Picture;
use super::source::RunSource;
use xsam_lab::spec::About;
use xsam_lab::{Status, layout};

/// The searched curves.
pub(super) fn searches(drawings: Vec<Drawing>) -> Section {
    Section {
        title: "The search for alpha".to_owned(),
        note: "The loss at distance rho_max along the arc, in the first search of some epochs. The dot is the highest \
               point, away from which the method steps."
            .to_owned(),
        blocks: vec![Block::Curves(drawings)],
    }
}

/// What `xsam flatness` has measured, if it has.
pub(super) fn flatness(runs: &[(String, &RunSource)]) -> Option<Section> {
    let measured: Vec<(String, &Measured)> = runs
        .iter()
        .filter_map(|(name, run)| Some((name.clone(), run.measured.as_ref()?)))
        .collect();
    (!measured.is_empty()).then(|| Section {
        title: "How flat the minima are".to_owned(),
        note: format!(
            "Eigenvalues and trace of the Hessian of the training loss, and by how much that loss rises within a distance \
             of the weights: the smaller, the flatter. By the command flatness, over {}.",
            flatness::measured_over(&measured),
        ),
        blocks: vec![
            Block::Table(flatness::table(&measured)),
            Block::Pictures(flatness::pictures(&measured)),
        ],
    })
}

/// What `xsam landscape` has drawn, if it has.
pub(super) fn landscapes(runs: &[(String, &RunSource)]) -> Option<Section> {
    let of_run = |(name, run): &(String, &RunSource)| -> Vec<Picture> {
        let pictures = run.landscapes.iter();
        pictures.map(|picture| picture.of(name)).collect()
    };
    let pictures: Vec<Picture> = runs.iter().flat_map(of_run).collect();
    (!pictures.is_empty()).then(|| Section {
        title: "The loss around the weights".to_owned(),
        note: "By the command landscape.".to_owned(),
        blocks: vec![Block::Pictures(pictures)],
    })
}

/// How to do it again: command, versions and spec, and what that came to, of a run.
pub(super) fn again(
    (program, command): (&str, &str),
    directory: &Path,
    about: &About,
    text: &str,
    came_to: Option<String>,
) -> Section {
    let train = &about.train;
    let [file, out] = [directory.join(layout::SPEC), beside(directory)];
    let code = |title: &str, text: &str, folded: bool| {
        Block::Code(Code {
            title: title.to_owned(),
            text: text.trim_end().to_owned(),
            folded,
        })
    };
    let came_to = came_to.map(|text| code("What it came to", &text, true));
    let mut blocks = vec![
        code(
            "Command",
            &format!(
                "{program} {command} {} --out {}",
                quoted(&file),
                quoted(&out)
            ),
            false,
        ),
        code(layout::SPEC, text, true),
    ];
    blocks.extend(came_to);
    Section {
        title: "Do it again".to_owned(),
        note: format!(
            "xsam {} with Burn's back end for {}, {} kernels, {}. The same numbers come out on the same kind of processor \
             with the same number of threads.",
            env!("CARGO_PKG_VERSION"),
            train.device,
            train.kernels,
            train.precision,
        ),
        blocks,
    }
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
fn beside(directory: &Path) -> std::path::PathBuf {
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
