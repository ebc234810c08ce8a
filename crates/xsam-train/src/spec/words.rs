//! What a spec says, in words.

use super::Spec;

impl Spec {
    /// What is learned: the data, where they are if that is not by their name, and the noise in their labels.
    pub fn data_in_words(&self) -> String {
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

    /// The experiment but for its method and seed, in a line.
    pub fn in_words(&self) -> String {
        let resolved = self.clone().resolved();
        let train = resolved
            .as_ref()
            .map_or(&self.train, |resolved| &resolved.train);
        let batch = match (train.batch_size, train.batch_tokens) {
            (Some(size), _) => format!("batch {size}"),
            (None, Some(tokens)) => format!("batches of {tokens} tokens"),
            (None, None) => "batches of the default size".to_owned(),
        };
        format!(
            "{}, {}, {} epochs, {batch}, {} with lr {}",
            self.data_in_words(),
            self.model.name,
            train.epochs,
            self.optimizer.name,
            self.optimizer.lr,
        )
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
        let (spec, _) = Spec::parse("", &settings).unwrap();
        assert_eq!(
            spec.in_words(),
            "digits with 7 % label noise, cnn, 60 epochs, batch 100, sgd with lr 0.05"
        );
        // As many as there are by default, though nobody said so.
        let (spec, _) = Spec::parse("", &settings[..3]).unwrap();
        assert!(spec.in_words().contains("60 epochs, batch 125, sgd"));
    }
}
