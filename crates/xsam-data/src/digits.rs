//! Handwritten digits, built into the program: nothing to download.
//!
//! E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning
//! Repository, <https://doi.org/10.24432/C50P49>: its 1,797 images of the test file.

use std::fmt::Display;

use crate::stratify::split;
use crate::{
    Augmentation, DataError, Dataset, Facts, Images, Kind, Normalization, Origin, Sizes, Splits,
};

/// A line for each image, as in the source: its pixels, then its label. A pixel counts the dark points of a 4x4 cell.
const TABLE: &str = include_str!("digits.csv");
/// The built-in images and how they are split.
const SIZES: Sizes = Sizes {
    train: 1200,
    validation: 297,
    test: 300,
    channels: 1,
    height: 8,
    width: 8,
    classes: 10,
};
pub(crate) const FACTS: Facts = Facts {
    name: "digits",
    description: "handwritten digits, 8x8 grey pixels, built in (UCI, Alpaydin and Kaynak 1998)",
    holds: "nothing",
    kind: Kind::Images {
        sizes: Some(SIZES),
        augmentation: Augmentation::none(),
    },
    origin: Origin::BuiltIn,
    read: |_| digits().map(Dataset::Images),
};
/// Decides who is in which part, for good.
const SPLIT_SEED: u64 = 1797;

/// The 1,797 digits of 8x8 pixels in a fixed stratified split of 1,200 / 297 / 300.
///
/// Pixels are 0 to 16, as in the source.
///
/// # Errors
///
/// The data built into the program are damaged.
pub fn digits() -> Result<Splits, DataError> {
    let raw = raw()?;
    let parts = split(
        raw.labels(),
        raw.classes(),
        &[SIZES.train, SIZES.validation, SIZES.test],
        SPLIT_SEED,
    );
    let [train, validation, test] = parts.as_slice() else {
        return Err(damaged("the split has not three parts"));
    };
    let train = raw.select(train)?;
    Ok(Splits {
        normalization: Normalization::measure(&train),
        train,
        validation: raw.select(validation)?,
        test: raw.select(test)?,
    })
}

/// All images as the source has them.
fn raw() -> Result<Images, DataError> {
    let Sizes {
        channels,
        height,
        width,
        classes,
        ..
    } = SIZES;
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for (i, line) in TABLE.lines().enumerate() {
        let numbers: Result<Vec<u8>, _> = line.split(',').map(str::parse).collect();
        let numbers = numbers.map_err(|error| damaged(format!("line {}: {error}", i + 1)))?;
        if let Some((label, image)) = numbers.split_last() {
            labels.push(usize::from(*label));
            pixels.extend(image);
        }
    }
    let names = (0..classes).map(|digit| digit.to_string()).collect();
    Images::new(pixels, labels, [channels, height, width], names)
}

fn damaged(reason: impl Display) -> DataError {
    DataError::Failed(format!("the {} data are damaged: {reason}", FACTS.name))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::gather;

    /// FNV-1a of 64 bits.
    fn checksum(numbers: impl IntoIterator<Item = u64>) -> u64 {
        let bytes = numbers.into_iter().flat_map(u64::to_le_bytes);
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    }

    #[test]
    fn sizes_and_classes_are_as_described() {
        let splits = digits().unwrap();
        assert_eq!(splits.sizes(), SIZES);
        let raw = raw().unwrap().class_counts();
        for part in [&splits.train, &splits.validation, &splits.test] {
            for (count, whole) in part.class_counts().into_iter().zip(&raw) {
                let ideal = *whole as f64 * part.len() as f64 / 1797.0;
                assert!((count as f64 - ideal).abs() <= 1.0);
            }
        }
    }

    #[test]
    fn training_pixels_have_zero_mean_and_unit_variance() {
        let splits = digits().unwrap();
        let all: Vec<usize> = (0..splits.train.len()).collect();
        let (pixels, _) = gather(&splits.train, &splits.normalization, &all).unwrap();
        let n = pixels.len() as f64;
        let mean = pixels.iter().map(|&p| f64::from(p)).sum::<f64>() / n;
        let square = pixels.iter().map(|&p| f64::from(p).powi(2)).sum::<f64>() / n;
        assert!(mean.abs() < 1e-6 && (square - 1.0).abs() < 1e-6);
    }

    #[test]
    fn the_split_never_changes() {
        let raw = raw().unwrap();
        let parts = split(raw.labels(), 10, &[1200, 297, 300], SPLIT_SEED);
        let sums: Vec<u64> = parts
            .iter()
            .map(|part| checksum(part.iter().map(|&index| index as u64)))
            .collect();
        assert_eq!(
            sums,
            [
                13989971716209197077,
                16282638063403376035,
                5931335055169379234
            ]
        );
        let data = checksum(raw.pixels().iter().map(|&pixel| u64::from(pixel)));
        assert_eq!(data, 10875765521379583119);
    }
}
