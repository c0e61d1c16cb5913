//! Devices: machines that do work, and the sessions in which they do it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::lease;

/// How many loaded models of a device are known.
pub const MAX_WARM: usize = 32;

/// Whom a device works for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Share {
    /// Its owner only.
    #[default]
    Own,
    /// Other customers too.
    Everyone,
}

/// A device, as it is stored. Times are epoch milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Device {
    /// `dev_…`, the same for the same owner and uuid.
    pub id: String,
    /// The owner.
    pub customer: String,
    /// Chosen by the device.
    pub uuid: String,
    /// What people call it.
    pub name: Option<String>,
    /// `rust`, `python`, `nodejs` or `windows`.
    pub sdk_type: String,
    /// Semantic version.
    pub sdk_version: String,
    /// `user` or `aws`.
    pub instance_type: String,
    /// Whom it works for.
    pub share: Share,
    /// What the machine is; shown, never judged.
    pub hardware: serde_json::Value,
    /// What it can do.
    pub capabilities: Capabilities,
    /// SHA-256 of the session token, in hex; also the session's name. A session is one continuous
    /// presence, and survives a reconnect within its lease.
    pub session: String,
    /// The open connection.
    pub connection: String,
    /// The session and the connection: a message of an older one changes nothing.
    pub fences: BTreeMap<String, u8>,
    /// Where the device reached the platform, for URLs that it is given.
    pub base: String,
    /// When the session's lease was last renewed.
    pub renewed_ms: u64,
    /// When the socket closed, until a new one resumes.
    pub closed_ms: Option<u64>,
    /// When work of this session was given up because its lease was over, until the device speaks
    /// again: a machine that was stopped or cut from power may leave its socket open.
    #[serde(default)]
    pub lost_ms: Option<u64>,
    /// It said that it takes nothing new.
    pub draining: bool,
    /// Its owner wants it to leave: it gets nothing new in this session.
    #[serde(default)]
    pub leaving: bool,
    /// Slots without work when it last spoke.
    pub slots_free: u32,
    /// Checksums of the models that it has loaded, at most [`MAX_WARM`].
    pub warm: Vec<String>,
    /// When the session began.
    pub connected_ms: u64,
    /// When it last said something that was not known: an idle device that goes on being idle is
    /// not written down.
    pub seen_ms: u64,
    /// Of the item.
    pub version: u64,
}

/// What a device can do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Capabilities {
    /// File formats of models.
    pub formats: Vec<String>,
    /// Runs inference.
    pub inference: bool,
    /// Runs training.
    pub training: bool,
    /// Computes on a graphics processor.
    pub gpu: bool,
    /// Tasks at once.
    pub slots: u32,
    /// The largest model, in MB.
    pub max_model_mb: u64,
    /// Takes pieces of batches beside its slots.
    #[serde(default)]
    pub batches: bool,
}

/// What customers are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// A slot is free.
    Idle,
    /// No slot is free.
    Busy,
    /// It finishes what it has.
    Draining,
    /// Not there.
    Offline,
}

impl Status {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Busy => "busy",
            Self::Draining => "draining",
            Self::Offline => "offline",
        }
    }

    /// The status of that name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Idle, Self::Busy, Self::Draining, Self::Offline]
            .into_iter()
            .find(|s| s.name() == name)
    }
}

impl Device {
    /// Whether it is connected, and not known to be silent there.
    pub fn is_present(&self) -> bool {
        self.closed_ms.is_none() && self.lost_ms.is_none()
    }

    /// Whether it gets nothing new, by its own wish or its owner's.
    pub fn is_draining(&self) -> bool {
        self.draining || self.leaving
    }

    /// Whether work that was sent at `sent_ms` in `session` is lost: another session began, the
    /// lease is over, or the socket closed and was not resumed in time.
    pub fn has_lost(
        &self,
        session: &str,
        sent_ms: u64,
        now_ms: u64,
        settings: &lease::Settings,
    ) -> bool {
        let lease_over = now_ms > self.renewed_ms.max(sent_ms) + settings.lease_ms;
        let closed = self.closed_ms.is_some_and(|at| now_ms >= at + settings.closed_grace_ms);
        self.session != session || lease_over || closed
    }

    /// What customers are shown.
    pub fn status(&self, now_ms: u64, settings: &lease::Settings) -> Status {
        let working = self.slots_free < self.capabilities.slots;
        let missed = working && now_ms > self.renewed_ms + 2 * settings.heartbeat_ms;
        if !self.is_present() || missed {
            Status::Offline
        } else if self.is_draining() {
            Status::Draining
        } else if self.slots_free == 0 {
            Status::Busy
        } else {
            Status::Idle
        }
    }
}
