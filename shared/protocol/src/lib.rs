//! What goes over the wires: bodies of the REST API, messages of the device socket, tensors.
//!
//! Types here say how things are written, not what is allowed; the domain and the service decide that.

pub mod dataset;
pub mod rest;
pub mod socket;
pub mod tensor;
