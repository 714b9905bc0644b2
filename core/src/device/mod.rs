//! Devices by name, and whether they compute right numbers.
//!
//! **Idea.** A build holds the CPU and whichever GPU backends its features name; a machine has drivers for some of them; a driver that answers may still
//! answer wrongly. [`Kind`] is the first, [`Kind::adapters`] the second, [`check`] the third.
//!
//! **Method.** Adapters are listed without being opened, graphics cards before software rasterisers. What a driver may do to the process (crash, hang) is not
//! handled here: the caller decides in which process it asks.

pub mod check;

use crate::tensor::Device;

/// A backend by its name on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// NVIDIA's own interface.
    Cuda,
    /// Vulkan with SPIR-V shaders.
    Vulkan,
    /// Apple's interface.
    Metal,
    /// Whatever graphics interface is there, with WGSL shaders. A build that also has `vulkan` or `metal` uses their shader language here too.
    Wgpu,
    /// Plain memory and threads; always there.
    Cpu,
}

/// One device of a kind.
#[derive(Debug, Clone)]
pub struct Adapter {
    pub device: Device,
    /// Whether it computes on the CPU after all: slower than [`Kind::Cpu`].
    pub software: bool,
}

impl Kind {
    /// All kinds, the fastest first.
    pub const ALL: [Self; 5] = [Self::Cuda, Self::Vulkan, Self::Metal, Self::Wgpu, Self::Cpu];

    /// The name on the command line, which is the cargo feature's too.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cuda => "cuda",
            Self::Vulkan => "vulkan",
            Self::Metal => "metal",
            Self::Wgpu => "wgpu",
            Self::Cpu => "cpu",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether this build has the backend.
    pub const fn is_compiled(self) -> bool {
        match self {
            Self::Cuda => cfg!(feature = "cuda"),
            Self::Vulkan => cfg!(feature = "vulkan"),
            Self::Metal => cfg!(feature = "metal"),
            Self::Wgpu => cfg!(feature = "wgpu"),
            Self::Cpu => true,
        }
    }

    /// What the drivers of this machine offer, graphics cards first; empty where the backend is not compiled in or has no driver.
    pub fn adapters(self) -> Vec<Adapter> {
        let mut found = match self {
            Self::Cpu => vec![Adapter { device: Device::flex(), software: false }],
            #[cfg(feature = "cuda")]
            Self::Cuda => listed(burn::tensor::DeviceType::Cuda, None),
            #[cfg(feature = "vulkan")]
            Self::Vulkan => listed(burn::tensor::DeviceType::Vulkan, Some(Device::vulkan(burn::tensor::DeviceKind::Cpu))),
            #[cfg(feature = "metal")]
            Self::Metal => listed(burn::tensor::DeviceType::Metal, None),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => listed(burn::tensor::DeviceType::Wgpu, Some(Device::wgpu(burn::tensor::DeviceKind::Cpu))),
            #[cfg(not(all(feature = "cuda", feature = "vulkan", feature = "metal", feature = "wgpu")))]
            _ => vec![],
        };
        found.sort_by_key(|adapter| adapter.software);
        found
    }
}

#[cfg(any(feature = "cuda", feature = "vulkan", feature = "metal", feature = "wgpu"))]
fn listed(of: burn::tensor::DeviceType, software: Option<Device>) -> Vec<Adapter> {
    let adapter = |device: Device| Adapter { software: software.as_ref() == Some(&device), device };
    Device::enumerate(of).into_vec().into_iter().map(adapter).collect()
}

/// What the driver calls the device. Opens it; `None` for the CPU.
pub fn adapter_name(device: &Device) -> Option<String> {
    #[cfg(any(feature = "cuda", feature = "vulkan", feature = "metal", feature = "wgpu"))]
    return device.identity().map(|identity| identity.name);
    #[cfg(not(any(feature = "cuda", feature = "vulkan", feature = "metal", feature = "wgpu")))]
    {
        let _ = device;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_the_cpu_is_always_there() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_name(kind.name()), Some(kind));
            if !kind.is_compiled() {
                assert!(kind.adapters().is_empty());
            }
        }
        assert_eq!(Kind::from_name("gpu"), None);
        assert_eq!(Kind::Cpu.adapters().len(), 1);
    }
}
