//! Devices for commands: chosen by name, checked before use.
//!
//! **Idea.** `--device` takes `auto` or the name of a kind, with `:N` for one of several. A GPU is only used after it has agreed with the CPU on a small model.
//!
//! **Method.** Drivers crash and hang, so the check of a GPU runs in a process of its own ([`probe`]); what happens to it becomes one line ([`verdict`]). `auto` takes the first kind that works, the fastest
//! first, and passes over software rasterisers: the CPU backend is faster. Nothing is remembered from run to run, as a driver may have been exchanged in between.

mod probe;
mod verdict;

use anyhow::{Context, Result, bail};
use burn::tensor::Device;
use vitrine_core::device::Kind;

pub use probe::check_here;
pub use verdict::{Problem, Verdict};

/// Devices of one kind that `device list` looks at; more exist in no machine.
const MOST_LISTED: usize = 16;

/// A device by kind and index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name {
    pub kind: Kind,
    pub index: usize,
}

impl Name {
    /// `cpu`, `wgpu`, `cuda:1`, …
    pub fn parse(text: &str) -> Result<Self> {
        let (kind, index) = text.split_once(':').map_or((text, None), |(kind, index)| (kind, Some(index)));
        let kind = Kind::from_name(kind)
            .with_context(|| format!("there is no device {text}; there are: auto, {}, and with :N the ones after the first", names()))?;
        let index =
            index.map_or(Ok(0), str::parse).ok().with_context(|| format!("{text}: after the colon stands a number, 0 for the first"))?;
        Ok(Self { kind, index })
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.index == 0 { write!(f, "{}", self.kind.name()) } else { write!(f, "{}:{}", self.kind.name(), self.index) }
    }
}

/// What a device is to be used for, and so what its self-check computes: each kernel that it compiles takes time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Language models and their circuits.
    Models,
    /// These and the training of screenshot models.
    Screenshots,
}

fn names() -> String {
    Kind::ALL.map(Kind::name).join(", ")
}

/// The device of the given name, checked to compute right numbers, and what to call it.
///
/// # Errors
/// One line that says why the device cannot be used.
pub fn open(text: &str, work: Work) -> Result<(Device, String)> {
    if text == "auto" {
        for kind in Kind::ALL.into_iter().filter(|kind| kind.is_compiled()) {
            let name = Name { kind, index: 0 };
            let verdict = probe::check(name, work);
            if verdict.works() && !verdict.software {
                return opened(name, &verdict);
            }
        }
        bail!("no device passes its self-check; see `vitrine device list`");
    }
    let name = Name::parse(text)?;
    opened(name, &probe::check(name, work))
}

fn opened(name: Name, verdict: &Verdict) -> Result<(Device, String)> {
    if let Some(problem) = &verdict.problem {
        bail!("device {name} cannot be used: {problem}");
    }
    let adapter =
        name.kind.adapters().into_iter().nth(name.index).with_context(|| format!("device {name} is gone since its self-check"))?;
    let label = verdict.adapter.as_ref().map_or_else(|| name.to_string(), |adapter| format!("{name}: {adapter}"));
    Ok((adapter.device, label))
}

/// Every kind, with a row for each of its devices, or one that says why it has none.
pub fn list() -> Vec<(Name, Verdict)> {
    let mut rows = vec![];
    for kind in Kind::ALL {
        let first = probe::check(Name { kind, index: 0 }, Work::Screenshots);
        let count = first.devices.min(MOST_LISTED);
        rows.push((Name { kind, index: 0 }, first));
        rows.extend((1..count).map(|index| Name { kind, index }).map(|name| (name, probe::check(name, Work::Screenshots))));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_nonsense_is_refused() {
        assert_eq!(Name::parse("cpu").unwrap(), Name { kind: Kind::Cpu, index: 0 });
        assert_eq!(Name::parse("cuda:3").unwrap(), Name { kind: Kind::Cuda, index: 3 });
        assert_eq!(Name::parse("cuda:3").unwrap().to_string(), "cuda:3");
        assert_eq!(Name::parse("wgpu:0").unwrap().to_string(), "wgpu");
        for text in ["", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1:2", "CUDA", "cuda:99999999999999999999"] {
            let error = Name::parse(text).unwrap_err().to_string();
            assert_eq!(error.lines().count(), 1, "{error}");
        }
    }

    #[test]
    fn the_cpu_works_and_has_one_device() {
        assert_eq!(open("cpu", Work::Screenshots).unwrap().1, "cpu");
        let error = open("cpu:1", Work::Models).unwrap_err().to_string();
        assert!(error.contains("1 device"), "{error}");
    }

    #[test]
    fn kinds_that_are_not_compiled_in_say_how_to_get_them() {
        for kind in Kind::ALL.into_iter().filter(|kind| !kind.is_compiled()) {
            let error = open(kind.name(), Work::Models).unwrap_err().to_string();
            assert!(error.contains(&format!("--features {}", kind.name())), "{error}");
        }
    }
}
