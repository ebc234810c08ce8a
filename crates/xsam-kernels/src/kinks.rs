//! On which side of their kinks rectifiers and max pools are, and how to keep them there.
//!
//! A network of rectifiers is smooth but for kinks, and there are so many of them that a step of any length crosses
//! some. A second derivative is that of the smooth piece at the weights; a difference of gradients from two places is
//! not, if a kink lies between them. [`record`] notes in a forward pass on which side of every kink it was, and
//! [`Kinks::hold`] makes passes at other weights as if nothing had crossed: on the smooth piece, continued.
//!
//! This reaches the operations of this crate, [`relu`] among them, and not those of Burn.

use std::cell::RefCell;

use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Bool, Int, Tensor, activation, module};

/// On which side of its kinks each operation of a forward pass was, in the order of the operations.
#[derive(Clone, Debug, Default)]
pub struct Kinks(Vec<Side>);

#[derive(Clone, Debug)]
enum Side {
    /// Of each element whether it is above zero.
    Rectifier(Tensor<1, Bool>),
    /// Of each output the position of its input in a plane of this height and width.
    Pool(Tensor<4, Int>, [usize; 2]),
}

enum Tape {
    Off,
    Recording(Vec<Side>),
    Holding {
        sides: std::vec::IntoIter<Side>,
        fits: bool,
    },
}

thread_local! {
    static TAPE: RefCell<Tape> = const { RefCell::new(Tape::Off) };
}

/// Puts a tape in for the time it lives, and the one before it back.
struct Inserted(Option<Tape>);

impl Inserted {
    fn new(tape: Tape) -> Self {
        Self(Some(TAPE.replace(tape)))
    }

    /// The tape as it has become.
    fn take_out(mut self) -> Tape {
        match self.0.take() {
            Some(before) => TAPE.replace(before),
            None => Tape::Off,
        }
    }
}

impl Drop for Inserted {
    fn drop(&mut self) {
        if let Some(before) = self.0.take() {
            TAPE.replace(before);
        }
    }
}

/// Makes a forward pass and notes its kinks, of the operations that this thread calls. They take a byte an element
/// of every rectifier's output.
pub fn record<R>(pass: impl FnOnce() -> R) -> (R, Kinks) {
    let tape = Inserted::new(Tape::Recording(Vec::new()));
    let result = pass();
    let sides = match tape.take_out() {
        Tape::Recording(sides) => sides,
        Tape::Off | Tape::Holding { .. } => Vec::new(),
    };
    (result, Kinks(sides))
}

impl Kinks {
    /// Number of operations that have kinks.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes that they take.
    pub fn bytes(&self) -> usize {
        let bytes = |side: &Side| match side {
            Side::Rectifier(above) => above.shape().num_elements() * above.dtype().size(),
            Side::Pool(places, _) => places.shape().num_elements() * places.dtype().size(),
        };
        self.0.iter().map(bytes).sum()
    }

    /// Makes a forward pass, with gradients or without, on the noted sides. `None` if it is not one of the same
    /// operations on tensors of the same sizes.
    pub fn hold<R>(&self, pass: impl FnOnce() -> R) -> Option<R> {
        let tape = Inserted::new(Tape::Holding {
            sides: self.0.clone().into_iter(),
            fits: true,
        });
        let result = pass();
        match tape.take_out() {
            Tape::Holding { sides, fits: true } if sides.len() == 0 => Some(result),
            _ => None,
        }
    }
}

/// Whether kinks are noted or held: fused operations then leave theirs to this module.
pub(crate) fn are_watched() -> bool {
    TAPE.with_borrow(|tape| !matches!(tape, Tape::Off))
}

/// What a fused operation has left to do of a ReLU.
pub(crate) fn rest<const D: usize>(output: Tensor<D>, is_relu: bool) -> Tensor<D> {
    if is_relu && are_watched() {
        relu(output)
    } else {
        output
    }
}

/// The next side to be held, if it is one that `fits`.
fn next<S>(fits: impl FnOnce(Side) -> Option<S>) -> Option<S> {
    TAPE.with_borrow_mut(|tape| {
        let Tape::Holding { sides, fits: all } = tape else {
            return None;
        };
        let side = sides.next().and_then(fits);
        *all &= side.is_some();
        side
    })
}

fn note(side: impl FnOnce() -> Side) {
    TAPE.with_borrow_mut(|tape| {
        if let Tape::Recording(sides) = tape {
            sides.push(side());
        }
    });
}

fn inner<const D: usize>(x: &Tensor<D>) -> Tensor<D> {
    match x.is_autodiff() {
        true => x.clone().inner(),
        false => x.clone(),
    }
}

/// `max(x, 0)`, Burn's own, whose kinks can be held.
pub fn relu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let count = x.shape().num_elements();
    let held = next(|side| match side {
        Side::Rectifier(above) if above.shape().num_elements() == count => Some(above),
        _ => None,
    });
    let Some(above) = held else {
        note(|| Side::Rectifier(inner(&x).reshape([count]).greater_elem(0.0)));
        return activation::relu(x);
    };
    let factors = above.float().cast(x.dtype()).reshape(x.shape());
    let factors = match x.is_autodiff() {
        true => Tensor::from_inner(factors),
        false => factors,
    };
    x * factors
}

/// Max pooling by Burn's operations, with its kinks noted or held.
pub(crate) fn max_pool2d(x: Tensor<4>, options: MaxPoolOptions<2>) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    let held = next(|side| match side {
        Side::Pool(places, plane)
            if places.dims()[..2] == [batch, channels] && plane == [height, width] =>
        {
            Some(places)
        }
        _ => None,
    });
    let Some(places) = held else {
        note(|| {
            let (_, places) = module::max_pool2d_with_indices(inner(&x), options.clone());
            Side::Pool(places, [height, width])
        });
        return module::max_pool2d(x, options);
    };
    let shape = places.dims();
    let places = places.reshape([batch, channels, shape[2] * shape[3]]);
    let places = match x.is_autodiff() {
        true => Tensor::from_inner(places),
        false => places,
    };
    x.reshape([batch, channels, height * width])
        .gather(2, places)
        .reshape(shape)
}
