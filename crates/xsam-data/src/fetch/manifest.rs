//! Which files make up a data set, where they are published, and what they must be.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{FetchError, names};

const EMBEDDED: &str = include_str!("manifest.toml");

/// The data sets that can be fetched, by name.
///
/// [`Manifest::embedded`] is the one of this crate; any other is parsed from TOML of the same form,
/// which `manifest.toml` beside this file explains.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    sets: BTreeMap<String, Published>,
}

/// How a data set is published.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Published {
    /// One line on what it is.
    pub title: String,
    /// The page of its publisher; empty if there is none.
    pub page: String,
    /// Its terms.
    pub licence: String,
    /// Files and folders that its folder must hold.
    #[serde(default)]
    pub layout: Vec<String>,
    /// If it cannot be fetched: why, and what to do.
    pub by_hand: Option<String>,
    /// What is downloaded.
    #[serde(default)]
    pub files: Vec<RemoteFile>,
}

/// A file to download.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RemoteFile {
    /// Its published name.
    pub name: String,
    /// Its sources in order of preference.
    pub urls: Vec<String>,
    /// Its bytes, if known.
    pub size: Option<u64>,
    /// If not, the most that is accepted.
    pub at_most: Option<u64>,
    /// Its MD5 as 32 hexadecimal digits.
    pub md5: String,
    /// If it is an archive, how it is unpacked.
    pub unpack: Option<Unpack>,
}

/// How an archive is unpacked.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Unpack {
    /// The folder in the archive that becomes the folder of the data set; nothing may be outside
    /// it. All of the archive if it is not given.
    pub folder: Option<String>,
    /// The most bytes that are written.
    pub at_most_bytes: u64,
    /// The most files and folders that are written.
    pub at_most_entries: u64,
}

impl RemoteFile {
    /// The most bytes that are accepted.
    pub(super) fn limit(&self) -> u64 {
        self.size.or(self.at_most).unwrap_or(0)
    }
}

impl Manifest {
    /// The data sets that this crate knows.
    ///
    /// # Errors
    ///
    /// As [`Manifest::parse`]; a test of this crate sees to it that there is none.
    pub fn embedded() -> Result<Self, FetchError> {
        Self::parse(EMBEDDED)
    }

    /// Reads a manifest from TOML.
    ///
    /// # Errors
    ///
    /// [`FetchError::Manifest`] if the text is not TOML of this form, or if a name, a URL, a size
    /// or a checksum in it cannot be one.
    pub fn parse(toml: &str) -> Result<Self, FetchError> {
        let sets: BTreeMap<String, Published> =
            toml::from_str(toml).map_err(|error| FetchError::Manifest {
                reason: error.to_string(),
            })?;
        for (name, published) in &sets {
            check(name, published).map_err(|reason| FetchError::Manifest {
                reason: format!("{name}: {reason}"),
            })?;
        }
        Ok(Self { sets })
    }

    /// Every name, in the order of the alphabet.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.sets.keys().map(String::as_str)
    }

    /// How the data set `name` is published.
    ///
    /// # Errors
    ///
    /// [`FetchError::Unknown`] if it is not in the manifest.
    pub fn get(&self, name: &str) -> Result<&Published, FetchError> {
        self.sets.get(name).ok_or_else(|| FetchError::Unknown {
            name: name.to_owned(),
            known: self.names().collect::<Vec<_>>().join(", "),
        })
    }
}

fn check(name: &str, published: &Published) -> Result<(), String> {
    if !is_plain(name) {
        return Err("the name cannot be one of a folder".into());
    }
    if published.files.is_empty() == published.by_hand.is_none() {
        return Err("it needs either `files` or `by_hand`".into());
    }
    for name in &published.layout {
        names::parts(name).map_err(|why| format!("{name:?} of the layout {why}"))?;
    }
    for (i, file) in published.files.iter().enumerate() {
        let before = &published.files[..i];
        if !is_plain(&file.name) || before.iter().any(|other| other.name == file.name) {
            return Err(format!("{:?} cannot be a file's name here", file.name));
        }
        check_file(file).map_err(|reason| format!("{}: {reason}", file.name))?;
    }
    Ok(())
}

