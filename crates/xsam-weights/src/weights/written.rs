//! Tensors as they are written.

/// A tensor that is to be written.
pub(super) struct WrittenTensor {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) content: Content,
}

/// What a tensor holds, and the element type it is written in.
pub(super) enum Content {
    F32(Vec<f64>),
    F64(Vec<f64>),
    /// The whole number zero.
    Zero,
}

impl Content {
    /// The bytes of an element.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::F32(_) => 4,
            Self::F64(_) | Self::Zero => 8,
        }
    }
}

impl WrittenTensor {
    /// Number of elements.
    pub(super) fn count(&self) -> usize {
        self.shape.iter().product()
    }

    /// Its elements, the lowest byte of each first.
    pub(super) fn bytes(&self) -> Vec<u8> {
        match &self.content {
            Content::F32(values) => values
                .iter()
                .flat_map(|&value| (value as f32).to_le_bytes())
                .collect(),
            Content::F64(values) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Content::Zero => 0_i64.to_le_bytes().to_vec(),
        }
    }
}
