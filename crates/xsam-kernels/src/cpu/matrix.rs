//! Matrices of any strides, of which one is 1.

/// `m[r, c]` is `values[r * row + c * column]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matrix<'a> {
    pub(super) values: &'a [f32],
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) row: usize,
    pub(super) column: usize,
}

impl<'a> Matrix<'a> {
    /// # Panics
    /// If neither stride is 1 or the values do not reach as far.
    pub(crate) fn new(
        values: &'a [f32],
        [rows, columns]: [usize; 2],
        [row, column]: [usize; 2],
    ) -> Self {
        assert!(row == 1 || column == 1, "the matrix is dense nowhere");
        let empty = rows == 0 || columns == 0;
        assert!(
            empty || values.len() > (rows - 1) * row + (columns - 1) * column,
            "the matrix is not whole"
        );
        Self {
            values,
            rows,
            columns,
            row,
            column,
        }
    }

    /// With rows for columns.
    pub(crate) fn turned(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row: self.column,
            column: self.row,
            ..self
        }
    }

    /// `count` rows from `first` on.
    pub(super) fn rows(self, first: usize, count: usize) -> Self {
        Self {
            values: &self.values[first * self.row..],
            rows: count,
            ..self
        }
    }
}
