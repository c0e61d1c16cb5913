//! The root stack: what an operator says, what all functions share, and the nested stacks in a chain,
//! so that they do not ask for roles and functions all at once.

use std::collections::BTreeMap;

use anyhow::Result;
use api::Route;
use serde_json::{Map, Value, json};

use super::{
    area::{Area, TOLD, references},
    gateway,
    names::PREFIX,
    store, watch,
};

/// `template.yaml`.
pub(super) fn document(routes: &[Route], areas: &[Area]) -> Result<Value> {
    let mut resources = Map::new();
    resources.extend(store::resources(routes)?);
    gateway::http(&mut resources);
    gateway::socket(&mut resources, areas);
    resources.extend(watch::resources(routes)?);
    let mut before: Option<String> = None;
    for area in areas {
        let mut stack = nested(area)?;
        if let Some(before) = &before {
            stack["DependsOn"] = json!(before);
        }
        let id = area.logical();
        resources.insert(id.clone(), stack);
        before = Some(id);
    }
    Ok(json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Transform": "AWS::Serverless-2016-10-31",
        "Description": "dcmp: distributed compute, the whole platform",
        "Metadata": {
            "AWS::CloudFormation::Interface": { "ParameterGroups": groups() },
            // Functions know the socket API, whose permissions know functions. SAM makes the API and its
            // permissions resources apart, without a cycle; cfn-lint looks for one before SAM does. What
            // SAM makes is looked at again by `--validate`.
            "cfn-lint": { "config": { "ignore_checks": ["E3004"] } },
        },
        "Parameters": parameters(),
        "Conditions": {
            "HasAlarmEmail": given("AlarmEmail"),
            "HasPublicUrl": given("PublicUrl"),
            "IsEmulated": given("EmulatedGateway"),
            "IsReal": { "Fn::Not": [{ "Condition": "IsEmulated" }] },
        },
        "Resources": resources,
        "Outputs": {
            "ApiUrl": { "Description": "For --url of the commands", "Value": public_url() },
            "SocketUrl": { "Description": "For --url of `dcmp device`", "Value": socket_url() },
            "TableName": { "Description": "The table; it outlives the stack", "Value": { "Ref": "Table" } },
            "BucketName": {
                "Description": "The object store; it outlives the stack",
                "Value": { "Ref": "Bucket" },
            },
        },
    }))
}

fn nested(area: &Area) -> Result<Value> {
    let document = area.document()?;
    let used = references(&document["Resources"]);
    let told: BTreeMap<_, _> = TOLD
        .iter()
        .filter(|(name, _)| used.contains(*name))
        .map(|(name, _)| (name, value_of(name)))
        .collect();
    Ok(json!({
        "Type": "AWS::CloudFormation::Stack",
        "Properties": { "TemplateURL": area.file(), "Parameters": told },
    }))
}

/// What a nested stack is told under this name.
fn value_of(name: &str) -> Value {
    match name {
        "Prefix" => json!({ "Fn::Sub": PREFIX }),
        "TableArn" => json!({ "Fn::GetAtt": ["Table", "Arn"] }),
        "StreamArn" => json!({ "Fn::GetAtt": ["Table", "StreamArn"] }),
        "PublicUrl" => public_url(),
        "SocketEndpoint" => emulated(
            "${EmulatedGateway}/${SocketApi}/${Stage}",
            "https://${SocketApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}/${Stage}",
        ),
        "QueueUrls" => json!({ "Fn::Sub": format!(
            "https://sqs.${{AWS::Region}}.${{AWS::URLSuffix}}/${{AWS::AccountId}}/{PREFIX}-"
        ) }),
        // of the same name here
        _ => json!({ "Ref": name }),
    }
}

fn public_url() -> Value {
    let own = emulated(
        "${EmulatedGateway}/${HttpApi}/$default",
        "https://${HttpApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}",
    );
    json!({ "Fn::If": ["HasPublicUrl", { "Ref": "PublicUrl" }, own] })
}

