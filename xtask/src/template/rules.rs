//! What no document may break, whoever wrote it. Read from the document alone, so that it holds for
//! what SAM makes of it too.

use serde_json::{Map, Value};

/// The HTTP API gives up after 30 s. <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html>
const MAX_HTTP_SECONDS: u64 = 29;

/// CloudFormation takes 500 in a stack; the rest is room.
const MAX_RESOURCES: usize = 450;

/// What is wrong with a document, in sentences that name the resource.
pub(super) fn broken(document: &Value) -> Vec<String> {
    let Some(resources) = document["Resources"].as_object() else {
        return vec!["it has no resources".to_owned()];
    };
    let mut broken = Vec::new();
    if resources.len() > MAX_RESOURCES {
        broken.push(format!("{} resources; at most {MAX_RESOURCES} in a stack", resources.len()));
    }
    for (id, resource) in resources {
        let properties = &resource["Properties"];
        let wrong = match resource["Type"].as_str().unwrap_or_default() {
            "AWS::Lambda::Function" => function(id, properties, resources),
            "AWS::IAM::Role" => role(properties, &resource["Metadata"]["Wildcards"]),
            "AWS::Logs::LogGroup" => missing(properties, &["RetentionInDays"]),
            "AWS::SQS::Queue" => queue(id, properties),
            "AWS::DynamoDB::Table" => table(properties),
            "AWS::S3::Bucket" => bucket(id, properties, resources),
            _ => Vec::new(),
        };
        broken.extend(wrong.into_iter().map(|wrong| format!("{id}: {wrong}")));
    }
    broken
}

/// What is not said at all.
fn missing(properties: &Value, names: &[&str]) -> Vec<String> {
    let absent = names.iter().filter(|name| properties[**name].is_null());
    absent.map(|name| format!("it has no {name}")).collect()
}

fn function(id: &str, properties: &Value, resources: &Map<String, Value>) -> Vec<String> {
    let mut wrong = missing(properties, &["Timeout", "MemorySize", "Role"]);
    let of =
        |kind: &'static str| resources.values().filter(move |resource| resource["Type"] == kind);
    let name = properties["FunctionName"]["Fn::Sub"].as_str().unwrap_or_default();
    let log = format!("/aws/lambda/{name}");
    if !of("AWS::Logs::LogGroup").any(|group| group["Properties"]["LogGroupName"]["Fn::Sub"] == log)
    {
        wrong.push("its log has no end to what it keeps".to_owned());
    }
    let calls = |integration: &Value| {
        let uri = &integration["Properties"]["IntegrationUri"]["Fn::GetAtt"];
        uri[0] == id
    };
    let seconds = properties["Timeout"].as_u64().unwrap_or_default();
    if of("AWS::ApiGatewayV2::Integration").any(calls) && seconds > MAX_HTTP_SECONDS {
        wrong.push(format!(
            "an HTTP request waits {seconds} s; the gateway ends it after {MAX_HTTP_SECONDS}"
        ));
    }
    wrong
}

/// Every `*` in what a role allows is written down with its reason.
fn role(properties: &Value, reasons: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    if !properties["ManagedPolicyArns"].is_null() {
        wrong.push("managed policies allow more than a function needs".to_owned());
    }
    for policy in list(&properties["Policies"]) {
        for statement in list(&policy["PolicyDocument"]["Statement"]) {
            if statement["Effect"] != "Allow" {
                continue;
            }
            for part in ["NotAction", "NotResource"] {
                if !statement[part].is_null() {
                    wrong.push(format!("{part} allows what nobody thought of"));
                }
            }
            let named = list(&statement["Action"]).into_iter().chain(list(&statement["Resource"]));
            for name in named {
                let text = name.as_str().or_else(|| name["Fn::Sub"].as_str()).unwrap_or_default();
                let reason = reasons[text].as_str().unwrap_or_default();
                if text.contains('*') && reason.is_empty() {
                    wrong.push(format!("`{text}` without a reason in Metadata.Wildcards"));
                }
            }
        }
    }
    wrong
}

/// What AWS takes as one or as a list.
fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items.iter().collect(),
        one => vec![one],
    }
}

fn queue(id: &str, properties: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    if properties["SqsManagedSseEnabled"] != true {
        wrong.push("its messages are not encrypted".to_owned());
    }
    let target = &properties["RedrivePolicy"]["deadLetterTargetArn"];
    if !id.ends_with("DeadLetters") && target.is_null() {
        wrong.push("it has no dead letters".to_owned());
    }
    wrong
}

fn table(properties: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut must = |holds: bool, what: &str| {
        if !holds {
            wrong.push(what.to_owned());
        }
    };
    must(properties["SSESpecification"]["SSEEnabled"] == true, "it is not encrypted");
    must(properties["DeletionProtectionEnabled"] == true, "it may be deleted by mistake");
    let recovery = &properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"];
    must(*recovery == true, "it cannot be restored to a point in time");
    must(properties["ResourcePolicy"].is_null(), "others are let in by a policy of its own");
    wrong
}

