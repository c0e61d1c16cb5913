//! The two ways in: the HTTP API, whose routes are beside their functions, and the devices' socket API.

use api::{Entry, Route};
use serde_json::{Map, json};

use super::{area::Area, function::Resources, names};

/// A device's message is answered within this, or its next one says it again, in milliseconds.
const SOCKET_TIMEOUT_MS: u32 = 29_000;

/// The HTTP API, its only stage, and the log of who called what.
pub(super) fn http(resources: &mut Resources) {
    let throttle = json!({
        "ThrottlingBurstLimit": { "Ref": "RequestBurst" },
        "ThrottlingRateLimit": { "Ref": "RequestsPerSecond" },
    });
    resources.insert(
        "HttpApi".to_owned(),
        json!({
            "Type": "AWS::ApiGatewayV2::Api",
            "Properties": {
                "Name": { "Ref": "AWS::StackName" },
                "Description": "dcmp: the API",
                "ProtocolType": "HTTP",
                // keys travel in headers, never in cookies, so any page may call for who holds one
                "CorsConfiguration": {
                    "AllowOrigins": ["*"],
                    "AllowMethods": ["*"],
                    "AllowHeaders": ["*"],
                    "ExposeHeaders": ["*"],
                    "MaxAge": 3600,
                },
            },
        }),
    );
    resources.insert(
        "HttpStage".to_owned(),
        json!({
            "Type": "AWS::ApiGatewayV2::Stage",
            "Properties": {
                "ApiId": { "Ref": "HttpApi" },
                "StageName": "$default",
                "AutoDeploy": true,
                "DefaultRouteSettings": throttle,
                "AccessLogSettings": {
                    "DestinationArn": { "Fn::GetAtt": ["HttpLog", "Arn"] },
                    "Format": ACCESS_LOG,
                },
            },
        }),
    );
    resources.insert(
        "HttpLog".to_owned(),
        json!({
            "Type": "AWS::Logs::LogGroup",
            "Properties": {
                "LogGroupName": { "Fn::Sub": "/dcmp/${Stage}/http" },
                "RetentionInDays": { "Ref": "LogDays" },
            },
        }),
    );
}

/// One line per request, without what is secret: no query, no headers.
const ACCESS_LOG: &str = r#"{"request_id":"$context.requestId","route":"$context.routeKey","status":"$context.status","duration_ms":"$context.responseLatency","integration_error":"$context.integrationErrorMessage","ip":"$context.identity.sourceIp"}"#;

/// The socket API: a function per type of message, and one for what is of no type.
pub(super) fn socket(resources: &mut Resources, areas: &[Area]) {
    let mut keys = Map::new();
    for area in areas {
        for route in &area.routes {
            let Some(key) = key(route) else { continue };
            let output = format!("Outputs.{}Arn", names::logical(route.name));
            let arn = json!({ "Fn::GetAtt": [area.logical(), output] });
            keys.insert(
                key.to_owned(),
                json!({ "FunctionArn": arn, "IntegrationTimeout": SOCKET_TIMEOUT_MS }),
            );
        }
    }
    resources.insert(
        "SocketApi".to_owned(),
        json!({
            "Type": "AWS::Serverless::WebSocketApi",
            "Properties": {
                "Name": "dcmp-devices",
                "Description": "dcmp: devices",
                "RouteSelectionExpression": "$request.body.type",
                "StageName": { "Ref": "Stage" },
                "DefaultRouteSettings": {
                    "ThrottlingBurstLimit": { "Ref": "RequestBurst" },
                    "ThrottlingRateLimit": { "Ref": "RequestsPerSecond" },
                },
                "Routes": keys,
            },
        }),
    );
}

fn key(route: &Route) -> Option<&'static str> {
    match route.entry {
        Entry::Connect(_) => Some("$connect"),
        Entry::Disconnect(_) => Some("$disconnect"),
        Entry::Message(kind, _) => Some(kind),
        _ => None,
    }
}
