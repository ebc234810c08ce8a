//! What a record says of its tensors, checked before Burn takes it at its word: there it would end the program.

use std::collections::HashMap;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::{Bytes, DType, Tensor};
use burn_pack::{Reader, Scalar};

use crate::error::RecordError;

/// As many axes as the state of a base optimizer can have.
const MOST_AXES: usize = 8;

/// What the name of a base optimizer's scalar ends in that says how many axes a parameter has.
pub(super) const RANK: &str = ".__rank";

/// A tensor of the state of a parameter.
#[derive(Debug)]
pub(super) struct Held {
    name: String,
    id: ParamId,
    shape: Vec<usize>,
}

impl Held {
    /// The parameter, if the tensor is flat, as those of a vector are.
    pub(super) fn flat_id(&self) -> Result<ParamId, RecordError> {
        match self.shape.as_slice() {
            [_] => Ok(self.id),
            _ => Err(RecordError::Damaged(format!("`{}` is not flat", self.name))),
        }
    }
}

/// A tensor that a record has for a parameter: it must be of floating-point numbers, and say of which parameter it is.
pub(super) fn held(
    name: &str,
    id: Option<u64>,
    dtype: DType,
    shape: &[usize],
) -> Result<Held, RecordError> {
    let damaged = |what: &str| RecordError::Damaged(format!("`{name}` {what}"));
    if !dtype.is_float() {
        return Err(damaged("is not of floating-point numbers"));
    }
    Ok(Held {
        id: id
            .ok_or_else(|| damaged("does not say of which parameter it is"))?
            .into(),
        name: name.to_owned(),
        shape: shape.to_vec(),
    })
}

/// What the base optimizer's record says of parameters.
#[derive(Debug)]
pub(super) struct Base {
    tensors: Vec<Held>,
    /// How many axes each has.
    axes: HashMap<u64, usize>,
}

/// The base optimizer's record. Burn names its tensors `ID.FIELD`, and says how many axes each parameter has.
pub(super) fn base(record: &Bytes) -> Result<Base, RecordError> {
    let reader = Reader::from_bytes(record.clone())?;
    let mut axes = HashMap::new();
    for (name, scalar) in reader.scalars() {
        if let Some(Ok(id)) = name.strip_suffix(RANK).map(str::parse::<u64>) {
            // Of `7` and `07` Burn takes either.
            if axes.insert(id, axes_of(name, *scalar)?).is_some() {
                let what = format!("`{name}` is there twice");
                return Err(RecordError::Damaged(what));
            }
        }
    }
    let mut tensors = Vec::new();
    for tensor in reader.into_tensors()? {
        let held = held(&tensor.name, tensor.param_id, tensor.dtype, &tensor.shape)?;
        let id = held.id.val();
        let known = *axes.entry(id).or_insert(held.shape.len());
        let belongs = held.name.starts_with(&format!("{id}."));
        if !belongs || known != held.shape.len() || known > MOST_AXES {
            let what = format!("`{}` does not belong to parameter {id}", held.name);
            return Err(RecordError::Damaged(what));
        }
        tensors.push(held);
    }
    Ok(Base { tensors, axes })
}

fn axes_of(name: &str, scalar: Scalar) -> Result<usize, RecordError> {
    let axes = usize::try_from(scalar).ok();
    axes.filter(|axes| *axes <= MOST_AXES).ok_or_else(|| {
        let what = format!("`{name}` is {scalar:?}, not a number of axes");
        RecordError::Damaged(what)
    })
}

/// Checks that tensors are of parameters of `model`, and as large; those of `flat` are flattened.
pub(super) fn of_model<M: Module>(
    model: &M,
    base: &Base,
    flat: &[Held],
) -> Result<(), RecordError> {
    let mut shapes = Shapes::default();
    model.visit(&mut shapes);
    for (&id, &axes) in &base.axes {
        // Burn takes it at its word, though there be no tensor.
        let shape = shapes.0.get(&ParamId::from(id));
        if let Some(shape) = shape.filter(|shape| shape.len() != axes) {
            let what = format!(
                "`{id}{RANK}` is {axes}, this one's parameter has {}",
                shape.len()
            );
            return Err(RecordError::OtherModel(what));
        }
    }
    let shaped = base.tensors.iter().map(|held| (held, false));
    for (held, flat) in shaped.chain(flat.iter().map(|held| (held, true))) {
        let (name, found) = (&held.name, &held.shape);
        let other = |what| Err(RecordError::OtherModel(format!("`{name}` is {what}")));
        let expected = match shapes.0.get(&held.id) {
            Some(shape) if flat => vec![shape.iter().product()],
            Some(shape) => shape.clone(),
            None => {
                let id = held.id.val();
                return other(format!("of parameter {id}, which this one does not have"));
            }
        };
        if *found != expected {
            return other(format!("{found:?}, this one's parameter {expected:?}"));
        }
    }
    Ok(())
}

/// The shapes of a model's parameters.
#[derive(Default)]
struct Shapes(HashMap<ParamId, Vec<usize>>);

impl ModuleVisitor for Shapes {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.insert(param.id, param.val().dims().to_vec());
    }
}
