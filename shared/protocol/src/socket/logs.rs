//! A device's log: what is asked for, and the lines that come back.

use serde::{Deserialize, Serialize};

/// How serious a line is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Every step.
    Trace,
    /// For those who look for a fault.
    Debug,
    /// What happens as it should.
    Info,
    /// What should not have happened, and was dealt with.
    Warn,
    /// What went wrong.
    Error,
}

impl LogLevel {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// Which lines are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFilter {
    /// All that the device keeps.
    #[default]
    All,
    /// Those of this level and the more serious ones.
    #[serde(untagged)]
    From(LogLevel),
}

impl LogFilter {
    /// The filter of that name: `all`, or a level.
    pub fn parse(name: &str) -> Option<Self> {
        use LogLevel::{Debug, Error, Info, Trace, Warn};
        let level = |wanted: &LogLevel| wanted.name() == name;
        let from = || [Trace, Debug, Info, Warn, Error].into_iter().find(level).map(Self::From);
        if name == "all" { Some(Self::All) } else { from() }
    }

    /// Whether it lets lines of this level through.
    pub fn lets(self, level: LogLevel) -> bool {
        match self {
            Self::All => true,
            Self::From(least) => level >= least,
        }
    }
}

/// One line of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LogLine {
    /// RFC 3339, by the device's clock.
    pub time: String,
    /// How serious it is.
    pub level: LogLevel,
    /// At most 4 KB; longer ones are cut.
    pub message: String,
}

/// To a device: send your newest lines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "logsPull")]
pub struct LogsPull {
    /// Echo it.
    pub request_id: String,
    /// At most so many lines.
    pub lines: u32,
    /// Which ones.
    #[serde(default)]
    pub level: LogFilter,
}

/// From a device: the lines, oldest first. What does not fit into one frame comes in parts, of which
/// each says whether there are more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "logs")]
pub struct Logs {
    /// As in `logsPull`.
    pub request_id: String,
    /// Of this part.
    pub lines: Vec<LogLine>,
    /// From 0.
    #[serde(default)]
    pub part: u32,
    /// Whether another part follows.
    #[serde(default)]
    pub more: bool,
}
