//! Batches made ahead of the steps that learn from them.
//!
//! **Idea.** A batch is a function of the step's number, so any thread can make it. While a device computes a step, the processor's threads draw those that follow. **Method.** Each batch of the
//! next few steps is a task of the thread pool; whoever gets to a batch first, a thread of the pool or the trainer that needs it, makes it, so the trainer never waits for one that nobody works
//! on, even where it is the pool's only thread. Without threads (a page, a build without `native-cpu`) every batch is made when it is asked for.

use std::ops::Range;

/// Most batches that lie ready: a batch of the GPU preset is some 70 MB.
#[cfg_attr(not(feature = "native-cpu"), expect(dead_code, reason = "nothing is made ahead without threads"))]
const MOST: u64 = 8;

/// Calls `body` with a source of batches: asked for the steps of `steps` in their order, it gives what `make` makes of each.
#[cfg(not(feature = "native-cpu"))]
pub fn ahead<B: Send, R>(_steps: Range<u64>, make: impl Fn(u64) -> B + Sync, body: impl FnOnce(&mut dyn FnMut(u64) -> B) -> R) -> R {
    body(&mut |step| make(step))
}

/// Calls `body` with a source of batches: asked for the steps of `steps` in their order, it gives what `make` makes of each.
#[cfg(feature = "native-cpu")]
pub fn ahead<B: Send, R>(steps: Range<u64>, make: impl Fn(u64) -> B + Sync, body: impl FnOnce(&mut dyn FnMut(u64) -> B) -> R) -> R {
    let shelf = threads::Shelf::default();
    let most = (rayon::current_num_threads() as u64).clamp(2, MOST);
    rayon::in_place_scope(|scope| {
        let (shelf, make) = (&shelf, &make);
        let mut next = steps.start;
        let result = body(&mut |step| {
            while next < steps.end.min(step + 1 + most) {
                let number = next;
                shelf.promise(number);
                // The batch that is needed now is made here.
                if number != step {
                    scope.spawn(move |_| shelf.fill(number, make));
                }
                next += 1;
            }
            shelf.take(step, make)
        });
        shelf.close();
        result
    })
}

#[cfg(feature = "native-cpu")]
#[expect(clippy::disallowed_types, reason = "compiled where there are threads to wait for, so never into a page")]
mod threads {
    use std::{
        collections::BTreeMap,
        sync::{Condvar, Mutex, MutexGuard, PoisonError},
    };

    enum Slot<B> {
        /// Nobody works on it.
        Promised,
        Making,
        Ready(B),
    }

    /// Batches by step.
    pub struct Shelf<B> {
        slots: Mutex<BTreeMap<u64, Slot<B>>>,
        changed: Condvar,
    }

    impl<B> Default for Shelf<B> {
        fn default() -> Self {
            Self { slots: Mutex::new(BTreeMap::new()), changed: Condvar::new() }
        }
    }

    /// Takes a batch off the shelf if its making ends without one, so that nobody waits for it.
    struct Claim<'s, B>(&'s Shelf<B>, u64);

    impl<B> Drop for Claim<'_, B> {
        fn drop(&mut self) {
            let mut slots = self.0.lock();
            if matches!(slots.get(&self.1), Some(Slot::Making)) {
                slots.remove(&self.1);
            }
            self.0.changed.notify_all();
        }
    }

    impl<B> Shelf<B> {
        fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Slot<B>>> {
            self.slots.lock().unwrap_or_else(PoisonError::into_inner)
        }

        pub fn promise(&self, step: u64) {
            self.lock().insert(step, Slot::Promised);
        }

        /// Makes a batch that nobody has begun; on a thread of the pool.
        pub fn fill(&self, step: u64, make: &impl Fn(u64) -> B) {
            match self.lock().get_mut(&step) {
                Some(slot @ Slot::Promised) => *slot = Slot::Making,
                _ => return,
            }
            let claim = Claim(self, step);
            let batch = make(step);
            self.lock().insert(step, Slot::Ready(batch));
            drop(claim);
        }

        /// The batch of a step: ready, waited for, or made here.
        pub fn take(&self, step: u64, make: &impl Fn(u64) -> B) -> B {
            let mut slots = self.lock();
            while matches!(slots.get(&step), Some(Slot::Making)) {
                slots = self.changed.wait(slots).unwrap_or_else(PoisonError::into_inner);
            }
            let slot = slots.remove(&step);
            drop(slots);
            match slot {
                Some(Slot::Ready(batch)) => batch,
                _ => make(step),
            }
        }

        /// Nothing promised is made any more.
        pub fn close(&self) {
            self.lock().retain(|_, slot| matches!(slot, Slot::Making));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_batch_is_that_of_its_step_and_made_once() {
        let made = std::sync::Mutex::new(vec![]);
        let make = |step: u64| {
            made.lock().unwrap().push(step);
            step * step
        };
        let found = ahead(3..40, make, |batch| (3..40).map(batch).collect::<Vec<_>>());
        assert_eq!(found, (3..40).map(|step| step * step).collect::<Vec<_>>());
        let mut made = made.into_inner().unwrap();
        made.sort_unstable();
        assert_eq!(made, (3..40).collect::<Vec<_>>());
    }

    #[test]
    fn a_run_that_ends_early_leaves_the_rest_unmade() {
        let made = std::sync::atomic::AtomicU64::new(0);
        let make = |_: u64| made.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        ahead(0..1000, make, |batch| (0..3).for_each(|step| _ = batch(step)));
        assert!((3..=3 + MOST).contains(&made.into_inner()), "at most those that were promised");
    }
}
