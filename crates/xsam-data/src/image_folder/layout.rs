//! Which files are of which part and class.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::files::{self, FileError};
use crate::image_files::ImageFiles;

/// The files of a data set.
pub(super) struct Layout {
    pub(super) classes: Vec<String>,
    pub(super) train: ImageFiles,
    pub(super) validation: Option<Validation>,
    pub(super) test: ImageFiles,
}

/// A validation part of the folder's own.
pub(super) struct Validation {
    pub(super) path: PathBuf,
    pub(super) files: ImageFiles,
}

/// Finds the files below `dir`.
pub(super) fn scan(dir: &Path) -> Result<Layout, FileError> {
    let missing = |path: PathBuf| {
        FileError::Missing {
        path,
        expected: "expected are DIR/train/CLASS/*.jpg, .jpeg or .png, and the same classes under DIR/test (or \
                   DIR/val, DIR/valid)"
            .to_owned(),
    }
    };
    if !dir.is_dir() {
        return Err(missing(dir.to_owned()));
    }
    let folder = |name: &str| Some(dir.join(name)).filter(|path| path.is_dir());
    let train = folder("train").ok_or_else(|| missing(dir.join("train")))?;
    let validation = folder("val").or_else(|| folder("valid"));
    let (validation, test) = match (validation, folder("test")) {
        (validation, Some(test)) => (validation, test),
        (Some(only), None) => (None, only),
        (None, None) => return Err(missing(dir.join("test"))),
    };
    let folders = class_folders(&train)?;
    if folders.is_empty() {
        let example = train.display();
        let reason = format!("holds no class folders, as in {example}/CLASS/*.png");
        return Err(FileError::unfit(&train, reason));
    }
    let names: Vec<&OsStr> = folders.iter().filter_map(|path| path.file_name()).collect();
    let same = |path: &Path| part_of_classes(path, &names);
    let validation = validation.map(|path| {
        let files = same(&path)?;
        Ok(Validation { path, files })
    });
    Ok(Layout {
        classes: names.iter().map(|name| text(name)).collect(),
        train: part(&folders)?,
        validation: validation.transpose()?,
        test: same(&test)?,
    })
}

/// The part at `path`, which must have exactly the classes of these names.
fn part_of_classes(path: &Path, names: &[&OsStr]) -> Result<ImageFiles, FileError> {
    let folders = class_folders(path)?;
    let there: HashSet<&OsStr> = folders.iter().filter_map(|path| path.file_name()).collect();
    if let Some(name) = names.iter().find(|name| !there.contains(*name)) {
        let reason = format!("lacks the class `{}` of train", text(name));
        return Err(FileError::unfit(path, reason));
    }
    let names: HashSet<&OsStr> = names.iter().copied().collect();
    let is_known = |folder: &PathBuf| folder.file_name().is_some_and(|n| names.contains(n));
    if let Some(unknown) = folders.iter().find(|folder| !is_known(folder)) {
        let reason = "is of a class that train does not have";
        return Err(FileError::unfit(unknown, reason));
    }
    part(&folders)
}

/// The images in these folders, one a class and at least one in each.
fn part(folders: &[PathBuf]) -> Result<ImageFiles, FileError> {
    let (mut files, mut labels) = (Vec::new(), Vec::new());
    for (label, folder) in folders.iter().enumerate() {
        let images = images(folder)?;
        labels.resize(labels.len() + images.len(), label);
        files.extend(images);
    }
    Ok(ImageFiles { files, labels })
}

fn class_folders(path: &Path) -> Result<Vec<PathBuf>, FileError> {
    let folders = entries(path)?;
    match folders.iter().find(|entry| !entry.is_dir()) {
        Some(other) => {
            let reason = "is not a class folder: move it out of there";
            Err(FileError::unfit(other, reason))
        }
        None => Ok(folders),
    }
}

fn images(path: &Path) -> Result<Vec<PathBuf>, FileError> {
    let files = entries(path)?;
    if files.is_empty() {
        let reason = "holds no images (.jpg, .jpeg or .png)";
        return Err(FileError::unfit(path, reason));
    }
    // The folder is not asked what each entry is: that would be a call to the system for each
    // image, and a folder called x.png is found out when it is read.
    match files.iter().find(|file| !is_image(file)) {
        Some(other) => {
            let reason = "is neither .jpg, .jpeg nor .png: convert it, or move it out of there";
            Err(FileError::unfit(other, reason))
        }
        None => Ok(files),
    }
}

fn is_image(file: &Path) -> bool {
    let extension = file.extension().unwrap_or_default();
    ["jpg", "jpeg", "png"]
        .iter()
        .any(|known| extension.eq_ignore_ascii_case(known))
}

fn entries(path: &Path) -> Result<Vec<PathBuf>, FileError> {
    files::entries(path).map_err(|error| FileError::unreadable(path, error))
}

fn text(name: &OsStr) -> String {
    name.to_string_lossy().into_owned()
}
