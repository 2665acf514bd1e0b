//! Makes parts of paddock panic for tests, at chosen points. The points exist in debug builds only.

#[cfg(debug_assertions)]
use std::sync::atomic::{AtomicU8, Ordering};

/// The armed points, one bit each.
#[cfg(debug_assertions)]
static ARMED: AtomicU8 = AtomicU8::new(0);

/// A part of paddock that checks whether it shall panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failpoint {
    /// The runtime actor, at its next command.
    Runtime,
    /// The thread that forks, at its next request.
    Spawner,
    /// A worker, at its next command.
    Worker,
    /// A handler of the admin plane.
    Admin,
}

impl Failpoint {
    /// Makes the part panic at its next check, once.
    #[cfg(debug_assertions)]
    pub fn arm(self) {
        ARMED.fetch_or(self.bit(), Ordering::Relaxed);
    }

    /// Checks the point. Release builds do nothing.
    ///
    /// # Panics
    ///
    /// The point is armed.
    #[inline]
    pub fn check(self) {
        #[cfg(debug_assertions)]
        assert!(
            ARMED.fetch_and(!self.bit(), Ordering::Relaxed) & self.bit() == 0,
            "{self:?} was told to panic"
        );
    }

    #[cfg(debug_assertions)]
    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::Failpoint;
    use std::panic::catch_unwind;

    #[test]
    fn an_armed_point_panics_once_and_alone() {
        Failpoint::Admin.check();
        Failpoint::Admin.arm();
        Failpoint::Runtime.check();
        catch_unwind(|| Failpoint::Admin.check()).unwrap_err();
        Failpoint::Admin.check();
    }
}
