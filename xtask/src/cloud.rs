//! `cargo xtask cloud`: the template and the bundles on an emulator of AWS, and the command against
//! them, from deployment to removal. The emulator is nobody's of this project: it runs the programs as
//! Lambda does, behind its own gateways, table, object store and queues.

mod emulator;
mod journey;

use anyhow::Result;

use self::emulator::Emulator;
use crate::{build, package, template, tools};

/// Deploys to an emulator of AWS, uses everything once, and removes it
///
/// Installs the emulator and AWS's SAM command in `target/` on its first run.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Deploy what the last `cargo xtask package` made
    #[arg(long)]
    no_package: bool,
    /// Leave the deployment running until Enter is pressed
    #[arg(long)]
    keep: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let root = crate::root();
    if !arguments.no_package {
        package::for_here()?;
    }
    let dcmp = build::dcmp()?;
    let sam = template::tools(&root)?;
    let python = tools::python(&root, "ministack", &emulator::PACKAGES)?;
    // a second one in a process is no harm
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Runtime::new()?;
    let emulator = Emulator::start(&root, python, sam)?;
    let deployed = emulator.deploy()?;
    if arguments.keep {
        println!(
            "API {}\nsocket {}\noperator's key {}",
            deployed.api, deployed.socket, deployed.admin_key
        );
        println!("Press Enter to go on");
        std::io::stdin().read_line(&mut String::new())?;
    }
    runtime.block_on(journey::run(&deployed, &emulator, &dcmp))?;
    emulator.remove()?;
    println!("the whole journey succeeded");
    Ok(())
}
