//! Models on disk, by checksum; the least recently used go when there are too many bytes of them.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use sha2::{Digest, Sha256};

/// A directory of models that stays below a size, with what is on its way there counted.
pub(crate) struct Disk {
    dir: PathBuf,
    /// In bytes.
    pub(crate) limit: u64,
    index: Mutex<Index>,
}

#[derive(Default)]
struct Index {
    files: HashMap<String, Entry>,
    clock: u64,
    parts: u64,
    /// Bytes of the rooms that are open.
    reserved: u64,
}

struct Entry {
    bytes: u64,
    /// On the index's clock.
    used: u64,
    pins: usize,
}

/// Room for a model on its way to the disk; nobody else gets it for as long as it lives.
pub(crate) struct Room {
    disk: Arc<Disk>,
    bytes: u64,
}

/// Keeps a model on disk for as long as it lives.
pub(crate) struct Pin {
    disk: Arc<Disk>,
    hex: String,
}

impl Disk {
    /// Finds what is there from before, and removes what was not finished.
    pub(crate) fn open(dir: PathBuf, limit: u64) -> io::Result<Arc<Self>> {
        let mut found: Vec<(SystemTime, String, u64)> = Vec::new();
        for entry in fs::read_dir(&dir)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if is_hex(&name) {
                let metadata = entry.metadata()?;
                let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                found.push((used, name, metadata.len()));
            } else if name.ends_with(".part") {
                fs::remove_file(entry.path())?;
            }
        }
        found.sort();
        let mut index = Index::default();
        for (_, hex, bytes) in found {
            index.clock += 1;
            index.files.insert(hex, Entry { bytes, used: index.clock, pins: 0 });
        }
        let disk = Arc::new(Self { dir, limit, index: Mutex::new(index) });
        disk.trim(&mut disk.lock(), limit);
        Ok(disk)
    }

    /// The model if it is here and whole; it stays until the pin is dropped. Reads and hashes: slow.
    pub(crate) fn read(self: &Arc<Self>, hex: &str) -> Option<(Vec<u8>, Pin)> {
        let pin = self.pin(hex)?;
        let path = self.dir.join(hex);
        let bytes = fs::read(&path).ok().filter(|bytes| hex::encode(Sha256::digest(bytes)) == hex);
        if let Some(bytes) = bytes {
            // so that the order of use survives a restart; a failure costs nothing else
            let _ = fs::File::options()
                .append(true)
                .open(&path)
                .and_then(|f| f.set_modified(SystemTime::now()));
            return Some((bytes, pin));
        }
        // damaged, or removed by hand
        self.lock().files.remove(hex);
        let _ = fs::remove_file(path);
        None
    }

    /// A place to write a model to, before it is known to be whole.
    pub(crate) fn part(&self, hex: &str) -> PathBuf {
        let mut index = self.lock();
        index.parts += 1;
        self.dir.join(format!("{hex}.{}.part", index.parts))
    }

    /// Room for `bytes` more, for which the least recently used models go. When those in use and
    /// those on their way leave too little, nothing goes, and the error is the bytes that lack.
    pub(crate) fn reserve(self: &Arc<Self>, bytes: u64) -> Result<Room, u64> {
        let mut index = self.lock();
        let lacking = index.held().saturating_add(bytes).saturating_sub(self.limit);
        if lacking > 0 {
            return Err(lacking);
        }
        let allowed = self.limit - index.reserved - bytes;
        self.trim(&mut index, allowed);
        // a file that cannot be removed still takes its place
        let lacking = index.bytes().saturating_sub(allowed);
        if lacking > 0 {
            return Err(lacking);
        }
        index.reserved += bytes;
        Ok(Room { disk: self.clone(), bytes })
    }

    /// Removes the least recently used models until `allowed` bytes are left; those in use stay.
    fn trim(&self, index: &mut Index, allowed: u64) {
        while index.bytes() > allowed {
            let oldest =
                index.files.iter().filter(|(_, entry)| entry.pins == 0).min_by_key(|(_, e)| e.used);
            let Some(hex) = oldest.map(|(hex, _)| hex.clone()) else { return };
            if let Err(error) = fs::remove_file(self.dir.join(&hex))
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(%error, "a cached model cannot be removed");
                return;
            }
            index.files.remove(&hex);
        }
    }

    /// Bytes of all models here.
    pub(crate) fn bytes(&self) -> u64 {
        self.lock().bytes()
    }

    fn pin(self: &Arc<Self>, hex: &str) -> Option<Pin> {
        let mut index = self.lock();
        let used = index.tick();
        let entry = index.files.get_mut(hex)?;
        entry.used = used;
        entry.pins += 1;
        Some(Pin { disk: self.clone(), hex: hex.to_owned() })
    }

    fn lock(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn bytes(&self) -> u64 {
        self.files.values().map(|entry| entry.bytes).sum()
    }

    /// Bytes that nobody else can have now.
    fn held(&self) -> u64 {
        let pinned = self.files.values().filter(|entry| entry.pins > 0);
        pinned.map(|entry| entry.bytes).sum::<u64>() + self.reserved
    }
}

