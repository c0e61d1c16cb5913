//! The processor time of the calling thread.

use std::time::Duration;

/// Processor time that this thread has used since it started.
#[cfg(unix)]
#[allow(unsafe_code, reason = "the standard library cannot read a thread's clock")]
pub(crate) fn thread_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call only writes to `time`, which lives until it returns.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    if status == 0 {
        Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
    } else {
        Duration::ZERO
    }
}

/// Wall time stands in for it where the system's clock is not known: workers compute all the time.
#[cfg(not(unix))]
pub(crate) fn thread_time() -> Duration {
    thread_local!(static START: std::time::Instant = std::time::Instant::now());
    START.with(std::time::Instant::elapsed)
}
