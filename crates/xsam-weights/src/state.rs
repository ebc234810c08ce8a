//! A module's float tensors as PyTorch's `state_dict` lists them.
//!
//! Names, shapes, order and memory order are those of the PyTorch original: Burn's `[in, out]`
//! linear weights appear as `[out, in]`, enum variants do not appear in names, and Burn's `gamma`
//! and `beta` of normalization layers are called `weight` and `bias`. (`num_batches_tracked` is an
//! integer in PyTorch and has no counterpart here.)
//!
//! [`entries`] describes the tensors, [`values`] reads them, [`with_values`] replaces them. All
//! three work on any Burn module.

use burn::module::{Flag, Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{DType, Device, Tensor, TensorData};
use thiserror::Error;

/// What a tensor is to its layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Weight of a convolution, a linear layer or any layer that does not normalize.
    Weight,
    /// Bias of such a layer.
    Bias,
    /// Scale of a normalization layer.
    NormWeight,
    /// Shift of a normalization layer.
    NormBias,
    /// Running mean of a batch normalization.
    RunningMean,
    /// Running variance of a batch normalization.
    RunningVar,
}

impl Kind {
    /// Whether the tensor is learned, as opposed to a running statistic.
    pub fn is_learned(self) -> bool {
        !matches!(self, Self::RunningMean | Self::RunningVar)
    }
}

/// One float tensor of a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// PyTorch's name, such as `layer1.0.conv1.weight`.
    pub name: String,
    /// PyTorch's shape; the values are row-major in it.
    pub shape: Vec<usize>,
    /// What the tensor is to its layer.
    pub kind: Kind,
    /// Burn's identity of the parameter.
    pub id: ParamId,
}

impl Entry {
    /// Number of values in the tensor.
    pub fn numel(&self) -> usize {
        self.shape.iter().product()
    }
}

/// Why [`with_values`] refused a tensor.
#[derive(Clone, Debug, PartialEq, Error)]
#[allow(missing_docs, reason = "a message says what its fields are")]
pub enum StateError {
    /// The number of values is not the number of elements.
    #[error("{name} has {expected} values, {actual} were given")]
    Length {
        name: String,
        /// Its number of elements.
        expected: usize,
        /// The number of values given.
        actual: usize,
    },
    /// A value is infinite or NaN, or becomes so in the tensor's type.
    #[error("{name}[{index}] = {value} is not a finite {dtype}")]
    NotFinite {
        name: String,
        /// Position in PyTorch's memory order.
        index: usize,
        value: f64,
        /// The tensor's element type.
        dtype: &'static str,
    },
    /// The tensor does not hold plain floating-point numbers.
    #[error("{name} is stored as {dtype}, which cannot be filled with values")]
    Unsupported {
        name: String,
        /// The tensor's element type.
        dtype: &'static str,
    },
}

/// Describes every float tensor of `model` in PyTorch's order.
pub fn entries<M: Module>(model: &M) -> Vec<Entry> {
    let mut reader = Reader::default();
    model.visit(&mut reader);
    reader.found.into_iter().map(|(entry, _)| entry).collect()
}

/// Reads every float tensor of `model` in PyTorch's order and memory order.
///
/// Running statistics include the update of the last training pass, which Burn keeps aside until
/// the next one.
pub fn values<M: Module>(model: &M) -> Vec<(Entry, Vec<f64>)> {
    let mut reader = Reader {
        with_values: true,
        ..Reader::default()
    };
    model.valid().visit(&mut reader);
    reader.found
}

/// Number of learned values: everything but running statistics, frozen or not.
///
/// `Module::num_params` counts running statistics too.
pub fn parameter_count<M: Module>(model: &M) -> usize {
    entries(model)
        .iter()
        .filter(|entry| entry.kind.is_learned())
        .map(Entry::numel)
        .sum()
}

/// Replaces every float tensor of `model` by `values(position, entry)`, which are in PyTorch's
/// memory order.
///
/// Identity, device, element type, gradient setting and training flags stay as they are. Clones of
/// `model` keep their values, running statistics included.
///
/// # Errors
///
/// At the first tensor whose values have the wrong number or are not finite.
pub fn with_values<M: Module>(
    model: M,
    values: impl FnMut(usize, &Entry) -> Vec<f64>,
) -> Result<M, StateError> {
    let mut places = Places::default();
    model.visit(&mut places);
    let fresh = independent(model);
    let mut filler = Filler {
        path: Path::default(),
        places: places.tensors.into_iter(),
        flags: places.flags.into_iter(),
        position: 0,
        values,
        error: None,
    };
    let filled = fresh.map(&mut filler);
    match filler.error {
        Some(error) => Err(error),
        None => Ok(filled),
    }
}

/// The element type of every float tensor of `model`, in PyTorch's order.
pub(crate) fn dtypes<M: Module>(model: &M) -> Vec<DType> {
    let mut places = Places::default();
    model.visit(&mut places);
    places.tensors.iter().map(|place| place.dtype).collect()
}

/// The model with running statistics of its own: clones share them, and mapping would write through to all.
pub(crate) fn independent<M: Module>(model: M) -> M {
    let autodiff = model.devices().iter().any(Device::is_autodiff);
    let fresh = model.valid();
    drop(model);
    match autodiff {
        true => fresh.train(),
        false => fresh,
    }
}