impl Room {
    /// Takes a whole file over from its `part`; it is no larger than the room.
    pub(crate) fn keep(mut self, part: &Path, hex: &str, bytes: u64) -> io::Result<Pin> {
        fs::rename(part, self.disk.dir.join(hex))?;
        let mut index = self.disk.lock();
        let used = index.tick();
        let pins = index.files.get(hex).map_or(0, |entry| entry.pins) + 1;
        index.files.insert(hex.to_owned(), Entry { bytes, used, pins });
        index.reserved -= std::mem::take(&mut self.bytes);
        drop(index);
        Ok(Pin { disk: self.disk.clone(), hex: hex.to_owned() })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.disk.lock().reserved -= self.bytes;
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        if let Some(entry) = self.disk.lock().files.get_mut(&self.hex) {
            entry.pins = entry.pins.saturating_sub(1);
        }
    }
}

/// The hex digits of a checksum `sha256:…`: what a model's file is called.
pub(crate) fn hex_of(checksum: &str) -> Option<&str> {
    checksum.strip_prefix("sha256:").filter(|hex| is_hex(hex))
}

fn is_hex(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn add(disk: &Arc<Disk>, content: &[u8]) -> (String, Pin) {
        let hex = hex::encode(Sha256::digest(content));
        let part = disk.part(&hex);
        let room = disk.reserve(content.len() as u64).unwrap();
        fs::write(&part, content).unwrap();
        let pin = room.keep(&part, &hex, content.len() as u64).unwrap();
        (hex, pin)
    }

    #[test]
    fn what_is_on_its_way_has_its_place_already() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::open(dir.path().to_owned(), 10).unwrap();
        let (a, _) = add(&disk, b"aaaa");
        let (_, pin_b) = add(&disk, b"bbbb");
        // too much beside what is in use: nothing goes for it
        assert_eq!(disk.reserve(7).err(), Some(1));
        assert!(disk.read(&a).is_some());
        let room = disk.reserve(6).unwrap();
        assert!(disk.read(&a).is_none());
        assert_eq!(disk.reserve(1).err(), Some(1));
        drop(room);
        let (_, pin_c) = add(&disk, b"cccccc");
        assert_eq!(disk.reserve(1).err(), Some(1), "kept and in use");
        drop((pin_b, pin_c));
        let all = disk.reserve(10).unwrap();
        assert_eq!((disk.bytes(), disk.reserve(1).err()), (0, Some(1)));
        drop(all);
        assert_eq!(disk.reserve(11).err(), Some(1));
    }

    #[test]
    fn the_least_recently_used_go_and_those_in_use_stay() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::open(dir.path().to_owned(), 10).unwrap();
        let (a, pin_a) = add(&disk, b"aaaa");
        let (b, _) = add(&disk, b"bbbb");
        drop(disk.read(&b));
        let (c, _) = add(&disk, b"cccc");
        // `a` is older, but pinned
        assert!(disk.read(&a).is_some() && disk.read(&b).is_none() && disk.read(&c).is_some());
        assert_eq!(disk.bytes(), 8);
        drop(pin_a);
        drop(disk.read(&c));
        let (_, _) = add(&disk, b"dddd");
        assert!(disk.read(&a).is_none() && disk.read(&c).is_some());
    }

    #[test]
    fn a_restart_finds_what_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = {
            let disk = Disk::open(dir.path().to_owned(), 10).unwrap();
            fs::write(disk.part("x"), "half").unwrap();
            (add(&disk, b"aaaa").0, add(&disk, b"bbbb").0)
        };
        fs::write(dir.path().join(&b), "bbbX").unwrap();
        let disk = Disk::open(dir.path().to_owned(), 10).unwrap();
        assert_eq!(disk.read(&a).unwrap().0, b"aaaa");
        assert!(disk.read(&b).is_none(), "damaged");
        let left: Vec<_> =
            fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, [std::ffi::OsString::from(a)]);
    }

    #[test]
    fn only_checksums_become_file_names() {
        let hex = "a".repeat(64);
        assert_eq!(hex_of(&format!("sha256:{hex}")), Some(hex.as_str()));
        for wrong in [
            "",
            "sha256:",
            "sha256:../../etc/passwd",
            &hex,
            &format!("sha256:{}", hex.to_uppercase()),
        ] {
            assert_eq!(hex_of(wrong), None);
        }
    }
}
