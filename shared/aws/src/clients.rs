//! The SDK's clients: made once per process, on one pool of connections, with nothing sent before the
//! first request.

use std::sync::Arc;

use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::{rt::sleep::TokioSleep, time::SystemTimeSource};
use aws_smithy_runtime_api::client::{
    behavior_version::BehaviorVersion, stalled_stream_protection::StalledStreamProtectionConfig,
};
use aws_smithy_types::{
    checksum_config::{RequestChecksumCalculation, ResponseChecksumValidation},
    retry::RetryConfig,
    timeout::TimeoutConfig,
};
use aws_types::{SdkConfig, region::Region};

use crate::{
    config::{Config, limits},
    https::{self, Trust},
};

/// How often a request is sent at most; the SDK waits between two with growing, random pauses.
const ATTEMPTS: u32 = 3;

/// One client of each service.
#[derive(Clone, Debug)]
pub(crate) struct Clients {
    pub(crate) table: aws_sdk_dynamodb::Client,
    pub(crate) streams: aws_sdk_dynamodbstreams::Client,
    pub(crate) blobs: aws_sdk_s3::Client,
    pub(crate) queues: aws_sdk_sqs::Client,
    pub(crate) sockets: aws_sdk_apigatewaymanagement::Client,
    pub(crate) functions: aws_sdk_lambda::Client,
}

impl Clients {
    pub(crate) fn new(config: &Config) -> Arc<Self> {
        let base = base(config);
        let at = |service: &str, timeouts: TimeoutConfig| {
            let mut builder = base.to_builder().timeout_config(timeouts);
            builder.set_endpoint_url(config.endpoints.of(service).map(str::to_owned));
            builder.build()
        };
        let quick = timeouts().operation_attempt_timeout(limits::TABLE_TRY).build();
        let usual = timeouts().operation_attempt_timeout(limits::TRY).build();
        let call =
            timeouts().read_timeout(limits::CALL).operation_attempt_timeout(limits::CALL).build();
        let s3 = aws_sdk_s3::config::Builder::from(&at("S3", usual.clone()))
            // an emulator has one host for all buckets
            .force_path_style(config.endpoints.of("S3").is_some());
        // What arrived at a device must not be sent again: of a lost answer that is not known.
        let sockets = at("", usual.clone())
            .to_builder()
            .endpoint_url(&config.socket)
            .retry_config(RetryConfig::disabled())
            .build();
        Arc::new(Self {
            table: aws_sdk_dynamodb::Client::new(&at("DYNAMODB", quick.clone())),
            streams: aws_sdk_dynamodbstreams::Client::new(&at("DYNAMODB_STREAMS", quick)),
            blobs: aws_sdk_s3::Client::from_conf(s3.build()),
            queues: aws_sdk_sqs::Client::new(&at("SQS", usual)),
            sockets: aws_sdk_apigatewaymanagement::Client::new(&sockets),
            functions: aws_sdk_lambda::Client::new(&at("LAMBDA", call)),
        })
    }
}

fn base(config: &Config) -> SdkConfig {
    // a service that is elsewhere shows a certificate of somebody else
    let trust = if config.endpoints.are_given() { Trust::Machine } else { Trust::Amazon };
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(config.region.clone()))
        .credentials_provider(SharedCredentialsProvider::new(config.credentials.clone()))
        .http_client(https::client(trust))
        .sleep_impl(TokioSleep::new())
        .time_source(SystemTimeSource::new())
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
        .stalled_stream_protection(StalledStreamProtectionConfig::enabled().build())
        // blobs are sent with the checksum that the port knows, and no second one
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .build()
}

fn timeouts() -> aws_smithy_types::timeout::TimeoutConfigBuilder {
    TimeoutConfig::builder().read_timeout(limits::READ)
}
