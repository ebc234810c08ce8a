//! Which files are of which part and class.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::FolderError;

/// The files of a data set.
pub(super) struct Layout {
    pub(super) classes: Vec<String>,
    pub(super) train: Part,
    pub(super) validation: Option<Part>,
    pub(super) test: Part,
}

/// The files of a part, at least one, and their classes.
pub(super) struct Part {
    pub(super) files: Vec<PathBuf>,
    pub(super) labels: Vec<usize>,
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
    let same = |path: PathBuf| part_of_classes(&path, &names);
    Ok(Layout {
        classes: names.iter().map(|name| text(name)).collect(),
        train: part(&folders)?,
        validation: validation.map(same).transpose()?,
        test: same(test)?,
    })
}

/// The part at `path`, which must have exactly the classes of these names.
fn part_of_classes(path: &Path, names: &[&OsStr]) -> Result<Part, FolderError> {
    let folders = class_folders(path)?;
    let has = |name: &OsStr| folders.iter().any(|f| f.file_name() == Some(name));
    if let Some(name) = names.iter().find(|name| !has(name)) {
        return Err(FolderError::ClassMissing {
            class: text(name),
            path: path.to_owned(),
        });
    }
    let known = |folder: &PathBuf| folder.file_name().is_some_and(|n| names.contains(&n));
    if let Some(unknown) = folders.iter().find(|folder| !known(folder)) {
        let path = unknown.clone();
        return Err(FolderError::ClassUnknown { path });
    }
    part(&folders)
}

/// The images in these folders, one a class.
fn part(folders: &[PathBuf]) -> Result<Part, FolderError> {
    let (mut files, mut labels) = (Vec::new(), Vec::new());
    for (label, folder) in folders.iter().enumerate() {
        let images = images(folder)?;
        labels.resize(labels.len() + images.len(), label);
        files.extend(images);
    }
    Ok(Part { files, labels })
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

/// What is in a folder, sorted by name: systems list it in any order. Hidden files are left out.
fn entries(path: &Path) -> Result<Vec<PathBuf>, FolderError> {
    let unreadable = |error: std::io::Error| FolderError::Unreadable {
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

fn text(name: &OsStr) -> String {
    name.to_string_lossy().into_owned()
}
