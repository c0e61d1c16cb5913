//! What AWS puts around a request, a message or a change.

use anyhow::{Context, Result};
use api::{Auth, BASE_PATH, Entry, Route};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use super::says::{self, Body, ids};

/// When everything happens: 2026-01-15T09:30:00Z, in epoch milliseconds and as AWS writes it.
const NOW_MS: u64 = 1_768_469_400_000;
const NOW: &str = "2026-01-15T09:30:00Z";
const NOW_LOG: &str = "15/Jan/2026:09:30:00 +0000";

const ACCOUNT: &str = "123456789012";
const REGION: &str = "us-east-1";
const REQUEST: &str = "5f1b7c5e-1d2a-4c55-9a2b-0d6d3f9a1c11";

/// The event that starts the function.
pub(super) fn event(route: &Route) -> Result<Value> {
    match &route.entry {
        Entry::Http(_) => http(route),
        Entry::Connect(_) => Ok(connect()),
        Entry::Disconnect(_) => Ok(disconnect()),
        Entry::Message(kind, _) => Ok(message(kind, &says::frame(kind)?)),
        Entry::Queue(queue, _) => Ok(messages(queue, &says::message(queue)?)),
        Entry::Feed(_) => Ok(changes()),
        Entry::Timer(..) => Ok(schedule(route.name)),
        Entry::Call(_) => says::call(route.name),
    }
}

/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>
fn http(route: &Route) -> Result<Value> {
    let (method, path) = route.operation().context("a route without an operation")?;
    let method = serde_json::to_value(method)?;
    let method = method.as_str().unwrap_or_default().to_uppercase();
    let route_key = format!("{method} {BASE_PATH}{path}");
    let request = says::request(route)?;
    let mut raw_path = format!("{BASE_PATH}{path}");
    let mut parameters = Map::new();
    for segment in path.split('/') {
        if let Some(name) = segment.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            let value = request.parameter(&path, name)?;
            raw_path = raw_path.replace(segment, value);
            parameters.insert(name.to_owned(), value.into());
        }
    }
    let host = "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com";
    let mut headers = json!({
        "accept": "*/*",
        "host": host,
        "user-agent": "curl/8.7.1",
        "x-amzn-trace-id": "Root=1-6968b3d8-1a2b3c4d5e6f708192a3b4c5",
        "x-forwarded-for": "203.0.113.7",
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
    });
    match route.auth {
        Auth::Open | Auth::Platform => {}
        Auth::Customer(_) | Auth::CustomerOrDevice(_) => headers["x-api-key"] = ids::KEY.into(),
        Auth::Admin => headers["x-admin-key"] = ids::ADMIN_KEY.into(),
    }
    let mut event = json!({
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": raw_path,
        "rawQueryString": request.query,
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": "a1b2c3d4e5",
            "domainName": host,
            "domainPrefix": "a1b2c3d4e5",
            "http": {
                "method": method,
                "path": raw_path,
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.7",
                "userAgent": "curl/8.7.1",
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": route_key,
            "stage": "$default",
            "time": NOW_LOG,
            "timeEpoch": NOW_MS,
        },
        "isBase64Encoded": false,
    });
    if !parameters.is_empty() {
        event["pathParameters"] = parameters.into();
    }
    if !request.query.is_empty() {
        let pairs = request.query.split('&').filter_map(|pair| pair.split_once('='));
        event["queryStringParameters"] = pairs
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect::<Map<_, _>>()
            .into();
    }
    let (kind, length) = match request.body {
        Body::None => ("", 0),
        Body::Json(body) => {
            let text = body.to_string();
            let length = text.len();
            event["body"] = text.into();
            ("application/json", length)
        }
        Body::Form(form) => {
            event["body"] = STANDARD.encode(&form).into();
            event["isBase64Encoded"] = true.into();
            (says::FORM, form.len())
        }
    };
    if length > 0 {
        headers["content-type"] = kind.into();
        headers["content-length"] = length.to_string().into();
    }
    event["headers"] = headers;
    Ok(event)
}