/// Where a traversal stands.
#[derive(Default)]
struct Path {
    /// Field name and container of every level.
    levels: Vec<(String, String)>,
}

impl Path {
    fn enter(&mut self, name: &str, container: &str) {
        self.levels.push((name.to_owned(), container.to_owned()));
    }

    fn exit(&mut self) {
        self.levels.pop();
    }

    /// The entry of a tensor found here, and whether Burn holds it transposed.
    fn describe<const D: usize>(&self, param: &Param<Tensor<D>>) -> (Entry, bool) {
        let owner = self
            .levels
            .iter()
            .rev()
            .find_map(|(_, container)| container.strip_prefix("Struct:"))
            .unwrap_or_default();
        let normalizes = owner.ends_with("Norm");
        // An enum's variant is a choice within Burn, not a part of PyTorch's path.
        let mut names: Vec<&str> = self
            .levels
            .iter()
            .filter(|(_, container)| !container.starts_with("Enum:"))
            .map(|(name, _)| name.as_str())
            .collect();
        if let Some(field) = names.last_mut().filter(|_| normalizes) {
            *field = match *field {
                "gamma" => "weight",
                "beta" => "bias",
                other => other,
            };
        }
        let field = names.last().copied().unwrap_or_default();
        let kind = match (normalizes, field) {
            (true, "running_mean") => Kind::RunningMean,
            (true, "running_var") => Kind::RunningVar,
            (true, "bias") => Kind::NormBias,
            (true, _) => Kind::NormWeight,
            (false, "bias") => Kind::Bias,
            (false, _) => Kind::Weight,
        };
        let transposed = owner == "Linear" && field == "weight" && D == 2;
        let mut shape = param.lazy_shape().as_slice().to_vec();
        if transposed {
            shape.reverse();
        }
        let entry = Entry {
            name: names.join("."),
            shape,
            kind,
            id: param.id,
        };
        (entry, transposed)
    }
}

/// Reads a row-major matrix with `columns` columns column by column.
fn transpose(values: &[f64], columns: usize) -> Vec<f64> {
    (0..columns)
        .flat_map(|column| values.iter().skip(column).step_by(columns).copied())
        .collect()
}

/// Lists the tensors, with no values unless they are wanted: to describe a tensor takes no room for it.
#[derive(Default)]
struct Reader {
    path: Path,
    with_values: bool,
    found: Vec<(Entry, Vec<f64>)>,
}

impl ModuleVisitor for Reader {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let (entry, transposed) = self.path.describe(param);
        let mut values = Vec::new();
        if self.with_values {
            values = param.val().into_data().iter::<f64>().collect();
            if transposed {
                values = transpose(&values, entry.shape[0]);
            }
        }
        self.found.push((entry, values));
    }
}

/// How a tensor is held, to be reproduced exactly.
struct Place {
    device: Device,
    dtype: DType,
    require_grad: bool,
}

#[derive(Default)]
struct Places {
    tensors: Vec<Place>,
    flags: Vec<Flag>,
}

impl ModuleVisitor for Places {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        self.tensors.push(Place {
            device: tensor.device(),
            dtype: tensor.dtype(),
            require_grad: tensor.is_require_grad(),
        });
    }

    fn visit_flag(&mut self, flag: &Param<Flag>) {
        self.flags.push(flag.val());
    }
}

struct Filler<F> {
    path: Path,
    places: std::vec::IntoIter<Place>,
    flags: std::vec::IntoIter<Flag>,
    position: usize,
    values: F,
    error: Option<StateError>,
}

impl<F: FnMut(usize, &Entry) -> Vec<f64>> Filler<F> {
    fn tensor<const D: usize>(
        &mut self,
        param: &Param<Tensor<D>>,
        place: &Place,
    ) -> Result<Tensor<D>, StateError> {
        let (entry, transposed) = self.path.describe(param);
        let mut values = (self.values)(self.position, &entry);
        self.position += 1;
        if values.len() != entry.numel() {
            return Err(StateError::Length {
                expected: entry.numel(),
                actual: values.len(),
                name: entry.name,
            });
        }
        let dtype = place.dtype.name();
        let Some(range) = place.dtype.finfo() else {
            let name = entry.name;
            return Err(StateError::Unsupported { name, dtype });
        };
        // False for NaN as well.
        let fits = |value: &f64| value.abs() <= range.max;
        if let Some((index, &value)) = values.iter().enumerate().find(|(_, v)| !fits(v)) {
            return Err(StateError::NotFinite {
                name: entry.name,
                index,
                value,
                dtype,
            });
        }
        if transposed {
            values = transpose(&values, entry.shape[1]);
        }
        let data = TensorData::new(values, param.shape()).convert_dtype(place.dtype);
        let tensor = Tensor::from_data(data, (&place.device, place.dtype));
        Ok(tensor.set_require_grad(place.require_grad))
    }
}

impl<F: FnMut(usize, &Entry) -> Vec<f64>> ModuleMapper for Filler<F> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(place) = self.places.next().filter(|_| self.error.is_none()) else {
            return param;
        };
        match self.tensor(&param, &place) {
            Ok(tensor) => param.map(|_| tensor),
            Err(error) => {
                self.error = Some(error);
                param
            }
        }
    }

    fn map_flag(&mut self, flag: Param<Flag>) -> Param<Flag> {
        match self.flags.next() {
            Some(original) => flag.map(|_| original),
            None => flag,
        }
    }
}
