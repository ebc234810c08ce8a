//! Devices by their names: which this build can compute on, and which this machine has.

#[cfg(feature = "gpu")]
use burn::backend::{Backend, Dispatch};
use burn::tensor::Device;
#[cfg(any(feature = "webgpu", feature = "vulkan", feature = "metal"))]
use burn::tensor::DeviceKind;
#[cfg(feature = "gpu")]
use burn::tensor::DeviceType;

use xsam_kernels::{Kernels, instruction_set};

use crate::spec::{DeviceName, SpecError};
use xsam_names::Named;

impl DeviceName {
    /// Whether this build can compute on it, if the machine has one.
    pub fn is_built_in(self) -> bool {
        match self {
            Self::Cpu => true,
            Self::WebGpu => cfg!(feature = "webgpu"),
            Self::Vulkan => cfg!(feature = "vulkan"),
            Self::Cuda => cfg!(feature = "cuda"),
            Self::Rocm => cfg!(feature = "rocm"),
            Self::Metal => cfg!(feature = "metal"),
        }
    }
}

/// The hardware behind a device, as its driver names it, and what of Burn computes on it; nothing of the processor, or
/// if the device is not here. Starts it up.
pub fn hardware(device: DeviceName) -> Option<String> {
    #[cfg(feature = "gpu")]
    if let Ok(device) = open(device, 0)
        && let Some(identity) = device.identity()
    {
        let back_end = <Dispatch as Backend>::name(device.as_dispatch());
        return Some(format!("{}, {back_end}", identity.name));
    }
    let _ = device;
    None
}

/// The device of that name, without autodiff; of several cards of `cuda` or `rocm` the one of this number, counted round.
///
/// # Errors
/// If this build or this machine does not have one.
#[cfg_attr(
    not(any(feature = "cuda", feature = "rocm")),
    expect(unused_variables, reason = "no card has a number")
)]
pub(crate) fn open(name: DeviceName, number: usize) -> Result<Device, SpecError> {
    match name {
        DeviceName::Cpu => Ok(Device::flex()),
        // Outside of browsers nothing answers to Burn's own `Device::webgpu`.
        #[cfg(feature = "webgpu")]
        DeviceName::WebGpu => found(
            name,
            DeviceType::Wgpu,
            Device::wgpu(DeviceKind::DefaultDevice),
        ),
        #[cfg(feature = "vulkan")]
        DeviceName::Vulkan => found(
            name,
            DeviceType::Vulkan,
            Device::vulkan(DeviceKind::DefaultDevice),
        ),
        #[cfg(feature = "cuda")]
        DeviceName::Cuda => {
            let card = number % Device::enumerate(DeviceType::Cuda).len().max(1);
            found(name, DeviceType::Cuda, Device::cuda(card))
        }
        #[cfg(feature = "rocm")]
        DeviceName::Rocm => {
            let card = number % Device::enumerate(DeviceType::Rocm).len().max(1);
            found(name, DeviceType::Rocm, Device::rocm(card))
        }
        #[cfg(feature = "metal")]
        DeviceName::Metal => found(
            name,
            DeviceType::Metal,
            Device::metal(DeviceKind::DefaultDevice),
        ),
        #[allow(unreachable_patterns, reason = "of a build with every feature")]
        _ => Err(refused(format!(
            "this build cannot compute on {name}: `cargo build --release -p xsam-cli --features {name}` makes one \
             that can (this one has: {})",
            built_in()
        ))),
    }
}

/// `device`, if the machine has any of this type: Burn would only find out, and panic, at the first operation.
#[cfg(feature = "gpu")]
fn found(name: DeviceName, of: DeviceType, device: Device) -> Result<Device, SpecError> {
    match Device::enumerate(of).is_empty() {
        false => Ok(device),
        true => Err(refused(format!(
            "there is no {name} device on this machine: install its driver, or choose another one (this build has: {})",
            built_in()
        ))),
    }
}

fn refused(message: String) -> SpecError {
    SpecError::new("train.device", message)
}

/// The names of those that this build can compute on.
fn built_in() -> String {
    let all = DeviceName::all().into_iter();
    let names: Vec<String> = all
        .filter(|name| name.is_built_in())
        .map(|name| name.to_string())
        .collect();
    names.join(", ")
}

/// The kernels, with the instruction set that they have found; on other devices they are not ours.
pub fn describe(device: DeviceName, kernels: Kernels) -> String {
    if device != DeviceName::Cpu {
        return format!("{} ({device})", Kernels::Composed);
    }
    match kernels {
        // What Burn's own operations run on is not known here.
        Kernels::Composed => kernels.to_string(),
        Kernels::Fast | Kernels::Precise => format!("{kernels} ({})", instruction_set()),
    }
}
