//! What developers of dcmp run; `cargo xtask --help` lists it. One file per command.
#![allow(clippy::print_stdout, reason = "printing is what these commands are for")]

mod bench;
mod cost;
mod crash;
mod fuzz;
mod onnx_suite;
mod openapi;
mod template;

use clap::Parser;

#[derive(Parser)]
#[command(about = "What developers of dcmp run")]
enum Command {
    Bench(bench::Arguments),
    Cost(cost::Arguments),
    Crash(crash::Arguments),
    Fuzz(fuzz::Arguments),
    OnnxSuite(onnx_suite::Arguments),
    Openapi(openapi::Arguments),
    Template(template::Arguments),
    #[command(hide = true)]
    CrashChild(crash::child::Arguments),
    #[command(hide = true)]
    OnnxSuiteChild(onnx_suite::child::Arguments),
}

fn main() -> anyhow::Result<()> {
    match Command::parse() {
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Openapi(arguments) => openapi::run(&arguments),
        Command::Template(arguments) => template::run(&arguments),
        Command::Fuzz(arguments) => fuzz::run(&arguments),
        Command::Cost(arguments) => cost::run(&arguments),
        Command::Crash(arguments) => crash::run(&arguments),
        Command::CrashChild(arguments) => crash::child::run(&arguments),
        Command::OnnxSuite(arguments) => onnx_suite::run(&arguments),
        Command::OnnxSuiteChild(arguments) => onnx_suite::child::run(&arguments),
    }
}