fn bucket(id: &str, properties: &Value, resources: &Map<String, Value>) -> Vec<String> {
    let mut wrong = missing(properties, &["BucketEncryption", "LifecycleConfiguration"]);
    for block in
        ["BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"]
    {
        if properties["PublicAccessBlockConfiguration"][block] != true {
            wrong.push(format!("the public is not kept out: {block}"));
        }
    }
    let mut statements = resources
        .values()
        .filter(|resource| {
            let bucket = &resource["Properties"]["Bucket"]["Ref"];
            resource["Type"] == "AWS::S3::BucketPolicy" && bucket == id
        })
        .flat_map(|policy| list(&policy["Properties"]["PolicyDocument"]["Statement"]));
    let tls_only = statements.any(|statement| {
        let secure = &statement["Condition"]["Bool"]["aws:SecureTransport"];
        statement["Effect"] == "Deny" && secure == "false"
    });
    if !tls_only {
        wrong.push("it is served without TLS".to_owned());
    }
    wrong
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::template::documents;

    fn document(file: &str) -> Value {
        let found = documents().unwrap().into_iter().find(|document| document.file == file);
        found.unwrap().content
    }

    /// Sets what the pointer leads to, and says what is wrong then.
    fn changed(file: &str, pointer: &str, value: Value) -> Vec<String> {
        let mut document = document(file);
        assert_eq!(broken(&document), Vec::<String>::new());
        *document.pointer_mut(pointer).unwrap_or_else(|| panic!("{file} has no {pointer}")) = value;
        broken(&document)
    }

    #[test]
    fn every_rule_refuses_a_document_that_breaks_it() {
        let statements =
            "/Resources/ModelsShowRole/Properties/Policies/0/PolicyDocument/Statement/0";
        let function = "/Resources/ModelsShow/Properties";
        let (models, root) = ("infra/models.yaml", "template.yaml");
        let cases = [
            (models, format!("{statements}/Action"), json!("dynamodb:*"), "`dynamodb:*` without"),
            (models, format!("{statements}/Resource"), json!("*"), "`*` without a reason"),
            (models, format!("{function}/Timeout"), Value::Null, "ModelsShow: it has no Timeout"),
            (models, format!("{function}/MemorySize"), Value::Null, "it has no MemorySize"),
            (models, format!("{function}/Timeout"), json!(30), "an HTTP request waits 30 s"),
            (
                models,
                "/Resources/ModelsShowLog/Properties/RetentionInDays".to_owned(),
                Value::Null,
                "ModelsShowLog: it has no RetentionInDays",
            ),
            (
                models,
                "/Resources/ModelsShowLog/Properties/LogGroupName".to_owned(),
                json!("other"),
                "ModelsShow: its log has no end",
            ),
            (
                models,
                "/Resources/ModelsShowRole/Metadata/Wildcards".to_owned(),
                Value::Null,
                "`arn:${AWS::Partition}:s3:::${Bucket}/*` without a reason",
            ),
            (
                models,
                "/Resources/ModelsShowRole/Properties/Policies/0/PolicyDocument/Statement/0"
                    .to_owned(),
                json!({ "Effect": "Allow", "NotAction": "iam:PassRole", "Resource": "x" }),
                "NotAction allows",
            ),
            (
                root,
                "/Resources/WorkQueue/Properties/RedrivePolicy".to_owned(),
                Value::Null,
                "WorkQueue: it has no dead letters",
            ),
            (
                root,
                "/Resources/WorkQueue/Properties/SqsManagedSseEnabled".to_owned(),
                json!(false),
                "not encrypted",
            ),
            (
                root,
                "/Resources/Table/Properties/SSESpecification".to_owned(),
                Value::Null,
                "Table: it is not encrypted",
            ),
            (
                root,
                "/Resources/Table/Properties/DeletionProtectionEnabled".to_owned(),
                json!(false),
                "deleted by mistake",
            ),
            (
                root,
                "/Resources/Table/Properties/PointInTimeRecoverySpecification".to_owned(),
                Value::Null,
                "restored",
            ),
            (
                root,
                "/Resources/Bucket/Properties/PublicAccessBlockConfiguration/BlockPublicPolicy"
                    .to_owned(),
                json!(false),
                "Bucket: the public is not kept out: BlockPublicPolicy",
            ),
            (
                root,
                "/Resources/Bucket/Properties/BucketEncryption".to_owned(),
                Value::Null,
                "it has no BucketEncryption",
            ),
            (
                root,
                "/Resources/BucketPolicy/Properties/PolicyDocument/Statement".to_owned(),
                json!([]),
                "served without TLS",
            ),
        ];
        for (file, pointer, value, expected) in cases {
            let broken = changed(file, &pointer, value).join("; ");
            assert!(broken.contains(expected), "{pointer} → `{broken}`, not `{expected}`");
        }
    }

    #[test]
    fn a_role_takes_no_managed_policies() {
        let mut document = document("infra/models.yaml");
        document["Resources"]["ModelsShowRole"]["Properties"]["ManagedPolicyArns"] = json!(["x"]);
        assert!(broken(&document).join("").contains("managed policies"), "{:?}", broken(&document));
    }

    #[test]
    fn a_stack_has_room_left() {
        let mut document = document("infra/models.yaml");
        let resources = document["Resources"].as_object_mut().unwrap();
        for index in 0..=MAX_RESOURCES {
            resources.insert(format!("More{index}"), json!({ "Type": "AWS::SNS::Topic" }));
        }
        assert!(broken(&document).join("").contains("at most 450"), "{:?}", broken(&document));
    }
}
