//! `cargo xtask package`: the directories that a deployment uploads, each with one program named
//! `bootstrap`, checked against what Lambda's machine has and what a cold start may read.

mod elf;
mod zig;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;

use elf::Program;

/// The programs, and the most that each may weigh, in bytes.
pub(crate) const BUNDLES: [(&str, u64); 2] = [("light", 12_000_000), ("compute", 32_000_000)];

/// The glibc of `provided.al2023`.
/// <https://docs.aws.amazon.com/linux/al2023/ug/compare-with-al2.html>
const GLIBC: (u32, u32) = (2, 34);

/// Builds target/bundles/{light,compute}/bootstrap for Lambda, and checks them; where this machine's glibc
/// is newer than Lambda's, they are linked with zig, out of the PyPI package `ziglang`
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// For which of Lambda's processors; another than this machine's needs its Rust target installed
    #[arg(long, value_enum, default_value_t = Arch::here())]
    arch: Arch,
    /// Only check what was built before
    #[arg(long)]
    check: bool,
}

/// Lambda's processors.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Arch {
    /// Intel and AMD.
    #[value(name = "x86_64")]
    X86,
    /// Graviton.
    #[value(name = "arm64")]
    Arm,
}

impl Arch {
    fn here() -> Self {
        if cfg!(target_arch = "aarch64") { Self::Arm } else { Self::X86 }
    }

    /// As Rust names it.
    fn triple(self) -> &'static str {
        match self {
            Self::X86 => "x86_64-unknown-linux-gnu",
            Self::Arm => "aarch64-unknown-linux-gnu",
        }
    }
}

/// Builds the bundles for this machine's processor, whatever their size: for who only runs them.
pub(crate) fn for_here() -> Result<()> {
    build(&crate::root(), &Arguments { arch: Arch::here(), check: false })
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let root = crate::root();
    if !arguments.check {
        build(&root, arguments)?;
    }
    println!("{:<10} {:>8} {:>8}  {:<9} largest sections", "bundle", "MB", "at most", "glibc");
    let mut broken = Vec::new();
    for (name, limit) in BUNDLES {
        let path = bundle(&root, name);
        let program = Program::read(&path).with_context(|| {
            format!("{} cannot be read: run `cargo xtask package`", path.display())
        })?;
        let (major, minor) = program.glibc();
        println!(
            "{name:<10} {:>8.2} {:>8.2}  {:<9} {}",
            program.size as f64 / 1e6,
            limit as f64 / 1e6,
            format!("{major}.{minor}"),
            program.sections.join(", ")
        );
        if program.size > limit {
            broken.push(format!("{name}: it has {} bytes, and {limit} are allowed", program.size));
        }
        if !program.is_stripped {
            broken.push(format!("{name}: it is not stripped"));
        }
        for (symbol, version) in program.newer_than(GLIBC) {
            broken.push(format!(
                "{name}: {symbol} needs {version}, and Lambda has GLIBC_{}.{}",
                GLIBC.0, GLIBC.1
            ));
        }
    }
    ensure!(broken.is_empty(), "{}", broken.join("\n"));
    Ok(())
}

/// The version of this machine's glibc; `None` where there is none.
fn own_glibc() -> Option<(u32, u32)> {
    let said = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    elf::version(String::from_utf8(said.stdout).ok()?.trim().strip_prefix("glibc ")?)
}

/// Where a bundle's program is.
pub(crate) fn bundle(root: &Path, name: &str) -> PathBuf {
    root.join("target/bundles").join(name).join("bootstrap")
}

fn build(root: &Path, arguments: &Arguments) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root).args(["build", "--profile", "bundle"]);
    for (name, _) in BUNDLES {
        command.arg("--package").arg(format!("dcmp-bootstrap-{name}"));
    }
    let triple = arguments.arch.triple();
    let mut built = root.join("target");
    let is_foreign = arguments.arch != Arch::here();
    if is_foreign {
        command.args(["--target", triple]);
        built.push(triple);
    }
    if is_foreign || own_glibc().is_none_or(|own| own > GLIBC) {
        zig::link_with(&mut command, root, triple, GLIBC, is_foreign)?;
    }
    let status = command.status().context("cannot run cargo")?;
    if !status.success() {
        bail!("the bundles could not be built");
    }
    for (name, _) in BUNDLES {
        let to = bundle(root, name);
        std::fs::create_dir_all(to.parent().unwrap_or(root))?;
        let from = built.join("bundle").join(format!("bootstrap-{name}"));
        std::fs::copy(&from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
    }
    Ok(())
}
