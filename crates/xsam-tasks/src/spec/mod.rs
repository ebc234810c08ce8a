//! The sections of a spec that are our tasks' own: `[data]`, `[augmentation]`, `[model]` and `[translation]`.

mod augmentation;
mod data;
mod model;
mod translation;

use xsam_data::Sizes;
use xsam_lab::sections;
use xsam_lab::spec::{Spec, SpecError, TaskSpec, TrainSpec};
use xsam_models::ModelConfig;

pub use augmentation::AugmentationSpec;
pub use data::DataSpec;
pub use model::{ModelName, ModelSpec};
pub use translation::{BleuWords, TranslationSpec};

/// The spec of a run of one of our tasks.
pub type OurSpec = Spec<OurSections>;

sections! {
    /// The sections of our tasks.
    pub struct OurSections {
        /// The data set, and how it is cut and augmented.
        pub data: DataSpec,
        /// What is varied in it from epoch to epoch.
        pub augmentation: AugmentationSpec,
        /// The model that learns it.
        pub model: ModelSpec,
        /// How text is cut up, translated and scored.
        pub translation: TranslationSpec,
    }
}

impl TaskSpec for OurSections {
    const TUNED: &'static [&'static str] = &["augmentation", "model"];
    const PLACES: &'static [&'static str] = &["data.dir"];
    const FREE: &'static [&'static str] = &["data.workers"];
    const FURTHER: &'static str =
        "translating the validation and test data, if translations are as long as the right ones,";
    const RENAMED: &'static [(&'static str, &'static str)] = &[
        ("model.init", "train.init"),
        ("train.batch_tokens", "data.batch_tokens"),
        ("train.label_smoothing", "data.label_smoothing"),
        ("train.workers", "data.workers"),
    ];

    fn resolve(&mut self, train: &mut TrainSpec) -> Result<(), SpecError> {
        self.resolve_data()?;
        let data = self.data.name;
        self.model.resolve(data)?;
        self.translation.resolve(data)?;
        self.data
            .resolve_batches(train, self.translation.max_length)?;
        match self.data.sizes() {
            Some(sizes) => self.check_data(sizes),
            None => Ok(()),
        }
    }

    /// The data, where they are if that is not by their name, and the noise in their labels.
    fn learned(&self) -> String {
        let data = &self.data;
        let folder = match &data.dir {
            None => String::new(),
            Some(dir) => format!(" {}", dir.display()),
        };
        let noise = match data.label_noise {
            0.0 => String::new(),
            // Without what rounding adds: 100 times 0.07 is a little more than 7.
            noise => format!(" with {} % label noise", (1e8 * noise).round() / 1e6),
        };
        format!("{}{folder}{noise}", data.name)
    }

    fn model_name(&self) -> String {
        self.model.name.to_string()
    }

    fn label(&self) -> String {
        format!("{}-{}", self.data.name, self.model.name)
    }

    fn batch_in_words(&self, train: &TrainSpec) -> Option<String> {
        Some(match (train.batch_size, self.data.batch_tokens) {
            (Some(size), _) => format!("batch {size}"),
            (None, Some(tokens)) => format!("batches of {tokens} tokens"),
            (None, None) => "batches of the default size".to_owned(),
        })
    }

    fn further_every(&self, train: &TrainSpec) -> Option<usize> {
        let every = self.translation.bleu_every.unwrap_or(train.epochs);
        self.data.name.is_text().then_some(every)
    }
}

impl OurSections {
    /// The values of `[data]` and `[augmentation]` that a run uses, and no others; both checked.
    ///
    /// # Errors
    /// Names the first key of them whose value cannot be, and what could.
    pub fn resolve_data(&mut self) -> Result<(), SpecError> {
        self.data.check()?;
        self.data.resolve();
        self.augmentation.check()?;
        self.augmentation.resolve(self.data.name)?;
        match self.data.sizes() {
            Some(sizes) => self.augmentation.check_size(sizes),
            None => Ok(()),
        }
    }

    /// Checks what depends on how large the data are.
    pub(crate) fn check_data(&self, sizes: Sizes) -> Result<(), SpecError> {
        self.data.check_subset(sizes.train)?;
        if sizes.width != sizes.height {
            let (width, height) = (sizes.width, sizes.height);
            let message = format!(
                "the images are {width}x{height} pixels, and the models take squares: say of what \
                 size"
            );
            return Err(SpecError::new("data.image_size", message));
        }
        self.augmentation.check_size(sizes)?;
        self.model_config(sizes)?.check().map_err(model::at_fault)
    }

    /// The model for images of these sizes.
    ///
    /// # Errors
    /// If it is not for images.
    pub fn model_config(&self, sizes: Sizes) -> Result<ModelConfig, SpecError> {
        match self.model.name {
            name @ ModelName::Transformer => {
                let message = format!("{name} is not for images");
                Err(SpecError::new("model.name", message))
            }
            ModelName::Image(name) => Ok(ModelConfig {
                name,
                channels: sizes.channels,
                image_size: sizes.height,
                classes: sizes.classes,
                variant: self.model.variant(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn an_experiment_in_a_line() {
        let settings = [
            "data.label_noise=0.07",
            "model.name=cnn",
            "train.epochs=60",
            "train.batch_size=100",
        ]
        .map(str::to_owned);
        let (spec, _) = OurSpec::parse("", &settings).unwrap();
        assert_eq!(
            spec.resolved().unwrap().about().words,
            "digits with 7 % label noise, cnn, 60 epochs, batch 100, sgd with lr 0.05"
        );
        // As many as there are by default, though nobody said so.
        let (spec, _) = OurSpec::parse("", &settings[..3]).unwrap();
        let words = spec.resolved().unwrap().about().words;
        assert!(words.contains("60 epochs, batch 125, sgd"), "{words}");
    }
}
