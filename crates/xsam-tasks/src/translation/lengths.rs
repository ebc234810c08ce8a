//! Pairs that are left out, and lines that are longer than any that is learned from.

use std::path::Path;

use serde::{Deserialize, Serialize};
use xsam_data::text::{EncodedPairs, SentencePairs};

/// Subwords that are read of a side of a validation or test pair, and with them the end of the sentence. More if training
/// pairs may be longer.
const MOST_READ: usize = 1024;

/// Lines that a warning names of a file.
const NAMED: usize = 5;

/// What becomes of the training pairs. Those that are in none of the three counts `subset` leaves out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainingPairs {
    /// Lines of each training file.
    pub lines: usize,
    /// Left out because a side is empty.
    pub empty: usize,
    /// Left out because a side has more than `translation.max_length` subwords.
    pub too_long: usize,
    /// Number of pairs that are learned from.
    pub used: usize,
}

/// Cuts the pairs of a validation or test part, where they are longer than what is read, and warns of each file with lines
/// that are longer than a training pair may be.
///
/// Attention takes memory and time with the square of a length: a line without end would take all there is.
pub(super) fn cut(
    pairs: &mut EncodedPairs,
    text: &SentencePairs,
    max_length: usize,
) -> Vec<String> {
    let most = max_length.max(MOST_READ);
    let [source, target] = text.files();
    let lengths = pairs.lengths();
    let (sources, targets): (Vec<_>, Vec<_>) = lengths.into_iter().unzip();
    let warnings = [
        warning(source, &sources, max_length, most),
        warning(target, &targets, max_length, most),
    ];
    pairs.cut(most);
    warnings.into_iter().flatten().collect()
}

fn warning(file: &Path, lengths: &[usize], max_length: usize, most: usize) -> Option<String> {
    let long = (1..)
        .zip(lengths)
        .filter(|&(_, &length)| length > max_length);
    let long: Vec<(usize, usize)> = long.map(|(line, &length)| (line, length)).collect();
    let named = long.iter().take(NAMED);
    let named = named.map(|(line, length)| format!("line {line} has {length} subwords"));
    let mut named: Vec<String> = named.collect();
    let longest = long.iter().map(|&(_, length)| length).max()?;
    if long.len() > NAMED {
        let more = long.len() - NAMED;
        named.push(format!("and {more} more have up to {longest}"));
    }
    let cut = match longest > most {
        true => format!("; after {most} the rest of a line is not read"),
        false => String::new(),
    };
    Some(format!(
        "{file}: longer than what is learned from (translation.max_length = {max_length}): {named}{cut}",
        file = file.display(),
        named = named.join(", "),
    ))
}

/// What of the training files is left out, if anything is.
pub(super) fn left_out(pairs: &TrainingPairs, max_length: usize) -> Option<String> {
    let TrainingPairs {
        lines,
        empty,
        too_long,
        ..
    } = pairs;
    let reasons = [
        (*empty, "with an empty side".to_owned()),
        (
            *too_long,
            format!("with a side of more than translation.max_length = {max_length} subwords"),
        ),
    ];
    let reasons = reasons.iter().filter(|(count, _)| *count > 0);
    let reasons: Vec<String> = reasons
        .map(|(count, reason)| format!("{count} {reason}"))
        .collect();
    let all = empty + too_long;
    let are = if all == 1 { "is" } else { "are" };
    (all > 0).then(|| {
        format!(
            "{all} of {lines} training pairs {are} left out: {}",
            reasons.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn long_lines_are_named_with_their_lengths() {
        let file = Path::new("test.de");
        let warned = |lengths: &[usize]| warning(file, lengths, 9, 20);
        assert_eq!(warned(&[]), None);
        assert_eq!(warned(&[9, 1]), None);
        assert_eq!(
            warned(&[9, 10, 1, 20]).unwrap(),
            "test.de: longer than what is learned from (translation.max_length = 9): line 2 has 10 subwords, line 4 has \
             20 subwords"
        );
        let warning = warned(&[10, 11, 12, 13, 14, 15, 99]).unwrap();
        assert!(
            warning.ends_with(
                "line 5 has 14 subwords, and 2 more have up to 99; after 20 the rest of a line is not read"
            ),
            "{warning}"
        );
    }

    #[test]
    fn pairs_that_are_left_out_are_counted_by_reason() {
        let told = |empty, too_long| {
            let pairs = TrainingPairs {
                lines: 200,
                empty,
                too_long,
                used: 0,
            };
            left_out(&pairs, 256)
        };
        assert_eq!(told(0, 0), None);
        let one = told(1, 0).unwrap();
        assert_eq!(
            one,
            "1 of 200 training pairs is left out: 1 with an empty side"
        );
        assert_eq!(
            told(2, 0).unwrap(),
            "2 of 200 training pairs are left out: 2 with an empty side"
        );
        assert_eq!(
            told(2, 1).unwrap(),
            "3 of 200 training pairs are left out: 2 with an empty side, 1 with a side of more than \
             translation.max_length = 256 subwords"
        );
    }
}
