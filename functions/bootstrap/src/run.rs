//! From the start of the process to its last event.

use std::{io::Write, process::ExitCode, sync::Arc};

use anyhow::{Context, Result, bail};
use api::Route;
use lambda_runtime::{Runtime, service_fn};
use service::{App, Engine};

use crate::{Environment, Function, logs};

/// Makes the deployment's own device, in programs that carry an engine.
pub type MakeEngine = fn() -> Arc<dyn Engine>;

/// Answers the events of the function that the environment names, until Lambda ends the process.
/// `routes` are the functions of this program.
pub fn run(routes: &[Route], engine: Option<MakeEngine>) -> ExitCode {
    logs::start(std::env::var("DCMP_LOG").ok().as_deref());
    match serve(routes, engine) {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            tracing::error!(cause = format!("{cause:#}"), "the function cannot start");
            ExitCode::FAILURE
        }
    }
}

fn serve(routes: &[Route], engine: Option<MakeEngine>) -> Result<()> {
    let environment = Environment::read(|name| std::env::var(name).ok())?;
    let route = find(routes, &environment.handler)?;
    // one event at a time, and no more than two cores: threads for more would only cost their start
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the async runtime")?;
    runtime.block_on(async {
        let config = aws::Config::from_env()?;
        let engine = engine.filter(|_| environment.own_device).map(|make| make());
        let app = App::new(aws::ports(&config), environment.settings, engine);
        let function = &Function::new(route, &app, &environment.stage);
        let handler = service_fn(move |event| async move {
            let (answer, how) = function.handle(event).await;
            // a log that cannot be written ends nothing
            let _ = writeln!(std::io::stdout(), "{}", how.line());
            answer
        });
        Runtime::new(handler).run().await.map_err(|cause| anyhow::anyhow!(cause))
    })
}

/// The function of this name in the program.
fn find<'a>(routes: &'a [Route], handler: &str) -> Result<&'a Route> {
    if let Some(route) = routes.iter().find(|route| route.name == handler) {
        return Ok(route);
    }
    let known: Vec<_> = routes.iter().map(|route| route.name).collect();
    bail!("`{handler}` is no function of this program; it has {}", known.join(", "))
}
