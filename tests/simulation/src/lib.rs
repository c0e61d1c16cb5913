//! A platform in a world of its own: the real functions, as they are deployed, over ports in memory,
//! with devices and customers that say what real ones say. Time is simulated and everything that is by
//! chance follows from one seed, so a world that went wrong goes wrong again in the same way.

mod clock;
mod dice;
pub mod store;

pub use clock::SimClock;
pub use dice::Dice;
pub use store::Store;
