//! Linking against an older glibc, or for another processor: zig brings every glibc as text.

use std::{path::Path, process::Command};

use anyhow::{Context, Result};

use crate::tools;

/// <https://pypi.org/project/ziglang/>
const PACKAGE: &str = "ziglang==0.17.1";

/// Makes `cargo` link with zig, for `triple` and this version of glibc; of a foreign processor it compiles
/// C too.
pub(super) fn link_with(
    cargo: &mut Command,
    root: &Path,
    triple: &str,
    (major, minor): (u32, u32),
    is_foreign: bool,
) -> Result<()> {
    let python = tools::python(root, "zig", &[PACKAGE])?;
    let processor = triple.split('-').next().unwrap_or_default();
    let target = format!("{processor}-linux-gnu.{major}.{minor}");
    let compiler = root.join("target/zig-venv").join(format!("cc-{target}"));
    // cargo and the C builds name a target of their own, which zig does not understand
    let script = format!(
        "#!/bin/sh\nfor argument do\n  shift\n  case \"$argument\" in\n    --target=*) ;;\n    \
         *) set -- \"$@\" \"$argument\" ;;\n  esac\ndone\n\
         exec '{}' -m ziglang cc -target {target} \"$@\"\n",
        python.display()
    );
    tools::write_executable(&compiler, &script).context("cannot write the linker")?;
    let variable = triple.replace('-', "_");
    cargo.env(format!("CARGO_TARGET_{}_LINKER", variable.to_uppercase()), &compiler);
    if is_foreign {
        cargo.env(format!("CC_{variable}"), &compiler);
    }
    Ok(())
}
