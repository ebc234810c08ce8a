//! `[data]`: the data set, and what of it.

use std::path::PathBuf;

use xsam_data::{DataError, Dataset, DatasetName, Request, RequestError, Sizes, Validation, load};

use xsam_lab::spec::{SpecError, TrainSpec, check_seed};
use xsam_lab::{TaskError, sections};

/// More could never be of use: one prepares some 10^5 images of CIFAR a second.
const MOST_WORKERS: usize = 64;

sections! {
    /// `[data]`: the data set.
    pub struct DataSpec {
        /// The data set to learn.
        pub name: DatasetName = DatasetName::Digits,
        /// Where it is, unless it is built in; data/NAME if it is published and this is not given. Relative
        /// to the current directory unless it begins at the root.
        pub dir: Option<PathBuf>,
        /// image-folder: height and width to which images are resized, up to 16384; their own, which must then
        /// all be equal, if not given.
        pub image_size: Option<usize>,
        /// The share of the training images that is held out for validation, of each class; 0.1 if not given.
        /// Not for data with a validation part of their own.
        pub validation: Option<f64>,
        /// Decides which images are held out, for all seeds of a run alike; 10 if not given.
        pub split_seed: Option<u64>,
        /// parallel-text: the language to translate, which its files end in, as `de` of train.de.
        pub source: Option<String>,
        /// parallel-text: the language of the translations.
        pub target: Option<String>,
        /// Fraction of training labels that are replaced by random ones.
        pub label_noise: f64,
        /// Only so many training images: the first of each class, in proportion; of text the first pairs.
        pub subset: Option<usize>,
        /// How much of a target's probability is spread over all classes; 0 if not given, for text 0.1.
        pub label_smoothing: Option<f64>,
        /// Text: in place of `train.batch_size` the most tokens of a batch, pairs times the longest side of any; 4096
        /// if neither is given.
        pub batch_tokens: Option<usize>,
        /// Images: threads that prepare batches while others are used, which does not change what is in them;
        /// 1 if not given.
        pub workers: Option<usize>,
    }
}

impl DataSpec {
    /// All of the data set, without label noise.
    ///
    /// # Errors
    /// If a field cannot be, or the data cannot be read or are not as they must be.
    pub fn load(&self) -> Result<Dataset, TaskError> {
        self.check()?;
        load(self.name, &self.request()).map_err(|error| match error {
            DataError::Request(error) => of_field(error).into(),
            other => other.into(),
        })
    }

    fn request(&self) -> Request {
        Request {
            dir: self.dir.clone(),
            image_size: self.image_size,
            validation: self.validation,
            split_seed: self.split_seed,
            source: self.source.clone(),
            target: self.target.clone(),
        }
    }

    /// Checks what can be checked before the data are loaded.
    pub(super) fn check(&self) -> Result<(), SpecError> {
        let noise = self.label_noise;
        let ok = (0.0..=1.0).contains(&noise);
        SpecError::unless(ok, "data.label_noise", noise, "from 0 to 1")?;
        if noise > 0.0 && self.name.is_text() {
            let message = format!("{} is text, which has no labels: leave it out", self.name);
            return Err(SpecError::new("data.label_noise", message));
        }
        self.request().check(self.name).map_err(of_field)
    }

    /// Checks that there are as many of the training images or pairs as are asked for.
    pub(crate) fn check_subset(&self, all: usize) -> Result<(), SpecError> {
        let n = self.subset.unwrap_or(all);
        let ok = self.subset.is_none() || (1..=all).contains(&n);
        SpecError::unless(ok, "data.subset", n, &format!("from 1 to {all}"))
    }

    /// How large the data are, where that is known before they are loaded; of a subset, all of them.
    pub(super) fn sizes(&self) -> Option<Sizes> {
        self.request().sizes(self.name)
    }

    /// Fills in where the data are, and how the training images are divided if that is known before they
    /// are loaded.
    pub(super) fn resolve(&mut self) {
        self.dir = self.dir.take().or_else(|| self.name.default_folder());
        if self.name.is_divided() {
            self.validation.get_or_insert(Validation::SHARE);
            self.split_seed.get_or_insert(Validation::SEED);
        }
    }

    /// Fills in what the kind of data decides of batches and labels, and refuses what it has no use for.
    pub(super) fn resolve_batches(
        &mut self,
        train: &mut TrainSpec,
        longest: Option<usize>,
    ) -> Result<(), SpecError> {
        let data = self.name;
        let out = |key: &str, why: &str| {
            let message = format!("{data} is {why}: leave it out");
            Err(SpecError::new(format!("data.{key}"), message))
        };
        if data.is_text() {
            self.label_smoothing.get_or_insert(0.1);
            match (self.workers, train.batch_size, self.batch_tokens) {
                (Some(_), _, _) => return out("workers", "text, which takes no time to prepare"),
                (None, Some(_), Some(_)) => {
                    let message = "is one way to say how large a batch is, and train.batch_size is the other: \
                                   leave out one of them";
                    return Err(SpecError::new("data.batch_tokens", message));
                }
                (None, None, None) => self.batch_tokens = Some(4096),
                (None, _, _) => {}
            }
        } else {
            train.batch_size.get_or_insert(125);
            self.label_smoothing.get_or_insert(0.0);
            self.workers.get_or_insert(1);
            if self.batch_tokens.is_some() {
                return out("batch_tokens", "of images, which have none");
            }
        }
        if let Some(tokens) = self.batch_tokens {
            SpecError::within("data.batch_tokens", tokens, 1..=usize::MAX)?;
            if let Some(longest) = longest.filter(|longest| tokens < *longest) {
                let message =
                    format!("{tokens} must be at least translation.max_length = {longest}");
                return Err(SpecError::new("data.batch_tokens", message));
            }
        }
        let workers = self.workers.unwrap_or_default();
        SpecError::within("data.workers", workers, 0..=MOST_WORKERS)?;
        let smoothing = self.label_smoothing.unwrap_or_default();
        let ok = (0.0..1.0).contains(&smoothing);
        let range = "at least 0 and below 1";
        SpecError::unless(ok, "data.label_smoothing", smoothing, range)?;
        match self.split_seed {
            Some(seed) => check_seed("data.split_seed", seed),
            None => Ok(()),
        }
    }
}

/// An error with the name that the field has in a spec.
fn of_field(error: RequestError) -> SpecError {
    SpecError::new(format!("data.{}", error.field), error.message)
}
