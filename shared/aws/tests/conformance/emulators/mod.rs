//! AWS's services on this machine, each on a port of its own for as long as its server lives.

pub(crate) mod http;
pub(crate) mod lambda;
pub(crate) mod queues;
pub(crate) mod s3;
pub(crate) mod sockets;
pub(crate) mod table;
