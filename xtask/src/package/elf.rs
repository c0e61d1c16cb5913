//! What a program says of itself: its size, its symbols, and which versions of glibc it needs.

use std::path::Path;

use anyhow::{Context, Result};
use object::{
    Endianness,
    elf::FileHeader64,
    read::elf::{FileHeader, SectionHeader},
};

/// A version of glibc: major, minor.
type Version = (u32, u32);

/// A program of Linux.
pub(super) struct Program {
    /// Bytes of the file.
    pub(super) size: u64,
    /// Without names of its own symbols, and without what debuggers need.
    pub(super) is_stripped: bool,
    /// The largest ones, with their sizes.
    pub(super) sections: Vec<String>,
    /// Imported symbols and the version that each needs.
    needs: Vec<(String, Version)>,
}

impl Program {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let data = std::fs::read(path)?;
        let data = data.as_slice();
        let header = FileHeader64::<Endianness>::parse(data)?;
        let endian = header.endian()?;
        let sections = header.sections(endian, data)?;
        let (mut is_stripped, mut sizes) = (true, Vec::new());
        for section in sections.iter() {
            let name =
                String::from_utf8_lossy(sections.section_name(endian, section)?).into_owned();
            is_stripped &= name != ".symtab" && !name.starts_with(".debug");
            sizes.push((section.sh_size(endian), name));
        }
        sizes.sort_unstable_by(|one, other| other.cmp(one));
        let largest = sizes.iter().take(4);
        let largest = largest.map(|(size, name)| format!("{name} {:.2}", *size as f64 / 1e6));
        let mut needs = Vec::new();
        if let Some(versions) = sections.versions(endian, data)? {
            let symbols = sections.symbols(endian, data, object::elf::SHT_DYNSYM)?;
            for (index, symbol) in symbols.enumerate() {
                let version = versions.version(versions.version_index(endian, index))?;
                let name = version.map(|version| String::from_utf8_lossy(version.name()));
                let glibc = name.as_deref().and_then(|name| name.strip_prefix("GLIBC_"));
                if let Some(needed) = glibc.and_then(self::version) {
                    let name = symbols.symbol_name(endian, symbol)?;
                    needs.push((String::from_utf8_lossy(name).into_owned(), needed));
                }
            }
        }
        let size = data.len() as u64;
        let program = Self { size, is_stripped, sections: largest.collect(), needs };
        program.needs.first().context("it needs no glibc, so it is no program for Lambda")?;
        Ok(program)
    }

    /// The newest version that a symbol needs.
    pub(super) fn glibc(&self) -> Version {
        self.needs.iter().map(|(_, version)| *version).max().unwrap_or_default()
    }

    /// The symbols that need a newer one.
    pub(super) fn newer_than(&self, version: Version) -> impl Iterator<Item = (&str, String)> {
        self.needs
            .iter()
            .filter(move |(_, needed)| *needed > version)
            .map(|(name, (major, minor))| (name.as_str(), format!("GLIBC_{major}.{minor}")))
    }
}

/// `2.34`, and `2.2.5` as 2.2; `None` for what is no number, such as `PRIVATE`.
pub(super) fn version(text: &str) -> Option<Version> {
    let mut numbers = text.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_program_tells_what_it_needs() {
        // this one: built here, not stripped
        let program = Program::read(&std::env::current_exe().unwrap()).unwrap();
        assert!(!program.is_stripped);
        let (major, minor) = program.glibc();
        assert!((major, minor) >= (2, 2));
        assert_eq!(program.newer_than((major, minor)).count(), 0);
        let newest: Vec<_> = program.newer_than((major, minor - 1)).collect();
        assert!(
            !newest.is_empty() && newest.iter().all(|(name, _)| !name.is_empty()),
            "{newest:?}"
        );
        assert_eq!(newest[0].1, format!("GLIBC_{major}.{minor}"));
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(version("2.34"), Some((2, 34)));
        assert!(version("2.4") < version("2.34"));
        assert_eq!(version("2.2.5"), Some((2, 2)));
        assert_eq!(version("PRIVATE"), None);
    }
}
