//! Tiny ImageNet.
//!
//! Y. Le and X. Yang, Tiny ImageNet Visual Recognition Challenge, course CS231N at Stanford, 2015,
//! <http://cs231n.stanford.edu/tiny-imagenet-200.zip>. It has no licence of its own; its images are
//! of ImageNet (O. Russakovsky et al., 2015, <https://www.image-net.org>), which are given for
//! non-commercial research and education.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use crate::fetch::{RemoteFile, Unpack};
use crate::files::{Fault, FileError, Source, lines};
use crate::image_files::{ImageFiles, Shape};
use crate::{
    Augmentation, DataError, Facts, Kind, Normalization, Origin, Sizes, Splits, Validation,
};

#[cfg(test)]
mod tests;

/// How large it is.
const SIZES: Sizes = Sizes {
    train: 90_000,
    validation: 10_000,
    test: 10_000,
    channels: 3,
    height: 64,
    width: 64,
    classes: 200,
};

pub(crate) const FACTS: Facts = Facts {
    name: "tiny-imagenet",
    description: "ImageNet made small (CS231N, Stanford 2015); the test part is its labelled val",
    holds: "wnids.txt, words.txt, train/WNID/images/*.JPEG, val/images/*.JPEG and val/val_annotations.txt, in it \
            or in its tiny-imagenet-200",
    kind: Kind::Images {
        sizes: Some(SIZES),
        augmentation: Augmentation::tiny_imagenet(),
    },
    origin: Origin::Published(&[RemoteFile {
        name: "tiny-imagenet-200.zip",
        bases: &["http://cs231n.stanford.edu"],
        at_most: 300_000_000,
        md5: "90528d7ca1a48142e341f4ef8d21d0de",
        unpack: Some(Unpack {
            folder: "tiny-imagenet-200",
            holds: &[
                "wnids.txt",
                "words.txt",
                "train",
                "val/images",
                "val/val_annotations.txt",
            ],
            // 120,000 JPEG files, which hardly compress, 200 lists of boxes, and their folders.
            at_most_bytes: 500_000_000,
            at_most_entries: 125_000,
        }),
    }]),
    read: |request| FACTS.read_published(request, |source, held| read(source, held, &PUBLISHED)),
};

const SHAPE: Shape = Shape::exactly(SIZES.width as u32);
/// More than any of the lists takes: that of all words is the longest, 2.6 million bytes.
const LIST_LIMIT: usize = 1 << 24;

/// How many there must be.
struct Counts {
    classes: usize,
    /// Training images in each class.
    per_class: usize,
    test: usize,
}

const PUBLISHED: Counts = Counts {
    classes: SIZES.classes,
    per_class: 500,
    test: SIZES.test,
};

fn read(source: &Source, validation: Validation, counts: &Counts) -> Result<Splits, DataError> {
    let (path, bytes) = list(source, "wnids.txt")?;
    let wnids = wnids(&bytes, counts.classes).map_err(|fault| fault.of(&path))?;
    let names = match list(source, "words.txt") {
        Ok((path, bytes)) => words(&bytes, &wnids).map_err(|fault| fault.of(&path))?,
        Err(FileError::Missing { .. }) => wnids.clone(),
        Err(other) => return Err(other.into()),
    };
    let train = train(source, &wnids, counts.per_class)?;
    let test = val(source, &wnids, counts.test)?;
    SHAPE.fits(train.files.len() + test.files.len())?;
    let [kept, held] = validation.divide(&train.labels, names.len())?;
    let held = train.select(&held);
    let train = train.select(&kept).read(SHAPE, &names)?;
    Ok(Splits {
        normalization: Normalization::measure(&train),
        train,
        validation: held.read(SHAPE, &names)?,
        test: test.read(SHAPE, &names)?,
    })
}

fn list(source: &Source, name: &str) -> Result<(PathBuf, Vec<u8>), FileError> {
    let path = source.path(name);
    let bytes = source.read(&path, LIST_LIMIT)?;
    Ok((path, bytes))
}

/// The names of the classes in WordNet, sorted.
fn wnids(bytes: &[u8], count: usize) -> Result<Vec<String>, Fault> {
    let mut wnids = lines::names(bytes, count)?;
    for (line, wnid) in (1..).zip(&wnids) {
        // They become names of folders.
        let digits = wnid.strip_prefix('n').unwrap_or_default().as_bytes();
        if digits.len() != 8 || !digits.iter().all(u8::is_ascii_digit) {
            let reason = format!("`{wnid}` is not n and eight digits");
            return Err(Fault::line(line, reason));
        }
    }
    wnids.sort_unstable();
    Ok(wnids)
}

