//! Saving and loading an optimizer: method state, counters and base optimizer in one record.

pub(crate) mod base;
mod checked;

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use burn::module::{Module, ParamId};
use burn::tensor::{Bytes, DType, Device, Tensor, TensorData};
use burn_pack::{HEADER_SIZE, Header, Reader, Scalar, Writer};

use crate::error::{RecordError, StepError};
use crate::method::MethodState;
use crate::method::parameters;
use crate::random::Randomness;
use crate::sharpness_aware::SharpnessAware;
use crate::vector::ParamVector;

/// Raised whenever the layout of a record changes.
const VERSION: u64 = 2;

/// Name of the tensor that holds the base optimizer's own record, byte by byte.
const BASE: &str = "base";

/// Name of the number that decides the dropout masks.
const MASKS: &str = "masks";

/// State of a [`SharpnessAware`] optimizer: what it needs, besides its hyper-parameters, to go on as
/// if it had not been interrupted.
///
/// One burnpack file. Parameters are known by their id, which Burn's module records keep: load the
/// model from a record of Burn's own, then the optimizer. A record with state of parameters that the model does not have
/// is an error at the first step; [`of_model`](Self::of_model) leaves that state out.
#[derive(Debug)]
pub struct SharpnessAwareRecord {
    method: String,
    steps: u64,
    /// Scale of the loss, and the steps since it last changed.
    loss_scale: Option<(f64, u64)>,
    /// The number that decides the dropout masks, if it was drawn.
    masks: Option<u64>,
    state: MethodState,
    base: Bytes,
}

impl SharpnessAwareRecord {
    /// Name of the method that the record is of.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The record without the state of parameters that `model` does not have: for a model of which a part was replaced,
    /// as the head of one that is fine-tuned.
    ///
    /// # Errors
    /// If the base optimizer's part cannot be read.
    pub fn of_model<M: Module>(mut self, model: &M) -> Result<Self, RecordError> {
        let known = parameters::ids(model);
        for vector in self.state.vectors.values_mut() {
            vector.retain(|id| known.contains(&id));
        }
        self.base = base::of_parameters(self.base, &known)?;
        Ok(self)
    }

    /// The parameters of which there is state.
    fn parameters(&self) -> Result<Vec<ParamId>, RecordError> {
        let vectors = self.state.vectors.values();
        let ids = vectors.flat_map(|vector| vector.entries().iter().map(|(id, _)| *id));
        let mut all: HashSet<ParamId> = ids.collect();
        all.extend(base::parameters(&self.base)?);
        Ok(all.into_iter().collect())
    }

    /// Checks that all tensors of the record are of parameters of `model` and as large as these are.
    ///
    /// Without it a record of another model is found out at a later step, or by Burn, which panics where sizes differ.
    /// For base optimizers whose state is as large as the weights: not for one that keeps sums over rows and columns.
    ///
    /// # Errors
    /// Names the first tensor that is not.
    pub fn check_model<M: Module>(&self, model: &M) -> Result<(), RecordError> {
        let mut flat = Vec::new();
        for (name, vector) in &self.state.vectors {
            for (id, tensor) in vector.entries() {
                let dims = tensor.dims();
                flat.push(checked::held(name, Some(id.val()), tensor.dtype(), &dims)?);
            }
        }
        checked::of_model(model, &checked::base(&self.base)?, &flat)
    }

    /// The record as bytes.
    ///
    /// # Errors
    /// If the format cannot hold it.
    pub fn into_bytes(self) -> Result<Bytes, RecordError> {
        Ok(self.into_writer()?.into_bytes()?)
    }

    /// The record that [`into_bytes`](Self::into_bytes) gave.
    ///
    /// # Errors
    /// If the bytes are not such a record.
    pub fn from_bytes(bytes: Bytes) -> Result<Self, RecordError> {
        Self::from_reader(Reader::from_bytes(bytes)?)
    }

