//! The files of a checkpoint that Burn reads. Where one cannot be Burn ends the program, so they are checked before.

use std::collections::HashSet;
use std::path::Path;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{DType, Tensor};
use burn_pack::Reader;
use xsam::{RecordError, SharpnessAware, SharpnessAwareRecord, open_pack};

use crate::error::Error;

/// The model with the weights in `file`.
pub(super) fn model<M: Module>(file: &Path, model: M) -> Result<M, Error> {
    let damaged = |error: burn_pack::Error| Error::damaged(file, error);
    let tensors = open_pack(file).and_then(Reader::into_tensors);
    let types = types(&model);
    let mut ids = HashSet::new();
    for tensor in tensors.map_err(damaged)? {
        let refused = |reason: &str| Error::damaged(file, format!("{}: {reason}", tensor.name));
        if !types.contains(&tensor.dtype) {
            let name = tensor.dtype.name();
            return Err(refused(&format!("the model's tensors are not {name}")));
        }
        let id = tensor.param_id.ok_or_else(|| refused("it has no id"))?;
        if !ids.insert(id) {
            return Err(refused("its id is that of another tensor"));
        }
    }
    let loaded = model.try_load_file(file);
    loaded.map_err(|error| Error::damaged(file, error))
}

/// Loads the state in `file` into `optim`, which trains `model`.
pub(super) fn optimizer<M: Module>(
    file: &Path,
    model: &M,
    optim: &mut SharpnessAware,
) -> Result<(), Error> {
    let refused = |error: RecordError| match error {
        // It names the file.
        RecordError::File { .. } => Error::from(error),
        error => Error::damaged(file, error),
    };
    let record = SharpnessAwareRecord::load(file).map_err(refused)?;
    record.check_model(model).map_err(refused)?;
    optim.load_record(record).map_err(refused)
}

/// The element types of a model's tensors.
fn types<M: Module>(model: &M) -> HashSet<DType> {
    #[derive(Default)]
    struct Types(HashSet<DType>);
    impl ModuleVisitor for Types {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.insert(param.val().dtype());
        }
    }
    let mut types = Types::default();
    model.visit(&mut types);
    types.0
}
