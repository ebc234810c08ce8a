//! What a data set consists of, in a few lines, so that another one in its place is noticed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::text::{ParallelText, SentencePairs, Sentences};
use crate::{Images, Sizes, Splits};

/// Differences of one kind that are told one by one.
const MOST_TOLD: usize = 5;

/// What a data set consists of: classes, numbers, and hashes of what was read, in its order, which decides the batches.
/// Where and when its files were written is not part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum DatasetPrint {
    /// The print of images and their classes.
    Images(ImagesPrint),
    /// Of pairs of sentences.
    Text(Parts<TextPart>),
}

/// What a data set of images consists of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImagesPrint {
    /// Names of the classes, in the order of the labels.
    pub classes: Vec<String>,
    /// Channels, height and width of an image.
    pub shape: [usize; 3],
    /// The images of each part.
    #[serde(flatten)]
    pub parts: Parts<ImagePart>,
}

/// What there is to tell of each part of a data set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parts<T> {
    /// Of what is learned from.
    pub train: T,
    /// Of what is chosen by.
    pub validation: T,
    /// Of what is reported on.
    pub test: T,
}

/// A part of a data set of images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImagePart {
    /// Images of each class.
    pub images: Vec<usize>,
    /// XXH3 of labels and pixels, 128 bits in hexadecimal.
    pub hash: String,
}

/// A part of a data set for translation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextPart {
    /// Number of pairs of sentences.
    pub pairs: usize,
    /// XXH3 of the sentences to translate, 128 bits in hexadecimal.
    pub source: String,
    /// The same of their translations.
    pub target: String,
}

impl<T> Parts<T> {
    /// The names of the parts, and what is told of each here and there.
    fn beside<'a>(&'a self, other: &'a Self) -> [(&'static str, &'a T, &'a T); 3] {
        [
            ("train", &self.train, &other.train),
            ("validation", &self.validation, &other.validation),
            ("test", &self.test, &other.test),
        ]
    }
}

impl DatasetPrint {
    /// What these images consist of.
    pub fn of_images(splits: &Splits) -> Self {
        let part = |images: &Images| ImagePart {
            images: images.class_counts(),
            hash: hash_of_images(images),
        };
        let images = &splits.train;
        Self::Images(ImagesPrint {
            classes: images.class_names().to_vec(),
            shape: [images.channels(), images.height(), images.width()],
            parts: Parts {
                train: part(images),
                validation: part(&splits.validation),
                test: part(&splits.test),
            },
        })
    }

    /// What these sentences consist of.
    pub fn of_text(text: &ParallelText) -> Self {
        let part = |pairs: &SentencePairs| TextPart {
            pairs: pairs.len(),
            source: hash_of_sentences(pairs.source()),
            target: hash_of_sentences(pairs.target()),
        };
        Self::Text(Parts {
            train: part(&text.train),
            validation: part(&text.validation),
            test: part(&text.test),
        })
    }

    /// How large a data set of images is.
    pub fn sizes(&self) -> Option<Sizes> {
        let Self::Images(print) = self else {
            return None;
        };
        let [channels, height, width] = print.shape;
        let count = |part: &ImagePart| part.images.iter().sum();
        Some(Sizes {
            train: count(&print.parts.train),
            validation: count(&print.parts.validation),
            test: count(&print.parts.test),
            channels,
            height,
            width,
            classes: print.classes.len(),
        })
    }

    /// Whether a model for data of this fingerprint is one for those of another: as many classes, of images of one shape.
    pub fn is_for_the_model_of(&self, other: &Self) -> bool {
        let image = |print: &Self| match print {
            Self::Images(print) => Some((print.classes.len(), print.shape)),
            Self::Text(_) => None,
        };
        image(self) == image(other)
    }

    /// In what the data `now` differ from these, in a few phrases; none if they are the same.
    pub fn differences(&self, now: &Self) -> Vec<String> {
        match (self, now) {
            (Self::Images(was), Self::Images(now)) => images_differ(was, now),
            (Self::Text(was), Self::Text(now)) => text_differs(was, now),
            (Self::Images(_), Self::Text(_)) => vec!["they are text, not images".to_owned()],
            (Self::Text(_), Self::Images(_)) => vec!["they are images, not text".to_owned()],
        }
    }
}

