//! What uploads of models and datasets have in common.
//!
//! Whatever may be left behind on the way is noted before it is made, with the time when somebody
//! is to look after it (`pending`), so that nothing stays of what its maker did not finish.

pub(crate) mod parts;
mod pending;
mod row;
mod sweep;
mod turn;
mod whole;

pub(crate) use parts::{last_ms, read_checksum};
pub(crate) use pending::{
    Pending, Subject, note, note_at_once, note_left, remove_file, remove_parts,
};
pub(crate) use row::{Row, commit};
pub use sweep::sweep;
pub(crate) use turn::{Failed, MAX_TRIES, UNHEARD_MS, given_up, take_turn};
pub(crate) use whole::whole;
