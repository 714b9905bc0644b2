//! What the tests of the whole share.
#![forbid(unsafe_code)]
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "support for tests: what goes wrong here is a failed test"
)]

use burn::tensor::{Device, Tensor};
use vitrine_core::device::{Kind, adapter_name};

/// The devices that tests run on: the CPU, or those that `VITRINE_TEST_DEVICES` names (`wgpu`, `cpu,cuda`, …), each with its name.
///
/// # Panics
/// If a named device is not in this build or has no driver: who asks for a device wants it tested.
pub fn devices() -> Vec<(String, Device)> {
    let named = std::env::var("VITRINE_TEST_DEVICES").unwrap_or_default();
    let named = if named.is_empty() { "cpu" } else { &named };
    let open = |name: &str| {
        let kind = Kind::from_name(name).unwrap_or_else(|| panic!("VITRINE_TEST_DEVICES: there is no device {name}"));
        assert!(kind.is_compiled(), "VITRINE_TEST_DEVICES: {name} is not in this build; add --features vitrine-tests/{name}");
        let adapter = kind.adapters().into_iter().next().unwrap_or_else(|| panic!("VITRINE_TEST_DEVICES: {name} has no driver here"));
        let label = adapter_name(&adapter.device).map_or_else(|| name.to_owned(), |adapter| format!("{name} ({adapter})"));
        (label, adapter.device)
    };
    named.split(',').map(open).collect()
}

/// Reads a tensor back.
///
/// # Panics
/// If the device fails.
pub fn values<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.try_into_data().unwrap().try_into_vec().unwrap()
}

/// Panics with `what` and the largest difference unless all of `a` are within `tolerance` of `b`, relative to 1 + |b|.
pub fn assert_close(a: &[f32], b: &[f32], tolerance: f32, what: &str) {
    assert_eq!(a.len(), b.len(), "{what}");
    let off = |(a, b): (&f32, &f32)| (a - b).abs() / (1.0 + b.abs());
    let worst = a.iter().zip(b).map(off).map(|d| if d.is_nan() { f32::INFINITY } else { d }).fold(0.0, f32::max);
    assert!(worst <= tolerance, "{what}: largest difference {worst}, allowed {tolerance}");
}
