//! The log: a JSON object per line on standard output, which Lambda takes to CloudWatch.

use tracing_subscriber::EnvFilter;

/// What is shown unless `DCMP_LOG` says otherwise.
const DEFAULT: &str = "info";

/// What these crates say in more detail would hold keys, tokens and signed addresses; what the
/// runtime says of a failed function, the function has said.
const QUIET: [&str; 10] = [
    "aws_config=info",
    "aws_runtime=info",
    "aws_sigv4=info",
    "aws_smithy_http_client=info",
    "aws_smithy_runtime=info",
    "aws_smithy_runtime_api=info",
    "hyper=info",
    "hyper_util=info",
    "lambda_runtime=warn",
    "lambda_runtime::layers::panic=off",
];

/// Starts the log. `filter` is as for `dcmp up`: `debug`, or `dcmp_service=trace` of one crate.
pub(crate) fn start(filter: Option<&str>) {
    let filter = filter.and_then(|filter| EnvFilter::try_new(filter).ok());
    let filter = filter.unwrap_or_else(|| EnvFilter::new(DEFAULT));
    let filter = QUIET
        .into_iter()
        .filter_map(|directive| directive.parse().ok())
        .fold(filter, EnvFilter::add_directive);
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_env_filter(filter)
        .with_writer(std::io::stdout)
        .log_internal_errors(false)
        .init();
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let message = panic.payload_as_str().unwrap_or("a panic without a message");
        tracing::error!(place, "panicked: {message}");
    }));
}
