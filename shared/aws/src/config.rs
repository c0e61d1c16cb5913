//! Where the platform's parts are, as its deployment says in the environment of each function.

use std::{collections::BTreeMap, fmt::Write, time::Duration};

use aws_credential_types::Credentials;

/// The names of a deployment's parts.
#[derive(Clone, Debug)]
pub struct Config {
    /// The region, such as `eu-central-1`.
    pub region: String,
    /// Who signs requests: the function's role.
    pub credentials: Credentials,
    /// The name of the table.
    pub table: String,
    /// The name of the bucket.
    pub bucket: String,
    /// What the URLs of queues begin with; a queue's name follows.
    pub queues: String,
    /// What the names of functions begin with; a function's own name follows.
    pub functions: String,
    /// The `@connections` endpoint of the socket API, without a slash at the end.
    pub socket: String,
    /// Where services are, other than at AWS: for emulators.
    pub endpoints: Endpoints,
}

/// Other places of services than AWS's own, as the SDKs' variables `AWS_ENDPOINT_URL` and
/// `AWS_ENDPOINT_URL_DYNAMODB` … name them.
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>
#[derive(Clone, Debug, Default)]
pub struct Endpoints {
    /// For all services that are not named themselves.
    pub all: Option<String>,
    /// By service, in the variables' spelling: `DYNAMODB`, `DYNAMODB_STREAMS`, `LAMBDA`, `S3`, `SQS`.
    pub by_service: BTreeMap<&'static str, String>,
}

/// The services that may be elsewhere.
const SERVICES: [&str; 5] = ["DYNAMODB", "DYNAMODB_STREAMS", "LAMBDA", "S3", "SQS"];

impl Endpoints {
    /// Where `service` is, unless it is AWS's own.
    pub(crate) fn of(&self, service: &str) -> Option<&str> {
        self.by_service.get(service).or(self.all.as_ref()).map(String::as_str)
    }

    /// Whether any service is elsewhere.
    pub(crate) fn are_given(&self) -> bool {
        self.all.is_some() || !self.by_service.is_empty()
    }
}

/// What is wrong with the environment, all of it at once.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the function's environment is not complete:{0}")]
pub struct ConfigError(String);

impl Config {
    /// Reads the variables that the deployment's template gives every function, and those that Lambda
    /// sets itself.
    ///
    /// # Errors
    /// With every variable that is missing or malformed, and what it must be.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from(|name| std::env::var(name).ok())
    }

    fn from(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        let mut wrong = String::new();
        let mut need = |name: &str, is: &str, holds: fn(&str) -> bool| {
            let value = given(name);
            let problem = match &value {
                None => "is missing",
                Some(value) if !holds(value) => "is malformed",
                Some(_) => return value.unwrap_or_default(),
            };
            // writing to a text cannot fail
            let _ = write!(wrong, "\n  {name} {problem}: it is {is}");
            String::new()
        };
        let any = |_: &str| true;
        let region = need("AWS_REGION", "the region, which Lambda sets", |region| {
            region
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        });
        let key = need("AWS_ACCESS_KEY_ID", "of the function's role, and set by Lambda", any);
        let secret =
            need("AWS_SECRET_ACCESS_KEY", "of the function's role, and set by Lambda", any);
        let table = need("DCMP_TABLE", "the table's name", |name| is_name(name, b"_.-", 3..=255));
        let bucket = need("DCMP_BUCKET", "the bucket's name", |name| is_name(name, b".-", 3..=63));
        let queues = need(
            "DCMP_QUEUES",
            "what the queues' URLs begin with, such as \
             https://sqs.REGION.amazonaws.com/ACCOUNT/dcmp-",
            is_url,
        );
        let functions = need("DCMP_FUNCTIONS", "what the functions' names begin with", |name| {
            is_name(name, b"_-", 1..=64)
        });
        let socket = need(
            "DCMP_SOCKET",
            "the endpoint of @connections, such as \
             https://ID.execute-api.REGION.amazonaws.com/STAGE, without a slash at the end",
            |url| is_url(url) && !url.ends_with('/'),
        );
        let by_service = SERVICES
            .into_iter()
            .filter_map(|service| Some((service, given(&format!("AWS_ENDPOINT_URL_{service}"))?)));
        let endpoints =
            Endpoints { all: given("AWS_ENDPOINT_URL"), by_service: by_service.collect() };
        if !wrong.is_empty() {
            return Err(ConfigError(wrong));
        }
        // Those of a function's role never change within one process.
        let credentials =
            Credentials::new(key, secret, given("AWS_SESSION_TOKEN"), None, "environment");
        Ok(Self { region, credentials, table, bucket, queues, functions, socket, endpoints })
    }
}

