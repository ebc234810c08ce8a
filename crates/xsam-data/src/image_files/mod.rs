//! Labelled image files, and from them to pixels.

mod decode;
mod header;
mod jpeg;
mod room;
mod shape;

use std::path::PathBuf;

pub(crate) use shape::Shape;

use crate::{DataError, Images};

/// The files of a part of a data set and their labels.
pub(crate) struct ImageFiles {
    pub(crate) files: Vec<PathBuf>,
    pub(crate) labels: Vec<usize>,
}

impl ImageFiles {
    /// Those at `indices`, which must exist.
    pub(crate) fn select(&self, indices: &[usize]) -> Self {
        let files = indices.iter().map(|&i| self.files[i].clone()).collect();
        let labels = indices.iter().map(|&i| self.labels[i]).collect();
        Self { files, labels }
    }

    /// Decodes them all, on all threads of rayon's pool.
    pub(crate) fn read(self, shape: Shape, class_names: &[String]) -> Result<Images, DataError> {
        let pixels = decode::pixels(&self.files, shape)?;
        Images::new(pixels, self.labels, shape.sizes(), class_names.to_vec())
    }
}
