//! Plots that are there as files, as pictures within the page.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::file::if_there;
use xsam_lab::{Error, files, layout};

#[derive(Debug, Serialize)]
pub(super) struct Picture {
    pub(super) title: String,
    /// The picture itself as an address. As an image it can neither run a script nor load anything.
    pub(super) address: String,
}

impl Picture {
    /// The picture in an SVG file.
    pub(super) fn read(path: &Path, title: &str) -> Result<Self, Error> {
        Ok(Self {
            title: title.to_owned(),
            address: address(&files::read(path)?),
        })
    }
}

/// All pictures of runs, with the names of the runs.
pub(super) fn of_runs<'a>(runs: impl Iterator<Item = (&'a String, &'a [Picture])>) -> Vec<Picture> {
    let named = |(run, pictures): (&'a String, &'a [Picture])| {
        pictures.iter().map(move |picture| Picture {
            title: format!("{run}: {}", picture.title),
            address: picture.address.clone(),
        })
    };
    runs.flat_map(named).collect()
}

/// The landscapes of the run in `run`, by their names.
///
/// # Errors
/// If their folder or one of them cannot be read.
pub(super) fn landscapes(run: &Path) -> Result<Vec<Picture>, Error> {
    let folder = run.join(layout::LANDSCAPES);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::file("open the directory", &folder)(error)),
    };
    let mut pictures = Vec::new();
    for entry in entries {
        let path = entry.map_err(Error::file("read", &folder))?.path();
        if path.extension().is_some_and(|ending| ending == "svg") {
            let stem = path.file_stem().unwrap_or_default();
            pictures.push(Picture::read(&path, &stem.to_string_lossy())?);
        }
    }
    pictures.sort_by(|a, b| a.title.cmp(&b.title));
    Ok(pictures)
}

/// In what the data of landscapes were not those of the run, a sentence for each.
///
/// # Errors
/// If one of them cannot be read.
pub(super) fn on_changed_data(run: &Path, landscapes: &[Picture]) -> Result<Vec<String>, Error> {
    #[derive(Deserialize)]
    struct Values {
        changed_data: Option<String>,
    }
    let mut told = Vec::new();
    for Picture { title, .. } in landscapes {
        let path = run.join(layout::LANDSCAPES).join(format!("{title}.json"));
        let values: Option<Values> = if_there(&path)?;
        let changed = values.and_then(|values| values.changed_data);
        told.extend(changed.map(|differences| {
            format!(
                "landscape {title}: taken on other data than the run was trained on: {differences}"
            )
        }));
    }
    Ok(told)
}

/// The text of an SVG file as a `data:` address.
fn address(svg: &str) -> String {
    let mut address = "data:image/svg+xml,".to_owned();
    for byte in svg.trim().bytes() {
        // Double quotes, frequent in SVG, come out shorter as single ones, which mean the same there.
        match byte {
            b'"' => address.push('\''),
            _ if byte.is_ascii_alphanumeric() || b" =:/,();-._~".contains(&byte) => {
                address.push(byte as char);
            }
            _ => address.push_str(&format!("%{byte:02X}")),
        }
    }
    address
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn landscapes_are_in_order_and_harmless() {
        let run = tempfile::tempdir().unwrap();
        assert!(landscapes(run.path()).unwrap().is_empty());
        let folder = run.path().join(layout::LANDSCAPES);
        fs::create_dir(&folder).unwrap();
        for (name, text) in [
            ("xsam.svg", "<svg>\n</svg>"),
            ("a.svg", "<b>é#\"&"),
            ("a.csv", ""),
        ] {
            files::write(&folder.join(name), text).unwrap();
        }
        let found = landscapes(run.path()).unwrap();
        let told: Vec<_> = found.iter().map(|p| (&*p.title, &*p.address)).collect();
        assert_eq!(
            told,
            [
                ("a", "data:image/svg+xml,%3Cb%3E%C3%A9%23'%26"),
                ("xsam", "data:image/svg+xml,%3Csvg%3E%0A%3C/svg%3E"),
            ]
        );
    }
}
