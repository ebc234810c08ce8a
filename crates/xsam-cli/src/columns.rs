//! Rows of text in columns.

/// The rows below their heading and a rule, with their columns aligned: the first to the left and the others to the right.
pub fn aligned(
    head: &[impl AsRef<str>],
    rows: impl IntoIterator<Item = impl AsRef<[String]>>,
) -> String {
    let head = head.iter().map(|cell| cell.as_ref().to_owned()).collect();
    let mut all: Vec<Vec<String>> = vec![head];
    all.extend(rows.into_iter().map(|row| row.as_ref().to_vec()));
    let mut widths: Vec<usize> = Vec::new();
    for row in &all {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut lines = all.iter().map(|row| {
        let cells = row.iter().zip(&widths).enumerate();
        let cells = cells.map(|(column, (cell, width))| match column {
            0 => format!("{cell:width$}"),
            _ => format!("{cell:>width$}"),
        });
        let cells: Vec<String> = cells.collect();
        format!("{}\n", cells.join("  ").trim_end())
    });
    let head = lines.next().unwrap_or_default();
    let rule = "-".repeat(widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1));
    format!("{head}{rule}\n{}", lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = ["ccc", "d"].map(str::to_owned);
        assert_eq!(aligned(&["a", "bb"], [row]), "a    bb\n-------\nccc   d\n");
    }
}