fn hash_of_images(images: &Images) -> String {
    let mut hash = Xxh3::new();
    let labels = images.labels().iter();
    let labels: Vec<u8> = labels.flat_map(|&l| (l as u64).to_le_bytes()).collect();
    hash.update(&labels);
    hash.update(images.pixels());
    digits(&hash)
}

fn hash_of_sentences(sentences: &Sentences) -> String {
    let mut hash = Xxh3::new();
    for sentence in sentences.iter() {
        hash.update(&(sentence.len() as u64).to_le_bytes());
        hash.update(sentence.as_bytes());
    }
    digits(&hash)
}

fn digits(hash: &Xxh3) -> String {
    format!("{:032x}", hash.digest128())
}

fn images_differ(was: &ImagesPrint, now: &ImagesPrint) -> Vec<String> {
    let mut differences = classes_differ(&was.classes, &now.classes);
    if was.shape != now.shape {
        let [[c, h, w], [other_c, other_h, other_w]] = [now.shape, was.shape];
        differences.push(format!(
            "images are {w}x{h} in {c} channels, not {other_w}x{other_h} in {other_c}"
        ));
    }
    let same_kind = differences.is_empty();
    for (name, part, part_now) in was.parts.beside(&now.parts) {
        let counts = |print: &ImagesPrint, part: &ImagePart| -> BTreeMap<String, usize> {
            let counts = part.images.iter().copied();
            print.classes.iter().cloned().zip(counts).collect()
        };
        let before = counts(was, part);
        let other = counts(now, part_now).into_iter().filter_map(|(class, n)| {
            let m = before.get(&class).filter(|m| **m != n)?;
            let images = if n == 1 { "image" } else { "images" };
            Some(format!("{name}/{class} has {n} {images}, not {m}"))
        });
        let other: Vec<String> = other.collect();
        if !other.is_empty() {
            differences.push(listed(other, "; "));
        } else if same_kind && part.hash != part_now.hash {
            differences.push(format!(
                "the {name} part has other images, or others of its labels, or another order"
            ));
        }
    }
    differences
}

fn classes_differ(was: &[String], now: &[String]) -> Vec<String> {
    let mut differences = Vec::new();
    if was == now {
        return differences;
    }
    let missing = |of: &[String], from: &[String]| -> Vec<String> {
        let missing = of.iter().filter(|name| !from.contains(name));
        missing.map(|name| format!("{name:?}")).collect()
    };
    for (names, what) in [(missing(was, now), "gone"), (missing(now, was), "new")] {
        match names.len() {
            0 => {}
            1 => differences.push(format!("class {} is {what}", names[0])),
            _ => differences.push(format!("classes {} are {what}", listed(names, ", "))),
        }
    }
    if differences.is_empty() {
        differences.push("the classes are in another order".to_owned());
    }
    differences
}

fn text_differs(was: &Parts<TextPart>, now: &Parts<TextPart>) -> Vec<String> {
    let mut differences = Vec::new();
    for (name, was, now) in was.beside(now) {
        if was.pairs != now.pairs {
            let (n, m) = (now.pairs, was.pairs);
            differences.push(format!("the {name} part has {n} pairs, not {m}"));
            continue;
        }
        let sides = [
            ("sources", &was.source, &now.source),
            ("translations", &was.target, &now.target),
        ];
        for (side, _, _) in sides.iter().filter(|(_, was, now)| was != now) {
            differences.push(format!(
                "the {name} part has other {side}, or another order"
            ));
        }
    }
    differences
}

