//! The program of every Lambda function: one binary, of which each function runs the handler that its
//! `_HANDLER` names. What Lambda brings becomes a call of that handler, and what the handler says
//! becomes Lambda's answer; nothing here knows one function from another.

mod call;
mod environment;
mod failure;
mod feed;
mod function;
mod http;
mod logs;
mod metrics;
mod queue;
mod run;
mod socket;
mod timer;

pub use environment::Environment;
pub use failure::Failure;
pub use function::Function;
pub use metrics::Invocation;
pub use run::{MakeEngine, run};
pub use service::Engine;
