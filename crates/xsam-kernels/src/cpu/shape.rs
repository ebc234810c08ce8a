//! The sizes of a convolution.

/// A convolution, with everything that may vary; pairs are rows and columns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) batch: usize,
    /// Channels of input and output.
    pub(crate) channels: [usize; 2],
    pub(crate) groups: usize,
    pub(crate) size: [usize; 2],
    pub(crate) kernel: [usize; 2],
    pub(crate) stride: [usize; 2],
    pub(crate) padding: [usize; 2],
    pub(crate) dilation: [usize; 2],
}

/// Which way filters `[output, input, rows, columns]` are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Forward,
    /// Turned by half a turn, input and output exchanged.
    Backward,
}

impl Shape {
    /// Rows and columns of the output; `None` if the filter is larger than the padded input.
    pub(crate) fn output_size(&self) -> Option<[usize; 2]> {
        let mut size = [0; 2];
        for (i, size) in size.iter_mut().enumerate() {
            let reach = self.dilation[i] * (self.kernel[i] - 1) + 1;
            let room = (self.size[i] + 2 * self.padding[i]).checked_sub(reach)?;
            *size = room / self.stride[i] + 1;
        }
        Some(size)
    }

    /// Rows and columns of the output, of a convolution that is known to be valid.
    pub(crate) fn outputs(&self) -> [usize; 2] {
        self.output_size().unwrap_or([0, 0])
    }

    /// Numbers in an image of the input.
    pub(super) fn input_image(&self) -> usize {
        self.channels[0] * self.size[0] * self.size[1]
    }

    /// Numbers in an image of the output.
    pub(super) fn output_image(&self) -> usize {
        self.channels[1] * self.outputs()[0] * self.outputs()[1]
    }

    /// Taps of the kernel.
    pub(super) fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Whether each output is a product of all channels of one pixel.
    pub(crate) fn is_product(&self) -> bool {
        self.kernel == [1, 1] && self.stride == [1, 1] && self.padding == [0, 0]
    }

    /// The convolution that gives the gradient of the input from the gradient of the output, with filters turned by half
    /// a turn; of a convolution of stride 1 and padding that the reach of its filter covers.
    pub(super) fn transposed(&self) -> Self {
        let reach = [0, 1].map(|i| self.dilation[i] * (self.kernel[i] - 1));
        Self {
            channels: [self.channels[1], self.channels[0]],
            size: self.outputs(),
            padding: [0, 1].map(|i| reach[i] - self.padding[i]),
            ..*self
        }
    }
}
