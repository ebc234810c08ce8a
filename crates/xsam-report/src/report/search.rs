//! The searches for alpha of a run, and the curves that they found.

use std::path::Path;

use super::curves::{COLOURS, Curves, Drawing, Palette};
use super::thin::spread_out;
use crate::plot::{Line, Point, bounds};
use xsam_lab::numbers::PAGE;
use xsam_lab::{Error, SEARCH_COLUMNS, csv_file, layout};

/// A search: the loss at each position that it tried.
#[derive(Debug, PartialEq)]
pub(super) struct Search {
    epoch: usize,
    step: usize,
    /// Position and loss, which need not be finite.
    points: Vec<(f64, f64)>,
}

/// The searches of the run in `run`, in their order; none if it has not searched.
///
/// # Errors
/// If the file cannot be read, or is not one of searches.
pub(super) fn read(run: &Path) -> Result<Vec<Search>, Error> {
    let path = run.join(layout::SEARCH);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let mut searches: Vec<Search> = Vec::new();
    csv_file::read(&path, Some(&SEARCH_COLUMNS), |columns, fields| {
        let candidate = candidate(fields);
        let (epoch, step, alpha, loss) =
            candidate.ok_or_else(|| format!("it is not {}", columns.join(",")))?;
        match searches.last_mut() {
            Some(search) if (search.epoch, search.step) == (epoch, step) => {
                search.points.push((alpha, loss));
            }
            _ => searches.push(Search {
                epoch,
                step,
                points: vec![(alpha, loss)],
            }),
        }
        Ok(())
    })?;
    Ok(searches)
}

fn candidate(fields: &[&str]) -> Option<(usize, usize, f64, f64)> {
    let [epoch, step, alpha, loss] = fields else {
        return None;
    };
    let alpha = alpha.parse().ok().filter(|alpha: &f64| alpha.is_finite())?;
    let [epoch, step] = [epoch, step].map(|number| number.parse().ok());
    Some((epoch?, step?, alpha, loss.parse().ok()?))
}

/// The loss over alpha in a choice of epochs, by the first search of each, from the first epoch to the last. Each curve is
/// drawn from its lowest loss to its highest: while a model learns, curves sink by far more than they are high.
pub(super) fn drawing(title: &str, searches: &[Search]) -> Option<Drawing> {
    let epochs = searches.chunk_by(|a, b| a.epoch == b.epoch);
    let firsts: Vec<&Search> = epochs.filter_map(|epoch| epoch.first()).collect();
    let line = |(number, search): (usize, &&Search)| {
        let losses = search.points.iter().map(|(_, loss)| *loss);
        let [low, high] = bounds(losses.filter(|loss| loss.is_finite()));
        let share = |loss: f64| match high > low {
            true => (loss - low) / (high - low),
            // A flat curve, and no place for what is not finite.
            false => loss - low,
        };
        let points = search.points.iter();
        let mut points: Vec<Point> = points.map(|&(x, y)| Point::at(x, share(y))).collect();
        points.sort_by(|a, b| a.x.total_cmp(&b.x));
        let (low, high) = (PAGE.significant(low, 4), PAGE.significant(high, 4));
        Line {
            label: format!("epoch {}: loss {low} to {high}", search.epoch),
            colour: number,
            points,
        }
    };
    let chosen = spread_out(&firsts, COLOURS);
    Curves {
        title,
        x: "alpha",
        y: "loss, from lowest (0) to highest (1)",
        lines: chosen.iter().enumerate().map(line).collect(),
        palette: Palette::Sequence,
        places: Vec::new(),
    }
    .drawing()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use xsam_lab::files;

    fn read_text(text: &str) -> Result<Vec<Search>, Error> {
        let run = tempfile::tempdir().unwrap();
        files::write(&run.path().join(layout::SEARCH), text).unwrap();
        read(run.path())
    }

    #[test]
    fn searches_are_told_apart() {
        let text = "epoch,step,alpha,loss\n1,1,0,2.5\n1,1,0.1,NaN\n1,9,0,2.25\n2,1,0,inf\n";
        let searches = read_text(text).unwrap();
        let starts: Vec<_> = searches.iter().map(|s| (s.epoch, s.step)).collect();
        assert_eq!(starts, [(1, 1), (1, 9), (2, 1)]);
        assert_eq!(searches[1].points, [(0.0, 2.25)]);
        // Of epoch 1 the first search, without what is not finite; of epoch 2 nothing is left.
        let drawn = format!("{:?}", drawing("Search", &searches).unwrap());
        assert!(drawn.contains("epoch 1") && !drawn.contains("epoch 2"));
        assert!(!drawn.contains("NaN") && !drawn.contains("inf"), "{drawn}");
        assert!(drawing("Search", &[]).is_none());
    }

    #[test]
    fn a_damaged_file_is_told_with_its_line() {
        for (text, reason) in [
            ("", "its first line"),
            ("epoch,alpha,loss\n", "its first line"),
            ("epoch,step,alpha,loss\n1,1,0\n", "line 2"),
            ("epoch,step,alpha,loss\n1,1,0,1\n1,1,x,1\n", "line 3"),
            ("epoch,step,alpha,loss\n1,1,NaN,1\n", "line 2"),
        ] {
            let error = read_text(text).unwrap_err().to_string();
            assert!(
                error.contains("search.csv") && error.contains(reason),
                "{error}"
            );
        }
        assert!(
            read(tempfile::tempdir().unwrap().path())
                .unwrap()
                .is_empty()
        );
    }
}
