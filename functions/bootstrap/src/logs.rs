//! The log: a JSON object per line on standard output, which Lambda takes to CloudWatch.

use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

/// What is shown unless `DCMP_LOG` says otherwise.
const DEFAULT: LevelFilter = LevelFilter::INFO;

/// What these crates say in more detail would hold keys, tokens and signed addresses; what the
/// runtime says of a failed function, the function has said.
const QUIET: [(&str, LevelFilter); 9] = [
    ("aws_config", LevelFilter::INFO),
    ("aws_runtime", LevelFilter::INFO),
    ("aws_sigv4", LevelFilter::INFO),
    ("aws_smithy_runtime", LevelFilter::INFO),
    ("aws_smithy_runtime_api", LevelFilter::INFO),
    ("hyper", LevelFilter::INFO),
    ("hyper_util", LevelFilter::INFO),
    ("lambda_runtime", LevelFilter::WARN),
    ("lambda_runtime::layers::panic", LevelFilter::OFF),
];

/// Starts the log. `filter` is as for `dcmp up`: `debug`, or `dcmp_service=trace` of one crate.
pub(crate) fn start(filter: Option<&str>) {
    let format = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_writer(std::io::stdout)
        .log_internal_errors(false);
    tracing_subscriber::registry().with(format).with(targets(filter)).init();
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let message = panic.payload_as_str().unwrap_or("a panic without a message");
        tracing::error!(place, "panicked: {message}");
    }));
}

/// What is shown of whom. By crates and modules only: what looks into spans needs regular expressions,
/// which would be most of the log's code.
fn targets(filter: Option<&str>) -> Targets {
    let is_path = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || "_:".contains(c));
    let given = filter
        .and_then(|filter| filter.parse::<Targets>().ok())
        // any text is taken for a name
        .filter(|given| given.iter().all(|(name, _)| is_path(name)));
    given.unwrap_or_else(|| Targets::new().with_default(DEFAULT)).with_targets(QUIET)
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn what_holds_secrets_is_quiet_whatever_is_asked_for() {
        for (filter, crate_, level, expected) in [
            (None, "dcmp_service", Level::INFO, true),
            (None, "dcmp_service", Level::DEBUG, false),
            (Some("no filter at all!"), "dcmp_service", Level::INFO, true),
            (Some("trace"), "dcmp_service::jobs", Level::TRACE, true),
            (Some("trace"), "aws_sigv4::sign", Level::DEBUG, false),
            (Some("aws_sigv4=trace"), "aws_sigv4::sign", Level::DEBUG, false),
            (Some("warn,dcmp_service=trace"), "dcmp_service::jobs", Level::TRACE, true),
            (Some("warn,dcmp_service=trace"), "dcmp_aws", Level::INFO, false),
            (Some("trace"), "lambda_runtime::layers::panic", Level::ERROR, false),
        ] {
            let shown = targets(filter).would_enable(crate_, &level);
            assert_eq!(shown, expected, "{filter:?} of {crate_} at {level}");
        }
    }
}
