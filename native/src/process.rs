//! What the program asks of the system once, before anything else runs, and the threads it runs in.
//!
//! **Memory.** A tensor of a few megabytes lives for one operation. The C library of Linux takes such blocks from the kernel and gives them back
//! at once, so every operation begins with pages that the kernel must clear first: 10 to 20 % of a training step. Here freed memory stays with the
//! program, in one pool for all threads. Peak memory does not change: the next operation uses what the last one left. Who sets `MALLOC_…`
//! or `GLIBC_TUNABLES` keeps their own setting.
//!
//! **Threads.** A command runs inside the pool that tensors are computed in. From outside, every product would be handed to another thread and waited for: two switches
//! each, and with small models those took more time than the products.
//!
//! **A closed pipe** ends the program as it ends others (`vitrine … | head`); Rust would turn it into a panic of `println!`.
#![allow(unsafe_code, reason = "two calls into the C library, each explained where it is made")]

use anyhow::{Context as _, Result};

/// Prepares the process. To be called first in `main`, while there is one thread.
pub fn prepare() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    if !std::env::vars_os().any(|(name, _)| name.to_string_lossy().starts_with("MALLOC_") || name == "GLIBC_TUNABLES") {
        // SAFETY: mallopt only sets numbers in the allocator, and no other thread runs yet. A refusal (0) leaves the default, which is slower but right.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 30);
            libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
            libc::mallopt(libc::M_ARENA_MAX, 1);
        }
    }
    #[cfg(unix)]
    // SAFETY: no handler of ours is installed, and SIG_DFL is the state in which every process but a Rust one begins.
    unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
}

/// Stack of each thread: a command runs in one of them, and expects what a program's first thread has.
const STACK_BYTES: usize = 8 << 20;

/// Runs `work` in the pool of computing threads.
pub fn in_pool<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    // Where the system refuses larger stacks, or threads, rayon starts its own default pool in the next line.
    let _ = rayon::ThreadPoolBuilder::new().stack_size(STACK_BYTES).build_global();
    rayon::scope(|_| work())
}

/// Runs `work` in a pool of so many threads; without a number, where it stands.
///
/// # Errors
/// Where the system refuses the threads.
pub fn with_threads<T: Send>(threads: Option<usize>, work: impl FnOnce() -> T + Send) -> Result<T> {
    let Some(n) = threads else { return Ok(work()) };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(n).stack_size(STACK_BYTES).build();
    Ok(pool.context("cannot set the number of threads")?.install(work))
}
