//! What `xsam flatness` has measured of a run, as far as the report shows it.

use std::path::Path;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::file::if_there;
use super::pictures::{Picture, of_runs};
use super::table::{Cell, Head, Table, TableRow};
use xsam_lab::{Error, layout};

use crate::flatness::{DENSITY, DIRECTIONS};
use xsam_lab::numbers::{PAGE, count};

/// The measurements of a run.
#[derive(Debug, Deserialize)]
pub(super) struct Measured {
    epochs: usize,
    samples: usize,
    mode: String,
    loss: f64,
    eigenvalues: Eigenvalues,
    trace: Option<Estimate>,
    sharpness: Option<Rises>,
    directions: Option<IgnoredAny>,
    density: Option<IgnoredAny>,
    #[serde(default)]
    pub(super) warnings: Vec<String>,
    /// Plots of the last two.
    #[serde(skip)]
    pictures: Vec<Picture>,
}

#[derive(Debug, Deserialize)]
struct Eigenvalues {
    /// The largest, and last the smallest.
    pairs: Vec<Eigenvalue>,
}

#[derive(Debug, Deserialize)]
struct Eigenvalue {
    value: f64,
    converged: bool,
}

#[derive(Debug, Deserialize)]
struct Estimate {
    value: f64,
    standard_error: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct Rises {
    rho: f64,
    ascent: f64,
    worst: f64,
    average: Estimate,
}

/// The measurements of the run in `run`, if there are any.
///
/// # Errors
/// If the file cannot be read, or is not one of measurements.
pub(super) fn read(run: &Path) -> Result<Option<Measured>, Error> {
    let mut found: Option<Measured> = if_there(&run.join(layout::FLATNESS))?;
    if let Some(measured) = &mut found {
        // Plots of an earlier measurement may be there still.
        let directions = "loss in the directions of the methods";
        for (of, name, title) in [
            (&measured.directions, DIRECTIONS, directions),
            (&measured.density, DENSITY, "density of the eigenvalues"),
        ] {
            let path = run.join(format!("{name}.svg"));
            if of.is_some() && path.exists() {
                measured.pictures.push(Picture::read(&path, title)?);
            }
        }
    }
    Ok(found)
}

/// The plots of the runs.
pub(super) fn pictures(runs: &[(String, &Measured)]) -> Vec<Picture> {
    let runs = runs.iter();
    of_runs(runs.map(|(name, measured)| (name, &*measured.pictures)))
}

/// Over which loss the runs were measured: in one phrase if it is the same of all.
pub(super) fn measured_over(runs: &[(String, &Measured)]) -> String {
    let phrase = |measured: &Measured| {
        format!(
            "{} samples in {} mode, after {}",
            measured.samples,
            measured.mode,
            count(measured.epochs, "epoch", "epochs"),
        )
    };
    let phrases: Vec<String> = runs.iter().map(|(_, measured)| phrase(measured)).collect();
    if let [first, others @ ..] = &*phrases
        && others.iter().all(|other| other == first)
    {
        return first.clone();
    }
    let named = runs.iter().zip(&phrases);
    let named = named.map(|((name, _), phrase)| format!("{name}: {phrase}"));
    named.collect::<Vec<_>>().join("; ")
}

/// A row for each run. Whether an eigenvalue has not converged, or a value has an error, is told beside it.
pub(super) fn table(runs: &[(String, &Measured)]) -> Table {
    let head = [
        "run",
        "largest eigenvalue",
        "smallest eigenvalue",
        "trace",
        "highest rise",
        "rise along the gradient",
        "average rise",
        "at distance",
        "training loss",
    ];
    let row = |(name, measured): &(String, &Measured)| {
        let pairs = &measured.eigenvalues.pairs;
        let rises = measured.sharpness.as_ref();
        let number = |value: Option<f64>| Cell::from(PAGE.significant(value, 3));
        TableRow::new(
            name,
            [
                eigenvalue(pairs.first()),
                eigenvalue(pairs.last()),
                estimate(measured.trace.as_ref()),
                number(rises.map(|rises| rises.worst)),
                number(rises.map(|rises| rises.ascent)),
                estimate(rises.map(|rises| &rises.average)),
                number(rises.map(|rises| rises.rho)),
                number(Some(measured.loss)),
            ],
        )
    };
    Table {
        head: head.into_iter().map(Head::plain).collect(),
        rows: runs.iter().map(row).collect(),
    }
}

fn eigenvalue(pair: Option<&Eigenvalue>) -> Cell {
    let open = pair.is_some_and(|pair| !pair.converged);
    Cell::noted(
        PAGE.significant(pair.map(|pair| pair.value), 3),
        if open { "not converged" } else { "" },
    )
}

fn estimate(of: Option<&Estimate>) -> Cell {
    let error = of.and_then(|of| of.standard_error);
    Cell::noted(
        PAGE.significant(of.map(|of| of.value), 3),
        error.map_or_else(String::new, |e| format!("± {}", PAGE.significant(e, 2))),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use xsam_lab::files;

    #[test]
    fn what_was_not_measured_is_a_dash() {
        let run = tempfile::tempdir().unwrap();
        assert!(read(run.path()).unwrap().is_none());
        let path = run.path().join(layout::FLATNESS);
        let some = r#"{"run": "r", "epochs": 1, "samples": 64, "mode": "evaluation", "loss": 0.5, "trace": null,
            "sharpness": null, "eigenvalues": {"pairs": [{"value": 2.6354, "residual": 0.0, "converged": false}]}}"#;
        files::write(&path, some).unwrap();
        let measured = read(run.path()).unwrap().unwrap();
        let runs = [("a".to_owned(), &measured)];
        let table = table(&runs);
        let row = &table.rows[0];
        let cells: Vec<&str> = row.cells.iter().map(|cell| &*cell.text).collect();
        assert_eq!(cells.len() + 1, table.head.len());
        assert_eq!((cells[0], &*row.cells[0].note), ("2.64", "not converged"));
        assert_eq!(cells[2..7], [PAGE.missing; 5]);
        let over = "64 samples in evaluation mode, after 1 epoch";
        assert_eq!(measured_over(&runs), over);
        let mut other = read(run.path()).unwrap().unwrap();
        other.samples = 32;
        let both = measured_over(&[("a".to_owned(), &measured), ("b".to_owned(), &other)]);
        assert_eq!(both, format!("a: {over}; b: {}", over.replace("64", "32")));

        // Plots are of what was measured, if they are there.
        files::write(&run.path().join("directions.svg"), "<svg/>").unwrap();
        assert!(read(run.path()).unwrap().unwrap().pictures.is_empty());
        let more = r#""directions": {"rho": 0.1}, "density": {"probes": []}, "trace": null"#;
        files::write(&path, &some.replace(r#""trace": null"#, more)).unwrap();
        let measured = read(run.path()).unwrap().unwrap();
        let pictures = pictures(&[("a".to_owned(), &measured)]);
        let titles: Vec<&str> = pictures.iter().map(|p| &*p.title).collect();
        assert_eq!(titles, ["a: loss in the directions of the methods"]);

        files::write(&path, "{}").unwrap();
        let error = read(run.path()).unwrap_err().to_string();
        assert!(error.contains("flatness.json is damaged"), "{error}");
    }
}
