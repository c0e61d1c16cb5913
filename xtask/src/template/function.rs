//! One function: itself, its role, its log, and what starts it.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use api::{AT_ROOT, Auth, BASE_PATH, Bundle, Entry, Route};
use serde_json::{Map, Value, json};

use super::{names, permissions::Permissions, permissions::role};

/// The resources of one function, by logical id.
pub(super) type Resources = Map<String, Value>;

/// Everything that belongs to `route`.
pub(super) fn resources(route: &Route) -> Result<Resources> {
    let id = names::logical(route.name);
    let log = format!("{id}Log");
    let permissions = Permissions::of(route);
    let mut resources = Resources::new();
    resources.insert(id.clone(), function(route, &log));
    resources.insert(role(route.name), role_of(route, &permissions, &log));
    resources.insert(
        log,
        json!({
            "Type": "AWS::Logs::LogGroup",
            "Properties": {
                "LogGroupName": { "Fn::Sub": format!("/aws/lambda/${{Prefix}}-{}", route.name) },
                "RetentionInDays": { "Ref": "LogDays" },
            },
        }),
    );
    match &route.entry {
        Entry::Http(_) => http(&mut resources, route, &id)?,
        Entry::Queue(queue, _) => {
            resources.insert(format!("{id}Source"), queue_source(&id, queue));
        }
        Entry::Feed(_) => {
            resources.insert(format!("{id}Source"), feed_source(&id, route.name));
        }
        Entry::Timer(period, _) => timer(&mut resources, &id, *period)?,
        // the socket API names its functions itself, and callers are named by their roles
        Entry::Connect(_) | Entry::Disconnect(_) | Entry::Message(..) | Entry::Call(_) => {}
    }
    Ok(resources)
}

fn function(route: &Route, log: &str) -> Value {
    let bundle = match route.bundle {
        Bundle::Light => "light",
        Bundle::Compute => "compute",
    };
    json!({
        "Type": "AWS::Lambda::Function",
        // else its first run would make the log, without an end to what it keeps
        "DependsOn": log,
        "Properties": {
            "FunctionName": { "Fn::Sub": format!("${{Prefix}}-{}", route.name) },
            "Runtime": "provided.al2023",
            "Architectures": [{ "Ref": "Architecture" }],
            "Handler": route.name,
            "Code": format!("../target/bundles/{bundle}"),
            "Role": { "Fn::GetAtt": [role(route.name), "Arn"] },
            "MemorySize": route.memory_mb,
            "Timeout": route.timeout.as_secs(),
            "Environment": { "Variables": {
                "DCMP_ADMIN_KEY_HASH": { "Ref": "AdminKeyHash" },
                "DCMP_BUCKET": { "Ref": "Bucket" },
                "DCMP_FUNCTIONS": { "Fn::Sub": "${Prefix}-" },
                "DCMP_LOG": { "Ref": "LogLevel" },
                "DCMP_OWN_DEVICE": { "Ref": "OwnDevice" },
                "DCMP_PUBLIC_URL": { "Ref": "PublicUrl" },
                "DCMP_QUEUES": { "Ref": "QueueUrls" },
                "DCMP_SOCKET": { "Ref": "SocketEndpoint" },
                "DCMP_STAGE": { "Ref": "Stage" },
                "DCMP_TABLE": { "Ref": "Table" },
            } },
        },
    })
}

fn role_of(route: &Route, permissions: &Permissions, log: &str) -> Value {
    let mut role = json!({
        "Type": "AWS::IAM::Role",
        "Properties": {
            "Description": format!("What {} may do", route.name),
            "AssumeRolePolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [{
                    "Effect": "Allow",
                    "Principal": { "Service": "lambda.amazonaws.com" },
                    "Action": "sts:AssumeRole",
                }],
            },
            "Policies": [{
                "PolicyName": "declared",
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": permissions.statements(log),
                },
            }],
        },
    });
    let reasons = permissions.reasons();
    if !reasons.is_empty() {
        role["Metadata"] = json!({ "Wildcards": reasons });
    }
    role
}