fn socket_url() -> Value {
    // http://… → ws://…
    let emulator =
        json!({ "Fn::Join": ["ws", { "Fn::Split": ["http", { "Ref": "EmulatedGateway" }] }] });
    json!({ "Fn::If": [
        "IsEmulated",
        { "Fn::Join": ["/", [emulator, { "Ref": "SocketApi" }, { "Ref": "Stage" }]] },
        { "Fn::Sub": "wss://${SocketApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}/${Stage}" },
    ] })
}

fn emulated(there: &str, on_aws: &str) -> Value {
    json!({ "Fn::If": ["IsEmulated", { "Fn::Sub": there }, { "Fn::Sub": on_aws }] })
}

fn given(parameter: &str) -> Value {
    json!({ "Fn::Not": [{ "Fn::Equals": [{ "Ref": parameter }, ""] }] })
}

fn parameters() -> Value {
    json!({
        "Stage": {
            "Type": "String",
            "Default": "prod",
            "AllowedPattern": "^[a-z][a-z0-9]{0,15}$",
            "ConstraintDescription": "a lower-case letter, then at most 15 letters or digits",
            "Description": "Which deployment this is; part of every name",
        },
        "AdminKeyHash": {
            "Type": "String",
            "AllowedPattern": "^[0-9a-f]{64}$",
            "ConstraintDescription": "64 hex digits: printf %s KEY | sha256sum",
            "NoEcho": true,
            "Description": "SHA-256 of the operator's key, in hex; the key itself is stored nowhere",
        },
        "OwnDevice": {
            "Type": "String",
            "Default": "on",
            "AllowedValues": ["on", "off"],
            "Description": "Whether functions run models themselves when no device can",
        },
        "LogLevel": {
            "Type": "String",
            "Default": "info",
            "Description": "What the functions log, such as `warn` or `info,dcmp_service=debug`",
        },
        "LogDays": {
            "Type": "Number",
            "Default": 30,
            // what CloudWatch knows
            "AllowedValues": [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731],
            "Description": "How long logs are kept",
        },
        "Architecture": {
            "Type": "String",
            "Default": "x86_64",
            "AllowedValues": ["x86_64", "arm64"],
            "Description": "What the bundles were built for",
        },
        "AlarmEmail": {
            "Type": "String",
            "Default": "",
            "AllowedPattern": "^$|^[^@ ]+@[^@ ]+$",
            "ConstraintDescription": "an address, or nothing",
            "Description": "Who is told of alarms; nobody when empty",
        },
        "RequestsPerSecond": {
            "Type": "Number",
            "Default": 1000,
            "MinValue": 1,
            "Description": "What each gateway lets through; beyond it answers 429",
        },
        "RequestBurst": {
            "Type": "Number",
            "Default": 2000,
            "MinValue": 1,
            "Description": "What each gateway lets through at once",
        },
        "PublicUrl": {
            "Type": "String",
            "Default": "",
            "AllowedPattern": "^$|^https?://.*[^/]$",
            "ConstraintDescription": "https://… without a slash at the end, or nothing",
            "Description": "Where customers reach the API, if a domain of yours is in front of it",
        },
        "EmulatedGateway": {
            "Type": "String",
            "Default": "",
            "AllowedPattern": "^$|^http://.*[^/]$",
            "ConstraintDescription": "http://… without a slash at the end, or nothing",
            "Description": "Only for emulators: under which URL they serve APIs by their ids",
        },
    })
}

/// How the console shows the parameters.
fn groups() -> Value {
    let group = |label: &str, parameters: &[&str]| json!({ "Label": { "default": label }, "Parameters": parameters });
    json!([
        group("Deployment", &["Stage", "AdminKeyHash", "Architecture", "PublicUrl"]),
        group("What it does", &["OwnDevice", "RequestsPerSecond", "RequestBurst"]),
        group("Watching it", &["AlarmEmail", "LogLevel", "LogDays"]),
        group("Emulators", &["EmulatedGateway"]),
    ])
}