fn is_name(name: &str, marks: &[u8], lengths: std::ops::RangeInclusive<usize>) -> bool {
    lengths.contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || marks.contains(&byte))
}

fn is_url(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| !host.is_empty() && !host.contains(char::is_whitespace))
}

/// How long requests may take, by what they are for.
pub(crate) mod limits {
    use super::Duration;

    /// To open a connection.
    pub(crate) const CONNECT: Duration = Duration::from_secs(2);
    /// A connection that nobody used for so long is not used again: the other side closes it while
    /// Lambda has stopped the process, and what was sent on it may be lost.
    pub(crate) const IDLE: Duration = Duration::from_secs(20);
    /// Until an answer begins; longer than a long poll of a queue, which takes 20 s.
    pub(crate) const READ: Duration = Duration::from_secs(25);
    /// One try of a request of the table, which answers in milliseconds.
    pub(crate) const TABLE_TRY: Duration = Duration::from_secs(5);
    /// One try of anything else; it may move 64 MB.
    pub(crate) const TRY: Duration = Duration::from_secs(60);
    /// A call of a function: as long as any may run, and a little more.
    pub(crate) const CALL: Duration = Duration::from_secs(15 * 60 + 10);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const GOOD: [(&str, &str); 8] = [
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "AKID"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("DCMP_TABLE", "dcmp-prod"),
        ("DCMP_BUCKET", "dcmp-prod-1"),
        ("DCMP_QUEUES", "https://sqs.eu-central-1.amazonaws.com/1/dcmp-prod-"),
        ("DCMP_FUNCTIONS", "dcmp-prod-"),
        ("DCMP_SOCKET", "https://id.execute-api.eu-central-1.amazonaws.com/prod"),
    ];

    fn read(changes: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let all: BTreeMap<&str, &str> = GOOD.iter().chain(changes).copied().collect();
        Config::from(|name| all.get(name).map(ToString::to_string))
    }

    #[test]
    fn every_missing_or_malformed_variable_is_named_at_once() {
        let error = Config::from(|_| None).unwrap_err().to_string();
        for (name, _) in GOOD {
            assert!(error.contains(&format!("{name} is missing")), "{name}: {error}");
        }
        let error = read(&[("DCMP_TABLE", "a b"), ("DCMP_SOCKET", "wss://x"), ("AWS_REGION", "")])
            .unwrap_err();
        let error = error.to_string();
        for expected in
            ["DCMP_TABLE is malformed", "DCMP_SOCKET is malformed", "AWS_REGION is missing"]
        {
            assert!(error.contains(expected), "{error}");
        }
        assert!(!error.contains("DCMP_BUCKET"), "{error}");
    }

    #[test]
    fn a_service_may_be_elsewhere() {
        let config = read(&[]).unwrap();
        assert_eq!(config.endpoints.of("S3"), None);
        assert_eq!(config.credentials.session_token(), None);
        let all = ("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
        let config = read(&[all, ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:2")]).unwrap();
        assert_eq!(config.endpoints.of("S3"), Some("http://127.0.0.1:2"));
        assert_eq!(config.endpoints.of("SQS"), Some("http://127.0.0.1:1"));
    }

    #[test]
    fn nothing_shows_the_secret() {
        let config = read(&[("AWS_SECRET_ACCESS_KEY", "planted-secret")]).unwrap();
        assert!(!format!("{config:?}").contains("planted-secret"));
    }
}
