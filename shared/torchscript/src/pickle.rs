//! A pickle is a program. This reads one without running it: every instruction must be one that
//! TorchScript writes, and every name that it looks up must be TorchScript's own, tensors, their storages
//! or a plain container. <https://docs.python.org/3/library/pickletools.html>

/// What `torch.jit` looks up beside classes of the archive's own code (`__torch__.…`) and storages.
const GLOBALS: [(&str, &str); 8] = [
    ("torch._utils", "_rebuild_tensor_v2"),
    ("collections", "OrderedDict"),
    // typed lists and dictionaries
    ("torch.jit._pickle", "build_intlist"),
    ("torch.jit._pickle", "build_doublelist"),
    ("torch.jit._pickle", "build_boollist"),
    ("torch.jit._pickle", "build_tensorlist"),
    ("torch.jit._pickle", "build_tensor_from_id"),
    ("torch.jit._pickle", "restore_type_tag"),
];

/// The pickle's protocol: the only one that TorchScript writes.
const PROTOCOL: u8 = 2;

/// Checks every instruction. The sentence goes on after the entry's name.
pub(crate) fn check(pickle: &[u8]) -> Result<(), String> {
    let mut rest = pickle;
    let damaged = || "is no complete pickle; save the model again with torch.jit.save".to_owned();
    if take(&mut rest, 2).ok_or_else(damaged)? != [0x80, PROTOCOL] {
        return Err(format!(
            "is no pickle of protocol {PROTOCOL}, which torch.jit.save writes; save the model with it"
        ));
    }
    loop {
        let position = pickle.len() - rest.len();
        let opcode = take(&mut rest, 1).ok_or_else(damaged)?[0];
        let argument = match opcode {
            // STOP
            b'.' if rest.is_empty() => return Ok(()),
            b'.' => return Err("goes on after its end; save the model again".to_owned()),
            // tuples, lists, dictionaries, marks; None, True, False; what fills and calls them
            b')' | b']' | b'}' | b'(' | b't' | 0x85..=0x87 | b'N' | 0x88 | 0x89 => 0,
            b'a' | b'e' | b's' | b'u' | b'b' | 0x81 | b'R' | b'Q' => 0,
            // BINGET, BINPUT, BININT1
            b'h' | b'q' | b'K' => 1,
            // BININT2
            b'M' => 2,
            // LONG_BINGET, LONG_BINPUT, BININT
            b'j' | b'r' | b'J' => 4,
            // BINFLOAT
            b'G' => 8,
            // LONG1
            0x8a => usize::from(take(&mut rest, 1).ok_or_else(damaged)?[0]),
            // BINUNICODE, BINSTRING
            b'X' | b'T' => {
                let length =
                    take(&mut rest, 4).and_then(<[u8]>::first_chunk).ok_or_else(damaged)?;
                u32::from_le_bytes(*length) as usize
            }
            // GLOBAL
            b'c' => {
                let module = line(&mut rest).ok_or_else(damaged)?;
                let name = line(&mut rest).ok_or_else(damaged)?;
                if !is_known(module, name) {
                    return Err(format!(
                        "looks up {} at byte {position}, which TorchScript does not; nothing of it was \
                         run. Save torch.jit.script(model) with torch.jit.save",
                        archive::quoted(&format!("{module}.{name}"))
                    ));
                }
                0
            }
            other => {
                return Err(format!(
                    "has the instruction {other:#04x} at byte {position}, which TorchScript does not \
                     write; nothing of it was run. Save torch.jit.script(model) with torch.jit.save"
                ));
            }
        };
        take(&mut rest, argument).ok_or_else(damaged)?;
    }
}

/// Whether looking the name up gives something that cannot do harm when it is called.
fn is_known(module: &str, name: &str) -> bool {
    let plain = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let own = module == "__torch__" || module.starts_with("__torch__.");
    (own && module.split('.').all(plain) && plain(name))
        || (module == "torch" && name.ends_with("Storage") && plain(name))
        || GLOBALS.contains(&(module, name))
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(taken)
}

fn line<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let taken = take(rest, end)?;
    take(rest, 1)?;
    std::str::from_utf8(taken).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn refused(pickle: &[u8]) -> String {
        check(pickle).unwrap_err()
    }

    #[test]
    fn containers_and_numbers_are_described() {
        check(
            b"\x80\x02(K\x01J\x00\x00\x00\x01G\x00\x00\x00\x00\x00\x00\x00\x00X\x01\x00\x00\x00at.",
        )
        .unwrap();
        check(b"\x80\x02c__torch__.a.b\nC\n)\x81}b.").unwrap();
        check(b"\x80\x02ctorch\nFloatStorage\n.").unwrap();
    }

    #[test]
    fn names_that_are_not_torchscripts_are_refused() {
        assert!(
            refused(b"\x80\x02cposix\nsystem\nX\x02\x00\x00\x00id\x85R.")
                .contains("`posix.system`")
        );
        assert!(refused(b"\x80\x02ctorch\nload\n.").contains("`torch.load`"));
        assert!(refused(b"\x80\x02c__torch__.os;x\nC\n.").contains("looks up"));
        assert!(refused(b"\x80\x02ctorch\nos.system#Storage\n.").contains("looks up"));
    }

    #[test]
    fn instructions_that_torchscript_does_not_write_are_refused() {
        // STACK_GLOBAL, INST, OBJ, EXT1, PERSID, NEWOBJ_EX
        for opcode in [0x93, b'i', b'o', 0x82, b'P', 0x92] {
            assert!(refused(&[0x80, 2, opcode, b'.']).contains("instruction 0x"), "{opcode:#x}");
        }
        assert!(refused(b"\x80\x04.").contains("protocol 2"));
    }

    #[test]
    fn cut_short_or_longer_than_its_end() {
        for pickle in [
            &b""[..],
            b"\x80\x02",
            b"\x80\x02X\xff\xff\xff\xffab",
            b"\x80\x02cos",
            b"\x80\x02G\x00",
        ] {
            assert!(refused(pickle).contains("no complete pickle"), "{pickle:?}");
        }
        assert!(refused(b"\x80\x02N.N.").contains("after its end"));
    }
}
