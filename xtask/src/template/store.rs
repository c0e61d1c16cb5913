//! What keeps things: the table, the object store, and the queues with their dead letters.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Result, ensure};
use api::{Entry, Route};
use ports::{Action, MAX_RECEIVES};
use serde_json::json;

use super::{function::Resources, names, names::PREFIX};

/// A message is hidden for so many times its consumer's time limit, as AWS advises.
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html>
const VISIBILITY: u32 = 6;

const DAY_SECONDS: u32 = 24 * 3600;

/// The queues by name, each with the time limit of its consumer.
pub(super) fn queues(routes: &[Route]) -> Result<BTreeMap<&'static str, Duration>> {
    let consumed: BTreeMap<_, _> = routes
        .iter()
        .filter_map(|route| match route.entry {
            Entry::Queue(queue, _) => Some((queue, route.timeout)),
            _ => None,
        })
        .collect();
    for route in routes {
        for action in &route.uses {
            if let Action::SendTo(queue) = action {
                let name = route.name;
                ensure!(
                    consumed.contains_key(queue),
                    "{name} sends to {queue}, which nobody reads"
                );
            }
        }
    }
    Ok(consumed)
}

/// Who has dead letters: queues, and consumers of the feed.
pub(super) fn with_dead_letters(routes: &[Route]) -> Result<Vec<&'static str>> {
    let feeds = routes.iter().filter(|route| matches!(route.entry, Entry::Feed(_)));
    let mut all: Vec<_> = queues(routes)?.into_keys().collect();
    all.extend(feeds.map(|route| route.name));
    Ok(all)
}

/// All of them.
pub(super) fn resources(routes: &[Route]) -> Result<Resources> {
    let mut resources = Resources::new();
    table(&mut resources);
    bucket(&mut resources);
    for (name, timeout) in queues(routes)? {
        resources.insert(
            names::queue(name),
            json!({
                "Type": "AWS::SQS::Queue",
                "Properties": {
                    "QueueName": { "Fn::Sub": format!("{PREFIX}-{name}") },
                    "VisibilityTimeout": VISIBILITY * u32::try_from(timeout.as_secs())?,
                    "MessageRetentionPeriod": 4 * DAY_SECONDS,
                    "ReceiveMessageWaitTimeSeconds": 20,
                    "SqsManagedSseEnabled": true,
                    "RedrivePolicy": {
                        "deadLetterTargetArn": { "Fn::GetAtt": [names::dead_letters(name), "Arn"] },
                        "maxReceiveCount": MAX_RECEIVES,
                    },
                },
            }),
        );
    }
    for name in with_dead_letters(routes)? {
        resources.insert(
            names::dead_letters(name),
            json!({
                "Type": "AWS::SQS::Queue",
                "Properties": {
                    "QueueName": { "Fn::Sub": format!("{PREFIX}-{name}-dead") },
                    // the longest there is: somebody is to look at them
                    "MessageRetentionPeriod": 14 * DAY_SECONDS,
                    "SqsManagedSseEnabled": true,
                },
            }),
        );
    }
    Ok(resources)
}

fn table(resources: &mut Resources) {
    let attribute = |name| json!({ "AttributeName": name, "AttributeType": "S" });
    let key = |name, kind| json!({ "AttributeName": name, "KeyType": kind });
    resources.insert(
        "Table".to_owned(),
        json!({
            "Type": "AWS::DynamoDB::Table",
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": {
                "AttributeDefinitions": [attribute("pk"), attribute("sk")],
                "KeySchema": [key("pk", "HASH"), key("sk", "RANGE")],
                "BillingMode": "PAY_PER_REQUEST",
                "DeletionProtectionEnabled": true,
                "PointInTimeRecoverySpecification": { "PointInTimeRecoveryEnabled": true },
                "SSESpecification": { "SSEEnabled": true },
                "StreamSpecification": { "StreamViewType": "NEW_AND_OLD_IMAGES" },
                "TimeToLiveSpecification": { "AttributeName": "expires_at", "Enabled": true },
            },
        }),
    );
}

/// Objects that a job leaves behind are deleted when its item goes, after seven days; what is left is
/// of jobs whose deletion failed. Tensors between two functions are read within seconds.
const LEFT_BEHIND: [(&str, u32); 4] =
    [("adapted/", 1), ("inputs/", 30), ("outputs/", 30), ("results/", 30)];

/// An upload in parts that nobody continues is given up after a day; this is the net for those that
/// no row knows of.
const PARTS_DAYS: u32 = 7;

fn bucket(resources: &mut Resources) {
    let expiry = |(prefix, days): (&str, u32)| {
        json!({
            "Id": prefix.trim_end_matches('/'),
            "Status": "Enabled",
            "Prefix": prefix,
            "ExpirationInDays": days,
        })
    };
    let mut rules: Vec<_> = LEFT_BEHIND.into_iter().map(expiry).collect();
    rules.push(json!({
        "Id": "parts",
        "Status": "Enabled",
        "AbortIncompleteMultipartUpload": { "DaysAfterInitiation": PARTS_DAYS },
    }));
    resources.insert(
        "Bucket".to_owned(),
        json!({
            "Type": "AWS::S3::Bucket",
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": {
                "BucketEncryption": { "ServerSideEncryptionConfiguration": [
                    { "ServerSideEncryptionByDefault": { "SSEAlgorithm": "AES256" } },
                ] },
                // presigned URLs are the only way in, and pages may hold them too
                "CorsConfiguration": { "CorsRules": [{
                    "AllowedOrigins": ["*"],
                    "AllowedMethods": ["GET", "HEAD", "PUT"],
                    "AllowedHeaders": ["*"],
                    "ExposedHeaders": ["ETag", "x-amz-checksum-sha256"],
                    "MaxAge": 3600,
                }] },
                "LifecycleConfiguration": { "Rules": rules },
                "OwnershipControls": { "Rules": [{ "ObjectOwnership": "BucketOwnerEnforced" }] },
                "PublicAccessBlockConfiguration": {
                    "BlockPublicAcls": true,
                    "BlockPublicPolicy": true,
                    "IgnorePublicAcls": true,
                    "RestrictPublicBuckets": true,
                },
            },
        }),
    );
    resources.insert(
        "BucketPolicy".to_owned(),
        json!({
            "Type": "AWS::S3::BucketPolicy",
            "Properties": {
                "Bucket": { "Ref": "Bucket" },
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [{
                        "Sid": "TlsOnly",
                        "Effect": "Deny",
                        "Principal": "*",
                        "Action": "s3:*",
                        "Resource": [
                            { "Fn::GetAtt": ["Bucket", "Arn"] },
                            { "Fn::Sub": "${Bucket.Arn}/*" },
                        ],
                        "Condition": { "Bool": { "aws:SecureTransport": "false" } },
                    }],
                },
            },
        }),
    );
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_queue_that_nobody_reads_is_refused() {
        let mut routes = registry::routes();
        assert!(queues(&routes).unwrap().contains_key("work"));
        routes.retain(|route| !matches!(route.entry, Entry::Queue("work", _)));
        let error = queues(&routes).unwrap_err().to_string();
        assert!(error.contains("work, which nobody reads"), "{error}");
    }
}
