//! Models in parts: what is announced of them, and which unfinished upload is gone on with.

use std::{collections::BTreeMap, path::Path};

use anyhow::Result;
use protocol::rest::{
    models::Summary,
    uploads::{Begun, Progress},
};
use serde_json::value::{RawValue, to_raw_value};

use crate::{
    client::{Answer, Client},
    exit::{self, Exit, error},
    parts::{self, Parts},
};

/// A file to be uploaded as a model, or as the next version of one.
pub(super) struct Upload<'a> {
    pub(super) client: &'a Client,
    pub(super) path: &'a Path,
    pub(super) size: u64,
    /// What the model is called; a version is called as its model.
    pub(super) name: String,
    /// The model's id, for a version of it.
    pub(super) version_of: Option<String>,
    /// The fields of the form that are given.
    pub(super) fields: Vec<(&'static str, String)>,
}

/// An upload that the platform knows.
struct Known {
    /// As in paths.
    reference: String,
    part_size: u64,
}

impl Upload<'_> {
    /// Uploads the file and waits until the platform has looked at it; the answer is the model.
    pub(super) async fn run(&self) -> Result<Answer> {
        parts::resumable(self.through()).await
    }

    async fn through(&self) -> Result<Answer> {
        let checksum = parts::checksum(self.path, self.size).await?;
        let known = match self.unfinished(&checksum).await? {
            Some(known) => known,
            None => self.begin(&checksum).await?,
        };
        let (client, path, size, part_size) = (self.client, self.path, self.size, known.part_size);
        let parts = Parts { client, path, size, place: ["models", &known.reference], part_size };
        let is_judged = |model: &Summary| match model.status.as_str() {
            "rejected" => {
                let reason = model.reason.as_deref().unwrap_or("no reason was given");
                Err(error(Exit::Refused, format!("the model was rejected: {reason}")))
            }
            status => Ok(status == "ready"),
        };
        parts.through(is_judged).await
    }

    /// The upload of this file that somebody began and did not finish.
    async fn unfinished(&self, checksum: &str) -> Result<Option<Known>> {
        let open = |status: &str| matches!(status, "uploading" | "validating");
        let candidates = match &self.version_of {
            Some(id) => vec![id.clone()],
            None => {
                let models = self.client.list::<Summary>(&["models"], "models", None).await?;
                let same = |model: &Summary| {
                    open(&model.status) && model.checksum == checksum && model.name == self.name
                };
                models.items()?.into_iter().filter(same).map(|model| model.id).collect()
            }
        };
        for id in candidates {
            let file = (self.size, checksum);
            let found = parts::unfinished(self.client, ["models", &id], self.path, file).await?;
            if let Some(found) = found {
                let progress: Progress = found.read()?;
                let reference = self.reference(&progress.id, progress.version);
                return Ok(Some(Known { reference, part_size: progress.part_size }));
            }
        }
        Ok(None)
    }

    async fn begin(&self, checksum: &str) -> Result<Known> {
        let mut body = announced(&self.fields)?;
        match &self.version_of {
            Some(id) => body.insert("version_of", to_raw_value(id)?),
            None => body.insert("name", to_raw_value(&self.name)?),
        };
        body.insert("file_name", to_raw_value(&parts::shown(self.path))?);
        body.insert("size", to_raw_value(&self.size)?);
        body.insert("checksum", to_raw_value(checksum)?);
        let begun: Begun = self.client.post(&["models"], &body, None).await?.read()?;
        let reference = self.reference(&begun.id, begun.version);
        Ok(Known { reference, part_size: begun.upload.part_size })
    }

    /// As paths name it: with the version, of a model that has others.
    fn reference(&self, id: &str, version: u32) -> String {
        if self.version_of.is_some() { format!("{id}@{version}") } else { id.to_owned() }
    }
}

/// The fields of the form as the announcement has them; what is JSON stays as it is written, since
/// the order of a schema's properties counts.
fn announced(fields: &[(&'static str, String)]) -> Result<BTreeMap<&'static str, Box<RawValue>>> {
    let mut body = BTreeMap::new();
    for (name, text) in fields {
        let is_json = name.ends_with("_shape") || name.ends_with("_schema") || *name == "labels";
        let value = if is_json {
            let wrong = |cause| exit::usage(format!("{name} is not JSON: {cause}"));
            serde_json::from_str(text).map_err(wrong)?
        } else {
            to_raw_value(text)?
        };
        body.insert(*name, value);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_schema_is_announced_as_it_is_written() {
        let schema = r#"{"properties": {"b": {}, "a": {}}}"#;
        let fields = [("input_schema", format!("{schema}\n")), ("format", "onnx".to_owned())];
        let body = announced(&fields).unwrap();
        assert_eq!(body["input_schema"].get(), schema);
        assert_eq!(body["format"].get(), r#""onnx""#);
        assert!(announced(&[("labels", "a,b".to_owned())]).is_err());
    }
}
