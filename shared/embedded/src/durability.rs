//! What an acknowledged write survives.

use std::{fmt, str::FromStr};

/// What `durable` waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// The disk has it (`fdatasync`, shared by all who wait): survives loss of power.
    #[default]
    Power,
    /// The operating system has it: survives the end of the process, however sudden.
    Process,
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Power => "power",
            Self::Process => "process",
        })
    }
}

impl FromStr for Durability {
    type Err = UnknownDurability;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "power" => Ok(Self::Power),
            "process" => Ok(Self::Process),
            other => Err(UnknownDurability(other.to_owned())),
        }
    }
}

/// The text names no [`Durability`].
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no durability: use `power` (survives loss of power) or `process` (faster)")]
pub struct UnknownDurability(String);
