//! Zip archives that mean harm, written by hand: no library makes them.
//! <https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>

/// An archive of one file, `archive/data.pkl`, of so many zeros: a thousandth of them.
pub(crate) fn bomb(size: u64) -> Vec<u8> {
    archive([Entry { name: "archive/data.pkl".to_owned(), method: 8, data: zeros(size), size }])
}

/// An archive of so many empty files.
pub(crate) fn many(count: usize) -> Vec<u8> {
    let entry = |number| Entry {
        name: format!("archive/data/{number}"),
        method: 0,
        data: Vec::new(),
        size: 0,
    };
    archive((0..count).map(entry))
}

struct Entry {
    name: String,
    method: u16,
    data: Vec<u8>,
    size: u64,
}

fn archive(entries: impl IntoIterator<Item = Entry>) -> Vec<u8> {
    let (mut file, mut directory, mut count) = (Vec::new(), Vec::new(), 0_u16);
    for Entry { name, method, data, size } in entries {
        let at = file.len() as u32;
        // version, flags, method, time, date, checksum (nobody comes that far), sizes, lengths
        let mut head = Vec::new();
        for word in [20, 0, method, 0, 0x21] {
            head.extend(u16::to_le_bytes(word));
        }
        for long in [0, data.len() as u32, size as u32] {
            head.extend(u32::to_le_bytes(long));
        }
        head.extend((name.len() as u16).to_le_bytes());
        head.extend([0; 2]);
        file.extend(b"PK\x03\x04");
        file.extend(&head);
        file.extend(name.as_bytes());
        file.extend(data);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&head);
        directory.extend([0; 10]);
        directory.extend(at.to_le_bytes());
        directory.extend(name.as_bytes());
        count += 1;
    }
    let at = file.len() as u32;
    file.extend(&directory);
    file.extend(b"PK\x05\x06\0\0\0\0");
    file.extend([count.to_le_bytes(), count.to_le_bytes()].concat());
    file.extend((directory.len() as u32).to_le_bytes());
    file.extend(at.to_le_bytes());
    file.extend([0; 2]);
    file
}

/// A deflated stream of zeros (RFC 1951, fixed codes): one zero, then its repetition 258 at a time.
fn zeros(size: u64) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.add(0b1, 1); // the last block
    bits.add(0b01, 2); // fixed codes
    bits.code(0b0011_0000, 8); // the byte 0
    for _ in 0..size.saturating_sub(1) / 258 {
        bits.code(0b1100_0101, 8); // 258 bytes
        bits.code(0b00000, 5); // from one byte back
    }
    for _ in 0..size.saturating_sub(1) % 258 {
        bits.code(0b0011_0000, 8);
    }
    bits.code(0b000_0000, 7); // the end
    bits.bytes()
}

#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    pending: u64,
    count: u32,
}

impl Bits {
    /// Numbers begin with their lowest bit.
    fn add(&mut self, bits: u64, count: u32) {
        self.pending |= bits << self.count;
        self.count += count;
        while self.count >= 8 {
            self.bytes.push(self.pending as u8);
            self.pending >>= 8;
            self.count -= 8;
        }
    }

    /// Codes begin with their highest.
    fn code(&mut self, code: u64, count: u32) {
        self.add(code.reverse_bits() >> (64 - count), count);
    }

    fn bytes(mut self) -> Vec<u8> {
        if self.count > 0 {
            self.bytes.push(self.pending as u8);
        }
        self.bytes
    }
}
