//! What handlers take: who calls, the body, the path, each refused with our own errors.

mod body;
mod caller;
mod etags;
pub mod form;
mod parts;

pub use body::{Body, Json, is_json};
pub use caller::{Admin, Customer, CustomerOrDevice, scope};
pub use etags::{IfMatch, IfNoneMatch, quoted};
pub use parts::{Base, IdempotencyKey, Path, Query};
