//! What a device's self-check found.

use std::fmt;

use serde::{Deserialize, Serialize};
use vitrine_core::device::check::TOLERANCE;

/// A device's self-check, as `device check` prints it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Whether this build has the backend.
    pub compiled: bool,
    /// Devices of this kind that drivers offer.
    pub devices: usize,
    /// What the driver calls the device.
    pub adapter: Option<String>,
    /// Whether it is a software rasteriser.
    pub software: bool,
    /// Largest difference from the CPU, in units of the root mean square of what was computed; absent where it did not come so far.
    pub difference: Option<f64>,
    /// Why it cannot be used.
    pub problem: Option<Problem>,
}

impl Verdict {
    /// Nothing known but the problem.
    pub fn of(problem: Problem) -> Self {
        let compiled = !matches!(problem, Problem::NotCompiled { .. });
        Self { compiled, devices: 0, adapter: None, software: false, difference: None, problem: Some(problem) }
    }

    /// Whether the device may be used.
    pub fn works(&self) -> bool {
        self.problem.is_none()
    }
}

/// Why a device cannot be used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Problem {
    NotCompiled {
        feature: String,
    },
    NoDriver,
    NoSuchDevice {
        devices: usize,
    },
    /// CUDA's library of mathematical functions is missing.
    NoLibdevice {
        looked_in: String,
    },
    /// No difference: what came back is not even a number.
    WrongNumbers {
        part: String,
        difference: Option<f64>,
    },
    /// The backend gave up; its first words.
    Failed {
        message: String,
    },
    Crashed {
        how: String,
    },
    Hung {
        seconds: u64,
    },
    /// The check itself could not be started.
    NotStarted {
        message: String,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotCompiled { feature } => {
                write!(f, "not compiled in; build with `cargo build --release -p vitrine --features {feature}`")
            }
            Self::NoDriver => write!(f, "no driver, or no device that it serves"),
            Self::NoSuchDevice { devices: 1 } => write!(f, "there is 1 device of this kind"),
            Self::NoSuchDevice { devices } => write!(f, "there are {devices} devices of this kind, counted from 0"),
            Self::NoLibdevice { looked_in } => {
                write!(f, "CUDA's libdevice.10.bc is missing (looked in {looked_in}); install the CUDA toolkit or set CUDA_PATH to it")
            }
            Self::WrongNumbers { part, difference: Some(difference) } => {
                write!(f, "wrong results: largest difference {difference:.3} from the CPU, in the {part} (allowed: {TOLERANCE})")
            }
            Self::WrongNumbers { part, difference: None } => write!(f, "wrong results: the {part} are no numbers"),
            Self::Failed { message } => write!(f, "the backend failed in the self-check: {message}"),
            Self::Crashed { how } => write!(f, "the driver crashed in the self-check ({how})"),
            Self::Hung { seconds } => write!(f, "the driver hung: no answer from the self-check in {seconds} s"),
            Self::NotStarted { message } => write!(f, "its self-check could not be started: {message}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_one_line_and_survives_the_way_to_the_parent() {
        for problem in [
            Problem::NotCompiled { feature: "cuda".into() },
            Problem::NoDriver,
            Problem::NoSuchDevice { devices: 1 },
            Problem::NoSuchDevice { devices: 2 },
            Problem::NoLibdevice { looked_in: "/usr".into() },
            Problem::WrongNumbers { part: "outputs".into(), difference: Some(0.25) },
            Problem::WrongNumbers { part: "outputs".into(), difference: None },
            Problem::Failed { message: "no".into() },
            Problem::Crashed { how: "signal 11".into() },
            Problem::Hung { seconds: 120 },
            Problem::NotStarted { message: "no".into() },
        ] {
            let line = problem.to_string();
            assert!(line.lines().count() == 1 && !line.ends_with('.'), "{line}");
            let verdict = Verdict::of(problem);
            let text = serde_json::to_string(&verdict).unwrap();
            assert_eq!((text.lines().count(), serde_json::from_str::<Verdict>(&text).unwrap()), (1, verdict));
        }
    }
}
