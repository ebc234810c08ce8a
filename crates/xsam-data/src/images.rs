//! Labelled images in memory.

use std::sync::Arc;

use crate::DataError;

/// Labelled images of one size, a byte a pixel and channel. Every label names a class.
///
/// Clones share their pixels.
#[derive(Clone, Debug, PartialEq)]
pub struct Images {
    pixels: Arc<Vec<u8>>,
    labels: Vec<usize>,
    shape: [usize; 3],
    class_names: Vec<String>,
}

impl Images {
    /// Images from their pixels, `[image, channel, height, width]` and row-major, one label each.
    ///
    /// `shape` is channels, height and width. There are as many classes as names.
    ///
    /// # Errors
    ///
    /// A size of zero, the wrong number of pixels, or a label that names no class. No images at all
    /// is no error.
    pub fn new(
        pixels: Vec<u8>,
        labels: Vec<usize>,
        shape: [usize; 3],
        class_names: Vec<String>,
    ) -> Result<Self, DataError> {
        let sizes = [
            ("channels", shape[0]),
            ("height", shape[1]),
            ("width", shape[2]),
            ("classes", class_names.len()),
        ];
        if let Some(&(field, _)) = sizes.iter().find(|(_, size)| *size == 0) {
            return Err(DataError::Zero { field });
        }
        // Saturated sizes cannot equal the length of a real vector.
        let per_image = shape.into_iter().fold(1, usize::saturating_mul);
        let expected = per_image.saturating_mul(labels.len());
        if pixels.len() != expected {
            let (images, actual) = (labels.len(), pixels.len());
            return Err(DataError::Unfit(format!(
                "{images} images of {per_image} pixels need {expected} pixels, {actual} were given"
            )));
        }
        check_labels(&labels, class_names.len())?;
        Ok(Self {
            pixels: Arc::new(pixels),
            labels,
            shape,
            class_names,
        })
    }

    /// The same images with other labels.
    ///
    /// # Errors
    ///
    /// The wrong number of labels, or one that names no class.
    pub fn with_labels(&self, labels: Vec<usize>) -> Result<Self, DataError> {
        if labels.len() != self.len() {
            let (images, actual) = (self.len(), labels.len());
            return Err(DataError::Unfit(format!(
                "{images} images need {images} labels, {actual} were given"
            )));
        }
        check_labels(&labels, self.classes())?;
        Ok(Self {
            labels,
            ..self.clone()
        })
    }

    /// The images at `indices`, in that order; repetitions are allowed.
    ///
    /// # Errors
    ///
    /// An index beyond the last image.
    pub fn select(&self, indices: &[usize]) -> Result<Self, DataError> {
        let mut pixels = Vec::with_capacity(indices.len() * self.pixels_per_image());
        let mut labels = Vec::with_capacity(indices.len());
        for &index in indices {
            pixels.extend_from_slice(self.image(index)?);
            labels.push(self.labels[index]);
        }
        Ok(Self {
            pixels: Arc::new(pixels),
            labels,
            shape: self.shape,
            class_names: self.class_names.clone(),
        })
    }

    /// The pixels of one image, `[channel, height, width]`.
    ///
    /// # Errors
    ///
    /// An index beyond the last image.
    pub fn image(&self, index: usize) -> Result<&[u8], DataError> {
        let size = self.pixels_per_image();
        self.pixels
            .chunks_exact(size)
            .nth(index)
            .ok_or(DataError::Index {
                what: "image",
                index,
                len: self.len(),
            })
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// All pixels, `[image, channel, height, width]`.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// One label per image.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// Channels of each image.
    pub fn channels(&self) -> usize {
        self.shape[0]
    }

    /// Height of each image in pixels.
    pub fn height(&self) -> usize {
        self.shape[1]
    }

    /// Width of each image in pixels.
    pub fn width(&self) -> usize {
        self.shape[2]
    }

    /// Channels times height times width.
    pub fn pixels_per_image(&self) -> usize {
        self.shape.iter().product()
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.class_names.len()
    }

    /// The name of every class; a label is a position in it.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// The number of images of every class.
    pub fn class_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes()];
        for &label in &self.labels {
            counts[label] += 1;
        }
        counts
    }
}

fn check_labels(labels: &[usize], classes: usize) -> Result<(), DataError> {
    match labels.iter().enumerate().find(|(_, l)| **l >= classes) {
        Some((image, label)) => Err(DataError::Unfit(format!(
            "image {image} has label {label}, but there are only {classes} classes"
        ))),
        None => Ok(()),
    }
}

/// `labels.len()` images of shape 1x1x2 whose pixels tell their index, modulo 256.
#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) fn numbered(labels: &[usize], classes: usize) -> Images {
    let pixels = (0..labels.len()).flat_map(|i| [i as u8, u8::MAX - i as u8]);
    let names = (0..classes).map(|c| c.to_string()).collect();
    Images::new(pixels.collect(), labels.to_vec(), [1, 1, 2], names).unwrap()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn build(
        pixels: Vec<u8>,
        labels: Vec<usize>,
        shape: [usize; 3],
        classes: usize,
    ) -> Result<Images, DataError> {
        Images::new(pixels, labels, shape, vec![String::new(); classes])
    }

    #[test]
    fn every_inconsistency_is_refused() {
        assert!(build(vec![0; 4], vec![0, 1], [1, 1, 2], 2).is_ok());
        assert!(build(vec![], vec![], [1, 1, 2], 2).is_ok());
        for (shape, classes, field) in [
            ([0, 1, 2], 2, "channels"),
            ([1, 0, 2], 2, "height"),
            ([1, 1, 0], 2, "width"),
            ([1, 1, 2], 0, "classes"),
        ] {
            let result = build(vec![], vec![], shape, classes);
            assert_eq!(result, Err(DataError::Zero { field }));
        }
        let short = build(vec![0; 3], vec![0, 1], [1, 1, 2], 2).unwrap_err();
        let message = "2 images of 2 pixels need 4 pixels, 3 were given";
        assert_eq!(short.to_string(), message);
        let huge = build(vec![0; 3], vec![0, 1], [usize::MAX, 2, 2], 2).unwrap_err();
        assert!(
            huge.to_string().ends_with(" pixels, 3 were given"),
            "{huge}"
        );
        let label = build(vec![0; 4], vec![0, 2], [1, 1, 2], 2).unwrap_err();
        assert_eq!(
            label.to_string(),
            "image 1 has label 2, but there are only 2 classes"
        );
    }

    #[test]
    fn select_takes_what_it_is_told() {
        let images = numbered(&[0, 1, 2, 1], 3);
        let some = images.select(&[3, 0, 3]).unwrap();
        assert_eq!(some.labels(), [1, 0, 1]);
        assert_eq!(some.pixels(), [3, 252, 0, 255, 3, 252]);
        assert_eq!(some.class_counts(), [1, 2, 0]);
        assert!(images.select(&[]).unwrap().is_empty());
        let beyond = images.select(&[4]).unwrap_err();
        assert_eq!(beyond.to_string(), "image 4 does not exist, there are 4");
        assert!(images.image(usize::MAX).is_err());
    }

    #[test]
    fn labels_can_be_replaced_by_valid_ones_only() {
        let images = numbered(&[0, 1], 2);
        assert_eq!(images.with_labels(vec![1, 0]).unwrap().labels(), [1, 0]);
        for (labels, message) in [
            (vec![1], "2 images need 2 labels, 1 were given"),
            (
                vec![1, 2],
                "image 1 has label 2, but there are only 2 classes",
            ),
        ] {
            let error = images.with_labels(labels).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }
}
