//! The fleet view: what placement knows of the devices, and how it chooses one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    device::{Device, Share},
    job::Wants,
    model::{Format, Placement},
};

/// How many pages a scope's devices are spread over.
pub const SHARDS: u32 = 64;

/// Waiting places on a device, for each slot.
pub const WAITING_PER_SLOT: u32 = 2;

/// The scope that every customer's shared devices are in.
pub const EVERYONE: &str = "everyone";

/// One page of the view: devices by id.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// The devices that are connected.
    pub devices: BTreeMap<String, Entry>,
}

/// What placement knows of one device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Where to send.
    pub connection: String,
    /// The session that an attempt belongs to.
    pub session: String,
    /// Where the device reached the platform.
    pub base: String,
    /// Tasks at once.
    pub slots: u32,
    /// Slots without work when it last spoke.
    pub slots_free: u32,
    /// File formats of models.
    pub formats: Vec<String>,
    /// Computes on a graphics processor.
    pub gpu: bool,
    /// `user` or `aws`.
    pub instance_type: String,
    /// The largest model, in MB.
    pub max_model_mb: u64,
    /// Takes pieces of batches.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub batches: bool,
    /// The models that it has loaded, each by its [`mark`].
    pub warm: Vec<String>,
}

/// What the view keeps of a model's checksum: 16 of its 64 digits. 150 devices with many models
/// each must fit on a page, and a mistaken preference for a device does no harm.
pub fn mark(checksum: &str) -> &str {
    let digits = checksum.strip_prefix("sha256:").unwrap_or(checksum);
    digits.get(..16).unwrap_or(digits)
}

impl Entry {
    /// What the view keeps of a device; `None` when it can take no inference now.
    pub fn of(device: &Device) -> Option<Self> {
        let available =
            device.is_present() && !device.is_draining() && device.capabilities.inference;
        available.then(|| Self {
            connection: device.connection.clone(),
            session: device.session.clone(),
            base: device.base.clone(),
            slots: device.capabilities.slots,
            slots_free: device.slots_free,
            formats: device.capabilities.formats.clone(),
            gpu: device.capabilities.gpu,
            instance_type: device.instance_type.clone(),
            max_model_mb: device.capabilities.max_model_mb,
            batches: device.capabilities.batches,
            warm: device.warm.iter().map(|checksum| mark(checksum).to_owned()).collect(),
        })
    }
}

/// The scopes in whose views a device stands.
pub fn scopes(device: &Device) -> Vec<String> {
    match device.share {
        Share::Own => vec![device.customer.clone()],
        Share::Everyone => vec![device.customer.clone(), EVERYONE.to_owned()],
    }
}

/// The page of its scope on which a device stands (FNV-1a of its id).
pub fn shard(device: &str) -> u32 {
    let hash = device
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    hash % SHARDS
}

/// Pieces of batches that a device has at once, for each slot: one runs, the next is on its way.
pub const BATCHES_PER_SLOT: u32 = 2;

/// What is to be placed.
pub struct Need<'a> {
    /// Where it may run.
    pub wants: &'a Wants,
    /// The model's format.
    pub format: Format,
    /// The model's size in bytes.
    pub model_bytes: u64,
    /// The model's checksum.
    pub checksum: &'a str,
    /// It is a piece of a batch, which runs beside the slots.
    pub in_batch: bool,
    /// Devices that had their chance.
    pub avoid: &'a [&'a str],
}

/// What came of looking for a device.
#[derive(Clone, Debug, PartialEq)]
pub enum Choice<'a> {
    /// This one.
    Device(&'a str, &'a Entry),
    /// There are capable devices, and all their places are taken.
    Busy,
    /// There is no capable device.
    Nobody,
}

/// Chooses among the devices of `pages`: capable, with a free place, the model warm if possible,
/// the less loaded of two random candidates ("power of two choices", Mitzenmacher 2001).
/// `in_flight` is what the caller itself has sent there of the kind and not heard of; `random` are two draws.
pub fn choose<'a>(
    pages: &'a [Page],
    need: &Need,
    in_flight: impl Fn(&str) -> u32,
    random: [u32; 2],
) -> Choice<'a> {
    if need.wants.placement == Placement::Platform {
        return Choice::Nobody;
    }
    let capable = pages.iter().flat_map(|page| &page.devices).filter(|(id, entry)| {
        entry.formats.iter().any(|format| format == need.format.name())
            && entry.max_model_mb.saturating_mul(1 << 20) >= need.model_bytes
            && need.wants.instance_type.as_ref().is_none_or(|kind| *kind == entry.instance_type)
            && (entry.batches || !need.in_batch)
            && !need.avoid.contains(&id.as_str())
    });
    let mut candidates: Vec<Candidate> = Vec::new();
    let mut busy = false;
    for (id, entry) in capable {
        let (load, most) = match need.in_batch {
            // what devices say of their slots is of the others
            true => (in_flight(id), BATCHES_PER_SLOT),
            false => {
                let used = entry.slots.saturating_sub(entry.slots_free);
                (in_flight(id).max(used), 1 + WAITING_PER_SLOT)
            }
        };
        if load >= entry.slots.saturating_mul(most) {
            busy = true;
            continue;
        }
        candidates.push(Candidate { id, entry, load });
    }
    let best = candidates.iter().map(|c| c.rank(need)).max();
    candidates.retain(|candidate| Some(candidate.rank(need)) == best);
    match candidates.as_slice() {
        [] if busy => Choice::Busy,
        [] => Choice::Nobody,
        [only] => Choice::Device(only.id, only.entry),
        many => {
            let [a, b] = random.map(|draw| &many[draw as usize % many.len()]);
            let chosen = if b.relative_load() < a.relative_load() { b } else { a };
            Choice::Device(chosen.id, chosen.entry)
        }
    }
}

struct Candidate<'a> {
    id: &'a str,
    entry: &'a Entry,
    load: u32,
}

impl Candidate<'_> {
    /// What is preferred before load: the wished processor, then a free slot, then a warm model.
    fn rank(&self, need: &Need) -> (bool, bool, bool) {
        let gpu = !need.wants.prefer_gpu || self.entry.gpu;
        let warm = self.entry.warm.iter().any(|model| model == mark(need.checksum));
        (gpu, self.load < self.entry.slots, warm)
    }

    fn relative_load(&self) -> f32 {
        self.load as f32 / self.entry.slots.max(1) as f32
    }
}