fn check_file(file: &RemoteFile) -> Result<(), String> {
    if file.urls.is_empty() {
        return Err("it has no URL".into());
    }
    if let Some(url) = file.urls.iter().find(|url| !is_http(url)) {
        return Err(format!("{url} is not a URL of http or https"));
    }
    if file.size.is_some() == file.at_most.is_some() {
        return Err("it needs either `size` or `at_most`".into());
    }
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if file.md5.len() != 32 || !file.md5.bytes().all(digit) {
        return Err(format!("{:?} is not an MD5 in lower case", file.md5));
    }
    if let Some(unpack) = &file.unpack {
        if super::unpack::Format::of(&file.name).is_none() {
            return Err("only .tar.gz, .tgz and .zip are unpacked".into());
        }
        if unpack.folder.as_ref().is_some_and(|name| !is_plain(name)) {
            return Err("`folder` must be a plain name".into());
        }
    }
    Ok(())
}

/// Whether `url` is one this module can ask.
pub(super) fn is_http(url: &str) -> bool {
    url.parse::<ureq::http::Uri>()
        .is_ok_and(|uri| uri.host().is_some() && matches!(uri.scheme_str(), Some("http" | "https")))
}

/// Whether `name` is a plain name: it cannot leave a folder, hide, or be taken for a part file.
fn is_plain(name: &str) -> bool {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    !name.is_empty() && !name.starts_with('.') && !name.ends_with(".part") && name.bytes().all(fine)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_embedded_manifest_is_sound() {
        let manifest = Manifest::embedded().unwrap();
        let fetched = [
            "cifar10",
            "cifar100",
            "fashion-mnist",
            "mnist",
            "tiny-imagenet",
        ];
        for name in fetched {
            let published = manifest.get(name).unwrap();
            assert!(
                !published.layout.is_empty() && !published.files.is_empty(),
                "{name}"
            );
            for file in &published.files {
                assert!(
                    file.urls.iter().all(|url| url.ends_with(&file.name)),
                    "{name}"
                );
                if file.unpack.is_none() {
                    assert!(
                        published.layout.contains(&file.name),
                        "{name}: {}",
                        file.name
                    );
                }
            }
        }
        let by_hand = ["digits", "image-folder", "iwslt14-de-en", "parallel-text"];
        for name in by_hand {
            assert!(manifest.get(name).unwrap().by_hand.is_some(), "{name}");
        }
        assert_eq!(manifest.names().count(), fetched.len() + by_hand.len());
        let mut sums: Vec<_> = manifest.sets.values().flat_map(|set| &set.files).collect();
        sums.sort_by_key(|file| &file.md5);
        sums.dedup_by_key(|file| &file.md5);
        assert_eq!(sums.len(), 11, "no checksum was copied to another file");
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let set = "title = 'a'\npage = ''\nlicence = ''\n";
        let file = "name = 'f.zip'\nurls = ['http://h/f.zip']\nmd5 = '00000000000000000000000000000000'\nat_most = 9";
        let sound = format!("[a]\n{set}[[a.files]]\n{file}\n");
        let hidden = sound.replace("[a]", "['.a']").replace("[[a.", "[['.a'.");
        let error = Manifest::parse(&hidden).unwrap_err().to_string();
        assert!(error.contains("cannot be one of a folder"), "{error}");
        Manifest::parse(&sound).unwrap();
        for (from, to, reason) in [
            ("[[a.files]]", "[[a.file]]", "unknown field"),
            (
                "[[a.files]]",
                "layout = ['/etc/passwd']\n[[a.files]]",
                "not a path inside",
            ),
            (
                "[[a.files]]",
                "layout = ['a/../../b']\n[[a.files]]",
                "leads out",
            ),
            ("f.zip'\nurls", "../f.zip'\nurls", "a file's name"),
            ("f.zip'\nurls", "f.part'\nurls", "a file's name"),
            ("['http://h/f.zip']", "[]", "no URL"),
            ("http://h", "file:///h", "not a URL"),
            ("= 9", "= 9\nsize = 9", "either `size` or `at_most`"),
            ("at_most = 9", "", "either `size` or `at_most`"),
            ("md5 = '0", "md5 = 'A", "not an MD5"),
            ("md5 = '0", "md5 = '", "not an MD5"),
            (
                "= 9",
                "= 9\nunpack = { folder = '..', at_most_bytes = 1, at_most_entries = 1 }",
                "plain",
            ),
            (
                "[[a.files]]",
                "by_hand = 'x'\n[[a.files]]",
                "either `files` or",
            ),
        ] {
            let text = sound.replace(from, to);
            assert_ne!(text, sound);
            let error = Manifest::parse(&text).unwrap_err().to_string();
            assert!(error.contains(reason), "{reason}: {error}");
        }
    }
}
