//! The page: headline, key figures and sections, and the templates that print them.

use std::path::Path;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

use super::curves::Drawing;
use super::heat::HeatDrawing;
use super::pictures::Picture;
use super::rows::RowsDrawing;
use super::table::Table;
use xsam_lab::{Error, TaskError};

/// The templates by their names. Those that end in `.html` escape what they are given. There is one for each kind of
/// block.
const TEMPLATES: [(&str, &str); 9] = [
    ("page.html", include_str!("page.html")),
    ("curves.html", include_str!("curves.html")),
    ("rows.html", include_str!("rows.html")),
    ("heat.html", include_str!("heat.html")),
    ("table.html", include_str!("table.html")),
    ("pictures.html", include_str!("pictures.html")),
    ("code.html", include_str!("code.html")),
    ("style.css", include_str!("style.css")),
    ("script.js", include_str!("script.js")),
];

/// All that the page says.
#[derive(Debug, Default, Serialize)]
pub(super) struct Page {
    /// What was done, in a few words.
    pub(super) title: String,
    /// The same with its settings.
    pub(super) subtitle: String,
    /// What came out, in a sentence.
    pub(super) headline: String,
    /// What else is to be said of it; may be empty, as may the remark.
    pub(super) lead: String,
    /// How it is to be understood.
    pub(super) remark: String,
    /// What went wrong, or is missing.
    pub(super) notices: Vec<String>,
    pub(super) figures: Vec<Figure>,
    /// Those without content are left out.
    pub(super) sections: Vec<Section>,
}

#[derive(Debug, Serialize)]
pub(super) struct Figure {
    name: String,
    value: String,
    note: String,
}

impl Figure {
    pub(super) fn new(
        name: impl Into<String>,
        value: impl Into<String>,
        note: impl Into<String>,
    ) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
            note: note.into(),
        }
    }
}

/// A part of the page with a heading.
#[derive(Debug, Serialize)]
pub(super) struct Section {
    title: String,
    note: String,
    blocks: Vec<Block>,
}

impl Section {
    /// Of these blocks, as far as there is something in them.
    pub(super) fn new(
        title: impl Into<String>,
        note: impl Into<String>,
        mut blocks: Vec<Block>,
    ) -> Self {
        blocks.retain(|block| !block.is_empty());
        Self {
            title: title.into(),
            note: note.into(),
            blocks,
        }
    }
}

/// What a section is made of.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", content = "content", rename_all = "lowercase")]
pub(super) enum Block {
    Curves(Vec<Drawing>),
    Rows(Vec<RowsDrawing>),
    Heat(Vec<HeatDrawing>),
    Table(Table),
    Pictures(Vec<Picture>),
    Code(Code),
}

/// Text as it is in a file or on a command line.
#[derive(Debug, Serialize)]
pub(super) struct Code {
    /// What it is called if it is only shown on request.
    pub(super) folded: Option<&'static str>,
    pub(super) text: String,
}

impl Block {
    fn is_empty(&self) -> bool {
        match self {
            Self::Curves(drawings) => drawings.is_empty(),
            Self::Rows(drawings) => drawings.is_empty(),
            Self::Heat(drawings) => drawings.is_empty(),
            Self::Table(table) => table.rows.is_empty(),
            Self::Pictures(pictures) => pictures.is_empty(),
            Self::Code(code) => code.text.is_empty(),
        }
    }
}

impl Page {
    /// The page as HTML, which is well-formed XML too.
    ///
    /// # Errors
    /// If a template fails, which is told as being of `file`.
    pub(super) fn html(&self, file: &Path) -> Result<String, Error> {
        self.printed().map_err(|error| {
            TaskError::new(format!("cannot write {}: {error}", file.display())).into()
        })
    }

    fn printed(&self) -> Result<String, minijinja::Error> {
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        // A line that holds only a tag leaves nothing behind.
        let mut syntax = SyntaxConfig::builder();
        syntax.trim_blocks(true).lstrip_blocks(true);
        templates.set_syntax(syntax.build()?);
        templates.add_global("version", env!("CARGO_PKG_VERSION"));
        for (name, template) in TEMPLATES {
            templates.add_template(name, template)?;
        }
        templates.get_template("page.html")?.render(Serde(self))
    }
}
