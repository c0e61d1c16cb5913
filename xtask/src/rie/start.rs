//! From the start of a process to its first question for an event, with this program in the place of
//! Lambda's runtime API: <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

/// Longer than any start.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) fn to_first_poll(program: &Path, handler: &str) -> Result<Duration> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    let (asked, first) = mpsc::channel();
    std::thread::spawn(move || {
        let question = listener.accept().and_then(|(stream, _)| {
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line)?;
            Ok((Instant::now(), line, stream))
        });
        // nobody waits for it any more when it is late
        let _ = asked.send(question);
    });
    let begun = Instant::now();
    let mut process = Command::new(program)
        .env_clear()
        .envs(super::environment())
        // as on Lambda: where a service is elsewhere, other certificates are read too
        .env_remove("AWS_ENDPOINT_URL")
        .env("_HANDLER", handler)
        .env("AWS_LAMBDA_RUNTIME_API", &address)
        .env("AWS_LAMBDA_FUNCTION_NAME", handler)
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {}", program.display()))?;
    let question = first.recv_timeout(PATIENCE);
    let (killed, waited) = (process.kill(), process.wait());
    let (at, line, _stream) =
        question.with_context(|| format!("`{handler}` asks for no event"))??;
    killed?;
    waited?;
    ensure!(line.starts_with("GET ") && line.contains("/invocation/next"), "it asked {line}");
    Ok(at - begun)
}
