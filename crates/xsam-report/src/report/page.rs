//! The page: headline, key figures and sections, and the templates that print them.

use std::path::Path;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior, Value};
use serde::Serialize;

use super::curves::Drawing;
use super::pictures::Picture;
use super::rows::RowsDrawing;
use super::table::Table;
use xsam_lab::{Error, TaskError};

/// The templates by their names, of which the ending makes them escape what they are given.
const TEMPLATES: [(&str, &str); 6] = [
    ("page.html", include_str!("page.html")),
    ("curves.html", include_str!("curves.html")),
    ("rows.html", include_str!("rows.html")),
    ("table.html", include_str!("table.html")),
    ("pictures.html", include_str!("pictures.html")),
    ("code.html", include_str!("code.html")),
];
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// All that the page says.
#[derive(Debug, Default)]
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
    /// Key figures.
    pub(super) figures: Vec<Figure>,
    pub(super) sections: Vec<Section>,
}

/// A key figure.
#[derive(Debug, Serialize)]
pub(super) struct Figure {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) note: String,
}

/// A part of the page with a heading.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) title: String,
    pub(super) note: String,
    pub(super) blocks: Vec<Block>,
}

/// What a section is made of.
#[derive(Debug)]
pub(super) enum Block {
    Curves(Vec<Drawing>),
    Rows(Vec<RowsDrawing>),
    Table(Table),
    Pictures(Vec<Picture>),
    Code(Code),
}

/// Text as it is in a file or on a command line.
#[derive(Debug, Serialize)]
pub(super) struct Code {
    pub(super) title: String,
    pub(super) text: String,
    /// Whether it is only shown on request.
    pub(super) folded: bool,
}

impl Block {
    fn is_empty(&self) -> bool {
        match self {
            Self::Curves(drawings) => drawings.is_empty(),
            Self::Rows(drawings) => drawings.is_empty(),
            Self::Table(table) => table.rows.is_empty(),
            Self::Pictures(pictures) => pictures.is_empty(),
            Self::Code(code) => code.text.is_empty(),
        }
    }

    fn html(&self, templates: &Environment<'_>) -> Result<Value, minijinja::Error> {
        let (name, block) = match self {
            Self::Curves(drawings) => ("curves.html", Value::from(Serde(drawings))),
            Self::Rows(drawings) => ("rows.html", Value::from(Serde(drawings))),
            Self::Table(table) => ("table.html", Value::from(Serde(table))),
            Self::Pictures(pictures) => ("pictures.html", Value::from(Serde(pictures))),
            Self::Code(code) => ("code.html", Value::from(Serde(code))),
        };
        let html = templates
            .get_template(name)?
            .render(Serde(Content { block }))?;
        Ok(Value::from_safe_string(html))
    }
}

/// What the template of a block is given.
#[derive(Serialize)]
struct Content {
    block: Value,
}

/// What the template of the page is given.
#[derive(Serialize)]
struct Printed<'a> {
    title: &'a str,
    subtitle: &'a str,
    headline: &'a str,
    lead: &'a str,
    remark: &'a str,
    notices: &'a [String],
    figures: &'a [Figure],
    sections: Vec<PrintedSection<'a>>,
    version: &'a str,
    style: Value,
    script: Value,
}

#[derive(Serialize)]
struct PrintedSection<'a> {
    title: &'a str,
    note: &'a str,
    blocks: Vec<Value>,
}

impl Page {
    /// The page as HTML, which is well-formed XML too. Sections without content are left out.
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
        for (name, template) in TEMPLATES {
            templates.add_template(name, template)?;
        }
        let mut sections = Vec::new();
        for section in &self.sections {
            let blocks = section.blocks.iter().filter(|block| !block.is_empty());
            let blocks: Vec<Value> = blocks
                .map(|block| block.html(&templates))
                .collect::<Result<_, _>>()?;
            if !blocks.is_empty() {
                sections.push(PrintedSection {
                    title: &section.title,
                    note: &section.note,
                    blocks,
                });
            }
        }
        templates.get_template("page.html")?.render(Serde(Printed {
            title: &self.title,
            subtitle: &self.subtitle,
            headline: &self.headline,
            lead: &self.lead,
            remark: &self.remark,
            notices: &self.notices,
            figures: &self.figures,
            sections,
            version: env!("CARGO_PKG_VERSION"),
            style: Value::from_safe_string(STYLE.to_owned()),
            script: Value::from_safe_string(SCRIPT.to_owned()),
        }))
    }
}
