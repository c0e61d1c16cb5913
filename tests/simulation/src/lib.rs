//! A platform in a world of its own: the real functions, as they are deployed, over ports in memory,
//! with devices and customers that say what real ones say. Time is simulated and everything that is by
//! chance follows from one seed, so a world that went wrong goes wrong again in the same way.
//!
//! `cargo test` runs 200 small worlds; `cargo xtask simulate` runs more and larger ones.

mod clock;
mod customer;
mod device;
mod dice;
mod faults;
mod judge;
mod ledger;
mod many;
mod model;
mod plan;
mod platform;
mod scale;
pub mod store;
mod weather;
mod world;

pub use clock::SimClock;
pub use dice::Dice;
pub use faults::{Faults, Sabotage};
pub use many::{Reports, run_all};
pub use plan::{Failure, Plan, Report};
pub use scale::{Measured, Scale, measure};
pub use store::Store;
pub use world::run;