    /// Writes the record to exactly the file `path`. A file that was there is replaced once the new
    /// one is complete, and not before.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(self, path: impl AsRef<Path>) -> Result<(), RecordError> {
        let path = path.as_ref();
        self.into_writer()?
            .auto_extension(false)
            .overwrite(true)
            .write_to_file(path)
            .map_err(|source| file_error(path, source))
    }

    /// Reads the record from the file `path`.
    ///
    /// # Errors
    /// If the file cannot be read or is not such a record.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, RecordError> {
        let path = path.as_ref();
        Self::from_reader(open_pack(path).map_err(|source| file_error(path, source))?)
    }

    fn into_writer(self) -> Result<Writer, RecordError> {
        let length = self.base.len();
        let base = burn_pack::Tensor::new(BASE.to_owned(), DType::U8, [length], None, self.base);
        let mut tensors = vec![base];
        for (name, vector) in self.state.vectors {
            for (position, (id, tensor)) in vector.entries().iter().enumerate() {
                let data = tensor
                    .try_to_data()
                    .map_err(|error| RecordError::Missing(format!("{name}: {error}")))?;
                let (bytes, shape, dtype) = data.into_parts();
                // The position keeps the order: names come back sorted.
                let name = format!("vector.{name}.{position:08}");
                let id = Some(id.val());
                tensors.push(burn_pack::Tensor::new(name, dtype, shape, id, bytes));
            }
        }
        let mut writer = Writer::new(tensors)
            .with_metadata("method", &self.method)
            .with_scalar("version", Scalar::from(VERSION))
            .with_scalar("steps", Scalar::from(self.steps));
        if let Some((scale, good_steps)) = self.loss_scale {
            writer = writer
                .with_scalar("loss_scale", Scalar::from(scale))
                .with_scalar("loss_scale_steps", Scalar::from(good_steps));
        }
        if let Some(number) = self.masks {
            writer = writer.with_scalar(MASKS, Scalar::from(number));
        }
        for (name, value) in self.state.scalars {
            writer = writer.with_scalar(&format!("state.{name}"), value);
        }
        Ok(writer)
    }

    fn from_reader(reader: Reader) -> Result<Self, RecordError> {
        let missing = |name: &str| RecordError::Missing(name.to_owned());
        let numbers = MethodState {
            scalars: reader.scalars().clone(),
            ..MethodState::default()
        };
        let found: u64 = numbers.scalar("version")?;
        if found != VERSION {
            return Err(RecordError::Version {
                expected: VERSION,
                found,
            });
        }
        let method = reader.metadata().get("method").cloned();
        let loss_scale = match numbers.scalar("loss_scale") {
            Ok(scale) => Some((scale, numbers.scalar("loss_scale_steps")?)),
            Err(_) => None,
        };
        let masks = reader.scalars().contains_key(MASKS);
        let masks = masks.then(|| numbers.scalar(MASKS)).transpose()?;
        let mut state = MethodState::default();
        for (name, value) in reader.scalars() {
            if let Some(name) = name.strip_prefix("state.") {
                state = state.with_scalar(name, *value);
            }
        }

        let mut base = None;
        let mut entries: Vec<(String, ParamId, Tensor<1>)> = Vec::new();
        for tensor in reader.into_tensors()? {
            let (name, dtype, shape, id, bytes) = tensor.into_parts()?;
            if name == BASE {
                checked::base(&bytes)?;
                base = Some(bytes);
                continue;
            }
            let id = checked::held(&name, id, dtype, &shape)?.flat_id()?;
            let Some(name) = name.strip_prefix("vector.") else {
                return Err(RecordError::Damaged(format!("`{name}` is of no use")));
            };
            let data = TensorData::from_bytes(bytes, shape, dtype);
            // Of which device the model is, the record does not know: methods take it there.
            let tensor = Tensor::from_data(data, (&Device::flex(), dtype));
            entries.push((name.to_owned(), id, tensor));
        }
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        for entries in entries.chunk_by(|a, b| stem(&a.0) == stem(&b.0)) {
            let vector = entries.iter().map(|(_, id, t)| (*id, t.clone())).collect();
            state = state.with_vector(stem(&entries[0].0), ParamVector::new(vector));
        }
        Ok(Self {
            method: method.ok_or_else(|| missing("method"))?,
            steps: numbers.scalar("steps")?,
            loss_scale,
            masks,
            state,
            base: base.ok_or_else(|| missing(BASE))?,
        })
    }
}

