//! The agent that lends a computer to dcmp: it keeps a socket to the platform, fetches models, runs
//! tasks and gives back results, exactly as often as asked and never losing one it has.
//!
//! [`Agent`] is a library without a screen; what it does is told by [`Agent::status`] and
//! [`Agent::events`], and it is ended by a [`Stop`].

mod agent;
mod background;
mod chance;
mod config;
mod cpu;
mod desk;
mod disk;
mod endpoint;
mod hear;
mod home;
mod http;
mod journal;
mod link;
mod machine;
mod models;
mod pulse;
mod report;
mod results;
mod serve;
mod stop;
mod tasks;
mod worker;

pub use agent::{Agent, Error, Summary};
pub use config::{Config, Timings};
pub use journal::Journal;
pub use protocol::socket::{InstanceType, Share};
pub use report::{Connection, Event, Status};
pub use stop::Stop;
