//! What developers of dcmp run; `cargo xtask --help` lists it. One file per command.
#![allow(clippy::print_stdout, reason = "printing is what these commands are for")]

mod bench;
mod build;
mod client;
mod cloud;
mod cost;
mod crash;
mod events;
mod fuzz;
#[path = "../../tests/support/heavy.rs"]
mod heavy;
mod onnx_suite;
mod openapi;
mod package;
mod process;
mod rie;
mod simulate;
mod template;
mod tools;

use clap::Parser;

#[derive(Parser)]
#[command(about = "What developers of dcmp run")]
enum Command {
    Bench(bench::Arguments),
    Cloud(cloud::Arguments),
    Cost(cost::Arguments),
    Crash(crash::Arguments),
    Events(events::Arguments),
    Fuzz(fuzz::Arguments),
    OnnxSuite(onnx_suite::Arguments),
    Openapi(openapi::Arguments),
    Package(package::Arguments),
    Rie(rie::Arguments),
    Simulate(simulate::Arguments),
    Template(template::Arguments),
    #[command(hide = true)]
    CrashChild(crash::child::Arguments),
    #[command(hide = true)]
    OnnxSuiteChild(onnx_suite::child::Arguments),
}

fn main() -> anyhow::Result<()> {
    match Command::parse() {
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Cloud(arguments) => cloud::run(&arguments),
        Command::Cost(arguments) => cost::run(&arguments),
        Command::Crash(arguments) => crash::run(&arguments),
        Command::CrashChild(arguments) => crash::child::run(&arguments),
        Command::Events(arguments) => events::run(&arguments),
        Command::Fuzz(arguments) => fuzz::run(&arguments),
        Command::OnnxSuite(arguments) => onnx_suite::run(&arguments),
        Command::OnnxSuiteChild(arguments) => onnx_suite::child::run(&arguments),
        Command::Openapi(arguments) => openapi::run(&arguments),
        Command::Package(arguments) => package::run(&arguments),
        Command::Rie(arguments) => rie::run(&arguments),
        Command::Simulate(arguments) => simulate::run(&arguments),
        Command::Template(arguments) => template::run(&arguments),
    }
}

/// The folder of the whole project.
fn root() -> std::path::PathBuf {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}