/// Route keys and integration on the HTTP API, and its leave to call the function.
fn http(resources: &mut Resources, route: &Route, id: &str) -> Result<()> {
    let integration = format!("{id}Integration");
    resources.insert(
        integration.clone(),
        json!({
            "Type": "AWS::ApiGatewayV2::Integration",
            "Properties": {
                "ApiId": { "Ref": "HttpApi" },
                "IntegrationType": "AWS_PROXY",
                "IntegrationUri": { "Fn::GetAtt": [id, "Arn"] },
                "PayloadFormatVersion": "2.0",
                // the function's own end comes first
                "TimeoutInMillis": (route.timeout + Duration::from_secs(1)).as_millis(),
            },
        }),
    );
    for (index, (method, path)) in endpoints(route)?.into_iter().enumerate() {
        let nth = if index == 0 { String::new() } else { (index + 1).to_string() };
        resources.insert(
            format!("{id}Route{nth}"),
            json!({
                "Type": "AWS::ApiGatewayV2::Route",
                "Properties": {
                    "ApiId": { "Ref": "HttpApi" },
                    "RouteKey": format!("{method} {path}"),
                    "Target": { "Fn::Sub": format!("integrations/${{{integration}}}") },
                },
            }),
        );
        let source = format!("${{HttpApi}}/*/{method}{}", any_parameters(&path));
        resources.insert(
            format!("{id}Permission{nth}"),
            permission(
                id,
                "apigateway.amazonaws.com",
                json!({ "Fn::Sub": format!(
                    "arn:${{AWS::Partition}}:execute-api:${{AWS::Region}}:${{AWS::AccountId}}:{source}"
                ) }),
            ),
        );
    }
    Ok(())
}

/// Methods and whole paths under which an HTTP route answers.
pub(super) fn endpoints(route: &Route) -> Result<Vec<(String, String)>> {
    let operation = route.operation();
    let (method, path) =
        operation.with_context(|| format!("{} has no method that is known here", route.name))?;
    let method = serde_json::to_value(method)?.as_str().unwrap_or_default().to_uppercase();
    let mut paths = vec![format!("{BASE_PATH}{path}")];
    if AT_ROOT.contains(&path.as_str()) {
        paths.push(path);
    }
    let methods = match method.as_str() {
        // what everybody may read is looked at by probes
        "GET" if route.auth == Auth::Open => vec![method, "HEAD".to_owned()],
        _ => vec![method],
    };
    let of_path = |path: String| methods.iter().map(move |method| (method.clone(), path.clone()));
    Ok(paths.into_iter().flat_map(of_path).collect())
}

/// `/models/{id}` → `/models/*`, as the gateway names a call's source.
fn any_parameters(path: &str) -> String {
    let any =
        |segment: &str| if segment.starts_with('{') { "*".to_owned() } else { segment.into() };
    path.split('/').map(any).collect::<Vec<_>>().join("/")
}

fn permission(function: &str, principal: &str, source: Value) -> Value {
    json!({
        "Type": "AWS::Lambda::Permission",
        "Properties": {
            "Action": "lambda:InvokeFunction",
            "FunctionName": { "Ref": function },
            "Principal": principal,
            "SourceArn": source,
        },
    })
}

fn queue_source(id: &str, queue: &str) -> Value {
    json!({
        "Type": "AWS::Lambda::EventSourceMapping",
        "Properties": {
            "FunctionName": { "Ref": id },
            "EventSourceArn": { "Fn::Sub": format!(
                "arn:${{AWS::Partition}}:sqs:${{AWS::Region}}:${{AWS::AccountId}}:${{Prefix}}-{queue}"
            ) },
            "BatchSize": 10,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
        },
    })
}

/// How often a batch of changes is tried; each time it is halved, so that in the end only the change
/// that cannot be folded is laid aside.
const FEED_RETRIES: u32 = 20;

