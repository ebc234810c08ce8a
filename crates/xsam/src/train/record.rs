//! The state in the model's record, the only one that the loop's checkpoints have room for.

use burn::module::{Devices, Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::store::{ModuleRecord, RecordError};
use burn::tensor::{Bytes, DType, Device, Int, Tensor, TensorData};
use burn_pack::Reader;

/// Name of the tensor that holds the state, byte by byte.
const NAME: &str = "sharpness_aware";

/// The record of `model` and `state`.
pub(super) fn write<M: Module>(model: M, state: &[u8]) -> ModuleRecord {
    WithState::new(model, state).into_record()
}

/// The model and the state, if `record` has one.
pub(super) fn read<M: Module>(
    model: M,
    record: ModuleRecord,
) -> Result<(M, Option<Bytes>), RecordError> {
    let Some(state) = state(&record)? else {
        return Ok((model.try_load_record(record)?, None));
    };
    // Only a tensor of the same length takes it, and it must be taken: nothing in a record may be left over.
    let place = WithState::new(model, &vec![0; state.len()]);
    Ok((place.try_load_record(record)?.model, Some(state)))
}

fn state(record: &ModuleRecord) -> Result<Option<Bytes>, RecordError> {
    let reader = Reader::from_bytes(record.clone().into_bytes()?)?;
    for tensor in reader.into_tensors()? {
        let (name, _, _, _, bytes) = tensor.into_parts()?;
        if name == NAME {
            return Ok(Some(bytes));
        }
    }
    Ok(None)
}

/// A model with a state beside its own parameters, under their own names.
#[derive(Clone, Debug)]
struct WithState<M> {
    model: M,
    state: Param<Tensor<1, Int>>,
}

impl<M> WithState<M> {
    fn new(model: M, state: &[u8]) -> Self {
        let data = TensorData::new(state.to_vec(), [state.len()]);
        // Bytes are for records: no other device need know them.
        let state = Tensor::from_data(data, (&Device::flex(), DType::U8));
        Self {
            model,
            state: Param::initialized(ParamId::new(), state),
        }
    }

    fn with(self, change: impl FnOnce(M) -> M) -> Self {
        Self {
            model: change(self.model),
            ..self
        }
    }
}

impl<M: Module> Module for WithState<M> {
    fn collect_devices(&self, devices: Devices) -> Devices {
        self.model.collect_devices(devices)
    }

    fn fork(self, device: &Device) -> Self {
        self.with(|model| model.fork(device))
    }

    fn to_device(self, device: &Device) -> Self {
        self.with(|model| model.to_device(device))
    }

    fn train(self) -> Self {
        self.with(Module::train)
    }

    fn valid(&self) -> Self {
        self.clone().with(|model| model.valid())
    }

    fn materialize(self) -> Self {
        self.with(Module::materialize)
    }

    fn visit<Visitor: ModuleVisitor>(&self, visitor: &mut Visitor) {
        self.model.visit(visitor);
        visitor.enter_module(NAME, "Struct:WithState");
        visitor.visit_int(&self.state);
        visitor.exit_module(NAME, "Struct:WithState");
    }

    fn map<Mapper: ModuleMapper>(self, mapper: &mut Mapper) -> Self {
        let model = self.model.map(mapper);
        mapper.enter_module(NAME, "Struct:WithState");
        let state = mapper.map_int(self.state);
        mapper.exit_module(NAME, "Struct:WithState");
        Self { model, state }
    }
}
