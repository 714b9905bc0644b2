//! What a run used and where it ran: memory, processor time, machine, source revision.
//!
//! Idea: a figure in a report is worth more when the reader can see what it cost and which source made it. Method: Linux tells all of
//! it in `/proc`; a system that does not gives `None`, which reports print as "not measured". The source revision and the hash of
//! `Cargo.lock` are fixed when the program is built.

use std::path::Path;

use serde::Serialize;

use crate::atomic::sha256_hex;

/// The machine and the build, as `run.json` and reports state them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// Operating system and processor family, `linux x86_64`.
    pub system: String,
    /// Processor name as the system gives it.
    pub cpu: Option<String>,
    /// Threads this process may run at once.
    pub cores: usize,
    /// Memory that could be used when asked, in bytes.
    pub available_memory_bytes: Option<u64>,
    /// Commit of the source, when it was built from a checkout.
    pub git_revision: Option<&'static str>,
    /// SHA-256 of the `Cargo.lock` the program was built with.
    pub cargo_lock_sha256: String,
}

impl Machine {
    /// Looks at this machine now.
    #[must_use]
    pub fn detect() -> Self {
        Self {
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            cpu: cpu_model(),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            available_memory_bytes: available_memory_bytes(),
            git_revision: git_revision(),
            cargo_lock_sha256: cargo_lock_sha256(),
        }
    }
}

/// The most memory this process has held at once, in bytes (`VmHWM`). `None` where the system does not say.
#[must_use]
pub fn peak_memory_bytes() -> Option<u64> {
    kib_field(&read("/proc/self/status")?, "VmHWM")
}

/// Forgets the most memory held so far and returns what is held now, in bytes. `None` where the system cannot do it.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "a switch of the kernel, not a file that could be left half written")]
pub fn reset_peak_memory() -> Option<u64> {
    std::fs::write("/proc/self/clear_refs", "5").ok()?;
    kib_field(&read("/proc/self/status")?, "VmRSS")
}

/// Memory that new work can take without swapping, in bytes: the system's figure, or less where a control group (a container, a
/// batch job) allows less. `None` where the system does not say.
#[must_use]
pub fn available_memory_bytes() -> Option<u64> {
    let system = kib_field(&read("/proc/meminfo")?, "MemAvailable")?;
    Some(group_memory_bytes().map_or(system, |group| group.min(system)))
}

/// Processor time of all threads of this process so far, in seconds; ended threads count. `None` where the system does not say.
#[must_use]
#[cfg_attr(unix, expect(clippy::unnecessary_wraps, reason = "other systems do not say"))]
pub fn cpu_seconds() -> Option<f64> {
    #[cfg(unix)]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        Some(time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9)
    }
    #[cfg(not(unix))]
    None
}

/// Processor name, when the system tells it.
#[must_use]
pub fn cpu_model() -> Option<String> {
    field(&read("/proc/cpuinfo")?, "model name").map(str::to_owned)
}

/// Commit of the source this program was built from; the build script sets it.
#[must_use]
pub fn git_revision() -> Option<&'static str> {
    option_env!("VITRINE_GIT_REVISION").filter(|text| !text.is_empty())
}

/// SHA-256 of the `Cargo.lock` this program was built with: it names every dependency and its content hash.
#[must_use]
pub fn cargo_lock_sha256() -> String {
    sha256_hex(include_bytes!("../../Cargo.lock"))
}

/// What is left of the control group's limit (version 2), when there is one.
fn group_memory_bytes() -> Option<u64> {
    let limit: u64 = read("/sys/fs/cgroup/memory.max")?.trim().parse().ok()?;
    let used: u64 = read("/sys/fs/cgroup/memory.current")?.trim().parse().ok()?;
    Some(limit.saturating_sub(used))
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(Path::new(path)).ok()
}

/// The text after `name:` on the first line that starts with it.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.split_once(':').filter(|(key, _)| key.trim() == name)).map(|(_, value)| value.trim())
}

fn kib_field(text: &str, name: &str) -> Option<u64> {
    field(text, name)?.strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_by_whole_name() {
        let status = "VmPeak:\t  10 kB\nVmHWM:\t   7 kB\nVmHWMx:\t 9 kB\nThreads:\t1\n";
        assert_eq!(kib_field(status, "VmHWM"), Some(7 * 1024));
        assert_eq!(kib_field(status, "Vm"), None);
        assert_eq!(kib_field(status, "Threads"), None);
        assert_eq!(field("model name\t: A: B\n", "model name"), Some("A: B"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn peak_memory_follows_an_allocation() {
        let before = peak_memory_bytes().unwrap();
        let block = vec![1u8; 64 << 20];
        assert!(block.iter().step_by(4096).map(|b| u64::from(*b)).sum::<u64>() > 0);
        assert!(peak_memory_bytes().unwrap() >= before.max(64 << 20));
        assert!(available_memory_bytes().unwrap() > 0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn cpu_time_counts_ended_threads() {
        let before = cpu_seconds().unwrap();
        let spin = || {
            let start = std::time::Instant::now();
            while start.elapsed().as_millis() < 400 {}
        };
        std::thread::scope(|scope| {
            scope.spawn(spin);
        });
        assert!(cpu_seconds().unwrap() > before + 0.02, "a thread that spun must show in the process's time");
    }

    #[test]
    fn the_lock_is_hashed() {
        assert_eq!(cargo_lock_sha256().len(), 64);
        assert!(Machine::detect().cores >= 1);
    }
}