/// With a window, the event names the shard that its changes come from.
const FEED_SHARD_WINDOW_SECONDS: u32 = 900;

fn feed_source(id: &str, name: &str) -> Value {
    json!({
        "Type": "AWS::Lambda::EventSourceMapping",
        "Properties": {
            "FunctionName": { "Ref": id },
            "EventSourceArn": { "Ref": "StreamArn" },
            "StartingPosition": "TRIM_HORIZON",
            "BatchSize": 1000,
            "MaximumBatchingWindowInSeconds": 1,
            "TumblingWindowInSeconds": FEED_SHARD_WINDOW_SECONDS,
            "BisectBatchOnFunctionError": true,
            "MaximumRetryAttempts": FEED_RETRIES,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "DestinationConfig": { "OnFailure": { "Destination": { "Fn::Sub": format!(
                "arn:${{AWS::Partition}}:sqs:${{AWS::Region}}:${{AWS::AccountId}}:${{Prefix}}-{name}-dead"
            ) } } },
        },
    })
}

/// A rule that fires once per period, and its leave to call the function.
fn timer(resources: &mut Resources, id: &str, period: Duration) -> Result<()> {
    let rate = match period.as_secs() {
        60 => "rate(1 minute)".to_owned(),
        seconds if seconds > 60 && seconds.is_multiple_of(60) => {
            format!("rate({} minutes)", seconds / 60)
        }
        seconds => bail!("a timer of {seconds} s: EventBridge counts in whole minutes"),
    };
    let rule = format!("{id}Rule");
    resources.insert(
        rule.clone(),
        json!({
            "Type": "AWS::Events::Rule",
            "Properties": {
                "ScheduleExpression": rate,
                "Targets": [{ "Id": "function", "Arn": { "Fn::GetAtt": [id, "Arn"] } }],
            },
        }),
    );
    resources.insert(
        format!("{id}Permission"),
        permission(id, "events.amazonaws.com", json!({ "Fn::GetAtt": [rule, "Arn"] })),
    );
    resources.insert(
        format!("{id}Runs"),
        json!({
            "Type": "AWS::Lambda::EventInvokeConfig",
            "Properties": {
                "FunctionName": { "Ref": id },
                "Qualifier": "$LATEST",
                // the next one comes soon
                "MaximumRetryAttempts": 0,
            },
        }),
    );
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn named(name: &str) -> Route {
        registry::routes().into_iter().find(|route| route.name == name).unwrap()
    }

    #[test]
    fn a_route_answers_where_it_does_on_one_machine() {
        let keys = |name| -> Vec<String> {
            let endpoints = endpoints(&named(name)).unwrap();
            endpoints.into_iter().map(|(method, path)| format!("{method} {path}")).collect()
        };
        assert_eq!(keys("models-show"), ["GET /api/v1/models/{id}"]);
        assert_eq!(
            keys("health-basic"),
            ["GET /api/v1/health", "HEAD /api/v1/health", "GET /health", "HEAD /health"]
        );
    }

    #[test]
    fn a_role_is_what_its_function_declares() {
        let statements = Permissions::of(&named("devices-show")).statements("Log");
        assert_eq!(
            json!(statements),
            json!([
                {
                    "Effect": "Allow",
                    "Action": ["dynamodb:GetItem", "dynamodb:BatchGetItem"],
                    "Resource": { "Ref": "TableArn" },
                },
                {
                    "Effect": "Allow",
                    "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                    "Resource": { "Fn::GetAtt": ["Log", "Arn"] },
                },
            ])
        );
    }

    #[test]
    fn timers_are_what_eventbridge_can() {
        let mut resources = Resources::new();
        timer(&mut resources, "T", Duration::from_secs(300)).unwrap();
        assert_eq!(resources["TRule"]["Properties"]["ScheduleExpression"], "rate(5 minutes)");
        for seconds in [0, 30, 90] {
            assert!(timer(&mut resources, "T", Duration::from_secs(seconds)).is_err());
        }
    }
}
