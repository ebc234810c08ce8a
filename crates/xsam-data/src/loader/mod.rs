//! The batches of an epoch, prepared while others are used.

mod prefetch;

use std::time::Duration;

use crate::{Batch, DataError, Pipeline};
use prefetch::Prefetch;

/// How an epoch is cut into batches and who prepares them. None of it but `batch_size` decides
/// what is in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoaderConfig {
    /// Images in a batch; the last may have fewer. At least 1.
    pub batch_size: usize,
    /// Threads that prepare batches. 0: each is prepared when it is asked for, by who asks.
    pub workers: usize,
    /// Batches that are being prepared or wait to be used, at most: so many are in memory beside
    /// the one in use. At least 1.
    pub ahead: usize,
}

/// The batches of an epoch in their order. Threads of its own prepare them ahead.
///
/// ```
/// use xsam_data::{Augmentation, Loader, LoaderConfig, Pipeline, digits, order};
///
/// let data = digits()?;
/// let n = data.train.len();
/// let pipeline = Pipeline::new(data.train, data.normalization, Augmentation::none(), 42)?;
/// let config = LoaderConfig { batch_size: 125, workers: 1, ahead: 2 };
/// let mut loader = Loader::new(&pipeline, 0, order(n, 42, 0), config)?;
/// for batch in &mut loader {
///     let batch = batch?;
///     assert_eq!(batch.pixels.len(), batch.labels.len() * 8 * 8);
/// }
/// println!("waited for {:?}", loader.waited());
/// # Ok::<(), xsam_data::DataError>(())
/// ```
///
/// The threads sleep when there is nothing to do, and are not those of rayon's pool. Dropping the
/// loader stops them and waits until they have, which takes no longer than a batch. After an
/// error, or a panic in the preparation, which becomes an error, there are no more batches.
#[derive(Debug)]
pub struct Loader(Prefetch<Batch>);

impl Loader {
    /// Starts to prepare the images of `order` as they look in `epoch`.
    ///
    /// # Errors
    ///
    /// A batch size of zero, nothing ahead, or no thread to be had.
    pub fn new(
        pipeline: &Pipeline,
        epoch: u64,
        order: Vec<usize>,
        config: LoaderConfig,
    ) -> Result<Self, DataError> {
        let size = config.batch_size;
        let batches = crate::batches(&order, size)?.len();
        let pipeline = pipeline.clone();
        let prepare = move |batch: usize| {
            let rest = &order[batch * size..];
            pipeline.gather(epoch, &rest[..size.min(rest.len())])
        };
        Prefetch::new(prepare, batches, config.workers, config.ahead).map(Self)
    }

    /// How long `next` has kept its caller waiting so far: the time that training has lost to the
    /// preparation of batches. Without workers that is all of the preparation.
    pub fn waited(&self) -> Duration {
        self.0.waited()
    }
}

impl Iterator for Loader {
    type Item = Result<Batch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}