/// What the classes are called. Words for other classes may be in other encodings.
fn words(bytes: &[u8], wnids: &[String]) -> Result<Vec<String>, Fault> {
    let mut found: Vec<Option<String>> = vec![None; wnids.len()];
    let mut last = 0;
    for (line, bytes) in lines::lines(bytes)? {
        last = line;
        let mut fields = bytes.splitn(2, |&byte| byte == b'\t');
        let (Some(wnid), Some(words)) = (fields.next(), fields.next()) else {
            return Err(Fault::line(line, "the line has no tab"));
        };
        let Ok(class) = wnids.binary_search_by(|known| known.as_bytes().cmp(wnid)) else {
            continue;
        };
        let words = lines::text(line, words)?.trim();
        let reason = match (words, &found[class]) {
            ("", _) => "there are no words",
            (_, Some(_)) => "the class has words on another line too",
            (words, None) => {
                found[class] = Some(words.to_owned());
                continue;
            }
        };
        return Err(Fault::line(line, reason));
    }
    let words = found.into_iter().zip(wnids).map(|(words, wnid)| {
        words
            .ok_or_else(|| Fault::line(last + 1, format!("the file ends without words for {wnid}")))
    });
    words.collect()
}

fn train(source: &Source, wnids: &[String], count: usize) -> Result<ImageFiles, FileError> {
    let train = source.path("train");
    let known: HashSet<PathBuf> = wnids.iter().map(|wnid| train.join(wnid)).collect();
    let folders = source.entries(&train)?;
    if let Some(path) = folders.into_iter().find(|folder| !known.contains(folder)) {
        let reason = "is not of a class in wnids.txt: move it out of there";
        return Err(FileError::unfit(&path, reason));
    }
    let (mut files, mut labels) = (Vec::new(), Vec::new());
    for (label, wnid) in wnids.iter().enumerate() {
        files.extend(images(source, train.join(wnid).join("images"), count)?);
        labels.resize(files.len(), label);
    }
    Ok(ImageFiles { files, labels })
}

/// The images of the labelled part that is no training part.
fn val(source: &Source, wnids: &[String], count: usize) -> Result<ImageFiles, FileError> {
    let folder = source.path("val/images");
    let mut there: HashSet<PathBuf> = images(source, folder.clone(), count)?.into_iter().collect();
    let (path, bytes) = list(source, "val/val_annotations.txt")?;
    let (mut files, mut labels) = (Vec::new(), Vec::new());
    let annotations = annotations(&bytes, wnids, count).map_err(|fault| fault.of(&path))?;
    for (line, (name, label)) in (1..).zip(annotations) {
        let file = folder.join(&name);
        if !there.remove(&file) {
            let reason = format!("there is no image `{name}`");
            return Err(Fault::line(line, reason).of(&path));
        }
        files.push(file);
        labels.push(label);
    }
    // As many as there are lines, each of another name: none is left over.
    Ok(ImageFiles { files, labels })
}

/// The file and the class of each image, in the order of the lines.
fn annotations(
    bytes: &[u8],
    wnids: &[String],
    count: usize,
) -> Result<Vec<(String, usize)>, Fault> {
    let mut found = Vec::with_capacity(count);
    let mut seen = HashMap::new();
    for (line, bytes) in lines::lines(bytes)? {
        let wrong = |reason: String| Err(Fault::line(line, reason));
        if found.len() == count {
            return wrong(format!("there are more than {count} lines"));
        }
        let fields: Vec<&str> = lines::text(line, bytes)?.split('\t').collect();
        let [file, wnid, corners @ ..] = fields.as_slice() else {
            return wrong("the line has no tab".to_owned());
        };
        if corners.len() != 4 {
            return wrong(format!(
                "the line has {} fields and must have 6",
                fields.len()
            ));
        }
        if let Some(corner) = corners.iter().find(|c| c.parse::<u32>().is_err()) {
            return wrong(format!("`{corner}` is not a number of pixels"));
        }
        let Ok(label) = wnids.binary_search_by(|known| known.as_str().cmp(wnid)) else {
            return wrong(format!("the class `{wnid}` is not in wnids.txt"));
        };
        if let Some(before) = seen.insert(*file, line) {
            return wrong(format!("`{file}` is also on line {before}"));
        }
        found.push(((*file).to_owned(), label));
    }
    if found.len() == count {
        return Ok(found);
    }
    let reason = format!("the file ends after {} of {count} lines", found.len());
    Err(Fault::line(found.len() + 1, reason))
}

/// The images in a folder, which must be so many.
fn images(source: &Source, path: PathBuf, count: usize) -> Result<Vec<PathBuf>, FileError> {
    let files = source.entries(&path)?;
    let is_image = |file: &PathBuf| file.extension().is_some_and(|e| e == "JPEG");
    if let Some(stray) = files.iter().find(|file| !is_image(file)) {
        let reason = "is not a .JPEG: move it out of there";
        return Err(FileError::unfit(stray, reason));
    }
    if files.len() == count {
        return Ok(files);
    }
    let reason = format!("holds {} images and must hold {count}", files.len());
    Err(FileError::unfit(&path, reason))
}
