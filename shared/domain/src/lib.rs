//! The platform's words, states and decisions.
//!
//! Nothing here reads a clock, draws a random number or touches the world: `decide(state, event,
//! now)` says what becomes of a state, and the service carries it out.

pub mod access;
pub mod batch;
pub mod device;
pub mod fleet;
pub mod job;
pub mod lease;
pub mod model;
pub mod name;
pub mod upload;
