//! `cargo xtask rie`: every function under AWS's own emulator of Lambda's runtime, and how long a
//! process takes from its start to its first question for an event. There is no AWS here: what needs
//! it says so, and that is checked too.

mod emulator;
mod start;

use std::{path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use api::{Bundle, Entry, Route};
use serde_json::Value;

use crate::package::{BUNDLES, bundle};

/// How many starts are measured of each bundle.
const STARTS: usize = 11;

/// Where no AWS answers: the discard port of this machine.
const NOBODY: &str = "http://127.0.0.1:9";

/// Runs every function under Lambda's runtime emulator; `cargo xtask package` must have built them
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only functions whose name contains this
    filter: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let root = crate::root();
    let routes = registry::routes();
    for (name, _) in BUNDLES {
        let program = bundle(&root, name);
        ensure!(program.exists(), "{} is not there: run `cargo xtask package`", program.display());
        let handler = routes.iter().find(|route| file(route.bundle) == name);
        let handler = handler.context("a bundle without functions")?.name;
        let mut starts = (0..STARTS)
            .map(|_| start::to_first_poll(&program, handler))
            .collect::<Result<Vec<_>>>()?;
        starts.sort_unstable();
        println!(
            "{name}: {:.1} ms from start to first poll (median of {STARTS}; {:.1} to {:.1})",
            millis(starts[STARTS / 2]),
            millis(starts[0]),
            millis(starts[STARTS - 1])
        );
    }
    let emulator = emulator::program(&root)?;
    let mut failed = Vec::new();
    let wanted = |route: &&Route| {
        arguments.filter.as_ref().is_none_or(|filter| route.name.contains(filter.as_str()))
    };
    for route in routes.iter().filter(wanted) {
        match answer(&root, &emulator, route) {
            Ok(said) => println!("{:<24} {said}", route.name),
            Err(cause) => {
                println!("{:<24} FAILED: {cause:#}", route.name);
                failed.push(route.name);
            }
        }
    }
    ensure!(failed.is_empty(), "{} functions did not answer: {}", failed.len(), failed.join(", "));
    Ok(())
}

fn file(bundle: Bundle) -> &'static str {
    match bundle {
        Bundle::Light => "light",
        Bundle::Compute => "compute",
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// What a function answers to its event, in short.
fn answer(root: &Path, emulator: &Path, route: &Route) -> Result<String> {
    let event = std::fs::read_to_string(root.join(format!("events/{}.json", route.name)))?;
    let program = bundle(root, file(route.bundle));
    let invoked = emulator::invoke(emulator, &program, route.name, &event)?;
    let answer: Value = serde_json::from_str(&invoked.answer)
        .with_context(|| format!("it answered {:?}", invoked.answer))?;
    if let Some(message) = answer["errorMessage"].as_str() {
        ensure!(names_what_is_missing(message), "{answer}");
        return Ok(format!("says: {}", cut(message)));
    }
    let without = match &route.entry {
        Entry::Http(_) | Entry::Connect(_) | Entry::Disconnect(_) | Entry::Message(..) => {
            let status = answer["statusCode"].as_u64();
            let status = status.with_context(|| format!("no status in {answer}"))?;
            if status < 500 {
                return Ok(format!("{status}"));
            }
            format!("{status}")
        }
        Entry::Queue(..) | Entry::Feed(_) => {
            let failures = answer["batchItemFailures"].as_array();
            let failures = failures.with_context(|| format!("no batch response: {answer}"))?;
            if failures.is_empty() {
                return Ok("all of the batch is done".to_owned());
            }
            "the batch comes again".to_owned()
        }
        Entry::Timer(..) | Entry::Call(_) => return Ok("done".to_owned()),
    };
    let logged = invoked.log.lines().filter_map(cause).find(|cause| names_what_is_missing(cause));
    let logged = logged.with_context(|| format!("{without}, and the log does not say why"))?;
    Ok(format!("{without}, and logs: {}", cut(&logged)))
}

/// Whether a sentence says that AWS is not there.
fn names_what_is_missing(sentence: &str) -> bool {
    sentence.contains("unavailable: ")
}

/// The cause in a line of the log, which may stand behind words of the emulator's own.
fn cause(line: &str) -> Option<String> {
    let json = &line[line.find('{')?..];
    let said = serde_json::Deserializer::from_str(json).into_iter::<Value>().next()?.ok()?;
    said["cause"].as_str().map(str::to_owned)
}

fn cut(sentence: &str) -> String {
    let end = sentence.floor_char_boundary(110);
    if end < sentence.len() { format!("{}…", &sentence[..end]) } else { sentence.to_owned() }
}

/// What a deployment says to its functions, as its template does.
fn environment() -> [(&'static str, &'static str); 14] {
    [
        ("DCMP_TABLE", "dcmp-rie"),
        ("DCMP_BUCKET", "dcmp-rie"),
        ("DCMP_QUEUES", "http://127.0.0.1:9/123456789012/dcmp-rie-"),
        ("DCMP_FUNCTIONS", "dcmp-rie-"),
        ("DCMP_SOCKET", NOBODY),
        ("DCMP_PUBLIC_URL", "https://api.example.org"),
        ("DCMP_STAGE", "rie"),
        // of the operator's key in the events
        ("DCMP_ADMIN_KEY_HASH", "78856e8c29f7e4b369934f5de05ca4b8a17466b314ee21d5f8f8a9543e7def22"),
        ("DCMP_OWN_DEVICE", "on"),
        ("DCMP_LOG", "info"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "nobody"),
        ("AWS_SECRET_ACCESS_KEY", "nobody"),
        ("AWS_ENDPOINT_URL", NOBODY),
    ]
}

#[cfg(test)]
mod tests {
    use super::cause;

    #[test]
    fn only_the_cause_of_a_line_is_told() {
        let line = r#"{"level":"ERROR","cause":"unavailable: dynamodb:GetItem","spans":[]}"#;
        for line in [line, &format!("21 Nov 2026 [INFO] {line}"), &format!("{line}END RequestId")] {
            assert_eq!(cause(line).as_deref(), Some("unavailable: dynamodb:GetItem"), "{line}");
        }
        for line in ["", "unavailable: yes", r#"{"message":"unavailable: yes"}"#] {
            assert_eq!(cause(line), None, "{line}");
        }
    }
}
