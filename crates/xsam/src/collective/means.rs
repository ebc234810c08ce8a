//! Vectors over parameters, summed over ranks.

use burn::module::ParamId;
use burn::tensor::{DType, Device, Element, Tensor, TensorData};

use super::Collective;
use crate::error::StepError;
use crate::vector::ParamVector;

/// Elements that are summed at a time: smaller tensors go together.
const PIECE: usize = 1 << 18;

pub(super) struct Place {
    pub(super) id: ParamId,
    pub(super) elements: usize,
    pub(super) dtype: DType,
    pub(super) device: Device,
}

/// A vector whose entries become their means, a piece at a time: besides the vector there is one piece of it.
pub(super) struct Means<'a> {
    collective: &'a dyn Collective,
    share: f64,
    /// In the order of the parameters, once all are there.
    done: Vec<Option<(ParamId, Tensor<1>)>>,
    waiting: Vec<Waiting>,
    piece: Vec<f32>,
}

/// An entry that waits for the piece to be full.
struct Waiting {
    /// Where in the vector.
    at: usize,
    id: ParamId,
    elements: usize,
    device: Device,
    dtype: DType,
}

impl<'a> Means<'a> {
    pub(super) fn new(collective: &'a dyn Collective) -> Self {
        Self {
            collective,
            share: 1.0 / collective.size() as f64,
            done: Vec::new(),
            waiting: Vec::new(),
            piece: Vec::new(),
        }
    }

    /// Takes the entry of a parameter, which is zero if there is none here.
    pub(super) fn add(&mut self, place: &Place, entry: Option<Tensor<1>>) -> Result<(), StepError> {
        let (data, device, dtype) = match entry {
            Some(tensor) => {
                let (device, dtype) = (tensor.device(), tensor.dtype());
                let data = tensor.try_into_data();
                (Some(data.map_err(|error| failed(&error))?), device, dtype)
            }
            None => (None, place.device.clone(), place.dtype),
        };
        let waiting = Waiting {
            at: self.done.len(),
            id: place.id,
            elements: place.elements,
            device,
            dtype,
        };
        self.done.push(None);
        if dtype == DType::F64 {
            let mut values = numbers::<f64>(data, place.elements)?;
            self.collective.sum_f64(&mut values)?;
            for value in &mut values {
                *value *= self.share;
            }
            self.put(&waiting, TensorData::new(values, [place.elements]));
            return Ok(());
        }
        let data = data.map(|data| data.convert::<f32>());
        let mut values = numbers::<f32>(data, place.elements)?;
        if values.len() >= PIECE {
            self.sum(&mut values)?;
            self.put(&waiting, TensorData::new(values, [place.elements]));
            return Ok(());
        }
        self.waiting.push(waiting);
        self.piece.append(&mut values);
        match self.piece.len() >= PIECE {
            true => self.flush(),
            false => Ok(()),
        }
    }

    fn sum(&self, values: &mut [f32]) -> Result<(), StepError> {
        self.collective.sum_f32(values)?;
        let share = self.share as f32;
        for value in values {
            *value *= share;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), StepError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let mut piece = std::mem::take(&mut self.piece);
        self.sum(&mut piece)?;
        let mut rest = &piece[..];
        for waiting in std::mem::take(&mut self.waiting) {
            let (values, after) = rest.split_at(waiting.elements);
            rest = after;
            let data = TensorData::new(values.to_vec(), [waiting.elements]);
            self.put(&waiting, data);
        }
        Ok(())
    }

    fn put(&mut self, of: &Waiting, data: TensorData) {
        let tensor = Tensor::from_data(data, (&of.device, of.dtype));
        self.done[of.at] = Some((of.id, tensor));
    }

    pub(super) fn finish(mut self) -> Result<ParamVector, StepError> {
        self.flush()?;
        Ok(ParamVector::new(self.done.into_iter().flatten().collect()))
    }
}

/// The numbers of an entry, or as many zeros.
fn numbers<E: Element>(data: Option<TensorData>, count: usize) -> Result<Vec<E>, StepError> {
    match data {
        Some(data) => data.try_into_vec().map_err(|error| failed(&error)),
        None => Ok(vec![E::default(); count]),
    }
}

fn failed(error: &impl std::fmt::Debug) -> StepError {
    StepError::Device(format!("{error:?}"))
}
