//! What is known of a data set before it is read.

use std::path::{Path, PathBuf};

use crate::dataset::Dataset;
use crate::error::RequestError;
use crate::fetch::RemoteFile;
use crate::files::Source;
use crate::request::Request;
use crate::splits::{Sizes, Splits};
use crate::{Augmentation, DataError, Validation};

/// Where `xsam data fetch` puts data sets, each in a folder of its name.
const FOLDER: &str = "data";

/// What is known of a data set before it is read. It stands in the file that reads the data set.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Facts {
    /// The name in a spec file.
    pub name: &'static str,
    /// One line on what it is and where it comes from.
    pub description: &'static str,
    /// What its folder holds, in words.
    pub holds: &'static str,
    /// What it consists of.
    pub kind: Kind,
    /// Where it comes from.
    pub origin: Origin,
    /// Reads it. The request has been checked.
    pub(crate) read: fn(&Request) -> Result<Dataset, DataError>,
}

/// What a data set consists of.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Images and their classes.
    Images {
        /// How large it is with the default validation part, or nothing if that depends on what is in a folder.
        sizes: Option<Sizes>,
        /// What is varied in its training images if nothing else is said.
        augmentation: Augmentation,
    },
    /// Sentences and their translations.
    Text {
        /// From which language into which, or nothing if that is to be said.
        languages: Option<&'static str>,
        /// Whether its files hold tokens, and not sentences as people write them.
        is_tokenized: bool,
    },
}

/// Where a data set comes from.
#[derive(Clone, Copy, Debug)]
pub enum Origin {
    /// It is built in, in parts that are fixed.
    BuiltIn,
    /// It is of images that anyone may download, one part to learn from and one to test on: these files.
    Published(&'static [RemoteFile<'static>]),
    /// It is published, but not to be downloaded by a program: why, and what to do.
    ByHand(&'static str),
    /// It is the user's own.
    Own,
}

impl Facts {
    /// Where it is looked for if nothing else is said: `data/NAME`, if it is published.
    pub(crate) fn default_folder(&self) -> Option<PathBuf> {
        let is_published = matches!(self.origin, Origin::Published(_) | Origin::ByHand(_));
        is_published.then(|| Path::new(FOLDER).join(self.name))
    }

    /// The end of a message on data that are not there.
    pub(crate) fn how_to_get(&self) -> String {
        let name = self.name;
        let folder = self.default_folder().unwrap_or_default();
        match self.origin {
            Origin::BuiltIn | Origin::Own => String::new(),
            Origin::ByHand(_) => format!("; `xsam data fetch {name}` says where to get them"),
            Origin::Published(_) => format!(
                "; `xsam data fetch {name}` gets them, into {} unless --dir says otherwise",
                folder.display()
            ),
        }
    }

    /// The folder that is asked for, or else the default one, which is needed.
    pub(crate) fn folder(&self, request: &Request) -> Result<PathBuf, RequestError> {
        let folder = request.dir.clone().or_else(|| self.default_folder());
        folder.ok_or_else(|| {
            let message = format!("{} needs the folder, which holds {}", self.name, self.holds);
            RequestError::new("dir", message)
        })
    }

    /// Reads published images with the validation part that is asked for.
    pub(crate) fn read_published(
        &'static self,
        request: &Request,
        read: fn(&Source, Validation) -> Result<Splits, DataError>,
    ) -> Result<Dataset, DataError> {
        let validation = request.validation()?.unwrap_or_default();
        let source = Source::new(self, &self.folder(request)?)?;
        read(&source, validation).map(Dataset::Images)
    }
}
