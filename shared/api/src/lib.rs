//! The edge of every function: what a route declares, who calls it, how bodies are read, and how
//! errors are said.

mod drain;
mod error;
mod extract;
mod http;
#[cfg(feature = "openapi")]
mod openapi;
mod paging;
mod request_id;
mod route;
mod router;
pub mod socket;

pub use self::http::{Describe, Http};
pub use error::{CODES, Error, Result};
pub use extract::{
    Admin, Base, Body, Customer, CustomerOrDevice, IdempotencyKey, IfMatch, IfNoneMatch, Json,
    Path, Query, form, is_json, quoted, scope,
};
#[cfg(feature = "openapi")]
pub use openapi::document;
pub use paging::{Paging, encode_cursor};
pub use route::{
    Auth, Bundle, Connecting, Entry, OnCall, OnConnect, OnDisconnect, OnFeed, OnMessage, OnQueue,
    OnTimer, Route,
};
pub use router::{AT_ROOT, router};

/// Where the API's paths begin.
pub const BASE_PATH: &str = "/api/v1";

/// The largest JSON body, in bytes.
pub const MAX_JSON: usize = 4 * 1024 * 1024;

/// For [`routes!`], in crates that do not depend on it themselves.
#[doc(hidden)]
pub use utoipa_axum;
