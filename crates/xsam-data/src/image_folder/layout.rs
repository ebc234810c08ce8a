//! Which files are of which part and class.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::FolderError;
use crate::files;
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
pub(super) fn scan(dir: &Path) -> Result<Layout, FolderError> {
    let missing = |path: PathBuf| FolderError::Missing { path };
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
        return Err(FolderError::NoClasses { path: train });
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
fn part_of_classes(path: &Path, names: &[&OsStr]) -> Result<ImageFiles, FolderError> {
    let folders = class_folders(path)?;
    let there: HashSet<&OsStr> = folders.iter().filter_map(|path| path.file_name()).collect();
    if let Some(name) = names.iter().find(|name| !there.contains(*name)) {
        return Err(FolderError::ClassMissing {
            class: text(name),
            path: path.to_owned(),
        });
    }
    let names: HashSet<&OsStr> = names.iter().copied().collect();
    let is_known = |folder: &PathBuf| folder.file_name().is_some_and(|n| names.contains(n));
    if let Some(unknown) = folders.iter().find(|folder| !is_known(folder)) {
        let path = unknown.clone();
        return Err(FolderError::ClassUnknown { path });
    }
    part(&folders)
}

/// The images in these folders, one a class and at least one in each.
fn part(folders: &[PathBuf]) -> Result<ImageFiles, FolderError> {
    let (mut files, mut labels) = (Vec::new(), Vec::new());
    for (label, folder) in folders.iter().enumerate() {
        let images = images(folder)?;
        labels.resize(labels.len() + images.len(), label);
        files.extend(images);
    }
    Ok(ImageFiles { files, labels })
}

fn class_folders(path: &Path) -> Result<Vec<PathBuf>, FolderError> {
    let folders = entries(path)?;
    match folders.iter().find(|entry| !entry.is_dir()) {
        Some(other) => Err(FolderError::NotAClass {
            path: other.clone(),
        }),
        None => Ok(folders),
    }
}

fn images(path: &Path) -> Result<Vec<PathBuf>, FolderError> {
    let files = entries(path)?;
    if files.is_empty() {
        return Err(FolderError::NoImages {
            path: path.to_owned(),
        });
    }
    // The folder is not asked what each entry is: that would be a call to the system for each
    // image, and a folder called x.png is found out when it is read.
    match files.iter().find(|file| !is_image(file)) {
        Some(other) => Err(FolderError::NotAnImage {
            path: other.clone(),
        }),
        None => Ok(files),
    }
}

fn is_image(file: &Path) -> bool {
    let extension = file.extension().unwrap_or_default();
    ["jpg", "jpeg", "png"]
        .iter()
        .any(|known| extension.eq_ignore_ascii_case(known))
}

fn entries(path: &Path) -> Result<Vec<PathBuf>, FolderError> {
    files::entries(path).map_err(|error| FolderError::Unreadable {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

fn text(name: &OsStr) -> String {
    name.to_string_lossy().into_owned()
}
