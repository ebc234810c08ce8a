//! A state dict as a pickle of protocol 2, of what `torch.load(weights_only=True)` allows.

use burn::tensor::DType;

use crate::weights::written::WrittenTensor;

const PROTOCOL_2: &[u8] = b"\x80\x02";
const GLOBAL: u8 = b'c';
const REDUCE: u8 = b'R';
const PERSISTENT: u8 = b'Q';
const MARK: u8 = b'(';
const SET_ITEMS: u8 = b'u';
const STOP: u8 = b'.';
const FALSE: u8 = 0x89;
const TEXT: u8 = b'X';
const INT_1: u8 = b'K';
const INT_2: u8 = b'M';
const INT_4: u8 = b'J';
const LONG: u8 = 0x8a;
const EMPTY_TUPLE: u8 = b')';
const TUPLE: u8 = b't';

/// `OrderedDict` of names and tensors; the values of tensor `k` are those of the storage `k`.
pub(super) fn state_dict(tensors: &[WrittenTensor]) -> Vec<u8> {
    let mut pickle = Pickle(PROTOCOL_2.to_vec());
    pickle.ordered_dict();
    pickle.op(MARK);
    for (key, tensor) in tensors.iter().enumerate() {
        pickle.text(&tensor.name);
        pickle.tensor(key, tensor);
    }
    pickle.op(SET_ITEMS);
    pickle.op(STOP);
    pickle.0
}

struct Pickle(Vec<u8>);

impl Pickle {
    fn op(&mut self, code: u8) {
        self.0.push(code);
    }

    fn global(&mut self, module: &str, name: &str) {
        self.op(GLOBAL);
        self.0.extend(format!("{module}\n{name}\n").bytes());
    }

    fn text(&mut self, text: &str) {
        self.op(TEXT);
        // Names of a module's fields.
        self.0.extend((text.len() as u32).to_le_bytes());
        self.0.extend(text.bytes());
    }

    fn int(&mut self, value: usize) {
        if let Ok(value) = u8::try_from(value) {
            self.0.extend([INT_1, value]);
        } else if let Ok(value) = u16::try_from(value) {
            self.op(INT_2);
            self.0.extend(value.to_le_bytes());
        } else if let Ok(value) = i32::try_from(value) {
            self.op(INT_4);
            self.0.extend(value.to_le_bytes());
        } else {
            // No memory holds so many values that the sign is reached.
            self.0.extend([LONG, 8]);
            self.0.extend((value as u64).to_le_bytes());
        }
    }

    fn ints(&mut self, values: &[usize]) {
        self.op(MARK);
        for &value in values {
            self.int(value);
        }
        self.op(TUPLE);
    }

    fn ordered_dict(&mut self) {
        self.global("collections", "OrderedDict");
        self.op(EMPTY_TUPLE);
        self.op(REDUCE);
    }

    /// `_rebuild_tensor_v2(storage, offset, size, stride, requires_grad, backward_hooks)`
    fn tensor(&mut self, key: usize, tensor: &WrittenTensor) {
        self.global("torch._utils", "_rebuild_tensor_v2");
        self.op(MARK);

        self.op(MARK);
        self.text("storage");
        self.global(
            "torch",
            match tensor.dtype {
                DType::F64 => "DoubleStorage",
                DType::I64 => "LongStorage",
                _ => "FloatStorage",
            },
        );
        self.text(&key.to_string());
        self.text("cpu");
        self.int(tensor.shape.iter().product());
        self.op(TUPLE);
        self.op(PERSISTENT);

        self.int(0);
        self.ints(&tensor.shape);
        self.ints(&strides(&tensor.shape));
        self.op(FALSE);
        self.ordered_dict();
        self.op(TUPLE);
        self.op(REDUCE);
    }
}

/// How far apart neighbours along each axis are, row-major.
fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis].max(1);
    }
    strides
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_along_the_last_axis_are_neighbours_in_memory() {
        assert!(strides(&[]).is_empty());
        assert_eq!(strides(&[7]), [1]);
        assert_eq!(strides(&[2, 3, 5]), [15, 5, 1]);
        assert_eq!(strides(&[4, 0, 2]), [2, 2, 1]);
    }

    #[test]
    fn whole_numbers_take_as_many_bytes_as_they_need() {
        let written = |value| {
            let mut pickle = Pickle(Vec::new());
            pickle.int(value);
            pickle.0
        };
        assert_eq!(written(255), b"K\xff");
        assert_eq!(written(256), b"M\x00\x01");
        assert_eq!(written(65_536), b"J\x00\x00\x01\x00");
        assert_eq!(
            written(1 << 31),
            b"\x8a\x08\x00\x00\x00\x80\x00\x00\x00\x00"
        );
    }
}