/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-mapping-template-reference.html>
fn socket(route_key: &str, event_type: &str) -> Value {
    json!({
        "requestContext": {
            "routeKey": route_key,
            "eventType": event_type,
            "extendedRequestId": "JKJaXmPLvHcESHA=",
            "requestTime": NOW_LOG,
            "messageDirection": "IN",
            "stage": "prod",
            "connectedAt": NOW_MS - 60_000,
            "requestTimeEpoch": NOW_MS,
            "identity": { "sourceIp": "203.0.113.7", "userAgent": "dcmp" },
            "requestId": "JKJaXmPLvHcESHA=",
            "domainName": "f6g7h8i9j0.execute-api.us-east-1.amazonaws.com",
            "connectionId": ids::CONNECTION,
            "apiId": "f6g7h8i9j0",
        },
        "isBase64Encoded": false,
    })
}

fn connect() -> Value {
    let mut event = socket("$connect", "CONNECT");
    event["requestContext"]["connectionId"] = ids::NEW_CONNECTION.into();
    event["headers"] = json!({
        "Host": "f6g7h8i9j0.execute-api.us-east-1.amazonaws.com",
        "Sec-WebSocket-Version": "13",
        "X-API-Key": ids::KEY,
        "X-Forwarded-For": "203.0.113.7",
        "X-Forwarded-Port": "443",
        "X-Forwarded-Proto": "https",
    });
    event
}

fn disconnect() -> Value {
    let mut event = socket("$disconnect", "DISCONNECT");
    event["requestContext"]["disconnectStatusCode"] = 1001.into();
    event["requestContext"]["disconnectReason"] = "Going away".into();
    event
}

fn message(kind: &str, frame: &str) -> Value {
    let mut event = socket(kind, "MESSAGE");
    event["requestContext"]["messageId"] = "JKJaXcLvIAMCIxg=".into();
    event["body"] = frame.into();
    event
}

/// <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>
fn messages(queue: &str, body: &Value) -> Value {
    json!({
        "Records": [{
            "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
            "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
            "body": body.to_string(),
            "attributes": {
                "ApproximateReceiveCount": "1",
                "SentTimestamp": (NOW_MS - 250).to_string(),
                "SenderId": "AIDAIENQZJOLO23YVJ4VO",
                "ApproximateFirstReceiveTimestamp": NOW_MS.to_string(),
            },
            "messageAttributes": {},
            "md5OfBody": "098f6bcd4621d373cade4e832627b4f6",
            "eventSource": "aws:sqs",
            "eventSourceARN": format!("arn:aws:sqs:{REGION}:{ACCOUNT}:dcmp-prod-{queue}"),
            "awsRegion": REGION,
        }],
    })
}

/// A model that is new: <https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html>
fn changes() -> Value {
    let key = json!({ "pk": { "S": format!("MODEL#{}", ids::MODEL) }, "sk": { "S": "HEAD" } });
    let mut image = key.clone();
    image["id"] = json!({ "S": ids::MODEL });
    image["version"] = json!({ "N": "1" });
    json!({
        "Records": [{
            "eventID": "c4ca4238a0b923820dcc509a6f75849b",
            "eventName": "INSERT",
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": REGION,
            "dynamodb": {
                "ApproximateCreationDateTime": NOW_MS / 1000,
                "Keys": key,
                "NewImage": image,
                "SequenceNumber": "111500000000000006",
                "SizeBytes": 180,
                "StreamViewType": "NEW_AND_OLD_IMAGES",
            },
            "eventSourceARN":
                format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/dcmp-prod/stream/2026-01-15T00:00:00.000"),
        }],
    })
}

/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-run-lambda-schedule.html>
fn schedule(name: &str) -> Value {
    json!({
        "version": "0",
        "id": REQUEST,
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": ACCOUNT,
        "time": NOW,
        "region": REGION,
        "resources": [format!("arn:aws:events:{REGION}:{ACCOUNT}:rule/dcmp-prod-{name}")],
        "detail": {},
    })
}