/// Opens a burnpack file whose header promises no more than the file has: Burn makes room for what it says before it reads.
#[doc(hidden)]
pub fn open_pack(path: &Path) -> Result<Reader, burn_pack::Error> {
    let failed = |error: io::Error| burn_pack::Error::IoError(error.to_string());
    let mut file = File::open(path).map_err(failed)?;
    let mut bytes = [0; HEADER_SIZE];
    file.read_exact(&mut bytes).map_err(failed)?;
    let promised = u64::from(Header::from_bytes(&bytes)?.metadata_size);
    match promised <= file.metadata().map_err(failed)?.len() {
        true => Reader::from_file_exact(path),
        false => {
            let reason = format!("its header promises {promised} bytes, more than there are");
            Err(burn_pack::Error::ValidationError(reason))
        }
    }
}

/// A vector's name without the position of its entry.
fn stem(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

fn file_error(path: &Path, source: burn_pack::Error) -> RecordError {
    RecordError::File {
        path: path.to_owned(),
        source,
    }
}

impl SharpnessAware {
    /// The optimizer's state.
    ///
    /// # Errors
    /// If the base optimizer's state cannot be read from the device.
    pub fn to_record(&self) -> Result<SharpnessAwareRecord, RecordError> {
        Ok(SharpnessAwareRecord {
            method: self.method.name().to_owned(),
            steps: self.steps,
            loss_scale: self.loss_scale.map(|scale| scale.state()),
            masks: self.randomness.drawn(),
            state: self.method.state(),
            base: self.base.to_record().into_bytes()?,
        })
    }

    /// Takes up the state of `record`; hyper-parameters and schedules stay this optimizer's own.
    ///
    /// # Errors
    /// If the record is of another method, or the base optimizer does not recognise its part. The
    /// optimizer is unchanged then. That the record is of the model's parameters shows in the first step, which fails
    /// with [`StepError::OtherParameters`] if not.
    pub fn load_record(&mut self, record: SharpnessAwareRecord) -> Result<(), RecordError> {
        if record.method != self.method.name() {
            return Err(RecordError::OtherMethod {
                expected: self.method.name().to_owned(),
                found: record.method,
            });
        }
        let mut method = self.method.boxed();
        method.load_state(&record.state)?;
        let loaded = record.parameters()?;
        let base = base::load(&self.base, record.base)?;
        self.loaded = loaded;
        self.met = false;
        if let Randomness::Drawn(number) = &mut self.randomness {
            *number = record.masks;
        }
        self.base = base;
        self.method = method;
        self.steps = record.steps;
        if let (Some(scale), Some(state)) = (&mut self.loss_scale, record.loss_scale) {
            scale.load_state(state);
        }
        Ok(())
    }

    /// Whether `model` has the parameters of the record that was loaded, if none of the steps since has shown it.
    pub(crate) fn check_parameters<M: Module>(&self, model: &M) -> Result<(), StepError> {
        if self.loaded.is_empty() {
            return Ok(());
        }
        let known = parameters::ids(model);
        match self.loaded.iter().filter(|id| !known.contains(id)).count() {
            0 => Ok(()),
            unknown => Err(StepError::OtherParameters {
                unknown,
                recorded: self.loaded.len(),
            }),
        }
    }

    /// Saves the state to exactly the file `path`; see [`SharpnessAwareRecord::save`].
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), RecordError> {
        self.to_record()?.save(path)
    }

    /// Loads the state from the file `path`; see [`load_record`](Self::load_record).
    ///
    /// # Errors
    /// If the file cannot be read, or its record does not fit. The optimizer is unchanged then.
    pub fn load(&mut self, path: impl AsRef<Path>) -> Result<(), RecordError> {
        self.load_record(SharpnessAwareRecord::load(path)?)
    }
}
