//! From what a function declares to the statements of its role: what each operation of a port asks of
//! AWS, on the resources of this deployment and no others.
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>

use std::collections::BTreeMap;

use api::{Entry, Route};
use ports::Action;
use serde_json::{Value, json};

use super::names;

/// What a role may do, and why where a name is open.
#[derive(Default)]
pub(super) struct Permissions {
    /// From a resource to its actions.
    grants: BTreeMap<Resource, Vec<&'static str>>,
}

/// What actions are allowed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Resource {
    Table,
    Stream,
    Streams,
    Objects,
    Bucket,
    Queue(&'static str),
    DeadLetters(&'static str),
    Connections(&'static str),
    Function(&'static str),
    /// The function's own log.
    Log,
}

impl Permissions {
    /// Of one function.
    pub(super) fn of(route: &Route) -> Self {
        let mut permissions = Self::default();
        permissions.allow(Resource::Log, &["logs:CreateLogStream", "logs:PutLogEvents"]);
        for action in &route.uses {
            permissions.add(*action);
        }
        if matches!(route.entry, Entry::Feed(_)) {
            permissions.allow(Resource::DeadLetters(route.name), &["sqs:SendMessage"]);
        }
        permissions
    }

    fn add(&mut self, action: Action) {
        match action {
            Action::GetRecords => {
                self.allow(Resource::Table, &["dynamodb:GetItem", "dynamodb:BatchGetItem"]);
            }
            Action::QueryRecords => self.allow(Resource::Table, &["dynamodb:Query"]),
            // a transaction asks for the actions of its parts
            Action::WriteRecords => {
                self.allow(Resource::Table, &["dynamodb:PutItem", "dynamodb:UpdateItem"]);
            }
            Action::DeleteRecords => self.allow(Resource::Table, &["dynamodb:DeleteItem"]),
            Action::ReadChanges => {
                self.allow(
                    Resource::Stream,
                    &[
                        "dynamodb:DescribeStream",
                        "dynamodb:GetRecords",
                        "dynamodb:GetShardIterator",
                    ],
                );
                self.allow(Resource::Streams, &["dynamodb:ListStreams"]);
            }
            Action::ReadBlobs => {
                self.allow(Resource::Objects, &["s3:GetObject"]);
                // without it a missing object is answered 403, not 404
                self.allow(Resource::Bucket, &["s3:ListBucket"]);
            }
            Action::WriteBlobs => {
                self.allow(
                    Resource::Objects,
                    &["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
                );
                self.allow(Resource::Bucket, &["s3:ListBucketMultipartUploads"]);
            }
            Action::DeleteBlobs => self.allow(Resource::Objects, &["s3:DeleteObject"]),
            Action::SendTo(queue) => self.allow(Resource::Queue(queue), &["sqs:SendMessage"]),
            // what Lambda needs to poll for the function
            Action::ReceiveFrom(queue) => self.allow(
                Resource::Queue(queue),
                &[
                    "sqs:ReceiveMessage",
                    "sqs:DeleteMessage",
                    "sqs:ChangeMessageVisibility",
                    "sqs:GetQueueAttributes",
                ],
            ),
            Action::Redrive(queue) => {
                self.allow(Resource::Queue(queue), &["sqs:SendMessage"]);
                self.allow(
                    Resource::DeadLetters(queue),
                    &["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"],
                );
            }
            Action::PostToSockets => {
                for method in ["DELETE", "GET", "POST"] {
                    self.allow(Resource::Connections(method), &["execute-api:ManageConnections"]);
                }
            }
            Action::Call(function) => {
                self.allow(Resource::Function(function), &["lambda:InvokeFunction"]);
            }
        }
    }

    fn allow(&mut self, resource: Resource, actions: &[&'static str]) {
        let granted = self.grants.entry(resource).or_default();
        for action in actions {
            if !granted.contains(action) {
                granted.push(action);
            }
        }
    }

    /// The statements of the role's policy; `log` is the logical id of the function's log group.
    pub(super) fn statements(&self, log: &str) -> Vec<Value> {
        let statement = |(resource, actions): (&Resource, &Vec<&str>)| json!({ "Effect": "Allow", "Action": actions, "Resource": resource.arn(log) });
        self.grants.iter().map(statement).collect()
    }

    /// Why resources of the policy are named with a `*`.
    pub(super) fn reasons(&self) -> BTreeMap<String, &'static str> {
        let open = |resource: &Resource| {
            let arn = resource.arn("");
            Some((arn["Fn::Sub"].as_str()?.to_owned(), resource.reason()?))
        };
        self.grants.keys().filter_map(open).collect()
    }
}

impl Resource {
    fn arn(self, log: &str) -> Value {
        let sub = |text: String| json!({ "Fn::Sub": text });
        let local = |service: &str, rest: &str| {
            sub(format!(
                "arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{rest}"
            ))
        };
        match self {
            Self::Table => json!({ "Ref": "TableArn" }),
            Self::Stream => json!({ "Ref": "StreamArn" }),
            Self::Streams => sub("${TableArn}/stream/*".to_owned()),
            Self::Objects => sub("arn:${AWS::Partition}:s3:::${Bucket}/*".to_owned()),
            Self::Bucket => sub("arn:${AWS::Partition}:s3:::${Bucket}".to_owned()),
            Self::Queue(name) => local("sqs", &format!("${{Prefix}}-{name}")),
            Self::DeadLetters(name) => local("sqs", &format!("${{Prefix}}-{name}-dead")),
            Self::Connections(method) => {
                local("execute-api", &format!("${{SocketApi}}/${{Stage}}/{method}/@connections/*"))
            }
            Self::Function(name) => local("lambda", &format!("function:${{Prefix}}-{name}")),
            Self::Log => json!({ "Fn::GetAtt": [log, "Arn"] }),
        }
    }

    fn reason(self) -> Option<&'static str> {
        match self {
            Self::Streams => {
                Some("Lambda lists the streams of the table before it reads one of them")
            }
            Self::Objects => Some("the names of objects are made at run time"),
            Self::Connections(_) => Some("the ids of connections are made at run time"),
            _ => None,
        }
    }
}

/// The logical id of the role of the function called `name`.
pub(super) fn role(name: &str) -> String {
    format!("{}Role", names::logical(name))
}
