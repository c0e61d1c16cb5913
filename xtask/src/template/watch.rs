//! What tells an operator that something is wrong: alarms, few and each with a page in the runbook,
//! and a dashboard. They look at what AWS counts itself, so that a function that cannot even start is
//! seen too.

use anyhow::{Result, ensure};
use api::{Entry, Route};
use serde_json::{Value, json};

use super::{function::Resources, names, names::PREFIX, store};

/// CloudWatch takes ten metrics in an alarm; each is paid for.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html>
const MAX_METRICS: usize = 10;

/// One number of CloudWatch's.
struct Metric {
    namespace: &'static str,
    name: &'static str,
    dimensions: Vec<(&'static str, Value)>,
    /// Over each five minutes.
    statistic: &'static str,
}

/// Something that somebody should look at.
struct Alarm {
    id: &'static str,
    /// What is wrong; the runbook says what to do.
    what: &'static str,
    /// `SUM` or `MAX` of the metrics.
    of: &'static str,
    metrics: Vec<Metric>,
    /// More than this is wrong.
    above: f64,
    /// For so many periods of five minutes.
    periods: u32,
}

/// How long a message may wait, in seconds.
const OLDEST_MESSAGE: f64 = 600.0;

/// How far the feed may lag, in milliseconds.
const FEED_LAG: f64 = 60_000.0;

/// The alarms, who is told, and the dashboard.
pub(super) fn resources(routes: &[Route]) -> Result<Resources> {
    let mut resources = Resources::new();
    for alarm in alarms(routes)? {
        resources.insert(format!("{}Alarm", alarm.id), alarm.resource()?);
    }
    resources.insert(
        "AlarmTopic".to_owned(),
        json!({
            "Type": "AWS::SNS::Topic",
            "Condition": "HasAlarmEmail",
            "Properties": { "DisplayName": "dcmp" },
        }),
    );
    resources.insert(
        "AlarmMail".to_owned(),
        json!({
            "Type": "AWS::SNS::Subscription",
            "Condition": "HasAlarmEmail",
            "Properties": {
                "TopicArn": { "Ref": "AlarmTopic" },
                "Protocol": "email",
                "Endpoint": { "Ref": "AlarmEmail" },
            },
        }),
    );
    resources.insert("Dashboard".to_owned(), dashboard(routes)?);
    Ok(resources)
}

/// How many metrics the alarms look at: each is paid for.
pub(crate) fn metrics(routes: &[Route]) -> Result<usize> {
    Ok(alarms(routes)?.iter().map(|alarm| alarm.metrics.len()).sum())
}

fn alarms(routes: &[Route]) -> Result<Vec<Alarm>> {
    let queue = |id: String, name| Metric {
        namespace: "AWS/SQS",
        name,
        dimensions: vec![("QueueName", json!({ "Fn::GetAtt": [id, "QueueName"] }))],
        statistic: "Maximum",
    };
    let function = |route: &Route, name, statistic| Metric {
        namespace: "AWS/Lambda",
        name,
        dimensions: vec![(
            "FunctionName",
            json!({ "Fn::Sub": format!("{PREFIX}-{}", route.name) }),
        )],
        statistic,
    };
    let of_kind = |is: fn(&Entry) -> bool| routes.iter().filter(move |route| is(&route.entry));
    let ages = store::queues(routes)?
        .into_keys()
        .map(|name| queue(names::queue(name), "ApproximateAgeOfOldestMessage"));
    let dead = store::with_dead_letters(routes)?
        .into_iter()
        .map(|name| queue(names::dead_letters(name), "ApproximateNumberOfMessagesVisible"));
    Ok(vec![
        Alarm {
            id: "HttpErrors",
            what: "The API answers with 5xx",
            of: "SUM",
            metrics: vec![Metric {
                namespace: "AWS/ApiGateway",
                name: "5xx",
                dimensions: vec![("ApiId", json!({ "Ref": "HttpApi" }))],
                statistic: "Sum",
            }],
            above: 5.0,
            periods: 1,
        },
        Alarm {
            id: "SocketErrors",
            what: "Messages of devices are not handled",
            of: "SUM",
            metrics: vec![Metric {
                namespace: "AWS/ApiGateway",
                name: "IntegrationError",
                dimensions: vec![("ApiId", json!({ "Ref": "SocketApi" }))],
                statistic: "Sum",
            }],
            above: 5.0,
            periods: 1,
        },
        Alarm {
            id: "DeadLetters",
            what: "Messages or changes were laid aside after all their tries",
            of: "SUM",
            metrics: dead.collect(),
            above: 0.0,
            periods: 1,
        },
        Alarm {
            id: "QueueAge",
            what: "Messages wait for long",
            of: "MAX",
            metrics: ages.collect(),
            above: OLDEST_MESSAGE,
            periods: 1,
        },
        Alarm {
            id: "FeedLag",
            what: "Lists, statistics and the fleet view are behind",
            of: "MAX",
            metrics: of_kind(|entry| matches!(entry, Entry::Feed(_)))
                .map(|route| function(route, "IteratorAge", "Maximum"))
                .collect(),
            above: FEED_LAG,
            periods: 2,
        },
        Alarm {
            id: "TimerErrors",
            what: "Timers fail, which nobody tries again",
            of: "SUM",
            metrics: of_kind(|entry| matches!(entry, Entry::Timer(..)))
                .map(|route| function(route, "Errors", "Sum"))
                .collect(),
            above: 2.0,
            periods: 1,
        },
    ])
}

impl Alarm {
    fn resource(self) -> Result<Value> {
        let Self { id, what, of, metrics, above, periods } = self;
        let count = metrics.len();
        ensure!(
            (1..=MAX_METRICS).contains(&count),
            "the alarm {id} looks at {count} metrics; CloudWatch takes 1 to {MAX_METRICS}"
        );
        let told = json!({
            "Fn::If": ["HasAlarmEmail", [{ "Ref": "AlarmTopic" }], { "Ref": "AWS::NoValue" }],
        });
        let mut properties = json!({
            "AlarmName": { "Fn::Sub": format!("{PREFIX}-{id}") },
            "AlarmDescription": format!("{what}: see docs/runbook.md"),
            "ComparisonOperator": "GreaterThanThreshold",
            "Threshold": above,
            "EvaluationPeriods": periods,
            "TreatMissingData": "notBreaching",
            "AlarmActions": told,
            "OKActions": told,
        });
        if let [metric] = &metrics[..] {
            merge(&mut properties, metric.named());
            merge(&mut properties, json!({ "Period": 300, "Statistic": metric.statistic }));
            return Ok(json!({ "Type": "AWS::CloudWatch::Alarm", "Properties": properties }));
        }
        let query = |(index, metric): (usize, &Metric)| {
            json!({
                "Id": format!("m{index}"),
                "ReturnData": false,
                "MetricStat": {
                    "Metric": metric.named(),
                    "Period": 300,
                    "Stat": metric.statistic,
                },
            })
        };
        let mut queries: Vec<_> = metrics.iter().enumerate().map(query).collect();
        let expression = format!("{of}(METRICS())");
        queries.push(json!({ "Id": "all", "Expression": expression, "ReturnData": true }));
        properties["Metrics"] = json!(queries);
        Ok(json!({
            "Type": "AWS::CloudWatch::Alarm",
            // emulators do not reckon with several metrics
            "Condition": "IsReal",
            "Properties": properties,
        }))
    }
}

impl Metric {
    /// As CloudWatch names it.
    fn named(&self) -> Value {
        let dimension = |(name, value): &(_, Value)| json!({ "Name": name, "Value": value });
        json!({
            "Namespace": self.namespace,
            "MetricName": self.name,
            "Dimensions": self.dimensions.iter().map(dimension).collect::<Vec<_>>(),
        })
    }
}

fn merge(properties: &mut Value, more: Value) {
    if let (Value::Object(properties), Value::Object(more)) = (properties, more) {
        properties.extend(more);
    }
}

/// What an operator looks at first: requests, devices' messages, each area, queues, the feed, the table.
fn dashboard(routes: &[Route]) -> Result<Value> {
    let queues = store::queues(routes)?;
    let ages: Vec<_> = queues
        .keys()
        .map(|name| {
            let queue = format!("{PREFIX}-{name}");
            json!(["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", queue])
        })
        .collect();
    let dead: Vec<_> = store::with_dead_letters(routes)?
        .iter()
        .map(|name| {
            let queue = format!("{PREFIX}-{name}-dead");
            json!(["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue])
        })
        .collect();
    let feeds: Vec<_> = routes
        .iter()
        .filter(|route| matches!(route.entry, Entry::Feed(_)))
        .map(|route| {
            let function = format!("{PREFIX}-{}", route.name);
            json!(["AWS/Lambda", "IteratorAge", "FunctionName", function])
        })
        .collect();
    let http = |name| json!(["AWS/ApiGateway", name, "ApiId", "${HttpApi}"]);
    let socket = |name| json!(["AWS/ApiGateway", name, "ApiId", "${SocketApi}"]);
    let table = |name| json!(["AWS/DynamoDB", name, "TableName", "${Table}"]);
    // the functions' own metrics, a line per area
    let areas = |name: &str, statistic: &str| {
        let search = format!(
            "SEARCH('{{dcmp,area,stage}} MetricName=\"{name}\" stage=\"${{Stage}}\"', '{statistic}', 300)"
        );
        json!([{ "expression": search }])
    };
    let rows = [
        ("Requests", json!([http("Count"), http("4xx"), http("5xx")]), "Sum"),
        ("Latency of requests, ms", json!([http("Latency")]), "p99"),
        (
            "Devices' messages",
            json!([socket("ConnectCount"), socket("MessageCount"), socket("IntegrationError")]),
            "Sum",
        ),
        ("Errors by area", json!([areas("errors", "Sum")]), "Sum"),
        ("Latency by area, ms", json!([areas("latency", "p99")]), "p99"),
        ("Cold starts by area", json!([areas("cold_start", "Sum")]), "Sum"),
        ("Oldest message, s", json!(ages), "Maximum"),
        ("Dead letters", json!(dead), "Maximum"),
        ("Lag of the feed, ms", json!(feeds), "Maximum"),
        (
            "Table, units",
            json!([table("ConsumedWriteCapacityUnits"), table("ConsumedReadCapacityUnits")]),
            "Sum",
        ),
    ];
    let widget = |(index, (title, metrics, statistic)): (usize, (&str, Value, &str))| {
        json!({
            "type": "metric",
            "x": index % 3 * 8,
            "y": index / 3 * 6,
            "width": 8,
            "height": 6,
            "properties": {
                "title": title,
                "metrics": metrics,
                "stat": statistic,
                "period": 300,
                "region": "${AWS::Region}",
                "view": "timeSeries",
            },
        })
    };
    let widgets: Vec<_> = rows.into_iter().enumerate().map(widget).collect();
    let body = json!({ "widgets": widgets }).to_string();
    Ok(json!({
        "Type": "AWS::CloudWatch::Dashboard",
        "Properties": {
            "DashboardName": { "Fn::Sub": PREFIX },
            "DashboardBody": { "Fn::Sub": body },
        },
    }))
}
