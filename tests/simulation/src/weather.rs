//! Whether things go wrong now: a world has bad weather while its customers work, and then it clears
//! up, so that what is left can be looked at.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::{dice::Dice, faults::Faults};

/// The weather of a world.
pub(crate) struct Weather {
    pub(crate) dice: Arc<Dice>,
    faults: Faults,
    clear: AtomicBool,
}

impl Weather {
    pub(crate) fn new(dice: Arc<Dice>, faults: Faults) -> Arc<Self> {
        Arc::new(Self { dice, faults, clear: AtomicBool::new(false) })
    }

    /// What goes wrong now.
    pub(crate) fn faults(&self) -> Faults {
        if self.is_foul() { self.faults } else { Faults::NONE }
    }

    /// Whether anything does.
    pub(crate) fn is_foul(&self) -> bool {
        self.faults != Faults::NONE && !self.clear.load(Ordering::Relaxed)
    }

    /// From now on nothing goes wrong any more.
    pub(crate) fn clear_up(&self) {
        self.clear.store(true, Ordering::Relaxed);
    }
}
