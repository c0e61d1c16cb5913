//! The cases on this machine: made once by `export.py`, in a virtual environment of its own.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;

use crate::tools::{self, run};

/// What runs the script and brings the newest cases.
const PACKAGES: [&str; 2] = ["onnx==1.23.2", "numpy==2.4.6"];

/// Releases whose cases are read out of their wheels, with the Python and platform of one that exists:
/// operator sets 9, 11, 13, 17, 21 and 24.
const OLDER: [[&str; 3]; 6] = [
    ["1.4.1", "36", "manylinux1_x86_64"],
    ["1.6.0", "36", "manylinux1_x86_64"],
    ["1.8.1", "38", "manylinux2010_x86_64"],
    ["1.12.0", "38", "manylinux_2_17_x86_64"],
    ["1.16.2", "311", "manylinux_2_17_x86_64"],
    ["1.19.1", "311", "manylinux_2_17_x86_64"],
];

const SCRIPT: &str = include_str!("export.py");

/// The folder of the cases; they are made again when the script or the releases change.
pub(super) fn cases(root: &Path) -> Result<PathBuf> {
    let target = root.join("target");
    let wheels = target.join("onnx-wheels");
    let (cases, made_by) = (target.join("onnx-cases"), target.join("onnx-cases.made-by"));
    let maker = format!("{PACKAGES:?} {OLDER:?}\n{SCRIPT}");
    if std::fs::read_to_string(&made_by).is_ok_and(|by| by == maker) {
        return Ok(cases);
    }
    let script = root.join("xtask/src/onnx_suite/export.py");
    let python = tools::python(root, "onnx", &PACKAGES)?;
    let python = || Command::new(&python);
    for [release, version, platform] in OLDER {
        run(python()
            .args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"])
            .args(["--python-version", version, "--platform", platform, "--dest"])
            .arg(&wheels)
            .arg(format!("onnx=={release}")))?;
    }
    if cases.exists() {
        std::fs::remove_dir_all(&cases)?;
    }
    run(python().arg(script).arg(&cases).arg(&wheels))?;
    std::fs::write(made_by, maker)?;
    Ok(cases)
}
