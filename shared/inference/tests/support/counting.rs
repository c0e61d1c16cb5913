//! An allocator that counts what each thread takes, so that tests beside each other do not matter.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

pub(crate) struct Counting;

thread_local! {
    /// What is taken now, and the most that was.
    static TAKEN: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

fn count(by: isize) {
    // a thread that ends may give memory back behind its last value
    let _ = TAKEN.try_with(|taken| {
        let (now, most) = taken.get();
        taken.set((now + by, most.max(now + by)));
    });
}

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        unsafe { System.dealloc(at, layout) }
    }
}

/// What `work` gives, and the most bytes that this thread took for it at one time.
pub(crate) fn most<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let (before, _) = TAKEN.get();
    TAKEN.set((before, before));
    let result = work();
    let (_, most) = TAKEN.get();
    (result, (most - before) as usize)
}
