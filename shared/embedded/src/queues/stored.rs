//! A message in bytes.

/// A message as it is stored, its body borrowed.
pub(super) struct Stored<'a> {
    /// In epoch milliseconds.
    pub(super) visible_ms: u64,
    pub(super) receives: u32,
    /// JSON.
    pub(super) body: &'a [u8],
}

impl<'a> Stored<'a> {
    pub(super) fn encode(&self) -> Vec<u8> {
        let visible = self.visible_ms.to_be_bytes();
        [visible.as_slice(), &self.receives.to_be_bytes(), self.body].concat()
    }

    pub(super) fn decode(bytes: &'a [u8]) -> Option<Self> {
        let (visible, rest) = bytes.split_first_chunk()?;
        let (receives, body) = rest.split_first_chunk()?;
        Some(Self {
            visible_ms: u64::from_be_bytes(*visible),
            receives: u32::from_be_bytes(*receives),
            body,
        })
    }
}

/// The engine's key: the queue, a zero byte, the message's id, which has none.
pub(super) fn key(queue: &str, id: &str) -> Vec<u8> {
    [queue.as_bytes(), &[0], id.as_bytes()].concat()
}

/// The queue and the id of an engine's key.
pub(super) fn decode_key(key: &[u8]) -> Option<(&str, &str)> {
    str::from_utf8(key).ok()?.rsplit_once('\0')
}
