//! The nested stacks: functions that belong together, in one document each.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use api::{Entry, Route};
use serde_json::{Map, Value, json};

use super::{function, names};

/// Functions of one document.
pub(super) struct Area {
    /// Such as `models`; the document is `infra/{name}.yaml`.
    pub(super) name: String,
    /// Its functions, in the registry's order.
    pub(super) routes: Vec<Route>,
}

/// What the root stack tells the nested ones, each only what it uses: its name, and what it is.
pub(super) const TOLD: [(&str, &str); 16] = [
    ("AdminKeyHash", "SHA-256 of the operator's key, in hex"),
    ("Architecture", "Of the functions' processors"),
    ("Bucket", "Name of the object store"),
    ("HttpApi", "Id of the HTTP API"),
    ("LogDays", "How long logs are kept"),
    ("LogLevel", "What the functions log"),
    ("OwnDevice", "Whether functions run models themselves"),
    ("Prefix", "What the names of functions and queues begin with"),
    ("PublicUrl", "Where customers reach the HTTP API"),
    ("QueueUrls", "What the URLs of queues begin with"),
    ("SocketApi", "Id of the socket API"),
    ("SocketEndpoint", "Where messages to connections are sent"),
    ("Stage", "The deployment's stage"),
    ("StreamArn", "The table's change stream"),
    ("Table", "Name of the table"),
    ("TableArn", "The table"),
];

/// All functions, in the areas that they are counted with.
pub(super) fn areas(routes: &[Route]) -> Vec<Area> {
    let mut areas: Vec<Area> = Vec::new();
    for route in routes {
        let name = route.area();
        match areas.iter_mut().find(|area| area.name == name) {
            Some(area) => area.routes.push(route.clone()),
            None => areas.push(Area { name: name.to_owned(), routes: vec![route.clone()] }),
        }
    }
    areas
}

impl Area {
    /// The logical id of the nested stack.
    pub(super) fn logical(&self) -> String {
        names::logical(&self.name)
    }

    /// Where the document is, from the project's root.
    pub(super) fn file(&self) -> String {
        format!("infra/{}.yaml", self.name)
    }

    /// The document.
    pub(super) fn document(&self) -> Result<Value> {
        let mut resources = Map::new();
        let mut outputs = Map::new();
        for route in &self.routes {
            resources.extend(function::resources(route)?);
            // the socket API is in the root, beside the other parts that all functions share
            if matches!(route.entry, Entry::Connect(_) | Entry::Disconnect(_) | Entry::Message(..))
            {
                let id = names::logical(route.name);
                let arn = json!({ "Value": { "Fn::GetAtt": [&id, "Arn"] } });
                outputs.insert(format!("{id}Arn"), arn);
            }
        }
        let resources = Value::Object(resources);
        let used = references(&resources);
        let parameters: BTreeMap<_, _> = TOLD
            .iter()
            .filter(|(name, _)| used.contains(*name))
            .map(|(name, what)| (name, json!({ "Type": "String", "Description": what })))
            .collect();
        let mut document = json!({
            "AWSTemplateFormatVersion": "2010-09-09",
            "Description": format!("dcmp: functions of the area {}", self.name),
            "Parameters": parameters,
            "Resources": resources,
        });
        if !outputs.is_empty() {
            document["Outputs"] = Value::Object(outputs);
        }
        Ok(document)
    }
}

/// Everything that a value refers to by `Ref` or in the text of a `Fn::Sub`.
pub(super) fn references(value: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect(value, &mut found);
    found
}

fn collect(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match (key.as_str(), value) {
                    ("Ref", Value::String(name)) => {
                        found.insert(name.clone());
                    }
                    ("Fn::Sub", Value::String(text)) => {
                        let names =
                            text.split("${").skip(1).filter_map(|rest| rest.split_once('}'));
                        found.extend(names.map(|(name, _)| name.to_owned()));
                    }
                    _ => collect(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        _ => {}
    }
}
