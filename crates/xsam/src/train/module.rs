//! The wrapper as a module: the model's own parameters under their own names, and the state in its record.

use std::fmt;
use std::sync::atomic::Ordering;

use burn::module::{Devices, Module, ModuleMapper, ModuleVisitor};
use burn::store::{ModuleRecord, RecordError};
use burn::tensor::Device;
use burn::train::TrainStep;

use super::SharpnessAwareModel;
use super::record;
use crate::record::SharpnessAwareRecord;

impl<M: Module + TrainStep> Module for SharpnessAwareModel<M> {
    fn collect_devices(&self, devices: Devices) -> Devices {
        self.inner.collect_devices(devices)
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

    /// Also tells that an epoch is over: the loop validates at the end of each.
    fn valid(&self) -> Self {
        self.shared.validated.store(true, Ordering::Relaxed);
        // The loop leaves gradients that it has summed but not used behind, too.
        self.shared.batches().clear();
        self.clone().with(|model| model.valid())
    }

    fn materialize(self) -> Self {
        self.with(Module::materialize)
    }

    fn visit<Visitor: ModuleVisitor>(&self, visitor: &mut Visitor) {
        self.inner.visit(visitor);
    }

    fn map<Mapper: ModuleMapper>(self, mapper: &mut Mapper) -> Self {
        self.with(|model| model.map(mapper))
    }

    /// The record of the model, and the state of the method in one more tensor, `sharpness_aware`.
    fn into_record(mut self) -> ModuleRecord {
        if self.shared.validated.load(Ordering::Relaxed) {
            self.optim.start_epoch();
        }
        let bytes = self
            .optim
            .to_record()
            .and_then(SharpnessAwareRecord::into_bytes);
        match bytes {
            Ok(bytes) => record::write(self.inner, &bytes),
            Err(error) => {
                self.fail(&error);
                // What is no state is refused when it is loaded; a record without one would not be.
                record::write(self.inner, &[0])
            }
        }
    }

    /// Takes up a record of this module, or one of the model alone, with which the method begins anew.
    fn try_load_record(mut self, record: ModuleRecord) -> Result<Self, RecordError> {
        let (inner, state) = record::read(self.inner, record)?;
        self.inner = inner;
        if let Some(state) = state {
            SharpnessAwareRecord::from_bytes(state)
                .and_then(|state| self.optim.load_record(state))
                .map_err(|error| RecordError::Validation(error.to_string()))?;
        }
        Ok(self)
    }
}

impl<M: TrainStep + fmt::Display> fmt::Display for SharpnessAwareModel<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<M: TrainStep + fmt::Debug> fmt::Debug for SharpnessAwareModel<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharpnessAwareModel")
            .field("model", &self.inner)
            .field("optim", &self.optim)
            .finish_non_exhaustive()
    }
}
