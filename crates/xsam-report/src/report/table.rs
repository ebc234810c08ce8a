//! Tables.

use serde::Serialize;

/// A table with a heading for each row.
#[derive(Debug, Serialize)]
pub(super) struct Table {
    pub(super) head: Vec<Head>,
    pub(super) rows: Vec<TableRow>,
}

/// The heading of a column.
#[derive(Debug, Default, Serialize)]
pub(super) struct Head {
    pub(super) text: String,
    /// Class of the colour of the method that the column is of.
    pub(super) colour: Option<String>,
}

/// A row: its heading, and a cell for each column.
#[derive(Debug, Serialize)]
pub(super) struct TableRow {
    pub(super) name: String,
    pub(super) cells: Vec<Cell>,
    /// Whether a rule is above it.
    pub(super) apart: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Cell {
    pub(super) text: String,
    /// What is to be known of it, beside or below it.
    pub(super) note: String,
    /// Whether it is the one to look at in its row.
    pub(super) strong: bool,
}

impl Head {
    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            colour: None,
        }
    }
}

impl TableRow {
    pub(super) fn new(
        name: impl Into<String>,
        cells: impl IntoIterator<Item = impl Into<Cell>>,
    ) -> Self {
        Self {
            name: name.into(),
            cells: cells.into_iter().map(Into::into).collect(),
            apart: false,
        }
    }
}

impl Cell {
    pub(super) fn noted(text: String, note: impl Into<String>) -> Self {
        Self {
            text,
            note: note.into(),
            strong: false,
        }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::noted(text, "")
    }
}
