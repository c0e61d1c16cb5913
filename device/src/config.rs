//! What an agent is told when it starts.

use std::{ops::Range, path::PathBuf, time::Duration};

use protocol::socket::{InstanceType, Share};
use secrecy::SecretString;

use crate::journal::Journal;

/// How to be a device, and whose.
#[derive(Clone, Debug)]
pub struct Config {
    /// The platform: `http(s)://host[:port]` or `ws(s)://…`.
    pub url: String,
    /// A customer's key with the scope `devices`.
    pub api_key: SecretString,
    /// What people call this device.
    pub name: Option<String>,
    /// Tasks that it runs at once, 1 to 1024; twice as many may wait.
    pub slots: u32,
    /// Whom it works for.
    pub share: Share,
    /// Whose machine it is.
    pub instance_type: InstanceType,
    /// Where its identity and its models are kept; of this agent alone.
    pub data_dir: PathBuf,
    /// How much disk its models may take, in MB.
    pub cache_mb: u64,
    /// The largest model that it takes, in MB.
    pub max_model_mb: u64,
    /// Its habits.
    pub timings: Timings,
    /// Where its log is kept for its owner, who may ask for it from afar.
    pub journal: Journal,
}

/// How long things take and how often they happen.
#[derive(Clone, Debug)]
pub struct Timings {
    /// Between heartbeats without work; gateways close connections after 10 idle minutes.
    pub idle_heartbeat: Duration,
    /// Between pings; without any answer for 2.5 times as long, the connection counts as lost.
    pub ping: Duration,
    /// For connecting and for the platform's welcome.
    pub welcome: Duration,
    /// The most to wait before the first attempt to reconnect; doubles with each failure.
    pub first_retry: Duration,
    /// The most to wait before any attempt.
    pub longest_retry: Duration,
    /// After how long a connection is replaced by a fresh one, picked at random from this range:
    /// gateways cut them after two hours.
    pub renewal: Range<Duration>,
    /// For the platform to acknowledge the last results before the agent leaves.
    pub last_acks: Duration,
    /// How long a result that nobody acknowledges is kept.
    pub keep_results: Duration,
    /// How long a model waits for those in use to leave room for it on the disk.
    pub room: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        Self {
            idle_heartbeat: minutes(8),
            ping: Duration::from_secs(30),
            welcome: Duration::from_secs(15),
            // a session without a socket lives for 2 s
            first_retry: Duration::from_millis(500),
            longest_retry: minutes(5),
            renewal: minutes(60)..minutes(115),
            last_acks: Duration::from_secs(10),
            keep_results: minutes(15),
            room: Duration::from_secs(10),
        }
    }
}
