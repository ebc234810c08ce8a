//! Files to download, and what they must be.

/// A file to download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteFile<'a> {
    /// Its published name, which also says what kind of archive it is.
    pub name: &'a str,
    /// The URLs below which it has this name, in order of preference.
    pub bases: &'a [&'a str],
    /// The most bytes that are accepted, a little above what it is known to have.
    pub at_most: u64,
    /// Its MD5 as 32 hexadecimal digits.
    pub md5: &'a str,
    /// If it is an archive, how it is unpacked; otherwise it stays as it is.
    pub unpack: Option<Unpack<'a>>,
}

/// How an archive is unpacked: one by the name `.tar.gz`, `.tgz` or `.zip`. The limits are against bombs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unpack<'a> {
    /// The folder in the archive that becomes the folder of the data set; nothing may be outside it.
    pub folder: &'a str,
    /// Files and folders that must be in it.
    pub holds: &'a [&'a str],
    /// The most bytes that are written.
    pub at_most_bytes: u64,
    /// The most files and folders that are written.
    pub at_most_entries: u64,
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::fetch::http::is_http;
    use crate::fetch::names;
    use crate::fetch::unpack::Format;
    use crate::{DatasetName, Origin};

    fn is_plain(name: &str) -> bool {
        names::parts(name).is_ok_and(|parts| parts == [name])
            && !name.starts_with('.')
            && !name.ends_with(".part")
    }

    #[test]
    fn the_published_files_are_sound() {
        let mut sums = HashSet::new();
        for dataset in DatasetName::ALL {
            let Origin::Published(files) = dataset.facts().origin else {
                continue;
            };
            assert!(!files.is_empty(), "{dataset}");
            let names: HashSet<&str> = files.iter().map(|file| file.name).collect();
            assert_eq!(names.len(), files.len(), "{dataset}");
            for RemoteFile {
                name,
                bases,
                at_most,
                md5,
                unpack,
            } in files
            {
                assert!(is_plain(name) && *at_most > 0, "{name}");
                assert!(!bases.is_empty() && bases.iter().all(|url| is_http(url)));
                let is_digit = |c: char| matches!(c, '0'..='9' | 'a'..='f');
                assert!(md5.len() == 32 && md5.chars().all(is_digit), "{name}");
                assert!(sums.insert(*md5), "{name} has the checksum of another file");
                if let Some(unpack) = unpack {
                    assert!(Format::of(name).is_some() && is_plain(unpack.folder));
                    assert!(!unpack.holds.is_empty());
                    assert!(unpack.holds.iter().all(|name| names::parts(name).is_ok()));
                    assert!(unpack.at_most_bytes > 0 && unpack.at_most_entries > 0);
                }
            }
        }
    }
}
