//! Stopping on request.
//!
//! Idea: Ctrl-C and SIGTERM (what a job scheduler sends before it takes the machine away) ask a run to stop at the next step, where it
//! saves a checkpoint; nothing is cut in the middle. Method: the handler only sets a flag that loops look at. A second signal means
//! that waiting is not wanted: the process ends at once with exit code 130, and since files appear only whole, nothing is half-written.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result};

/// Exit code after a second signal: the shell's 128 + SIGINT.
pub const EXIT_INTERRUPTED: i32 = 130;

/// Whether the user, or the system, has asked the run to stop. Clones share the flag.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// True from the first signal on.
    #[must_use]
    pub fn requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Sets the flag, as a signal does. Returns whether it was set before.
    pub fn request(&self) -> bool {
        self.0.swap(true, Ordering::Relaxed)
    }
}

/// Catches Ctrl-C, SIGTERM and SIGHUP for the rest of the process; later calls return the same flag.
///
/// # Errors
/// When the system refuses the handler.
pub fn install() -> Result<Stop> {
    static INSTALLED: OnceLock<Stop> = OnceLock::new();
    if let Some(stop) = INSTALLED.get() {
        return Ok(stop.clone());
    }
    let stop = INSTALLED.get_or_init(Stop::default).clone();
    let flag = stop.clone();
    // The handler runs on a thread of its own, not in signal context, so it may print.
    ctrlc::set_handler(move || {
        if flag.request() {
            end_at_once();
        }
        eprintln!("\nstopping after this step and saving; once more ends at once");
    })
    .context("cannot catch Ctrl-C")?;
    Ok(stop)
}

#[expect(clippy::exit, reason = "the user asked twice; what is on disk is whole at any moment")]
fn end_at_once() -> ! {
    std::process::exit(EXIT_INTERRUPTED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_share_the_flag() {
        let stop = Stop::default();
        let other = stop.clone();
        assert!(!other.requested());
        assert!(!stop.request());
        assert!(other.requested());
        assert!(other.request());
    }
}