/// The first few of them, and how many more there are.
fn listed(mut of: Vec<String>, separator: &str) -> String {
    let more = of.len().saturating_sub(MOST_TOLD);
    of.truncate(MOST_TOLD);
    match more {
        0 => of.join(separator),
        more => format!("{} and {more} more", of.join(separator)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::{Normalization, digits as built_in};

    /// Images of two pixels whose labels are given, and whose pixels begin with `first`.
    fn images(labels: &[usize], names: &[&str], first: u8) -> Images {
        let pixels = (0..labels.len()).flat_map(|i| [first, i as u8]).collect();
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        Images::new(pixels, labels.to_vec(), [1, 1, 2], names).unwrap()
    }

    fn print(train: Images, test: Images) -> DatasetPrint {
        let normalization = Normalization::measure(&train);
        let validation = images(&[0, 1], &["cat", "dog"], 0);
        DatasetPrint::of_images(&Splits {
            train,
            validation,
            test,
            normalization,
        })
    }

    #[test]
    fn it_is_said_what_of_the_images_has_changed() {
        let names = ["cat", "dog"];
        let test = || images(&[0, 1], &names, 9);
        let was = print(images(&[0, 0, 1], &names, 1), test());
        let told = |now: &DatasetPrint| was.differences(now).join("; ");
        assert_eq!(told(&print(images(&[0, 0, 1], &names, 1), test())), "");
        let other = "has other images, or others of its labels, or another order";
        for (labels, names, test_pixel, expected) in [
            (&[0, 0, 0, 1][..], names, 9, "train/cat has 3 images, not 2"),
            (&[0, 1], names, 9, "train/cat has 1 image, not 2"),
            (&[0, 0, 1], names, 8, &format!("the test part {other}")),
            // As many of each class, and the labels of two swapped.
            (&[0, 1, 0], names, 9, &format!("the train part {other}")),
            (
                &[1, 1, 0],
                ["dog", "zebra"],
                9,
                "class \"cat\" is gone; class \"zebra\" is new",
            ),
            (
                &[1, 1, 0],
                ["dog", "cat"],
                9,
                "the classes are in another order",
            ),
        ] {
            let test = images(&[0, 1], &["cat", "dog"], test_pixel);
            let now = print(images(labels, &names, 1), test);
            assert_eq!(told(&now), expected);
            assert!(was.is_for_the_model_of(&now));
        }
        let more = print(images(&[0, 1, 2], &["cat", "dog", "emu"], 1), test());
        let expected = "class \"emu\" is new; train/cat has 1 image, not 2";
        assert_eq!(told(&more), expected);
        assert!(!was.is_for_the_model_of(&more));
    }

    #[test]
    fn it_is_said_which_sentences_have_changed() {
        let pairs = |source: &[&str], target: &[&str]| SentencePairs::new(source, target);
        let text = |test: SentencePairs| {
            DatasetPrint::of_text(&ParallelText {
                train: pairs(&["a b", "c"], &["x", "y"]),
                validation: pairs(&["d"], &["z"]),
                test,
                left_out: 0,
            })
        };
        let was = text(pairs(&["e", "f"], &["v", "w"]));
        assert!(was.differences(&was).is_empty());
        for (test, expected) in [
            (pairs(&["e"], &["v"]), "the test part has 1 pairs, not 2"),
            (
                pairs(&["e", "f"], &["v", "u"]),
                "the test part has other translations, or another order",
            ),
            // The same characters, divided into sentences in another place.
            (
                pairs(&["", "ef"], &["v", "w"]),
                "the test part has other sources, or another order",
            ),
        ] {
            assert_eq!(was.differences(&text(test)), [expected]);
        }
    }

    #[test]
    fn a_fingerprint_is_the_same_every_time_and_survives_being_written() {
        let splits = built_in().unwrap();
        let print = DatasetPrint::of_images(&splits);
        assert_eq!(print, DatasetPrint::of_images(&splits));
        let text = serde_json::to_string(&print).unwrap();
        assert_eq!(serde_json::from_str::<DatasetPrint>(&text).unwrap(), print);
        assert_eq!(print.sizes(), Some(splits.sizes()));
        let start = "{\"kind\":\"images\",\"classes\":[\"0\",";
        assert!(text.starts_with(start), "{text}");
        assert!(
            text.contains("],\"shape\":[1,8,8],\"train\":{\"images\":["),
            "{text}"
        );
    }
}
